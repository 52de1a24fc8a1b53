"""Reversible steps around any explicit method [1]_, and the way back through them.

With Psi_h(t, y) the increment of one step of the method, two states travel together:

    y1 = l y0 + (1 - l) z0 + Psi_h(t0, z0),        z1 = z0 - Psi_{-h}(t1, y1),

and both can be computed back from (y1, z1), to rounding. The steps end exactly at the output times.

The batch is cut into blocks as `odekit.adjoint.blocks` says; vectors of d * lanes numbers are [d, lanes] in C order, a row of
``work`` has S of them for the slopes, S for their cotangents, and then those named below.

References
----------
.. [1] S. McCallum, J. Foster, "Efficient, accurate and stable gradients for neural ODEs", arXiv:2410.11648 (2024).
"""

import math

import numpy as np

from .. import _jit
from ..solvers import driver as D
from ..solvers import state as S
from . import blocks as B
from .judge import judge, weighted_square
from .tape import N_PARAMS

view1, view2 = _jit.view1, _jit.view2

# rows of a block's workspace behind the slopes and their cotangents
Y, Z, Y_NEW, Z_NEW, PSI, TEMP, U, Y_BAR, Z_BAR = range(9)
ROWS = 9


@_jit.core
def _psi(kernel, p, lanes, t, t_new, method, y, temp, slopes, out):
    """out = Psi_h(t, y); the tapes of its stages are in slots 0, 1, ...

    Parameters
    ----------
    kernel : int
        Address of `record`.
    p : ndarray
        See `odekit.adjoint.tape`.
    lanes : int
    t, t_new : float
        ``h = t_new - t``.
    method : tuple
        `Scheme.arrays`.
    y, out : ndarray, (d * lanes,)
    temp : ndarray, (d * lanes,)
        Memory.
    slopes : ndarray, (S, d * lanes)
        Receives those of the stages.

    Returns
    -------
    int
        Status of the kernel.
    """
    c, a, b, last = method[0], method[1], method[2], method[5]
    h = t_new - t
    for i in range(last):
        B.combine(y, h, a[i], i, slopes, temp)
        status = B.evaluate(kernel, p, lanes, i, B.stage_time(t, t_new, c[i]), temp, slopes[i])
        if status != 0:
            return status
    for i in range(out.size):
        out[i] = 0.0
    for j in range(last):
        if b[j] != 0.0:
            B.add(h * b[j], slopes[j], out)
    return 0


@_jit.core
def _pull_psi(pull, p, lanes, t, t_new, method, lam, factor, u, pulled, bar, out):
    """out += factor (dPsi/dy)^T lam with the tapes of `_psi`, whose `lanes`, `t`, `t_new` and `method` these are.

    Parameters
    ----------
    pull : int
        Address.
    p : ndarray
    lam, out : ndarray, (d * lanes,)
    factor : float
    u : ndarray, (d * lanes,)
        Memory.
    pulled : ndarray, (S, d * lanes)
        Memory.
    bar : ndarray, (d * lanes + n_params,)
        The parameters' part is added behind d * lanes numbers.
    """
    c, a, b, last = method[0], method[1], method[2], method[5]
    h = t_new - t
    for i in range(last - 1, -1, -1):
        for j in range(u.size):
            u[j] = factor * h * b[i] * lam[j]
        for j in range(i + 1, last):
            if a[j, i] != 0.0:
                B.add(h * a[j, i], pulled[j], u)
        B.pull(pull, p, lanes, i, B.stage_time(t, t_new, c[i]), u, bar)
        for j in range(u.size):
            pulled[i, j] = bar[j]
    for i in range(last):
        B.add(1.0, pulled[i], out)


@_jit.kernel
def sweep(record, p, work, method, coupling, w, iw, rtol, atol, y0, t, outputs, steps, attempts):
    """Integrate a batch by reversible steps; goes on where the last call has stopped.

    Parameters
    ----------
    record : int
        Address.
    p : ndarray, (n_blocks, size)
        A vector for each block, see `odekit.adjoint.tape`.
    work : ndarray, (n_blocks, (2 * S + ROWS) * d * lanes)
    method : tuple
        `Scheme.arrays`.
    coupling : float
        The l of the method.
    w, iw : ndarray
        The scalars of `odekit.solvers.state`; ``w[H_NEXT]`` is the first step.
    rtol, atol : float
    y0 : ndarray, (B, d)
    t : ndarray, (T,)
        Output times, the start first.
    outputs : ndarray, (T, B, d)
        The first is there already.
    steps : ndarray, (capacity,)
        Receives the start and the ends of the accepted steps.
    attempts : int
        At most so many.

    Returns
    -------
    int
        A reason of `odekit.solvers.driver.advance`.
    """
    width, d = y0.shape
    block = min(width, B.LANE_BLOCK)
    error, last, exponent, two_estimates = method[3], method[5], method[6], method[7]
    norms, stages = np.zeros((p.shape[0], 3)), method[0].size
    if iw[S.FIRST_STEP] == 1:
        steps[0] = w[S.T]
        iw[S.N_EVAL], iw[S.FIRST_STEP] = 1, 0
        for k in range(p.shape[0]):
            lanes = B.block_lanes(k, block, width)
            size = d * lanes
            rows = work[k]
            B.load(y0, k * block, lanes, view1(rows, (2 * stages + Y) * size, size))
            B.load(y0, k * block, lanes, view1(rows, (2 * stages + Z) * size, size))
    for _ in range(attempts):
        if w[S.T] == t[-1]:
            return D.DONE
        if iw[S.NACCEPT] + iw[S.NREJECT] >= iw[S.MAX_STEPS]:
            return D.STEPS_EXHAUSTED
        n, goal = iw[S.NACCEPT], iw[S.N_EVAL]
        if n + 1 >= steps.size:
            return D.BUFFER_FULL
        w[S.T_END] = t[goal]
        wanted = w[S.H_NEXT]
        if not D.aim(w, iw):
            return D.STEP_TOO_SMALL
        start, end = w[S.T], w[S.T_NEW]
        h = end - start
        failed = 0
        for k in range(p.shape[0]):
            lanes = B.block_lanes(k, block, width)
            size, rows = d * lanes, work[k]
            y, z = view1(rows, (2 * stages + Y) * size, size), view1(rows, (2 * stages + Z) * size, size)
            y_new, z_new = (
                view1(rows, (2 * stages + Y_NEW) * size, size),
                view1(rows, (2 * stages + Z_NEW) * size, size),
            )
            psi, temp = view1(rows, (2 * stages + PSI) * size, size), view1(rows, (2 * stages + TEMP) * size, size)
            slopes = view2(rows, 0, stages, size)
            failed += _psi(record, p[k], lanes, start, end, method, z, temp, slopes, psi)
            for i in range(size):
                y_new[i] = coupling * y[i] + (1.0 - coupling) * z[i] + psi[i]
            for j in range(2 if two_estimates else 1):
                for i in range(size):
                    z_new[i] = 0.0
                for i in range(last):
                    if error[j, i] != 0.0:
                        B.add(h * error[j, i], slopes[i], z_new)
                if error[j, last] != 0.0:  # the slope at the new solution of the method itself
                    for i in range(size):
                        temp[i] = z[i] + psi[i]
                    failed += B.evaluate(record, p[k], lanes, last, end, temp, slopes[last])
                    B.add(h * error[j, last], slopes[last], z_new)
                norms[k, j] = weighted_square(z_new, y, y_new, rtol, atol)
            failed += _psi(record, p[k], lanes, end, start, method, y_new, temp, slopes, psi)
            for i in range(size):
                z_new[i] = z[i] - psi[i]
            norms[k, 2] = 0.0 * B.dot(y_new, y_new) + 0.0 * B.dot(z_new, z_new)
        iw[S.NFEV] += 2 * last
        if failed != 0:
            return D.FIELD_RAISED
        square, low, finite = norms[:, 0].sum(), norms[:, 1].sum(), norms[:, 2].sum()
        if not judge(w, iw, square, low, finite, width * d, exponent, two_estimates):
            iw[S.REJECTED] = 1
            iw[S.NREJECT] += 1
            continue
        if (
            abs(h) < abs(wanted) and exponent != 0.0
        ):  # cut short to end at an output: that says nothing about the next step
            w[S.H_NEXT] = math.copysign(max(abs(w[S.H_NEXT]), abs(wanted)), h)
        for k in range(p.shape[0]):
            lanes = B.block_lanes(k, block, width)
            size, rows = d * lanes, work[k]
            B.copy(view1(rows, (2 * stages + Y_NEW) * size, size), view1(rows, (2 * stages + Y) * size, size))
            B.copy(view1(rows, (2 * stages + Z_NEW) * size, size), view1(rows, (2 * stages + Z) * size, size))
            if end == t[goal]:
                B.store(view1(rows, (2 * stages + Y) * size, size), k * block, lanes, outputs[goal])
        if end == t[goal]:
            iw[S.N_EVAL] = goal + 1
        w[S.T] = end
        iw[S.NACCEPT] += 1
        iw[S.REJECTED] = 0
        steps[n + 1] = end
    return D.CONTINUE


@_jit.kernel
def pull_back(record, pull, p, work, method, coupling, steps, node, seeds, lam, bar_all):
    """Recompute the states backwards and pull the cotangents of the outputs back.

    Parameters
    ----------
    record, pull : int
        Addresses.
    p, work, method, coupling
        From `sweep`, with the last states in `work`.
    steps : ndarray, (N + 1,)
    node : ndarray of int, (N + 1,)
        From `odekit.adjoint.seeding.locate`.
    seeds : ndarray, (T, B, d)
        Cotangents of the outputs; the first is replaced by the state to which the way back has come, to be compared with y0.
    lam : ndarray, (B, d)
        Receives the cotangents of the initial states.
    bar_all : ndarray, (d * L + n_params,)
        Behind d * L numbers, L lanes of a full block, the cotangent of the parameters is added.
    """
    width, d = lam.shape
    block = min(width, B.LANE_BLOCK)
    stages = method[0].size
    for k in range(p.shape[0]):
        lanes = B.block_lanes(k, block, width)
        size, rows, begin = d * lanes, work[k], k * block
        y, z = view1(rows, (2 * stages + Y) * size, size), view1(rows, (2 * stages + Z) * size, size)
        y_bar, z_bar = view1(rows, (2 * stages + Y_BAR) * size, size), view1(rows, (2 * stages + Z_BAR) * size, size)
        psi, temp = view1(rows, (2 * stages + PSI) * size, size), view1(rows, (2 * stages + TEMP) * size, size)
        u, slopes = view1(rows, (2 * stages + U) * size, size), view2(rows, 0, stages, size)
        pulled = view2(rows, stages * size, stages, size)
        bar = view1(bar_all, d * (block - lanes), size + int(p[k, N_PARAMS]))
        for i in range(size):
            y_bar[i] = z_bar[i] = 0.0
        B.add_batch(1.0, seeds[node[steps.size - 1]], begin, lanes, y_bar)
        for n in range(steps.size - 2, -1, -1):
            start, end = steps[n], steps[n + 1]
            _psi(record, p[k], lanes, end, start, method, y, temp, slopes, psi)
            _pull_psi(pull, p[k], lanes, end, start, method, z_bar, -1.0, u, pulled, bar, y_bar)
            for i in range(size):
                z[i] += psi[i]
            _psi(record, p[k], lanes, start, end, method, z, temp, slopes, psi)
            for i in range(size):
                y[i] = (y[i] - (1.0 - coupling) * z[i] - psi[i]) / coupling
                z_bar[i] += (1.0 - coupling) * y_bar[i]
            _pull_psi(pull, p[k], lanes, start, end, method, y_bar, 1.0, u, pulled, bar, z_bar)
            for i in range(size):
                y_bar[i] *= coupling
            if node[n] > 0:
                B.add_batch(1.0, seeds[node[n]], begin, lanes, y_bar)
        B.add(1.0, z_bar, y_bar)
        B.add_batch(1.0, seeds[0], begin, lanes, y_bar)
        B.store(y_bar, begin, lanes, lam)
        B.store(y, begin, lanes, seeds[0])  # the seeds are no longer needed
