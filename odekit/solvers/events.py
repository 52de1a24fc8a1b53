"""Events: zeros of functions g(t, y) along a trajectory, located on the dense output.

A step is looked at in `SAMPLES` parts, so that two zeros of one function in a step are found unless they lie closer together
than a part. A sign change is a zero; a value of zero belongs to the part that ends with it, and so is found once. Where the
dense output costs evaluations, Hermite's interpolation decides whether to ask for it.
"""

import math

import numpy as np

from .. import _jit
from .state import (
    DIRECTION,
    EVENTS,
    N_EVENTS,
    NFEV,
    O_EVENTS,
    O_MASS,
    SCRATCH,
    T_FAIL,
    T_NEW,
    F,
    H,
    T,
    Y,
    dense_coefficients,
    rhs_raised,
    vector,
)

EPS = 2.220446049250313e-16
SAMPLES = 8  # parts of a step in which the sign of the event functions is looked at
ROOT_ULPS = 4.0  # a root is located to this many units in the last place of the step's ends
MAX_ITERATIONS = 200  # Chandrupatla's method at worst bisects; 200 halvings reach any spacing
#: Where a function is zero at the start, or has just had its zero, its sign is taken this many units in the last place later:
#: far enough to be beyond the zero that was located, and far below anything that a solution does.
ARM_ULPS = 100.0

NONE, SOME, RAISED = range(3)


@_jit.core
def crosses(before, after, direction):
    """Whether an event function crosses zero in the wanted direction (+1 rising, -1 falling, 0 both), or arrives there."""
    up = before < 0.0 and after >= 0.0 and direction >= 0.0
    down = before > 0.0 and after <= 0.0 and direction <= 0.0
    return up or down


@_jit.core
def _sample(fn, iw, w, p, t, values):
    """Event functions on the polynomial Q at time t, values (n_events,); status. The argument is left in the scratch vector."""
    q, y, z = dense_coefficients(iw, w), vector(iw, w, Y), vector(iw, w, SCRATCH)
    theta = (t - w[T]) / w[H]
    for i in range(y.size):
        value = 0.0
        for d in range(q.shape[0] - 1, -1, -1):
            value = (value + q[d, i]) * theta
        z[i] = y[i] + value
    status = _jit.call_scalar(fn[EVENTS], t, z, values, p)
    if status != 0:
        w[T_FAIL] = t
    return status


@_jit.core
def crossing_in_step(fn, iw, w, p, directions):
    """Whether any event function crosses zero in the step just accepted, on the polynomial Q.

    Parameters
    ----------
    fn, iw, w, p : ndarray
    directions : ndarray, (n_events,)

    Returns
    -------
    int
        `NONE`, `SOME` or `RAISED`.
    """
    m, start = iw[N_EVENTS], iw[O_EVENTS]
    for k in range(m):
        if crosses(w[start + k], w[start + m + k], directions[k]):
            return SOME
    left, right = _jit.view1(w, start + 2 * m, m), _jit.view1(w, start + 3 * m, m)
    for k in range(m):
        left[k] = w[start + k]
    for s in range(1, SAMPLES):
        if _sample(fn, iw, w, p, w[T] + s / SAMPLES * w[H], right) != 0:
            return RAISED
        for k in range(m):
            if crosses(left[k], right[k], directions[k]):
                return SOME
            left[k] = right[k]
    return NONE


@_jit.kernel
def change_ahead(fn, iw, w, p, t, y, k, ahead):
    """By how much event function k changes over a short time, as the vector field at (t, y) has it; NaN where that raised.

    With a mass matrix, dy/dt is taken from where that is kept (`MassMatrix.write_slope`).

    Parameters
    ----------
    fn, iw, w, p : ndarray
    t : float
    y : ndarray, (n,)
    k : int
    ahead : float
        The short time.
    """
    f, now, later = np.empty(y.size), np.empty(iw[N_EVENTS]), np.empty(iw[N_EVENTS])
    iw[NFEV] += 1
    raised = _jit.call_scalar(fn[F], t, y, f, p) != 0
    if iw[O_MASS] != 0:
        for i in range(y.size):
            f[i] = w[iw[O_MASS] + y.size * y.size + i]
    if raised or _jit.call_scalar(fn[EVENTS], t, y, now, p) != 0:
        return math.nan
    for i in range(y.size):
        f[i] = y[i] + ahead * f[i]
    return later[k] - now[k] if _jit.call_scalar(fn[EVENTS], t + ahead, f, later, p) == 0 else math.nan


@_jit.kernel
def zeros_in_step(fn, iw, w, p, directions, times, indices):
    """Locate all zeros in the step just accepted, on its dense output.

    Parameters
    ----------
    fn, iw, w, p : ndarray
        State with a step accepted and its dense output computed.
    directions : ndarray, (n_events,)
    times : ndarray, (SAMPLES * n_events,)
        Receives the zeros, in no order.
    indices : ndarray of int, (SAMPLES * n_events,)
        Receives whose they are: k + 1 for function k that rises there, -k - 1 where it falls.

    Returns
    -------
    int
        How many there are, or -1 where an event function raised or was not a number.
    """
    m, start, found = iw[N_EVENTS], iw[O_EVENTS], 0
    values, scratch = np.empty((SAMPLES + 1, m)), np.empty(m)
    for k in range(m):
        values[0, k], values[SAMPLES, k] = w[start + k], w[start + m + k]
    for s in range(1, SAMPLES):
        if _sample(fn, iw, w, p, w[T] + s / SAMPLES * w[H], values[s]) != 0:
            return -1
    for s in range(SAMPLES):
        for k in range(m):
            if crosses(values[s, k], values[s + 1, k], directions[k]):
                b = w[T] + s / SAMPLES * w[H]
                a = w[T] + (s + 1) / SAMPLES * w[H] if s + 1 < SAMPLES else w[T_NEW]
                root = _locate(fn, iw, w, p, k, scratch, a, b, values[s + 1, k], values[s, k])
                if math.isnan(root):
                    return -1
                times[found], indices[found] = root, k + 1 if values[s, k] < 0.0 else -k - 1
                found += 1
    return found


@_jit.kernel
def terminal_zero(fn, iw, w, p, directions, wanted, found):
    """Count the zeros in the step just accepted, in order of time, until a terminal event ends it.

    Parameters
    ----------
    fn, iw, w, p, directions
        See `zeros_in_step`.
    wanted : ndarray, (n_events,)
        After how many zeros each function ends the integration.
    found : ndarray of int, (n_events,)
        How many each has had.

    Returns
    -------
    float
        When it is ended; infinity: not in this step; NaN: an event function raised.
    """
    size = SAMPLES * directions.size
    times, indices = np.empty(size), np.empty(size, dtype=np.int64)
    count = zeros_in_step(fn, iw, w, p, directions, times, indices)
    if count < 0:
        return math.nan
    for _ in range(count):
        first = earliest(times, count, w[DIRECTION])
        k = abs(indices[first]) - 1
        found[k] += 1
        if found[k] >= wanted[k]:
            return times[first]
        times[first] = math.inf * w[DIRECTION]
    return math.inf


@_jit.core
def earliest(times, count, direction):
    """Place of the first of the `count` times that `times` begins with, in the direction of integration."""
    first = 0
    for i in range(1, count):
        if (times[i] - times[first]) * direction < 0.0:
            first = i
    return first


@_jit.core
def _locate(fn, iw, w, p, k, values, a, b, fa, fb):
    """Time between b and a at which event function k, which is fb and fa there, is zero.

    Chandrupatla's method (Advances in Engineering Software 28 (1997) 145): inverse quadratic interpolation where it is
    safe, bisection elsewhere. NaN where the event function raised or was not a number; values (n_events,) is scratch.
    """
    best = a
    if fa == 0.0:
        return a
    c, fc = a, fa
    fraction = 0.5
    for _ in range(MAX_ITERATIONS):
        x = a + fraction * (b - a)
        if _sample(fn, iw, w, p, x, values) != 0:
            return math.nan
        fx = values[k]
        if math.isnan(fx):
            return math.nan
        if (fx > 0.0) == (fa > 0.0):
            c, fc = a, fa
        else:
            c, fc = b, fb
            b, fb = a, fa
        a, fa = x, fx
        best = a if abs(fa) < abs(fb) else b
        tolerance = ROOT_ULPS * EPS * max(abs(a), abs(b)) * 0.5
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


@_jit.core
def arm(fn, iw, w, p, reach, slope):
    """Event values at a start, as the next step compares with them; status.

    Functions that are zero there, and those marked by a 1 in the row of the end, take the value a moment later: the zero
    itself is behind. The values at the start itself are left in the third row.

    Parameters
    ----------
    fn, iw, w, p : ndarray
    reach : float
        What the moment is compared with: |t|, or the time or the step that has led here if that is longer.
    slope : ndarray, (n,)
        dy/dt at the start.
    """
    m, start = iw[N_EVENTS], iw[O_EVENTS]
    before, marks = _jit.view1(w, start, m), _jit.view1(w, start + m, m)
    at, later = _jit.view1(w, start + 2 * m, m), _jit.view1(w, start + 3 * m, m)
    y, z = vector(iw, w, Y), vector(iw, w, SCRATCH)
    if _jit.call_scalar(fn[EVENTS], w[T], y, at, p) != 0:
        rhs_raised(w, w[T], z, y)
        return RAISED
    wanted = False
    for k in range(m):
        before[k] = at[k]
        wanted = wanted or at[k] == 0.0 or marks[k] == 1.0
    if not wanted:
        return NONE
    moment = math.copysign(ARM_ULPS * EPS * reach, w[DIRECTION])
    for i in range(y.size):
        z[i] = y[i] + moment * slope[i]
    if _jit.call_scalar(fn[EVENTS], w[T] + moment, z, later, p) != 0:
        w[T_FAIL] = w[T] + moment
        return RAISED
    for k in range(m):
        if at[k] == 0.0 or marks[k] == 1.0:
            before[k] = later[k]
    return NONE
