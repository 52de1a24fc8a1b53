"""Taylor series: a step as long as the series of the solution allows, whose coefficients follow from the formula of the field.

There is no tableau: the coefficients come from `odekit.solvers.expansion`, the step from the last two of them (A. Jorba, M. Zou,
Experimental Mathematics 14 (2005) 99-117), which stand for all that are left out. What they cannot know, a singularity or a kink ahead, shows
at the end of the step: there the slope of the polynomial is compared with the field.
"""

import math

from .. import _jit
from . import control, driver
from .state import (
    ACCEPTED,
    ATOL,
    ERR_NORM,
    EXPANSION,
    F1,
    FAMILY_FLOAT,
    FAMILY_INT,
    H_NEXT,
    NFEV,
    NONFINITE,
    O_FIRST,
    REJECTED_ERROR,
    RTOL,
    SCRATCH,
    T_NEW,
    Y_NEW,
    F,
    H,
    N,
    T,
    Y,
    dense_coefficients,
    rhs_raised,
    vector,
)

ORDER = FAMILY_INT
REFERENCE = FAMILY_FLOAT  # step in whose units the coefficients are
#: Orders in which the method comes: one that is within a tenth of the best of 6 to 24 for Lorenz systems side by side and errors of 1e-3
#: to 1e-9, and one for less.
ORDERS = (14, 20)
TIGHT = 1e-11  # the relative tolerance from which the higher one is taken where none is asked for
#: Order: reach of the stability region along the negative real axis, where ``abs(sum_k (-x)^k / k!)`` is 1.
STABILITY_SIZES = {14: 6.574235067679967, 20: 8.821432632618222}
REJECTED_FACTOR = 0.5  # of the step, where its end does not fit
SMALLEST_SQUARE = 1e-200  # of a norm: below, its logarithm would not be finite


def order_for(rtol):
    """The order that is taken at a relative tolerance where none is asked for."""
    return ORDERS[rtol <= TIGHT]


def workspace(order, n):
    """Floats of workspace: the coefficients, [order, n], and in any case the step that their kernel gets there."""
    return max(order * n, 1)


@_jit.core
def rough_log2(x):
    """Logarithm of a positive number to 0.09: exact at powers of two, and a straight line in between; enough for its twentieth part."""
    fraction, exponent = math.frexp(x)
    return exponent + 2.0 * fraction - 2.0


@_jit.core
def largest_fraction(c, y, rtol, atol, order):
    """Part of the step in whose units the coefficients are that keeps the last two terms of the series within the tolerance.

    Parameters
    ----------
    c : ndarray, (order, n)
    y, rtol, atol : ndarray, (n,)
    order : int

    Returns
    -------
    float
        NaN where a coefficient is not finite.
    """
    power = math.inf
    for k in range(order - 1, order + 1):
        square = control.weighted_norm(c[k - 1], y, rtol, atol) ** 2
        if not square < math.inf:
            return math.nan
        power = min(power, -0.5 / k * rough_log2(max(square, SMALLEST_SQUARE)))
    return 2.0**power


def step(fn, iw, w, p):
    """Stepper, see `odekit.solvers.state`. It shortens a step that is longer than the series allows."""
    n, order, h, t = iw[N], iw[ORDER], w[H], w[T]
    y, y_new, f1, slope = vector(iw, w, Y), vector(iw, w, Y_NEW), vector(iw, w, F1), vector(iw, w, SCRATCH)
    rtol, atol = vector(iw, w, RTOL), vector(iw, w, ATOL)
    c, flat = _jit.view2(w, iw[O_FIRST], order, n), _jit.view1(w, iw[O_FIRST], order * n)
    flat[0] = w[REFERENCE] = h
    _jit.call_scalar(fn[EXPANSION], t, y, flat, p)
    iw[NFEV] += 1
    fraction = largest_fraction(c, y, rtol, atol, order)
    w[ERR_NORM] = math.inf
    if not fraction > 0.0:
        w[H_NEXT] = h * control.NONFINITE_FACTOR
        return NONFINITE
    if fraction * driver.END_STRETCH < 1.0:
        w[T_NEW] = t + fraction * h
        w[H] = w[T_NEW] - t
    theta = w[H] / h
    for i in range(n):
        value = rise = c[order - 1, i]
        for k in range(order - 1, 0, -1):  # Horner's rule for the polynomial, and the same for its derivative
            value = value * theta + c[k - 1, i]
            rise = rise * theta + value
        y_new[i] = y[i] + value * theta
        slope[i] = rise * theta
    if abs(w[H]) < driver.MIN_STEP * abs(t) + driver.TINY:
        w[H_NEXT] = w[H] * REJECTED_FACTOR
        return REJECTED_ERROR
    if _jit.call_scalar(fn[F], w[T_NEW], y_new, f1, p) != 0:
        return rhs_raised(w, w[T_NEW], slope, y_new)
    iw[NFEV] += 1
    for i in range(n):
        slope[i] = w[H] * f1[i] - slope[i]
    # what a term of the order above leaves of the slope is order + 1 times what it leaves of the state
    w[ERR_NORM] = control.weighted_norm(slope, y, rtol, atol) / (order + 1)
    if not w[ERR_NORM] < math.inf:
        w[H_NEXT] = w[H] * control.NONFINITE_FACTOR
        return NONFINITE
    if w[ERR_NORM] > 1.0:
        w[H_NEXT] = w[H] * REJECTED_FACTOR
        return REJECTED_ERROR
    w[H_NEXT] = w[H] * control.FACTOR_MAX
    return ACCEPTED


def dense(fn, iw, w, p):
    """Dense-output kernel, see `odekit.solvers.state`: the series itself."""
    n, order = iw[N], iw[ORDER]
    c, q = _jit.view2(w, iw[O_FIRST], order, n), dense_coefficients(iw, w)
    theta, power = w[H] / w[REFERENCE], 1.0
    for k in range(order):
        power *= theta
        for i in range(n):
            q[k, i] = c[k, i] * power
    return ACCEPTED
