"""The start of an integration, or of a new stretch of it: field, first step, event values."""

import math

from .. import _jit
from . import control, driver, events
from . import state as S


@_jit.kernel
def start(fn, iw, w, p, error_order, first_step, begin):
    """Start, or start anew, from the present t and y: no history, the field there, a first step, the event functions.

    Parameters
    ----------
    fn, iw, w, p : ndarray
        State; event functions that have just had their zero are marked by a 1 in the row of the end values.
    error_order : int
        Of the method in use; 0: it takes fixed steps.
    first_step : float
        0: chosen here.
    begin : float
        Time at which the whole integration began.

    Returns
    -------
    int
        `driver.CONTINUE`, or why there is no start.
    """
    y, f0 = S.vector(iw, w, S.Y), S.vector(iw, w, S.F0)
    iw[S.FIRST_STEP], iw[S.JAC_FRESH], iw[S.LU_VALID], iw[S.REJECTED], iw[S.STIFF_COUNT] = 1, 0, 0, 0, 0
    iw[S.SMOOTH_COUNT] = 0
    w[S.LOG_ERR_OLD] = 0.0
    if error_order == 0:  # what a compensated sum carries along belongs to the state before
        for i in range(y.size):
            w[iw[S.O_FIRST] + i] = 0.0
    w[S.T_FAIL] = w[S.T]
    scratch = S.vector(iw, w, S.SCRATCH)
    for i in range(y.size):
        scratch[i] = y[i]
    status = _jit.call_scalar(fn[S.F], w[S.T], y, f0, p)
    iw[S.NFEV] += 1
    if status != 0:
        return driver.FIELD_RAISED
    for i in range(f0.size):
        if not abs(f0[i]) < math.inf:
            return driver.START_NOT_FINITE
    h = first_step
    if h == 0.0:
        h, status = control.initial_step(fn, iw, w, p, error_order)
        if status != 0:
            return driver.FIELD_RAISED
        if not h < math.inf:  # a NaN: start tiny and let the steps find out
            h = control.TINY_STEP * abs(w[S.T_END] - w[S.T])
    w[S.H_NEXT] = w[S.H_FIXED] = math.copysign(h, w[S.DIRECTION])
    if iw[S.N_EVENTS] > 0:
        reach = min(max(abs(w[S.T]), abs(w[S.T] - begin), h), abs(w[S.T_END] - w[S.T]) / (events.ARM_ULPS * events.EPS))
        slope = f0 if iw[S.O_MASS] == 0 else _jit.view1(w, iw[S.O_MASS] + iw[S.N] * iw[S.N], iw[S.N])
        if events.arm(fn, iw, w, p, reach, slope) == events.RAISED:
            return driver.EVENT_RAISED
    return driver.CONTINUE
