"""Continuous normalising flows (FFJORD: Grathwohl et al., ICLR 2019): densities by following points along a network."""

import math

import numpy as np

from . import checks
from .concatsquash import ConcatSquash
from .losses import Loss
from .mlp import require_network
from .model import trainable
from .neural_ode import NeuralODE
from .objective import Objective, is_compiled
from .terms import Terms
from .trace import NOISES, TraceField
from .trajectory_steps import TrajectoryTraining


@trainable
class CNF:
    """A density, as the image of the normal distribution under the flow of a network.

    Points go from the data at t = 0 to the normal distribution at `t1`; the logarithm of the density changes by the trace of
    the network's derivative on the way. Its gradient is exact, through the steps of the solver. A network with m more inputs than
    outputs makes a conditional density p(x | context): the context stands behind the point and is constant on the way.

    Parameters
    ----------
    field : ConcatSquash or MLP
        Network of d + m inputs and d outputs; an MLP better with ``time_dependent=True``.
    t1 : float
        Time of the flow.
    probes : int
        Random directions of the trace's estimator; 0: the exact trace, which costs d directions.
    noise : str
        rademacher or gaussian.
    kinetic, jacobian : float
        Weights of the integrals of |f|^2 and of the squared Frobenius norm of the derivative in the loss: flows that are
        easier to integrate (Finlay et al., ICML 2020). The norm is estimated with the random directions of the trace, at no cost.
    method, rtol, atol, adjoint, first_step
        As for `NeuralODE`.
    regularisers : sequence of KineticEnergy, JacobianEnergy, ErrorPenalty, StiffnessPenalty, RandomEnd
        Further terms of the loss; the first two are another way to give `kinetic` and `jacobian`.
    step_control : str
        shared or per_sample, as for `NeuralODE`.

    Attributes
    ----------
    params : ndarray
        The parameters of the network.
    dim, context : int
        d and m.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> model = odekit.nn.CNF(odekit.nn.ConcatSquash([2, 16, 16, 2], rng=0))
    >>> x = np.random.default_rng(0).normal(0.5, 0.3, (100, 2))
    >>> history = odekit.nn.fit(model, x, steps=30, optimizer=odekit.nn.Adam(1e-2))
    >>> bool(history.loss[-1] < history.loss[0])
    True
    >>> model.log_density(x).shape, model.sample(5, rng=0).shape
    ((100,), (5, 2))
    """

    def __init__(
        self, field, t1=1.0, probes=0, noise="rademacher", kinetic=0.0, jacobian=0.0, method="dopri5", rtol=1e-5, atol=1e-5,
        adjoint="auto", first_step=None, regularisers=(), step_control="shared",
    ):  # fmt: skip
        if not isinstance(field, ConcatSquash):
            require_network("field", field)
        self.field, self.dim, self.context = field, field.sizes[-1], field.sizes[0] - field.sizes[-1]
        if self.context < 0:
            raise ValueError(
                f"a CNF needs a network of at least as many inputs as outputs, but its sizes are {list(field.sizes)}"
            )
        self.t1 = checks.positive("t1", t1)
        self.probes = 0 if isinstance(probes, (int, np.integer)) and probes == 0 else checks.count("probes", probes)
        self.noise = checks.choice("noise", noise, NOISES)
        self.rtol, self.atol = checks.positive("rtol", rtol), checks.positive("atol", atol)
        self.kinetic = checks.not_negative("kinetic", kinetic)
        self.jacobian = checks.not_negative("jacobian", jacobian)
        self.regularisers = tuple(regularisers)
        self._terms = Terms(
            self.regularisers, field, self.dim, str(method).lower(), step_control, self.probes, self.noise
        )
        weights = self._energies()
        traced = TraceField(field, self.probes, max(weights) > 0.0)
        # minus the logarithm of the normal distribution at the end, which is wanted at its mean, and of the change on the way
        weights, constant = (-1.0, *(weights if traced.regularised else ())), 0.5 * self.dim * math.log(2.0 * math.pi)
        self._loss = Loss(0.5 * self.dim, self.dim, weights, constant)
        # the constant directions make the mean over the error smaller, which is undone here
        share = math.sqrt(traced.counted / traced.dim)
        self._model = NeuralODE(traced, method, share * rtol, share * atol, adjoint, step_control, first_step)
        # samples need no trace, but the context has to go along
        self._plain = self._model
        if not self.context:
            self._plain = NeuralODE(field, method, rtol, atol, adjoint, step_control, first_step)

    method = property(lambda self: self._plain.method)
    adjoint = property(lambda self: self._plain.adjoint)
    first_step = property(lambda self: self._plain.first_step)
    step_control = property(lambda self: self._plain.step_control)

    def _energies(self):
        """Weights of the integrals of |f|^2 and of the derivative's norm."""
        weights, terms = [self.kinetic, self.jacobian], (self._terms.kinetic, self._terms.jacobian)
        for i, (name, term) in enumerate(zip(("kinetic", "jacobian"), terms, strict=True)):
            if term is not None and weights[i]:
                raise ValueError(f"{name}={weights[i]:g} and {term!r} are the same term; give one of them")
            weights[i] = weights[i] if term is None else term.weight
        if terms[1] is not None and terms[1].probes:
            raise ValueError(
                f"a CNF takes the random directions of its trace for JacobianEnergy: give probes={terms[1].probes} to the CNF itself"
            )
        return weights

    @property
    def params(self):
        """Flat parameter vector of the network."""
        return self.field.params

    @params.setter
    def params(self, value):
        self.field.params = value

    def draw(self, rng):
        """New random numbers for the next evaluations of the loss: directions, and the end of the flow."""
        self._terms.draw(rng)

    def _start(self, x, context):
        """Initial states (B, dim of the traced field) for samples x (B, d) and their context (B, c) or None."""
        traced, random = self._model.field, self._terms.directions(len(x))
        y0 = np.zeros((len(x), traced.dim))
        y0[:, : self.dim] = x
        y0[:, traced.counted : traced.counted + self.context] = self._checked(context, len(x))
        y0[:, traced.counted + self.context :] = random
        return y0

    def _checked(self, context, n):
        """The context as an array (n, m)."""
        if not self.context:
            if context is not None:
                raise ValueError("this CNF takes no context: its network has as many inputs as outputs")
            return np.empty((n, 0))
        if context is None:
            raise ValueError(f"this CNF needs context=...: {self.context} numbers for each point")
        context = checks.finite_array("context", context)
        if context.shape not in ((self.context,), (n, self.context)):
            raise ValueError(
                f"context must have shape ({self.context},) or ({n}, {self.context}), but its shape is {context.shape}"
            )
        return np.broadcast_to(context, (n, self.context))

    def _log_normal(self, z):
        """Logarithm of the density of the standard normal distribution at z (..., d)."""
        return -0.5 * (z * z).sum(axis=-1) - 0.5 * self.dim * math.log(2.0 * math.pi)

    def log_density(self, x, context=None):
        """Logarithm of the density, in nats.

        Parameters
        ----------
        x : array_like, (d,) or (B, d)
        context : array_like, (m,) or (B, m)
            For a conditional density.

        Returns
        -------
        float or ndarray, (B,)
            With random directions an unbiased estimate of it.

        Raises
        ------
        SolveError
        """
        x, batched = checks.batch("x", x, self.dim)
        end = self._model.solve(self._start(checks.finite_array("x", x), context), [0.0, self.t1])[1]
        value = self._log_normal(end[:, : self.dim]) + end[:, self.dim]
        return value if batched else float(value[0])

    def loss_and_grad(self, x, context=None):
        """Mean of the negative logarithm of the density, with the regularisers, and its gradient.

        Parameters
        ----------
        x : array_like, (B, d)
        context : array_like, (m,) or (B, m)
            For a conditional density.

        Returns
        -------
        loss : float
        grad : ndarray, (n_params,)

        Raises
        ------
        SolveError
        """
        objective = self._objective(x, context)
        times = self._terms.times(objective.t)
        if is_compiled(self._model):
            return objective.evaluate(times)[:2]
        return objective.loss.pulled_back(
            lambda cotangent: self._terms.penalised(
                self._model._gradient, objective.field, objective.y0, times, cotangent
            ),
            objective.target,
        )[:2]

    def _objective(self, x, context):
        """The negative logarithm of the density of samples (B, d)."""
        x = checks.finite_array("x", checks.batch("x", x, self.dim)[0])
        times, end = np.array([0.0, self.t1]), np.zeros((1, *x.shape))
        return Objective(self._model, self._model.field, self._start(x, context), times, end, self._loss)

    def compiled_steps(self, x, context=None):
        """What `odekit.nn.inner_loop` needs for a training on these data; None if each step has to be made in Python."""
        if type(self).loss_and_grad is not CNF.loss_and_grad or not is_compiled(self._model):
            return None
        return TrajectoryTraining(self, self._objective(x, context))

    def sample(self, n, rng=None, context=None):
        """Points of the density.

        Parameters
        ----------
        n : int
        rng : None, int or numpy.random.Generator
        context : array_like, (m,) or (n, m)
            For a conditional density.

        Returns
        -------
        ndarray, (n, d)
        """
        z = np.random.default_rng(rng).standard_normal((checks.count("n", n), self.dim))
        context = self._checked(context, n)
        if self.context:
            z = self._start(z, context)
        return np.ascontiguousarray(self._plain.solve(z, [self.t1, 0.0])[1][:, : self.dim])

    def samples(self, x, context=None):
        """Number of samples in training data, for `fit`."""
        return len(checks.batch("x", x, self.dim)[0])

    def select(self, rows, x, context=None):
        """Some of the training data, for `fit`."""
        x = np.atleast_2d(x)[rows]
        return (x,) if context is None else (x, context if np.ndim(context) == 1 else np.asarray(context)[rows])

    def __repr__(self):
        trace = f"probes={self.probes}" if self.probes else "exact trace"
        return f"CNF({self.field!r}, t1={self.t1:g}, {trace}, method={self.method!r}, rtol={self.rtol:g}, atol={self.atol:g})"
