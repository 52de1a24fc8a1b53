"""log, log1p, and the logarithm to more than double precision that `pow` needs."""

import numpy as np

from ._core import LN2_HI, LN2_LO, ROUND, SMALLEST_NORMAL, bits, elementary, fma, from_bits, two_sum

# log(1 + f) with s = f / (2 + f): s * (2 f / s - f**2 + R(s**2)), error below 2**-58.45 (fdlibm, e_log.c)
_L1 = 6.666666666666735130e-01
_L2 = 3.999999999940941908e-01
_L3 = 2.857142874366239149e-01
_L4 = 2.222219843214978396e-01
_L5 = 1.818357216161805012e-01
_L6 = 1.531383769920937332e-01
_L7 = 1.479819860511658591e-01
SQRT2 = 1.4142135623730951
_TWO54 = 18014398509481984.0
#: What a double leaves of 2/3, the second coefficient of ``log(1 + f) = 2 s + 2/3 s**3 + 2/5 s**5 + ...``.
_TWO_THIRDS, _TWO_THIRDS_LO = 2 / 3, 3.700743415417188e-17
# 2 / 5, 2 / 7, ..., the following ones; z = s**2 <= 0.0295: the first term left out is 4e-22 of the sum
_R2, _R3, _R4, _R5, _R6, _R7, _R8, _R9, _R10, _R11, _R12 = (2 / (2 * j + 1) for j in range(2, 13))
#: Rest of ``log(2) - LN2_HI - LN2_LO``.
_LN2_REST = 5.497923018708371e-27


@elementary
def log_series(z):
    """``R(z)`` above."""
    even = z * z
    return z * (_L1 + even * (_L3 + even * (_L5 + even * _L7))) + even * (_L2 + even * (_L4 + even * _L6))


@elementary
def _split(x):
    """x = 2**k (1 + f) with sqrt(1/2) <= 1 + f < sqrt(2), for a normal x: returns k and f."""
    # by adding the bits of 1 - sqrt(1/2) before the exponent is cut off
    shifted = bits(x) + (0x3FF0000000000000 - 0x3FE6A09E667F3BCD)
    k = from_bits(((shifted >> 52) - 1023) + 0x4338000000000000) - ROUND
    return k, from_bits((shifted & 0x000FFFFFFFFFFFFF) + 0x3FE6A09E667F3BCD) - 1.0


@elementary
def _log_normal(x, correction, exponent):
    """log(x) + exponent log(2) + correction for a normal x."""
    k, f = _split(x)
    k += exponent
    s = f / (2.0 + f)
    half_square = 0.5 * f * f
    tail = s * (half_square + log_series(s * s)) + (k * LN2_LO + correction)
    return k * LN2_HI - ((half_square - tail) - f)


@elementary
def log(x):
    """Natural logarithm; NaN below 0, -inf at 0.

    Parameters
    ----------
    x : float

    Returns
    -------
    float

    Examples
    --------
    >>> import odekit
    >>> odekit.vmath.log(1.0)
    0.0
    """
    subnormal = x < SMALLEST_NORMAL
    value = _log_normal(x * _TWO54 if subnormal else x, 0.0, -54.0 if subnormal else 0.0)
    value = value if x < np.inf else x
    value = -np.inf if x == 0.0 else value
    return np.nan if x < 0.0 else value


@elementary
def log1p(x):
    """log(1 + x), accurate near 0.

    Parameters
    ----------
    x : float

    Returns
    -------
    float

    Examples
    --------
    >>> import odekit
    >>> odekit.vmath.log1p(1e-20)
    1e-20
    """
    u = 1.0 + x
    lost = x - (u - 1.0) if u < 2.0 else 1.0 - (u - x)  # what the sum rounded away
    value = _log_normal(u, lost / u, 0.0)
    value = value if x < np.inf and abs(x) > 1e-300 else x
    value = -np.inf if x == -1.0 else value
    return np.nan if x < -1.0 else value


@elementary
def log_sum(x):
    """log(x) for finite x > 0 as a sum of two numbers, to about 2**-65 of its size."""
    subnormal = x < SMALLEST_NORMAL
    k, f = _split(x * _TWO54 if subnormal else x)
    k -= 54.0 if subnormal else 0.0
    # s = f / (2 + f) and z = s**2 as sums of two
    below = 2.0 + f
    below_lost = f - (below - 2.0)
    s = f / below
    s_lost = (fma(-s, below, f) - s * below_lost) / below
    z = s * s
    z_lost = fma(s, s, -z) + 2.0 * s * s_lost
    # 2/3 s**3: the factor z c1 has to be a sum of two as well, the rest of the series is small enough for one number
    rest = _R8 + z * (_R9 + z * (_R10 + z * (_R11 + z * _R12)))
    rest = z * z * (_R2 + z * (_R3 + z * (_R4 + z * (_R5 + z * (_R6 + z * (_R7 + z * rest))))))
    cubic = z * _TWO_THIRDS
    cubic_lost = fma(z, _TWO_THIRDS, -cubic) + (z_lost * _TWO_THIRDS + z * _TWO_THIRDS_LO)
    factor, factor_lost = two_sum(cubic, rest)
    factor_lost += cubic_lost
    more = s * factor
    more_lost = fma(s, factor, -more) + (s * factor_lost + s_lost * factor)
    high, lost = two_sum(2.0 * s, more)
    low = lost + (more_lost + 2.0 * s_lost)
    whole, whole_lost = two_sum(k * LN2_HI, k * LN2_LO)
    whole_lost += fma(k, LN2_LO, -(k * LN2_LO)) + k * _LN2_REST
    total, lost = two_sum(whole, high)
    low += lost + whole_lost
    value = total + low
    return value, low - (value - total)
