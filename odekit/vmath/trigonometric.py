"""sin, cos and tan of angles up to `ANGLE_LIMIT`, in radians."""

import numpy as np

from ._core import ROUND, bits, elementary, fma, from_bits, two_difference

#: Largest angle whose reduction is exact enough; NaN beyond, where neighbouring numbers are 0.004 rad apart.
ANGLE_LIMIT = 2.0**45

# pi / 2 in three parts of 53 bits. For k up to 2**51 the difference x - k HALF_PI_1 is a multiple of 2**-52 below 1, so that
# a fused multiply-add leaves it exact.
_HALF_PI_1 = 1.5707963267948966
_HALF_PI_2 = 6.123233995736766e-17
_HALF_PI_3 = -1.4973849048591833e-33
_TWO_OVER_PI = 0.6366197723675814
# The same of pi, for which differences are multiples of 2**-52 below 2.
_PI_1, _PI_2, _PI_3 = 2.0 * _HALF_PI_1, 2.0 * _HALF_PI_2, 2.0 * _HALF_PI_3
_ONE_OVER_PI = 0.5 * _TWO_OVER_PI
# sin on [-pi/2, pi/2] to 1e-17 of its value, by odd powers (SLEEF, sleefdp.c, xsin)
_T3 = -0.166666666666666657414808
_T5 = 0.00833333333333332974823815
_T7 = -0.000198412698412696162806809
_T9 = 2.75573192239198747630416e-06
_T11 = -2.50521083763502045810755e-08
_T13 = 1.60590430605664501629054e-10
_T15 = -7.64712219118158833288484e-13
_T17 = 2.81009972710863200091251e-15
_T19 = -7.97255955009037868891952e-18
# for tan: sin and cos on [-pi/4, pi/4] (fdlibm, k_sin.c and k_cos.c)
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
def _sin_of_remainder(x, turns, shifted):
    """sin(x - turns pi), its sign changed where the integer in the low bits of `shifted` is odd.

    For arguments up to pi/2 in magnitude. Each fused multiply-add rounds its result once: the first is exact, and what remains is right to
    half an ulp though all leading digits cancel.
    """
    r = fma(-turns, _PI_3, fma(-turns, _PI_2, fma(-turns, _PI_1, x)))
    z = r * r
    w = z * z
    even = _T5 + w * (_T9 + w * (_T13 + w * _T17))
    odd = _T7 + w * (_T11 + w * (_T15 + w * _T19))
    value = r + (r * z) * (_T3 + z * (even + z * odd))  # the first coefficient last: one rounding of that size
    value = from_bits(bits(value) ^ (bits(shifted) << 63))
    return np.nan if abs(x) > ANGLE_LIMIT else value


@elementary
def sin(x):
    """Sine of an angle up to `ANGLE_LIMIT` in magnitude; NaN beyond.

    Parameters
    ----------
    x : float
        An angle, in radians.

    Returns
    -------
    float

    Examples
    --------
    >>> import odekit
    >>> odekit.vmath.sin(0.0)
    0.0
    """
    shifted = fma(x, _ONE_OVER_PI, ROUND)
    value = _sin_of_remainder(x, shifted - ROUND, shifted)
    return x if x == 0.0 else value  # sin(-0) = -0


@elementary
def cos(x):
    """Cosine of an angle up to `ANGLE_LIMIT` in magnitude; NaN beyond.

    Parameters
    ----------
    x : float
        An angle, in radians.

    Returns
    -------
    float

    Examples
    --------
    >>> import odekit
    >>> odekit.vmath.cos(0.0)
    1.0
    """
    shifted = fma(x, _ONE_OVER_PI, -0.5) + ROUND
    return -_sin_of_remainder(x, (shifted - ROUND) + 0.5, shifted)


@elementary
def tan(x):
    """Tangent of an angle up to `ANGLE_LIMIT` in magnitude; NaN beyond.

    Parameters
    ----------
    x : float
        An angle, in radians.

    Returns
    -------
    float

    Examples
    --------
    >>> import odekit
    >>> odekit.vmath.tan(0.0)
    0.0
    """
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
