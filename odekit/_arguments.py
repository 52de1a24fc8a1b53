"""The user's extra arguments as one flat float64 vector, so that a new value never recompiles.

``args=(rho, sigma, matrix)`` become ``p``; the compiled wrapper of the user's function takes them apart again.
"""

import numbers

import numpy as np

_LARGEST_INT = 2**53  # float64 holds every integer up to here


def pack(args):
    """Flatten arguments.

    Parameters
    ----------
    args : tuple
        Numbers, booleans, complex numbers and arrays of them.

    Returns
    -------
    structure : tuple
        Kind and shape of each argument: a hashable key of what the wrapper must be compiled for.
    values : ndarray, (n_params,)

    Raises
    ------
    TypeError
        For an argument of another kind.
    """
    structure, parts = [], []
    for index, value in enumerate(args):
        if type(value) is float:  # before the checks against abstract classes, which are slow
            kind, flat = ("float",), [value]
        elif isinstance(value, (bool, np.bool_)):
            kind, flat = ("bool",), [float(value)]
        elif isinstance(value, numbers.Integral) and abs(int(value)) <= _LARGEST_INT:
            kind, flat = ("int",), [float(value)]
        elif isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral):
            kind, flat = ("float",), [float(value)]
        elif isinstance(value, numbers.Complex) and not isinstance(value, numbers.Integral):
            kind, flat = ("complex",), [value.real, value.imag]
        elif isinstance(value, np.ndarray) and value.dtype.kind in "fiu" and value.dtype.itemsize <= 8:
            kind, flat = ("array", value.shape), np.ravel(value).astype(np.float64)
        elif isinstance(value, np.ndarray) and value.dtype.kind == "c":
            kind, flat = ("complex_array", value.shape), np.ravel(value).astype(np.complex128).view(np.float64)
        else:
            raise TypeError(
                f"args[{index}] is of type {type(value).__name__}; only numbers and numeric arrays can be compiled"
            )
        structure.append(kind)
        parts.append(flat)
    return tuple(structure), np.concatenate([np.empty(0), *parts]) if parts else np.empty(0)


def unpack_source(structure):
    """Source of the expressions that give the arguments back from the array ``p``.

    Parameters
    ----------
    structure : tuple
        From `pack`.

    Returns
    -------
    list of str
    """
    expressions, k = [], 0
    for kind, *shape in structure:
        if kind in ("array", "complex_array"):
            (shape,) = shape
            size = int(np.prod(shape)) * (2 if kind == "complex_array" else 1)
            view = ".view(complex128)" if kind == "complex_array" else ""
            expressions.append(f"p[{k}:{k + size}]{view}.reshape({shape!r})")
            k += size
            continue
        template = {
            "bool": "p[{0}] != 0.0",
            "int": "int(p[{0}])",
            "float": "p[{0}]",
            "complex": "complex(p[{0}], p[{1}])",
        }
        expressions.append(template[kind].format(k, k + 1))
        k += 2 if kind == "complex" else 1
    return expressions
