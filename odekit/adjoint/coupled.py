"""Systems of differential equations that adjoints solve beside the one of the user, as kernels for the integrators.

Their vector `p` begins with the numbers named below; behind them come scratch memory and the `p` of the field.
"""

import numpy as np

from .. import _jit
from ..solution import Retcode, describe
from ..solvers import state
from ..solvers.integrate import integrate
from ..solvers.methods import METHODS
from ..solvers.problem import Jacobian, Kernels
from . import blocks as B
from .sweeps import SolveError
from .tape import SIZE, core_address

view1, view2 = _jit.view1, _jit.view2

RECORD, PULL = 0, 1  # addresses
DIM, WIDTH, BLOCK = 2, 3, 4  # of the state, of the batch, of a block
PARAMETERS = 5
FIELD = 6  # offset of the p of the field
STEPS, TIMES, STATES, SLOPES, DEGREE, HINT = 7, 8, 9, 10, 11, 12  # dense output of the forward solution
TOTAL = 13  # length of p, at the place where `odekit.adjoint.tape.scalar_address` looks for it
HEADER = 14
assert TOTAL == SIZE


def pack(field, width, block, extra=0):
    """The numbers above, the scratch memory, the field's p, and room for `extra` numbers behind it."""
    inner = field.pack(block, 1)
    scratch = 4 * field.dim * block + field.params.size + field.dim * field.dim
    p = np.zeros(HEADER + scratch + inner.size + extra)
    p[RECORD], p[PULL] = field.kernels.record, field.kernels.pull
    p[DIM], p[WIDTH], p[BLOCK], p[PARAMETERS] = field.dim, width, block, field.params.size
    p[FIELD], p[TOTAL] = HEADER + scratch, p.size
    p[HEADER + scratch : HEADER + scratch + inner.size] = inner
    return p, HEADER + scratch + inner.size


@_jit.core
def _columns(x, rows, width, begin, lanes, out):
    """out[rows, lanes] = columns begin : begin + lanes of x[rows, width]."""
    for i in range(rows):
        for j in range(lanes):
            out[i * lanes + j] = x[i * width + begin + j]


@_jit.core
def _back(x, rows, width, begin, lanes, factor, out):
    """Columns begin : begin + lanes of out[rows, width] = factor x[rows, lanes]."""
    for i in range(rows):
        for j in range(lanes):
            out[i * width + begin + j] = factor * x[i * lanes + j]


@_jit.core
def _backsolve(t, s, ds, p):
    """(y, a, g)' = (f, -J^T a, -(df/dtheta)^T a), the three coupled equations of Chen et al. (2018)."""
    d, width, block, n_params = int(p[DIM]), int(p[WIDTH]), int(p[BLOCK]), int(p[PARAMETERS])
    size, field = d * block, view1(p, int(p[FIELD]), int(p[TOTAL]) - int(p[FIELD]))
    z, dz, u = view1(p, HEADER, size), view1(p, HEADER + size, size), view1(p, HEADER + 2 * size, size)
    total = 2 * d * width
    for i in range(n_params):
        ds[total + i] = 0.0
    for begin in range(0, width, block):
        lanes = min(block, width - begin)
        _columns(s, d, width, begin, lanes, z)
        _columns(view1(s, d * width, d * width), d, width, begin, lanes, u)
        status = B.evaluate(int(p[RECORD]), field, lanes, 0, t, z, dz)
        if status != 0:
            return status
        _back(dz, d, width, begin, lanes, 1.0, ds)
        bar = view1(p, HEADER + 3 * size, d * lanes + n_params)
        for i in range(bar.size):
            bar[i] = 0.0
        B.pull(int(p[PULL]), field, lanes, 0, t, u, bar)
        _back(bar, d, width, begin, lanes, -1.0, view1(ds, d * width, d * width))
        for i in range(n_params):
            ds[total + i] -= bar[d * lanes + i]
    return 0


@_jit.core
def solution_at(t, p, out):
    """Dense output of the forward solution; the step of the last call is tried first."""
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
    """a' = -J(y(t))^T a along the dense output."""
    d, width, block, n_params = int(p[DIM]), int(p[WIDTH]), int(p[BLOCK]), int(p[PARAMETERS])
    size, field = d * block, view1(p, int(p[FIELD]), int(p[TOTAL]) - int(p[FIELD]))
    z, dz, u = view1(p, HEADER, size), view1(p, HEADER + size, size), view1(p, HEADER + 2 * size, size)
    y = view1(p, int(p[TOTAL]) - d * width, d * width)
    solution_at(t, p, y)
    for begin in range(0, width, block):
        lanes = min(block, width - begin)
        _columns(y, d, width, begin, lanes, z)
        _columns(a, d, width, begin, lanes, u)
        status = B.evaluate(int(p[RECORD]), field, lanes, 0, t, z, dz)
        if status != 0:
            return status
        bar = view1(p, HEADER + 3 * size, d * lanes + n_params)
        for i in range(bar.size):
            bar[i] = 0.0
        B.pull(int(p[PULL]), field, lanes, 0, t, u, bar)
        _back(bar, d, width, begin, lanes, -1.0, da)
    return 0


@_jit.core
def _sensitivity(t, s, ds, p):
    """(y, S)' = (f, J S + (0, df/dtheta)) with S = dy / d(y0, theta), row by row; J and df/dtheta row by row by pulls."""
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
    """The field for the whole batch."""
    d, width, block = int(p[DIM]), int(p[WIDTH]), int(p[BLOCK])
    size, field = d * block, view1(p, int(p[FIELD]), int(p[TOTAL]) - int(p[FIELD]))
    z, dz = view1(p, HEADER, size), view1(p, HEADER + size, size)
    for begin in range(0, width, block):
        lanes = min(block, width - begin)
        _columns(s, d, width, begin, lanes, z)
        status = B.evaluate(int(p[RECORD]), field, lanes, 0, t, z, dz)
        if status != 0:
            return status
        _back(dz, d, width, begin, lanes, 1.0, ds)
    return 0


@_jit.core
def _batch_jacobian(t, s, J, p):
    """Its Jacobian: d by d blocks, each diagonal in the lanes."""
    d, width, block, n_params = int(p[DIM]), int(p[WIDTH]), int(p[BLOCK]), int(p[PARAMETERS])
    size, n, field = d * block, d * width, view1(p, int(p[FIELD]), int(p[TOTAL]) - int(p[FIELD]))
    z, dz, u = view1(p, HEADER, size), view1(p, HEADER + size, size), view1(p, HEADER + 2 * size, size)
    for i in range(n * n):
        J[i] = 0.0
    for begin in range(0, width, block):
        lanes = min(block, width - begin)
        _columns(s, d, width, begin, lanes, z)
        status = B.evaluate(int(p[RECORD]), field, lanes, 0, t, z, dz)
        if status != 0:
            return status
        bar = view1(p, HEADER + 3 * size, d * lanes + n_params)
        for i in range(d):
            for j in range(d * lanes):
                u[j] = 1.0 if j // lanes == i else 0.0
            for j in range(bar.size):
                bar[j] = 0.0
            B.pull(int(p[PULL]), field, lanes, 0, t, u, bar)
            for j in range(d):
                for lane in range(lanes):
                    J[(i * width + begin + lane) * n + j * width + begin + lane] = bar[j * lanes + lane]
    return 0


@_jit.core
def _interpolated_jacobian(t, a, M, p):
    """Jacobian -J(y(t))^T of the adjoint equation."""
    n = int(p[DIM]) * int(p[WIDTH])
    y = view1(p, int(p[TOTAL]) - n, n)
    solution_at(t, p, y)
    status = _batch_jacobian(t, y, M, p)
    for i in range(n):
        M[i * n + i] = -M[i * n + i]
        for j in range(i):
            M[i * n + j], M[j * n + i] = -M[j * n + i], -M[i * n + j]
    return status


def backsolve():
    """Address of the three coupled equations."""
    return core_address(_backsolve, "coupled")


def interpolated():
    """Address of the adjoint equation along a dense output."""
    return core_address(_interpolated, "coupled")


def sensitivity():
    """Address of the state with its derivatives."""
    return core_address(_sensitivity, "coupled")


def interpolated_jacobian():
    """Address of its Jacobian."""
    return core_address(_interpolated_jacobian, "coupled")


def batch_jacobian():
    """Address of its Jacobian."""
    return core_address(_batch_jacobian, "coupled")


def batch_value():
    """Address of the field for a batch as one system."""
    return core_address(_batch_value, "coupled")


def solve(address, p, span, start, method, rtol, atol, jacobian=None, form=None, **options):
    """Integrate one of these systems; `rtol` and `atol` are numbers or vectors, `jacobian` is an address.

    `form` says what else the system is: ``velocity`` and ``force``, or ``binding``, of `odekit.solvers.problem.Kernels`.

    Returns
    -------
    odekit.solvers.trajectory.Trajectory

    Raises
    ------
    SolveError
    """
    kernels = Kernels(address, p, **(form or {}))
    if jacobian is not None:
        kernels.jacobian = lambda _time_derivative: Jacobian(state.JAC_KERNEL, jacobian)
    tolerances = (np.broadcast_to(np.asarray(x, dtype=float), start.shape).copy() for x in (rtol, atol))
    trajectory = integrate(kernels, span, start, (METHODS[method],), *tolerances, **options)
    if trajectory.retcode == Retcode.INTERRUPTED:
        raise KeyboardInterrupt
    if trajectory.retcode < 0:
        place = {"t": trajectory.t, "h": trajectory.h, "component": ""}
        what = {"culprit": "vector field", "error": "an exception", "max_steps": options.get("max_steps")}
        raise SolveError(describe(trajectory.retcode, **place, **what))
    return trajectory


def without(size, part, rtol, atol):
    """Tolerances under which only the first `part` of `size` numbers counts in the error: the seminorm of Kidger et al.

    The norm is a mean over all components: those that do not count make it smaller, which is undone here.
    """
    scale = np.sqrt(part / size)
    return np.full(size, rtol * scale), np.concatenate((np.full(part, atol * scale), np.full(size - part, np.inf)))


def trajectories(field, y0, t, method, rtol, atol, first_step=None, max_steps=100_000, **options):
    """A batch as one system, by any method that needs no separable system.

    Returns
    -------
    y : ndarray, (T, B, d)
    trajectory : odekit.solvers.trajectory.Trajectory
    """
    width, d = y0.shape
    p, _ = pack(field, width, min(width, B.LANE_BLOCK))
    start = y0.T.ravel().copy()
    trajectory = solve(
        batch_value(), p, (t[0], t[-1]), start, method, rtol, atol, batch_jacobian(), t_eval=t[1:], max_steps=max_steps,
        first_step=first_step or 0.0, **options,
    )  # fmt: skip
    outputs = np.concatenate((start[None], trajectory.outputs))
    return np.ascontiguousarray(outputs.reshape(-1, d, width).transpose(0, 2, 1)), trajectory
