"""sin, cos and tan of angles up to `ANGLE_LIMIT`, in radians."""

import numpy as np

from ._core import ROUND, bits, elementary, fma, two_difference

#: Largest angle whose reduction is exact enough; NaN beyond, where neighbouring numbers are 0.004 rad apart.
ANGLE_LIMIT = 2.0**45

# pi / 2 in three parts of 53 bits. For k up to 2**51 the difference x - k HALF_PI_1 is a multiple of 2**-52 below 1, so that
# a fused multiply-add leaves it exact.
_HALF_PI_1 = 1.5707963267948966
_HALF_PI_2 = 6.123233995736766e-17
_HALF_PI_3 = -1.4973849048591833e-33
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


@elementary
def _reduce_angle(x):
    """x = k pi/2 + r + tail: returns r, tail and the number whose low bits are k."""
    shifted = x * _TWO_OVER_PI + ROUND
    k = shifted - ROUND
    a = fma(-k, _HALF_PI_1, x)
    product = k * _HALF_PI_2
    c, lost = two_difference(a, product)
    low = (lost - fma(k, _HALF_PI_2, -product)) - k * _HALF_PI_3
    r = c + low
    return r, (c - r) + low, shifted


@elementary
def _sin_reduced(r, tail):
    """sin(r + tail) - r."""
    z = r * r
    series = _S2 + z * (_S3 + z * (_S4 + z * (_S5 + z * _S6)))
    return z * r * _S1 - (z * (0.5 * tail - z * r * series) - tail)


@elementary
def _cos_reduced(r, tail):
    """cos(r + tail) as a rounded sum of two numbers."""
    z = r * r
    series = z * (_C1 + z * (_C2 + z * (_C3 + z * (_C4 + z * (_C5 + z * _C6)))))
    half = 0.5 * z
    w = 1.0 - half
    return w, ((1.0 - w) - half) + (z * series - r * tail)


@elementary
def _sin_of_quadrant(x, extra):
    r, tail, shifted = _reduce_angle(x)
    quadrant = bits(shifted) + extra
    c, c_lost = _cos_reduced(r, tail)
    value = c + c_lost if quadrant & 1 else r + _sin_reduced(r, tail)
    value = -value if quadrant & 2 else value
    return np.nan if abs(x) > ANGLE_LIMIT else value


@elementary
def sin(x):
    """Sine of an angle up to `ANGLE_LIMIT` in magnitude; NaN beyond."""
    return x if abs(x) < 1e-160 else _sin_of_quadrant(x, 0)  # sin(-0) = -0


@elementary
def cos(x):
    """Cosine of an angle up to `ANGLE_LIMIT` in magnitude; NaN beyond."""
    return _sin_of_quadrant(x, 1)


@elementary
def tan(x):
    """Tangent of an angle up to `ANGLE_LIMIT` in magnitude; NaN beyond."""
    r, tail, shifted = _reduce_angle(x)
    s_more = _sin_reduced(r, tail)
    s = r + s_more
    s_lost = s_more - (s - r)
    c, c_more = _cos_reduced(r, tail)
    c_lost = c_more + (c - (c + c_more))
    c = c + c_more
    odd = bits(shifted) & 1
    above, above_lost = (-c, -c_lost) if odd else (s, s_lost)
    below, below_lost = (s, s_lost) if odd else (c, c_lost)
    quotient = above / below
    value = quotient + (fma(-quotient, below, above) + above_lost - quotient * below_lost) / below
    value = np.nan if abs(x) > ANGLE_LIMIT else value
    return x if abs(x) < 1e-160 else value
