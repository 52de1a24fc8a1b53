"""Jacobians of the systems of `odekit.adjoint.coupled_equations`: kernels for the integrators, by pulls of the field.

For one state J (d * d,) is the matrix row by row. For a batch of n = B d numbers J ((2 d - 1) * n,) are its diagonals [2 d - 1,
n], as `odekit.solvers.linalg.banded` takes them: entry (i, j) of the block that begins at `first` in row i - j + d - 1 and column
first + j. With df/dt, n numbers more follow.
"""

from .. import _jit
from ..solvers import state
from ..solvers.problem import Jacobian
from . import blocks as B
from .coupled_equations import (
    BLOCK,
    DIM,
    FIELD,
    HEADER,
    LANE_ROWS,
    PARAMETERS,
    PULL,
    RECORD,
    TOTAL,
    WIDTH,
    columns,
    solution_at,
)
from .tape import TIMES as LANE_TIMES
from .tape import core_address

view1 = _jit.view1


@_jit.core
def _diagonal(p, i, j):
    """Row of entry (i, j) of a block in the rows of a Jacobian: of the matrix, for one state; else of its diagonals."""
    return i if p[WIDTH] == 1.0 else i - j + int(p[DIM]) - 1


@_jit.core
def _jacobian(t, s, J, p, in_time):
    """Jacobian of the field for a batch, by pulls of units; with `in_time`, df/dt behind it.

    Fields whose lanes have times of their own give the derivatives in them lane by lane.

    Parameters
    ----------
    t : float
    s : ndarray, (n,)
        States [B, d].
    J : ndarray
        Receives.
    p : ndarray
        See `odekit.adjoint.coupled_equations`.
    in_time : bool

    Returns
    -------
    int
        Status.
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
        columns(s, d, begin, lanes, z)
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
    """Jacobian -J(y(t))^T of the adjoint equation along the dense output; M is laid out as J is, and a is not looked at."""
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


def interpolated_jacobian(field, width):
    """The Jacobian of the adjoint equation along a dense output, for `coupled.solve`.

    That of its right-hand side in time would have second derivatives, and is found by differences.
    """
    return lambda _time_derivative: Jacobian(
        state.JAC_KERNEL, core_address(_interpolated_jacobian, "coupled"), structure=_structure(field, width)
    )


def batch_jacobian(field, width):
    """The Jacobian of a batch, for `coupled.solve`, with the exact df/dt where a method needs it and the field knows it."""
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
