"""The Jacobian of the vector field, for the Newton iterations of the implicit methods.

It is the first iw[J_SIZE] numbers of their workspace; how they are ordered, and how they are found where there is no kernel
that writes them all, is the business of its structure, see `odekit.solvers.linalg`.
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
AT_END = state.FAMILY_INT + 30  # arguments of the kernel: where it evaluates,
BASE_EXACT = state.FAMILY_INT + 31  # and whether f is exact there


# ---------------------------------------------------------------------------------------------------------------------
# for the kernels of the structures


@_jit.core
def point(iw, w):
    """Time, state and slope where the Jacobian is wanted, at the start or at the end of the step: t, and views y and f."""
    if iw[AT_END] == 1:
        return w[state.T_NEW], state.vector(iw, w, state.Y_NEW), state.vector(iw, w, state.F1)
    return w[state.T], state.vector(iw, w, state.Y), state.vector(iw, w, state.F0)


@_jit.core
def begin(fn, iw, w, p):
    """Call the kernel that writes the Jacobian, or make the slope exact from which differences start; step code."""
    t, y, f = point(iw, w)
    status = 0
    if iw[state.JAC_KIND] == state.JAC_KERNEL:
        values = _jit.view1(w, iw[state.O_IMPLICIT], iw[state.J_SIZE])
        status = _jit.call_scalar(fn[state.JAC], t, y, values, p)
    elif iw[state.JAC_KIND] == state.JAC_DIFFERENCE and iw[BASE_EXACT] == 0:
        iw[state.NFEV] += 1
        status = _jit.call_scalar(fn[state.F], t, y, f, p)
    if status != 0:
        return state.rhs_raised(w, t, state.vector(iw, w, state.SCRATCH), y)
    if iw[state.JAC_KIND] != state.JAC_CONSTANT:
        iw[state.NJEV] += 1
    return state.ACCEPTED


@_jit.core
def finish(iw, w, bound):
    """Note a new Jacobian, with a bound of its spectral radius; step code."""
    values = _jit.view1(w, iw[state.O_IMPLICIT], iw[state.J_SIZE])
    bad = 0
    for i in range(values.size):
        bad += 0 if abs(values[i]) < np.inf else 1
    w[state.EIGENVALUE] = bound
    iw[state.LU_VALID] = 0
    iw[state.JAC_FRESH] = 1 if bad == 0 else 0
    return state.ACCEPTED if bad == 0 else state.NONFINITE


@_jit.core
def least_increment(iw, w, y, f):
    """Increment of a difference quotient, in units of a component's tolerance, that the rounding of f asks for (CVODE)."""
    n = iw[state.N]
    rtol, atol = state.vector(iw, w, state.RTOL), state.vector(iw, w, state.ATOL)
    norm = 0.0
    for i in range(n):
        weight = rtol[i] * abs(y[i]) + atol[i]
        norm += (f[i] / weight) ** 2 if weight > 0.0 else 0.0
    return ROUNDINGS * abs(w[state.H]) * EPS * n * np.sqrt(norm / n)


@_jit.core
def least_weight(iw, y):
    """The tolerance that a difference quotient takes a component to have at least; 0 without a mass matrix.

    The terms of an algebraic equation cancel, so that its value does not tell their rounding: they are taken to be as large
    as the largest component, and the increment is this many roundings of that.
    """
    largest = 0.0
    if iw[state.O_MASS] != 0:
        for value in y:
            largest = max(largest, abs(value))
    return ROUNDINGS * SQRT_EPS * largest


@_jit.core
def increment(y, slope, weight, least):
    """Increment of a component for a difference quotient.

    The square root of the rounding unit times the component or its tolerance, whichever is larger, and not below what the
    rounding of f asks for (CVODE). It points where the step leads to.

    Parameters
    ----------
    y, slope : float
        The component and its change in the step.
    weight : float
        Its tolerance.
    least : float
        From `least_increment`.

    Returns
    -------
    float
    """
    size = max(SQRT_EPS * max(abs(y), weight), least * weight)
    if not size > 0.0:
        size = SQRT_EPS
    return size if slope >= 0.0 else -size


# ---------------------------------------------------------------------------------------------------------------------
# for the methods


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
    iw[AT_END] = 1 if at_end else 0
    iw[BASE_EXACT] = 1 if f_is_exact else 0
    return _jit.call_step(fn[state.JACOBIAN], fn, iw, w, p)


@_jit.core
def prepare(fn, iw, w, p, f_is_exact):
    """At the beginning of an attempt: evaluate the Jacobian if there is none or a new one is wanted; step code."""
    first = iw[state.FIRST_STEP] == 1
    if iw[state.JAC_KIND] == state.JAC_CONSTANT:
        wanted = first  # for its bound
    else:
        wanted = iw[state.JAC_FRESH] == 0 and (first or iw[JAC_WANTED] == 1 or iw[state.MATRIX_FREE] == 1)
    return evaluate(fn, iw, w, p, False, f_is_exact or first) if wanted else state.ACCEPTED


@_jit.core
def is_current(iw):
    """Whether evaluating the Jacobian again at (t, y) would change nothing."""
    return iw[state.JAC_KIND] == state.JAC_CONSTANT or iw[state.JAC_FRESH] == 1
