"""Forward sensitivities: the derivatives of the state, integrated with it."""

import dataclasses

import numpy as np

from . import coupled, coupled_equations
from .interpolating import rate, rates_along
from .result import Gradient, seeds_of


@dataclasses.dataclass(frozen=True)
class ForwardSensitivity:
    """d columns for the initial state and one per parameter, integrated with the state by an explicit method: for few of them.

    The error of the columns does not move the steps, so that they are the exact derivatives of the computed numbers, the step
    sizes held constant. Each trajectory of a batch is integrated on its own.

    Examples
    --------
    >>> import odekit
    >>> def decay(t, y, k):
    ...     return [-k * y[0]]
    >>> g = odekit.adjoint.gradient(
    ...     decay, [0.0, 1.0], [2.0], [[0.0, 1.0]], "tsit5", (0.5,), rtol=1e-8, atol=1e-10, adjoint=odekit.adjoint.ForwardSensitivity()
    ... )
    >>> round(float(g.args[0]), 4)  # -2 exp(-1 / 2)
    -1.2131
    """

    def gradient(
        self, field, y0, t, cotangent, *, method, rtol, atol, first_step=None, with_times=False, max_steps=100_000
    ):
        """Outputs of a solve, and the derivatives of a loss on them.

        Parameters
        ----------
        field, y0, t, cotangent, method, rtol, atol, first_step, with_times, max_steps
            As for `DiscreteAdjoint.gradient`.

        Returns
        -------
        Gradient

        Raises
        ------
        ValueError
            For a cotangent of another shape, or one that is not finite.
        SolveError
            If the end is not reached.
        """
        width, d = y0.shape
        columns = d + field.params.size
        size = d * (1 + columns)
        p, _ = coupled_equations.pack(field, 1, 1)
        y, derivative = np.empty((len(t), width, d)), np.empty((len(t), width, d, columns))
        counts = {"naccept": 0, "nreject": 0, "nfev": 0, "states": 1 + columns, "tapes": 0}
        for lane in range(width):
            start = np.zeros(size)
            start[:d] = y0[lane]
            start[d:].reshape(d, columns)[:, :d] = np.eye(d)
            result = coupled.solve(
                coupled_equations.sensitivity(), p, (t[0], t[-1]), start, method, *coupled.without(size, d, rtol, atol), t_eval=t[1:],
                keep_states=False, max_steps=max_steps, first_step=first_step or 0.0,
            )  # fmt: skip
            rows = np.concatenate((start[None], result.outputs))
            y[:, lane], derivative[:, lane] = rows[:, :d], rows[:, d:].reshape(len(t), d, columns)
            for name in ("naccept", "nreject", "nfev"):
                counts[name] += getattr(result, name)
        seeds = seeds_of(cotangent, y)
        total = np.einsum("kbi,kbij->bj", seeds, derivative)
        times = None
        if with_times:
            times = rates_along(field, y, t, seeds)
            later = np.einsum("kbi,kbij->bj", seeds[1:], derivative[1:])[:, :d]
            times[0] = -np.sum(later * rate(field, y0, t[0]))
        return Gradient(y, total[:, d:].sum(axis=0), total[:, :d].copy(), times, counts)
