"""The trajectories of a batch one after the other through the resumable driver: the compiled loop."""

import math

from .. import _jit
from . import auto, driver, events, member_events, outcome
from . import batch as B
from . import state as S
from .event_log import STATE
from .start import start

# control: where the loop stands
NEXT, LAST, ACTIVE, SWITCHES, KEPT = range(5)  # at hand, the first that is not ours; of the one at hand: begun, counts
BEGINNING = 5  # and why it cannot begin, or `driver.CONTINUE`, with a mass matrix
#: Of the trajectory at hand: it has not been looked at; it is in place, but not started; it is under way.
AHEAD, PLACED, STARTED = range(3)
#: What a call returns: all done; attempts used up; the implicit method of an automatic pair is needed; a start that is consistent with
#: the mass matrix is to be found.
FINISHED, UNFINISHED, PREPARE, START = range(4)
NOT_READY = 1  # in place of the implicit method's address
SCRATCH_ROWS = 64  # of the log that nobody reads


@_jit.core
def _forget(iw, w, family):
    """Clear what the trajectory before has left: the same bits, whichever it was."""
    for i in (S.NFEV, S.NJEV, S.NLU, S.NACCEPT, S.NREJECT, S.NFAIL, S.PENDING, S.N_LOG, S.N_EVAL, S.MODE):
        iw[i] = 0
    for i in (S.LAST_CODE, S.SWITCH_REASON, S.SWITCHED_AT):
        iw[i] = 0
    if iw[S.PATIENCE] > 0:
        iw[S.PATIENCE] = auto.FIRST_PATIENCE
    for i in range(family.size):
        iw[S.FAMILY_INT + i] = family[i]
    for i in range(S.SHIFTS, S.W_HEADER):
        w[i] = 0.0
    w[S.H] = w[S.H_OLD] = w[S.EIGENVALUE] = 0.0
    for i in range(4 * iw[S.N_EVENTS]):
        w[iw[S.O_EVENTS] + i] = 0.0
    matrix, mass = iw[S.O_IMPLICIT], iw[S.O_MASS]
    constant = iw[S.J_SIZE] if iw[S.JAC_KIND] == S.JAC_CONSTANT else 0
    mass_end = mass + iw[S.N] * iw[S.N] if mass != 0 else mass
    for i in range(iw[S.O_FIRST], w.size):
        if not (
            matrix <= i < matrix + constant or mass <= i < mass_end
        ):  # a constant Jacobian stays, and a mass matrix
            w[i] = 0.0


@_jit.core
def _place(iw, w, p, family, t0, t1, y0, params):
    """Put a trajectory at its start: y0 (n,) and its own params (n_params,) go to `w` and `p`, `family` as in `run`."""
    _forget(iw, w, family)
    w[S.T], w[S.T_END] = t0, t1
    w[S.DIRECTION] = 1.0 if t1 >= t0 else -1.0
    y = S.vector(iw, w, S.Y)
    for i in range(y.size):
        y[i] = y0[i]
    for i in range(params.size):
        p[i] = params[i]


@_jit.core
def _begin(fn, iw, w, p, times, save, kept_t, kept_y, first_step, order):
    """Start a trajectory that is in its place; a driver reason.

    times (m,), kept_t (rows,) and kept_y (rows, n) are its output times and what is kept of it; the first row may be its start.
    """
    t0, y = w[S.T], S.vector(iw, w, S.Y)
    if save == B.SAVE_STEPS or (times.size > 0 and times[0] == t0):
        for i in range(y.size):
            kept_y[0, i] = y[i]
        if save == B.SAVE_STEPS:
            kept_t[0] = t0
        else:
            iw[S.N_EVAL] = 1
    return start(fn, iw, w, p, order, first_step, t0)


@_jit.core
def _finish(iw, w, reason, end, switches, saved, save, times, kept_t, kept_y, counters, ends, state):
    """Write what has become of a trajectory.

    Parameters
    ----------
    iw, w : ndarray
    reason : int
        Of the driver.
    end : float
        Time of the terminal event, if that is the reason.
    switches, saved, save : int
        Changes of method, rows kept so far, what is kept.
    times, kept_t, kept_y : ndarray
        As in `_begin`.
    counters : ndarray of int, (`B.N_COUNTERS`,)
        Receives.
    ends : ndarray, (2,)
        Receives t and h.
    state : ndarray, (1, n)
        At the event.
    """
    n, by_event = iw[S.N], reason == driver.EVENT
    code = outcome.code(iw, reason)
    ends[0] = end if by_event else w[S.T]
    ends[1] = w[S.H] if w[S.H] != 0.0 else w[S.H_NEXT]
    if save == B.SAVE_TIMES:
        saved = iw[S.N_EVAL]
        while by_event and saved > 0 and (times[saved - 1] - end) * w[S.DIRECTION] > 0.0:
            saved -= 1
            for i in range(n):
                kept_y[saved, i] = math.nan
    elif save == B.SAVE_STEPS:
        if by_event and saved == iw[S.NACCEPT] + 1:  # the last step ends at the event
            kept_t[saved - 1] = end
            for i in range(n):
                kept_y[saved - 1, i] = state[0, i]
    elif code >= 0:
        saved = 1
        y = S.vector(iw, w, S.Y)
        for i in range(n):
            kept_y[0, i] = state[0, i] if by_event else y[i]
    counters[B.RETCODE] = code
    counters[B.NFEV], counters[B.NJEV], counters[B.NLU] = iw[S.NFEV], iw[S.NJEV], iw[S.NLU]
    counters[B.NACCEPT], counters[B.NREJECT] = iw[S.NACCEPT], iw[S.NREJECT]
    counters[B.NSWITCH], counters[B.NSAVED] = switches, saved


@_jit.kernel
def run(
    fn, iw, w, p, family, control, attempts, order, first_step, save, rows, n_params, spans, y0, params, t_eval, y_out, t_out, counters, ends,
    directions, wanted, found, tally, log, max_events, event_counts, zero_t, zero_k, scratch_t, state, no_q,
):  # fmt: skip
    """Integrate trajectories ``control[NEXT]`` to ``control[LAST] - 1``, by at most so many attempts in this call.

    Parameters
    ----------
    fn, iw, w, p : ndarray
        State of the integrator, see `odekit.solvers.state`.
    family : ndarray, int64
        What the places of the methods' own integers hold at a start.
    control : ndarray, int64
        Where the loop stands, and the number of switches and of kept steps of the trajectory at hand.
    attempts : int
    order : int
        Of the error estimate.
    first_step : float
    save, rows, n_params : int
        What is kept of a trajectory, and in how many rows; the number of its parameters.
    spans, y0, params, t_eval, y_out, t_out, counters, ends : ndarray, flat
        See `odekit.solvers.batch`.
    directions, wanted, found : ndarray, (n_events,)
        Of the event functions: the direction, after how many zeros it ends a trajectory, how many were found.
    tally : ndarray of int
        See `odekit.solvers.member_events`.
    log : ndarray
        Buffer of an `odekit.solvers.event_log.EventLog`.
    max_events : int
        Bound on the zeros that are kept of a trajectory.
    event_counts : ndarray, flat
        See `odekit.solvers.batch`.
    zero_t, zero_k, scratch_t, state, no_q : ndarray
        Room for the zeros in a step, for a log that nobody reads, for one state, and for no dense output.

    Returns
    -------
    int
        `FINISHED`, `UNFINISHED`, `PREPARE` or `START`.
    """
    n = iw[S.N]
    n_times = rows if save == B.SAVE_TIMES else 0
    n_steps = rows if save == B.SAVE_STEPS else 0
    shared_times = t_eval.size == n_times
    m = iw[S.N_EVENTS]
    most = events.SAMPLES * m  # zeros in a step
    last_use = log.size // (STATE + n) - most
    while control[NEXT] < control[LAST]:
        k = control[NEXT]
        times = _jit.view1(t_eval, 0 if shared_times else k * n_times, n_times)
        kept_t, kept_y = _jit.view1(t_out, k * n_steps, n_steps), _jit.view2(y_out, k * rows * n, rows, n)
        reason, end = driver.CONTINUE, 0.0
        if control[ACTIVE] == AHEAD:
            if attempts <= 0 or (m > 0 and tally[member_events.USED] > last_use):
                return UNFINISHED
            control[ACTIVE], control[SWITCHES], control[KEPT] = PLACED, 0, min(n_steps, 1)
            control[BEGINNING] = driver.CONTINUE
            for i in range(found.size):
                found[i] = 0
            initial, parameters = _jit.view1(y0, k * n, n), _jit.view1(params, k * n_params, n_params)
            _place(iw, w, p, family, spans[2 * k], spans[2 * k + 1], initial, parameters)
            if iw[S.O_MASS] != 0:
                return START
        if control[ACTIVE] == PLACED:
            control[ACTIVE], reason = STARTED, control[BEGINNING]
            if reason == driver.CONTINUE:
                reason = _begin(fn, iw, w, p, times, save, kept_t, kept_y, first_step, order)
            if reason == driver.CONTINUE and m > 0:
                member_events.at_start(iw, w, directions, wanted, found, tally, log, max_events, k)
        while reason == driver.CONTINUE:
            if attempts <= 0 or (m > 0 and tally[member_events.USED] > last_use):
                return UNFINISHED
            before = iw[S.NACCEPT] + iw[S.NREJECT]
            keep = control[KEPT] < n_steps
            log_t, log_y = (kept_t, kept_y) if keep else (scratch_t, _jit.view2(w, 0, 0, n))
            iw[S.N_LOG] = control[KEPT] if keep else 0
            reason = driver.advance(
                fn, iw, w, p, min(attempts, SCRATCH_ROWS), log_t, log_y, no_q, times, kept_y, directions
            )
            control[KEPT] = iw[S.N_LOG] if keep else control[KEPT]
            attempts -= max(1, iw[S.NACCEPT] + iw[S.NREJECT] - before)
            if reason == driver.BUFFER_FULL:
                reason = driver.CONTINUE
            elif reason == driver.EVENT:
                end = member_events.in_step(
                    fn, iw, w, p, directions, wanted, found, tally, log, max_events, k, state, zero_t, zero_k
                )  # fmt: skip
                if math.isnan(end):
                    reason = driver.EVENT_RAISED
                elif math.isinf(end):
                    reason = driver.CONTINUE
            elif reason == driver.STEP_TOO_SMALL and auto.last_chance(fn, iw, w):
                reason = driver.SWITCH
            if reason == driver.SWITCH:
                control[SWITCHES] += 1
                reason = driver.CONTINUE
                if fn[S.STEP + iw[S.MODE]] == NOT_READY:
                    return PREPARE
        _finish(
            iw, w, reason, end, control[SWITCHES], control[KEPT], save, times, kept_t, kept_y,
            _jit.view1(counters, k * B.N_COUNTERS, B.N_COUNTERS), _jit.view1(ends, 2 * k, 2), state,
        )  # fmt: skip
        for i in range(m):
            event_counts[k * m + i] = found[i]
        control[ACTIVE] = AHEAD
        control[NEXT] += 1
    return FINISHED
