"""Elementary functions without branches and without library calls, so that LLVM vectorises the loops that call them.

Call them from compiled code, one number at a time, inside a loop over an array::

    @numba.njit
    def squash(x):
        for i in range(x.size):
            x[i] = vmath.tanh(x[i])

Each is within 4 units in the last place of the true value (most within 2; relative accuracy near 0 included), and
NaN, infinities, signed zeros and subnormal results are those of the C library. The recipe is always the same: clamp, reduce
the argument with constants split in two or more parts (Cody and Waite, Software Manual for the Elementary Functions, 1980),
evaluate a polynomial, put the exponent back by integer arithmetic on the bits.

`sin` and `cos` reduce exactly up to ``|x| <= ANGLE_LIMIT`` and are NaN beyond.
"""

# Clamps are conditional expressions: whether min and max keep NaN depends on the order of their arguments.

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from . import _jit

#: Largest angle that `sin` and `cos` reduce; NaN beyond.
ANGLE_LIMIT = 1e6

# Only contraction: a reciprocal in place of a division would cost an ulp, and signed zeros matter here.
_elementary = njit(**{**_jit.KERNEL_OPTIONS, "fastmath": {"contract"}, "forceinline": True})

_LN2_HI = 6.93147180369123816490e-01  # log(2) rounded to 32 bits: n * _LN2_HI is exact (fdlibm, e_exp.c)
_LN2_LO = 1.90821492927058770002e-10
_LOG2_E = 1.4426950408889634
_ROUND = 6755399441055744.0  # 1.5 * 2**52: adding it rounds to an integer, which the low bits then hold

# expm1(r) = r + r**2 / 2 + r**3 q(r) for |r| <= log(2) / 2: q by Remez exchange, relative error of expm1 2.4e-17
_Q0 = 0.16666666666666602
_Q1 = 0.04166666666662001
_Q2 = 0.008333333333388444
_Q3 = 0.001388888892049833
_Q4 = 0.00019841269709188557
_Q5 = 2.480151636225377e-05
_Q6 = 2.7557425223509436e-06
_Q7 = 2.762222102486294e-07
_Q8 = 2.504585332001864e-08

# log(1 + f) with s = f / (2 + f): s * (2 f / s - f**2 + R(s**2)), error below 2**-58.45 (fdlibm, e_log.c)
_L1 = 6.666666666666735130e-01
_L2 = 3.999999999940941908e-01
_L3 = 2.857142874366239149e-01
_L4 = 2.222219843214978396e-01
_L5 = 1.818357216161805012e-01
_L6 = 1.531383769920937332e-01
_L7 = 1.479819860511658591e-01
_SQRT2 = 1.4142135623730951
_TWO54 = 18014398509481984.0
_SMALLEST_NORMAL = 2.2250738585072014e-308

# pi / 2 in three parts of 33 bits (so that up to 20 bits of quadrant multiply exactly) and a rest
_HALF_PI_1 = 1.5707963267341256
_HALF_PI_2 = 6.077100506303966e-11
_HALF_PI_3 = 2.0222662487111665e-21
_HALF_PI_4 = 8.4784276603689e-32
_TWO_OVER_PI = 0.6366197723675814
# sin and cos on [-pi/4, pi/4] (fdlibm, k_sin.c and k_cos.c)
_S1 = -1.66666666666666324348e-01
_S2 = 8.33333333332248946124e-03
_S3 = -1.98412698298579493134e-04
_S4 = 2.75573137070700676789e-06
_S5 = -2.50507602534068634195e-08
_S6 = 1.58969099521155010221e-10
_C1 = 4.16666666666666019037e-02
_C2 = -1.38888888888741095749e-03
_C3 = 2.48015872894767294178e-05
_C4 = -2.75573143513906633035e-07
_C5 = 2.08757232129817482790e-09
_C6 = -1.13596475577881948265e-11


@intrinsic
def _bits_of(typingctx, x):
    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), codegen


@intrinsic
def _float_of(typingctx, bits):
    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), codegen


if _jit.JIT_DISABLED:

    def _bits(x):
        return np.float64(x).view(np.int64)

    def _float(bits):
        return np.int64(bits).view(np.float64)

else:
    _bits, _float = _bits_of, _float_of


@_elementary
def _reduce_exp(x):
    """x = n log(2) + r: returns r and the number whose low bits are n."""
    shifted = x * _LOG2_E + _ROUND
    n = shifted - _ROUND
    return (x - n * _LN2_HI) - n * _LN2_LO, shifted


@_elementary
def _expm1_reduced(r):
    q = _Q4 + r * (_Q5 + r * (_Q6 + r * (_Q7 + r * _Q8)))
    q = _Q0 + r * (_Q1 + r * (_Q2 + r * (_Q3 + r * q)))
    return r + r * r * (0.5 + r * q)


@_elementary
def _power_of_two(shifted, offset):
    """2**(n + offset) for a result that is a normal number."""
    return _float((_bits(shifted) + (1023 + offset)) << 52)


@_elementary
def _exp_parts(x):
    """exp(x) = a * b, where a is a normal number; b is a power of two (both halves of the exponent are in range)."""
    x = 710.0 if x > 710.0 else x
    x = -800.0 if x < -800.0 else x
    r, shifted = _reduce_exp(x)
    half = (shifted - _ROUND) * 0.5 + _ROUND
    rest = ((shifted - _ROUND) - (half - _ROUND)) + _ROUND
    return (1.0 + _expm1_reduced(r)) * _power_of_two(half, 0), _power_of_two(rest, 0)


@_elementary
def exp(x):
    """Exponential function."""
    a, b = _exp_parts(x)
    return a * b


@_elementary
def expm1(x):
    """exp(x) - 1, accurate near 0."""
    tiny = abs(x) < 1e-300  # r**2 / 2 would still be exact; this keeps the sign of zero
    y = 710.0 if x > 710.0 else x
    y = -50.0 if y < -50.0 else y
    r, shifted = _reduce_exp(y)
    scale = _power_of_two(shifted, -1)
    value = 2.0 * (scale * _expm1_reduced(r) + (scale - 0.5))
    return x if tiny else value


@_elementary
def tanh(x):
    """Hyperbolic tangent."""
    a = 2.0 * abs(x)
    a = 40.0 if a > 40.0 else a  # tanh(20) rounds to 1
    r, shifted = _reduce_exp(a)
    scale = _power_of_two(shifted, 0)
    e = scale * _expm1_reduced(r) + (scale - 1.0)  # expm1(2 |x|)
    return np.copysign(e / (e + 2.0), x)


@_elementary
def sigmoid(x):
    """1 / (1 + exp(-x))."""
    a, b = _exp_parts(-abs(x))
    denominator = 1.0 + a * b
    return (a / denominator) * b if x < 0.0 else 1.0 / denominator


@_elementary
def silu(x):
    """x / (1 + exp(-x))."""
    a, b = _exp_parts(-abs(x))
    denominator = 1.0 + a * b
    y = -800.0 if x < -800.0 else x  # -inf * 0
    return (y * a / denominator) * b if x < 0.0 else x / denominator


@_elementary
def softplus(x):
    """log(1 + exp(x))."""
    u = exp(-abs(x))  # log1p(u), 0 <= u <= 1, with one power of two taken out above sqrt(2) - 1
    large = u > _SQRT2 - 1.0
    f = 0.5 * (u - 1.0) if large else u
    k = 1.0 if large else 0.0
    s = f / (2.0 + f)
    half_square = 0.5 * f * f
    tail = s * (half_square + _log_series(s * s)) + k * _LN2_LO
    log1p_u = k * _LN2_HI - ((half_square - tail) - f)
    return (x if x > 0.0 else 0.0) + log1p_u


@_elementary
def _log_series(z):
    even = z * z
    return z * (_L1 + even * (_L3 + even * (_L5 + even * _L7))) + even * (_L2 + even * (_L4 + even * _L6))


@_elementary
def _log_normal(x, correction, exponent):
    """log(x) + exponent log(2) + correction for a normal x."""
    bits = _bits(x)
    # 2**k sqrt(1/2) <= x < 2**k sqrt(2), by adding the bits of 1 - sqrt(1/2) before the exponent is cut off
    shifted = bits + (0x3FF0000000000000 - 0x3FE6A09E667F3BCD)
    k = _float(((shifted >> 52) - 1023) + 0x4338000000000000) - _ROUND + exponent
    f = _float((shifted & 0x000FFFFFFFFFFFFF) + 0x3FE6A09E667F3BCD) - 1.0
    s = f / (2.0 + f)
    half_square = 0.5 * f * f
    tail = s * (half_square + _log_series(s * s)) + (k * _LN2_LO + correction)
    return k * _LN2_HI - ((half_square - tail) - f)


@_elementary
def log(x):
    """Natural logarithm; NaN below 0, -inf at 0."""
    subnormal = x < _SMALLEST_NORMAL
    value = _log_normal(x * _TWO54 if subnormal else x, 0.0, -54.0 if subnormal else 0.0)
    value = value if x < np.inf else x
    value = -np.inf if x == 0.0 else value
    return np.nan if x < 0.0 else value


@_elementary
def log1p(x):
    """log(1 + x), accurate near 0."""
    u = 1.0 + x
    lost = x - (u - 1.0) if u < 2.0 else 1.0 - (u - x)  # what the sum rounded away
    value = _log_normal(u, lost / u, 0.0)
    value = value if x < np.inf and abs(x) > 1e-300 else x
    value = -np.inf if x == -1.0 else value
    return np.nan if x < -1.0 else value


@_elementary
def _two_difference(a, b):
    """a - b as a rounded difference and its exact error (Knuth)."""
    d = a - b
    back = d - a
    return d, (a - (d - back)) - (b + back)


@_elementary
def _reduce_angle(x):
    """x = k pi/2 + r + tail: returns r, tail and the number whose low bits are k."""
    shifted = x * _TWO_OVER_PI + _ROUND
    k = shifted - _ROUND
    a, a_lost = _two_difference(x, k * _HALF_PI_1)
    b, b_lost = _two_difference(a, k * _HALF_PI_2)
    c, c_lost = _two_difference(b, k * _HALF_PI_3)
    low = ((a_lost + b_lost) + c_lost) - k * _HALF_PI_4
    r = c + low
    return r, (c - r) + low, shifted


@_elementary
def _sin_reduced(r, tail):
    z = r * r
    series = _S2 + z * (_S3 + z * (_S4 + z * (_S5 + z * _S6)))
    return r - ((z * (0.5 * tail - z * r * series) - tail) - z * r * _S1)


@_elementary
def _cos_reduced(r, tail):
    z = r * r
    series = z * (_C1 + z * (_C2 + z * (_C3 + z * (_C4 + z * (_C5 + z * _C6)))))
    half = 0.5 * z
    w = 1.0 - half
    return w + (((1.0 - w) - half) + (z * series - r * tail))


@_elementary
def _sin_of_quadrant(x, extra):
    r, tail, shifted = _reduce_angle(x)
    quadrant = _bits(shifted) + extra
    value = _cos_reduced(r, tail) if quadrant & 1 else _sin_reduced(r, tail)
    value = -value if quadrant & 2 else value
    return np.nan if abs(x) > ANGLE_LIMIT else value


@_elementary
def sin(x):
    """Sine of an angle up to `ANGLE_LIMIT` in magnitude; NaN beyond."""
    return x if abs(x) < 1e-160 else _sin_of_quadrant(x, 0)  # sin(-0) = -0


@_elementary
def cos(x):
    """Cosine of an angle up to `ANGLE_LIMIT` in magnitude; NaN beyond."""
    return _sin_of_quadrant(x, 1)
