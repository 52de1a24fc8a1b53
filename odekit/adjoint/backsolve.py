"""The continuous adjoint of the neural-ODE article: no memory, and an error that can be large."""

import dataclasses
import warnings

import numpy as np

from .._wrap import stack_level
from . import blocks, coupled, coupled_equations
from .interpolating import rate
from .result import Gradient, seeds_of
from .scheme import scheme
from .sweeps import SolveError, Sweeps

#: Drift of y(t0), in units of the tolerance, above which the gradient cannot be trusted: the error of a solve is often tens of
#: its tolerance, hundreds mean that the way back is not the way there.
DRIFT_LIMIT = 1e3


class AdjointDriftWarning(UserWarning):
    """Integrated backwards, the solution did not come back to where it began; the gradient is as wrong as that."""


@dataclasses.dataclass(frozen=True)
class BacksolveAdjoint:
    """State, adjoint and gradient integrated backwards together: three coupled equations, O(d) memory [1]_.

    Not the derivative of the computed numbers, but of the exact solution, up to the errors of both integrations. Where the
    equation contracts, it expands on the way back: on dissipative, stiff and chaotic systems the state is lost. The drift of
    y(t0) is measured; an `AdjointDriftWarning` tells when it is large.

    Parameters
    ----------
    seminorm : bool
        Whether the parameters' part is left out of the error norm, as nothing depends on it [2]_.
    reset : bool
        Whether the state is set to the stored output at each output time. The drift is then that between two of them.

    References
    ----------
    .. [1] R. T. Q. Chen, Y. Rubanova, J. Bettencourt, D. Duvenaud, "Neural ordinary differential equations", NeurIPS 2018.
    .. [2] P. Kidger, R. T. Q. Chen, T. Lyons, "'Hey, that's not an ODE': faster ODE adjoints via seminorms", ICML 2021.

    Examples
    --------
    >>> import odekit
    >>> def decay(t, y, k):
    ...     return [-k * y[0]]
    >>> g = odekit.adjoint.gradient(
    ...     decay, [0.0, 1.0], [2.0], [[0.0, 1.0]], "tsit5", (0.5,), rtol=1e-8, atol=1e-10, adjoint=odekit.adjoint.BacksolveAdjoint()
    ... )
    >>> round(float(g.args[0]), 4)  # -2 exp(-1 / 2)
    -1.2131
    """

    seminorm: bool = True
    reset: bool = False

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
        sweeps = Sweeps(field, scheme(method), width, recorded=False)
        y, rates = sweeps.forward(
            field, y0, t, rtol, atol, first_step, keep_states=False, with_rates=True, max_steps=max_steps
        )  # fmt: skip
        seeds, n = seeds_of(cotangent, y), d * width
        size = 2 * n + field.params.size
        p, _ = coupled_equations.pack(field, width, min(width, blocks.LANE_BLOCK))
        tolerances = coupled.without(size, 2 * n, rtol, atol) if self.seminorm else (rtol, atol)
        s, drift, nfev = np.zeros(size), 0.0, 0
        s[:n] = y[-1].ravel()
        times = np.einsum("kbi,kbi->k", seeds, rates)
        for k in range(len(t) - 1, 0, -1):
            s[n : 2 * n] += seeds[k].ravel()
            try:
                end = coupled.solve(
                    coupled_equations.backsolve(), p, (t[k], t[k - 1]), s, method, *tolerances, keep_states=False, t_eval=t[k - 1 : k],
                    max_steps=max_steps, first_step=first_step or 0.0,
                )  # fmt: skip
            except SolveError:
                self._warn(np.inf)
                raise
            s, nfev = end.outputs[-1].copy(), nfev + end.nfev
            if self.reset or k == 1:
                there = y[k - 1].ravel()
                scale = atol + rtol * max(
                    np.abs(there).max(), np.abs(s[:n]).max() if not np.isfinite(s[:n]).all() else 0.0
                )
                drift = max(drift, float(np.abs(s[:n] - there).max() / scale))
                s[:n] = there
        times[0] = -np.dot(s[n : 2 * n], rate(field, y0, t[0]).ravel())
        s[n : 2 * n] += seeds[0].ravel()
        if not drift < DRIFT_LIMIT:
            self._warn(drift)
        counts = {
            "naccept": sweeps.naccept, "nreject": sweeps.nreject, "nfev": sweeps.nfev, "nfev_backward": nfev, "states": 1,
            "tapes": 0, "drift": drift,
        }  # fmt: skip
        return Gradient(
            y, s[2 * n :].copy(), s[n : 2 * n].reshape(width, d).copy(), times if with_times else None, counts
        )

    def _warn(self, drift):
        advice = "adjoint='discrete' is exact" if self.reset else "adjoint='discrete' is exact; reset=True may help"
        warnings.warn(
            f"integrated backwards, y(t0) is off by {drift:.1e} times its tolerance, and the gradient is as wrong: the equation "
            f"contracts, is stiff or chaotic; {advice}",
            AdjointDriftWarning,
            stacklevel=stack_level(),
        )
