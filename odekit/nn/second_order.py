"""Second-order neural differential equations: q'' = f(q, q', t), as a system of twice the size."""

from .. import _jit
from . import checks
from .composite import DIM, FIRST, NetworkField, enter, field_kernels, pack
from .field_kernels import network_pull, network_record, network_value
from .header import LANES, TIME_BAR
from .mlp import require_network

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
        return field_kernels(second_order, second_order_pull, dtype=self.dtype)

    def pack(self, lanes, slots=1):
        """The vector `p` that the kernels of the field take, see `odekit.nn.composite.pack`."""
        return pack(self.dim, (self.field.pack,), lanes, slots, dtype=self.dtype)

    def accelerations(self, x, t=0.0):
        """Accelerations at x (d,) or (B, d), as the network gives them."""
        x, batched = checks.batch("x", x, self.dim)
        out = self.field(x, t)
        return out if batched else out[0]

    def __repr__(self):
        return f"SecondOrderODE({self.field!r})"
