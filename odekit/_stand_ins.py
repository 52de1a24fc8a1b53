"""What takes the place of functions that would turn a symbol into a number: those of `math`, `numpy`, `odekit.vmath`, builtins.

Each does what the real one does where no symbol is among its arguments.
"""

import functools
import math
import random
import time
import types

import numpy as np

from . import vmath
from ._recording import CannotTrace
from ._symbols import (
    ELEMENTARY,
    OPERATORS,
    UFUNCS,
    Symbol,
    binary,
    degrees,
    elementwise,
    hypot,
    larger,
    log,
    radians,
    smaller,
    unary,
    without_derivatives,
)
from .solvers.formula import FUNCTIONS

_CHANGING = (random, time, np.random)  # modules whose functions give other numbers each time
_GENERATORS = (random.Random, np.random.Generator, np.random.RandomState)
_CONSTRUCTORS = (
    np.zeros, np.ones, np.empty, np.full, np.zeros_like, np.ones_like, np.empty_like, np.full_like, np.array, np.asarray,
    np.ascontiguousarray, np.eye, np.identity, np.linspace, np.arange,
)  # fmt: skip


def _holds_symbols(x):
    return isinstance(x, Symbol) or (isinstance(x, (np.ndarray, list, tuple)) and np.asarray(x).dtype == object)


class _Ufunc:
    """Stand-in of a ufunc; its methods are those of the real one."""

    def __init__(self, real, function):
        self.real, self.function = real, function

    def __call__(self, *values, **options):
        if not any(map(_holds_symbols, values)):
            return self.real(*values, **options)
        count, out = self.real.nin, options.pop("out", None)
        if options or len(values) > count + 1:
            raise TypeError(f"options of np.{self.real.__name__}, {sorted(options)}, cannot be used on symbols")
        return elementwise(self.function, values[:count], values[count] if len(values) > count else out)

    def __getattr__(self, name):
        return getattr(self.real, name)


def _object_for_float64(x):
    return object if isinstance(x, (type, np.dtype)) and np.dtype(x).char == "d" else x


def _constructor(real):
    """Stand-in of a function that makes arrays: those of float64 can hold symbols."""

    def construct(*values, **options):
        if options.get("dtype") is not None:
            options["dtype"] = _object_for_float64(np.dtype(options["dtype"]))
        made = real(*values[:1], *map(_object_for_float64, values[1:]), **options)
        if made.dtype.char != "d":
            return made
        empty = real in (np.empty, np.empty_like)  # whatever lies there is not taken for a number
        return np.empty(made.shape, object) if empty else made.astype(object)

    return construct


def _builtin_extreme(real, function):
    """Stand-in of builtin `max` or `min`, which compares."""

    def extreme(*values, **options):
        values = list(values[0]) if len(values) == 1 else values
        if options or not any(isinstance(v, Symbol) for v in values):
            return real(values, **options)
        return functools.reduce(function, values)

    return extreme


def _numpy_extreme(real, function):
    """Stand-in of `numpy.max` or `numpy.min`, of all elements or along an axis."""

    def extreme(a, axis=None, **options):
        if options or not _holds_symbols(a):
            return real(a, axis=axis, **options)
        a = np.asarray(a)
        columns = a.ravel() if axis is None else np.moveaxis(a, axis, 0)
        return functools.reduce(lambda x, y: elementwise(function, (x, y)), columns)

    return extreme


def _clip(a, a_min=None, a_max=None, out=None):
    """Stand-in of `numpy.clip`."""
    if not any(map(_holds_symbols, (a, a_min, a_max))):
        return np.clip(a, a_min, a_max, out=out)
    if a_min is not None:
        a = elementwise(larger, (a, a_min), out)
    return a if a_max is None else elementwise(smaller, (a, a_max), out)


def _isinstance(value, kinds):
    if isinstance(value, Symbol):
        value.formula.refuse(value.node, "it asks for the type of {}")
    return isinstance(value, kinds)


def _once_only(name):
    def function(*values, **options):
        raise CannotTrace(f"it calls {name}, which would be called once only")

    return function


class _Changing:
    """Stand-in of what gives other numbers each time, and of all that is in it."""

    def __getattr__(self, name):
        return self

    def __call__(self, *values, **options):
        raise CannotTrace("it calls a function that gives another number each time")


def _functions_of_math():
    """Stand-ins of the functions of `math`, by name."""
    found = {name: unary(name, getattr(math, name, None)) for name in FUNCTIONS}
    found |= {
        "fabs": unary("abs", math.fabs), "pow": binary("power", math.pow), "atan2": binary("atan2", math.atan2),
        "hypot": hypot, "dist": lambda p, q: hypot(*(a - b for a, b in zip(p, q, strict=True))), "fsum": sum,
        "radians": radians, "degrees": degrees, "prod": math.prod,
        "log": lambda x, base=None: log(x) if base is None else log(x) / log(base),
        "sumprod": lambda p, q: sum(a * b for a, b in zip(p, q, strict=True)), "fma": lambda x, y, z: x * y + z,
    }  # fmt: skip
    functions = {name: f for name, f in vars(math).items() if isinstance(f, types.BuiltinFunctionType)}
    return {name: found.get(name) or without_derivatives(f"math.{name}", f) for name, f in functions.items()}


def _by_function():
    """Pairs of functions and their stand-ins."""
    for name, function in _functions_of_math().items():
        yield getattr(math, name), function
    for name in FUNCTIONS:
        if hasattr(vmath, name):
            yield getattr(vmath, name), unary(name, getattr(vmath, name))
    yield vmath.atan2, binary("atan2", vmath.atan2)
    yield vmath.pow, binary("power", vmath.pow)
    for ufunc in UFUNCS.difference(OPERATORS):
        if ufunc.nout == 1 and ufunc.signature is None:
            yield ufunc, _Ufunc(ufunc, ELEMENTARY.get(ufunc) or without_derivatives(f"np.{ufunc.__name__}", ufunc))
    for constructor in _CONSTRUCTORS:
        yield constructor, _constructor(constructor)
    yield from ((real, _numpy_extreme(real, larger)) for real in (np.max, np.amax))
    yield from ((real, _numpy_extreme(real, smaller)) for real in (np.min, np.amin))
    yield np.clip, _clip


_BY_ID = {id(real): function for real, function in _by_function()}  # by identity, as not all values have a hash
#: Stand-ins of builtins, by name.
BUILTINS = {
    "max": _builtin_extreme(max, larger), "min": _builtin_extreme(min, smaller), "isinstance": _isinstance,
    **{name: _once_only(name) for name in ("print", "input", "open")},
}  # fmt: skip


def stand_in(value):
    """What takes the place of a value that is known here, or None.

    Parameters
    ----------
    value : object

    Returns
    -------
    callable or None
    """
    owner = getattr(value, "__self__", value)
    if isinstance(owner, _GENERATORS) or any(owner is module for module in _CHANGING):
        return _Changing()
    return _BY_ID.get(id(value))
