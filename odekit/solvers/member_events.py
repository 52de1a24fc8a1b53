"""The zeros of event functions along a trajectory of an ensemble, in the single tier: counted, and written to a log.

The rules are those of `odekit.solvers.stops`: a function that is zero at the start has a zero there, unless it is to end the
trajectory, which then waits for the next one.
"""

import math

from .. import _jit
from . import driver, events
from . import state as S
from .event_log import FUNCTION, STATE, TIME, TRAJECTORY

# int64, of the trajectory at hand: zeros that are in the log, zeros that are kept of it
USED, KEPT = range(2)


@_jit.core
def _note(tally, log, bound, member, k, t, y):
    """Write a zero of event function k to the log, the state y (n,) with it, unless `bound` zeros of the trajectory are there."""
    if tally[KEPT] >= bound:
        return
    place = tally[USED] * (STATE + y.size)
    log[place + TRAJECTORY], log[place + FUNCTION], log[place + TIME] = member, k, t
    for i in range(y.size):
        log[place + STATE + i] = y[i]
    tally[USED] += 1
    tally[KEPT] += 1


@_jit.core
def at_start(iw, w, directions, wanted, found, tally, log, bound, member):
    """Forget the trajectory before, and note the zeros at the start of this one.

    Parameters
    ----------
    iw, w : ndarray
        State of an integration that has been started.
    directions, wanted, found : ndarray, (n_events,)
        See `odekit.solvers.events.terminal_zero`.
    tally : ndarray of int
        See above.
    log : ndarray
        Buffer of an `odekit.solvers.event_log.EventLog`.
    bound : int
        So many zeros are kept.
    member : int
        Number of the trajectory.
    """
    tally[KEPT] = 0
    m, start, y = iw[S.N_EVENTS], iw[S.O_EVENTS], S.vector(iw, w, S.Y)
    for k in range(m):
        later = w[start + k]
        is_zero = w[start + 2 * m + k] == 0.0 and later * directions[k] >= 0.0
        if is_zero and math.isinf(wanted[k]):
            found[k] += 1
            _note(tally, log, bound, member, k, w[S.T], y)


@_jit.kernel
def in_step(fn, iw, w, p, directions, wanted, found, tally, log, bound, member, state, times, indices):
    """Count and note the zeros in the step just accepted, in order of time, until a terminal event ends it.

    Parameters
    ----------
    fn, iw, w, p : ndarray
        See `odekit.solvers.events.zeros_in_step`.
    directions, wanted, found, tally, log, bound, member
        As above.
    state : ndarray, (1, n)
        Receives the state at the last zero.
    times, indices : ndarray, (SAMPLES * n_events,)
        Scratch.

    Returns
    -------
    float
        When it is ended; infinity: not in this step; NaN: an event function raised.
    """
    count = events.zeros_in_step(fn, iw, w, p, directions, times, indices)
    if count < 0:
        return math.nan
    for _ in range(count):
        first = events.earliest(times, count, w[S.DIRECTION])
        t, k = times[first], abs(indices[first]) - 1
        driver.state_at(iw, w, t, state, 0)
        found[k] += 1
        _note(tally, log, bound, member, k, t, state[0])
        if found[k] >= wanted[k]:
            return t
        times[first] = math.inf * w[S.DIRECTION]
    return math.inf
