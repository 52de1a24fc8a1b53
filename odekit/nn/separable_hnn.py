"""Separable Hamiltonian networks, H = T(p) + V(q): learned energies that explicit symplectic methods integrate."""

import functools

from .. import _jit
from . import checks
from .composite import (
    DIM,
    FIRST,
    OWN_SCRATCH,
    SECOND,
    JoinedParameters,
    NetworkField,
    field_kernels,
    pack,
    part,
    pull_gradient,
)
from .field_kernels import address, gradient_record, gradient_value
from .header import LANES, N_PARAMS
from .mlp import require_network

view1 = _jit.view1


@_jit.core
def velocity(t, p_, out, p):
    """out = grad T(p_), for any number of lanes."""
    return gradient_value(t, p_, out, part(p, FIRST))


@_jit.core
def force(t, q, out, p):
    """out = -grad V(q), for any number of lanes."""
    status = gradient_value(t, q, out, part(p, SECOND))
    for i in range((int(p[DIM]) // 2) * int(p[LANES])):
        out[i] = -out[i]
    return status


@_jit.core
def separable(t, y, dy, p, keep):
    """dy = (grad T(p), -grad V(q))."""
    half = (int(p[DIM]) // 2) * int(p[LANES])
    q, momenta, above, below = view1(y, 0, half), view1(y, half, half), view1(dy, 0, half), view1(dy, half, half)
    if not keep:
        return max(velocity(t, momenta, above, p), force(t, q, below, p))
    gradient_record(t, momenta, above, part(p, FIRST))
    gradient_record(t, q, below, part(p, SECOND))
    for i in range(half):
        below[i] = -below[i]
    return 0


@_jit.core
def separable_pull(t, v, out, p):
    """Transpose of its derivative."""
    half = (int(p[DIM]) // 2) * int(p[LANES])
    count, u = int(p[int(p[FIRST]) + N_PARAMS]), view1(p, int(p[OWN_SCRATCH]), half)
    pull_gradient(t, view1(v, 0, half), view1(out, half, half), view1(out, 2 * half, count), FIRST, p)
    for i in range(half):
        u[i] = -v[half + i]
    g = view1(out, 2 * half + count, int(p[N_PARAMS]) - count)
    pull_gradient(t, u, view1(out, 0, half), g, SECOND, p)
    return 0


@functools.cache
def _halves(dtype):
    return address(velocity, dtype), address(force, dtype)


class SeparableHNN(JoinedParameters, NetworkField):
    """Vector field (dT/dp, -dV/dq) of two scalar networks, H(q, p) = T(p) + V(q).

    Its rollouts may use the explicit symplectic methods: ``solve(y0, t, "yoshida4", first_step=0.05)``.

    Parameters
    ----------
    kinetic, potential : MLP
        Networks of k inputs, the momenta and the positions, and one output. Their parameters become views of those of the
        model.

    Attributes
    ----------
    params : ndarray
        The parameters of `kinetic`, then those of `potential`.

    Raises
    ------
    ValueError
        If the networks have different numbers of inputs, or more than one output.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> from odekit.nn import MLP, SeparableHNN
    >>> model = SeparableHNN(MLP([1, 16, 1], rng=0), MLP([1, 16, 1], rng=1))
    >>> ys = model.solve([0.5, 0.0], np.linspace(0, 100, 11), "leapfrog", first_step=0.01)
    >>> bool(np.ptp(model.energy(ys)) < 1e-4)
    True
    """

    PARTS = ("kinetic", "potential")
    hamiltonian = True

    def __init__(self, kinetic, potential):
        for name, network in (("kinetic", kinetic), ("potential", potential)):
            require_network(name, network)
        if kinetic.sizes[-1] != 1 or potential.sizes[-1] != 1 or kinetic.sizes[0] != potential.sizes[0]:
            raise ValueError(
                "a SeparableHNN needs two networks of k inputs and 1 output, but their sizes are "
                f"{list(kinetic.sizes)} and {list(potential.sizes)}"
            )
        self.kinetic, self.potential = kinetic, potential
        self._join()

    @property
    def dim(self):
        """Dimension of the state (q, p)."""
        return 2 * self.kinetic.sizes[0]

    @property
    def kernels(self):
        """Addresses of the kernels of the vector field."""
        return field_kernels(separable, separable_pull, dtype=self.dtype)

    @property
    def halves(self):
        """Addresses of the kernels of dq/dt and dp/dt."""
        return _halves(self.dtype)

    def pack(self, lanes, slots=1):
        """The vector `p` that the kernels of the field take, see `odekit.nn.composite.pack`."""
        parts = [functools.partial(network.pack, gradient=True) for network in (self.kinetic, self.potential)]
        return pack(self.dim, parts, lanes, slots, scratch=self.dim // 2, dtype=self.dtype)

    def energy(self, x, t=0.0):
        """Learned Hamiltonian at x (d,) or (B, d)."""
        half = self.dim // 2
        x, batched = checks.batch("x", x, self.dim)
        energy = self.kinetic(x[:, half:], t)[:, 0] + self.potential(x[:, :half], t)[:, 0]
        return energy if batched else energy[0]

    def __repr__(self):
        return f"SeparableHNN({self.kinetic!r}, {self.potential!r})"
