"""The forward sweep of a batch with shared steps: the tape of every evaluation is kept, as far as there is room.

All lanes take the same steps, the error is measured over all of them: `odekit.solvers.explicit` and
`odekit.solvers.driver` do the same for one system. Here the batch is cut into blocks that stay in the cache, the blocks are
shared among threads, and the threads meet once per attempt to add up the error.
"""

import math

from .. import _jit
from ..solvers import control
from ..solvers import driver as D
from ..solvers import state as S
from . import blocks as B
from .barrier import wait
from .judge import judge, weighted_square
from .tape import FIRST_SLOT

view1, view2 = _jit.view1, _jit.view2

ABORTED = -1  # another thread has gone
#: Buffers of the norms: attempts take turns with two, so that one barrier per attempt is enough; the start has its own.
START, PROBE, BUFFERS = 2, 3, 4


@_jit.core
def _sum(norms, turn, column):
    """Column `column` of norms[turn, k, column], summed over the blocks k: in their order, whatever thread has written them."""
    total = 0.0
    for k in range(norms.shape[1]):
        total += norms[turn, k, column]
    return total


@_jit.core
def _start(team, kernels, p, work, places, method, block, stored, w, iw, rtol, atol, y0, norms):  # fmt: skip
    """Load the batch, evaluate it at the start, choose the first step (as `control.initial_step`); arguments as for `sweep`.

    Returns
    -------
    int
        A driver reason.
    """
    worker, workers, barrier, groups = team
    stages, last, exponent = method[0].size, method[5], method[6]
    width, d = y0.shape
    total = max(width * d, 1)
    for group in range(worker, groups, workers):
        for k in range(group, work.shape[0], groups):
            p[FIRST_SLOT], lanes = places[k], B.block_lanes(k, block, width)
            rows, size = work[k], d * lanes
            y, f = view1(rows, (2 * stages + B.Y) * size, size), view1(rows, 0, size)
            B.load(y0, k * block, lanes, y)
            z = view1(rows, (2 * stages + B.Z) * size, size)
            B.copy(y, z)
            slot = B.slot_of(0, 0, stored, last, stages)
            norms[START, k, 3] = B.evaluate(kernels[0], p, lanes, slot, w[S.T], z, f)
            norms[START, k, 0] = weighted_square(y, y, y, rtol, atol)
            norms[START, k, 1] = weighted_square(f, y, y, rtol, atol)
            norms[START, k, 2] = 0.0 * B.dot(f, f)
    if not wait(barrier, workers):
        return ABORTED
    iw[S.NFEV] += 1
    if _sum(norms, START, 3) != 0.0:
        return D.FIELD_RAISED
    if _sum(norms, START, 2) != 0.0:  # NaN
        return D.START_NOT_FINITE
    h = w[S.H_FIXED]
    if h == 0.0:
        d0, d1 = math.sqrt(_sum(norms, START, 0) / total), math.sqrt(_sum(norms, START, 1) / total)
        span = abs(w[S.T_END] - w[S.T])
        h0 = min(control.first_guess(d0, d1), span)
        for group in range(worker, groups, workers):
            for k in range(group, work.shape[0], groups):
                p[FIRST_SLOT], lanes = places[k], B.block_lanes(k, block, width)
                rows, size = work[k], d * lanes
                y, f = view1(rows, (2 * stages + B.Y) * size, size), view1(rows, 0, size)
                z, probe = view1(rows, (2 * stages + B.Z) * size, size), view1(rows, size, size)
                for i in range(size):
                    z[i] = y[i] + w[S.DIRECTION] * h0 * f[i]
                slot = B.slot_of(0, 1, stored, last, stages)
                norms[PROBE, k, 3] = B.evaluate(kernels[1], p, lanes, slot, w[S.T] + w[S.DIRECTION] * h0, z, probe)
                for i in range(size):
                    probe[i] -= f[i]
                norms[PROBE, k, 0] = weighted_square(probe, y, y, rtol, atol)
        if not wait(barrier, workers):
            return ABORTED
        iw[S.NFEV] += 1
        if _sum(norms, PROBE, 3) != 0.0:
            return D.FIELD_RAISED
        h = min(control.first_size(h0, d1, math.sqrt(_sum(norms, PROBE, 0) / total) / h0, exponent), span)
        if not h < math.inf:
            h = control.TINY_STEP * span
    w[S.H_NEXT] = w[S.DIRECTION] * h
    iw[S.FIRST_STEP] = 0
    return D.CONTINUE


@_jit.core
def _attempt_block(kernel, p, lanes, n, stored, w, method, rtol, atol, rows, size, norms):
    """All stages of an attempt for one block, and its part of the error.

    Parameters
    ----------
    kernel : int
        Address of `value` or `record`.
    p : ndarray
    lanes, n, stored : int
        Lanes of the block, number of the step, steps whose tapes are kept.
    w : ndarray
        See `odekit.solvers.state`.
    method : tuple
        From `odekit.adjoint.scheme.Scheme.arrays`.
    rtol, atol : float
    rows : ndarray, ((2 * stages + ROWS) * size,)
        Workspace of the block, see `odekit.adjoint.blocks`; ``size = d * lanes``.
    size : int
    norms : ndarray, (4,)
        Receives the squares of the error, of the second estimate, 0 times all that must be finite, the status.
    """
    c, a, b, error, _dense, last, _exponent, two_estimates = method
    stages = c.size
    y, y_new = view1(rows, (2 * stages + B.Y) * size, size), view1(rows, (2 * stages + B.Y_NEW) * size, size)
    z, u = view1(rows, (2 * stages + B.Z) * size, size), view1(rows, (2 * stages + B.U) * size, size)
    slopes = view2(rows, 0, stages, size)
    t, t_new = w[S.T], w[S.T_NEW]
    norms[3] = B.take_step(kernel, p, lanes, n, stored, t, t_new, c, a, b, last, y, y_new, z, slopes)
    norms[2] = 0.0 * B.dot(y_new, y_new) + 0.0 * B.dot(slopes[last], slopes[last])
    for k in range(2 if two_estimates else 1):
        for i in range(size):
            u[i] = 0.0
        for j in range(last + 1):
            if error[k, j] != 0.0:
                B.add((t_new - t) * error[k, j], slopes[j], u)
        norms[k] = weighted_square(u, y, y_new, rtol, atol)


@_jit.core_apart
def _serve(value, p, lanes, begin, n, stored, w, iw, method, rows, size, t, outputs, rates):
    """States at the output times in an accepted step, and their derivatives in time if they are wanted.

    Parameters
    ----------
    value : int
        Address of the kernel.
    p : ndarray
    lanes, begin, n, stored : int
        Lanes of the block, its first trajectory, number of the step, steps whose tapes are kept.
    w, iw : ndarray
        See `odekit.solvers.state`.
    method : tuple
    rows : ndarray, ((2 * stages + ROWS) * size,)
        Workspace of the block, see `odekit.adjoint.blocks`; ``size = d * lanes``.
    size : int
    t : ndarray, (T,)
    outputs, rates : ndarray, (T, B, d), and (T, B, d) or (0, B, d)
        Receive.

    Returns
    -------
    int
        Number of the first output behind the step.
    """
    c, a, dense, last = method[0], method[1], method[4], method[5]
    stages = c.size
    y, y_new = view1(rows, (2 * stages + B.Y) * size, size), view1(rows, (2 * stages + B.Y_NEW) * size, size)
    z, u = view1(rows, (2 * stages + B.Z) * size, size), view1(rows, (2 * stages + B.U) * size, size)
    slopes = view2(rows, 0, stages, size)
    start, end, extras = w[S.T], w[S.T_NEW], False
    k = iw[S.N_EVAL]
    while k < t.size and (end - t[k]) * w[S.DIRECTION] >= 0.0:
        if t[k] == end:
            B.store(y_new, begin, lanes, outputs[k])
            if rates.shape[0] > 0:
                B.store(slopes[last], begin, lanes, rates[k])
        else:
            if not extras:
                extras = True
                B.extra_stages(value, p, lanes, n, stored, start, end, c, a, last, y, z, slopes)
            theta = (t[k] - start) / (end - start)
            for i in range(size):
                z[i], u[i] = y[i], 0.0
            for j in range(stages):
                B.add((end - start) * B.weight(dense[j], theta), slopes[j], z)
                if rates.shape[0] > 0:
                    B.add(B.weight_rate(dense[j], theta), slopes[j], u)
            B.store(z, begin, lanes, outputs[k])
            if rates.shape[0] > 0:
                B.store(u, begin, lanes, rates[k])
        k += 1
    return k


@_jit.kernel
def sweep(
    team, kernels, p_all, work, places, method, w_all, iw_all, rtol, atol, y0, t, outputs, rates, steps, states, stored, attempts, norms,
):  # fmt: skip
    """One thread's part of a forward sweep; goes on where the last call has stopped.

    Parameters
    ----------
    team : tuple
        Number of this thread, of all threads, ndarray of int64 (2,) where they wait for each other, groups of blocks.
    kernels : tuple of int
        Addresses of `record` and `value`, see `odekit.adjoint.tape`.
    p_all : ndarray, (workers, size)
        The vectors of the kernels, each thread's own copy.
    work : ndarray, (n_blocks, (2 * stages + `blocks.ROWS`) * d * lanes)
    places : ndarray of int, (n_blocks,)
        First slot of each block.
    method : tuple
        `Scheme.arrays`.
    w_all, iw_all : ndarray, (workers, ...)
        The scalars of `odekit.solvers.state`, each thread's own copy.
    rtol, atol : float
    y0 : ndarray, (B, d)
    t : ndarray, (T,)
        Output times; the first is the start.
    outputs : ndarray, (T, B, d)
        The first is there already.
    rates : ndarray, (T, B, d) or (0, B, d)
        Receives the derivatives of the outputs in time.
    steps : ndarray, (capacity,)
        Receives the start and the ends of the accepted steps.
    states : ndarray, (capacity, n_blocks, d * lanes) or (1, ...)
        Receives the states there, or the first only.
    stored : int
        Steps for whose tapes there is room.
    attempts : int
        At most so many.
    norms : ndarray, (BUFFERS, n_blocks, 4)
        Where the threads exchange their parts of the norms.

    Returns
    -------
    int
        A reason of `odekit.solvers.driver.advance`, or `ABORTED`.
    """
    worker, workers, barrier, groups = team
    p, w, iw = p_all[worker], w_all[worker], iw_all[worker]
    width, d = y0.shape
    last, exponent, two_estimates = method[5], method[6], method[7]
    stages, block = method[0].size, states.shape[2] // d
    if iw[S.FIRST_STEP] == 1:
        reason = _start(team, kernels, p, work, places, method, block, stored, w, iw, rtol, atol, y0, norms)
        if reason != D.CONTINUE:
            return reason
        if worker == 0:
            steps[0] = w[S.T]
        for k in range(work.shape[0]):
            if (k % groups) % workers == worker:
                size = d * B.block_lanes(k, block, width)
                B.copy(view1(work[k], (2 * stages + B.Y) * size, size), view1(states[0, k], 0, size))
        iw[S.N_EVAL] = 1
    for _ in range(attempts):
        if w[S.T] == w[S.T_END]:
            return D.DONE
        if iw[S.NACCEPT] + iw[S.NREJECT] >= iw[S.MAX_STEPS]:
            return D.STEPS_EXHAUSTED
        n = iw[S.NACCEPT]
        if n + 1 >= steps.size:
            return D.BUFFER_FULL
        if not D.aim(w, iw):
            return D.STEP_TOO_SMALL
        turn = (n + iw[S.NREJECT]) % 2
        kernel = kernels[0] if n < stored else kernels[1]
        for group in range(worker, groups, workers):
            for k in range(group, work.shape[0], groups):
                p[FIRST_SLOT], lanes = places[k], B.block_lanes(k, block, width)
                _attempt_block(kernel, p, lanes, n, stored, w, method, rtol, atol, work[k], d * lanes, norms[turn, k])
        if not wait(barrier, workers):
            return ABORTED
        iw[S.NFEV] += last
        if _sum(norms, turn, 3) != 0.0:
            w[S.T_FAIL] = w[S.T]
            return D.FIELD_RAISED
        square, low, finite = _sum(norms, turn, 0), _sum(norms, turn, 1), _sum(norms, turn, 2)
        if not judge(w, iw, square, low, finite, width * d, exponent, two_estimates):
            iw[S.REJECTED] = 1
            iw[S.NREJECT] += 1
            continue
        served = iw[S.N_EVAL]
        for group in range(worker, groups, workers):
            for k in range(group, work.shape[0], groups):
                p[FIRST_SLOT], lanes = places[k], B.block_lanes(k, block, width)
                rows, size = work[k], d * lanes
                served = _serve(kernel, p, lanes, k * block, n, stored, w, iw, method, rows, size, t, outputs, rates)
                y = view1(rows, (2 * stages + B.Y) * size, size)
                B.copy(view1(rows, (2 * stages + B.Y_NEW) * size, size), y)
                B.copy(view1(rows, last * size, size), view1(rows, 0, size))
                if states.shape[0] > 1:
                    B.copy(y, view1(states[n + 1, k], 0, size))
        iw[S.N_EVAL] = served
        w[S.T] = w[S.T_NEW]
        w[S.H_OLD] = w[S.H]
        iw[S.NACCEPT] += 1
        iw[S.REJECTED] = 0
        if worker == 0:
            steps[n + 1] = w[S.T]
    return D.CONTINUE
