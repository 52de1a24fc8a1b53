"""A whole solve in compiled code: what `odekit.solvers.integrate` does in Python, for a solver without Python around it.

It starts, advances, changes between the methods of an automatic pair, passes known jumps and ends at terminal events, on state
arrays in which all methods are ready beforehand. What it needs beyond them stands in a *plan*, an array of int64.
"""

import math

import numpy as np

from .. import _jit
from . import auto, driver, events, outcome
from . import state as S
from .start import start

# plan: sizes and addresses, valid in this process only --------------------------------------------------------------
STAMP = 0  # of the sources for which the plan was made
FN, IW, W, STOPS = 1, 2, 3, 4  # of the arrays from which a solve starts, and of the times of known jumps, ascending
IW_SIZE, W_SIZE, P_SIZE, N_STOPS = 5, 6, 7, 8
N = 9  # numbers of the state (complex ones count twice)
DEGREE = 10
N_PARAMETERS = 11
W_SET = 12  # floats of W that are not zero; what follows is workspace
ERROR_ORDER = 13  # of the method of mode 0; ERROR_ORDER + 1 of mode 1
FIRST_STEP = 15  # of a float64
WHOLE = 16  # of the kernel below
DIRECTIONS, WANTED = 17, 18  # of float64 arrays: of the event functions, as in `odekit.solvers.events.terminal_zero`
SIZE = 19

LOG_ROWS = 64  # the driver's log of steps, which is not kept: it is emptied this often
NO_LIMIT = 2**62  # attempts per call of the driver; the limit of steps ends a solve


@_jit.core
def _next_stop(stops, t, t_end, direction):
    """The first of the known jumps between t and the end, else the end."""
    for i in range(stops.size):
        stop = stops[i] if direction > 0.0 else stops[stops.size - 1 - i]
        if (stop - t) * direction > 0.0 and (t_end - stop) * direction > 0.0:
            return stop
    return t_end


@_jit.core
def _end_at(iw, w, t, end):
    """End the step just accepted at a time in it: the state there is the present one; outputs beyond it are none."""
    n = iw[S.N]
    driver.state_at(iw, w, end, _jit.view2(w, S.W_HEADER + S.SCRATCH * n, 1, n), 0)
    state, scratch = S.vector(iw, w, S.Y), S.vector(iw, w, S.SCRATCH)
    for i in range(n):
        state[i] = scratch[i]
    while iw[S.N_EVAL] > 0 and (t[iw[S.N_EVAL] - 1] - end) * w[S.DIRECTION] > 0.0:
        iw[S.N_EVAL] -= 1
    w[S.T] = end


@_jit.core
def _event_at_jump(iw, w, before, directions, wanted, found):
    """Whether an event function that was on one side of zero before a known jump ends the integration there."""
    m, ended = before.size, False
    for k in range(m):
        if events.crosses(before[k], w[iw[S.O_EVENTS] + 2 * m + k], directions[k]):
            found[k] += 1
            ended = ended or found[k] >= wanted[k]
    return ended


def whole(plan_, iw_, w_, p_, log_, t_, y_, m):
    """Solve from t[0] to t[m - 1].

    Parameters
    ----------
    plan_ : pointer to int64
    iw_, w_, p_ : pointers
        Copies of the arrays of the plan, with the initial state and the parameters set.
    log_ : pointer to LOG_ROWS float64
        Scratch.
    t_, y_ : pointers to float64
        Output times, (m,), in the direction of integration; receives the states there, (m, n), NaN where the solve did not
        arrive.
    m : int

    Returns
    -------
    int
        Return code, a value of `odekit.Retcode`.
    """
    plan = _jit.view1i(plan_, 0, SIZE)
    n = plan[N]
    iw, w, p = _jit.view1i(iw_, 0, plan[IW_SIZE]), _jit.view1(w_, 0, plan[W_SIZE]), _jit.view1(p_, 0, plan[P_SIZE])
    fn = _jit.memory_int(plan[FN], S.FN_SIZE)
    stops = _jit.memory_float(plan[STOPS], plan[N_STOPS])
    first_step = _jit.memory_float(plan[FIRST_STEP], 1)[0]
    log = _jit.view1(log_, 0, LOG_ROWS)
    no_states, no_coefficients = _jit.view2(log_, 0, 0, n), _jit.view3(log_, 0, 0, plan[DEGREE], n)
    t, y = _jit.view1(t_, 0, m), _jit.view2(y_, 0, m, n)
    m_events = iw[S.N_EVENTS]
    directions, wanted = _jit.memory_float(plan[DIRECTIONS], m_events), _jit.memory_float(plan[WANTED], m_events)
    found, before = np.zeros(m_events, dtype=np.int64), np.zeros(m_events)
    state = S.vector(iw, w, S.Y)
    t_end = t[m - 1]
    direction = 1.0 if t_end >= t[0] else -1.0
    w[S.T], w[S.DIRECTION] = t[0], direction
    if n == 0:
        w[S.T] = t_end
    reason = driver.DONE
    while True:
        served = iw[S.N_EVAL]
        if served < m and t[served] == w[S.T]:
            for i in range(n):
                y[served, i] = state[i]
            iw[S.N_EVAL] = served + 1
        stop = _next_stop(stops, w[S.T], t_end, direction)
        # as before each known jump: up to the last number before it
        w[S.T_END] = t_end if stop == t_end else np.nextafter(stop, -direction * math.inf)
        for k in range(m_events):
            before[k] = w[iw[S.O_EVENTS] + k]
            w[iw[S.O_EVENTS] + m_events + k] = 0.0
        reason = start(fn, iw, w, p, plan[ERROR_ORDER + iw[S.MODE]], first_step, t[0])
        if reason == driver.CONTINUE and w[S.T] != t[0] and _event_at_jump(iw, w, before, directions, wanted, found):
            reason = driver.EVENT
        while reason == driver.CONTINUE:
            reason = driver.advance(fn, iw, w, p, NO_LIMIT, log, no_states, no_coefficients, t, y, directions)
            if reason == driver.BUFFER_FULL:
                iw[S.N_LOG] = 0
                reason = driver.CONTINUE
            elif reason == driver.EVENT:
                end = events.terminal_zero(fn, iw, w, p, directions, wanted, found)
                if math.isnan(end):
                    reason = driver.EVENT_RAISED
                elif math.isinf(end):
                    reason = driver.CONTINUE
                else:
                    _end_at(iw, w, t, end)
            elif reason == driver.SWITCH or (reason == driver.STEP_TOO_SMALL and auto.last_chance(fn, iw, w)):
                reason = driver.CONTINUE
        if reason != driver.DONE or w[S.T_END] == t_end:
            break
        w[S.T] = stop
    for k in range(iw[S.N_EVAL], m):
        for i in range(n):
            y[k, i] = math.nan
    return outcome.code(iw, reason)
