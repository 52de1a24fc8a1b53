"""Models on disk: the settings of each part as attributes, all parameters as one array of an HDF5 file."""

import numpy as np

KIND, VERSION = "odekit-model", "1.0"
DEPTH = 4  # how deep models may be nested
#: Settings of each class in a file, by name: arguments of its constructor and attributes of the object.
SETTINGS = {
    "MLP": ("sizes", "activation", "final_bias", "init", "time_dependent", "dtype", "residual"),
    "NeuralODE": ("method", "rtol", "atol", "adjoint", "step_control", "first_step", "regularisers"),
    "ConcatSquash": ("sizes", "activation", "init", "dtype"),
    "HNN": (),
    "DerivativeModel": (),
    "SecondOrderODE": (),
    "CNF": (
        "t1",
        "probes",
        "noise",
        "kinetic",
        "jacobian",
        "method",
        "rtol",
        "atol",
        "adjoint",
        "first_step",
        "regularisers",
        "step_control",
    ),
    "ResNet": ("depth", "t1", "shared"),
    "LNN": ("ridge", "angles"),
    "SeparableHNN": (),
    "DeLaN": ("floor",),
    "ForcedDeLaN": (),
    "ScaledField": ("scale", "rate", "leak"),
    "DissipativeHNN": (),
    "AugmentedODE": ("extra", "method", "rtol", "atol", "adjoint", "step_control", "first_step", "regularisers"),
    "AntisymmetricField": ("dim", "gamma", "scale", "time_dependent"),
}
#: Networks and fields in which the others consist, in the order of their constructors.
PARTS = dict.fromkeys(SETTINGS, ("field",)) | {
    "MLP": (),
    "ConcatSquash": (),
    "AntisymmetricField": (),
    "SeparableHNN": ("kinetic", "potential"),
    "DissipativeHNN": ("conserved", "dissipated"),
    "DeLaN": ("triangle", "potential"),
    "ForcedDeLaN": ("model",),
}


def save(self, path, *, overwrite=False):
    """Write the model to an HDF5 file, which its class's ``load`` and `odekit.nn.load` read.

    Parameters
    ----------
    path : path-like
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    FileExistsError
    TypeError
        If its adjoint is an object: a file holds the name of one.

    Examples
    --------
    >>> import os, tempfile, odekit
    >>> model = odekit.nn.NeuralODE(odekit.nn.MLP([2, 8, 2], rng=0), "dopri5")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.h5")
    ...     model.save(path)
    ...     again = odekit.nn.NeuralODE.load(path)
    >>> again.method, bool((again.params == model.params).all())
    ('dopri5', True)
    """
    from .._files import Variable, write

    attributes = settings_of(self)
    params = Variable(("param",), np.array(self.params), {"long_name": "weights and biases, layer by layer"})
    write(path, KIND, VERSION, {"params": params}, attributes, overwrite)


def load(path):
    """Read a model or a network that `save` has written.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    MLP, or a model of `odekit.nn`

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
    from .._file_checks import OdekitFileError
    from .._files import read

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


def load_as(cls, path):
    """Read a model of this class.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    object of this class

    Raises
    ------
    FileNotFoundError
    OdekitFileError
        If the file is of another kind, damaged or inconsistent, or holds a model of another class; `odekit.nn.load` reads
        any.

    Examples
    --------
    >>> import os, tempfile, odekit
    >>> model = odekit.nn.NeuralODE(odekit.nn.MLP([2, 8, 2], rng=0), "dopri5")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.h5")
    ...     model.save(path)
    ...     again = odekit.nn.NeuralODE.load(path)
    >>> again.method, bool((again.params == model.params).all())
    ('dopri5', True)
    """
    from .._file_checks import OdekitFileError

    model = load(path)
    if not isinstance(model, cls):
        raise OdekitFileError(f"{path}: a model of class {type(model).__name__}; expected {cls.__name__}")
    return model


def settings_of(model, prefix=""):
    """Settings of a model and of its parts, by name."""
    from .regularisers import to_text

    name = type(model).__name__
    attributes = {f"{prefix}class": name}
    for key in SETTINGS[name]:
        value = getattr(model, key)
        if key == "adjoint" and not isinstance(value, str):
            raise TypeError(
                f"a file holds the adjoint by its name, but this one is {value!r}; set model.adjoint to a name"
            )
        if key == "regularisers":
            value = to_text(value) if value else None
        if value is not None:
            attributes[prefix + key] = int(value) if isinstance(value, bool) else value
    for part in PARTS[name]:
        attributes |= settings_of(getattr(model, part), f"{prefix}{part}.")
    return attributes


def _build(attributes, n_params, prefix=""):
    from .. import nn
    from .antisymmetric import parameter_count as antisymmetric_count
    from .gates import count as gate_count
    from .header import parameter_count
    from .regularisers import from_text

    name = attributes[f"{prefix}class"]
    if name not in SETTINGS or prefix.count(".") > DEPTH:
        raise ValueError(f"{prefix}class={name!r}; expected one of {', '.join(SETTINGS)}")
    settings = {key: attributes[prefix + key] for key in SETTINGS[name] if prefix + key in attributes}
    if "regularisers" in settings:
        settings["regularisers"] = from_text(settings["regularisers"])
    if name == "AntisymmetricField":
        dim, timed = int(settings["dim"]), bool(settings["time_dependent"])
        if antisymmetric_count(dim, timed) != n_params:
            raise ValueError(f"dim={dim} needs {antisymmetric_count(dim, timed)} parameters, but there are {n_params}")
        return nn.AntisymmetricField(**{**settings, "dim": dim, "time_dependent": timed})
    if name == "ConcatSquash":
        sizes = [int(n) for n in np.atleast_1d(settings["sizes"])]
        count = parameter_count(sizes, True) + gate_count(sizes)
        if count != n_params:
            raise ValueError(f"sizes {sizes} need {count} parameters, but there are {n_params}")
        return nn.ConcatSquash(**{**settings, "sizes": sizes})
    if name != "MLP":
        settings = {key: int(value) if isinstance(value, np.integer) else value for key, value in settings.items()}
        if name == "ResNet" and not settings["shared"]:
            n_params, rest = divmod(n_params, max(1, settings["depth"]))
            if rest:
                raise ValueError(
                    f"{settings['depth']} layers cannot share the parameters equally: {rest} are left over"
                )
        return getattr(nn, name)(
            *(_build(attributes, n_params, f"{prefix}{part}.") for part in PARTS[name]), **settings
        )
    sizes = [int(n) for n in np.atleast_1d(settings["sizes"])]
    timed, final_bias = bool(settings["time_dependent"]), bool(settings["final_bias"])
    count = parameter_count((sizes[0] + timed, *sizes[1:]), final_bias)
    # before anything of that size is allocated; several parts share the parameters
    if count != n_params and (len(_networks(attributes)) == 1 or not 0 < count < n_params):
        raise ValueError(f"sizes {sizes} need {count} parameters, but there are {n_params}")
    residual = bool(settings.get("residual", False))  # files of earlier versions have none
    return nn.MLP(
        **{**settings, "sizes": sizes, "time_dependent": timed, "final_bias": final_bias, "residual": residual}
    )


def _networks(attributes):
    """Names of the attributes that begin a network."""
    return [
        key for key, value in attributes.items() if key.endswith("class") and isinstance(value, str) and value == "MLP"
    ]
