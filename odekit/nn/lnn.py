"""Lagrangian neural networks (Cranmer et al., 2020, arXiv:2003.04630): accelerations of a learned Lagrangian."""

import functools

import numpy as np

from . import checks, third_derivatives
from .composite import OPTION, field_kernels, pack
from .derivative import checked_data, derivative_loss
from .header import SIZES, hyperdual_room
from .lnn_kernels import RIDGE, SMALLEST_PIVOT, THIRD, lagrangian, lagrangian_pull
from .mlp import require_network
from .network_field import NetworkField


class LNN(NetworkField):
    """Vector field q' = v, v' = (d2L/dv2)^-1 (dL/dq - (d2L/dv dq) v) of a scalar network L(q, v).

    It is trained on accelerations by `loss_and_grad`, with exact gradients through the third derivatives of the network, or
    on trajectories in a `NeuralODE`.

    Parameters
    ----------
    field : MLP
        Network of 2 k inputs, first all q, then all v, and one output; tanh, softplus, sigmoid or sin.
    ridge : float
        Added to the diagonal of the mass matrix d2L/dv2, which is a kinetic energy ``ridge |v|^2 / 2`` in L. A network that
        is not trained has hardly any mass of its own; 1 keeps the matrix regular at the start, 0 is the published form.
    angles : bool
        Whether all q are angles in radians: the network then sees them modulo 2 pi.

    Attributes
    ----------
    params : ndarray
        The parameters of the network.

    Raises
    ------
    ValueError
        If the network has an odd number of inputs, more than one output, no hidden layer, or an activation without three derivatives.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> model = odekit.nn.LNN(odekit.nn.MLP([2, 32, 32, 1], activation="softplus", rng=0))
    >>> x = np.array([[1.0, 0.0], [0.5, 1.0]])
    >>> model.energy(x).shape, model.mass_matrix(x).shape
    ((2,), (2, 1, 1))
    >>> loss, grad = model.loss_and_grad(x, acceleration=-np.sin(x[:, :1]))
    """

    def __init__(self, field, ridge=1.0, angles=False):
        require_network("field", field)
        if field.sizes[-1] != 1 or field.sizes[0] % 2 or len(field.sizes) < 3:
            raise ValueError(
                "an LNN needs a network of 2 k inputs (q, v), a hidden layer and 1 output, but its sizes are "
                f"{list(field.sizes)}"
            )
        checks.double(field=field)
        if field.activation not in third_derivatives.THIRD:
            raise ValueError(
                f"an LNN needs an activation with three derivatives, one of {', '.join(third_derivatives.THIRD)}, but its "
                f"network has {field.activation}"
            )
        self.ridge = checks.not_negative("ridge", ridge)
        self.field, self.angles = field, bool(angles)

    @property
    def dim(self):
        """Dimension of the state (q, v)."""
        return self.field.sizes[0]

    @property
    def kernels(self):
        """Addresses of the kernels of the vector field."""
        return field_kernels(lagrangian, lagrangian_pull)

    def pack(self, lanes, slots=1):
        """The vector `p` that the kernels of the field take, see `odekit.nn.composite.pack`."""
        part = functools.partial(self.field.pack, gradient=True)
        inner, d, k = part(1), self.dim, self.dim // 2
        n_in = int(inner[SIZES])
        tape, scratch = hyperdual_room(self.field._layers)
        p = pack(d, (part,), lanes, slots, slot=d + k * k + k, scratch=d + 4 * n_in + tape + scratch, fixed=k * (k + 1))
        p[THIRD], p[RIDGE] = third_derivatives.address(self.field.activation), self.ridge
        p[OPTION] = self.angles
        return p

    def loss_and_grad(self, x, acceleration):
        """Mean squared error of the accelerations and its exact gradient.

        Parameters
        ----------
        x : array_like, (B, 2 k)
            Positions, then velocities.
        acceleration : array_like, (B, k)

        Returns
        -------
        loss : float
        grad : ndarray, (n_params,)

        Raises
        ------
        LinAlgError
            If a mass matrix is singular.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> model = odekit.nn.LNN(odekit.nn.MLP([4, 8, 1], activation="softplus", rng=0))
        >>> loss, grad = model.loss_and_grad(np.ones((5, 4)), np.zeros((5, 2)))
        >>> grad.shape == model.params.shape
        True
        """
        _, x, dxdt, factor = self.derivative_data(x, acceleration)
        loss, grad = derivative_loss(self, x, dxdt)
        if not np.isfinite(loss):
            self._require_mass(x)
        return factor * loss, factor * grad

    def derivative_data(self, x, acceleration):
        """What `odekit.nn.inner_loop` needs: the field, the checked data, the factor of the loss."""
        x, _ = checks.batch("x", x, self.dim)
        half = self.dim // 2
        acceleration = checks.alike("acceleration", acceleration, (len(x), half))
        dxdt = np.concatenate((x[:, half:], acceleration), axis=1)
        return self, *checked_data(self, x, dxdt), 2.0  # the mean is over the velocities, too, whose errors are zero

    def _require_mass(self, x):
        """One sentence about the first mass matrix that is singular."""
        spectra = np.linalg.eigvalsh(self.mass_matrix(x)) if np.isfinite(self.params).all() else np.empty((0, 1))
        sizes = np.abs(spectra)
        singular = ~(sizes.min(axis=1) > SMALLEST_PIVOT * sizes.max(axis=1))
        if singular.any():
            i = int(np.argmax(singular))
            raise np.linalg.LinAlgError(
                f"the mass matrix d2L/dv2 + {self.ridge:g} I of sample {i} is singular: its eigenvalues are "
                f"{', '.join(f'{value:.3g}' for value in spectra[i])}; expected a regular one, which a larger ridge gives"
            )

    def _seen(self, x):
        """States as the network sees them, as a batch."""
        x, batched = checks.batch("x", x, self.dim)
        if self.angles:
            half, x = self.dim // 2, x.copy()
            x[:, :half] = np.mod(x[:, :half], 2.0 * np.pi)
        return x, batched

    def mass_matrix(self, x, t=0.0):
        """Mass matrix d2L/dv2 with the ridge.

        Parameters
        ----------
        x : array_like, (2 k,) or (B, 2 k)
        t : float

        Returns
        -------
        ndarray, (k, k) or (B, k, k)

        Raises
        ------
        TypeError, ValueError
            For what are no real numbers, or another shape.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> model = odekit.nn.LNN(odekit.nn.MLP([4, 8, 1], activation="softplus", rng=0))
        >>> model.mass_matrix(np.ones((5, 4))).shape
        (5, 2, 2)
        """
        x, batched = self._seen(x)
        half = self.dim // 2
        units = np.eye(self.dim)[half:]
        columns = [self.field.gradient_vjp(x, np.tile(unit, (len(x), 1)), t)[1][:, half:] for unit in units]
        mass = np.stack(columns, axis=2) + self.ridge * np.eye(half)
        return mass if batched else mass[0]

    def signature(self, x, t=0.0):
        """How many eigenvalues of the mass matrix are positive: the same everywhere, unless it is singular in between.

        Parameters
        ----------
        x : array_like, (2 k,) or (B, 2 k)
        t : float

        Returns
        -------
        int or ndarray of int, (B,)

        Raises
        ------
        TypeError, ValueError
            For what are no real numbers, or another shape.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> model = odekit.nn.LNN(odekit.nn.MLP([4, 8, 1], activation="softplus", rng=0))
        >>> model.signature(np.ones((5, 4))).shape
        (5,)
        """
        return (np.linalg.eigvalsh(self.mass_matrix(x, t)) > 0).sum(axis=-1)

    def energy(self, x, t=0.0):
        """Learned energy ``v . dL/dv - L``.

        Parameters
        ----------
        x : array_like, (2 k,) or (B, 2 k)
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
        >>> model = odekit.nn.LNN(odekit.nn.MLP([2, 8, 1], activation="softplus", rng=0))
        >>> model.energy(np.ones((5, 2))).shape
        (5,)
        """
        x, batched = self._seen(x)
        half = self.dim // 2
        v = x[:, half:]
        energy = (v * (self.field.gradient(x, t)[:, half:] + 0.5 * self.ridge * v)).sum(1) - self.field(x, t)[:, 0]
        return energy if batched else energy[0]

    def __repr__(self):
        angles = ", angles=True" if self.angles else ""
        return f"LNN({self.field!r}, ridge={self.ridge:g}{angles})"
