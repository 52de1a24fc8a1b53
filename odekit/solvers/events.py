"""Events: zeros of functions g(t, y) along a trajectory, located on the dense output."""

import math

from .. import _jit
from .state import EVENTS, N_EVENTS, O_EVENTS, SCRATCH, T_FAIL, T_NEW, H, T, Y, dense_coefficients, vector

ROOT_ULPS = 4.0  # a root is located to this many units in the last place of the step's ends
MAX_ITERATIONS = 200  # Chandrupatla's method at worst bisects; 200 halvings reach any spacing


@_jit.core
def crosses(before, after, direction):
    """Whether an event function crosses zero in the wanted direction (SciPy's rule: zero counts on both sides)."""
    up = before <= 0.0 and after >= 0.0 and direction >= 0.0
    down = before >= 0.0 and after <= 0.0 and direction <= 0.0
    return up or down


@_jit.core
def event_between(iw, w, directions):
    """Whether any event function crosses zero in the step just accepted."""
    m = iw[N_EVENTS]
    for k in range(m):
        if crosses(w[iw[O_EVENTS] + k], w[iw[O_EVENTS] + m + k], directions[k]):
            return True
    return False


@_jit.core
def _event_value(fn, iw, w, p, k, t, values):
    """Event function k on the dense output at time t; NaN where it raised."""
    q, y, z = dense_coefficients(iw, w), vector(iw, w, Y), vector(iw, w, SCRATCH)
    theta = (t - w[T]) / w[H]
    for i in range(y.size):
        value = 0.0
        for d in range(q.shape[0] - 1, -1, -1):
            value = (value + q[d, i]) * theta
        z[i] = y[i] + value
    if _jit.call_scalar(fn[EVENTS], t, z, values, p) != 0:
        w[T_FAIL] = t  # the argument is in the scratch vector
        return math.nan
    return values[k]


@_jit.core
def locate(fn, iw, w, p, k, values):
    """Time in the accepted step at which event function k is zero.

    Chandrupatla's method (Advances in Engineering Software 28 (1997) 145): inverse quadratic interpolation where it is
    safe, bisection elsewhere.

    Parameters
    ----------
    fn, iw, w, p : ndarray
        State with a step accepted and its dense output computed.
    k : int
    values : ndarray, (n_events,)
        Scratch.

    Returns
    -------
    float
        NaN where the event function raised or was not finite.
    """
    m = iw[N_EVENTS]
    a, b = w[T_NEW], w[T]
    fa, fb = w[iw[O_EVENTS] + m + k], w[iw[O_EVENTS] + k]
    if fb == 0.0:
        return b
    if fa == 0.0:
        return a
    c, fc = a, fa
    fraction = 0.5
    for _ in range(MAX_ITERATIONS):
        x = a + fraction * (b - a)
        fx = _event_value(fn, iw, w, p, k, x, values)
        if math.isnan(fx):
            return math.nan
        if (fx > 0.0) == (fa > 0.0):
            c, fc = a, fa
        else:
            c, fc = b, fb
            b, fb = a, fa
        a, fa = x, fx
        best = a if abs(fa) < abs(fb) else b
        tolerance = ROOT_ULPS * 2.220446049250313e-16 * max(abs(a), abs(b)) * 0.5
        width = abs(b - a)
        if fa == 0.0 or fb == 0.0 or width <= 2.0 * tolerance:
            return best
        xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
        if phi * phi < xi and (1.0 - phi) * (1.0 - phi) < 1.0 - xi:
            fraction = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
        else:
            fraction = 0.5
        margin = tolerance / width
        fraction = min(1.0 - margin, max(margin, fraction))
    return best
