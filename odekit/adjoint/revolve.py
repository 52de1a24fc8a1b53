"""Binomial checkpointing: with c stored states, the fewest repeated steps (Griewank & Walther, ACM TOMS 26, 2000).

With c states and r repetitions of every step at most, beta(c, r) = binomial(c + r, c) steps can be reversed.
"""

from .. import _jit


@_jit.core
def reach(c, r):
    """Steps that c stored states, the first included, can reverse with each step made at most r times again."""
    value = 1.0
    for i in range(1, c + 1):
        value = value * (r + i) / i
        if value > 1e15:
            return 1e15
    return value


@_jit.core
def advance(length, c):
    """How far to go before the next state is stored.

    Parameters
    ----------
    length : int
        Steps, at least 2, still to be reversed from the last stored state on.
    c : int
        States that may be stored, the one at hand included.

    Returns
    -------
    int
        Between 1 and ``length - 1``.
    """
    if c <= 1:
        return length - 1
    r = 1
    while reach(c, r) < length:
        r += 1
    return int(max(1.0, min(reach(c, r - 1), length - reach(c - 1, r - 1))))
