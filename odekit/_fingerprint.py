"""A fingerprint of a function that means the same in every process.

Two functions with the same fingerprint compile to the same code: it covers the bytecode, the constants and all values of
globals and closure variables that compiled code would freeze, helpers included. Python's `hash` and `id` would not do: they
differ from process to process.
"""

import hashlib
import types

import numpy as np
from numba.extending import is_jitted

from ._capture import stays_itself, surroundings

_PLAIN = (int, float, complex, bool, str, bytes, type(None))
#: Packages whose functions and constants are known by their name; their versions are in the fingerprint.
_LIBRARIES = ("numpy", "math", "cmath", "numba", "builtins")


class Unknown(Exception):
    """A value of which no fingerprint can be taken; the message names it."""


def fingerprint(function):
    """Hexadecimal digest of a function and of what it takes from its surroundings.

    Parameters
    ----------
    function : function or Numba dispatcher

    Returns
    -------
    str

    Raises
    ------
    Unknown
        If it refers to an object that is neither a number, a string, an array, a function nor a known library.
    """
    digest = hashlib.sha256()
    for part in _parts(function, set()):
        digest.update(f"{len(part)}:".encode())
        digest.update(part)
    return digest.hexdigest()


def _parts(function, seen):
    """Byte strings that make up a function."""
    if is_jitted(function):
        if stays_itself(function):
            raise Unknown(f"{function.__name__} has loops that run in parallel, or types of its own for variables")
        yield repr(sorted((k, repr(v)) for k, v in function.targetoptions.items())).encode()
        function = function.py_func
    if not isinstance(function, types.FunctionType):
        raise Unknown(f"a {type(function).__name__} is not a function")
    if function.__code__ in seen:
        yield b"again"
        return
    seen.add(function.__code__)
    yield from _code_parts(function.__code__)
    values = sorted(surroundings(function).items())
    values += [(f"default {k}", value) for k, value in enumerate(function.__defaults__ or ())]
    values += sorted((function.__kwdefaults__ or {}).items())
    for name, value in values:
        yield name.encode()
        yield from _value_parts(name, value, function.__code__.co_names, seen)


def _code_parts(code):
    yield code.co_code
    yield getattr(code, "co_exceptiontable", b"")
    yield repr(
        (code.co_argcount, code.co_flags, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    ).encode()
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _code_parts(constant)
        else:
            yield _plain(constant).encode()


def _plain(value):
    """Text of a constant: type and all digits."""
    if isinstance(value, (tuple, frozenset)):
        return f"{type(value).__name__}({', '.join(sorted(map(_plain, value)) if isinstance(value, frozenset) else map(_plain, value))})"
    return f"{type(value).__name__} {value!r}"


def _is_plain(value):
    return isinstance(value, _PLAIN) or (isinstance(value, tuple) and all(map(_is_plain, value)))


def _value_parts(name, value, attributes, seen):
    module = (getattr(value, "__module__", None) or "").partition(".")[0]
    if isinstance(value, types.ModuleType):
        top = value.__name__.partition(".")[0]
        if top in _LIBRARIES or value.__name__.startswith("odekit.vmath"):
            yield f"module {value.__name__} {getattr(value, '__version__', '')}".encode()
            return
        for attribute in sorted(attributes):  # of a module of the user's, the attributes that the function may read
            if hasattr(value, attribute):
                yield attribute.encode()
                yield from _value_parts(f"{name}.{attribute}", getattr(value, attribute), attributes, seen)
    elif isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        yield repr((value.shape, value.dtype.str)).encode()
        yield value.tobytes()
    elif isinstance(value, np.generic):
        yield _plain(value.item()).encode() + value.dtype.str.encode()
    elif _is_plain(value):
        yield _plain(value).encode()
    elif (module in _LIBRARIES or (getattr(value, "__module__", None) or "").startswith("odekit.vmath")) and hasattr(
        value, "__name__"
    ):
        yield f"{value.__module__}.{value.__name__}".encode()
    elif isinstance(value, np.ufunc):
        yield f"ufunc {value.__name__}".encode()
    elif isinstance(value, types.FunctionType) or is_jitted(value):
        yield from _parts(value, seen)
    elif value in (int, float, complex, bool):
        yield value.__name__.encode()
    else:
        raise Unknown(f"{name} is a {type(value).__name__}")
