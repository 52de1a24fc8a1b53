"""What the cotangents of outputs give to the stages and the ends of a step of one lane; see `odekit.adjoint.lanes_back`.

`odekit.adjoint.seeding` does the same for a block of lanes that all take the same steps.
"""

from .. import _jit
from . import blocks as B


@_jit.core
def _weigh(row, start, end, t, seed, lanes, lane, u):
    """Column `lane` of u += h beta(theta) g for an output at t inside a step.

    Parameters
    ----------
    row : ndarray, (degree,)
        Dense-output weights of a stage.
    start, end, t : float
    seed : ndarray, (d,)
        The cotangent g.
    lanes, lane : int
    u : ndarray, (d * lanes,)
    """
    factor = (end - start) * B.weight(row, (t - start) / (end - start))
    for i in range(seed.size):
        u[i * lanes + lane] += factor * seed[i]


@_jit.core
def seed(method, m, k, start, end, before, at_end, t, seeds, lanes, lane, pulled, total, ahead):
    """Lay out what the outputs in a step, from the k-th down, give to the cotangents of its stages.

    A last stage that is the first of the next step has been pulled back with that: its part is then added to `ahead` one step
    early, but for the last step, where it stands alone.

    Parameters
    ----------
    method : tuple
        `Scheme.arrays`.
    m, k : int
        Trajectory, and the next output that has not been met.
    start, end, before : float
        Of the step, and the start of the one before; `start` again where there is none.
    at_end : bool
        Whether it is the last step.
    t : ndarray, (T,)
    seeds : ndarray, (T, B, d)
    lanes, lane : int
    pulled : ndarray, (S, d * lanes)
    total, ahead : ndarray, (d * lanes,)
        All three are added to.

    Returns
    -------
    int
        The next output, at the start of the step or before.
    """
    dense, last, stages = method[4], method[5], method[0].size
    shared = last == stages - 1
    while k >= 0 and (t[k] - start) * (end - start) > 0.0:
        for i in range(stages):
            if not shared or i != last or at_end:
                _weigh(dense[i], start, end, t[k], seeds[k, m], lanes, lane, pulled[i])
        for i in range(seeds.shape[2]):
            total[i * lanes + lane] += seeds[k, m, i]
        k -= 1
    below = k - 1 if k >= 0 and t[k] == start else k
    while shared and before != start and below >= 0 and (t[below] - before) * (end - start) > 0.0:
        _weigh(dense[last], before, start, t[below], seeds[below, m], lanes, lane, ahead)
        below -= 1
    return k


@_jit.core
def end_rate(method, count, m, k, start, end, side, t, seeds, lanes, lane, slopes, pulled, lam):
    """What a step gives to the cotangent of its start (side 0) or its end (side 1), but for the field's own time.

    Parameters
    ----------
    method : tuple
        `Scheme.arrays`.
    count, m, k : int
        Stages that have been pulled back, trajectory, the last output inside the step.
    start, end : float
    side : int
    t : ndarray, (T,)
    seeds : ndarray, (T, B, d)
    lanes, lane : int
    slopes, pulled : ndarray, (S, d * lanes)
    lam : ndarray, (d * lanes,)
        Cotangent of the state at the end.

    Returns
    -------
    float
    """
    _c, a, b, _error, dense, last, _exponent, _two = method
    d, rate = seeds.shape[2], 0.0
    for i in range(d):
        place = i * lanes + lane
        for s in range(count):
            for j in range(s):
                if a[s, j] != 0.0:
                    rate += a[s, j] * pulled[s, place] * slopes[j, place]
        for s in range(last):
            rate += b[s] * lam[place] * slopes[s, place]
    rate = rate if side == 1 else -rate
    while k >= 0 and (t[k] - start) * (end - start) > 0.0:
        theta = (t[k] - start) / (end - start)
        for s in range(dense.shape[0]):
            value, slope = B.weight(dense[s], theta), B.weight_rate(dense[s], theta)
            factor = value - theta * slope if side == 1 else (theta - 1.0) * slope - value
            for i in range(d):
                rate += factor * slopes[s, i * lanes + lane] * seeds[k, m, i]
        k -= 1
    return rate
