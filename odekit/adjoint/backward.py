"""The exact discrete adjoint of an adaptive explicit Runge-Kutta solve: its transpose, with the step sizes held constant.

With the accepted steps (t_n, h_n, y_n) and the tapes of their stages given, for i = s..1,

    v_i = b_i lam + sum_{j>i} a_ji w_j + sum_k beta_i(theta_k) g_k,    w_i = h J_i^T v_i,    g_theta += h (df/dtheta)_i^T v_i,

and lam += sum_i w_i + sum_k g_k, where g_k is the cotangent of an output at t_n + theta_k h and beta_i are the dense-output
weights. This holds for any b, zeros included (E. Hairer, C. Lubich, G. Wanner, Geometric Numerical Integration, 2nd ed.,
VI.4; T. Matsubara, Y. Miyatake, T. Yaguchi, NeurIPS 2021 for neural ODEs).

A last stage that is the vector field at the new solution (first same as last) is the first stage of the next step: both are
pulled back together. Steps whose tapes were not kept are made again, from a stored state. Lanes are independent once the
steps are given, and are treated block by block.

t0 and t1 move the start of the first and the end of the last step only; their cotangents are the exact derivatives of that.
"""

from .. import _jit
from . import blocks as B
from . import seeding
from .revolve import HELD, nearest
from .tape import FIRST_SLOT, N_PARAMS

view1, view2 = _jit.view1, _jit.view2

# counts of a backward sweep, per group, see `odekit.adjoint.revolve`
N_COUNTS = 2


@_jit.core
def _pull_step(
    record, pull, p, lanes, begin, n, stored, method, steps, node, first, t, seeds, rows, size, bar, times, group
):  # fmt: skip
    """Pull ``lam`` back through step n; the state at its start is in the workspace if its stages must be made again.

    Parameters
    ----------
    record, pull : int
        Addresses of the kernels.
    p : ndarray
        See `odekit.adjoint.tape`.
    n, lanes, begin : int
        Step, lanes of the block, and its first trajectory.
    stored : int
        Steps whose tapes are kept.
    method : tuple
        From `odekit.adjoint.scheme.Scheme.arrays`.
    node, first : ndarray of int, (N + 1,)
        From `odekit.adjoint.seeding.locate`.
    steps, t : ndarray, (N + 1,) and (T,)
    seeds : ndarray, (T, B, d)
        Cotangents of the outputs.
    rows : ndarray, ((2 * stages + ROWS) * size,)
        Workspace of the block, see `odekit.adjoint.blocks`; ``size = d * lanes``.
    size : int
    bar : ndarray, (size + n_params,)
        The cotangents of the parameters are added behind those of the states.
    times : ndarray, (groups, 2), or None
        Cotangents of t0 and t1.
    group : int
    """
    c, a, b, dense, last = method[0], method[1], method[2], method[4], method[5]
    stages, n_steps = c.size, steps.size - 1
    slopes, pulled = view2(rows, 0, stages, size), view2(rows, stages * size, stages, size)
    lam, y = view1(rows, (2 * stages + B.LAM) * size, size), view1(rows, (2 * stages + B.Y) * size, size)
    z, u = view1(rows, (2 * stages + B.Z) * size, size), view1(rows, (2 * stages + B.U) * size, size)
    total = view1(rows, (2 * stages + B.TOTAL) * size, size)
    start, end = steps[n], steps[n + 1]
    h = end - start
    ends = times is not None and (n == 0 or n == n_steps - 1)
    inside = seeding.inside(n, node, first) > first[n]
    count = stages if inside and last < stages - 1 else last
    base = n
    if ends or n >= stored:
        base = stored
        for i in range(max(count, last + 1) if ends else count):
            B.combine(y, h, a[i], i, slopes, z)
            slot = B.slot_of(base, i, stored, last, stages)
            B.evaluate(record, p, lanes, slot, B.stage_time(start, end, c[i]), z, slopes[i])
    if inside:
        for j in range(size):
            total[j] = 0.0
        seeding.seed_all(dense, count, n, node, first, steps, t, seeds, begin, lanes, total, z, pulled)
    for i in range(count - 1, -1, -1):
        for j in range(size):
            u[j] = h * b[i] * lam[j]
        for j in range(i + 1, count):
            if a[j, i] != 0.0:
                B.add(h * a[j, i], pulled[j], u)
        if inside:
            B.add(1.0, pulled[i], u)
        if i == 0 and n > 0 and last == stages - 1:
            # outputs inside the step before reach back through its last stage, which is this one; with stages behind it, that
            # step evaluates it itself
            seeding.seed(dense[last], n - 1, node, first, steps, t, seeds, begin, lanes, u)
        slot = B.slot_of(base, i, stored, last, stages)
        rate = B.pull(pull, p, lanes, slot, B.stage_time(start, end, c[i]), u, bar)
        if times is not None:
            times[group, 0] += (1.0 - c[i]) * rate if n == 0 else 0.0
            times[group, 1] += c[i] * rate if n == n_steps - 1 else 0.0
        for j in range(size):
            pulled[i, j] = bar[j]
    if times is not None:  # what is None here is not compiled
        if ends:
            seeding.end_rates(n, method, count, steps, node, first, t, seeds, begin, lanes, rows, size, times[group])
    for i in range(count):
        B.add(1.0, pulled[i], lam)
    if inside:
        B.add(1.0, total, lam)
    if node[n] >= 0:
        B.add_batch(1.0, seeds[node[n]], begin, lanes, lam)


@_jit.core
def _pull_end(
    record, pull, p, lanes, begin, stored, method, steps, node, first, t, seeds, rows, size, bar, times, group
):  # fmt: skip
    """Begin with the cotangent of the last state, which the row LAM of `rows` receives; arguments as for `_pull_step`.

    The state itself is in the row Y if its tape was not kept.
    """
    c, dense, last = method[0], method[4], method[5]
    stages, n = c.size, steps.size - 1
    lam, y = view1(rows, (2 * stages + B.LAM) * size, size), view1(rows, (2 * stages + B.Y) * size, size)
    z, u = view1(rows, (2 * stages + B.Z) * size, size), view1(rows, (2 * stages + B.U) * size, size)
    for i in range(size):
        lam[i] = u[i] = 0.0
    B.add_batch(1.0, seeds[node[n]], begin, lanes, lam)
    if last == stages - 1 and n > 0 and seeding.inside(n - 1, node, first) > first[n - 1]:
        seeding.seed(dense[last], n - 1, node, first, steps, t, seeds, begin, lanes, u)
        slot = B.slot_of(n - 1, last, stored, last, stages)
        if n > stored:
            for i in range(size):
                z[i] = y[i]
            B.evaluate(record, p, lanes, slot, steps[n], z, view1(rows, 0, size))
        rate = B.pull(pull, p, lanes, slot, steps[n], u, bar)
        if times is not None:
            times[group, 1] += rate
        B.add(1.0, bar, lam)


@_jit.kernel
def pull_back(
    worker, workers, groups, record, pull, p_all, work, slots, method, steps, states, node, first, t, seeds, stored, lam, bars, times,
    held, places, counts,
):  # fmt: skip
    """One thread's part of pulling the cotangents of the outputs back to the initial states and the parameters.

    Parameters
    ----------
    worker, workers, groups : int
    record, pull : int
        Addresses, see `odekit.adjoint.tape`.
    p_all : ndarray, (workers, size)
    work : ndarray, (n_blocks, (2 * stages + `blocks.ROWS`) * d * lanes)
    slots : ndarray of int, (n_blocks,)
        First slot of each block.
    method : tuple
        `Scheme.arrays`.
    steps : ndarray, (N + 1,)
    states : ndarray, (N + 1, n_blocks, d * lanes), or (1, ...) with checkpoints
        States at the steps; with checkpoints only the first.
    node, first
        From `odekit.adjoint.seeding.locate`.
    t : ndarray, (T,)
        Output times.
    seeds : ndarray, (T, B, d)
        Cotangents of the outputs.
    stored : int
        Steps whose tapes are at hand.
    lam : ndarray, (B, d)
        Receives the cotangents of the initial states.
    bars : ndarray, (groups, d * lanes + n_params)
        Behind d * lanes numbers, each group's cotangent of the parameters is added.
    times : ndarray, (groups, 2), or None
        The cotangents of t0 and t1 are added to these, group by group; None: they are not wanted.
    held : ndarray, (groups, checkpoints * d * lanes)
    places : ndarray of int, (groups, checkpoints), or None
        None: all states are at hand.
    counts : ndarray of int, (groups, N_COUNTS)

    Returns
    -------
    int
        0: a kernel that others call by its address returns a number.
    """
    width, d = lam.shape
    p, stages, block = p_all[worker], method[0].size, states.shape[2] // d
    for group in range(worker, groups, workers):
        for k in range(group, work.shape[0], groups):
            p[FIRST_SLOT], lanes = slots[k], B.block_lanes(k, block, width)
            rows, size, begin = work[k], d * lanes, k * block
            # the cotangent of the parameters always begins at the same place
            bar = view1(bars[group], d * (block - lanes), size + int(p[N_PARAMS]))
            y = view1(rows, (2 * stages + B.Y) * size, size)
            if places is None and steps.size > stored + 1:
                B.copy(states[steps.size - 1, k], y)
            _pull_end(
                record, pull, p, lanes, begin, stored, method, steps, node, first, t, seeds, rows, size, bar, times, group
            )  # fmt: skip
            top, end = 0, steps.size - 1
            if places is not None:
                B.copy(states[0, k], view1(held[group], 0, size))
                places[group, 0] = 0
                counts[group, HELD] = max(counts[group, HELD], 1)
            while end > 0:
                n = end - 1
                if places is not None:
                    n, top = nearest(
                        record, p, lanes, end, method, steps, rows, size, held[group], places[group], top, counts[group]
                    )  # fmt: skip
                elif n >= stored or times is not None:
                    B.copy(states[n, k], y)
                _pull_step(
                    record, pull, p, lanes, begin, n, stored, method, steps, node, first, t, seeds, rows, size, bar,
                    times, group,
                )  # fmt: skip
                end = n
                if places is not None:
                    if top > 0 and places[group, top] == end:
                        top -= 1
            B.store(view1(rows, (2 * stages + B.LAM) * size, size), begin, lanes, lam)
    return 0
