"""Continuous normalising flows (FFJORD: Grathwohl et al., ICLR 2019): densities by following points along a network."""

import math

import numpy as np

from . import checks, files
from .mlp import require_network
from .neural_ode import NeuralODE
from .trace import NOISES, TraceField, directions


class CNF:
    """A density, as the image of the normal distribution under the flow of a network.

    Points go from the data at t = 0 to the normal distribution at `t1`; the logarithm of the density changes by the trace of
    the network's derivative on the way. Its gradient is exact, through the steps of the solver.

    Parameters
    ----------
    field : MLP
        Network of d inputs and d outputs, better with ``time_dependent=True``.
    t1 : float
        Time of the flow.
    probes : int
        Random directions of the trace's estimator; 0: the exact trace, which costs d directions.
    noise : str
        rademacher or gaussian.
    kinetic, jacobian : float
        Weights of the integrals of |f|^2 and of the squared Frobenius norm of the derivative in the loss: flows that are
        easier to integrate (Finlay et al., ICML 2020).
    method, rtol, atol, adjoint, first_step
        As for `NeuralODE`.

    Attributes
    ----------
    params : ndarray
        The parameters of the network.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> model = odekit.nn.CNF(odekit.nn.MLP([2, 16, 16, 2], rng=0, time_dependent=True))
    >>> x = np.random.default_rng(0).normal(0.5, 0.3, (100, 2))
    >>> history = odekit.nn.fit(model, x, steps=30, optimizer=odekit.nn.Adam(1e-2))
    >>> bool(history.loss[-1] < history.loss[0])
    True
    >>> model.log_density(x).shape, model.sample(5, rng=0).shape
    ((100,), (5, 2))
    """

    def __init__(
        self, field, t1=1.0, probes=0, noise="rademacher", kinetic=0.0, jacobian=0.0, method="dopri5", rtol=1e-5, atol=1e-5,
        adjoint="auto", first_step=None,
    ):  # fmt: skip
        require_network("field", field)
        self.field, self.dim, self.t1 = field, field.dim, checks.positive("t1", t1)
        self.probes = 0 if isinstance(probes, (int, np.integer)) and probes == 0 else checks.count("probes", probes)
        self.noise = checks.choice("noise", noise, NOISES)
        self.kinetic, self.jacobian = float(kinetic), float(jacobian)
        for name, weight in (("kinetic", self.kinetic), ("jacobian", self.jacobian)):
            if not 0.0 <= weight < math.inf:
                raise ValueError(f"{name} must be a finite number, not negative, but it is {weight!r}")
        traced = TraceField(field, self.probes, self.kinetic > 0.0 or self.jacobian > 0.0)
        # the constant directions make the mean over the error smaller, which is undone here
        share = math.sqrt(traced.counted / traced.dim)
        self._model = NeuralODE(traced, method, share * rtol, share * atol, adjoint, first_step=first_step)
        self._plain = NeuralODE(field, method, rtol, atol, adjoint, first_step=first_step)
        self.seed = 0

    method = property(lambda self: self._plain.method)
    rtol = property(lambda self: self._plain.rtol)
    atol = property(lambda self: self._plain.atol)
    adjoint = property(lambda self: self._plain.adjoint)
    first_step = property(lambda self: self._plain.first_step)

    @property
    def params(self):
        """Flat parameter vector of the network."""
        return self.field.params

    @params.setter
    def params(self, value):
        self.field.params = value

    def draw(self, rng):
        """New random directions for the next evaluations of the loss."""
        if self.probes:
            self.seed = int(rng.integers(2**62))

    def _start(self, x):
        traced = self._model.field
        y0 = np.zeros((len(x), traced.dim))
        y0[:, : self.dim] = x
        noise = directions(np.random.default_rng(self.seed), self.noise, (len(x), self.probes * self.dim))
        y0[:, traced.counted :] = noise
        return y0

    def _log_normal(self, z):
        return -0.5 * (z * z).sum(axis=-1) - 0.5 * self.dim * math.log(2.0 * math.pi)

    def log_density(self, x):
        """Logarithm of the density, in nats.

        Parameters
        ----------
        x : array_like, (d,) or (B, d)

        Returns
        -------
        float or ndarray, (B,)
            With random directions an unbiased estimate of it.

        Raises
        ------
        SolveError
        """
        x, batched = checks.batch("x", x, self.dim)
        end = self._model.solve(self._start(checks.finite_array("x", x)), [0.0, self.t1])[1]
        value = self._log_normal(end[:, : self.dim]) + end[:, self.dim]
        return value if batched else float(value[0])

    def loss_and_grad(self, x):
        """Mean of the negative logarithm of the density, with the regularisers, and its gradient.

        Parameters
        ----------
        x : array_like, (B, d)

        Returns
        -------
        loss : float
        grad : ndarray, (n_params,)

        Raises
        ------
        SolveError
        """
        x, _ = checks.batch("x", x, self.dim)
        d, loss = self.dim, 0.0

        def cotangent(ys):
            nonlocal loss
            end, seeds = ys[1], np.zeros_like(ys)
            loss = -(self._log_normal(end[:, :d]) + end[:, d]).mean()
            seeds[1, :, :d], seeds[1, :, d] = end[:, :d] / len(x), -1.0 / len(x)
            for i, weight in enumerate((self.kinetic, self.jacobian) if self._model.field.regularised else ()):
                loss += weight * end[:, d + 1 + i].mean()
                seeds[1, :, d + 1 + i] = weight / len(x)
            return seeds

        g = self._model.gradient(self._start(checks.finite_array("x", x)), [0.0, self.t1], cotangent)
        return float(loss), g.params

    def sample(self, n, rng=None):
        """Points of the density.

        Parameters
        ----------
        n : int
        rng : None, int or numpy.random.Generator

        Returns
        -------
        ndarray, (n, d)
        """
        z = np.random.default_rng(rng).standard_normal((checks.count("n", n), self.dim))
        return self._plain.solve(z, [self.t1, 0.0])[1]

    def samples(self, x):
        """Number of samples in training data, for `fit`."""
        return len(checks.batch("x", x, self.dim)[0])

    def select(self, rows, x):
        """Some of the training data, for `fit`."""
        return (np.atleast_2d(x)[rows],)

    def save(self, path, *, overwrite=False):
        """Write the model to an HDF5 file; read it back with `odekit.nn.load`."""
        if not isinstance(self.adjoint, str):
            raise TypeError(f"a file holds the adjoint by its name, but this one is {self.adjoint!r}")
        files.save(path, self, overwrite)

    def __repr__(self):
        trace = f"probes={self.probes}" if self.probes else "exact trace"
        return f"CNF({self.field!r}, t1={self.t1:g}, {trace}, method={self.method!r}, rtol={self.rtol:g}, atol={self.atol:g})"
