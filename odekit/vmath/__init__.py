"""Elementary functions that LLVM vectorises where they are called in a loop.

Call them from compiled code, one number at a time, inside a loop over an array::

    @numba.njit
    def squash(x):
        for i in range(x.size):
            x[i] = vmath.tanh(x[i])

Each is within 2 units in the last place of the true value over the whole range (relative accuracy near 0 included), and
NaN, infinities, signed zeros and subnormal results are those of the C library. The recipe is always the same: clamp, reduce
the argument with constants split in two or more parts (Cody and Waite, Software Manual for the Elementary Functions, 1980),
evaluate a polynomial, put the exponent back by integer arithmetic on the bits; no branches and no library calls.

`sin`, `cos` and `tan` reduce the angle exactly up to ``|x| <= ANGLE_LIMIT`` (3.5e13) and are NaN beyond.
"""

# Clamps are conditional expressions: whether min and max keep NaN depends on the order of their arguments.

from .activation import sigmoid, silu, softplus
from .exponential import cosh, exp, expm1, sinh, tanh
from .inverse_trigonometric import acos, asin, atan, atan2
from .logarithm import log, log1p
from .power import pow
from .trigonometric import ANGLE_LIMIT, cos, sin, tan

__all__ = [
    "ANGLE_LIMIT", "acos", "asin", "atan", "atan2", "cos", "cosh", "exp", "expm1", "log", "log1p", "pow", "sigmoid", "silu",
    "sin", "sinh", "softplus", "tan", "tanh",
]  # fmt: skip
