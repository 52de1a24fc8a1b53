"""Dissipative Hamiltonian networks (Sosanya and Greydanus, 2022, arXiv:2201.10085): an energy, and what it loses."""

import functools

from .. import _jit
from .composite import DIM, FIRST, OWN_SCRATCH, SECOND, field_kernels, pack, part, pull_gradient
from .field_kernels import gradient_record, gradient_value
from .gradient_tangents import gradient_pull_tangents_into, gradient_tangents, known
from .header import LANES, N_PARAMS, TIME_BAR
from .mlp import require_network
from .network_field import JoinedParameters, NetworkField

view1 = _jit.view1


@_jit.core
def dissipative(t, y, dy, p, keep):
    """dy = J grad H(y) + grad D(y)."""
    size = int(p[DIM]) * int(p[LANES])
    energy, rayleigh = part(p, FIRST), part(p, SECOND)
    slope = view1(p, int(p[OWN_SCRATCH]), size)
    if keep:
        gradient_record(t, y, dy, energy)
        gradient_record(t, y, slope, rayleigh)
    else:
        gradient_value(t, y, dy, energy)
        gradient_value(t, y, slope, rayleigh)
    for i in range(size):
        dy[i] += slope[i]
    return 0


@_jit.core
def dissipative_pull(t, v, out, p):
    """Transpose of its derivative."""
    size = int(p[DIM]) * int(p[LANES])
    count, bar = int(p[int(p[FIRST]) + N_PARAMS]), view1(p, int(p[OWN_SCRATCH]), size)
    pull_gradient(t, v, out, view1(out, size, count), FIRST, p)
    pull_gradient(t, v, bar, view1(out, size + count, int(p[N_PARAMS]) - count), SECOND, p)
    for i in range(size):
        out[i] += bar[i]
    return 0


@_jit.core
def dissipative_tangents(t, given, out, p):
    """The field and its derivatives along directions."""
    size = (1 + int(given[0])) * int(p[DIM]) * int(p[LANES])
    slope = view1(p, int(p[OWN_SCRATCH]), size)
    gradient_tangents(t, given, out, part(p, FIRST))
    gradient_tangents(t, given, slope, part(p, SECOND))
    for i in range(size):
        out[i] += slope[i]
    return 0


@_jit.core
def dissipative_pull_tangents(t, given, out, p):
    """Transpose of the derivative of all that."""
    size, energy, rayleigh = int(p[DIM]) * int(p[LANES]), part(p, FIRST), part(p, SECOND)
    count, bar = int(energy[N_PARAMS]), view1(p, int(p[OWN_SCRATCH]), size)
    gradient_pull_tangents_into(t, given, out, view1(out, size, count), energy)
    gradient_pull_tangents_into(t, given, bar, view1(out, size + count, int(p[N_PARAMS]) - count), rayleigh)
    p[TIME_BAR] += energy[TIME_BAR] + rayleigh[TIME_BAR]
    for i in range(size):
        out[i] += bar[i]
    return 0


class DissipativeHNN(JoinedParameters, NetworkField):
    """Vector field J grad H + grad D of two scalar networks: H is conserved without D, which holds the friction.

    Parameters
    ----------
    conserved, dissipated : MLP
        Networks of 2 k inputs, first all q, then all p, and one output: H and D. Their parameters become views of those of
        the model. Those of the paper depend on the time, too, and add the first hidden layer to the second:
        ``MLP([2, 256, 256, 1], time_dependent=True, residual=True)``.

    Attributes
    ----------
    params : ndarray
        The parameters of H, then those of D.

    Raises
    ------
    ValueError
        If the networks have other sizes.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> from odekit.nn import MLP, DissipativeHNN
    >>> model = DissipativeHNN(MLP([2, 16, 1], rng=0), MLP([2, 16, 1], rng=1))
    >>> x = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> model.energy(x).shape, model.power(x).shape
    ((2,), (2,))
    >>> loss, grad = model.loss_and_grad(x, dxdt=np.array([[0.0, -1.0], [1.0, -0.1]]))
    """

    PARTS = ("conserved", "dissipated")

    def __init__(self, conserved, dissipated):
        for name, network in (("conserved", conserved), ("dissipated", dissipated)):
            require_network(name, network)
        sizes = conserved.sizes[0], dissipated.sizes[0]
        if conserved.sizes[-1] != 1 or dissipated.sizes[-1] != 1 or sizes[0] != sizes[1] or sizes[0] % 2:
            raise ValueError(
                "a DissipativeHNN needs two networks of 2 k inputs (q, p) and 1 output, but their sizes are "
                f"{list(conserved.sizes)} and {list(dissipated.sizes)}"
            )
        self.conserved, self.dissipated = conserved, dissipated
        self._join()

    @property
    def dim(self):
        """Dimension of the state (q, p)."""
        return self.conserved.sizes[0]

    @property
    def kernels(self):
        """Addresses of the kernels of the vector field."""
        cores = (dissipative_tangents, dissipative_pull_tangents) if known(self.conserved, self.dissipated) else ()
        return field_kernels(dissipative, dissipative_pull, *cores, dtype=self.dtype)

    def pack(self, lanes, slots=1, directions=0):
        """The vector `p` that the kernels of the field take, see `odekit.nn.composite.pack`."""
        parts = (
            functools.partial(self.conserved.pack, gradient=True, symplectic=True, directions=directions),
            functools.partial(self.dissipated.pack, gradient=True, directions=directions),
        )
        return pack(self.dim, parts, lanes, slots, scratch=(1 + directions) * self.dim, dtype=self.dtype)

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
        >>> model = odekit.nn.DissipativeHNN(MLP([2, 8, 1], rng=0), MLP([2, 8, 1], rng=1))
        >>> model.energy(np.ones((5, 2))).shape
        (5,)
        """
        return self.conserved(x, t)[..., 0]

    def power(self, x, t=0.0):
        """Change of the learned Hamiltonian in time, grad H . grad D; zero without friction.

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
        >>> model = odekit.nn.DissipativeHNN(MLP([2, 8, 1], rng=0), MLP([2, 8, 1], rng=1))
        >>> model.power(np.ones((5, 2))).shape
        (5,)
        """
        return (self.conserved.gradient(x, t) * self.dissipated.gradient(x, t)).sum(axis=-1)

    def __repr__(self):
        return f"DissipativeHNN({self.conserved!r}, {self.dissipated!r})"
