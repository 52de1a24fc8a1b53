"""Smooth functions that neural networks use."""

from ._core import LN2_HI, LN2_LO, elementary, fma
from .exponential import exp, exp_parts
from .logarithm import SQRT2, log_series


@elementary
def _logistic_parts(x):
    """1 + exp(-abs(x)), and exp(-abs(x)) over it as a sum of two numbers times a power of two."""
    a, rest, b = exp_parts(-abs(x))
    denominator = 1.0 + a * b
    lost = a * b - (denominator - 1.0)
    quotient = a / denominator
    # what the two sums lost, over the denominator, whose inverse is 1 - a b / denominator
    return denominator, quotient, (rest - quotient * lost) * (1.0 - quotient * b), b


@elementary
def sigmoid(x):
    """1 / (1 + exp(-x)).

    Parameters
    ----------
    x : float

    Returns
    -------
    float

    Examples
    --------
    >>> import odekit
    >>> odekit.vmath.sigmoid(0.0)
    0.5
    """
    denominator, quotient, more, b = _logistic_parts(x)
    return (quotient + more) * b if x < 0.0 else 1.0 / denominator


@elementary
def silu(x):
    """x / (1 + exp(-x)).

    Parameters
    ----------
    x : float

    Returns
    -------
    float

    Examples
    --------
    >>> import odekit
    >>> odekit.vmath.silu(0.0)
    0.0
    """
    denominator, quotient, more, b = _logistic_parts(x)
    y = -800.0 if x < -800.0 else x  # -inf * 0
    product = y * quotient
    return (product + (fma(y, quotient, -product) + y * more)) * b if x < 0.0 else x / denominator


@elementary
def softplus(x):
    """log(1 + exp(x)).

    Parameters
    ----------
    x : float

    Returns
    -------
    float

    Examples
    --------
    >>> import odekit
    >>> odekit.vmath.softplus(0.0)
    0.6931471805599453
    """
    u = exp(-abs(x))  # log1p(u), 0 <= u <= 1, with one power of two taken out above sqrt(2) - 1
    large = u > SQRT2 - 1.0
    f = 0.5 * (u - 1.0) if large else u
    k = 1.0 if large else 0.0
    s = f / (2.0 + f)
    half_square = 0.5 * f * f
    tail = s * (half_square + log_series(s * s)) + k * LN2_LO
    log1p_u = k * LN2_HI - ((half_square - tail) - f)
    return (x if x > 0.0 else 0.0) + log1p_u
