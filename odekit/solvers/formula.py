"""Formulas: what a right-hand side computes, as a list of elementary operations, each on results of operations before it.

From a formula the derivatives of a solution of all orders follow by recurrences, see `odekit.solvers.expansion`. A node is a tuple:
its operation, then the numbers of the nodes that it takes, or what else is said here.

=================  ==========================================================================================
operation          meaning
=================  ==========================================================================================
constant, value    a number
parameter, k       number k of the arguments of the right-hand side
time               t
state, i           component i of the state
add, a, b          likewise subtract, multiply, divide
negative, a        likewise square, sqrt, exp, abs
power, a, b        a ** b, where b does not change along a solution
pair, name, a, b   a function whose derivative is a' times node b: sin, cos (with ``-sin``), sinh, cosh, tanh, ...
ratio, name, a, b  a function whose derivative is a' / b: log, asin, atan, cbrt, ...
like, name, a, b   a function of a that differs from node b by a constant: expm1, for example
angle, y, x, b     atan2(y, x), where b = x^2 + y^2
larger, a, b       likewise smaller
=================  ==========================================================================================

The node b of a pair or a ratio may come later than the node itself: only its lower orders are needed.
"""

import math

#: Functions by their derivative: see `Formula.function`.
FUNCTIONS = (
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "cbrt", "cos", "cosh", "exp", "exp2", "expm1", "log", "log10", "log1p",
    "log2", "negative", "reciprocal", "sigmoid", "silu", "sin", "sinh", "softplus", "sqrt", "square", "tan", "tanh",
)  # fmt: skip
_FOLDED = {
    "add": lambda a, b: a + b, "subtract": lambda a, b: a - b, "multiply": lambda a, b: a * b, "divide": lambda a, b: a / b,
    "negative": lambda a: -a, "square": lambda a: a * a, "sqrt": math.sqrt, "power": lambda a, b: a**b,
}  # fmt: skip
LARGEST_POWER = 16  # exponents that are whole numbers up to here are products


class Formula:
    """Nodes, and which of them are the components of the right-hand side.

    Nodes that compute the same are the same node.

    Attributes
    ----------
    nodes : list of tuple
    outputs : list of int
    """

    def __init__(self):
        self.nodes, self.outputs, self._known, self._steady = [], [], {}, []

    def node(self, operation, *arguments):
        """Number of a node, which is made if there is none like it.

        Parameters
        ----------
        operation : str
            One of those above.
        *arguments

        Returns
        -------
        int
        """
        if operation in ("add", "multiply") and arguments[0] > arguments[1]:
            arguments = arguments[::-1]
        if operation in _FOLDED and all(self.nodes[a][0] == "constant" for a in arguments):
            try:
                value = float(_FOLDED[operation](*(self.nodes[a][1] for a in arguments)))
            except (ArithmeticError, ValueError, TypeError):  # compiled code gives an infinity or a NaN
                pass
            else:
                return self.constant(value)
        key = (operation, *arguments)
        if key not in self._known:
            self.nodes.append(key)
            self._known[key] = len(self.nodes) - 1
        return self._known[key]

    def constant(self, value):
        """Number of the node of a number; 0.0 and -0.0 are different ones."""
        key = ("constant", repr(float(value)))
        if key not in self._known:
            self.nodes.append(("constant", float(value)))
            self._known[key] = len(self.nodes) - 1
        return self._known[key]

    def power(self, a, b):
        """Node of ``a ** b``, of two nodes."""
        if self.nodes[b][0] == "constant":
            exponent = self.nodes[b][1]
            if exponent == 0.5:
                return self.node("sqrt", a)
            if 0 < abs(exponent) <= LARGEST_POWER and exponent == round(exponent):  # in this order for infinity and NaN
                whole = self._whole_power(a, int(abs(exponent)))
                return whole if exponent > 0 else self.node("divide", self.constant(1.0), whole)
        if self.steady(b):
            return self.node("power", a, b)
        return self.function("exp", self.node("multiply", b, self.function("log", a)))

    def _whole_power(self, a, exponent):
        """Node of a power by squares and products."""
        if exponent == 1:
            return a
        half = self.node("square", self._whole_power(a, exponent // 2))
        return self.node("multiply", half, a) if exponent % 2 else half

    def steady(self, a):
        """Whether a node does not change along a solution."""
        for operation, *arguments in self.nodes[
            len(self._steady) : a + 1
        ]:  # once each; what they take stands before them
            if operation in ("constant", "parameter", "time", "state"):
                self._steady.append(operation in ("constant", "parameter"))
            else:
                inputs = arguments[1:2] if operation in ("pair", "ratio", "like") else arguments[:2]
                self._steady.append(all(self._steady[b] for b in inputs))
        return self._steady[a]

    def function(self, name, a):
        """Node of an elementary function.

        Parameters
        ----------
        name : str
            One of `FUNCTIONS`.
        a : int
            Its argument.

        Returns
        -------
        int
        """
        if name in ("abs", "negative", "sqrt", "square", "exp"):
            return self.node(name, a)
        return getattr(self, f"_{name}")(a)

    def _twins(self, names, a, sign):
        """Two functions with ``f' = a' g`` and ``g' = sign a' f``."""
        known = ("twins", names, a)
        if known not in self._known:
            place = len(self.nodes)
            self.nodes += [("pair", names[0], a, place + 1), ("pair", names[1], a, place)]
            if sign < 0:
                self.nodes[place + 1] = ("pair", names[1], a, self.node("negative", place))
            self._known[known] = place
        return self._known[known]

    def _sin(self, a):
        return self._twins(("sin", "cos"), a, -1)

    def _cos(self, a):
        return self._twins(("sin", "cos"), a, -1) + 1

    def _sinh(self, a):
        return self._twins(("sinh", "cosh"), a, 1)

    def _cosh(self, a):
        return self._twins(("sinh", "cosh"), a, 1) + 1

    def _closed(self, name, a, slope, operation="pair"):
        """A function whose derivative is a' times, or by, ``slope(f)`` of its own value f."""
        known = ("closed", name, a)
        if known not in self._known:
            place = len(self.nodes)
            self.nodes.append((operation, name, a, place))  # its slope comes behind it
            self._known[known] = place
            self.nodes[place] = (operation, name, a, slope(place))
        return self._known[known]

    def _tan(self, a):
        return self._closed("tan", a, lambda f: self.node("add", self.constant(1.0), self.node("square", f)))

    def _tanh(self, a):
        return self._closed("tanh", a, lambda f: self.node("subtract", self.constant(1.0), self.node("square", f)))

    def _sigmoid(self, a):
        return self._closed("sigmoid", a, lambda f: self.node("subtract", f, self.node("square", f)))

    def _softplus(self, a):
        return self.node("pair", "softplus", a, self._sigmoid(a))

    def _silu(self, a):
        return self.node("multiply", a, self._sigmoid(a))

    def _exp2(self, a):
        return self.node("exp", self.node("multiply", a, self.constant(math.log(2.0))))

    def _expm1(self, a):
        return self.node("like", "expm1", a, self.node("exp", a))

    def _log(self, a):
        return self.node("ratio", "log", a, a)

    def _log1p(self, a):
        return self.node("ratio", "log1p", a, self.node("add", self.constant(1.0), a))

    def _log2(self, a):
        return self.node("divide", self._log(a), self.constant(math.log(2.0)))

    def _log10(self, a):
        return self.node("divide", self._log(a), self.constant(math.log(10.0)))

    def _cbrt(self, a):
        three = self.constant(3.0)
        return self._closed("cbrt", a, lambda f: self.node("multiply", three, self.node("square", f)), "ratio")

    def _reciprocal(self, a):
        return self.node("divide", self.constant(1.0), a)

    def _one_plus(self, a, sign):
        """Node of ``1 + sign a^2``."""
        return self.node("add" if sign > 0 else "subtract", self.constant(1.0), self.node("square", a))

    def _asin(self, a):
        return self.node("ratio", "asin", a, self.node("sqrt", self._one_plus(a, -1)))

    def _acos(self, a):
        return self.node("ratio", "acos", a, self.node("negative", self.node("sqrt", self._one_plus(a, -1))))

    def _atan(self, a):
        return self.node("ratio", "atan", a, self._one_plus(a, 1))

    def _asinh(self, a):
        return self.node("ratio", "asinh", a, self.node("sqrt", self._one_plus(a, 1)))

    def _acosh(self, a):
        square = self.node("subtract", self.node("square", a), self.constant(1.0))
        return self.node("ratio", "acosh", a, self.node("sqrt", square))

    def _atanh(self, a):
        return self.node("ratio", "atanh", a, self._one_plus(a, -1))

    def atan2(self, y, x):
        """Node of the angle of (x, y), of two nodes."""
        return self.node("angle", y, x, self.node("add", self.node("square", x), self.node("square", y)))

    def needed(self):
        """Numbers of the nodes on which the outputs depend, each behind those that it needs at its own order.

        Returns
        -------
        list of int
        """
        found, stack = set(), list(self.outputs)
        while stack:
            a = stack.pop()
            if a not in found:
                found.add(a)
                stack += self.inputs(a)
        return sorted(found)

    def inputs(self, a):
        """Numbers of the nodes that a node takes."""
        operation, *arguments = self.nodes[a]
        if operation in ("constant", "parameter", "time", "state"):
            return []
        return arguments[1:] if operation in ("pair", "ratio", "like") else arguments
