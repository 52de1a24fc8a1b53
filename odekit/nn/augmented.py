"""Augmented neural differential equations (Dupont, Doucet, Teh, NeurIPS 2019): trajectories that may cross."""

import dataclasses

import numpy as np

from ..adjoint.result import given_cotangent, seeds_of
from . import checks
from .neural_ode import NeuralODE


class AugmentedODE(NeuralODE):
    """A `NeuralODE` whose state has further components: zero at the start, free afterwards, and in no loss.

    Trajectories of an autonomous field cannot cross; with a further component they pass above each other.

    Parameters
    ----------
    field : MLP, HNN or another field
        Its dimension is that of the data plus `extra`.
    extra : int
        Number of further components.
    method, rtol, atol, adjoint, step_control, first_step, regularisers
        As for `NeuralODE`; the regularisers see the further components, too.

    Attributes
    ----------
    dim : int
        Dimension of the data.

    Raises
    ------
    ValueError
        If `extra` leaves no component for the data; and as `NeuralODE`.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> model = odekit.nn.AugmentedODE(odekit.nn.MLP([2, 16, 2], rng=0), extra=1)
    >>> y0, t = np.array([[1.0], [-1.0]]), [0.0, 1.0]
    >>> model.solve(y0, t).shape
    (2, 2, 1)
    >>> loss, grad = model.loss_and_grad(y0, t, target=np.array([y0, -y0]))
    """

    def __init__(
        self, field, extra, method="tsit5", rtol=1e-6, atol=1e-6, adjoint="auto", step_control="shared", first_step=None,
        regularisers=(),
    ):  # fmt: skip
        self.extra = checks.count("extra", extra)
        super().__init__(field, method, rtol, atol, adjoint, step_control, first_step, regularisers)
        self.dim = self.field.dim - self.extra
        if self.dim < 1:
            raise ValueError(
                f"extra={self.extra} leaves no component for the data, because the field has dimension {self.field.dim}"
            )

    def _padded(self, y0):
        """States y0 (d,) or (B, d) with zeros behind them, (B, d + extra), and whether they were a batch."""
        y0, batched = checks.batch("y0", y0, self.dim)
        return np.concatenate((y0, np.zeros((len(y0), self.extra))), axis=1), batched

    def solve(self, y0, t, *, augmented=False):
        """Trajectories.

        Parameters
        ----------
        y0 : array_like, (d,) or (B, d)
            Initial states at ``t[0]``, without the further components.
        t : array_like, (T,)
            Output times, strictly increasing or strictly decreasing.
        augmented : bool
            Whether the further components are returned too.

        Returns
        -------
        ndarray, (T, d) or (T, B, d)

        Raises
        ------
        SolveError
            If the integration stops before ``t[-1]``.

        Examples
        --------
        >>> import odekit
        >>> model = odekit.nn.AugmentedODE(odekit.nn.MLP([3, 16, 3], rng=0), extra=1)
        >>> model.solve([[1.0, 0.0]], [0.0, 1.0]).shape, model.solve([[1.0, 0.0]], [0.0, 1.0], augmented=True).shape
        ((2, 1, 2), (2, 1, 3))
        """
        y0, batched = self._padded(y0)
        ys = super().solve(y0, t)
        ys = ys if augmented else np.ascontiguousarray(ys[..., : self.dim])
        return ys if batched else ys[:, 0]

    def gradient(self, y0, t, cotangent, *, with_times=False):
        """Trajectories of the data and everything that the adjoint knows.

        Parameters
        ----------
        y0, t, cotangent, with_times
            As for `NeuralODE.gradient`, without the further components.

        Returns
        -------
        odekit.adjoint.Gradient
            Without the further components.

        Raises
        ------
        ValueError
            For a cotangent of another shape, or one that is not finite.
        SolveError
            If the integration stops before ``t[-1]``.
        """
        y0, _ = self._padded(y0)
        return self._cut(super().gradient(y0, t, self._widened(cotangent, y0, t), with_times=with_times))

    def _regularised(self, y0, t, cotangent):
        y0, _ = self._padded(y0)
        g, extra = super()._regularised(y0, t, self._widened(cotangent, y0, t))
        return self._cut(g), extra

    def _widened(self, cotangent, y0, t):
        """A cotangent of the data, for the initial states y0 (B, d) at times t, as one of all components."""
        cotangent = given_cotangent(cotangent, (np.size(t), len(y0), self.dim))

        def seeds(ys):
            padded = np.zeros_like(ys)
            padded[..., : self.dim] = seeds_of(cotangent, np.ascontiguousarray(ys[..., : self.dim]))
            return padded

        return seeds

    def _cut(self, g):
        """What the data have of a gradient."""
        return dataclasses.replace(g, y=np.ascontiguousarray(g.y[..., : self.dim]), y0=g.y0[:, : self.dim].copy())

    def samples(self, y0, t, target):
        """Number of trajectories in training data, for `fit`, whose arguments it takes.

        Returns
        -------
        int
        """
        return len(checks.batch("y0", y0, self.dim)[0])

    def __repr__(self):
        return f"AugmentedODE({self.field!r}, extra={self.extra}, method={self.method!r}, rtol={self.rtol:g}, atol={self.atol:g})"
