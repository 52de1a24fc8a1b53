"""exp and its relatives."""

import numpy as np

from ._core import LN2, LN2_HI, LN2_LO, LOG2_E, ROUND, elementary, half_powers, power_of_two

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

# tanh(r) = r + r**3 q(r**2) for |r| <= log(2) / 4: q by Remez exchange, relative error of tanh 4.9e-18
_T0 = -0.3333333333333249
_T1 = 0.1333333333278375
_T2 = -0.05396825278201423
_T3 = 0.021869370714668865
_T4 = -0.008857308770078943
_T5 = 0.0034448378059086676

# sinh(x) = x + x**3 times this in x**2 for |x| <= 1: the Taylor series, whose first term left out is 2e-17
_SINH = (1 / 6, 1 / 120, 1 / 5040, 1 / 362880, 1 / 39916800, 1 / 6227020800, 1 / 1307674368000, 1 / 355687428096000)


@elementary
def reduce_exp(x):
    """x = n log(2) + r + rest: returns r, rest and the number whose low bits are n."""
    shifted = x * LOG2_E + ROUND
    n = shifted - ROUND
    exact = x - n * LN2_HI
    r = exact - n * LN2_LO
    return r, (exact - r) - n * LN2_LO, shifted


@elementary
def _beyond_first_order(r):
    """expm1(r) - r."""
    q = _Q4 + r * (_Q5 + r * (_Q6 + r * (_Q7 + r * _Q8)))
    q = _Q0 + r * (_Q1 + r * (_Q2 + r * (_Q3 + r * q)))
    return r * r * (0.5 + r * q)


@elementary
def exp_sum(x):
    """exp(x) = (a + rest) * 2**n for abs(x) < 2**30: returns a, rest and the number whose low bits are n."""
    r, low, shifted = reduce_exp(x)
    one_r = 1.0 + r
    lost = r - (one_r - 1.0)
    more = _beyond_first_order(r) + (lost + low * one_r)
    a = one_r + more
    return a, more - (a - one_r), shifted


@elementary
def exp_parts(x):
    """exp(x) = (a + rest) * b, where a is a normal number and b a power of two (both halves of the exponent are in range)."""
    x = 710.0 if x > 710.0 else x
    x = -800.0 if x < -800.0 else x
    a, rest, shifted = exp_sum(x)
    scale, b = half_powers(shifted)
    return a * scale, rest * scale, b


@elementary
def exp(x):
    """Exponential function.

    Parameters
    ----------
    x : float

    Returns
    -------
    float

    Examples
    --------
    >>> import odekit
    >>> odekit.vmath.exp(0.0)
    1.0
    """
    a, _rest, b = exp_parts(x)
    return a * b


@elementary
def _half_expm1(x):
    """(exp(x) - 1) / 2 for -50 <= x <= 710 as a rounded sum and what it lost."""
    r, low, shifted = reduce_exp(x)
    scale = power_of_two(shifted, -1)
    more = _beyond_first_order(r)
    p = r + more
    p_lost = (more - (p - r)) + low
    whole = scale - 0.5
    e = scale * p + whole
    return e, (scale * p - (e - whole)) + scale * p_lost


@elementary
def expm1(x):
    """exp(x) - 1, accurate near 0.

    Parameters
    ----------
    x : float

    Returns
    -------
    float

    Examples
    --------
    >>> import odekit
    >>> odekit.vmath.expm1(1e-20)
    1e-20
    """
    tiny = abs(x) < 1e-300  # r**2 / 2 would still be exact; this keeps the sign of zero
    y = 710.0 if x > 710.0 else x
    y = -50.0 if y < -50.0 else y
    e, lost = _half_expm1(y)
    return x if tiny else 2.0 * (e + lost)


@elementary
def tanh(x):
    """Hyperbolic tangent.

    Parameters
    ----------
    x : float

    Returns
    -------
    float

    Examples
    --------
    >>> import odekit
    >>> odekit.vmath.tanh(0.0)
    0.0
    """
    a = 2.0 * abs(x)
    a = 40.0 if a > 40.0 else a  # tanh(20) rounds to 1
    e, lost = _half_expm1(a)
    denominator = e + 1.0
    quotient = e / denominator
    # what the rounded sums lost, times the derivative of e / (e + 1), which is (1 - quotient) / denominator
    lost_below = (1.0 - (denominator - e)) if e > 1.0 else (e - (denominator - 1.0))
    correction = (lost - quotient * (lost + lost_below)) * (1.0 - quotient)
    return np.copysign(quotient + correction, x)


@elementary
def _exp_and_inverse(a):
    """exp(a) / 2 as a rounded sum and its rest, and exp(-a) / 2, for 0 <= a <= 710."""
    high, low, shifted = exp_sum(a)
    scale = power_of_two(shifted, -2)  # twice: exp(710) / 2 is a number, 2**1024 is not
    high, low = 2.0 * (high * scale), 2.0 * (low * scale)
    return high, low, 0.25 / high


@elementary
def fast_tanh(x):
    """Hyperbolic tangent within 2.6 ulp (3.6 where products and sums are not fused)."""
    a = abs(x)
    a = 20.0 if a > 20.0 else a  # tanh(20) rounds to 1
    shifted = a * (2.0 * LOG2_E) + ROUND
    scale = power_of_two(shifted, 0)
    # a = n log(2) / 2 + r; the digits that log(2) lacks count less the larger n is, because tanh grows less there
    r = a - (shifted - ROUND) * (0.5 * LN2)
    z = r * r
    q = (_T0 + z * _T1) + z * z * (
        (_T2 + z * _T3) + z * z * (_T4 + z * _T5)
    )  # in two halves: fewer wait for each other
    t = r + r * z * q
    # exp(2 r) = (1 + t) / (1 - t), and so with 2**n as well; below and above are exact
    below, above = scale - 1.0, scale + 1.0
    return np.copysign((below + above * t) / (above + below * t), x)


@elementary
def sinh(x):
    """Hyperbolic sine.

    Parameters
    ----------
    x : float

    Returns
    -------
    float

    Examples
    --------
    >>> import odekit
    >>> odekit.vmath.sinh(0.0)
    0.0
    """
    a = abs(x)
    clamped = 711.0 if a > 711.0 else a
    high, low, inverse = _exp_and_inverse(clamped)
    large = high + (low - inverse)
    z = a * a
    series = _SINH[4] + z * (_SINH[5] + z * (_SINH[6] + z * _SINH[7]))
    small = a + a * z * (_SINH[0] + z * (_SINH[1] + z * (_SINH[2] + z * (_SINH[3] + z * series))))
    return np.copysign(small if a < 1.0 else large, x)


@elementary
def cosh(x):
    """Hyperbolic cosine.

    Parameters
    ----------
    x : float

    Returns
    -------
    float

    Examples
    --------
    >>> import odekit
    >>> odekit.vmath.cosh(0.0)
    1.0
    """
    a = abs(x)
    high, low, inverse = _exp_and_inverse(711.0 if a > 711.0 else a)
    return high + (low + inverse)
