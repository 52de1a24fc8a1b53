"""Second-order neural differential equations: q'' = f(q, q', t), as a system of twice the size."""

import functools

from .. import _jit
from . import checks
from .composite import DIM, FIRST, OWN_SCRATCH, enter, field_kernels, pack, part
from .field_kernels import network_pull, network_record, network_value
from .header import LANES, TIME_BAR
from .mlp import require_network
from .network_field import NetworkField
from .network_tangents import network_pull_tangents, network_tangents

view1 = _jit.view1


@_jit.core
def second_order(t, y, dy, p, keep):
    """dy = (v, network(q, v))."""
    half = (int(p[DIM]) // 2) * int(p[LANES])
    at = enter(p, FIRST)
    network, below = _jit.tail(p, at), view1(dy, half, half)
    for i in range(half):
        dy[i] = y[half + i]
    if keep:
        return network_record(t, y, below, network)
    return network_value(t, y, below, network)


@_jit.core
def second_order_pull(t, v, out, p):
    """Transpose of its derivative."""
    half = (int(p[DIM]) // 2) * int(p[LANES])
    at = enter(p, FIRST)
    network = _jit.tail(p, at)
    network_pull(t, view1(v, half, half), out, network)
    for i in range(half):
        out[half + i] += v[i]
    p[TIME_BAR] += network[TIME_BAR]
    return 0


@_jit.core
def _accelerated(given, p, place):
    """Copy the argument of `pull_tangents`, with the cotangents of the accelerations alone: the network's outputs."""
    half, count = (int(p[DIM]) // 2) * int(p[LANES]), int(given[0])
    first = 1 + count + (1 + count) * 2 * half
    inner = view1(p, place, first + (1 + count) * half)
    for i in range(first):
        inner[i] = given[i]
    for c in range(1 + count):
        for i in range(half):
            inner[first + c * half + i] = given[first + (2 * c + 1) * half + i]


@_jit.core
def second_order_tangents(t, given, out, p):
    """The field and its derivatives along directions."""
    half, count, place = (int(p[DIM]) // 2) * int(p[LANES]), int(given[0]), int(p[OWN_SCRATCH])
    rows = view1(p, place, (1 + count) * half)
    network_tangents(t, given, rows, part(p, FIRST))
    for c in range(1 + count):
        for i in range(half):
            out[2 * c * half + i] = given[1 + count + (2 * c + 1) * half + i]
            out[(2 * c + 1) * half + i] = rows[c * half + i]
    return 0


@_jit.core
def second_order_pull_tangents(t, given, out, p):
    """Transpose of the derivative of all that."""
    half, count, place = (int(p[DIM]) // 2) * int(p[LANES]), int(given[0]), int(p[OWN_SCRATCH])
    first = 1 + count + (1 + count) * 2 * half
    _accelerated(given, p, place)
    network = part(p, FIRST)
    network_pull_tangents(t, view1(p, place, first + (1 + count) * half), out, network)
    p[TIME_BAR] += network[TIME_BAR]
    for i in range(half):
        out[half + i] += given[first + i]
    return 0


class SecondOrderODE(NetworkField):
    """Vector field q' = v, v' = network(q, v): positions and velocities, of which only the acceleration is learned.

    The honest baseline of Hamiltonian and Lagrangian networks: much of their advantage over a plain network comes from the
    second order (Gruver et al., ICLR 2022). It is trained on derivatives by `loss_and_grad`, or on trajectories in a
    `NeuralODE`.

    Parameters
    ----------
    field : MLP
        Network of 2 k inputs (q, v) and k outputs; it may depend on the time.

    Attributes
    ----------
    params : ndarray
        The parameters of the network.

    Raises
    ------
    ValueError
        If the network has other sizes.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> model = odekit.nn.SecondOrderODE(odekit.nn.MLP([2, 16, 1], rng=0))
    >>> model.derivative([0.5, -1.0])[0]
    np.float64(-1.0)
    >>> loss, grad = model.loss_and_grad(x=np.eye(2), dxdt=np.eye(2)[::-1])
    """

    def __init__(self, field):
        require_network("field", field)
        if field.sizes[0] != 2 * field.sizes[-1]:
            raise ValueError(
                "a SecondOrderODE needs a network of 2 k inputs (q, v) and k outputs, but its sizes are "
                f"{list(field.sizes)}"
            )
        self.field = field

    @property
    def dim(self):
        """Dimension of the state (q, v)."""
        return self.field.sizes[0]

    @property
    def kernels(self):
        """Addresses of the kernels of the vector field."""
        cores = second_order, second_order_pull, second_order_tangents, second_order_pull_tangents
        return field_kernels(*cores, dtype=self.dtype)

    def pack(self, lanes, slots=1, directions=0):
        """The vector `p` that the kernels of the field take, see `odekit.nn.composite.pack`."""
        network, room = functools.partial(self.field.pack, directions=directions), 0
        if directions:
            room = (1 + directions) * (1 + self.dim + self.dim // 2)  # an argument of `pull_tangents`
        return pack(self.dim, (network,), lanes, slots, scratch=room, dtype=self.dtype)

    def accelerations(self, x, t=0.0):
        """Accelerations, as the network gives them.

        Parameters
        ----------
        x : array_like, (d,) or (B, d)
            Positions, then velocities.
        t : float

        Returns
        -------
        ndarray, (d / 2,) or (B, d / 2)

        Raises
        ------
        TypeError, ValueError
            For what are no real numbers, or another shape.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> odekit.nn.SecondOrderODE(odekit.nn.MLP([2, 8, 1], rng=0)).accelerations(np.ones((5, 2))).shape
        (5, 1)
        """
        x, batched = checks.batch("x", x, self.dim)
        out = self.field(x, t)
        return out if batched else out[0]

    def __repr__(self):
        return f"SecondOrderODE({self.field!r})"
