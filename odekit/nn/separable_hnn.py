"""Separable Hamiltonian networks, H = T(p) + V(q): learned energies that explicit symplectic methods integrate."""

import functools

from .. import _jit
from . import checks
from .composite import DIM, FIRST, OWN_SCRATCH, SECOND, field_kernels, pack, part, pull_gradient
from .field_kernels import address, gradient_record, gradient_value
from .gradient_tangents import gradient_pull_tangents_into, gradient_tangents, known
from .header import LANES, N_PARAMS, TIME_BAR
from .mlp import require_network
from .network_field import JoinedParameters, NetworkField

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


@_jit.core
def _half(p, given, number, cotangents, sign):
    """Argument of the directional derivatives of one part, from that of the field's, at its place in the scratch memory.

    Parameters
    ----------
    number : int
        0: the velocities, which depend on the momenta; 1: the forces, which depend on the positions.
    cotangents : bool
        Whether those of the results are there too; they are multiplied by `sign`.
    """
    half, count = (int(p[DIM]) // 2) * int(p[LANES]), int(given[0])
    inner, first = view1(p, int(p[OWN_SCRATCH]), 1 + count + 2 * (1 + count) * half), 1 + count
    for i in range(first):
        inner[i] = given[i]
    for c in range(1 + count):
        state, bar = first + (2 * c + 1 - number) * half, first + (2 * (1 + count) + 2 * c + number) * half
        for i in range(half):
            inner[first + c * half + i] = given[state + i]
            if cotangents:
                inner[first + (1 + count + c) * half + i] = sign * given[bar + i]


@_jit.view_maker
def _argument(p, count):
    """What `_half` has written, and room for its results."""
    half, place = (int(p[DIM]) // 2) * int(p[LANES]), int(p[OWN_SCRATCH])
    size = 1 + count + 2 * (1 + count) * half
    return view1(p, place, size), view1(p, place + size, (1 + count) * half)


@_jit.core
def separable_tangents(t, given, out, p):
    """The field and its derivatives along directions."""
    half, count = (int(p[DIM]) // 2) * int(p[LANES]), int(given[0])
    inner, rows = _argument(p, count)
    for number in range(2):
        _half(p, given, number, False, 1.0)
        gradient_tangents(t, inner, rows, part(p, FIRST if number == 0 else SECOND))
        for c in range(1 + count):
            for i in range(half):
                out[(2 * c + number) * half + i] = rows[c * half + i] if number == 0 else -rows[c * half + i]
    return 0


@_jit.core
def separable_pull_tangents(t, given, out, p):
    """Transpose of the derivative of all that."""
    half, count = (int(p[DIM]) // 2) * int(p[LANES]), int(given[0])
    inner, _rows = _argument(p, count)
    first = int(p[int(p[FIRST]) + N_PARAMS])
    for number in range(2):
        network = part(p, FIRST if number == 0 else SECOND)
        _half(p, given, number, True, 1.0 if number == 0 else -1.0)
        g = view1(out, 2 * half + number * first, int(network[N_PARAMS]))
        gradient_pull_tangents_into(t, inner, view1(out, (1 - number) * half, half), g, network)
        p[TIME_BAR] += network[TIME_BAR]
    return 0


@functools.cache
def _halves(dtype):
    """Addresses of `velocity` and `force`."""
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
        cores = (separable_tangents, separable_pull_tangents) if known(self.kinetic, self.potential) else ()
        return field_kernels(separable, separable_pull, *cores, dtype=self.dtype)

    @property
    def halves(self):
        """Addresses of the kernels of dq/dt and dp/dt."""
        return _halves(self.dtype)

    def pack(self, lanes, slots=1, directions=0):
        """The vector `p` that the kernels of the field take, see `odekit.nn.composite.pack`."""
        networks, half = (self.kinetic, self.potential), self.dim // 2
        parts = [functools.partial(network.pack, gradient=True, directions=directions) for network in networks]
        scratch = 3 * (1 + directions) * half  # arguments, cotangents, results
        return pack(self.dim, parts, lanes, slots, scratch=scratch, fixed=1 + directions, dtype=self.dtype)

    def energy(self, x, t=0.0):
        """Learned Hamiltonian.

        Parameters
        ----------
        x : array_like, (d,) or (B, d)
        t : float

        Returns
        -------
        float or ndarray, (B,)

        Raises
        ------
        TypeError, ValueError
            For what are no real numbers, or another shape.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> from odekit.nn import MLP
        >>> model = odekit.nn.SeparableHNN(MLP([1, 8, 1], rng=0), MLP([1, 8, 1], rng=1))
        >>> model.energy(np.ones((5, 2))).shape
        (5,)
        """
        half = self.dim // 2
        x, batched = checks.batch("x", x, self.dim)
        energy = self.kinetic(x[:, half:], t)[:, 0] + self.potential(x[:, :half], t)[:, 0]
        return energy if batched else energy[0]

    def __repr__(self):
        return f"SeparableHNN({self.kinetic!r}, {self.potential!r})"
