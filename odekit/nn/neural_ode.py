"""Neural ordinary differential equations (Chen et al., NeurIPS 2018), trained by the exact discrete adjoint."""

import numpy as np

from ..solvers.tables import EXPLICIT
from . import checks, files
from .adjoint import locate, pull_back, tableau
from .rollout import explicit_methods, integrate_lanes

ADJOINTS = ("discrete",)
STEP_CONTROLS = ("shared",)


class NeuralODE:
    """Trajectories y' = f(t, y; params) of a field, with gradients with respect to its parameters.

    Parameters
    ----------
    field : MLP, HNN or another field
        Its `params` are those of the model.
    method : str
        An explicit method: euler, midpoint, heun, rk4, bosh3, dopri5, tsit5, vern7, dop853, vern9. Those without an error
        estimate need `first_step`.
    rtol, atol : float
        Tolerances of a step.
    adjoint : str
        "discrete": the exact transpose of the solve, the step sizes held constant.
    step_control : str
        "shared": all trajectories of a batch take the same steps, the error is measured over all of them.
    first_step : float, optional
        First step, or the step of a method without an error estimate.

    Attributes
    ----------
    params : ndarray
        The parameters of the field.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> field = odekit.nn.MLP([2, 16, 2], rng=0)
    >>> model = odekit.nn.NeuralODE(field)
    >>> y0, t = np.array([[1.0, 0.0], [0.0, 1.0]]), np.linspace(0.0, 1.0, 5)
    >>> model.solve(y0, t).shape
    (5, 2, 2)
    >>> loss, grad = model.loss_and_grad(y0, t, target=np.zeros((5, 2, 2)))
    >>> grad.shape == field.params.shape
    True
    """

    def __init__(
        self, field, method="tsit5", rtol=1e-6, atol=1e-6, adjoint="discrete", step_control="shared", first_step=None
    ):  # fmt: skip
        self.field = checks.field(field)
        self.method = checks.choice("method", method.lower() if isinstance(method, str) else method, explicit_methods())
        self.rtol, self.atol = checks.positive("rtol", rtol), checks.positive("atol", atol)
        self.adjoint = checks.choice("adjoint", adjoint, ADJOINTS)
        self.step_control = checks.choice("step_control", step_control, STEP_CONTROLS)
        self.first_step = None if first_step is None else checks.positive("first_step", first_step)
        self._scheme = tableau(EXPLICIT[self.method])
        if EXPLICIT[self.method].b_err is None and first_step is None:
            raise ValueError(
                f"method={method!r} takes steps of fixed size: give it as first_step, for example first_step=0.01"
            )  # fmt: skip

    @property
    def params(self):
        """Flat parameter vector of the field."""
        return self.field.params

    @params.setter
    def params(self, value):
        self.field.params = value

    def solve(self, y0, t):
        """Trajectories.

        Parameters
        ----------
        y0 : array_like, (d,) or (B, d)
            Initial states at ``t[0]``.
        t : array_like, (T,)
            Output times, strictly increasing or strictly decreasing.

        Returns
        -------
        ndarray, (T, d) or (T, B, d)

        Raises
        ------
        SolveError
            If the integration stops before ``t[-1]``.
        """
        y0, batched = checks.batch("y0", y0, self.field.dim)
        outputs, _ = self._forward(checks.finite_array("y0", y0), checks.times(t))
        ys = _batch_first(outputs, *y0.shape)
        return ys if batched else ys[:, 0]

    def vjp(self, y0, t, cotangent):
        """Trajectories, and the transposes of their derivatives applied to a cotangent: any loss can be built on it.

        Parameters
        ----------
        y0 : array_like, (d,) or (B, d)
        t : array_like, (T,)
        cotangent : array_like, (T, d) or (T, B, d), or callable
            Derivative of a loss with respect to the trajectories; a callable gets them and returns it.

        Returns
        -------
        ys : ndarray, (T, d) or (T, B, d)
        params_bar : ndarray, (n_params,)
        y0_bar : ndarray, like y0

        Raises
        ------
        SolveError
            If the integration stops before ``t[-1]``.
        """
        y0, batched = checks.batch("y0", y0, self.field.dim)
        y0, t = checks.finite_array("y0", y0), checks.times(t)
        outputs, trajectory = self._forward(y0, t, keep_states=True)
        ys = _batch_first(outputs, *y0.shape)
        ys = ys if batched else ys[:, 0]
        seeds = checks.real_array("cotangent", cotangent(ys) if callable(cotangent) else cotangent)
        if seeds.shape != ys.shape:
            raise ValueError(f"cotangent must have shape {ys.shape}, but its shape is {seeds.shape}")
        params_bar, y0_bar = self._backward(trajectory, t, seeds.reshape(len(t), *y0.shape))
        return ys, params_bar, y0_bar if batched else y0_bar[0]

    def loss_and_grad(self, y0, t, target, *, with_y0=False):
        """Mean squared error of the trajectories and its exact gradient.

        Parameters
        ----------
        y0 : array_like, (d,) or (B, d)
        t : array_like, (T,)
        target : array_like, (T, d) or (T, B, d)
            Wanted states at all times, ``t[0]`` included.
        with_y0 : bool
            Whether the gradient with respect to `y0` is returned too.

        Returns
        -------
        loss : float
        grad : ndarray, (n_params,)
        y0_grad : ndarray, like y0
            Only if `with_y0`.

        Raises
        ------
        SolveError
            If the integration stops before ``t[-1]``.
        """
        shape = (np.size(t), *np.shape(y0))
        target = checks.shaped("target", target, shape)
        residual = np.empty(shape)

        def cotangent(ys):
            np.subtract(ys, target, out=residual)
            return residual * (2.0 / residual.size)

        _, grad, y0_grad = self.vjp(y0, t, cotangent)
        loss = float(np.mean(np.square(residual)))  # not a BLAS product: its threads would cost more than they give
        return (loss, grad, y0_grad) if with_y0 else (loss, grad)

    def samples(self, y0, t, target):
        """Number of trajectories in training data, for `fit`."""
        return len(checks.batch("y0", y0, self.field.dim)[0])

    def select(self, rows, y0, t, target):
        """The training data of some trajectories, for `fit`."""
        y0, target = np.asarray(y0), np.asarray(target)
        return (y0, t, target) if y0.ndim == 1 else (y0[rows], t, target[:, rows])

    def save(self, path, *, overwrite=False):
        """Write the model to an HDF5 file; read it back with `odekit.nn.load`."""
        files.save(path, self, overwrite)

    def _forward(self, y0, t, keep_states=False):
        return integrate_lanes(self.field, y0, t, self.method, self.rtol, self.atol, self.first_step, keep_states)

    def _backward(self, trajectory, t, seeds):
        lanes, d = seeds.shape[1:]
        scheme, kernels = self._scheme, self.field.kernels
        seeds = np.ascontiguousarray(seeds.transpose(0, 2, 1)).reshape(len(t), d * lanes)
        lam, grad = np.empty((d, lanes)), np.zeros(self.params.size)
        pull_back(
            kernels.record, kernels.pull, self.field.pack(lanes, scheme.slots), scheme.c, scheme.a, scheme.b, scheme.dense,
            scheme.last, trajectory.steps, trajectory.states, *locate(trajectory.steps, t), seeds, 0, lanes, lam, grad,
        )  # fmt: skip
        return grad, lam.T.copy()

    def __repr__(self):
        return f"NeuralODE({self.field!r}, method={self.method!r}, rtol={self.rtol:g}, atol={self.atol:g})"


def _batch_first(outputs, lanes, d):
    """(T, d * B) as (T, B, d)."""
    return np.ascontiguousarray(outputs.reshape(-1, d, lanes).transpose(0, 2, 1))
