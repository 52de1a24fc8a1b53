"""Deep Lagrangian networks under forces: as numbers that stay for a while, or as a function of time."""

import numpy as np

from . import checks
from .composite import field_kernels
from .delan_kernels import FORCE, driven, driven_pull, held, held_pull
from .network_field import NetworkField

TOLERANCE = 1e-9  # of rollouts
SHARE = (2 / 3) ** 0.5  # components of (q, v, F) that count for the error


class ForcedDeLaN(NetworkField):
    """Vector field q' = v, v' = M^-1 (F - h), F' = 0 of the state (q, v, F): a `DeLaN` under forces that stay.

    In a `NeuralODE` it trains on trajectories whose forces are known: they are a part of the initial states, and gradients with
    respect to them are a part of those. Forces that change at times are several of its trajectories, see `DeLaN.solve`.

    Parameters
    ----------
    model : DeLaN
        With k positions.

    Attributes
    ----------
    params : ndarray
        The parameters of the model.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> from odekit.nn import MLP, DeLaN, ForcedDeLaN, NeuralODE
    >>> field = ForcedDeLaN(DeLaN(MLP([1, 8, 1], rng=0), MLP([1, 8, 1], rng=1)))
    >>> y0, t = np.array([[0.1, 0.0, 2.0], [0.1, 0.0, -2.0]]), np.array([0.0, 0.5])
    >>> NeuralODE(field).solve(y0, t)[1, :, 2]
    array([ 2., -2.])
    """

    dtype = "float64"

    def __init__(self, model):
        from .delan import DeLaN

        if not isinstance(model, DeLaN):
            raise TypeError(f"model must be an odekit.nn.DeLaN, but it is a {type(model).__name__}")
        self.model = model

    @property
    def params(self):
        """Flat parameter vector of the model."""
        return self.model.params

    @params.setter
    def params(self, value):
        self.model.params = value

    @property
    def dim(self):
        """Dimension of the state (q, v, F)."""
        return 3 * self.model.dim // 2

    @property
    def kernels(self):
        """Addresses of the kernels of the vector field."""
        return field_kernels(held, held_pull)

    def pack(self, lanes, slots=1):
        """The vector `p` that the kernels of the field take, see `odekit.nn.composite.pack`."""
        return self.model.pack(lanes, slots, self.dim)

    def __repr__(self):
        return f"ForcedDeLaN({self.model!r})"


class DrivenDeLaN(NetworkField):
    """The model under forces that are a function of time; its state is (q, v). For rollouts.

    Parameters
    ----------
    model : DeLaN
    force : callable
        ``force(t)`` gives k numbers.
    t0 : float
    """

    dtype = "float64"
    params = ForcedDeLaN.params

    def __init__(self, model, force, t0):
        from ..field import UserField  # brings the compiler along

        self.model = model
        k = model.dim // 2
        value = np.asarray(force(t0))
        if value.shape != (k,) or value.dtype.kind not in "iuf" or not np.isfinite(value).all():
            raise ValueError(f"force must give {k} finite numbers, but at t = {t0:g} it gives {value.tolist()}")
        self.force_in_time = force
        self._field = UserField(_of_state(force, t0), t0, np.zeros(k))

    @property
    def dim(self):
        """Dimension of the state (q, v)."""
        return self.model.dim

    @property
    def kernels(self):
        """Addresses of the kernels of the vector field."""
        return field_kernels(driven, driven_pull)

    def pack(self, lanes, slots=1):
        """The vector `p` that the kernels of the field take, see `odekit.nn.composite.pack`."""
        p = self.model.pack(lanes, slots)
        p[FORCE] = self._field.kernel.address
        return p


def _of_state(force, t0):
    """A function of time as a right-hand side, compiled if Numba takes it."""
    import numba

    compiled = force if hasattr(force, "py_func") else numba.njit(force)
    try:
        compiled(t0)
    except Exception:  # whatever Numba raises for odd code; the right-hand side then says what it costs
        compiled = force

    def forces(t, _y):
        return compiled(t)

    return forces


class HeldForces:
    """Rollouts of a model under forces that are constant between the output times.

    Parameters
    ----------
    model : DeLaN
        With k positions.
    force : array_like, (k,), (T - 1, k) or (T - 1, B, k)
    y0 : array_like, (2 k,) or (B, 2 k)
    t : ndarray, (T,)

    Raises
    ------
    ValueError
        For another shape, or numbers that are not finite.
    """

    def __init__(self, model, force, y0, t):
        self.field, self.t, k, intervals = ForcedDeLaN(model), t, model.dim // 2, len(t) - 1
        y0, self.batched = checks.batch("y0", y0, model.dim)
        self.y0, force = checks.finite_array("y0", y0), checks.finite_array("force", force)
        width = len(y0)
        if force.shape not in ((k,), (intervals, k), (intervals, width, k)):
            raise ValueError(
                f"force must be a function of time, or have shape ({k},), ({intervals}, {k}) or ({intervals}, {width}, {k}) for {intervals} "
                f"intervals between the times and {width} trajectories, but its shape is {force.shape}"
            )
        force = force if force.ndim == 3 else force[..., None, :]
        self.forces = np.broadcast_to(force, (intervals, width, k))

    def solve(self, method, rtol, atol, first_step, omega, *, store, resume, progress):
        """The trajectories, see `DeLaN.solve`."""
        # the forces make the mean over the error smaller, which is undone here
        rtol, atol = (SHARE * (TOLERANCE if x is None else x) for x in (rtol, atol))
        if store is not None or resume:
            from .rollout import stored

            return stored(
                self.field, self.y0, self.t, store, resume, method, rtol, atol, first_step, omega, progress, self.forces
            )
        ys = [self.y0]
        for force, begin, end in zip(self.forces, self.t[:-1], self.t[1:], strict=True):
            state = np.concatenate((ys[-1], force), axis=1)
            ends = self.field.solve(state, [begin, end], method, rtol, atol, first_step, omega)[1]
            ys.append(np.ascontiguousarray(ends[:, : self.y0.shape[1]]))
        ys = np.array(ys)
        return ys if self.batched else ys[:, 0]
