"""Deep Lagrangian networks (Lutter, Ritter and Peters, 2019, arXiv:1907.04490): a mass matrix that cannot be singular.

The Lagrangian is ``v^T M(q) v / 2 - V(q)`` with ``M = L L^T``. One network gives the lower triangular L, whose diagonal is
made positive; another one gives V. The equations of motion are

    F = M a + h(q, v),    h = (dM/dt) v - d(v^T M v / 2)/dq + dV/dq,

so that a is found by two triangular systems. With u = L^T v, h needs the first derivatives of L only, and the gradients of
what follows from it their derivatives once more: see `odekit.nn.tangents`.
"""

import functools

import numpy as np

from . import checks
from .composite import OPTION, field_kernels, pack
from .delan_kernels import FLOOR, SMOOTH, VECTORS, forward, forward_pull, inverse, inverse_pull
from .derivative import checked_data, derivative_loss
from .field_kernels import call
from .forced_delan import DrivenDeLaN, HeldForces
from .header import tangents_room
from .mlp import require_network
from .network_field import JoinedParameters, NetworkField


class _InverseDynamics:
    """The forces of a `DeLaN` as a field of the state (q, v, a): (F, 0, 0)."""

    lane_times = True

    def __init__(self, model):
        self.model, self.dim = model, 3 * model.dim // 2

    @property
    def params(self):
        return self.model.params

    @property
    def kernels(self):
        return field_kernels(inverse, inverse_pull)

    def pack(self, lanes, slots=1):
        return self.model.pack(lanes, slots, self.dim)


class DeLaN(JoinedParameters, NetworkField):
    """Vector field q' = v, v' = M^-1 (-h) of a learned mass matrix M(q) = L L^T and a learned potential V(q).

    It is trained on forces (inverse dynamics) or on accelerations of a free system by `loss_and_grad`, with exact gradients, or
    on trajectories in a `NeuralODE`.

    Parameters
    ----------
    triangle : MLP
        Network of k inputs q and k (k + 1) / 2 outputs: the diagonal of L, which softplus makes positive, then what is below it,
        row by row. With two continuous derivatives: tanh, softplus, sigmoid, silu or sin.
    potential : MLP
        Network of k inputs and one output. The parameters of both become views of those of the model.
    floor : float
        Added to the diagonal of L, so that M is never singular.

    Attributes
    ----------
    params : ndarray
        The parameters of `triangle`, then those of `potential`.

    Raises
    ------
    ValueError
        If the networks have other sizes, depend on time, or have an activation that is not smooth.

    References
    ----------
    .. [1] M. Lutter, C. Ritter, J. Peters, "Deep Lagrangian Networks: Using Physics as Model Prior for Deep Learning", ICLR 2019,
       arXiv:1907.04490.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> from odekit.nn import MLP, DeLaN
    >>> model = DeLaN(MLP([2, 16, 3], rng=0), MLP([2, 16, 1], rng=1))
    >>> x, acceleration = np.array([[1.0, 0.5, 0.0, 0.2]]), np.array([[0.1, -0.3]])
    >>> force = model.force(x, acceleration)
    >>> bool(np.allclose(model.acceleration(x, force), acceleration)), model.mass_matrix(x[:, :2]).shape
    (True, (1, 2, 2))
    >>> loss, grad = model.loss_and_grad(x, acceleration, force=np.zeros((1, 2)))
    """

    PARTS = ("triangle", "potential")

    def __init__(self, triangle, potential, floor=0.1):
        for name, network in (("triangle", triangle), ("potential", potential)):
            require_network(name, network)
            if network.time_dependent or network.activation not in SMOOTH:
                raise ValueError(
                    f"the networks of a DeLaN do not depend on time and have an activation of {', '.join(SMOOTH)}, but {name} is "
                    f"{network!r}{' of the time' if network.time_dependent else ''}"
                )
        k = potential.sizes[0]
        if (triangle.sizes[0], triangle.sizes[-1], potential.sizes[-1]) != (k, k * (k + 1) // 2, 1):
            raise ValueError(
                "a DeLaN needs a network of k inputs and k (k + 1) / 2 outputs and one of k inputs and 1 output, but their sizes "
                f"are {list(triangle.sizes)} and {list(potential.sizes)}"
            )
        checks.double(triangle=triangle, potential=potential)
        self.floor = checks.positive("floor", floor)
        self.triangle, self.potential = triangle, potential
        self._join()

    @property
    def dim(self):
        """Dimension of the state (q, v)."""
        return 2 * self.potential.sizes[0]

    @property
    def kernels(self):
        """Addresses of the kernels of the vector field."""
        return field_kernels(forward, forward_pull)

    def pack(self, lanes, slots=1, dim=None):
        """The vector `p` that the kernels of the field take, see `odekit.nn.composite.pack`."""
        k, sizes = self.dim // 2, self.triangle.sizes
        parts = (self.triangle.pack, functools.partial(self.potential.pack, gradient=True))
        tape, scratch = tangents_room(sizes, k)
        dim = self.dim if dim is None else dim
        fixed = k * (k + 1) + VECTORS * k
        p = pack(dim, parts, lanes, slots, slot=4 * k + tape, scratch=scratch + 2 * k + k * (1 + k), fixed=fixed)
        p[OPTION], p[FLOOR] = k, self.floor
        return p

    def loss_and_grad(self, x, acceleration, force=None):
        """Mean squared error and its exact gradient: of the forces, or without them of the accelerations of the free system.

        Parameters
        ----------
        x : array_like, (B, 2 k)
            Positions, then velocities.
        acceleration : array_like, (B, k)
        force : array_like, (B, k), optional
            External forces that go with them.

        Returns
        -------
        loss : float
        grad : ndarray, (n_params,)

        Raises
        ------
        TypeError, ValueError
            For what are no real numbers, or another shape.

        Examples
        --------
        >>> import numpy as np
        >>> from odekit.nn import MLP, DeLaN
        >>> model = DeLaN(MLP([1, 8, 1], rng=0), MLP([1, 8, 1], rng=1))
        >>> x, acceleration = np.ones((5, 2)), np.zeros((5, 1))
        >>> loss, grad = model.loss_and_grad(x, acceleration, force=model.force(x, acceleration))
        >>> loss, grad.shape == model.params.shape
        (0.0, True)
        """
        field, inputs, target, factor = self.derivative_data(x, acceleration, force)
        loss, grad = derivative_loss(field, inputs, target)
        return factor * loss, factor * grad

    def derivative_data(self, x, acceleration, force=None):
        """What `odekit.nn.inner_loop` needs: a field, the checked data, the factor of the loss."""
        x, acceleration = self._states(x, acceleration)
        k = self.dim // 2
        if force is None:  # the mean is over the velocities, too, whose errors are zero
            return self, *checked_data(self, x, np.concatenate((x[:, k:], acceleration), axis=1)), 2.0
        force = checks.alike("force", force, acceleration.shape)
        field, inputs = _InverseDynamics(self), np.concatenate((x, acceleration), axis=1)
        return field, *checked_data(field, inputs, np.concatenate((force, np.zeros((len(x), 2 * k))), axis=1)), 3.0

    def _states(self, x, acceleration):
        """States (B, 2 k) and accelerations (B, k), checked."""
        x, _ = checks.batch("x", x, self.dim)
        return x, checks.alike("acceleration", acceleration, (len(x), self.dim // 2))

    def force(self, x, acceleration):
        """Inverse dynamics: the external forces that give these accelerations.

        Parameters
        ----------
        x : array_like, (2 k,) or (B, 2 k)
        acceleration : array_like, (k,) or (B, k)

        Returns
        -------
        ndarray, like `acceleration`

        Raises
        ------
        TypeError, ValueError
            For what are no real numbers, or another shape.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> from odekit.nn import MLP, DeLaN
        >>> model = DeLaN(MLP([2, 8, 3], rng=0), MLP([2, 8, 1], rng=1))
        >>> model.force(np.ones((5, 4)), np.zeros((5, 2))).shape
        (5, 2)
        """
        batched, (x, acceleration) = np.ndim(x) == 2, self._states(x, acceleration)
        field, inputs = _InverseDynamics(self), np.concatenate((x, acceleration), axis=1)
        out = np.empty((field.dim, len(x)))
        call(field.kernels.value, 0.0, np.ascontiguousarray(inputs.T).ravel(), out.ravel(), field.pack(len(x)))
        force = out[: self.dim // 2].T.copy()
        return force if batched else force[0]

    def acceleration(self, x, force=0.0):
        """Forward dynamics: the accelerations under external forces.

        Parameters
        ----------
        x : array_like, (2 k,) or (B, 2 k)
        force : array_like, (k,) or (B, k)

        Returns
        -------
        ndarray, (k,) or (B, k)

        Raises
        ------
        TypeError, ValueError
            For what are no real numbers, or another shape.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> from odekit.nn import MLP, DeLaN
        >>> model = DeLaN(MLP([2, 8, 3], rng=0), MLP([2, 8, 1], rng=1))
        >>> model.acceleration(np.ones((5, 4)), force=[0.1, 0.0]).shape
        (5, 2)
        """
        k, x, force = self.dim // 2, checks.real_array("x", x), checks.real_array("force", force)
        derivative = self(x)
        if force.shape not in ((), (1,), (k,), (*x.shape[:-1], k)):
            raise ValueError(f"force must have shape ({k},) or {(*x.shape[:-1], k)}, but its shape is {force.shape}")
        extra = np.broadcast_to(force, (*x.shape[:-1], k))
        return derivative[..., k:] + np.linalg.solve(self.mass_matrix(x[..., :k]), extra[..., None])[..., 0]

    def solve(
        self, y0, t, method="dop853", rtol=None, atol=None, first_step=None, omega=None, *, force=None, store=None, resume=False,
        progress=False,
    ):  # fmt: skip
        """Trajectories of the learned system, free or under control forces.

        Parameters
        ----------
        y0, t, method, rtol, atol, first_step, omega
            As for `HNN.solve`.
        force : callable or array_like, optional
            A function of time, ``force(t)``, that gives the k forces on all trajectories; or numbers that stay as they are between two
            output times: (k,), (T - 1, k), or (T - 1, B, k) for each trajectory its own.
        store, resume, progress
            As for `HNN.solve`; the forces are a part of the problem.

        Returns
        -------
        ndarray, (T, 2 k) or (T, B, 2 k)
            With `store`, an `odekit.storage.StoredEnsemble`.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> from odekit.nn import MLP, DeLaN
        >>> model = DeLaN(MLP([1, 8, 1], rng=0), MLP([1, 8, 1], rng=1))
        >>> t = np.linspace(0.0, 1.0, 5)
        >>> model.solve([0.1, 0.0], t, force=lambda t: (np.sin(t),)).shape
        (5, 2)
        >>> model.solve(np.zeros((3, 2)), t, force=np.ones((4, 3, 1))).shape
        (5, 3, 2)
        """
        more = {"store": store, "resume": resume, "progress": progress}
        if force is None:
            return super().solve(y0, t, method, rtol, atol, first_step, omega, **more)
        t = checks.times(t)
        if callable(force):
            field = DrivenDeLaN(self, force, float(t[0]))
            return field.solve(y0, t, method, rtol, atol, first_step, omega, **more)
        return HeldForces(self, force, y0, t).solve(method, rtol, atol, first_step, omega, **more)

    def mass_matrix(self, q):
        """Mass matrix L L^T.

        Parameters
        ----------
        q : array_like, (k,) or (B, k)

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
        >>> from odekit.nn import MLP, DeLaN
        >>> model = DeLaN(MLP([2, 8, 3], rng=0), MLP([2, 8, 1], rng=1))
        >>> model.mass_matrix(np.ones((5, 2))).shape
        (5, 2, 2)
        """
        k, entries = self.dim // 2, self.triangle(q)
        lower = np.zeros((*entries.shape[:-1], k, k))
        diagonal = np.logaddexp(0.0, entries[..., :k]) + self.floor
        lower[..., range(k), range(k)] = diagonal
        lower[(..., *np.tril_indices(k, -1))] = entries[..., k:]
        return lower @ np.swapaxes(lower, -1, -2)

    def energy(self, x, t=0.0):
        """Learned energy ``v^T M(q) v / 2 + V(q)``.

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
        >>> from odekit.nn import MLP
        >>> model = odekit.nn.DeLaN(MLP([1, 8, 1], rng=0), MLP([1, 8, 1], rng=1))
        >>> model.energy(np.ones((5, 2))).shape
        (5,)
        """
        k, x = self.dim // 2, checks.real_array("x", x)
        v = x[..., k:]
        return (
            0.5 * np.einsum("...i,...ij,...j", v, self.mass_matrix(x[..., :k]), v) + self.potential(x[..., :k])[..., 0]
        )

    def __repr__(self):
        return f"DeLaN({self.triangle!r}, {self.potential!r}, floor={self.floor:g})"
