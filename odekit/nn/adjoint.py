"""The exact discrete adjoint of an adaptive explicit Runge-Kutta solve: its transpose, with the step sizes held constant.

With the accepted steps (t_n, h_n, y_n) given, the stages of a step are computed again, and then, for i = s..1,

    v_i = b_i lam + sum_{j>i} a_ji w_j + sum_k beta_i(theta_k) g_k,    w_i = h J_i^T v_i,    g_theta += h (df/dtheta)_i^T v_i,

and lam += sum_i w_i + sum_k g_k, where g_k is the cotangent of an output at t_n + theta_k h and beta_i are the dense-output
weights. This holds for any b, zeros included (E. Hairer, C. Lubich, G. Wanner, Geometric Numerical Integration, 2nd ed.,
VI.4; T. Matsubara, Y. Miyatake, T. Yaguchi, NeurIPS 2021 for neural ODEs).

A last stage that is the vector field at the new solution (first same as last) is the first stage of the next step: both are
pulled back together. Lanes are independent once the steps are given, and are treated block by block, each in the cache.
"""

import dataclasses
import functools

import numpy as np

from .. import _jit
from ..solvers.hermite import HERMITE
from .header import BLOCK, LANES, N_PARAMS, SLOT

view1 = _jit.view1


@dataclasses.dataclass(frozen=True)
class Tableau:
    """An explicit method as the adjoint sees it: its last regular stage is the vector field at the new solution.

    Attributes
    ----------
    c : ndarray, (S,)
    a : ndarray, (S, S)
    b : ndarray, (S,)
        Zero for stages that only the dense output needs.
    dense : ndarray, (S, degree)
    last : int
        Number of the stage at the new solution; the stages behind it serve the dense output only.
    """

    c: np.ndarray
    a: np.ndarray
    b: np.ndarray
    dense: np.ndarray
    last: int

    @property
    def slots(self):
        """Evaluations whose tapes are needed at once."""
        return self.c.size


@functools.cache
def tableau(table):
    """Bring an `ExplicitTable` into that form.

    Parameters
    ----------
    table : ExplicitTable

    Returns
    -------
    Tableau
    """
    s, m = table.stages, len(table.extra_c)
    appended = 0 if table.fsal else 1
    size = s + appended + m
    # the extra stages come last, behind the appended one
    places = np.array([*range(s), *range(s + appended, size)])
    a, b, c = np.zeros((size, size)), np.zeros(size), np.zeros(size)
    a[:s, :s], b[:s], c[:s] = table.A, table.b, table.c
    if appended:
        a[s, :s], c[s] = table.b, 1.0
    if m:
        a[np.ix_(places[s:], places)], c[places[s:]] = table.extra_A, table.extra_c
    last = s + appended - 1
    if table.dense is None:
        change, start, end = HERMITE
        dense = np.outer(b, change)
        dense[0] += start
        dense[last] += end
    else:
        dense = np.zeros((size, len(table.dense[0])))
        dense[places] = table.dense
    return Tableau(c, a, b, dense, last)


@_jit.kernel
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
    theta : ndarray, (T,)
        Position within the step; 1 at its end.
    """
    node, first = np.full(steps.size, -1), np.empty(steps.size, dtype=np.int64)
    theta = np.ones(t.size)
    node[0], k = 0, 1
    for n in range(steps.size - 1):
        first[n] = k
        h = steps[n + 1] - steps[n]
        while k < t.size and (steps[n + 1] - t[k]) * h >= 0.0:
            if t[k] == steps[n + 1]:
                node[n + 1] = k
            else:
                theta[k] = (t[k] - steps[n]) / h
            k += 1
    first[-1] = k
    return node, first, theta


@_jit.core
def _weight(row, theta):
    """Dense-output weight sum_d row[d - 1] theta^d of a stage."""
    value = 0.0
    for d in range(row.size - 1, -1, -1):
        value = (value + row[d]) * theta
    return value


@_jit.core
def _add_tile(factor, rows, width, start, lanes, out):
    """out[d, lanes] += factor * columns start : start + lanes of rows[d, width]."""
    for i in range(out.size // lanes):
        for j in range(lanes):
            out[i * lanes + j] += factor * rows[i * width + start + j]


@_jit.core
def _add(factor, x, out):
    for i in range(out.size):
        out[i] += factor * x[i]


@_jit.core
def _seed(dense, stage, h, outputs, theta, seeds, width, start, lanes, u):
    """u += h sum_k beta_stage(theta_k) g_k over the outputs inside a step."""
    for k in range(outputs[0], outputs[1]):
        _add_tile(h * _weight(dense[stage], theta[k]), seeds[k], width, start, lanes, u)


@_jit.kernel
def pull_back(record, pull, p, c, a, b, dense, last, steps, states, node, first, theta, seeds, start, stop, lam, grad):
    """Pull cotangents of the outputs back to the initial state and the parameters.

    Parameters
    ----------
    record, pull : int
        Addresses, see `odekit.nn.field_kernels`.
    p : ndarray
        For blocks of at most ``p[BLOCK]`` lanes, with a slot for every stage.
    c, a, b, dense, last
        A `Tableau`.
    steps : ndarray, (N + 1,)
    states : ndarray, (N + 1, d * B)
    node, first, theta
        From `locate`.
    seeds : ndarray, (T, d * B)
        Cotangents of the outputs.
    start, stop : int
        Lanes to treat.
    lam : ndarray, (d, B)
        Receives the cotangents of the initial states of these lanes.
    grad : ndarray, (n_params,)
        The cotangent of the parameters is added to it.
    """
    d = lam.shape[0]
    block, n_params, stages = int(p[BLOCK]), int(p[N_PARAMS]), c.size
    work = np.empty((2 * stages + 4, d * block))
    bar = np.empty(d * block + n_params)
    outputs = np.zeros(2, dtype=np.int64)
    for begin in range(start, stop, block):
        lanes = min(block, stop - begin)
        p[LANES] = lanes
        _pull_back_block(
            record, pull, p, c, a, b, dense, last, steps, states, node, first, theta, seeds, begin, lanes, lam, work, bar, outputs
        )  # fmt: skip
        for i in range(n_params):
            grad[i] += bar[d * lanes + i]


@_jit.core
def _inside(n, node, first, outputs):
    """Numbers of the outputs strictly inside step n, as a range."""
    outputs[0], outputs[1] = first[n], first[n + 1]
    if node[n + 1] >= 0:
        outputs[1] -= 1
    return outputs[1] > outputs[0]


@_jit.core
def _pull_back_block(
    record, pull, p, c, a, b, dense, last, steps, states, node, first, theta, seeds, begin, lanes, lam_all, work, bar, outputs
):  # fmt: skip
    """The backward sweep for one block of lanes; the cotangent of the parameters is left in ``bar[d * lanes :]``."""
    width, size = lam_all.shape[1], lam_all.shape[0] * lanes
    stages = c.size
    for i in range(bar.size):
        bar[i] = 0.0
    lam, y = view1(work[2 * stages], 0, size), view1(work[2 * stages + 1], 0, size)
    z, u = view1(work[2 * stages + 2], 0, size), view1(work[2 * stages + 3], 0, size)
    for i in range(size):
        lam[i] = 0.0
    for n in range(steps.size - 1, -1, -1):
        # outputs inside the step before reach back through its last stage, which is an evaluation at this node; with
        # stages behind it, that step evaluates it itself
        shared = last == stages - 1 and n > 0 and _inside(n - 1, node, first, outputs)
        for i in range(size):
            y[i] = 0.0
        _add_tile(1.0, states[n], width, begin, lanes, y)
        if n == steps.size - 1:
            _add_tile(1.0, seeds[node[n]], width, begin, lanes, lam)
            if shared:
                for i in range(size):
                    u[i] = 0.0
                _seed(dense, last, steps[n] - steps[n - 1], outputs, theta, seeds, width, begin, lanes, u)
                p[SLOT] = 0
                _jit.call_scalar(record, steps[n], y, z, p)
                _jit.call_scalar(pull, steps[n], u, bar, p)
                _add(1.0, bar, lam)
            continue
        h = steps[n + 1] - steps[n]
        inside = _inside(n, node, first, outputs)
        count = stages if inside and last < stages - 1 else last
        for i in range(count):
            for j in range(size):
                z[j] = y[j]
            for j in range(i):
                if a[i, j] != 0.0:
                    _add(h * a[i, j], work[j], z)
            p[SLOT] = i
            _jit.call_scalar(record, steps[n + 1] if c[i] == 1.0 else steps[n] + c[i] * h, z, work[i], p)
        for i in range(count - 1, -1, -1):
            for j in range(size):
                u[j] = h * b[i] * lam[j]
            for j in range(i + 1, count):
                if a[j, i] != 0.0:
                    _add(h * a[j, i], work[stages + j], u)
            if inside:
                _seed(dense, i, h, outputs, theta, seeds, width, begin, lanes, u)
            if i == 0 and shared:
                _inside(n - 1, node, first, outputs)
                _seed(dense, last, steps[n] - steps[n - 1], outputs, theta, seeds, width, begin, lanes, u)
            p[SLOT] = i
            _jit.call_scalar(pull, steps[n + 1] if c[i] == 1.0 else steps[n] + c[i] * h, u, bar, p)
            for j in range(size):
                work[stages + i, j] = bar[j]
        for i in range(count):
            _add(1.0, work[stages + i], lam)
        if inside:
            _inside(n, node, first, outputs)
            for k in range(outputs[0], outputs[1]):
                _add_tile(1.0, seeds[k], width, begin, lanes, lam)
        if node[n] >= 0:
            _add_tile(1.0, seeds[node[n]], width, begin, lanes, lam)
    for i in range(lam_all.shape[0]):
        for j in range(lanes):
            lam_all[i, begin + j] = lam[i * lanes + j]
