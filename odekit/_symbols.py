"""Symbols: what a function of the user is called with, in place of numbers, so that a formula is recorded.

NumPy's functions of symbols, and of arrays of them, come here too: by `Symbol.__array_ufunc__` if an argument is a symbol,
by its methods (`Symbol.sin`) if it is an array of objects.
"""

import math
import operator

import numpy as np

from ._recording import CannotTrace
from .solvers.formula import FUNCTIONS

#: Operations after which a function is given up, so that a long loop ends soon.
LONGEST = 100_000
_NEUTRAL = {"add": 0.0, "subtract": 0.0, "multiply": 1.0, "divide": 1.0}
_INSTEAD = "; write the number into the function"
_BRANCHES = "it branches on {}, which a formula cannot hold"
_REMAINDER = (
    "it computes the remainder or the whole part of a division by or of {}, which has no derivatives of all orders"
)


def node_beside(symbol, value):
    """Node of a symbol or a number in the formula of a symbol, or None if it is neither."""
    if isinstance(value, Symbol):
        return value.node
    if isinstance(value, (float, int, np.floating, np.integer, np.bool_)):
        return symbol.formula.constant(value)
    if isinstance(value, (complex, np.complexfloating)):
        symbol.formula.refuse(symbol.node, "it computes with complex numbers")
    return None


def _operation(formula, name, a, b):
    """Node of an operation on two nodes."""
    if name in ("power", "atan2"):
        return getattr(formula, name)(a, b)
    if name in _NEUTRAL:  # sum() begins with 0, and so do many loops
        neutral = ("constant", _NEUTRAL[name])
        if formula.nodes[b] == neutral:
            return a
        if formula.nodes[a] == neutral and name in ("add", "multiply"):
            return b
    return formula.node("square", a) if name == "multiply" and a == b else formula.node(name, a, b)


def unary(name, real=None):
    """An elementary function of a symbol or a number.

    Parameters
    ----------
    name : str
        One of `odekit.solvers.formula.FUNCTIONS`.
    real : callable, optional
        The function of numbers.
    """

    def function(x):
        return Symbol(x.formula, x.formula.function(name, x.node)) if isinstance(x, Symbol) else real(x)

    return function


def binary(name, real):
    """An operation on two symbols or numbers; ``real`` is called with what is not."""

    def function(x, y):
        symbol = x if isinstance(x, Symbol) else y
        if isinstance(symbol, Symbol):
            a, b = node_beside(symbol, x), node_beside(symbol, y)
            if a is not None and b is not None:
                return Symbol(symbol.formula, _operation(symbol.formula, name, a, b))
        return real(x, y)

    return function


def without_derivatives(name, real):
    """A function of numbers that has no derivatives of all orders, and is refused for symbols."""

    def function(*values, **options):
        for value in values:
            if isinstance(value, Symbol):
                value.formula.refuse(value.node, f"it calls {name}, of which there are no derivatives of all orders")
        return real(*values, **options)

    return function


def _operators(name):
    """An operator and its reflection."""
    forward = binary(name, lambda a, b: NotImplemented)
    return forward, lambda self, other: forward(other, self)


def _refused(clause, advice=""):
    return lambda self, *others: self.formula.refuse(self.node, clause, advice)


class Symbol:
    """A number in a formula.

    Parameters
    ----------
    formula : Recording
    node : int

    Raises
    ------
    CannotTrace
        If the formula is too long, and by all that asks for the number itself.
    """

    __slots__ = ("formula", "node")

    def __init__(self, formula, node):
        if node > LONGEST:
            raise CannotTrace(f"its formula has more than {LONGEST} operations")
        self.formula, self.node = formula, node

    def __repr__(self):
        return f"<number {self.node} of a formula>"

    def __pos__(self):
        return self

    conjugate = __pos__  # it is real
    real = property(__pos__)

    __neg__, __abs__ = unary("negative"), unary("abs")
    __add__, __radd__ = _operators("add")
    __sub__, __rsub__ = _operators("subtract")
    __mul__, __rmul__ = _operators("multiply")
    __truediv__, __rtruediv__ = _operators("divide")
    __pow__, __rpow__ = _operators("power")

    __bool__ = __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = _refused(_BRANCHES, _INSTEAD)
    __hash__ = None
    __float__ = _refused("it turns {} into a Python float")
    __complex__ = _refused("it computes with complex numbers")
    __int__ = __trunc__ = _refused("it turns {} into an integer", _INSTEAD)
    __index__ = _refused("it counts with {}", _INSTEAD)
    __round__ = __floor__ = __ceil__ = _refused("it rounds {}, which has no derivatives of all orders")
    __mod__ = __rmod__ = __floordiv__ = __rfloordiv__ = __divmod__ = __rdivmod__ = _refused(_REMAINDER)

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        if method != "__call__" or options:
            return NotImplemented
        # a number of NumPy would have its own operator called by that of Python, which calls this function again
        inputs = tuple(x.item() if isinstance(x, np.generic) else x for x in inputs)
        function = ELEMENTARY.get(ufunc) or OPERATORS.get(ufunc)
        return elementwise(function or without_derivatives(f"np.{ufunc.__name__}", ufunc), inputs, out)


def elementwise(function, inputs, out=None):
    """Apply a function of numbers to arrays that may hold symbols.

    Parameters
    ----------
    function : callable
    inputs : tuple
    out : ndarray or tuple of ndarray, optional
        As NumPy's.
    """
    # a bare symbol would have its __array_ufunc__ called, which calls this function
    result = np.frompyfunc(function, len(inputs), 1)(*(np.asarray(x, object) for x in inputs))
    if out is None:
        return result
    target = out[0] if isinstance(out, tuple) else out
    target[...] = result
    return target


sqrt, log = unary("sqrt", math.sqrt), unary("log", math.log)
larger, smaller = binary("larger", max), binary("smaller", min)


def hypot(*values):
    return sqrt(sum(value * value for value in values))


def radians(x):
    return x * (math.pi / 180.0)


def degrees(x):
    return x * (180.0 / math.pi)


#: Ufuncs that call the operators of symbols in arrays of objects.
OPERATORS = {
    np.add: operator.add, np.subtract: operator.sub, np.multiply: operator.mul, np.divide: operator.truediv,
    np.power: operator.pow, np.negative: operator.neg, np.positive: operator.pos, np.square: lambda x: x * x,
    np.reciprocal: lambda x: 1.0 / x, np.less: operator.lt, np.less_equal: operator.le, np.greater: operator.gt,
    np.greater_equal: operator.ge, np.equal: operator.eq, np.not_equal: operator.ne, np.floor_divide: operator.floordiv,
    np.remainder: operator.mod, np.conjugate: lambda x: x,
}  # fmt: skip
_NUMPY_NAMES = {"absolute": "abs", "fabs": "abs", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh",
                "arctan": "atan", "arctanh": "atanh"}  # fmt: skip
UFUNCS = frozenset(value for value in vars(np).values() if isinstance(value, np.ufunc))
#: Ufuncs with derivatives, and what they compute, number by number.
ELEMENTARY = {
    ufunc: unary(name, ufunc)
    for ufunc in UFUNCS.difference(OPERATORS)
    if (name := _NUMPY_NAMES.get(ufunc.__name__, ufunc.__name__)) in FUNCTIONS
} | {
    np.hypot: hypot, np.arctan2: binary("atan2", np.arctan2), np.float_power: binary("power", np.float_power),
    np.maximum: larger, np.fmax: larger, np.minimum: smaller, np.fmin: smaller,
    np.deg2rad: radians, np.radians: radians, np.rad2deg: degrees, np.degrees: degrees,
}  # fmt: skip
for _ufunc, _function in ELEMENTARY.items():  # numpy calls them on the elements of arrays of objects
    setattr(Symbol, _ufunc.__name__, _function)
