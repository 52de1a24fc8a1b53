"""What all fields made of networks do from Python."""

import numpy as np

from . import checks
from .lanewise import lanewise_value, lanewise_vjp
from .own_parameters import OwnParameters
from .sampled import SampledModel


class NetworkField(SampledModel):
    """What fields made of networks do from Python. A field gives `dim`, `kernels` and `pack`.

    Its parameters are those of its network `field`, or several vectors laid together by `JoinedParameters`.
    """

    #: Addresses of the kernels of dq/dt = velocity(t, p) and dp/dt = force(t, q), where the field has that form.
    halves = None
    #: Whether the lanes of a call may have different times, see `odekit.adjoint.tape`.
    lane_times = True
    #: Whether the field is that of a Hamiltonian.
    hamiltonian = False

    @property
    def dtype(self):
        """Precision of the networks, float64 or float32."""
        return self.field.dtype

    @property
    def params(self):
        """Flat parameter vector."""
        return self.field.params

    @params.setter
    def params(self, value):
        self.params[...] = checks.shaped("params", value, self.params.shape)

    def __call__(self, x, t=0.0):
        """Time derivative.

        Parameters
        ----------
        x : array_like, (d,) or (B, d)
        t : float

        Returns
        -------
        ndarray, like x

        Raises
        ------
        TypeError, ValueError
            For what are no real numbers, or another shape.

        Examples
        --------
        >>> import odekit
        >>> odekit.nn.HNN(odekit.nn.MLP([2, 16, 1], rng=0))([0.5, -1.0]).shape
        (2,)
        """
        return lanewise_value(self.kernels, self.pack, x, t, self.dim, self.dim)

    def vjp(self, x, v, t=0.0):
        """Time derivative, and the transposes of its derivatives applied to `v`.

        Parameters
        ----------
        x, v : array_like, (d,) or (B, d)
            State, and cotangent of its time derivative.
        t : float

        Returns
        -------
        dxdt : ndarray, like x
        x_bar : ndarray, like x
        params_bar : ndarray, (n_params,)
            Summed over the batch.

        Raises
        ------
        TypeError, ValueError
            For what are no real numbers, another shape, or a cotangent that is not finite.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> model = odekit.nn.HNN(odekit.nn.MLP([2, 16, 1], rng=0))
        >>> dxdt, x_bar, params_bar = model.vjp(np.ones((5, 2)), np.ones((5, 2)))
        >>> x_bar.shape, params_bar.shape == model.params.shape
        ((5, 2), True)
        """
        return lanewise_vjp(self.kernels, self.pack, x, v, t, self.dim, self.dim, self.params.size)

    def derivative(self, x, t=0.0):
        """Time derivative.

        Parameters
        ----------
        x : array_like, (d,) or (B, d)
        t : float

        Returns
        -------
        ndarray, like x

        Raises
        ------
        TypeError, ValueError
            For what are no real numbers, or another shape.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> model = odekit.nn.HNN(odekit.nn.MLP([2, 16, 1], rng=0))
        >>> model.derivative(np.ones((5, 2))).shape
        (5, 2)
        """
        return self(x, t)

    def loss_and_grad(self, x, dxdt, t=None):
        """Mean squared error of the derivatives and its exact gradient.

        Parameters
        ----------
        x, dxdt : array_like, (B, d)
            States and their time derivatives.
        t : float or array_like, (B,), optional
            Times, for a field that depends on it.

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
        >>> import numpy as np, odekit
        >>> model = odekit.nn.HNN(odekit.nn.MLP([2, 16, 1], rng=0))
        >>> x = np.ones((5, 2))
        >>> loss, grad = model.loss_and_grad(x, model(x))
        >>> loss, grad.shape == model.params.shape
        (0.0, True)
        """
        from .derivative import derivative_loss

        return derivative_loss(self, x, dxdt, t)

    def derivative_data(self, x, dxdt, t=None):
        """What `odekit.nn.inner_loop` needs: the field, the checked data, the factor of the loss, the times."""
        from .derivative import checked_data, sample_times

        x, dxdt = checked_data(self, x, dxdt)
        return self, x, dxdt, 1.0, sample_times(self, t, len(x))

    def solve(
        self, y0, t, method="dop853", rtol=None, atol=None, first_step=None, omega=None, *, store=None, resume=False, progress=False
    ):  # fmt: skip
        """Trajectories of the learned system.

        Parameters
        ----------
        y0 : array_like, (d,) or (B, d)
        t : array_like, (T,)
        method : str
            Any method that is valid for the field: explicit symplectic ones only for energies T(p) + V(q).
        rtol, atol : float, optional
            1e-9; in single precision 1e-6.
        first_step : float, optional
            First step, or the step of a method without an error estimate.
        omega : float, optional
            Binding frequency of Tao's methods, see `odekit.hamiltonian`.
        store : path-like, optional
            Folder to which the trajectories are written as they come, each with its own steps (explicit methods), as
            `odekit.solve_ensemble` does it.
        resume : bool
            Whether to go on with a `store` that an earlier call, with the same model, has begun.
        progress : bool
            Whether to show a progress bar, with `store`.

        Returns
        -------
        ndarray, (T, d) or (T, B, d)
            With `store`, an `odekit.storage.StoredEnsemble`: ``y`` (B, d, T), and what became of each trajectory.

        Raises
        ------
        ValueError
            If the method is not valid for the field.
        SolveError
            If the integration stops before ``t[-1]``.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> model = odekit.nn.HNN(odekit.nn.MLP([2, 16, 1], rng=0))
        >>> model.solve([0.5, 0.0], [0.0, 0.5, 1.0]).shape
        (3, 2)
        >>> model.solve(np.ones((4, 2)), [0.0, 1.0], "gauss4", first_step=0.1).shape  # keeps the learned energy
        (2, 4, 2)
        """
        from .neural_ode import NeuralODE
        from .rollout import needs_form, stored, symplectic

        usual = 1e-9 if self.dtype == "float64" else 1e-6
        rtol, atol = usual if rtol is None else rtol, usual if atol is None else atol
        if store is not None or resume:
            return stored(self, y0, t, store, resume, method, rtol, atol, first_step, omega, progress)
        if needs_form(method):
            return symplectic(self, y0, t, method.lower(), first_step, omega)
        return NeuralODE(self, method, rtol, atol, first_step=first_step).solve(y0, t)


class JoinedParameters(OwnParameters):
    """Several networks with one flat vector of parameters, that of one after the other, of which theirs become views."""

    PARTS = ()

    @property
    def dtype(self):
        """Precision of the networks, float64 or float32."""
        return getattr(self, self.PARTS[0]).dtype

    def _join(self):
        networks = [getattr(self, name) for name in self.PARTS]
        if len({id(network) for network in networks}) < len(networks):
            raise ValueError(f"{' and '.join(self.PARTS)} must be different networks, but are the same object")
        checks.one_precision(*networks)
        self._params, start = np.concatenate([network.params for network in networks]), 0
        for network in networks:
            network._params = self._params[start : start + network.params.size]
            start += network._params.size

    def __setstate__(self, state):  # copies and pickles of views are no views
        self.__dict__.update(state)
        self._join()
