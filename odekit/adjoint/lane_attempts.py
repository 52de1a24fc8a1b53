"""An attempt in all lanes of a call: its stages and errors, which lanes it fails for, the outputs in an accepted step.

The names are those of `odekit.adjoint.lanes`.
"""

from .. import _jit
from ..solvers import state as S
from . import blocks as B
from .lane_blocks import (
    END,
    FINITE,
    SQUARE,
    START,
    Y_NEW,
    U,
    Y,
    Z,
    alone,
    combine,
    lane_row,
    stage,
    vector,
)

view1, view2 = _jit.view1, _jit.view2


@_jit.core
def attempt(value, p, method, lanes, active, work, d, rtol, atol):
    """All stages of an attempt in every lane, and the errors.

    The states and first slopes of the lanes stand in `work`, which receives the other slopes, the new states, and in its rows
    SQUARE, SQUARE_LOW and FINITE the sums of the squared weighted errors and of zeros, for each lane.

    Returns
    -------
    int
        -1, or the stage where the kernel failed.
    """
    c, _a, _b, error, _dense, last, _exponent, two_estimates = method
    stages = c.size
    for i in range(1, last + 1):
        if stage(value, p, method, i, lanes, 0, work, d) != 0:
            return i
    y, y_new = vector(work, stages, d, lanes, Y), vector(work, stages, d, lanes, Y_NEW)
    u, slopes = vector(work, stages, d, lanes, U), view2(work, 0, stages, d * lanes)
    start, end = lane_row(work, stages, d, lanes, START), lane_row(work, stages, d, lanes, END)
    finite = lane_row(work, stages, d, lanes, FINITE)
    combine(y, start, end, method[2], last, slopes, y_new)
    for k in range(2 if two_estimates else 1):
        square = lane_row(work, stages, d, lanes, SQUARE + k)
        for i in range(u.size):
            u[i] = 0.0
        for j in range(last + 1):
            if error[k, j] != 0.0:
                B.add(error[k, j], slopes[j], u)
        for j in range(lanes):
            square[j] = finite[j] = 0.0
        for i in range(0, u.size, lanes):
            for j in range(lanes):
                e = (end[j] - start[j]) * u[i + j] / (atol + rtol * max(abs(y[i + j]), abs(y_new[i + j])))
                square[j] += e * e
                finite[j] += 0.0 * y_new[i + j] + 0.0 * slopes[last, i + j]
    return -1


@_jit.core
def blame(value, p, iw, active, lanes, d, c, start, end, work, stages, failed):
    """Mark the lanes for which the kernel fails at stage `failed`; all of them, if it fails for none by itself.

    Parameters
    ----------
    iw : ndarray of int, (L, `S.IW_HEADER`)
        Receives the marks, in LAST_CODE.
    active, lanes, d : int
        Lanes with a trajectory, lanes of the call, components.
    c : float
        Of the stage.
    start, end : ndarray, (lanes,)
        Of the steps.
    work : ndarray
        With the arguments of the stage.
    stages, failed : int
    """
    z, slope, found = vector(work, stages, d, lanes, Z), view1(work, failed * d * lanes, d * lanes), False
    for lane in range(active):
        if alone(value, p, d, lanes, lane, B.stage_time(start[lane], end[lane], c), z, slope):
            iw[lane, S.LAST_CODE], found = S.RHS_RAISED, True
    for lane in range(0 if found else active):
        iw[lane, S.LAST_CODE] = S.RHS_RAISED


@_jit.core
def inside(w, iw, t):
    """Whether the next output time, of t (T,), lies inside the step of a lane, whose scalars are `w` and `iw`."""
    k = iw[S.N_EVAL]
    return k < t.size and (w[S.T_NEW] - t[k]) * w[S.DIRECTION] > 0.0


@_jit.core
def serve(w, iw, m, method, lanes, lane, work, d, t, outputs, rates):
    """States at the output times in an accepted step of a lane, and their derivatives in time if they are wanted.

    Parameters
    ----------
    w, iw : ndarray
        Scalars of the lane.
    m, lanes, lane, d : int
        Trajectory, lanes of the call, number of the lane, components.
    method : tuple
        `Scheme.arrays`.
    work : ndarray
        With the states and slopes of the step, see `odekit.adjoint.lane_blocks`.
    t : ndarray, (T,)
    outputs, rates : ndarray, (T, B, d), and (T, B, d) or (0, B, d)
        Receive.
    """
    dense, last = method[4], method[5]
    stages = method[0].size
    y, y_new = vector(work, stages, d, lanes, Y), vector(work, stages, d, lanes, Y_NEW)
    slopes = view2(work, 0, stages, d * lanes)
    start, end, k = w[S.T], w[S.T_NEW], iw[S.N_EVAL]
    while k < t.size and (end - t[k]) * w[S.DIRECTION] >= 0.0:
        at_end, theta, wanted = t[k] == end, (t[k] - start) / (end - start), rates.shape[0] > 0
        for i in range(d):
            outputs[k, m, i] = y_new[i * lanes + lane] if at_end else y[i * lanes + lane]
            if wanted:
                rates[k, m, i] = slopes[last, i * lanes + lane] if at_end else 0.0
        for s in range(0 if at_end else stages):
            weight = (end - start) * B.weight(dense[s], theta)
            rate = B.weight_rate(dense[s], theta) if wanted else 0.0
            for i in range(d):
                outputs[k, m, i] += weight * slopes[s, i * lanes + lane]
                if wanted:
                    rates[k, m, i] += rate * slopes[s, i * lanes + lane]
        k += 1
    iw[S.N_EVAL] = k
