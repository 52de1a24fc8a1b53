"""The start of trajectories with their own steps, side by side; the names are those of `odekit.adjoint.lanes`."""

import math

from .. import _jit
from ..solvers import control as C
from ..solvers import driver as D
from . import blocks as B
from .lane_blocks import (
    END,
    FINITE,
    SQUARE,
    START,
    Y_NEW,
    U,
    Y,
    Z,
    alone,
    column,
    evaluate,
    lane_row,
    padded,
    vector,
)
from .lanes import NFEV, REASON


@_jit.kernel
def begin(value, p, method, first, last, most, t0, t_end, first_step, rtol, atol, y0, f0, h0, counts, work):
    """Slopes at the start and first steps of trajectories `first` to ``last - 1``, as `control.initial_step` chooses them.

    Parameters
    ----------
    value : int
        Address of the kernel.
    p : ndarray
        Its vector.
    method : tuple
        `Scheme.arrays`.
    first, last, most : int
        At most so many lanes in a call.
    t0, t_end, first_step : float
        A `first_step` of 0 is chosen here.
    rtol, atol : float
    y0, f0 : ndarray, (B, d)
        Starts; receives the slopes there.
    h0 : ndarray, (B,)
        Receives the sizes of the first steps.
    counts : ndarray of int, (B, N_COUNTS)
        Receives the evaluations, and a reason where there is nothing to integrate.
    work : ndarray
        See `odekit.adjoint.lane_blocks`.
    """
    stages, exponent, d = method[0].size, method[6], y0.shape[1]
    span, direction = abs(t_end - t0), 1.0 if t_end >= t0 else -1.0
    for k in range(first, last, most):
        active = min(most, last - k)
        lanes = padded(active, most)
        y, z = vector(work, stages, d, lanes, Y), vector(work, stages, d, lanes, Z)
        f, probe = vector(work, stages, d, lanes, U), vector(work, stages, d, lanes, Y_NEW)
        start, end = lane_row(work, stages, d, lanes, START), lane_row(work, stages, d, lanes, END)
        guess, d1 = lane_row(work, stages, d, lanes, SQUARE), lane_row(work, stages, d, lanes, FINITE)
        for j in range(lanes):
            column(y0, k + (j if j < active else 0), d, lanes, j, y)
            start[j] = end[j] = t0
        B.copy(y, z)
        failed = evaluate(value, p, lanes, 0, 0.0, start, end, z, f) != 0
        for j in range(lanes):
            square, square_slope, finite = 0.0, 0.0, 0.0
            for i in range(j, d * lanes, lanes):
                weight = 1.0 / (atol + rtol * abs(y[i]))
                square += (y[i] * weight) * (y[i] * weight)
                square_slope += (f[i] * weight) * (f[i] * weight)
                finite += 0.0 * f[i]
            d1[j] = math.sqrt(square_slope / d)
            guess[j] = min(C.first_guess(math.sqrt(square / d), d1[j]), span)
            end[j] = t0 + direction * guess[j]
            for i in range(j, d * lanes, lanes):
                z[i] = y[i] + direction * guess[j] * f[i]
            if j < active:
                m = k + j
                counts[m, REASON], counts[m, NFEV] = D.CONTINUE, 1
                if failed and alone(value, p, d, lanes, j, t0, y, f):
                    counts[m, REASON] = D.FIELD_RAISED
                elif finite != 0.0:  # NaN
                    counts[m, REASON] = D.START_NOT_FINITE
                for i in range(d):
                    f0[m, i] = f[i * lanes + j]
                h0[m] = first_step
        if first_step != 0.0:
            continue
        failed = evaluate(value, p, lanes, 0, 1.0, start, end, z, probe) != 0
        for j in range(active):
            m, square = k + j, 0.0
            counts[m, NFEV] += 1
            if failed and alone(value, p, d, lanes, j, end[j], z, probe):
                counts[m, REASON] = D.FIELD_RAISED
            for i in range(j, d * lanes, lanes):
                e = (probe[i] - f[i]) / (atol + rtol * abs(y[i]))
                square += e * e
            h = min(C.first_size(guess[j], d1[j], math.sqrt(square / d) / guess[j], exponent), span)
            h0[m] = h if h < math.inf else C.TINY_STEP * span
