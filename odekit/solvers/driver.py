"""The resumable driver: one compiled loop that advances any method, reached by its address.

A call advances by at most a given number of attempts, or until something needs Python: a full buffer, an event, a switch
of method, the end, a failure. All state is in the arrays of `odekit.solvers.state`, so that the next call goes on exactly
where this one stopped.
"""

import math

from .. import _jit
from . import auto, events
from .hermite import hermite
from .state import (
    ACCEPTED,
    COSTLY_DENSE,
    DENSE,
    DIRECTION,
    DOMAIN,
    EVENTS,
    F0,
    F1,
    FIRST_STEP,
    H_NEXT,
    H_OLD,
    JAC_FRESH,
    LAST_CODE,
    LU_VALID,
    MAX_STEP,
    MAX_STEPS,
    MODE,
    N_EVAL,
    N_EVENTS,
    N_LOG,
    NACCEPT,
    NEWTON_FAILED,
    NFAIL,
    NREJECT,
    O_EVENTS,
    O_NONNEGATIVE,
    OUT_OF_DOMAIN,
    OUTSIDE,
    PENDING,
    REJECTED,
    RHS_RAISED,
    SCRATCH,
    SINGULAR,
    STEP,
    T_END,
    T_NEW,
    Y_NEW,
    H,
    T,
    Y,
    dense_coefficients,
    rhs_raised,
    vector,
)

# why a call of `advance` returned
CONTINUE, DONE, BUFFER_FULL, EVENT, SWITCH, STEPS_EXHAUSTED, STEP_TOO_SMALL, FIELD_RAISED, EVENT_RAISED = range(9)
DOMAIN_RAISED = 9
# not of `advance`: the field is not finite at the start; an event fires ever faster; a callback stops or raises; the
# algebraic equations that go with a singular mass matrix cannot be solved where the integration is to start anew
START_NOT_FINITE, EVENTS_ACCUMULATE, STOPPED, CALLBACK_RAISED, START_INCONSISTENT = range(10, 15)
OUTPUT_FULL = 15  # of `advance` again: the step just accepted has more output times than there is room for, see `serve`

END_STRETCH = 1.01  # a step is stretched by up to 1 % to reach the end, instead of leaving a sliver (Hairer, dopri5.f)
#: Smallest step relative to |t|: ten times the spacing of numbers (SciPy's rule) ...
MIN_STEP = 10.0 * 2.220446049250313e-16
TINY = 5e-323  #: ... and around t = 0.
OUTSIDE_FACTOR = 0.5  # of the step, where its end lies outside the domain

_hermite = _jit.core(hermite)


@_jit.core
def advance(fn, iw, w, p, attempts, log_t, log_y, log_q, t_eval, y_eval, directions):
    """Advance by at most `attempts` attempted steps.

    Parameters
    ----------
    fn, iw, w, p : ndarray
        State, see `odekit.solvers.state`.
    attempts : int
    log_t : ndarray, (capacity,)
        Receives the time of every accepted step.
    log_y : ndarray, (capacity, n) or (0, n)
        Receives the state of every accepted step, if it has room.
    log_q : ndarray, (capacity, degree, n) or (0, degree, n)
        Receives the dense-output coefficients of every accepted step, if it has room.
    t_eval : ndarray, (m,)
        Output times, in the direction of integration.
    y_eval : ndarray, (rows, n)
        Receives the states at the first of `t_eval`, as many as there is room for.
    directions : ndarray, (n_events,)
        +1: only rising zeros of the event function are looked at, -1: only falling ones, 0: both.

    Returns
    -------
    int
        One of the reasons above.
    """
    y, y_new = vector(iw, w, Y), vector(iw, w, Y_NEW)
    n = y.size
    for _ in range(attempts):
        if iw[PENDING] == 0:
            reason = _attempt(fn, iw, w, p, log_t)
            if reason != CONTINUE:
                return reason
            if iw[LAST_CODE] == ACCEPTED:
                reason = _report(fn, iw, w, p, log_t, log_y, log_q, t_eval, y_eval, directions)
                if reason in (EVENT, OUTPUT_FULL):
                    iw[PENDING] = 1
                if reason != CONTINUE:
                    return reason
        if iw[LAST_CODE] == ACCEPTED:
            iw[PENDING] = 0
            _commit(iw, w, y, y_new, n)
        if fn[STEP + 1] != 0 and auto.decide(fn, iw, w):
            return SWITCH
    return CONTINUE


@_jit.inlined_core
def aim(w, iw):
    """Set the size and the end of the next attempt; False where it has become too small after a rejection."""
    t, t_end, h = w[T], w[T_END], w[H_NEXT]
    if abs(h) > w[MAX_STEP]:
        h = math.copysign(w[MAX_STEP], h)
    smallest = MIN_STEP * abs(t) + TINY
    if iw[REJECTED] == 0:
        h = math.copysign(max(abs(h), smallest), h)
    elif not abs(h) >= smallest:
        return False
    w[T_NEW] = t_end if abs(h) * END_STRETCH >= abs(t_end - t) else t + h
    w[H] = w[T_NEW] - t  # the step that t really takes
    return True


@_jit.inlined_core
def _attempt(fn, iw, w, p, log_t):
    """Attempt one step; CONTINUE, or why none can be attempted."""
    if w[T] == w[T_END]:
        return DONE
    if iw[NACCEPT] + iw[NREJECT] >= iw[MAX_STEPS]:
        return STEPS_EXHAUSTED
    if iw[N_LOG] >= log_t.size:
        return BUFFER_FULL
    if not aim(w, iw):
        return STEP_TOO_SMALL
    h = w[H]
    code = _jit.call_step(fn[STEP + iw[MODE]], fn, iw, w, p)
    if code == ACCEPTED and (fn[DOMAIN] != 0 or iw[O_NONNEGATIVE] != 0):
        outside = _outside(fn, iw, w, p)
        if outside < 0:
            return DOMAIN_RAISED
        if outside > 0:
            code = OUT_OF_DOMAIN
            w[H_NEXT] = OUTSIDE_FACTOR * h
            # the method's memory is of the step that it has accepted: it starts anew from t
            iw[FIRST_STEP], iw[LU_VALID] = 1, 0
    iw[LAST_CODE] = code
    if code == RHS_RAISED:
        return FIELD_RAISED
    if code != ACCEPTED:
        iw[REJECTED] = 1
        iw[NREJECT] += 1
        if code in (NEWTON_FAILED, SINGULAR):
            iw[NFAIL] += 1
    return CONTINUE


@_jit.core
def _outside(fn, iw, w, p):
    """Whether the end of the step lies outside the domain: 1, 0, or -1 where the user's function raised."""
    y_new = vector(iw, w, Y_NEW)
    if iw[O_NONNEGATIVE] != 0:
        marks = _jit.view1(w, iw[O_NONNEGATIVE], y_new.size)
        for i in range(y_new.size):
            if marks[i] != 0.0 and y_new[i] < 0.0:
                return 1
    if fn[DOMAIN] != 0:
        answer = _jit.view1(w, OUTSIDE, 1)
        if _jit.call_scalar(fn[DOMAIN], w[T_NEW], y_new, answer, p) != 0:
            rhs_raised(w, w[T_NEW], vector(iw, w, SCRATCH), y_new)
            return -1
        return 1 if answer[0] != 0.0 else 0
    return 0


@_jit.inlined_core
def _report(fn, iw, w, p, log_t, log_y, log_q, t_eval, y_eval, directions):
    """Write an accepted step to the log, serve output times in it, look for events; a reason, and arguments as for `advance`."""
    t_new, direction = w[T_NEW], w[DIRECTION]
    row = iw[N_LOG]
    iw[N_LOG] = row + 1
    iw[NACCEPT] += 1
    log_t[row] = t_new
    y, y_new = vector(iw, w, Y), vector(iw, w, Y_NEW)
    if log_y.shape[0] > 0:
        for i in range(y.size):
            log_y[row, i] = y_new[i]
    served = iw[N_EVAL]
    output = served < t_eval.size and (t_new - t_eval[served]) * direction >= 0.0
    event, known, room = False, False, True
    if iw[N_EVENTS] > 0:
        if _jit.call_scalar(fn[EVENTS], t_new, y_new, _jit.view1(w, iw[O_EVENTS] + iw[N_EVENTS], iw[N_EVENTS]), p) != 0:
            rhs_raised(w, t_new, vector(iw, w, SCRATCH), y_new)
            return EVENT_RAISED
        known = (iw[COSTLY_DENSE] >> iw[MODE]) & 1 == 0
        code = _jit.call_step(fn[DENSE + iw[MODE]], fn, iw, w, p) if known else _hermite(fn, iw, w, p)
        if code == RHS_RAISED:
            return FIELD_RAISED
        verdict = events.crossing_in_step(fn, iw, w, p, directions)
        if verdict == events.RAISED:
            return EVENT_RAISED
        event = verdict == events.SOME
    if output or event or log_q.shape[0] > 0:
        if not known and _jit.call_step(fn[DENSE + iw[MODE]], fn, iw, w, p) == RHS_RAISED:
            return FIELD_RAISED
        q = dense_coefficients(iw, w)
        if log_q.shape[0] > 0:
            for d in range(q.shape[0]):
                for i in range(y.size):
                    log_q[row, d, i] = q[d, i]
        if output:
            room = serve(iw, w, t_new, t_eval, y_eval)
    return EVENT if event else (CONTINUE if room else OUTPUT_FULL)


@_jit.core
def serve(iw, w, until, t_eval, y_eval):
    """Write the states at the output times in the step just accepted, by its dense output.

    Parameters
    ----------
    iw, w : ndarray
        State.
    until : float
        The last time to look at, within the step.
    t_eval, y_eval : ndarray
        See `advance`.

    Returns
    -------
    bool
        Whether there was room for all.
    """
    t, t_new, direction, served = w[T], w[T_NEW], w[DIRECTION], iw[N_EVAL]
    q, y, y_new = dense_coefficients(iw, w), vector(iw, w, Y), vector(iw, w, Y_NEW)
    while served < t_eval.size and (until - t_eval[served]) * direction >= 0.0:
        if served == y_eval.shape[0]:
            iw[N_EVAL] = served
            return False
        if t_eval[served] == t_new:
            for i in range(y.size):
                y_eval[served, i] = y_new[i]
        else:
            evaluate(q, y, (t_eval[served] - t) / (t_new - t), y_eval, served)
        served += 1
    iw[N_EVAL] = served
    return True


# apart: in every kernel it rounds alike, so that their outputs are the same bits
@_jit.core_apart
def evaluate(q, y, theta, out, row):
    """Dense output at ``t + theta h``: out[row] = y + sum_d q[d - 1] theta^d, by Horner's rule.

    Parameters
    ----------
    q : ndarray, (degree, n)
    y : ndarray, (n,)
    theta : float
    out : ndarray, (rows, n)
    row : int
    """
    degree = q.shape[0]
    for i in range(y.size):
        value = 0.0
        for d in range(degree - 1, -1, -1):
            value = (value + q[d, i]) * theta
        out[row, i] = y[i] + value


@_jit.core
def state_at(iw, w, t, out, row):
    """Write the state at a time within the step just accepted, whose dense output is known, to row `row` of out (rows, n)."""
    y, y_new = vector(iw, w, Y), vector(iw, w, Y_NEW)
    if t == w[T_NEW]:
        for i in range(y.size):
            out[row, i] = y_new[i]
    else:
        evaluate(dense_coefficients(iw, w), y, (t - w[T]) / w[H], out, row)


@_jit.inlined_core
def _commit(iw, w, y, y_new, n):
    """Make the end of the accepted step the start of the next."""
    f0, f1 = vector(iw, w, F0), vector(iw, w, F1)
    for i in range(n):
        y[i] = y_new[i]
        f0[i] = f1[i]
    for i in range(iw[N_EVENTS]):
        w[iw[O_EVENTS] + i] = w[iw[O_EVENTS] + iw[N_EVENTS] + i]
    w[T] = w[T_NEW]
    w[H_OLD] = w[H]
    iw[REJECTED] = 0
    iw[FIRST_STEP] = 0
    iw[JAC_FRESH] = 0
