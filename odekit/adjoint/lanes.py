"""Trajectories side by side in the lanes of a block kernel, each with its own t, h, error, status and counters.

A lane that has finished takes the next trajectory of its group at once; when none is left, the last active lane moves into
the gap, so that the active lanes stay together and a call of the kernel has as few of them as possible. The accepted steps of
all trajectories go to one log, each row with the number of the row before it of the same trajectory: the backward sweep of
`odekit.adjoint.lanes_back` walks along these.

A kernel is anything that `odekit.adjoint.tape` describes and asks `lane_time` for the time: a network, or a user's function.

What the functions below share, for a batch of B trajectories of d components, a method of S stages and a group of at most L
lanes; arrays are in C order, of float64 where nothing is said:

* ``memory``, of a group: ``w`` (L, `S.W_HEADER`) and ``iw`` int64 (L, `S.IW_HEADER`), the scalars of `odekit.solvers.state` for
  each lane; ``member`` int64 (L,), the trajectory in it; ``row`` int64 (L,), the last row of that in the log; ``y_lanes`` and
  ``f_lanes`` (L, d), its state and slope; ``work``, see `odekit.adjoint.lane_blocks`; ``control`` int64 (CONTROL_SIZE,).
* ``log``: ``t`` (capacity,), ``y`` (capacity, d), and ``before`` int64 (capacity,), the row of the step before, -1 at a start; a
  capacity of 0: no log.
* ``counts`` int64 (B, N_COUNTS), ``ends`` (B, 2) and ``heads`` int64 (B,): what has become of each trajectory, t and h there, and
  its last row in the log.
* ``y0``, ``f0`` (B, d) and ``h0`` (B,): states and slopes at the start, and sizes of the first steps, without a sign.
* ``t`` (T,): output times, the start first; ``outputs`` (T, B, d), and ``rates`` (T, B, d) or (0, B, d) if they are not wanted.
"""

import math

from .. import _jit
from ..solvers import driver as D
from ..solvers import state as S
from .judge import judge
from .lane_attempts import attempt, blame, inside, serve
from .lane_blocks import (
    END,
    FINITE,
    SQUARE,
    SQUARE_LOW,
    START,
    Y_NEW,
    Y,
    column,
    lane_row,
    padded,
    stage,
    vector,
)

view1, view2 = _jit.view1, _jit.view2

# control of a group: next trajectory, the first that is not ours, active lanes, rows in the log
NEXT, LAST, ACTIVE, LOGGED = range(4)
CONTROL_SIZE = 4
# what becomes of a trajectory: columns of counts
REASON, NFEV, NACCEPT, NREJECT, LAST_CODE = range(5)
N_COUNTS = 5


@_jit.core
def _next(w, iw):
    """Aim at the end of the next attempt of a lane, with its own `w` and `iw`; a driver reason."""
    if iw[S.LAST_CODE] == S.RHS_RAISED:
        return D.FIELD_RAISED
    if w[S.T] == w[S.T_END]:
        return D.DONE
    if iw[S.NACCEPT] + iw[S.NREJECT] >= iw[S.MAX_STEPS]:
        return D.STEPS_EXHAUSTED
    return D.CONTINUE if D.aim(w, iw) else D.STEP_TOO_SMALL


@_jit.core
def _write(control, log, t, batch, k, before):
    """A row of the log with the state ``batch[k]`` of batch[:, d], if there is a log; its number, or -1."""
    log_t, log_y, log_before = log
    n = control[LOGGED]
    if log_t.size == 0:
        return -1
    control[LOGGED] = n + 1
    log_t[n], log_before[n] = t, before
    for i in range(batch.shape[1]):
        log_y[n, i] = batch[k, i]
    return n


@_jit.core
def _finish(memory, lane, reason, counts, ends, heads):
    """Write down what has become of a trajectory."""
    w, iw, member, row = memory[0], memory[1], memory[2], memory[3]
    m = member[lane]
    counts[m, REASON], counts[m, NFEV] = reason, iw[lane, S.NFEV]
    counts[m, NACCEPT], counts[m, NREJECT] = iw[lane, S.NACCEPT], iw[lane, S.NREJECT]
    counts[m, LAST_CODE] = iw[lane, S.LAST_CODE]
    ends[m, 0], ends[m, 1] = w[lane, S.T], w[lane, S.H] if w[lane, S.H] != 0.0 else w[lane, S.H_NEXT]
    heads[m] = row[lane]


@_jit.core
def _take(memory, log, lane, y0, f0, h0, t, max_steps, first_step, outputs, counts, ends, heads):
    """Put the next trajectory into a lane, past those that are over at their start; whether there is one.

    Arguments are those of `advance`; `lane` is the number of the lane.
    """
    w, iw, member, row, y_lanes, f_lanes, _work, control = memory
    while control[NEXT] < control[LAST]:
        m = control[NEXT]
        control[NEXT] = m + 1
        for i in range(w.shape[1]):
            w[lane, i] = 0.0
        for i in range(iw.shape[1]):
            iw[lane, i] = 0
        direction = 1.0 if t[-1] >= t[0] else -1.0
        w[lane, S.T], w[lane, S.T_END], w[lane, S.DIRECTION], w[lane, S.MAX_STEP] = t[0], t[-1], direction, math.inf
        w[lane, S.H_FIXED], w[lane, S.H_NEXT] = first_step, direction * h0[m]
        iw[lane, S.MAX_STEPS], iw[lane, S.NFEV], iw[lane, S.N_EVAL] = max_steps, counts[m, NFEV], 1
        member[lane], row[lane] = m, _write(control, log, t[0], y0, m, -1)
        for i in range(y0.shape[1]):
            y_lanes[lane, i], f_lanes[lane, i] = y0[m, i], f0[m, i]
            outputs[0, m, i] = y0[m, i]
        reason = counts[m, REASON]
        if reason == D.CONTINUE:
            reason = _next(w[lane], iw[lane])
        if reason == D.CONTINUE:
            return True
        _finish(memory, lane, reason, counts, ends, heads)
    return False


@_jit.core
def _move(memory, lane, gap):
    """Move what `memory` holds of a lane to lane `gap`."""
    w, iw, member, row, y_lanes, f_lanes, _work, _control = memory
    for i in range(w.shape[1]):
        w[gap, i] = w[lane, i]
    for i in range(iw.shape[1]):
        iw[gap, i] = iw[lane, i]
    member[gap], row[gap] = member[lane], row[lane]
    for i in range(y_lanes.shape[1]):
        y_lanes[gap, i], f_lanes[gap, i] = y_lanes[lane, i], f_lanes[lane, i]


@_jit.kernel
def advance(
    value, p, method, memory, log, rtol, atol, y0, f0, h0, t, max_steps, first_step, outputs, rates, counts, ends, heads, attempts,
):  # fmt: skip
    """Go on with the trajectories of a group for at most so many attempts.

    Parameters
    ----------
    value : int
        Address of the kernel.
    p : ndarray
        Its vector, with the rows of the times and then room for the state of one lane and its slope at the end.
    method : tuple
        `Scheme.arrays`.
    memory : tuple
        Of the group: w and iw of each lane (see `odekit.solvers.state`), its trajectory, its row of the log, its y and f, the
        workspace, control.
    log : tuple of ndarray
        t (capacity,), y (capacity, d), the row before (capacity,); a capacity of 0: no log.
    rtol, atol : float
    y0, f0, h0 : ndarray
        From `begin`.
    t : ndarray, (T,)
    max_steps : int
    first_step : float
    outputs : ndarray, (T, B, d)
    rates : ndarray, (T, B, d) or (0, B, d)
    counts : ndarray of int, (B, N_COUNTS)
    ends : ndarray, (B, 2)
        Receives t and h where a trajectory has ended.
    heads : ndarray of int, (B,)
        Receives the last row of each trajectory in the log.
    attempts : int

    Returns
    -------
    int
        DONE, CONTINUE or BUFFER_FULL of `odekit.solvers.driver`.
    """
    w, iw, member, row, y_lanes, f_lanes, work, control = memory
    most, d, stages = w.shape[0], y0.shape[1], method[0].size
    last, exponent, two_estimates = method[5], method[6], method[7]
    for _ in range(attempts):
        active = control[ACTIVE]
        if log[0].size > 0 and control[LOGGED] + 2 * most > log[0].size:
            return D.BUFFER_FULL
        # from the last lane down: what moves into a gap has been looked at already
        for lane in range(active - 1, -1, -1):
            reason = _next(w[lane], iw[lane])
            if reason == D.CONTINUE:
                continue
            _finish(memory, lane, reason, counts, ends, heads)
            if not _take(memory, log, lane, y0, f0, h0, t, max_steps, first_step, outputs, counts, ends, heads):
                active -= 1
                if lane != active:
                    _move(memory, active, lane)
        while active < most and _take(
            memory, log, active, y0, f0, h0, t, max_steps, first_step, outputs, counts, ends, heads
        ):
            active += 1
        control[ACTIVE] = active
        if active == 0:
            return D.DONE
        lanes = padded(active, most)
        y, f = vector(work, stages, d, lanes, Y), view1(work, 0, d * lanes)
        start, end = lane_row(work, stages, d, lanes, START), lane_row(work, stages, d, lanes, END)
        for j in range(lanes):
            k = j if j < active else 0
            start[j], end[j] = w[k, S.T], w[k, S.T_NEW]
            column(y_lanes, k, d, lanes, j, y)
            column(f_lanes, k, d, lanes, j, f)
        failed = attempt(value, p, method, lanes, active, work, d, rtol, atol)
        if failed >= 0:
            blame(value, p, iw, active, lanes, d, method[0][failed], start, end, work, stages, failed)
            continue
        wanted = False
        for lane in range(active):
            iw[lane, S.NFEV] += last
            squares = lane_row(work, stages, d, lanes, SQUARE), lane_row(work, stages, d, lanes, SQUARE_LOW)
            finite = lane_row(work, stages, d, lanes, FINITE)
            if judge(w[lane], iw[lane], squares[0][lane], squares[1][lane], finite[lane], d, exponent, two_estimates):
                wanted = wanted or inside(w[lane], iw[lane], t)
        if wanted:
            for i in range(last + 1, stages):
                stage(value, p, method, i, lanes, 0, work, d)
        y_new, slopes = vector(work, stages, d, lanes, Y_NEW), view2(work, 0, stages, d * lanes)
        for lane in range(active):
            if iw[lane, S.LAST_CODE] != S.ACCEPTED:
                iw[lane, S.REJECTED] = 1
                iw[lane, S.NREJECT] += 1
                continue
            if inside(w[lane], iw[lane], t):
                iw[lane, S.NFEV] += stages - 1 - last
            serve(w[lane], iw[lane], member[lane], method, lanes, lane, work, d, t, outputs, rates)
            for i in range(d):
                y_lanes[lane, i], f_lanes[lane, i] = y_new[i * lanes + lane], slopes[last, i * lanes + lane]
            w[lane, S.T], w[lane, S.H_OLD] = w[lane, S.T_NEW], w[lane, S.H]
            iw[lane, S.NACCEPT] += 1
            iw[lane, S.REJECTED] = 0
            row[lane] = _write(control, log, w[lane, S.T], y_lanes, lane, row[lane])
    return D.CONTINUE
