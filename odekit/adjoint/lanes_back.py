"""The transpose of `odekit.adjoint.lanes`: every lane goes back along its own accepted steps, whose stages it makes again.

The formulas are those of `odekit.adjoint.backward`. A lane that has come to the start of its trajectory takes the next one;
lanes therefore stay busy, however many steps each trajectory has.

The names are those of `odekit.adjoint.lanes`; besides, for a call with so many lanes, in C order:

* ``memory``, of a group of at most L lanes: ``member``, ``row`` and ``pointer`` int64 (L,), the trajectory of a lane, the row of
  the log at the end of its step, and the next output that has not been met; ``lam`` (L, d), the cotangent of the state; ``work``;
  ``control`` int64 (CONTROL_SIZE,).
* ``seeds`` (T, B, d): the cotangents of the outputs.
* ``slopes`` and ``pulled`` (S, d * lanes), in ``work``: those of the stages, each [d, lanes], and the cotangents of their
  arguments.
* ``lam``, ``total``, ``ahead`` (d * lanes,), in ``work``: see below.
"""

import math

from .. import _jit
from . import blocks as B
from .lane_blocks import BAR, END, START, Y_NEW, U, Y, Z, column, lane_row, padded, stage, vector
from .lane_seeding import end_rate, seed
from .lanes import ACTIVE, LAST, NEXT
from .tape import N_PARAMS, TIMES

view1, view2 = _jit.view1, _jit.view2

# the vectors of the forward sweep serve here as
LAM, TOTAL, AHEAD = Y_NEW, Z, BAR  # cotangent of the state; sum of the seeds in the step; seeds of the step before


@_jit.core
def _take(memory, heads, t, seeds, lane):
    """Put the next trajectory into a lane, with the cotangent of its last output; whether there is one."""
    member, row, pointer, lam, _work, control = memory
    if control[NEXT] == control[LAST]:
        return False
    m = control[NEXT]
    control[NEXT] = m + 1
    member[lane], row[lane], pointer[lane] = m, heads[m], t.size - 2
    for i in range(lam.shape[1]):
        lam[lane, i] = seeds[t.size - 1, m, i]
    return True


@_jit.core
def _move(memory, lane, gap):
    """Move what `memory` holds of a lane to lane `gap`."""
    member, row, pointer, lam, _work, _control = memory
    member[gap], row[gap], pointer[gap] = member[lane], row[lane], pointer[lane]
    for i in range(lam.shape[1]):
        lam[gap, i] = lam[lane, i]


@_jit.core
def _penalise(method, other, weights, values, lanes, active, work, d):
    """Add what the penalties of a step give to the cotangents of its slopes, and their values to `values`.

    Both are functions of the slopes k alone: the error estimate E = h sum_i e_i k_i in |h| ||E||, and the stiffness estimate
    ||k_s - k_m|| / ||g_s - g_m|| of the last two stages at the end of the step, where g_s - g_m = h sum_j (a_sj - a_mj) k_j.

    Parameters
    ----------
    method : tuple
        `Scheme.arrays`.
    other : int
        The stage m.
    weights, values : ndarray, (2,)
        Of the error and of the stiffness estimate.
    lanes, active, d : int
        Lanes of the call, those with a trajectory, components.
    work : ndarray
        Holds the slopes and the cotangents of the stages, in ``pulled``.
    """
    a, error, last = method[1], method[3], method[5]
    stages, size = method[0].size, d * lanes
    slopes, pulled = view2(work, 0, stages, size), view2(work, stages * size, stages, size)
    start, end = lane_row(work, stages, d, lanes, START), lane_row(work, stages, d, lanes, END)
    u, z = vector(work, stages, d, lanes, U), vector(work, stages, d, lanes, Y)  # both are free here
    for lane in range(active):
        h = end[lane] - start[lane]
        error_square, rise, run = 0.0, 0.0, 0.0
        for i in range(lane, size, lanes):
            u[i] = z[i] = 0.0
            for s in range(last + 1):
                u[i] += h * error[0, s] * slopes[s, i]
                z[i] += h * (a[last, s] - a[other, s]) * slopes[s, i]
            difference = slopes[last, i] - slopes[other, i]
            error_square, rise, run = error_square + u[i] * u[i], rise + difference * difference, run + z[i] * z[i]
        if weights[0] != 0.0 and error_square > 0.0:
            norm = math.sqrt(error_square)
            values[0] += abs(h) * norm
            for i in range(lane, size, lanes):
                for s in range(last + 1):
                    pulled[s, i] += weights[0] * abs(h) * u[i] / norm * h * error[0, s]
        if weights[1] != 0.0 and rise > 0.0 and run > 0.0:
            ratio = math.sqrt(rise / run)
            values[1] += ratio
            for i in range(lane, size, lanes):
                part = weights[1] * ratio * (slopes[last, i] - slopes[other, i]) / rise
                pulled[last, i] += part
                pulled[other, i] -= part
                for s in range(last):
                    pulled[s, i] -= weights[1] * ratio * z[i] / run * h * (a[last, s] - a[other, s])


@_jit.core
def _pull_stages(pull, p, method, count, lanes, active, work, d, bar, ends, times):
    """Pull the cotangents back through the recorded stages, from the last to the first.

    Parameters
    ----------
    pull : int
        Address.
    p : ndarray
    method : tuple
        `Scheme.arrays`.
    count, lanes, active, d : int
        Stages, lanes of the call, those with a trajectory, components.
    work : ndarray
        ``pulled`` holds what outputs and penalties give to the slopes; on return the cotangents of the stages' arguments.
    bar : ndarray, (d * lanes + n_params,)
        Behind d * lanes numbers, the cotangent of the parameters is added.
    ends : ndarray of int, (2, L)
        Whether the step of a lane is its first, and its last.
    times : ndarray, (2,)
        What the field's own time gives to the cotangents of t0 and t1 is added.
    """
    c, a, b = method[0], method[1], method[2]
    stages, size = c.size, d * lanes
    pulled = view2(work, stages * size, stages, size)
    lam, u, ahead = (
        vector(work, stages, d, lanes, LAM),
        vector(work, stages, d, lanes, U),
        vector(work, stages, d, lanes, AHEAD),
    )
    start, end = lane_row(work, stages, d, lanes, START), lane_row(work, stages, d, lanes, END)
    now, rates = view1(p, int(p[TIMES]), lanes), view1(p, int(p[TIMES]) + lanes, lanes)
    for i in range(count - 1, -1, -1):
        for j in range(size):
            u[j] = b[i] * lam[j]
        for k in range(i + 1, count):
            if a[k, i] != 0.0:
                B.add(a[k, i], pulled[k], u)
        for k in range(0, size, lanes):
            for j in range(lanes):
                u[k + j] = (end[j] - start[j]) * u[k + j] + pulled[i, k + j]
        if i == 0:
            B.add(1.0, ahead, u)
        for j in range(lanes):
            now[j], rates[j] = B.stage_time(start[j], end[j], c[i]), 0.0
        B.pull(pull, p, lanes, i, start[0], u, bar)
        for lane in range(active):
            times[0] += (1.0 - c[i]) * rates[lane] if ends[0, lane] != 0 else 0.0
            times[1] += c[i] * rates[lane] if ends[1, lane] != 0 else 0.0
        for j in range(size):
            pulled[i, j] = bar[j]


@_jit.kernel
def pull_back(
    record, pull, p, method, memory, log, heads, t, seeds, y0_bar, bars, with_times, times, ends, penalties, attempts,
):  # fmt: skip
    """Go on pulling the cotangents of the outputs of a group back, for at most so many steps.

    Parameters
    ----------
    record, pull : int
        Addresses.
    p : ndarray
        As for `lanes.advance`, with a slot for each stage.
    method : tuple
        `Scheme.arrays`.
    memory : tuple
        Of the group: the trajectory of each lane, the row at the end of its step, the next output, the cotangent of the state,
        the workspace, control.
    log : tuple
        Of the forward sweep.
    heads : ndarray of int, (B,)
    t : ndarray, (T,)
    seeds : ndarray, (T, B, d)
        Cotangents of the outputs.
    y0_bar : ndarray, (B, d)
        Receives the cotangents of the initial states.
    bars : ndarray, (d * lanes + n_params,)
        Behind d * lanes numbers, the cotangent of the parameters is added.
    with_times : bool
        Whether the cotangents of t0 and t1 are wanted.
    times : ndarray, (2,)
        They are added to these.
    ends : ndarray of int, (2, lanes)
        Scratch memory.
    penalties : tuple or None
        A stage, weights (2,) and values (2,), see `_penalise`.
    attempts : int

    Returns
    -------
    bool
        Whether all are at their starts.
    """
    member, row, pointer, lam_lanes, work, control = memory
    log_t, log_y, log_before = log
    last, stages = method[5], method[0].size
    most, d = lam_lanes.shape
    for _ in range(attempts):
        active = control[ACTIVE]
        for lane in range(active - 1, -1, -1):
            if log_before[row[lane]] >= 0:
                continue
            for i in range(d):
                y0_bar[member[lane], i] = lam_lanes[lane, i]
            if not _take(memory, heads, t, seeds, lane):
                active -= 1
                if lane != active:
                    _move(memory, active, lane)
        while active < most and _take(memory, heads, t, seeds, active):
            active += 1
        control[ACTIVE] = active
        if active == 0:
            return True
        lanes = padded(active, most)
        size = d * lanes
        y, lam = vector(work, stages, d, lanes, Y), vector(work, stages, d, lanes, LAM)
        start, end = lane_row(work, stages, d, lanes, START), lane_row(work, stages, d, lanes, END)
        slopes, pulled = view2(work, 0, stages, size), view2(work, stages * size, stages, size)
        inside, last_inside, at_ends = False, False, False
        for j in range(lanes):
            k = j if j < active else 0
            e = row[k]
            s = log_before[e]
            start[j], end[j] = log_t[s], log_t[e] if j < active else log_t[s]
            column(log_y, s, d, lanes, j, y)
            column(lam_lanes, k, d, lanes, j, lam)
            if j < active:
                ends[0, j], ends[1, j] = log_before[s] < 0, e == heads[member[j]]
                has = pointer[j] >= 0 and (t[pointer[j]] - start[j]) * (end[j] - start[j]) > 0.0
                inside = inside or has
                last_inside = last_inside or (has and ends[1, j] != 0)
                at_ends = at_ends or (with_times and (ends[0, j] != 0 or ends[1, j] != 0))
            else:
                for i in range(d):
                    lam[i * lanes + j] = 0.0
        count = last
        if inside and last < stages - 1:
            count = stages
        elif last_inside or penalties is not None:
            count = last + 1
        for i in range(max(count, last + 1) if at_ends else count):
            stage(record, p, method, i, lanes, i, work, d)
        # the vector of the stages' arguments is free from here on
        total, ahead = vector(work, stages, d, lanes, TOTAL), vector(work, stages, d, lanes, AHEAD)
        for j in range(size):
            total[j] = ahead[j] = 0.0
            for i in range(stages):
                pulled[i, j] = 0.0
        for lane in range(active):
            m, s = member[lane], log_before[row[lane]]
            before = log_t[log_before[s]] if log_before[s] >= 0 else log_t[s]
            k = pointer[lane]
            pointer[lane] = seed(
                method, m, k, start[lane], end[lane], before, ends[1, lane] != 0, t, seeds, lanes, lane, pulled, total, ahead
            )  # fmt: skip
        if penalties is not None:
            _penalise(method, penalties[0], penalties[1], penalties[2], lanes, active, work, d)
        bar = view1(bars, d * (most - lanes), size + int(p[N_PARAMS]))
        _pull_stages(pull, p, method, count, lanes, active, work, d, bar, ends, times)
        for lane in range(active):
            m = member[lane]
            for side in range(2):
                if with_times and ends[side, lane] != 0:
                    # the outputs inside are those above the pointer
                    k = pointer[lane]
                    while k + 1 < t.size and (end[lane] - t[k + 1]) * (end[lane] - start[lane]) > 0.0:
                        k += 1
                    times[side] += end_rate(
                        method, count, m, k, start[lane], end[lane], side, t, seeds, lanes, lane, slopes, pulled, lam
                    )  # fmt: skip
        for i in range(count):
            B.add(1.0, pulled[i], lam)
        B.add(1.0, total, lam)
        for lane in range(active):
            m, k = member[lane], pointer[lane]
            for i in range(d):
                lam_lanes[lane, i] = lam[i * lanes + lane]
            if k >= 0 and t[k] == start[lane]:
                for i in range(d):
                    lam_lanes[lane, i] += seeds[k, m, i]
                pointer[lane] = k - 1
            row[lane] = log_before[row[lane]]
    return False
