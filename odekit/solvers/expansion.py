"""Taylor coefficients of a solution: source of straight-line code for the recurrences that follow from a formula.

The solution through (t, y) is ``y(t + theta h) = y + sum_k c_k theta^k``: coefficients are in units of a step h, so that they neither
overflow nor vanish in any units of time. Order by order each operation of the formula gives its coefficient from those of what it
takes, and ``c_(k+1) = h f_k / (k + 1)``. See A. Griewank, A. Walther: Evaluating Derivatives (SIAM, 2008), chapter 13, and A. Jorba,
M. Zou: A software package for the numerical integration of ODEs by means of high-order Taylor methods, Experimental Mathematics 14
(2005) 99-117.

What is zero whatever the numbers, as the higher orders of a parameter, has no code. A sum takes the newest coefficients last:
all but two of its terms are added while the processor still waits for those.
"""

import functools
import math

import numpy as np

from .. import _jit, vmath
from .lane_arithmetic import select
from .lane_bodies import outlined

#: With more products of two numbers than that, a kernel takes over half a minute to compile.
MOST_PRODUCTS = 40_000


@_jit.inlined_core
def cbrt(x):
    """The cube root, which Numba knows by NumPy's name only."""
    return np.cbrt(x)


#: Elementary functions by the names in generated code: those of the C library, and of vmath, which loops over lanes need.
LIBRARY = {name: getattr(math, name, None) or getattr(vmath, name) for name in (
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cos", "cosh", "exp", "expm1", "log", "log1p", "pow", "sigmoid", "sin",
    "sinh", "softplus", "sqrt", "tan", "tanh",
)} | {"cbrt": cbrt, "select": select, "math": math}  # fmt: skip
VECTORISED = LIBRARY | {name: getattr(vmath, name) for name in LIBRARY if name in vmath.__all__}


class TooLarge(ValueError):
    """A formula has too many operations for straight-line code."""


class Expansion:
    """The coefficients of a formula.

    Parameters
    ----------
    formula : odekit.solvers.formula.Formula
    order : int

    Attributes
    ----------
    lines : list of list of str
        Source of the coefficients of order 1, 2, ...; it takes the time ``t``, the step ``h``, the state ``y0, y1, ...`` and the
        arguments ``p0, p1, ...``.
    coefficients : list of list of str
        What they are called, component by component.
    products : int
        Of two numbers, in all of it.

    Raises
    ------
    TooLarge
    """

    def __init__(self, formula, order):
        self.formula, self.lines, self.products = formula, [], 0
        self._names, self._slopes, self._inverses = {}, {}, {}
        nodes, self.coefficients = formula.needed(), []
        states = {formula.nodes[a][1]: a for a in nodes if formula.nodes[a][0] == "state"}
        for k in range(order):
            self.lines.append([])
            for a in nodes:
                self._append(a, k)
            self._named(f"h{k + 1}", f"{1.0 / (k + 1)!r} * h")
            row = []
            for i, a in enumerate(formula.outputs):
                value = self._at(a, k)
                row.append("0.0" if value is None else self._named(f"x{i}_{k + 1}", f"h{k + 1} * {value}"))
                if value is not None and i in states:
                    self._names[states[i], k + 1] = row[-1]
            self.coefficients.append(row)
            if self.products > MOST_PRODUCTS:
                raise TooLarge(f"its formula has more than {MOST_PRODUCTS} products of coefficients at order {order}")

    @property
    def numbers(self):
        """Numbers of the arguments that there are in it."""
        return sorted(
            {self.formula.nodes[a][1] for a in self.formula.needed() if self.formula.nodes[a][0] == "parameter"}
        )

    def source(self, places):
        """Source that writes the coefficients to `places`, each as soon as it is known: so few have to be held in registers.

        Parameters
        ----------
        places : list of list of str
            Order by order, component by component.

        Returns
        -------
        list of str
        """
        body = []
        for lines, row, names in zip(self.lines, places, self.coefficients, strict=True):
            body += [*lines, *(f"{place} = {name}" for place, name in zip(row, names, strict=True))]
        return body

    def _at(self, a, k):
        """What the coefficient of a node is called; None: it is zero."""
        return self._names.get((a, k))

    def _named(self, name, expression):
        """Name a value."""
        self.lines[-1].append(f"{name} = {expression}")
        return name

    def _append(self, a, k):
        operation, *arguments = self.formula.nodes[a]
        if operation == "state":
            if k == 0:
                self._names[a, 0] = f"y{arguments[0]}"
            return
        expression = getattr(self, f"_{operation}")(a, k, *arguments)
        if expression is not None:
            plain = expression.isidentifier() or operation == "constant"
            self._names[a, k] = expression if plain else self._named(f"c{a}_{k}", expression)

    def _slope(self, a, k):
        """What ``k`` times the coefficient is called: that of the derivative."""
        value = self._at(a, k)
        if k == 1 or value is None:
            return value
        if (a, k) not in self._slopes:
            self._slopes[a, k] = self._named(f"d{a}_{k}", f"{float(k)!r} * {value}")
        return self._slopes[a, k]

    def _inverse(self, a, factor=1.0):
        """What the inverse of the value of a node is called."""
        if self.formula.nodes[a][0] == "constant" and self.formula.nodes[a][1] != 0.0:
            return repr(factor / self.formula.nodes[a][1])
        if (a, factor) not in self._inverses:
            self._inverses[a, factor] = self._named(f"i{a}_{len(self._inverses)}", f"{factor!r} / {self._at(a, 0)}")
        return self._inverses[a, factor]

    def _products(self, left, right, k, first, last):
        """Products ``left(j) * right(k - j)``, the newest last."""
        found = []
        for j in sorted(range(first, last + 1), key=lambda j: max(j, k - j)):
            a, b = left(j), right(k - j)
            if a is not None and b is not None:
                found.append(f"{a} * {b}")
        self.products += len(found)
        return found

    def _value(self, a):
        return functools.partial(self._at, a)

    def _derivative(self, a):
        return functools.partial(self._slope, a)

    # operations: the expression of a coefficient, None where it is zero ------------------------------------------------

    def _constant(self, a, k, value):
        if k > 0:
            return None
        return (
            repr(value)
            if math.isfinite(value)
            else {math.inf: "math.inf", -math.inf: "-math.inf"}.get(value, "math.nan")
        )

    def _parameter(self, a, k, number):
        return f"p{number}" if k == 0 else None

    def _time(self, a, k):
        return {0: "t", 1: "h"}.get(k)

    def _add(self, a, k, b, c):
        return " + ".join(name for name in (self._at(b, k), self._at(c, k)) if name is not None) or None

    def _subtract(self, a, k, b, c):
        return difference([self._at(b, k)], [self._at(c, k)])

    def _negative(self, a, k, b):
        return difference([], [self._at(b, k)])

    def _multiply(self, a, k, b, c):
        return total(self._products(self._value(b), self._value(c), k, 0, k))

    def _square(self, a, k, b):
        return self._squares(b, k, 0)

    def _squares(self, b, k, first):
        """The coefficient of a square, without the products of those below `first`."""
        twice = self._products(self._value(b), self._value(b), k, first, (k - 1) // 2)
        middle = self._at(b, k // 2) if k % 2 == 0 and k // 2 >= first else None
        parts = [f"2.0 * ({total(twice)})"] if twice else []
        return " + ".join([*parts, *([f"{middle} * {middle}"] if middle else [])]) or None

    def _divide(self, a, k, b, c):
        if k == 0:
            return f"{self._at(b, 0)} / {self._at(c, 0)}"
        taken = self._products(self._value(a), self._value(c), k, 0, k - 1)
        return times(difference([self._at(b, k)], taken), self._inverse(c))

    def _sqrt(self, a, k, b):
        if k == 0:
            return f"sqrt({self._at(b, 0)})"
        squares = self._squares(a, k, 1)
        return times(difference([self._at(b, k)], [squares and f"({squares})"]), self._inverse(a, 0.5))

    def _exp(self, a, k, b):
        return self._pair(a, k, "exp", b, a)

    def _pair(self, a, k, name, b, c):
        if k == 0:
            return f"{name}({self._at(b, 0)})"
        return times(total(self._products(self._derivative(b), self._value(c), k, 1, k)), repr(1.0 / k))

    def _ratio(self, a, k, name, b, c):
        if k == 0:
            return f"{name}({self._at(b, 0)})"
        return self._from_slope(a, k, [self._slope(b, k)], c)

    def _angle(self, a, k, y, x, c):
        if k == 0:
            return f"atan2({self._at(y, 0)}, {self._at(x, 0)})"
        turned = difference(
            self._products(self._derivative(y), self._value(x), k, 1, k),
            self._products(self._derivative(x), self._value(y), k, 1, k),
        )
        return self._from_slope(a, k, [turned], c)

    def _power(self, a, k, b, c):
        exponent = self.formula.nodes[c]
        if k == 0:
            return power(self._at(b, 0), exponent[1] if exponent[0] == "constant" else self._at(c, 0))
        grown = total(self._products(self._derivative(b), self._value(a), k, 1, k))
        return self._from_slope(a, k, [times(grown, self._at(c, 0))], b)

    def _from_slope(self, a, k, given, c):
        """The coefficient of a function f with ``f' c = ...``."""
        slope = times(
            difference(given, self._products(self._derivative(a), self._value(c), k, 1, k - 1)), self._inverse(c)
        )
        if slope is None or k == 1:
            return slope
        self._slopes[a, k] = self._named(f"d{a}_{k}", slope)
        return f"{1.0 / k!r} * {self._slopes[a, k]}"

    def _like(self, a, k, name, b, c):
        return f"{name}({self._at(b, 0)})" if k == 0 else self._at(c, k)

    def _abs(self, a, k, b):
        if k == 0:
            self._named(f"s{a}", f"select({self._at(b, 0)} < 0.0, -1.0, 1.0)")
        return times(self._at(b, k), f"s{a}")

    def _larger(self, a, k, b, c, sign=">"):
        if k == 0:
            self._named(f"s{a}", f"{self._at(b, 0)} {sign} {self._at(c, 0)}")
        first, second = self._at(b, k), self._at(c, k)
        return None if first is second is None else f"select(s{a}, {first or '0.0'}, {second or '0.0'})"

    def _smaller(self, a, k, b, c):
        return self._larger(a, k, b, c, "<")


def total(parts):
    """Source of a sum; None: there is nothing."""
    return " + ".join(parts) or None


def difference(given, taken):
    """Source of a sum of what is given less a sum of what is taken; parts that are None are left out; None: there is nothing."""
    given, taken = ([part for part in parts if part is not None] for parts in (given, taken))
    if not taken:
        return total(given)
    # what is given is the newest: the sum of the others need not wait for it
    return f"{total(given)} - ({total(taken)})" if given else f"-({total(taken)})"


def times(expression, factor):
    """Source of a product; None: there is nothing."""
    if not expression or factor is None:
        return None
    return f"{expression} * {factor}" if expression.isidentifier() else f"({expression}) * {factor}"


def power(base, exponent):
    """Source of a power; where twice the exponent is a small whole number, by a root and products."""
    if not isinstance(exponent, float):
        return f"pow({base}, {exponent})"
    whole, half = divmod(abs(exponent), 1.0)
    if half != 0.5 or whole > 3.0:
        return f"pow({base}, {exponent!r})"
    product = " * ".join([f"sqrt({base})", *[base] * int(whole)])
    return product if exponent > 0 else f"1.0 / ({product})"


def kernel_source(expansion):
    """Source of ``expansion(t, y, out, p) -> 0``: a scalar kernel that writes the coefficients, [order, n].

    The step h, in whose units they are, stands in ``out[0]``.
    """
    n = len(expansion.formula.outputs)
    body = ["h = out[0]", *(f"y{i} = y[{i}]" for i in range(n)), *(f"p{k} = p[{k}]" for k in expansion.numbers)]
    body += expansion.source([[f"out[{k * n + i}]" for i in range(n)] for k in range(len(expansion.lines))])
    # a loop of one round: its body is written down without Numba's types and variables, see `odekit.solvers.lane_bodies`
    lines = ["def expansion(t, y, out, p):", "    for inner in range(1):", *("        " + line for line in body)]
    return "\n".join([*lines, "    return 0"]) + "\n"


def python_kernel(expansion):
    """The same as a Python function over arrays."""
    scope = {
        **{name: getattr(np, _NUMPY_NAMES.get(name, name), function) for name, function in LIBRARY.items()},
        "select": lambda condition, a, b: a if condition else b, "math": math,
    }  # fmt: skip
    function = _jit.exec_source(kernel_source(expansion), "expansion", scope)

    def evaluate(t, y, out, p):
        with np.errstate(all="ignore"):
            return function(np.float64(t), y, out, p)

    return evaluate


#: NumPy's names where they are others.
_NUMPY_NAMES = {
    "pow": "power",
    **{f"a{name}": f"arc{name}" for name in ("cos", "cosh", "sin", "sinh", "tan", "tan2", "tanh")},
}


@functools.lru_cache(maxsize=64)
def kernel(expansion):
    """Address of the scalar kernel of `kernel_source`, which is kept on disk."""
    if _jit.JIT_DISABLED:
        n, n_params = len(expansion.formula.outputs), max(expansion.numbers, default=-1) + 1
        size = n * len(expansion.coefficients)
        address, _jit.functions[address] = _jit.python_callback(python_kernel(expansion), n, size, n_params)
        return address
    source = kernel_source(expansion)
    rest, scope = outlined(source, dict(LIBRARY))
    function = _jit.exec_source(f"# {_jit.digest(source)}\n{rest}", "expansion", scope)
    return _jit.cfunc_address(function, _jit.SCALAR_SIGNATURE, **_jit.CORE_OPTIONS)
