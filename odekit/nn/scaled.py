"""Networks between quantities of very different size and speed (Kim et al., Chaos 31 (2021) 093122)."""

import functools

import numpy as np

from .. import _jit
from . import checks
from .composite import DIM, FIRST, OPTION, OWN_SCRATCH, OWN_THETA, enter, field_kernels, pack
from .field_kernels import network_pull, network_record, network_value
from .header import LANES, N_PARAMS, TIME_BAR
from .mlp import require_network
from .network_field import NetworkField
from .network_tangents import network_pull_tangents, network_tangents

view1 = _jit.view1


@_jit.core
def scaled(t, y, dy, p, keep):
    """dy = rate scale (network(y / scale) - leak y / scale)."""
    d, lanes, at = int(p[DIM]), int(p[LANES]), enter(p, FIRST)
    network, x = _jit.tail(p, at), view1(p, int(p[OWN_SCRATCH]), d * lanes)
    scale, rate = view1(p, int(p[OWN_THETA]), d), view1(p, int(p[OWN_THETA]) + d, d)
    for i in range(d):
        for j in range(i * lanes, (i + 1) * lanes):
            x[j] = y[j] / scale[i]
    if keep:
        network_record(t, x, dy, network)
    else:
        network_value(t, x, dy, network)
    for i in range(d):
        for j in range(i * lanes, (i + 1) * lanes):
            dy[j] = rate[i] * scale[i] * (dy[j] - p[OPTION] * x[j])
    return 0


@_jit.core
def scaled_pull(t, v, out, p):
    """Transpose of its derivative."""
    d, lanes, at = int(p[DIM]), int(p[LANES]), enter(p, FIRST)
    network, u = _jit.tail(p, at), view1(p, int(p[OWN_SCRATCH]), d * lanes)
    scale, rate = view1(p, int(p[OWN_THETA]), d), view1(p, int(p[OWN_THETA]) + d, d)
    for i in range(d):
        for j in range(i * lanes, (i + 1) * lanes):
            u[j] = rate[i] * scale[i] * v[j]
    network_pull(t, u, out, network)
    p[TIME_BAR] += network[TIME_BAR]
    for i in range(d):
        for j in range(i * lanes, (i + 1) * lanes):
            out[j] = (out[j] - p[OPTION] * u[j]) / scale[i]
    return 0


@_jit.core
def _scale(given, count, p, inner):
    """State and directions as the network sees them, inner and given (1 + k + (1 + k) * d * lanes,), for k = count directions."""
    d, lanes, scale = int(p[DIM]), int(p[LANES]), view1(p, int(p[OWN_THETA]), int(p[DIM]))
    for i in range(1 + count):
        inner[i] = given[i]
    for c in range(1 + count):
        for i in range(d):
            for j in range(1 + count + (c * d + i) * lanes, 1 + count + (c * d + i + 1) * lanes):
                inner[j] = given[j] / scale[i]


@_jit.core
def scaled_tangents(t, given, out, p):
    """The field and its derivatives along directions."""
    d, lanes, at, count = int(p[DIM]), int(p[LANES]), enter(p, FIRST), int(given[0])
    scale, rate = view1(p, int(p[OWN_THETA]), d), view1(p, int(p[OWN_THETA]) + d, d)
    inner = view1(p, int(p[OWN_SCRATCH]), 1 + count + (1 + count) * d * lanes)
    _scale(given, count, p, inner)
    network_tangents(t, inner, out, _jit.tail(p, at))
    for c in range(1 + count):
        for i in range(d):
            for j in range((c * d + i) * lanes, (c * d + i + 1) * lanes):
                out[j] = rate[i] * scale[i] * (out[j] - p[OPTION] * inner[1 + count + j])
    return 0


@_jit.core
def scaled_pull_tangents(t, given, out, p):
    """Transpose of the derivative of all that."""
    d, lanes, at, count = int(p[DIM]), int(p[LANES]), enter(p, FIRST), int(given[0])
    scale, rate = view1(p, int(p[OWN_THETA]), d), view1(p, int(p[OWN_THETA]) + d, d)
    cotangents = 1 + count + (1 + count) * d * lanes
    inner = view1(p, int(p[OWN_SCRATCH]), cotangents + (1 + count) * d * lanes)
    _scale(given, count, p, inner)
    for c in range(1 + count):
        for i in range(d):
            for j in range(cotangents + (c * d + i) * lanes, cotangents + (c * d + i + 1) * lanes):
                inner[j] = rate[i] * scale[i] * given[j]
    network = _jit.tail(p, at)
    network_pull_tangents(t, inner, out, network)
    p[TIME_BAR] += network[TIME_BAR]
    for i in range(d):
        for j in range(i * lanes, (i + 1) * lanes):
            out[j] = (out[j] - p[OPTION] * inner[cotangents + j]) / scale[i]
    return 0


class ScaledField(NetworkField):
    """Vector field ``y' = rate * scale * network(y / scale)``, component by component: the network sees numbers of size 1.

    For stiff data, whose components differ by orders of magnitude in size and in speed, nothing else trains. With `leak` it is
    ``rate * scale * (network(y / scale) - y / scale)``: each component relaxes at its own rate towards what the network says.

    Parameters
    ----------
    field : MLP
        With as many outputs as inputs.
    scale : array_like, (d,)
        Sizes of the components, such as the ranges of the data.
    rate : float or array_like, (d,)
        One over their times.
    leak : bool

    Attributes
    ----------
    params : ndarray
        The parameters of the network.

    Raises
    ------
    ValueError
        If a scale or rate is not positive, or their number is wrong.

    References
    ----------
    S. Kim, W. Ji, S. Deng, Y. Ma, C. Rackauckas, "Stiff neural ordinary differential equations", Chaos 31 (2021) 093122.

    Examples
    --------
    >>> import odekit
    >>> field = odekit.nn.ScaledField(odekit.nn.MLP([2, 8, 2], rng=0), scale=[1.0, 1e-5], rate=[0.1, 100.0])
    >>> field([1.0, 2e-5]).shape
    (2,)
    """

    def __init__(self, field, scale, rate=1.0, leak=False):
        require_network("field", field)
        self.field, d = field, field.dim
        for name, value in (("scale", scale), ("rate", rate)):
            value = checks.finite_array(name, np.full(d, value) if np.ndim(value) == 0 else value)
            if value.shape != (d,) or not (value > 0.0).all():
                raise ValueError(f"{name} must be {d} positive numbers, but it is {value.tolist()}")
            setattr(self, name, value)
        self.leak = bool(leak)

    @property
    def dim(self):
        """Dimension of the state."""
        return self.field.dim

    @property
    def kernels(self):
        """Addresses of the kernels of the vector field."""
        return field_kernels(scaled, scaled_pull, scaled_tangents, scaled_pull_tangents, dtype=self.dtype)

    def pack(self, lanes, slots=1, directions=0):
        """The vector `p` that the kernels of the field take, see `odekit.nn.composite.pack`."""
        constants, network = (
            np.concatenate((self.scale, self.rate)),
            functools.partial(self.field.pack, directions=directions),
        )
        scratch = 2 * (1 + directions) * self.dim
        p = pack(self.dim, (network,), lanes, slots, constants, scratch=scratch, fixed=1 + directions, dtype=self.dtype)
        p[N_PARAMS] -= constants.size  # they stand behind the parameters, but are none
        p[OPTION] = self.leak
        return p

    def __repr__(self):
        leak = ", leak=True" if self.leak else ""
        return f"ScaledField({self.field!r}, scale={self.scale.tolist()}, rate={self.rate.tolist()}{leak})"
