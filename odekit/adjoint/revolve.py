"""Binomial checkpointing: with c stored states, the fewest repeated steps (Griewank & Walther, ACM TOMS 26, 2000).

With c states and r repetitions of every step at most, beta(c, r) = binomial(c + r, c) steps can be reversed.
"""

from .. import _jit
from . import blocks as B

view1, view2 = _jit.view1, _jit.view2

# counts of a backward sweep
REPEATED, HELD = 0, 1  # steps made again by checkpointing, and states held for it at the same time, at most


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


@_jit.core
def nearest(record, p, lanes, end, method, steps, rows, size, held, places, top, counts):
    """Go from the last stored state towards step ``end - 1``, which is to be pulled back.

    Parameters
    ----------
    record : int
        Address.
    p : ndarray
    lanes, end : int
    method : tuple
        `Scheme.arrays`.
    steps : ndarray, (N + 1,)
    rows : ndarray, ((2 * stages + ROWS) * size,)
        Workspace of the block; its row Y receives the state.
    size : int
        ``d * lanes``.
    held : ndarray, (checkpoints * size,)
        The stored states, each [d, lanes].
    places : ndarray of int, (checkpoints,)
        Their steps.
    top : int
        Number of the last of them.
    counts : ndarray of int, (N_COUNTS,)

    Returns
    -------
    n : int
        The step at whose start the workspace now is.
    top : int
        Number of the last stored state.
    """
    c, a, b, last = method[0], method[1], method[2], method[5]
    stages, n = c.size, places[top]
    y, y_new = view1(rows, (2 * stages + B.Y) * size, size), view1(rows, (2 * stages + B.Y_NEW) * size, size)
    z, slopes = view1(rows, (2 * stages + B.Z) * size, size), view2(rows, 0, stages, size)
    B.copy(view1(held, top * size, size), y)
    while n < end - 1:
        free = places.size - top
        ahead = advance(end - n, free)
        B.copy(y, z)
        B.evaluate(record, p, lanes, 0, steps[n], z, view1(rows, 0, size))
        for m in range(n, n + ahead):
            B.take_step(record, p, lanes, m, 0, steps[m], steps[m + 1], c, a, b, last, y, y_new, z, slopes)
            B.copy(y_new, y)
            B.copy(view1(rows, last * size, size), view1(rows, 0, size))
        counts[REPEATED] += ahead
        n += ahead
        if free > 1:  # with no place left, the next step starts again from the last stored state
            top += 1
            B.copy(y, view1(held, top * size, size))
            places[top] = n
            counts[HELD] = max(counts[HELD], top + 1)
    return n, top
