"""Numbers and arrays of numbers that users give: one sentence that quotes what came and says what is expected, or the number."""

import math
import numbers

import numpy as np


def real_array(name, value):
    """`value` as a C-order float64 array that compiled code takes, or an error that names it."""
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        raise ValueError(f"{name} must be an array of numbers, rows of the same length, not {value!r:.80}") from None
    if array.dtype.kind not in "fiub":
        what = f"it is {value!r:.80}" if array.dtype.kind == "O" else f"its dtype is {array.dtype}"
        raise TypeError(f"{name} must be an array of real numbers, but {what}")
    array = np.ascontiguousarray(array, dtype=np.float64)
    return array if array.flags.writeable else array.copy()  # to Numba they are of another type


def complex_array(name, value):
    """`value` as an array of complex numbers, or an error that names it."""
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "fiubc":
            raise TypeError
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be an array of numbers, but it is {value!r:.80}") from None
    return array.astype(np.complex128)


def finite_array(name, value, error=ValueError):
    """The same, and every number finite; `error` makes what is raised if one is not from its sentence."""
    array = real_array(name, value)
    finite = np.isfinite(array)
    if not finite.all():
        place = tuple(int(i) for i in np.argwhere(~finite)[0])
        where = f"[{', '.join(map(str, place))}]" if place else ""
        raise error(f"{name} must be finite, but {name}{where} is {array[place]}")
    return array


def shaped(name, value, shape, error=ValueError):
    """A finite array of a known shape; `error` as above."""
    array = real_array(name, value)
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, but its shape is {array.shape}")
    return finite_array(name, array, error)


def times(t):
    """Output times: at least two, finite, strictly increasing or strictly decreasing."""
    t = finite_array("t", t)
    if t.ndim != 1 or t.size < 2:
        raise ValueError(f"t must be one-dimensional with at least 2 times, but its shape is {t.shape}")
    steps = t[1:] - t[:-1]
    if not ((steps > 0).all() or (steps < 0).all()):
        wrong = int(np.argmax(np.sign(steps) != np.sign(t[-1] - t[0])))
        raise ValueError(
            f"t must be strictly increasing or strictly decreasing, but t[{wrong}] = {float(t[wrong])!r} "
            f"and t[{wrong + 1}] = {float(t[wrong + 1])!r}"
        )
    return t


def positive(name, value):
    """A finite positive number."""
    number = float(value) if np.isscalar(value) and not isinstance(value, (str, bytes)) else float("nan")
    if not 0.0 < number < float("inf"):
        raise ValueError(f"{name} must be a positive number, but it is {value!r}")
    return number


def number(name, value):
    """A finite number, as a float."""
    if type(value) is np.ndarray and value.ndim == 0:
        value = value[()]
    if not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, but it is {value!r:.80}")
    return float(value)


def not_negative(name, value):
    """A finite number of at least 0, as a float."""
    if isinstance(value, numbers.Real) and 0.0 <= value < math.inf:
        return float(value)
    raise ValueError(f"{name} must be a finite number, not negative, but it is {value!r:.80}")


def count(name, value):
    """A positive integer."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name} must be a positive integer, but it is {value!r}")
    return int(value)


def generator(rng):
    """The random generator behind None, a number or a generator."""
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError):
        raise TypeError(
            f"rng must be None, an integer of at least 0 or a numpy.random.Generator, but it is {rng!r:.80}"
        ) from None
