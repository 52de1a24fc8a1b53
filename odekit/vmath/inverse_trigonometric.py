"""asin, acos, atan and atan2, in radians."""

import numpy as np

from ._core import elementary, fma

_PI, _PI_LO = 3.141592653589793, 1.2246467991473532e-16
_HALF_PI, _HALF_PI_LO = 1.5707963267948966, 6.123233995736766e-17
_QUARTER_PI, _QUARTER_PI_LO = 0.7853981633974483, 3.061616997868383e-17
_TAN_EIGHTH_PI = 0.4142135623730951
_HUGE = 1e300

# (asin(x) - x) / x**3 for |x| < 1/2 as a quotient of polynomials in x**2 (fdlibm, e_asin.c)
_P0 = 1.66666666666666657415e-01
_P1 = -3.25565818622400915405e-01
_P2 = 2.01212532134862925881e-01
_P3 = -4.00555345006794114027e-02
_P4 = 7.91534994289814532176e-04
_P5 = 3.47933107596021167570e-05
_D1 = -2.40339491173441421878e00
_D2 = 2.02094576023350569471e00
_D3 = -6.88283971605453293030e-01
_D4 = 7.70381505559019352791e-02

# (x - atan(x)) / x for |x| < 7/16 as a polynomial in x**2 without constant term (fdlibm, s_atan.c)
_A0 = 3.33333333333329318027e-01
_A1 = -1.99999999998764832476e-01
_A2 = 1.42857142725034663711e-01
_A3 = -1.11111104054623557880e-01
_A4 = 9.09088713343650656196e-02
_A5 = -7.69187620504482999495e-02
_A6 = 6.66107313738753120669e-02
_A7 = -5.83357013379057348645e-02
_A8 = 4.97687799461593236017e-02
_A9 = -3.65315727442169155270e-02
_A10 = 1.62858201153657823623e-02


@elementary
def _asin_parts(x):
    """z, s = sqrt(z) and its rest, and (asin(s) - s) / s, where s is abs(x) below 1/2 and sin of half the complement above."""
    a = abs(x)
    small = a < 0.5
    z = a * a if small else 0.5 * (1.0 - a)
    s = a if small else np.sqrt(z if z >= 0.0 else np.nan)
    rest = 0.0 if small or s == 0.0 else fma(-s, s, z) / (2.0 * s)
    above = z * (_P0 + z * (_P1 + z * (_P2 + z * (_P3 + z * (_P4 + z * _P5)))))
    below = 1.0 + z * (_D1 + z * (_D2 + z * (_D3 + z * _D4)))
    return small, s, rest, above / below


@elementary
def asin(x):
    """Inverse sine; NaN outside [-1, 1].

    Parameters
    ----------
    x : float

    Returns
    -------
    float
        An angle, in radians.

    Examples
    --------
    >>> import odekit
    >>> odekit.vmath.asin(1.0)
    1.5707963267948966
    """
    small, s, rest, more = _asin_parts(x)
    twice = 2.0 * s
    reduced = _HALF_PI - twice
    large = reduced + (((_HALF_PI - reduced) - twice) + (_HALF_PI_LO - 2.0 * (s * more + rest)))
    return np.copysign(s + s * more if small else large, x)


@elementary
def acos(x):
    """Inverse cosine; NaN outside [-1, 1].

    Parameters
    ----------
    x : float

    Returns
    -------
    float
        An angle, in radians.

    Examples
    --------
    >>> import odekit
    >>> odekit.vmath.acos(1.0)
    0.0
    """
    small, s, rest, more = _asin_parts(x)
    signed = np.copysign(s, x)
    middle = _HALF_PI - (signed - (_HALF_PI_LO - signed * more))
    near_one = 2.0 * (s + (s * more + rest))
    near_minus_one = _PI - 2.0 * (s + ((s * more + rest) - 0.5 * _PI_LO))
    return middle if small else (near_one if x > 0.0 else near_minus_one)


@elementary
def _first_octant(below, above):
    """atan(above / below) for 0 <= above <= below, not both zero, as a sum of two numbers."""
    scale = 0.25 if below > _HUGE else 1.0
    above, below = above * scale, below * scale
    turned = above > _TAN_EIGHTH_PI * below
    top = above - below if turned else above
    bottom = above + below if turned else below
    t = top / bottom
    z = t * t
    even = z * z
    series = z * (_A0 + even * (_A2 + even * (_A4 + even * (_A6 + even * (_A8 + even * _A10)))))
    series += even * (_A1 + even * (_A3 + even * (_A5 + even * (_A7 + even * _A9))))
    start = _QUARTER_PI if turned else 0.0
    more = (_QUARTER_PI_LO if turned else 0.0) - t * series
    high = start + t
    return high, (t - (high - start)) + more


@elementary
def atan(x):
    """Inverse tangent.

    Parameters
    ----------
    x : float

    Returns
    -------
    float
        An angle, in radians.

    Examples
    --------
    >>> import odekit
    >>> odekit.vmath.atan(1.0)
    0.7853981633974483
    """
    a = abs(x)
    steep = a > 1.0
    high, low = _first_octant(a if steep else 1.0, 1.0 if steep else a)
    value = (_HALF_PI - high) + ((_HALF_PI - (_HALF_PI - high)) - high + (_HALF_PI_LO - low)) if steep else high + low
    value = _HALF_PI if a == np.inf else value
    return np.copysign(value, x)


@elementary
def atan2(y, x):
    """Angle of the point (x, y), in [-pi, pi], with the special values of C's ``atan2``.

    Parameters
    ----------
    y, x : float

    Returns
    -------
    float
        An angle, in radians.

    Examples
    --------
    >>> import odekit
    >>> odekit.vmath.atan2(1.0, 1.0)
    0.7853981633974483
    """
    a, b = abs(y), abs(x)
    infinite = a == np.inf and b == np.inf
    a, b = (1.0 if infinite else a), (1.0 if infinite else b)
    steep = a > b
    below = a if steep else b
    above = b if steep else a
    nowhere = below == 0.0
    below = 1.0 if nowhere else below
    high, low = _first_octant(below, above)
    start = _HALF_PI if steep else (_PI if np.signbit(x) else 0.0)
    start_low = _HALF_PI_LO if steep else (_PI_LO if np.signbit(x) else 0.0)
    sign = (1.0 if np.signbit(x) else -1.0) if steep else (-1.0 if np.signbit(x) else 1.0)
    high, low = sign * high, sign * low
    value = start + high
    value += (high - (value - start)) + (start_low + low) if start > 0.0 else low
    value = x + y if x != x or y != y else value
    return np.copysign(value, y)
