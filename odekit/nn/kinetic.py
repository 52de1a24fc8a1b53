"""The integral of |f|^2 along the trajectories of any field, for the price of the field itself.

The vector `p` holds its own header, the vector of the field with all its slots, then what it keeps itself: f in each slot, and
scratch memory, in double precision.
"""

from .. import _jit
from .._memory import LINE, aligned, rounded_up
from ..adjoint.tape import precision, prefix_of
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
VALUE, RECORD, PULL = 5, 6, 7  # addresses of the kernels of the field
KEPT = 16  # offset of f in the first slot


@_jit.view_maker
def _kept(p, size):
    """f, (d * lanes,), in the slot in use."""
    return view1(p, int(p[KEPT]) + int(p[SLOT]) * (int(p[DIM]) - 1) * int(p[BLOCK]), size)


@_jit.view_maker
def _field(p):
    """The vector of the field."""
    field = part(p, FIRST)
    field[SIZE] = p[SIZE] - p[FIRST]
    return field


@_jit.core
def with_kinetic(t, s, ds, p, keep):
    """(y, integral of |f|^2)' along the field f; s and ds ((d + 1) * lanes,)."""
    lanes, size = int(p[LANES]), (int(p[DIM]) - 1) * int(p[LANES])
    status = _jit.call_scalar(int(p[RECORD if keep else VALUE]), t, s, ds, _field(p))
    for i in range(lanes):
        ds[size + i] = 0.0
    for i in range(size):
        ds[size + i % lanes] += ds[i] * ds[i]
    if keep:
        f = _kept(p, size)
        for i in range(size):
            f[i] = ds[i]
    return status


@_jit.core
def with_kinetic_pull(t, v, out, p):
    """Transpose of its derivative; v ((d + 1) * lanes,), out ((d + 1) * lanes + n_params,)."""
    lanes, size = int(p[LANES]), (int(p[DIM]) - 1) * int(p[LANES])
    f, u = _kept(p, size), view1(p, int(p[OWN_SCRATCH]), size)
    for i in range(size):
        u[i] = v[i] + 2.0 * f[i] * v[size + i % lanes]
    return pull_part(int(p[PULL]), t, u, out, p, _field(p), size)


class KineticField(NetworkField):
    """A field with the integral of |f|^2, as a vector field: the state is (y, integral).

    Parameters
    ----------
    field : object
        See `odekit.adjoint.tape`.
    """

    def __init__(self, field):
        self.field = field

    @property
    def energies(self):
        """The component of the integral."""
        return self.field.dim

    @property
    def dim(self):
        """Dimension of the state."""
        return self.field.dim + 1

    @property
    def counted(self):
        """Components of the state that change."""
        return self.dim

    @property
    def dtype(self):
        """Precision of the field."""
        return precision(self.field).name

    @property
    def lane_times(self):
        """Whether the lanes of a call may have different times."""
        return getattr(self.field, "lane_times", False)

    @property
    def kernels(self):
        """Addresses of the kernels of the vector field; the field's own stand in `p`."""
        return field_kernels(with_kinetic, with_kinetic_pull)

    def pack(self, lanes, slots=1):
        """The vector `p` that the kernels of the field take."""
        block, d, ratio = min(lanes, LANE_BLOCK), self.field.dim, numbers_per_double(precision(self.field))
        inner, kernels = self.field.pack(block, slots), self.field.kernels
        kept = OWN_HEADER + rounded_up(inner.size, LINE)
        scratch = rounded_up(kept + slots * d * block, LINE)  # two states first, see `odekit.nn.composite`
        p = aligned(scratch + (2 * self.dim + d) * block)
        prefix = prefix_of(inner, self.field)
        p[:OWN_HEADER], p[OWN_HEADER : OWN_HEADER + prefix.size] = 0.0, prefix
        p[LANES], p[BLOCK], p[DIM], p[FIRST] = lanes, block, self.dim, OWN_HEADER
        p[VALUE], p[RECORD], p[PULL] = kernels.value, kernels.record, kernels.pull
        p[KEPT], p[OWN_SCRATCH] = kept, scratch + 2 * self.dim * block
        before = ratio * OWN_HEADER
        p[N_PARAMS], p[THETA], p[TAPE] = inner[N_PARAMS], before + inner[THETA], before + inner[TAPE]
        p[SLOT_SIZE], p[SCRATCH], p[SIZE] = inner[SLOT_SIZE] + ratio * d * block, ratio * scratch, p.size
        return p
