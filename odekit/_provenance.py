"""Where a result comes from: the function, its arguments, the software, as attributes of a file."""

import hashlib
import inspect
import platform

import numpy as np


def right_hand_side(fun):
    """Attributes that identify a function: its name, and where it can be read its source text with a hash."""
    fun = getattr(fun, "py_func", fun)
    if fun is None:
        return {}
    name = f"{getattr(fun, '__module__', '?')}.{getattr(fun, '__qualname__', type(fun).__qualname__)}"
    try:
        source = inspect.getsource(fun)
    except (OSError, TypeError):
        return {"rhs_name": name}
    return {"rhs_name": name, "rhs_source": source, "rhs_sha256": hashlib.sha256(source.encode()).hexdigest()}


def versions():
    """Attributes that identify the software and the machine."""
    import h5py
    import numba

    from . import __version__

    return {
        "odekit": __version__,
        "numba": numba.__version__,
        "numpy": np.__version__,
        "h5py": h5py.__version__,
        "hdf5": h5py.version.hdf5_version,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def flatten(args):
    """Arguments as one float vector and a description from which `unflatten` rebuilds them."""
    numbers, description = [], []
    for value in args:
        array = np.asarray(value)
        if array.dtype.kind in "biu" and array.ndim == 0:
            description.append({"value": array.item()})  # integers beyond 2^53 stay exact
        elif array.dtype.kind in "biufc":
            flat = np.ascontiguousarray(array, dtype=complex if array.dtype.kind == "c" else float).ravel().view(float)
            description.append({"dtype": array.dtype.str, "shape": list(array.shape)})
            numbers.append(flat)
        else:
            description.append({"text": repr(value)})
    return np.concatenate(numbers) if numbers else np.empty(0), description


def unflatten(numbers, description):
    """Arguments from what `flatten` made of them; ValueError where the two do not fit."""
    args, start = [], 0
    for entry in description:
        if "dtype" not in entry:
            args.append(entry["value"] if "value" in entry else str(entry["text"]))
            continue
        dtype, shape = np.dtype(entry["dtype"]), tuple(entry["shape"])
        if dtype.kind not in "biufc":
            raise ValueError("an argument is not a number")
        count = int(np.prod(shape, dtype=object)) * (2 if dtype.kind == "c" else 1)
        if not 0 <= count <= numbers.size - start:
            raise ValueError("there are fewer parameters than arguments")
        flat = numbers[start : start + count]
        value = (flat.view(complex) if dtype.kind == "c" else flat).astype(dtype).reshape(shape)
        args.append(value if shape else value.item())
        start += count
    return tuple(args)
