"""Where outputs lie among the steps, and what their cotangents give to the stages and the ends of a step; see `odekit.adjoint.backward`.

The cotangent g_k of an output at t_n + theta_k h adds h beta_i(theta_k) g_k to that of the slope of stage i.
"""

import numpy as np

from .. import _jit
from . import blocks as B

view1, view2 = _jit.view1, _jit.view2


def locate(steps, t):
    """Where the output times lie among the steps.

    Parameters
    ----------
    steps : ndarray, (N + 1,)
        Ends of the accepted steps.
    t : ndarray, (T,)
        Output times in the same direction; ``t[0] == steps[0]`` and ``t[-1] == steps[-1]``.

    Returns
    -------
    node : ndarray of int, (N + 1,)
        Number of the output exactly at a step's end, or -1.
    first : ndarray of int, (N + 1,)
        Outputs ``first[n] : first[n + 1]`` lie behind node n, up to node n + 1 inclusive.
    """
    sign = 1.0 if t[-1] >= t[0] else -1.0
    first = np.searchsorted(sign * t, sign * steps, side="right").astype(np.int64)
    return np.where(t[first - 1] == steps, first - 1, -1), first


@_jit.core
def inside(n, node, first):
    """End of the range of outputs strictly inside step n, which begins at ``first[n]``.

    Parameters
    ----------
    n : int
    node, first : ndarray of int, (N + 1,)
        From `locate`.

    Returns
    -------
    int
    """
    return first[n + 1] - (1 if node[n + 1] >= 0 else 0)


@_jit.core_apart
def seed(row, n, node, first, steps, t, seeds, begin, lanes, u):
    """u += h sum_k beta(theta_k) g_k over the outputs inside step n.

    Parameters
    ----------
    row : ndarray, (degree,)
        Dense-output weights of a stage.
    u : ndarray, (d * lanes,)
    the others
        As for `odekit.adjoint.backward._pull_step`.
    """
    h = steps[n + 1] - steps[n]
    for k in range(first[n], inside(n, node, first)):
        B.add_batch(h * B.weight(row, (t[k] - steps[n]) / h), seeds[k], begin, lanes, u)


@_jit.core_apart
def seed_all(dense, count, n, node, first, steps, t, seeds, begin, lanes, total, z, pulled):
    """The same for all stages at once.

    Parameters
    ----------
    dense : ndarray, (stages, degree)
    count : int
        Stages that are pulled back.
    total : ndarray, (d * lanes,)
        The sum of the g_k is added to it.
    z : ndarray, (d * lanes,)
        Memory.
    pulled : ndarray, (stages, d * lanes)
        Receives.
    the others
        As for `odekit.adjoint.backward._pull_step`.
    """
    h = steps[n + 1] - steps[n]
    for i in range(count):
        for j in range(z.size):
            pulled[i, j] = 0.0
    for k in range(first[n], inside(n, node, first)):
        B.load(seeds[k], begin, lanes, z)
        for i in range(count):
            B.add(h * B.weight(dense[i], (t[k] - steps[n]) / h), z, pulled[i])
        B.add(1.0, z, total)


@_jit.core_apart
def end_rates(n, method, count, steps, node, first, t, seeds, begin, lanes, rows, size, times):
    """What the first step gives to the cotangent of t0, and the last to that of t1, but for the field's own time.

    Parameters
    ----------
    count : int
        Stages that have been pulled back.
    times : ndarray, (2,)
        Both are added to it.
    the others
        As for `odekit.adjoint.backward._pull_step`.
    """
    c, a, b, dense, last = method[0], method[1], method[2], method[4], method[5]
    stages, n_steps = c.size, steps.size - 1
    slopes, pulled = view2(rows, 0, stages, size), view2(rows, stages * size, stages, size)
    lam, z = view1(rows, (2 * stages + B.LAM) * size, size), view1(rows, (2 * stages + B.Z) * size, size)
    h, rate = steps[n + 1] - steps[n], 0.0
    for i in range(count):
        for j in range(i):
            if a[i, j] != 0.0:
                rate += a[i, j] * B.dot(pulled[i], slopes[j])
    for i in range(last):
        if b[i] != 0.0:
            rate += b[i] * B.dot(lam, slopes[i])
    for side in range(2):
        if n == (0 if side == 0 else n_steps - 1):
            times[side] += rate if side == 1 else -rate
            for k in range(first[n], inside(n, node, first)):
                theta = (t[k] - steps[n]) / h
                for i in range(size):
                    z[i] = 0.0
                for i in range(stages):
                    value, slope = B.weight(dense[i], theta), B.weight_rate(dense[i], theta)
                    B.add(value - theta * slope if side == 1 else (theta - 1.0) * slope - value, slopes[i], z)
                times[side] += B.dot_batch(seeds[k], begin, lanes, z)
