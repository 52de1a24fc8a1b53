"""Dual numbers as Python objects, for functions that are not compiled; the rules are those of `odekit._dual_functions`.

NumPy's functions on objects call the method of the same name, which these numbers have.
"""

import math
import types

import numpy as np

from . import _jit
from ._dual_functions import ONE, OTHER_NAMES, source_of


class DualNumber:
    """A number with its derivative in one direction.

    Parameters
    ----------
    value, derivative : float or DualNumber
    """

    __slots__ = ("derivative", "value")

    def __init__(self, value, derivative):
        self.value, self.derivative = value, derivative

    def __add__(self, other):
        """Sum."""
        value, derivative = _parts(other)
        return DualNumber(self.value + value, self.derivative + derivative)

    def __sub__(self, other):
        """Difference."""
        return self + (-other)

    def __rsub__(self, other):
        """Difference."""
        return other + (-self)

    def __mul__(self, other):
        """Product."""
        value, derivative = _parts(other)
        return DualNumber(self.value * value, self.derivative * value + self.value * derivative)

    def __truediv__(self, other):
        """Quotient."""
        value, derivative = _parts(other)
        quotient = self.value / value
        return DualNumber(quotient, (self.derivative - quotient * derivative) / value)

    def __rtruediv__(self, other):
        """Quotient."""
        return self**-1 * other

    def __pow__(self, other):
        """Power, of which the exponent is a number or dual."""
        if isinstance(other, DualNumber):
            return np.exp(other * np.log(self))
        if other == 0:
            return DualNumber(self.value**0, 0.0 * self.derivative)
        return DualNumber(self.value**other, other * self.value ** (other - 1) * self.derivative)

    def __rpow__(self, other):
        """Power of a number."""
        return np.exp(self * math.log(other))

    def __neg__(self):
        """Negative."""
        return DualNumber(-self.value, -self.derivative)

    def __pos__(self):
        """The number itself."""
        return self

    __radd__, __rmul__ = __add__, __mul__


def _parts(other):
    return (other.value, other.derivative) if isinstance(other, DualNumber) else (other, 0.0)


def _method(rule):
    def method(self):
        value, slope = rule(self.value)
        return DualNumber(value, slope * self.derivative)

    return method


_NUMPY_NAMES = {other: name for name, other in OTHER_NAMES.items() if name.startswith("arc")}
_FUNCTIONS = {
    name: _NUMPY_NAMES.get(name, name) for name in ONE if hasattr(np, _NUMPY_NAMES.get(name, name)) and name != "abs"
}
_NAMESPACE = {
    "math": math, "np": np, "vmath": types.SimpleNamespace(**{name: getattr(np, known) for name, known in _FUNCTIONS.items()}),
}  # fmt: skip
for _name, _known in _FUNCTIONS.items():
    _source = source_of("rule", "x", *ONE[_name])
    setattr(DualNumber, _known, _method(_jit.exec_source(_source, "rule", dict(_NAMESPACE))))
