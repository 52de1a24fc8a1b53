"""Powers of real numbers."""

import numpy as np

from ._core import elementary, fma, half_powers
from .exponential import exp_sum
from .logarithm import log_sum

_LARGEST_EXPONENT = 1e300  # a larger one is as good as infinite for every x but 1
_EXACT_PARITY = 9007199254740992.0  # 2**53: from here on every number is even


@elementary
def _exp_of_sum(high, low):
    """exp(high + low) for a `low` of at most an ulp of `high`, with overflow and gradual underflow."""
    high = 710.0 if high > 710.0 else high
    high = -800.0 if high < -800.0 else high
    low = low if abs(low) < 1e-10 else 0.0  # where the first lines have clamped
    a, rest, shifted = exp_sum(high)
    a += rest + a * low
    scale, b = half_powers(shifted)
    return a * scale * b


@elementary
def pow(x, y):
    """x to the power of y, with the special values of C's ``pow``.

    Parameters
    ----------
    x, y : float

    Returns
    -------
    float

    Examples
    --------
    >>> import odekit
    >>> odekit.vmath.pow(2.0, 10.0)
    1024.0
    """
    size = abs(x)
    regular = size > 0.0 and size < np.inf
    high, low = log_sum(size if regular else 1.0)
    exponent = _LARGEST_EXPONENT if y > _LARGEST_EXPONENT else y
    exponent = -_LARGEST_EXPONENT if exponent < -_LARGEST_EXPONENT else exponent
    product = exponent * high
    value = _exp_of_sum(product, fma(exponent, high, -product) + exponent * low)
    # 0 and infinity
    vanishes = (size == 0.0) == (y > 0.0)
    value = value if regular else (0.0 if vanishes else np.inf)
    # negative x
    whole = np.floor(y) == y or abs(y) >= _EXACT_PARITY
    odd = whole and abs(y) < _EXACT_PARITY and 2.0 * np.floor(0.5 * y) != y
    value = np.copysign(value, x) if odd else value
    value = np.nan if x < 0.0 and size < np.inf and not whole else value
    value = x + y if x != x or y != y else value
    return 1.0 if y == 0.0 or x == 1.0 or (x == -1.0 and abs(y) == np.inf) else value
