"""Integrals of |f|^2 and |J|^2 along the trajectories of any field that has directional derivatives.

A field with the kernels `tangents` and `pull_tangents` of `odekit.adjoint.tape` gives f and its derivatives along directions, and
the transpose of the derivative of all that: no more is needed. The vector `p` holds its own header, the vector of the field, the
tape (a state per slot) and scratch memory, all in double precision but what is inside the vector of the field.
"""

import numpy as np

from .. import _jit
from ..adjoint.tape import precision
from .composite import DIM, FIRST, OWN_HEADER, OWN_SCRATCH, field_kernels, part, pull_part
from .header import (
    BLOCK,
    LANE_BLOCK,
    LANES,
    N_PARAMS,
    SCRATCH,
    SIZE,
    SLOT,
    SLOT_SIZE,
    TAPE,
    THETA,
    numbers_per_double,
)
from .network_field import NetworkField

view1 = _jit.view1

# places of the header
STATE = 5  # dimension of the field's own state
TANGENTS, PULL_TANGENTS = 6, 7  # addresses
PROBES = 14  # directions; they are part of the state if p[GIVEN] is 1, else the units
GIVEN = 15
OWN_TAPE = 16  # offset of the tape


@_jit.core
def _directions(s, p, given):
    """Lay out the argument of the kernels: the number m of directions, nothing along t, the state, the directions.

    Parameters
    ----------
    s : ndarray, (dim * lanes,)
        The field's own state [d, lanes], the two integrals [2, lanes], the directions [d, lanes] each if ``p[GIVEN]`` is 1.
    p : ndarray
    given : ndarray, at least (1 + m + (1 + m) * d * lanes,)
        Receives.
    """
    count, lanes, d = int(p[PROBES]), int(p[LANES]), int(p[STATE])
    size = d * lanes
    given[0] = count
    for c in range(1, 1 + count):
        given[c] = 0.0
    for i in range(size):
        given[1 + count + i] = s[i]
    for c in range(count):
        for i in range(d):
            for j in range(lanes):
                at = c * size + i * lanes + j
                given[1 + count + size + at] = s[size + 2 * lanes + at] if p[GIVEN] != 0.0 else (1.0 if i == c else 0.0)


@_jit.view_maker
def _memory(p):
    """The argument of the kernels with room for cotangents, and their results."""
    count, size = int(p[PROBES]), int(p[STATE]) * int(p[LANES])
    first = 1 + count + 2 * (1 + count) * size
    return view1(p, int(p[OWN_SCRATCH]), first), view1(p, int(p[OWN_SCRATCH]) + first, (1 + count) * size)


@_jit.view_maker
def _kept(p):
    """The state in the slot in use."""
    return view1(p, int(p[OWN_TAPE]) + int(p[SLOT]) * int(p[DIM]) * int(p[BLOCK]), int(p[DIM]) * int(p[LANES]))


@_jit.view_maker
def _field(p):
    """The vector of the field, which keeps nothing, so that one slot will do."""
    field = part(p, FIRST)
    field[SLOT], field[SIZE] = 0.0, p[SIZE] - p[FIRST]
    return field


@_jit.core
def _evaluate(t, s, p, given, rows):
    """f and its derivatives along the directions, rows ((1 + m) * d * lanes,), with their argument in `given`. Status."""
    _directions(s, p, given)
    return _jit.call_scalar(int(p[TANGENTS]), t, given, rows, _field(p))


@_jit.core
def with_energies(t, s, ds, p, keep):
    """(y, integrals of |f|^2 and |J|^2)' along the field f; the directions behind them are constant."""
    lanes, size, total = int(p[LANES]), int(p[STATE]) * int(p[LANES]), int(p[DIM]) * int(p[LANES])
    given, rows = _memory(p)
    if keep:
        tape = _kept(p)
        for i in range(total):
            tape[i] = s[i]
    status = _evaluate(t, s, p, given, rows)
    for i in range(total):
        ds[i] = rows[i] if i < size else 0.0
    for i in range(size):
        ds[size + i % lanes] += rows[i] * rows[i]
    scale = 1.0 / p[PROBES] if p[GIVEN] != 0.0 else 1.0
    for i in range(size, rows.size):
        ds[size + lanes + i % lanes] += scale * rows[i] * rows[i]
    return status


@_jit.core
def with_energies_pull(t, v, out, p):
    """Transpose of its derivative; the directions are held."""
    lanes, size = int(p[LANES]), int(p[STATE]) * int(p[LANES])
    given, rows = _memory(p)
    status = _evaluate(t, _kept(p), p, given, rows)
    scale, first = 1.0 / p[PROBES] if p[GIVEN] != 0.0 else 1.0, given.size - rows.size
    for i in range(rows.size):
        given[first + i] = 2.0 * rows[i] * (v[size + i % lanes] if i < size else scale * v[size + lanes + i % lanes])
    for i in range(size):
        given[first + i] += v[i]
    return max(status, pull_part(int(p[PULL_TANGENTS]), t, given, out, p, _field(p), size))


class EnergyField(NetworkField):
    """A field with the integrals of |f|^2 and |df/dy|^2 (Frobenius), as a vector field.

    The state is (y, integral of |f|^2, integral of |df/dy|^2, random directions).

    Parameters
    ----------
    field : object
        With second derivatives, see `odekit.adjoint.tape`.
    probes : int
        Number of random directions of the estimate of |df/dy|^2; 0: the exact norm.
    """

    def __init__(self, field, probes=0):
        self.field, self.probes = field, probes

    @property
    def energies(self):
        """The first component of the integrals."""
        return self.field.dim

    @property
    def counted(self):
        """Components of the state that change."""
        return self.field.dim + 2

    @property
    def lane_times(self):
        """Whether the lanes of a call may have different times."""
        return self.field.lane_times

    @property
    def dim(self):
        """Dimension of the state."""
        return self.counted + self.probes * self.field.dim

    @property
    def kernels(self):
        """Addresses of the kernels of the vector field; the field's own stand in `p`."""
        return field_kernels(with_energies, with_energies_pull)

    def pack(self, lanes, slots=1):
        """The vector `p` that the kernels of the field take."""
        block, d = min(lanes, LANE_BLOCK), self.field.dim
        count = self.probes or d
        inner, ratio = self.field.pack(block, 1, directions=count), numbers_per_double(precision(self.field))
        tape, slot_size = OWN_HEADER + inner.size, self.dim * block
        scratch = tape + slots * slot_size + 2 * self.dim * block  # two states first, see `odekit.nn.composite`
        p = np.zeros(scratch + 1 + count + 3 * (1 + count) * d * block)
        p[LANES], p[BLOCK], p[DIM], p[STATE] = lanes, block, self.dim, d
        p[TANGENTS], p[PULL_TANGENTS] = self.field.kernels.tangents, self.field.kernels.pull_tangents
        p[PROBES], p[GIVEN], p[FIRST] = count, bool(self.probes), OWN_HEADER
        p[N_PARAMS], p[THETA] = inner[N_PARAMS], ratio * OWN_HEADER + inner[THETA]
        p[TAPE], p[SLOT_SIZE], p[SCRATCH], p[SIZE] = ratio * tape, ratio * slot_size, ratio * scratch, p.size
        p[OWN_TAPE], p[OWN_SCRATCH] = tape, scratch
        p[OWN_HEADER:tape] = inner
        return p
