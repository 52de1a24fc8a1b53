"""Neural ordinary differential equations (Chen et al., NeurIPS 2018), trained by the exact discrete adjoint."""

import numpy as np

from ..adjoint import DiscreteAdjoint, choose
from ..adjoint.choice import one_method
from ..adjoint.coupled import trajectories
from ..adjoint.lane_sweeps import COLUMNS, LaneSweeps
from ..adjoint.result import cotangent_array, given_cotangent
from ..adjoint.scheme import scheme
from ..adjoint.sweeps import MAX_STEPS, Sweeps
from ..solvers.methods import METHODS
from ..solvers.tables import EXPLICIT
from . import checks
from .losses import SQUARED_ERROR
from .model import trainable
from .objective import is_compiled, squared_error
from .terms import Terms
from .trajectories import Trajectories
from .trajectory_steps import TrajectoryTraining

STEP_CONTROLS = ("shared", "per_sample")


@trainable
class NeuralODE:
    """Trajectories y' = f(t, y; params) of a field, with gradients with respect to its parameters.

    Parameters
    ----------
    field : MLP, HNN or another field
        Its `params` are those of the model.
    method : str
        Any method but those for separable systems; an implicit one for stiff fields. Those without an error estimate need
        `first_step`.
    rtol, atol : float
        Tolerances of a step.
    adjoint : str or object of `odekit.adjoint`
        How gradients are computed. "auto": exactly, by the transpose of the steps that were taken; see docs/adjoints.md.
    step_control : str
        "shared": all trajectories of a batch take the same steps, the error is measured over all of them. "per_sample": each takes
        steps of its own size and stops on its own; only explicit methods, with the adjoint "discrete".
    first_step : float, optional
        First step, or the step of a method without an error estimate.
    regularisers : sequence of KineticEnergy, JacobianEnergy, ErrorPenalty, StiffnessPenalty, RandomEnd
        Further terms of the loss of `loss_and_grad`. What is random in them is drawn by `draw`, which `fit` calls at each step.

    Attributes
    ----------
    params : ndarray
        The parameters of the field.

    Raises
    ------
    TypeError
        If `field` or one of `regularisers` is something else.
    ValueError
        For an unknown method or adjoint, a pair of them that do not go together, or tolerances that are not positive.

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
        self, field, method="tsit5", rtol=1e-6, atol=1e-6, adjoint="auto", step_control="shared", first_step=None,
        regularisers=(),
    ):  # fmt: skip
        self.field = checks.field(field)
        self.method = one_method(method)
        self.rtol, self.atol = checks.positive("rtol", rtol), checks.positive("atol", atol)
        checks.precise_enough(field, self.method, self.method in EXPLICIT, self.rtol, self.atol)
        self.adjoint = adjoint
        self.step_control = checks.choice("step_control", step_control, STEP_CONTROLS)
        self.first_step = None if first_step is None else checks.positive("first_step", first_step)
        self._adjoint = choose(adjoint, self.method, field)
        if self.step_control == "per_sample" and not isinstance(self._adjoint, DiscreteAdjoint):
            raise ValueError(
                f"step_control='per_sample' goes with the explicit methods and adjoint='discrete', but method={self.method!r} and "
                f"adjoint={adjoint!r}"
            )
        if self.step_control == "per_sample" and not getattr(field, "lane_times", False):
            raise ValueError(
                f"step_control='per_sample' needs a field whose lanes may have different times, but that of a {type(field).__name__} "
                "has one time for all"
            )
        if not isinstance(regularisers, (list, tuple)):
            raise TypeError(
                f"regularisers must be a list such as [KineticEnergy(0.01)], but it is {regularisers!r:.80}"
            )
        self.regularisers = tuple(regularisers)
        self._terms = Terms(self.regularisers, field, field.dim, self.method, self.step_control)
        if self._terms.energies:  # they make another field of it
            self._adjoint = choose(adjoint, self.method, self._terms.traced(field))
        self._idle = {}  # compiled steps that nobody uses at the moment
        if METHODS[self.method].error_order == 0 and first_step is None:
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
        ValueError
            For another shape, numbers that are not finite, times that are not in order.
        SolveError
            If the integration stops before ``t[-1]``.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> model = odekit.nn.NeuralODE(odekit.nn.MLP([2, 16, 2], rng=0))
        >>> model.solve([1.0, 0.0], [0.0, 0.5, 1.0]).shape, model.solve(np.ones((7, 2)), [0.0, 0.5, 1.0]).shape
        ((3, 2), (3, 7, 2))
        """
        y0, batched = checks.batch("y0", y0, self.field.dim)
        y0, t = checks.finite_array("y0", y0), checks.times(t)
        if self.step_control == "per_sample":
            sweeps = LaneSweeps(self.field, scheme(self.method), len(y0))
            ys, _ = sweeps.forward(self.field, y0, t, self.rtol, self.atol, self.first_step, logged=False)
            sweeps.check(MAX_STEPS)
        elif self.method in EXPLICIT:
            sweeps = Sweeps(self.field, scheme(self.method), len(y0), recorded=False)
            ys, _ = sweeps.forward(self.field, y0, t, self.rtol, self.atol, self.first_step, keep_states=False)
        else:
            ys, _ = trajectories(
                self.field, y0, t, self.method, self.rtol, self.atol, self.first_step, keep_states=False
            )
        return ys if batched else ys[:, 0]

    def trajectories(self, y0, t, max_steps=MAX_STEPS):
        """Trajectories with what each of them took; one that fails does not stop the others.

        Parameters
        ----------
        y0 : array_like, (B, d)
        t : array_like, (T,)
        max_steps : int

        Returns
        -------
        Trajectories

        Raises
        ------
        ValueError
            With shared steps, whose numbers are those of the whole batch.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> model = odekit.nn.NeuralODE(odekit.nn.MLP([2, 16, 2], rng=0), step_control="per_sample")
        >>> found = model.trajectories(np.random.default_rng(0).normal(size=(50, 2)), [0.0, 5.0])
        >>> found.y.shape, found.nfev.shape, bool(found.success.all())
        ((2, 50, 2), (50,), True)
        """
        if self.step_control != "per_sample":
            raise ValueError(f"trajectories of their own need step_control='per_sample', not {self.step_control!r}")
        y0, _ = checks.batch("y0", y0, self.field.dim)
        y0, t, max_steps = checks.finite_array("y0", y0), checks.times(t), checks.count("max_steps", max_steps)
        sweeps = LaneSweeps(self.field, scheme(self.method), len(y0))
        ys, _ = sweeps.forward(
            self.field, y0, t, self.rtol, self.atol, self.first_step, logged=False, max_steps=max_steps
        )  # fmt: skip
        return Trajectories(
            t, ys, **{name: sweeps.counts[:, k].copy() for name, k in COLUMNS.items()}, retcode=sweeps.retcodes(),
            message=[sweeps.message(m, max_steps) for m in range(len(y0))],
        )  # fmt: skip

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
        ValueError
            For a cotangent of another shape, or one that is not finite.
        SolveError
            If the integration stops before ``t[-1]``.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> model = odekit.nn.NeuralODE(odekit.nn.MLP([2, 16, 2], rng=0))
        >>> ys, params_bar, y0_bar = model.vjp([1.0, 0.0], [0.0, 1.0], lambda ys: 2.0 * ys)  # of the sum of squares
        >>> ys.shape, params_bar.shape == model.params.shape, y0_bar.shape
        ((2, 2), True, (2,))
        """
        self._padded(y0)
        t, batched = checks.times(t), np.ndim(y0) == 2
        shape = t.size, *np.shape(y0)
        given = given_cotangent(cotangent, shape)

        def seeds(ys):
            value = cotangent_array(given(ys if batched else ys[:, 0]), shape) if callable(given) else given
            return value.reshape(ys.shape)

        g = self.gradient(y0, t, seeds)
        return (g.y, g.params, g.y0) if batched else (g.y[:, 0], g.params, g.y0[0])

    def draw(self, rng):
        """New random numbers for the regularisers in the next evaluations of the loss.

        Parameters
        ----------
        rng : numpy.random.Generator
        """
        self._terms.draw(rng)

    def gradient(self, y0, t, cotangent, *, with_times=False):
        """Trajectories and everything that the adjoint knows, always as a batch.

        Parameters
        ----------
        y0 : array_like, (d,) or (B, d)
        t : array_like, (T,)
        cotangent : ndarray, (T, B, d), or callable
        with_times : bool
            Whether the derivative with respect to `t` is wanted.

        Returns
        -------
        odekit.adjoint.Gradient

        Raises
        ------
        ValueError
            For a cotangent of another shape, or one that is not finite.
        SolveError
            If the integration stops before ``t[-1]``.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> model = odekit.nn.NeuralODE(odekit.nn.MLP([2, 16, 2], rng=0))
        >>> g = model.gradient(np.ones((7, 2)), [0.0, 1.0], np.sign, with_times=True)  # of the sum of |y|
        >>> g.y.shape, g.y0.shape, g.t.shape
        ((2, 7, 2), (7, 2), (2,))
        """
        return self._gradient(self.field, y0, t, cotangent, with_times)

    def _gradient(self, field, y0, t, cotangent, with_times=False, penalties=None, share=1.0):
        """The same for a field of which `self.field` is a part; `share` of its components count for the error."""
        y0, _ = checks.batch("y0", y0, field.dim)
        y0, t = checks.finite_array("y0", y0), checks.times(t)
        cotangent = given_cotangent(cotangent, (t.size, *y0.shape))
        own = {"per_sample": True, "penalties": penalties} if self.step_control == "per_sample" else {}
        rtol, atol = self._tolerances(share)
        return self._adjoint.gradient(
            field, y0, t, cotangent, method=self.method, rtol=rtol, atol=atol, first_step=self.first_step, with_times=with_times,
            **own,
        )  # fmt: skip

    def _tolerances(self, share):
        """Those of a step: constant components make the mean over the error smaller, which is undone here."""
        return share**0.5 * self.rtol, share**0.5 * self.atol

    def loss_and_grad(self, y0, t, target, *, with_y0=False):
        """Mean squared error of the trajectories, with the regularisers, and its exact gradient.

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

        Examples
        --------
        >>> import numpy as np, odekit
        >>> model = odekit.nn.NeuralODE(odekit.nn.MLP([2, 16, 2], rng=0))
        >>> y0, t = np.ones((7, 2)), np.linspace(0.0, 1.0, 5)
        >>> loss, grad, y0_grad = model.loss_and_grad(y0, t, target=model.solve(y0, t), with_y0=True)
        >>> loss, y0_grad.shape
        (0.0, (7, 2))
        """
        objective = squared_error(self, y0, t, target)
        if is_compiled(self):
            loss, params, y0_bar = objective.evaluate(self._terms.times(objective.t))
        else:
            loss, params, y0_bar = SQUARED_ERROR.pulled_back(
                lambda cotangent: self.regularised_gradient(y0, objective.t, cotangent), objective.target
            )
        if not with_y0:
            return loss, params
        y0_bar = y0_bar[:, : objective.target.shape[2]]
        return loss, params, y0_bar if np.ndim(y0) == 2 else y0_bar[0]

    def regularised_gradient(self, y0, t, cotangent):
        """Like `gradient`, of the sum of a loss and the terms of the regularisers: for losses that are no mean squared error.

        `draw` makes new random numbers for the terms; call it before each step of a training.

        Parameters
        ----------
        y0 : array_like, (d,) or (B, d)
        t : array_like, (T,)
        cotangent : ndarray, (T, B, d), or callable
            Derivative of the loss alone with respect to the trajectories; a callable gets them and returns it.

        Returns
        -------
        gradient : odekit.adjoint.Gradient
            Of the sum; with a `RandomEnd`, its last states are those at the time that was drawn.
        penalty : float
            Sum of the terms, weights included.

        Raises
        ------
        ValueError
            For a cotangent of another shape, or one that is not finite.
        SolveError
            If the integration stops before ``t[-1]``.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> field = odekit.nn.MLP([2, 16, 2], rng=0)
        >>> model = odekit.nn.NeuralODE(field, regularisers=[odekit.nn.KineticEnergy(0.1)])
        >>> y0 = np.array([[1.0, 0.0], [0.0, 1.0]])
        >>> g, penalty = model.regularised_gradient(y0, [0.0, 1.0], np.sign)  # of the sum of |y|
        >>> g.y.shape, g.params.shape == field.params.shape, penalty > 0.0
        ((2, 2, 2), True, True)
        """
        t = self._terms.times(t)
        if not self._terms.by_kind:
            return self.gradient(y0, t, cotangent), 0.0
        return self._regularised(y0, t, cotangent)

    def _padded(self, y0):
        """Initial states of the field as a batch, and whether they were one."""
        return checks.batch("y0", y0, self.field.dim)

    def compiled_steps(self, y0, t, target):
        """What `odekit.nn.inner_loop` needs for a training on these data; None if each step has to be made in Python."""
        if type(self).loss_and_grad is not NeuralODE.loss_and_grad or not is_compiled(self):
            return None
        return TrajectoryTraining(self, squared_error(self, y0, t, target))

    def _regularised(self, y0, t, cotangent):
        """Gradient with the terms of the regularisers, and their sum."""
        y0, _ = checks.batch("y0", y0, self.field.dim)
        return self._terms.gradient(
            self._gradient, self.field, y0, t, given_cotangent(cotangent, (np.size(t), *y0.shape))
        )  # fmt: skip

    def samples(self, y0, t, target):
        """Number of trajectories in training data, for `fit`, whose arguments it takes.

        Returns
        -------
        int
        """
        return len(checks.batch("y0", y0, self.field.dim)[0])

    def select(self, rows, y0, t, target):
        """The training data of some trajectories, for `fit`.

        Parameters
        ----------
        rows : ndarray of int
            Numbers of the samples; then the data that `fit` was given.

        Returns
        -------
        tuple
        """
        y0, target = np.asarray(y0), np.asarray(target)
        return (y0, t, target) if y0.ndim == 1 else (y0[rows], t, target[:, rows])

    def __repr__(self):
        return f"NeuralODE({self.field!r}, method={self.method!r}, rtol={self.rtol:g}, atol={self.atol:g})"
