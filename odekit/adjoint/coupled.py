"""Systems of differential equations that adjoints solve beside the one of the user, as kernels for the integrators.

Their vector `p` begins with the numbers named below; behind them come scratch memory and the `p` of the field. The states of a
batch stand one after the other, so that its Jacobian is a band, of a block of d numbers for each.
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
from .tape import TIMES as LANE_TIMES

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
    """The numbers above, the scratch memory, the field's p, and room for `extra` numbers behind it."""
    inner = field.pack(block, 1)
    rows = inner.size if getattr(field, "lane_times", False) else 0
    inner = np.concatenate((inner, np.zeros(2 * block if rows else 0)))
    inner[SIZE] = inner.size
    scratch = 4 * field.dim * block + field.params.size + field.dim * field.dim
    p = np.zeros(HEADER + scratch + inner.size + extra)
    p[RECORD], p[PULL] = field.kernels.record, field.kernels.pull
    p[DIM], p[WIDTH], p[BLOCK], p[PARAMETERS] = field.dim, width, block, field.params.size
    p[FIELD], p[TOTAL], p[LANE_ROWS] = HEADER + scratch, p.size, rows
    p[HEADER + scratch : HEADER + scratch + inner.size] = inner
    return p, HEADER + scratch + inner.size


@_jit.core
def _columns(x, rows, begin, lanes, out):
    """out[rows, lanes] = the states begin : begin + lanes of x[width, rows]."""
    for i in range(rows):
        for j in range(lanes):
            out[i * lanes + j] = x[(begin + j) * rows + i]


@_jit.core
def _back(x, rows, begin, lanes, factor, out):
    """The states begin : begin + lanes of out[width, rows] = factor x[rows, lanes]."""
    for i in range(rows):
        for j in range(lanes):
            out[(begin + j) * rows + i] = factor * x[i * lanes + j]


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
        _columns(s, d, begin, lanes, z)
        _columns(view1(s, d * width, d * width), d, begin, lanes, u)
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
        _columns(y, d, begin, lanes, z)
        _columns(a, d, begin, lanes, u)
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
        _columns(s, d, begin, lanes, z)
        status = B.evaluate(int(p[RECORD]), field, lanes, 0, t, z, dz)
        if status != 0:
            return status
        _back(dz, d, begin, lanes, 1.0, ds)
    return 0


@_jit.core
def _diagonal(p, i, j):
    """Row of entry (i, j) of a block in the rows of a Jacobian: of the matrix, for one state; else of its diagonals."""
    return i if p[WIDTH] == 1.0 else i - j + int(p[DIM]) - 1


@_jit.core
def _jacobian(t, s, J, p, in_time):
    """Jacobian of the field for a batch, by pulls of units; with `in_time`, df/dt behind it.

    Fields whose lanes have times of their own give the derivatives in them lane by lane.
    """
    d, width, block, n_params = int(p[DIM]), int(p[WIDTH]), int(p[BLOCK]), int(p[PARAMETERS])
    size, n, field = d * block, d * width, view1(p, int(p[FIELD]), int(p[TOTAL]) - int(p[FIELD]))
    z, dz, u = view1(p, HEADER, size), view1(p, HEADER + size, size), view1(p, HEADER + 2 * size, size)
    end, rows = (1 + _diagonal(p, d - 1, 0)) * n, int(p[LANE_ROWS]) if in_time else 0
    for i in range(end):
        J[i] = 0.0
    status = 0
    for begin in range(0, width, block):
        lanes = min(block, width - begin)
        times = view1(field, rows, 2 * lanes)
        field[LANE_TIMES] = rows
        for lane in range(lanes if rows > 0 else 0):
            times[lane] = t
        _columns(s, d, begin, lanes, z)
        status = max(status, B.evaluate(int(p[RECORD]), field, lanes, 0, t, z, dz))
        bar = view1(p, HEADER + 3 * size, d * lanes + n_params)
        for i in range(d):
            for j in range(d * lanes):
                u[j] = 1.0 if j // lanes == i else 0.0
            for j in range(bar.size):
                bar[j] = 0.0
            for lane in range(lanes if rows > 0 else 0):
                times[lanes + lane] = 0.0
            rate = B.pull(int(p[PULL]), field, lanes, 0, t, u, bar)
            for lane in range(lanes):
                first = (begin + lane) * d
                for j in range(d):
                    J[_diagonal(p, i, j) * n + first + j] = bar[j * lanes + lane]
                if in_time:
                    J[end + first + i] = times[lanes + lane] if rows > 0 else rate
    field[LANE_TIMES] = 0.0
    return status


@_jit.core
def _batch_jacobian(t, s, J, p):
    """Jacobian of the field for a batch as one system."""
    return _jacobian(t, s, J, p, False)


@_jit.core
def _batch_jacobian_in_time(t, s, J, p):
    """The same with df/dt behind it."""
    return _jacobian(t, s, J, p, True)


@_jit.core
def _interpolated_jacobian(t, a, M, p):
    """Jacobian -J(y(t))^T of the adjoint equation."""
    d, width = int(p[DIM]), int(p[WIDTH])
    n = d * width
    y = view1(p, int(p[TOTAL]) - n, n)
    solution_at(t, p, y)
    status = _jacobian(t, y, M, p, False)
    for first in range(0, n, d):
        for i in range(d):
            for j in range(i + 1):
                entry, mirrored = _diagonal(p, i, j) * n + first + j, _diagonal(p, j, i) * n + first + i
                M[entry], M[mirrored] = -M[mirrored], -M[entry]
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


def interpolated_jacobian(field, width):
    """Its Jacobian, for `solve`; that of its right-hand side in time would have second derivatives, and is found by differences."""
    return lambda _time_derivative: Jacobian(
        state.JAC_KERNEL, core_address(_interpolated_jacobian, "coupled"), structure=_structure(field, width)
    )


def batch_value():
    """Address of the field for a batch as one system."""
    return core_address(_batch_value, "coupled")


def batch_jacobian(field, width):
    """Its Jacobian, for `solve`, with the exact df/dt where a method needs it and the field knows it."""
    known = getattr(field, "timed", True) or field.autonomous

    def find(time_derivative):
        core, time = _batch_jacobian, state.TIME_DIFFERENCE
        if time_derivative and known:
            core, time = _batch_jacobian_in_time, state.TIME_KERNEL
        return Jacobian(state.JAC_KERNEL, core_address(core, "coupled"), time=time, structure=_structure(field, width))

    return find


def _structure(field, width):
    """A block of numbers for each state; None: one block, which is dense."""
    from ..solvers.linalg.banded import Banded  # explicit methods do without

    return None if width == 1 else Banded(width * field.dim, field.dim - 1, field.dim - 1)


def solve(address, p, span, start, method, rtol, atol, jacobian=None, form=None, **options):
    """Integrate one of these systems; `rtol` and `atol` are numbers or vectors, `jacobian` as in `odekit.solvers.problem.Kernels`.

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
        kernels.jacobian = jacobian
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


def _block(field, width, method):
    """States that a call of the field's kernels takes: one, where the derivatives in time of several would be one sum."""
    one = METHODS[method].time_derivative and not getattr(field, "lane_times", False)
    return 1 if one else min(width, B.LANE_BLOCK)


def trajectories(field, y0, t, method, rtol, atol, first_step=None, max_steps=100_000, **options):
    """A batch as one system, by any method that needs no separable system.

    Returns
    -------
    y : ndarray, (T, B, d)
    trajectory : odekit.solvers.trajectory.Trajectory
    """
    width, d = y0.shape
    p, _ = pack(field, width, _block(field, width, method))
    start = y0.ravel().copy()
    trajectory = solve(
        batch_value(), p, (t[0], t[-1]), start, method, rtol, atol, batch_jacobian(field, width), t_eval=t[1:], max_steps=max_steps,
        first_step=first_step or 0.0, **options,
    )  # fmt: skip
    outputs = np.concatenate((start[None], trajectory.outputs))
    return outputs.reshape(-1, width, d), trajectory
