"""Rosenbrock steps for a block of lanes, and their exact transpose by the transposed factors.

With M = I / (h gamma) - J and J = df/dy at the start (t, y) of the step, stage i solves

    M u_i = f(t + c_i h, z_i) + sum_{j<i} C_ij u_j / h + d_i h df/dt,    z_i = y + sum_{j<i} A_ij u_j,

and y_new = y + sum_i b_i u_i. J and df/dt are part of the step, so that its transpose has second derivatives of f: with lam the
cotangent of y_new and for i = s..1,

    v_i = M^-T (b_i lam + sum_{j>i} (A_ji w_j + C_ji v_j / h) + seeds),    w_i = f_y(z_i)^T v_i,    g_theta += f_theta(z_i)^T v_i,

and then the derivatives with respect to y and theta of

    sum_i v_i^T (f_y u_i + d_i h f_t)(t, y),

sums of directional derivatives of f along (d_i h, u_i), are added to lam + sum_i w_i and to g_theta: one call of the field's
`pull_tangents`, see `odekit.adjoint.tape`. (E. Hairer, G. Wanner, Solving Ordinary Differential Equations II, IV.7, for the
stages; the chain rule for the rest.)

Vectors of d * lanes numbers are [d, lanes] in C order; N is the number of steps, s that of the stages.
"""

import numpy as np

from .. import _jit
from ..solvers.linalg.dense_lu import factor_core, solve
from . import blocks as B
from .tape import FIRST_SLOT, LANES, SLOT

view1, view2 = _jit.view1, _jit.view2
_factor = factor_core(1, False)

DONE, FIELD_RAISED, SINGULAR, NOT_FINITE = range(4)


@_jit.core
def _call(kernel, p, lanes, t, v, out):
    """Call `tangents` or `pull_tangents`, see `odekit.adjoint.tape`, for one block of lanes; its status."""
    p[LANES], p[SLOT] = lanes, p[FIRST_SLOT]
    return _jit.call_scalar(kernel, t, v, out, p)


@_jit.core
def _factorise(tangents, p, lanes, t, y, shift, transposed, given, columns, lu, pivots):
    """Derivatives of the field at (t, y), and the factors of ``shift I - J`` for each lane, or of its transpose.

    Parameters
    ----------
    tangents : int
        Address.
    p : ndarray
    lanes : int
    t : float
    y : ndarray, (d * lanes,)
    shift : float
    transposed : bool
    given : ndarray, (2 + d + (2 + d) d lanes,)
        Memory: number of directions, their parts along t, the state, their parts along y.
    columns : ndarray, ((2 + d) * d * lanes,)
        Receives the field and its derivatives with respect to each component and t, each [d, lanes].
    lu : ndarray, (lanes, d, d)
        Receives the factors, column by column.
    pivots : ndarray of int32, (lanes, d)

    Returns
    -------
    int
        `DONE`, `FIELD_RAISED` or `SINGULAR`.
    """
    d, size = lu.shape[1], lu.shape[1] * lanes
    for i in range(given.size):
        given[i] = 0.0
    given[0], given[1 + d] = d + 1, 1.0
    B.copy(y, view1(given, 2 + d, size))
    for k in range(d):
        for j in range(lanes):
            given[2 + d + (1 + k) * size + k * lanes + j] = 1.0
    if _call(tangents, p, lanes, t, given, columns) != 0:
        return FIELD_RAISED
    for lane in range(lanes):
        matrix = lu[lane]
        for row in range(d):
            for column in range(d):
                entry = (shift if row == column else 0.0) - columns[(1 + column) * size + row * lanes + lane]
                if transposed:
                    matrix[row, column] = entry
                else:
                    matrix[column, row] = entry
        if _factor(matrix, pivots[lane]) != 0:
            return SINGULAR
    return DONE


@_jit.core
def _solve(lu, pivots, lanes, rhs, x):
    """Solve the systems of all lanes in place.

    Parameters
    ----------
    lu, pivots : ndarray, (lanes, d, d) and (lanes, d)
        From `_factorise`.
    lanes : int
    rhs : ndarray, (d * lanes,)
    x : ndarray, (d,)
        Memory for one of them.
    """
    for lane in range(lanes):
        for i in range(x.size):
            x[i] = rhs[i * lanes + lane]
        solve(lu[lane], pivots[lane], x)
        for i in range(x.size):
            rhs[i * lanes + lane] = x[i]


@_jit.kernel
def sweep(value, tangents, p, lanes, method, steps, states, unknowns, t, outputs):
    """Take given steps with a block of lanes.

    Parameters
    ----------
    value, tangents : int
        Addresses, see `odekit.adjoint.tape`.
    p : ndarray
    lanes : int
    method : tuple
        `RosenbrockScheme.arrays`.
    steps : ndarray, (N + 1,)
    states : ndarray, (N + 1, d * lanes)
        The first row is the start; receives the others.
    unknowns : ndarray, (N, s, d * lanes)
        Receives the u_i.
    t : ndarray, (T,)
    outputs : ndarray, (T, d * lanes)

    Returns
    -------
    code, n : int
        One of the codes above, and the step.
    """
    gamma, c, d_t, b, a, between, dense = method
    s, size = c.size, states.shape[1]
    d = size // lanes
    given, columns = np.empty(2 + d + (2 + d) * size), np.empty((2 + d) * size)
    lu, pivots = np.empty((lanes, d, d)), np.empty((lanes, d), dtype=np.int32)
    z, x = np.empty(size), np.empty(d)
    outputs[0] = states[0]
    served = 1
    for n in range(steps.size - 1):
        start, end, y, u = steps[n], steps[n + 1], states[n], unknowns[n]
        h = end - start
        code = _factorise(tangents, p, lanes, start, y, 1.0 / (h * gamma), False, given, columns, lu, pivots)
        if code != DONE:
            return code, n
        rate = view1(columns, (1 + d) * size, size)
        for i in range(s):
            if i == 0:
                B.copy(columns, u[0])
            else:
                B.combine(y, 1.0, a[i], i, u, z)
                if B.evaluate(value, p, lanes, 0, B.stage_time(start, end, c[i]), z, u[i]) != 0:
                    return FIELD_RAISED, n
            for j in range(i):
                if between[i, j] != 0.0:
                    B.add(between[i, j] / h, u[j], u[i])
            B.add(d_t[i] * h, rate, u[i])
            _solve(lu, pivots, lanes, u[i], x)
        B.combine(y, 1.0, b, s, u, states[n + 1])
        total = 0.0
        for i in range(size):
            total += 0.0 * states[n + 1, i]
        if total != 0.0:
            return NOT_FINITE, n
        while served < t.size and (end - t[served]) * h >= 0.0:
            B.copy(y if t[served] != end else states[n + 1], outputs[served])
            if t[served] != end:
                for i in range(s):
                    B.add(B.weight(dense[i], (t[served] - start) / h), u[i], outputs[served])
            served += 1
    return DONE, 0


@_jit.kernel
def pull_back(
    record, pull, tangents, pull_tangents, p, lanes, method, steps, states, unknowns, node, first_output, t, seeds, lam, grad
):  # fmt: skip
    """Pull the cotangents of the outputs back through the steps of `sweep`.

    Parameters
    ----------
    record, pull, tangents, pull_tangents : int
        Addresses, see `odekit.adjoint.tape`.
    p, lanes, method, steps, t
        As for `sweep`.
    states, unknowns : ndarray, (N + 1, d * lanes) and (N, s, d * lanes)
        From `sweep`.
    node, first_output : ndarray of int, (N + 1,)
        From `odekit.adjoint.seeding.locate`.
    seeds : ndarray, (T, d * lanes)
    lam : ndarray, (d * lanes,)
        Receives the cotangent of the start.
    grad : ndarray, (n_params,)
        The cotangent of the parameters is added to it.

    Returns
    -------
    int
        `DONE`, `FIELD_RAISED` or `SINGULAR`.
    """
    gamma, c, d_t, b, a, between, dense = method
    s, size = c.size, lam.size
    d = size // lanes
    given, columns = np.empty(2 + d + (2 + d) * size), np.empty((2 + d) * size)
    lu, pivots = np.empty((lanes, d, d)), np.empty((lanes, d), dtype=np.int32)
    # number of directions, their parts along t, the state, their parts along y, cotangents of the field and of its derivatives
    bent = np.zeros(1 + s + 2 * (1 + s) * size)
    bent[0] = s
    directions, value_bar = view2(bent, 1 + s + size, s, size), view1(bent, 1 + s + (1 + s) * size, size)
    v, w = view2(bent, 1 + s + (2 + s) * size, s, size), np.zeros((s, size))
    z, f, x, bar, along = (
        np.empty(size),
        np.empty(size),
        np.empty(d),
        np.empty(size + grad.size),
        np.empty((1 + s) * size),
    )
    lam[:] = seeds[node[steps.size - 1]]
    for n in range(steps.size - 2, -1, -1):
        start, end, y, u = steps[n], steps[n + 1], states[n], unknowns[n]
        h = end - start
        inside = first_output[n + 1] - (1 if node[n + 1] >= 0 else 0)
        code = _factorise(tangents, p, lanes, start, y, 1.0 / (h * gamma), True, given, columns, lu, pivots)
        if code != DONE:
            return code
        for i in range(size + grad.size):
            bar[i] = 0.0
        for i in range(s - 1, -1, -1):
            for m in range(size):
                v[i, m] = b[i] * lam[m]
            for k in range(first_output[n], inside):
                B.add(B.weight(dense[i], (t[k] - start) / h), seeds[k], v[i])
            for j in range(i + 1, s):
                if a[j, i] != 0.0:
                    B.add(a[j, i], w[j], v[i])
                if between[j, i] != 0.0:
                    B.add(between[j, i] / h, v[j], v[i])
            _solve(lu, pivots, lanes, v[i], x)
            if i > 0:
                B.combine(y, 1.0, a[i], i, u, z)
                time = B.stage_time(start, end, c[i])
                if B.evaluate(record, p, lanes, 0, time, z, f) != 0:
                    return FIELD_RAISED
                B.pull(pull, p, lanes, 0, time, v[i], bar)
                B.copy(bar, w[i])
            bent[1 + i] = d_t[i] * h
            B.copy(u[i], directions[i])
        B.copy(y, view1(bent, 1 + s, size))
        B.copy(v[0], value_bar)
        if _call(tangents, p, lanes, start, bent, along) != 0 or _call(pull_tangents, p, lanes, start, bent, bar) != 0:
            return FIELD_RAISED
        for i in range(grad.size):
            grad[i] += bar[size + i]
        B.add(1.0, bar, lam)
        for i in range(1, s):
            B.add(1.0, w[i], lam)
        for k in range(first_output[n], inside):
            B.add(1.0, seeds[k], lam)
        if node[n] >= 0:
            B.add(1.0, seeds[node[n]], lam)
    return DONE
