"""Dense output: the solution between the steps."""

import numpy as np

from .. import _jit
from .driver import evaluate


@_jit.kernel
def _evaluate_many(starts, sizes, states, coefficients, segment, t, out):
    """out[k] (n,) = the solution at t[k], by the step ``segment[k]``; the others are those of `DenseSolution`."""
    for k in range(t.size):
        s = segment[k]
        theta = (t[k] - starts[s]) / sizes[s] if sizes[s] != 0.0 else 0.0
        evaluate(coefficients[s], states[s], theta, out, k)


class DenseSolution:
    """A solution that can be evaluated at any time.

    Parameters
    ----------
    ts : ndarray, (m + 1,)
        Ends of the steps, in the direction of integration; twice where the state jumps: there the value is the one after
        the jump.
    sizes : ndarray, (m,)
        Signed sizes of the steps.
    states : ndarray, (m + 1, n)
        States at `ts`.
    coefficients : ndarray, (m, degree, n)
        ``y(ts[k] + theta sizes[k]) = states[k] + sum_d coefficients[k, d - 1] theta^d``.
    dtype : numpy dtype
        float64, or complex128 where pairs of the state's numbers are real and imaginary parts.

    Attributes
    ----------
    ts : ndarray
    t_min, t_max : float
    """

    def __init__(self, ts, sizes, states, coefficients, dtype=np.float64):
        self.ts = ts
        self._sizes, self._states, self._coefficients = sizes, states, coefficients
        self._dtype = np.dtype(dtype)
        self.t_min, self.t_max = float(min(ts[0], ts[-1])), float(max(ts[0], ts[-1]))

    def __call__(self, t):
        """Evaluate.

        Parameters
        ----------
        t : float or array_like, (k,)
            Times; outside the integrated span the first or last polynomial is extrapolated.

        Returns
        -------
        ndarray, (n,) or (n, k)

        Raises
        ------
        ValueError
            For what are no times, or for times in more than one dimension.
        """
        try:
            t = np.asarray(t, dtype=np.float64)
        except (TypeError, ValueError):
            raise ValueError(f"t={t!r:.80}; expected a time, or a vector of times") from None
        if t.ndim > 1:
            raise ValueError(f"t must be a number or one-dimensional, but its shape is {t.shape}")
        times = np.atleast_1d(t)
        ts = self.ts
        if self._sizes.size == 0:  # a span of length zero
            out = np.repeat(self._states[:1], times.size, axis=0)
        else:
            sign = 1.0 if ts[-1] >= ts[0] else -1.0
            segment = np.searchsorted(sign * ts, sign * times, side="right") - 1
            segment = np.clip(segment, 0, self._sizes.size - 1)
            out = np.empty((times.size, self._states.shape[1]))
            _evaluate_many(ts, self._sizes, self._states, self._coefficients, segment, times, out)
            out[times == ts[-1]] = self._states[-1]
        out = out.view(self._dtype)
        return out[0] if t.ndim == 0 else np.ascontiguousarray(out.T)
