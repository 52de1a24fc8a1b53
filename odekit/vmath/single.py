"""What networks in single precision use: the recipes of this package with shorter polynomials, and twice the lanes.

Every function takes and returns float32 numbers and is within 3 units in their last place, but that `exp` and `sigmoid` do not go
below 1e-38. Coefficients: S. L. Moshier, Cephes mathematical library, single precision (expf.c, logf.c, sinf.c).
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .. import _jit
from ._core import elementary

_number = np.float32
_ONE, _TWO, _HALF = _number(1.0), _number(2.0), _number(0.5)
_ROUND = _number(12582912.0)  # 1.5 * 2**23
_LOG2_E = _number(1.44269504088896341)
_LN2_HI, _LN2_LO = _number(0.693359375), _number(-2.12194440e-4)
_LARGEST, _SMALLEST = _number(88.0), _number(-87.0)  # 2**n and its product with exp(r) are then normal numbers
_EXP = tuple(
    map(_number, (5.0000001201e-1, 1.6666665459e-1, 4.1665795894e-2, 8.3334519073e-3, 1.3981999507e-3, 1.9875691500e-4))
)
_E0, _E1, _E2, _E3, _E4, _E5 = _EXP
_LOG = (
    3.3333331174e-1, -2.4999993993e-1, 2.0000714765e-1, -1.6668057665e-1, 1.4249322787e-1, -1.2420140846e-1, 1.1676998740e-1,
    -1.1514610310e-1, 7.0376836292e-2,
)  # fmt: skip
_L0, _L1, _L2, _L3, _L4, _L5, _L6, _L7, _L8 = map(_number, _LOG)
_SQRT2_1 = _number(0.41421356237309503)
_TWO_OVER_PI = _number(0.6366197723675814)
_HALF_PI_1, _HALF_PI_2, _HALF_PI_3 = _number(1.5703125), _number(4.837512969970703125e-4), _number(7.549789948768648e-8)
_S1, _S2, _S3 = _number(-1.6666654611e-1), _number(8.3321608736e-3), _number(-1.9515295891e-4)
_C1, _C2, _C3 = _number(4.166664568298827e-2), _number(-1.388731625493765e-3), _number(2.443315711809948e-5)
#: Largest angle whose reduction is exact enough.
ANGLE_LIMIT = _number(8192.0)


@intrinsic
def _power_of_two(typingctx, shifted):
    def codegen(context, builder, signature, args):
        word = ir.IntType(32)
        n = builder.add(builder.bitcast(args[0], word), ir.Constant(word, 127))
        return builder.bitcast(builder.shl(n, ir.Constant(word, 23)), ir.FloatType())

    return types.float32(types.float32), codegen


@intrinsic
def _low_bits(typingctx, shifted):
    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.IntType(32))

    return types.int32(types.float32), codegen


if _jit.JIT_DISABLED:

    def power_of_two(shifted):
        """2**n for the n in the low bits of `shifted`."""
        return ((shifted.view(np.int32).astype(np.int64) + 127) << 23).astype(np.int32).view(np.float32)

    def low_bits(shifted):
        """The bits of a number as an integer."""
        return int(shifted.view(np.int32))

else:
    power_of_two, low_bits = _power_of_two, _low_bits


@elementary
def _reduced(x):
    """expm1(r) and 2**n where x = n log(2) + r."""
    shifted = x * _LOG2_E + _ROUND
    n = shifted - _ROUND
    r = (x - n * _LN2_HI) - n * _LN2_LO
    series = _E0 + r * (_E1 + r * (_E2 + r * (_E3 + r * (_E4 + r * _E5))))
    return r + r * r * series, power_of_two(shifted)


@elementary
def exp(x):
    """Exponential function between exp(-87) and exp(88)."""
    y = _LARGEST if x > _LARGEST else x
    y = _SMALLEST if y < _SMALLEST else y
    a, scale = _reduced(y)
    return scale + scale * a


@elementary
def expm1(x):
    """exp(x) - 1 below exp(88), accurate near 0."""
    y = _LARGEST if x > _LARGEST else x
    y = _SMALLEST if y < _SMALLEST else y
    a, scale = _reduced(y)
    return scale * a + (scale - _ONE)


@elementary
def tanh(x):
    """Hyperbolic tangent."""
    e = expm1(_TWO * abs(x))
    return np.copysign(e / (e + _TWO), x)


@elementary
def sigmoid(x):
    """1 / (1 + exp(-x))."""
    e = exp(-abs(x))
    return (e if x < _number(0.0) else _ONE) / (_ONE + e)


@elementary
def silu(x):
    """x / (1 + exp(-x))."""
    return x * sigmoid(x)


@elementary
def softplus(x):
    """log(1 + exp(x))."""
    u = exp(-abs(x))  # log(1 + u), with one power of two taken out above sqrt(2) - 1
    large = u > _SQRT2_1
    f = _HALF * (u - _ONE) if large else u
    k = _ONE if large else _number(0.0)
    series = _L4 + f * (_L5 + f * (_L6 + f * (_L7 + f * _L8)))
    series = _L0 + f * (_L1 + f * (_L2 + f * (_L3 + f * series)))
    square = f * f
    log1p_u = k * _LN2_HI + (f - (_HALF * square - (f * square * series + k * _LN2_LO)))
    return (x if x > _number(0.0) else _number(0.0)) + log1p_u


@elementary
def _sin_cos(x):
    """Sine and cosine of the reduced angle, and the number whose low bits count the quarter turns."""
    shifted = x * _TWO_OVER_PI + _ROUND
    k = shifted - _ROUND
    r = ((x - k * _HALF_PI_1) - k * _HALF_PI_2) - k * _HALF_PI_3
    z = r * r
    s = r + r * z * (_S1 + z * (_S2 + z * _S3))
    c = _ONE - _HALF * z + z * z * (_C1 + z * (_C2 + z * _C3))
    return s, c, low_bits(shifted)


@elementary
def sin(x):
    """Sine of an angle up to `ANGLE_LIMIT`."""
    s, c, k = _sin_cos(x)
    value = c if k & 1 else s
    return -value if k & 2 else value


@elementary
def cos(x):
    """Cosine of an angle up to `ANGLE_LIMIT`."""
    s, c, k = _sin_cos(x)
    value = s if k & 1 else c
    return -value if (k + 1) & 2 else value
