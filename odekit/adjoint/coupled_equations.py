"""Systems of differential equations that adjoints solve beside the one of the user, as kernels for the integrators.

Their vector `p` begins with the numbers named below; behind them come scratch memory and the `p` of the field. A batch of B
states of d components is one system of n = B d numbers, [B, d] in C order: the states stand one after the other, so that its
Jacobian is a band, of a block of d numbers for each. The kernels of the field take blocks of at most L lanes of it, [d, lanes] in
C order.
"""

import numpy as np

from .. import _jit
from . import blocks as B
from .tape import SIZE, core_address

view1, view2 = _jit.view1, _jit.view2

RECORD, PULL = 0, 1  # addresses
DIM, WIDTH, BLOCK = 2, 3, 4  # of the state, of the batch, of a block
PARAMETERS = 5
FIELD = 6  # offset of the p of the field
STEPS, TIMES, STATES, SLOPES, DEGREE, HINT = 7, 8, 9, 10, 11, 12  # dense output of the forward solution
TOTAL = 13  # length of p, at the place where `odekit.adjoint.tape.scalar_address` looks for it
LANE_ROWS = 14  # 0, or where the field's p has room for the times of its lanes
HEADER = 15
assert TOTAL == SIZE


def pack(field, width, block, extra=0):
    """The vector `p` of a system.

    Parameters
    ----------
    field : object
        See `odekit.adjoint.tape`.
    width, block : int
        States of the batch, and most of them in a call of the field's kernels.
    extra : int
        Numbers behind it all, as for a dense output.

    Returns
    -------
    p : ndarray
        The numbers above; scratch memory for three vectors (d * L,) and one of (d * L + n_params,); the p of the field; the rest.
    end : int
        Where the extra numbers begin.
    """
    inner = field.pack(block, 1)
    rows = inner.size if getattr(field, "lane_times", False) else 0
    inner = np.concatenate((inner, np.zeros(2 * block if rows else 0)))
    inner[SIZE] = inner.size
    scratch = 4 * field.dim * block + field.params.size
    p = np.zeros(HEADER + scratch + inner.size + extra)
    p[RECORD], p[PULL] = field.kernels.record, field.kernels.pull
    p[DIM], p[WIDTH], p[BLOCK], p[PARAMETERS] = field.dim, width, block, field.params.size
    p[FIELD], p[TOTAL], p[LANE_ROWS] = HEADER + scratch, p.size, rows
    p[HEADER + scratch : HEADER + scratch + inner.size] = inner
    return p, HEADER + scratch + inner.size


@_jit.core
def columns(x, rows, begin, lanes, out):
    """Turn a block of states into lanes.

    Parameters
    ----------
    x : ndarray, (width * rows,)
        States [width, rows].
    rows, begin, lanes : int
        The block is that of the states begin : begin + lanes.
    out : ndarray, (rows * lanes,)
        Receives them, [rows, lanes].
    """
    for i in range(rows):
        for j in range(lanes):
            out[i * lanes + j] = x[(begin + j) * rows + i]


@_jit.core
def _back(x, rows, begin, lanes, factor, out):
    """Turn lanes into a block of states.

    Parameters
    ----------
    x : ndarray, (rows * lanes,)
    rows, begin, lanes : int
    factor : float
    out : ndarray, (width * rows,)
        Its states begin : begin + lanes, of [width, rows], receive the factor times `x` [rows, lanes].
    """
    for i in range(rows):
        for j in range(lanes):
            out[(begin + j) * rows + i] = factor * x[i * lanes + j]


@_jit.core
def _backsolve(t, s, ds, p):
    """(y, a, g)' = (f, -J^T a, -(df/dtheta)^T a), the three coupled equations of Chen et al. (2018).

    s and ds (2 n + n_params,): y and a, [B, d] each, and g.
    """
    d, width, block, n_params = int(p[DIM]), int(p[WIDTH]), int(p[BLOCK]), int(p[PARAMETERS])
    size, field = d * block, view1(p, int(p[FIELD]), int(p[TOTAL]) - int(p[FIELD]))
    z, dz, u = view1(p, HEADER, size), view1(p, HEADER + size, size), view1(p, HEADER + 2 * size, size)
    total = 2 * d * width
    for i in range(n_params):
        ds[total + i] = 0.0
    for begin in range(0, width, block):
        lanes = min(block, width - begin)
        columns(s, d, begin, lanes, z)
        columns(view1(s, d * width, d * width), d, begin, lanes, u)
        status = B.evaluate(int(p[RECORD]), field, lanes, 0, t, z, dz)
        if status != 0:
            return status
        _back(dz, d, begin, lanes, 1.0, ds)
        bar = view1(p, HEADER + 3 * size, d * lanes + n_params)
        for i in range(bar.size):
            bar[i] = 0.0
        B.pull(int(p[PULL]), field, lanes, 0, t, u, bar)
        _back(bar, d, begin, lanes, -1.0, view1(ds, d * width, d * width))
        for i in range(n_params):
            ds[total + i] -= bar[d * lanes + i]
    return 0


@_jit.core
def solution_at(t, p, out):
    """Dense output of the forward solution, out (n,), [B, d]; the step of the last call is tried first."""
    n, steps, degree = int(p[DIM]) * int(p[WIDTH]), int(p[STEPS]), int(p[DEGREE])
    times, states = view1(p, int(p[TIMES]), steps + 1), view2(p, int(p[STATES]), steps, n)
    k, sign = int(p[HINT]), 1.0 if times[steps] >= times[0] else -1.0
    while k > 0 and (t - times[k]) * sign < 0.0:
        k -= 1
    while k < steps - 1 and (t - times[k + 1]) * sign > 0.0:
        k += 1
    p[HINT] = k
    slopes = view2(p, int(p[SLOPES]) + k * degree * n, degree, n)
    theta = (t - times[k]) / (times[k + 1] - times[k])
    for i in range(n):
        value = 0.0
        for j in range(degree - 1, -1, -1):
            value = (value + slopes[j, i]) * theta
        out[i] = states[k, i] + value


@_jit.core
def _interpolated(t, a, da, p):
    """a' = -J(y(t))^T a along the dense output; a and da (n,), [B, d]."""
    d, width, block, n_params = int(p[DIM]), int(p[WIDTH]), int(p[BLOCK]), int(p[PARAMETERS])
    size, field = d * block, view1(p, int(p[FIELD]), int(p[TOTAL]) - int(p[FIELD]))
    z, dz, u = view1(p, HEADER, size), view1(p, HEADER + size, size), view1(p, HEADER + 2 * size, size)
    y = view1(p, int(p[TOTAL]) - d * width, d * width)
    solution_at(t, p, y)
    for begin in range(0, width, block):
        lanes = min(block, width - begin)
        columns(y, d, begin, lanes, z)
        columns(a, d, begin, lanes, u)
        status = B.evaluate(int(p[RECORD]), field, lanes, 0, t, z, dz)
        if status != 0:
            return status
        bar = view1(p, HEADER + 3 * size, d * lanes + n_params)
        for i in range(bar.size):
            bar[i] = 0.0
        B.pull(int(p[PULL]), field, lanes, 0, t, u, bar)
        _back(bar, d, begin, lanes, -1.0, da)
    return 0


@_jit.core
def _sensitivity(t, s, ds, p):
    """(y, S)' = (f, J S + (0, df/dtheta)) with S = dy / d(y0, theta); J and df/dtheta row by row by pulls.

    s and ds (d + d (d + n_params),): y, and S [d, d + n_params] row by row. One state only.
    """
    d, n_params = int(p[DIM]), int(p[PARAMETERS])
    field, columns = view1(p, int(p[FIELD]), int(p[TOTAL]) - int(p[FIELD])), d + n_params
    z, u = view1(p, HEADER, d), view1(p, HEADER + d, d)
    for i in range(d):
        z[i], u[i] = s[i], 0.0
    status = B.evaluate(int(p[RECORD]), field, 1, 0, t, z, ds)
    if status != 0:
        return status
    bar, S, dS = view1(p, HEADER + 3 * d, columns), view2(s, d, d, columns), view2(ds, d, d, columns)
    for i in range(d):
        u[i] = 1.0
        for j in range(columns):
            bar[j] = 0.0
        B.pull(int(p[PULL]), field, 1, 0, t, u, bar)
        u[i] = 0.0
        for j in range(columns):
            total = bar[j] if j >= d else 0.0
            for k in range(d):
                total += bar[k] * S[k, j]
            dS[i, j] = total
    return 0


@_jit.core
def _batch_value(t, s, ds, p):
    """The field for the whole batch; s and ds (n,), [B, d]."""
    d, width, block = int(p[DIM]), int(p[WIDTH]), int(p[BLOCK])
    size, field = d * block, view1(p, int(p[FIELD]), int(p[TOTAL]) - int(p[FIELD]))
    z, dz = view1(p, HEADER, size), view1(p, HEADER + size, size)
    for begin in range(0, width, block):
        lanes = min(block, width - begin)
        columns(s, d, begin, lanes, z)
        status = B.evaluate(int(p[RECORD]), field, lanes, 0, t, z, dz)
        if status != 0:
            return status
        _back(dz, d, begin, lanes, 1.0, ds)
    return 0


def backsolve():
    """Address of the three coupled equations."""
    return core_address(_backsolve, "coupled")


def interpolated():
    """Address of the adjoint equation along a dense output."""
    return core_address(_interpolated, "coupled")


def sensitivity():
    """Address of the state with its derivatives."""
    return core_address(_sensitivity, "coupled")


def batch_value():
    """Address of the field for a batch as one system."""
    return core_address(_batch_value, "coupled")
