"""Models on disk: the settings of each part as attributes, all parameters as one array of an HDF5 file."""

import numpy as np

KIND, VERSION = "odekit-model", "1.0"
DEPTH = 4  # how deep models may be nested
#: Settings of each class in a file, by name: arguments of its constructor and attributes of the object.
SETTINGS = {
    "MLP": ("sizes", "activation", "final_bias", "init", "time_dependent"),
    "NeuralODE": ("method", "rtol", "atol", "adjoint", "step_control", "first_step"),
    "HNN": (),
    "DerivativeModel": (),
}


def save(path, model, overwrite=False):
    """Write a model or a network.

    Parameters
    ----------
    path : path-like
    model : NeuralODE, HNN, DerivativeModel or MLP
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    FileExistsError
    """
    from .._files import Variable, write

    attributes, prefix, part = {}, "", model
    while part is not None:
        attributes[f"{prefix}class"] = type(part).__name__
        for name in SETTINGS[type(part).__name__]:
            value = getattr(part, name)
            if value is not None:
                attributes[prefix + name] = int(value) if isinstance(value, bool) else value
        prefix, part = prefix + "field.", getattr(part, "field", None)
    params = Variable(("param",), np.array(model.params), {"long_name": "weights and biases, layer by layer"})
    write(path, KIND, VERSION, {"params": params}, attributes, overwrite)


def load(path):
    """Read a model or a network that `save` has written.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    NeuralODE, HNN, DerivativeModel or MLP

    Raises
    ------
    FileNotFoundError
    OdekitFileError
        If the file is of another kind, damaged or inconsistent.

    Examples
    --------
    >>> import os, tempfile, odekit
    >>> field = odekit.nn.MLP([2, 8, 2], rng=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "field.h5")
    ...     field.save(path)
    ...     again = odekit.nn.load(path)
    >>> bool((again.params == field.params).all())
    True
    """
    from .._files import OdekitFileError, read

    arrays, attributes = read(path, KIND, VERSION)
    try:
        params = arrays["params"]
        model = _build(attributes, params.size)
        model.params = params
    except KeyError as error:
        raise OdekitFileError(f"{path}: {error.args[0]!r} is missing") from None
    except (TypeError, ValueError) as error:
        raise OdekitFileError(f"{path}: not a consistent model: {error}") from None
    return model


def _build(attributes, n_params, prefix=""):
    from . import hnn, mlp, neural_ode
    from .derivative import DerivativeModel
    from .header import parameter_count

    name = attributes[f"{prefix}class"]
    classes = {"MLP": mlp.MLP, "NeuralODE": neural_ode.NeuralODE, "HNN": hnn.HNN, "DerivativeModel": DerivativeModel}
    if name not in classes or prefix.count(".") > DEPTH:
        raise ValueError(f"{prefix}class={name!r}; expected one of {', '.join(classes)}")
    settings = {key: attributes[prefix + key] for key in SETTINGS[name] if prefix + key in attributes}
    if name != "MLP":
        return classes[name](_build(attributes, n_params, f"{prefix}field."), **settings)
    sizes = [int(n) for n in np.atleast_1d(settings["sizes"])]
    timed, final_bias = bool(settings["time_dependent"]), bool(settings["final_bias"])
    count = parameter_count((sizes[0] + timed, *sizes[1:]), final_bias)
    if count != n_params:  # before anything of that size is allocated
        raise ValueError(f"sizes {sizes} need {count} parameters, but there are {n_params}")
    return mlp.MLP(**{**settings, "sizes": sizes, "time_dependent": timed, "final_bias": final_bias})
