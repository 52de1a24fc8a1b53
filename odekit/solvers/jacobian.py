"""The Jacobian of the vector field, for the Newton iterations of the implicit methods.

It is the first n*n numbers of their workspace, row by row.
"""

import numpy as np

from .. import _jit
from . import state

EPS = np.finfo(float).eps
SQRT_EPS = np.sqrt(EPS)
#: The increment of a finite difference is at least this many roundings of the step's change of the state (CVODE,
#: MIN_INC_MULT): what the rounding of f does to ``h J`` then stays below 1e-3.
ROUNDINGS = 1000.0

#: Place in iw: 1 where the method wants a new Jacobian before its next step.
JAC_WANTED = state.FAMILY_INT
_AT_END = state.FAMILY_INT + 30  # arguments of the kernel: where it evaluates,
_BASE_EXACT = state.FAMILY_INT + 31  # and whether f is exact there


@_jit.core
def spectral_bound(J):
    """Upper bound of the spectral radius: the smaller of the row-sum and the column-sum norm."""
    n = J.shape[0]
    by_rows = by_columns = 0.0
    for i in range(n):
        row = column = 0.0
        for j in range(n):
            row += abs(J[i, j])
            column += abs(J[j, i])
        by_rows, by_columns = max(by_rows, row), max(by_columns, column)
    return min(by_rows, by_columns)


@_jit.core
def _all_finite(J):
    """Whether no number of J is NaN or infinite (the product with zero is then zero)."""
    total = 0.0
    for i in range(J.shape[0]):
        for j in range(J.shape[1]):
            total += 0.0 * J[i, j]
    return total == 0.0


@_jit.core
def _differences(fn, iw, w, p, t, y, f, J):
    """Forward differences, one call of the field per column.

    The increment is the square root of the rounding unit times the component or its tolerance, whichever is larger, and not
    below what the rounding of f asks for (CVODE). It points where the step leads to.
    """
    n = iw[state.N]
    h = w[state.H]
    rtol, atol, out = (
        state.vector(iw, w, state.RTOL),
        state.vector(iw, w, state.ATOL),
        state.vector(iw, w, state.SCRATCH),
    )
    norm = 0.0
    for i in range(n):
        weight = rtol[i] * abs(y[i]) + atol[i]
        norm += (f[i] / weight) ** 2 if weight > 0.0 else 0.0
    least = ROUNDINGS * abs(h) * EPS * n * np.sqrt(norm / n)
    for j in range(n):
        kept = y[j]
        weight = rtol[j] * abs(kept) + atol[j]
        increment = max(SQRT_EPS * max(abs(kept), weight), least * weight)
        if not increment > 0.0:
            increment = SQRT_EPS
        y[j] = kept + (increment if h * f[j] >= 0.0 else -increment)
        increment = y[j] - kept  # as represented
        status = _jit.call_scalar(fn[state.F], t, y, out, p)
        iw[state.NFEV] += 1
        if status != 0:
            code = state.rhs_raised(w, t, out, y)
            y[j] = kept
            return code
        y[j] = kept
        for i in range(n):
            J[i, j] = (out[i] - f[i]) / increment
    return state.ACCEPTED


def kernel(fn, iw, w, p):
    """Bring the Jacobian to the start or the end of the step, as `evaluate` asks for; step code."""
    n = iw[state.N]
    scratch = state.vector(iw, w, state.SCRATCH)
    at_end = iw[_AT_END] == 1
    t = w[state.T_NEW] if at_end else w[state.T]
    y = state.vector(iw, w, state.Y_NEW if at_end else state.Y)
    f = state.vector(iw, w, state.F1 if at_end else state.F0)
    J = _jit.view2(w, iw[state.O_IMPLICIT], n, n)
    if iw[state.JAC_KIND] == state.JAC_KERNEL:
        iw[state.NJEV] += 1
        if _jit.call_scalar(fn[state.JAC], t, y, _jit.view1(w, iw[state.O_IMPLICIT], n * n), p) != 0:
            return state.rhs_raised(w, t, scratch, y)
    elif iw[state.JAC_KIND] == state.JAC_DIFFERENCE:
        if iw[_BASE_EXACT] == 0:
            iw[state.NFEV] += 1
            if _jit.call_scalar(fn[state.F], t, y, f, p) != 0:
                return state.rhs_raised(w, t, scratch, y)
        iw[state.NJEV] += 1
        code = _differences(fn, iw, w, p, t, y, f, J)
        if code != state.ACCEPTED:
            return code
    w[state.EIGENVALUE] = spectral_bound(J)
    iw[state.LU_VALID] = 0
    iw[state.JAC_FRESH] = 1 if _all_finite(J) else 0
    return state.ACCEPTED if iw[state.JAC_FRESH] == 1 else state.NONFINITE


@_jit.core
def evaluate(fn, iw, w, p, at_end, f_is_exact):
    """Evaluate the Jacobian.

    Parameters
    ----------
    fn, iw, w, p : ndarray
        State of the integrator.
    at_end : bool
        At ``(t_new, y_new)``, where `f1` is the field; else at ``(t, y)``, where `f0` is.
    f_is_exact : bool
        False where the field there is unknown or known to the tolerance of an iteration only, which is no base for a
        difference quotient: if differences are needed, it is evaluated first.

    Returns
    -------
    int
        Step code: `ACCEPTED`, `RHS_RAISED` or `NONFINITE`.
    """
    iw[_AT_END] = 1 if at_end else 0
    iw[_BASE_EXACT] = 1 if f_is_exact else 0
    return _jit.call_step(fn[state.JACOBIAN], fn, iw, w, p)


@_jit.core
def prepare(fn, iw, w, p, f_is_exact):
    """At the beginning of an attempt: evaluate the Jacobian if there is none or a new one is wanted; step code."""
    n = iw[state.N]
    first = iw[state.FIRST_STEP] == 1
    if iw[state.JAC_KIND] == state.JAC_CONSTANT:
        if first:
            w[state.EIGENVALUE] = spectral_bound(_jit.view2(w, iw[state.O_IMPLICIT], n, n))
    elif iw[state.JAC_FRESH] == 0 and (first or iw[JAC_WANTED] == 1):
        return evaluate(fn, iw, w, p, False, f_is_exact or first)
    return state.ACCEPTED


@_jit.core
def is_current(iw):
    """Whether evaluating the Jacobian again at (t, y) would change nothing."""
    return iw[state.JAC_KIND] == state.JAC_CONSTANT or iw[state.JAC_FRESH] == 1
