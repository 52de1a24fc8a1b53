"""When a simplified Newton iteration has converged, and when it is not worth going on.

The iteration converges linearly, ``|d_{k+1}| = rate |d_k|``, so that the error left after the increment d is about
``rate / (1 - rate) |d|``: that is what is compared with the tolerance [1]_. All norms are weighted by the tolerances of
the integration.

References
----------
.. [1] E. Hairer, G. Wanner, "Solving Ordinary Differential Equations II: Stiff and Differential-Algebraic Problems",
   Sec. IV.8.
"""

import numpy as np

from .. import _jit
from . import control, jacobian, state

EPS = np.finfo(float).eps
#: How far the iteration error stays below the error of the step: at most this fraction (RADAU5, FNEWT) ...
TOLERANCE_MAX = 0.03
#: ... and never below what rounding lets the increments reach (RADAU5).
ROUNDING = 10.0
#: The estimate ``rate / (1 - rate)`` of the last solve, raised to this power, judges the first increment of the next
#: solve, which has no rate of its own (RADAU5, FACCON).
MEMORY_EXPONENT = 0.8

#: After a new factorisation the rate is not known as well as before: ``rate / (1 - rate)`` is at least this.
FACTOR_NEW = 0.03
FAILED_FACTOR = 0.5  # of the step, after an iteration that did not converge or a singular matrix (RADAU5)

CONTINUE, CONVERGED, DIVERGED = range(3)

# places in w
H_LU = state.FAMILY_FLOAT  # step, or multiple of it, of the factorisation in use
FACTOR = state.FAMILY_FLOAT + 1  # ``rate / (1 - rate)`` of the last solve that converged


@_jit.core
def _tightest(rtol):
    """The smallest number of rtol (n,), and at least the rounding unit."""
    tightest = rtol[0]
    for i in range(1, rtol.size):
        tightest = min(tightest, rtol[i])
    return max(tightest, EPS)


@_jit.core
def rounding(rtol):
    """The least tolerance of the iteration that rounding lets the increments reach."""
    return ROUNDING * EPS / _tightest(rtol)


@_jit.core
def tolerance(rtol):
    """Tolerance of the iteration, relative to that of the integration.

    Parameters
    ----------
    rtol : ndarray, shape (n,)

    Returns
    -------
    float
    """
    return max(rounding(rtol), min(TOLERANCE_MAX, np.sqrt(_tightest(rtol))))


@_jit.core
def record_factors(iw, w, code, h):
    """Note that a matrix of step h (or of that multiple of it which `factors_fit` asks for) has been factorised, with what code."""
    iw[state.LU_VALID] = 1 if code == state.ACCEPTED else 0
    w[H_LU] = h
    w[FACTOR] = max(w[FACTOR], FACTOR_NEW)


@_jit.core
def factors_fit(iw, w, h, change):
    """Whether there are factors whose step differs from h by no more than the relative change."""
    return iw[state.LU_VALID] == 1 and abs(h / w[H_LU] - 1.0) <= change


@_jit.core
def failed(iw, w, code):
    """Shrink the step after anything but an error estimate, and ask for a new Jacobian; returns the code."""
    w[state.H_NEXT] = w[state.H] * (control.NONFINITE_FACTOR if code == state.NONFINITE else FAILED_FACTOR)
    w[FACTOR] = 1.0
    iw[jacobian.JAC_WANTED] = 1
    return code


@_jit.core
def first_factor(factor, mismatch):
    """Guess of ``rate / (1 - rate)`` for the first increment, from that of the last solve.

    Parameters
    ----------
    factor : float
        Of the last solve.
    mismatch : float
        Relative change, less than 1, of the step since the factorisation: it alone makes the rate this large.
    """
    return max(max(factor, EPS) ** MEMORY_EXPONENT, mismatch / (1.0 - mismatch))


@_jit.core
def judge(size, size_old, remaining, factor, tol):
    """Judge an increment of the iteration.

    Parameters
    ----------
    size, size_old : float
        Norms of this increment and of the one before; `size_old` is 0 at the first.
    remaining : int
        How many iterations are still allowed.
    factor : float
        ``rate / (1 - rate)`` so far.
    tol : float

    Returns
    -------
    verdict : int
        `CONTINUE`, `CONVERGED` or `DIVERGED`; the last as soon as the remaining iterations cannot reach the tolerance.
    factor : float
    """
    if not np.isfinite(size):
        return DIVERGED, factor
    if size_old > 0.0:
        rate = size / size_old
        if rate >= 1.0:
            return DIVERGED, factor
        factor = rate / (1.0 - rate)
        if factor * size * rate**remaining > tol:
            return DIVERGED, factor
    if size == 0.0 or factor * size < tol:
        return CONVERGED, factor
    return CONTINUE, factor


@_jit.core
def rate(factor):
    """The rate of convergence that belongs to ``factor = rate / (1 - rate)``."""
    return factor / (1.0 + factor)


@_jit.core
def inverse_weights(y, rtol, atol, out):
    """Write ``1 / (atol + rtol |y|)`` to `out`; a weight of zero asks for an exact component, which counts in no norm."""
    for i in range(y.size):
        weight = atol[i] + rtol[i] * abs(y[i])
        out[i] = 1.0 / weight if weight != 0.0 else 0.0


@_jit.summing_core
def norm(v, inverse):
    """Root mean square of ``v`` times the inverse weights, from `inverse_weights`."""
    total = 0.0
    for i in range(v.size):
        x = v[i] * inverse[i]
        total += x * x
    return np.sqrt(total / v.size)
