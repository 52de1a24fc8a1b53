"""Where an integration stops within its span: zeros of event functions, callbacks that change the state, known jumps.

For each zero, in order of time, ``on_event(k, t, y_left, y)`` is called with the number of the event function, the time, the
state that the steps lead to, and the state as callbacks at the same time have left it. It answers None (go on), `STOP` (the
integration ends there), or a new state: the step then ends at the zero, the log has the time twice, with the states before
and after, and the integration starts anew.
"""

import math

import numpy as np

from . import driver, events
from . import state as S


class _Stop:
    """The answer of a callback that ends the integration."""

    def __repr__(self):
        return "odekit.STOP"


STOP = _Stop()
#: An event function that changes the state again this many times the distance over which events are told apart after it
#: last did so does it ever faster. The first such time counts: the next might be too close to be seen.
ACCUMULATION = 1000.0
#: A zero that comes within so many steps after the last must have the direction that the field itself gives it: else what
#: happens between the two is smaller than the tolerances.
FEW_STEPS = 10
LOOK_AHEAD = 1e-3  # of the step: over which that direction is taken


def handle_zeros(run):
    """Locate the zeros in the step just accepted and call back; a driver reason if that ends the integration, else None.

    Parameters
    ----------
    run : odekit.solvers.integrate.Integration

    Returns
    -------
    int or None
    """
    size = events.SAMPLES * int(run.iw[S.N_EVENTS])
    times, indices = np.empty(size), np.empty(size, dtype=np.int64)
    count = events.zeros_in_step(run.fn, run.iw, run.w, run.p, run.kernels.directions, times, indices)
    if count < 0:
        return driver.EVENT_RAISED
    direction = run.w[S.DIRECTION]
    order = np.argsort(direction * times[:count], kind="stable")
    found = [(float(times[i]), abs(int(indices[i])) - 1, int(np.sign(indices[i]))) for i in order]
    return _call_back(run, found)


def zeros_at_start(run):
    """Report the event functions that are zero at the very start, except those that would act on it: None.

    One that is to end the integration, or to change the state, waits for the next zero.
    """
    m, values = int(run.iw[S.N_EVENTS]), int(run.iw[S.O_EVENTS])
    for k in range(m):
        later, wanted = run.w[values + k], run.kernels.directions[k]
        if run.w[values + 2 * m + k] == 0.0 and (later == 0.0 or later * wanted >= 0.0):
            run.on_event(k, float(run.w[S.T]), run.vectors[S.Y].copy(), None)
    return None


def pass_stop(run):
    """Take the last, tiny part of the way to a known jump, and start anew behind it; a driver reason or None."""
    iw, w = run.iw, run.w
    m, values = int(iw[S.N_EVENTS]), int(iw[S.O_EVENTS])
    before = w[values : values + m].copy()
    w[S.T] = run.stops.pop(0)
    run.log.move_last(w[S.T])
    run.serve_start()
    run.aim()
    reason = run.start()
    if reason is None:
        w = run.w
        at = w[values + 2 * m : values + 3 * m]
        found = [k for k in range(m) if events.crosses(before[k], at[k], run.kernels.directions[k])]
        w[S.T_NEW], run.vectors[S.Y_NEW] = w[S.T], run.vectors[S.Y]
        reason = _call_back(run, [(float(w[S.T]), k, 1 if before[k] < 0 else -1) for k in found])
    return reason


def _call_back(run, found):
    """Call back for zeros (time, function, +1 rising or -1) in order, until one ends the integration or changes the state."""
    at, y, changed, stop = None, None, [], False
    if any(_unresolved(run, k) for _, k, _ in found):
        _repeat(run)
        return None
    for t, k, sign in found:
        if at is not None and abs(t - at) > 2.0 * events.ROOT_ULPS * events.EPS * abs(t):
            break
        left = run.state_at(t)
        if _contradicts(run, k, t, left, sign):
            _cut(run, t, y)
            return driver.EVENTS_ACCUMULATE
        try:
            answer = run.on_event(k, t, left, left if y is None else y)
        except Exception:
            _cut(run, t, y)
            raise
        if answer is None:
            continue
        at = t if at is None else at
        if answer is STOP:
            stop = True
        else:
            y = answer
            changed.append(k)
    if at is None:
        return None
    _cut(run, at, y)
    if stop:
        return driver.EVENT
    return _start_from_zero(run, changed)


def _distance(run, t):
    """The time over which the zeros of a function are told apart."""
    return events.ARM_ULPS * events.EPS * max(abs(t), abs(t - run.begin))


def _unresolved(run, k):
    """Whether event function k is zero again in the very first step after it has changed the state.

    The step may be too large to know what happens in it: its error need only be small beside the tolerances.
    """
    iw, w = run.iw, run.w
    just = iw[S.PENDING] == 1 and iw[S.FIRST_STEP] == 1 and run.fired.get(k, (math.inf,))[0] == w[S.T]
    return just and abs(w[S.H]) > ACCUMULATION * _distance(run, w[S.T_NEW])


def _contradicts(run, k, t, y, sign):
    """Whether event function k, which changed the state a few steps ago, now has a zero that the field does not lead to."""
    if run.iw[S.NACCEPT] - run.fired.get(k, (0.0, -math.inf))[1] > FEW_STEPS:
        return False
    ahead = LOOK_AHEAD * run.w[S.H]
    if run.mass is not None and not run.mass.write_slope(run, t, y):
        return False
    return events.change_ahead(run.fn, run.iw, run.w, run.p, t, y, k, ahead) * sign < 0.0


def _repeat(run):
    """Take the step just accepted back, to try a smaller one."""
    iw, w = run.iw, run.w
    while iw[S.N_EVAL] and (run.t_eval[iw[S.N_EVAL] - 1] - w[S.T]) * w[S.DIRECTION] > 0.0:
        iw[S.N_EVAL] -= 1
    iw[S.N_LOG] -= 1
    iw[S.NACCEPT] -= 1
    iw[S.NREJECT] += 1
    iw[S.PENDING], iw[S.REJECTED], iw[S.LU_VALID] = 0, 1, 0
    w[S.H_NEXT] = w[S.H] / events.SAMPLES


def _cut(run, t, y):
    """End the step just accepted at time t, with the state y from there on (None: the one it has there)."""
    iw, w = run.iw, run.w
    if iw[S.PENDING] == 1:
        run.serve(t)
    direction, served = w[S.DIRECTION], int(iw[S.N_EVAL])
    left = run.state_at(t)
    if iw[S.PENDING] == 1:
        run.log.cut_last(t, left, (t - w[S.T]) / w[S.H])
        w[S.H_OLD] = t - w[S.T]
    while served and (
        (run.t_eval[served - 1] - t) * direction > 0.0 or (y is not None and run.t_eval[served - 1] == t)
    ):
        served -= 1
    iw[S.N_EVAL], iw[S.PENDING] = served, 0
    w[S.T], run.vectors[S.Y] = t, left
    if y is not None:
        run.vectors[S.Y] = y
        run.log.append(t, y)
        run.serve_start()


def _start_from_zero(run, changed):
    """Start anew where event functions have changed the state, unless they do so ever faster."""
    t = float(run.w[S.T])
    for k in changed:
        if abs(t - run.fired.get(k, (math.inf,))[0]) <= ACCUMULATION * _distance(run, t):
            return driver.EVENTS_ACCUMULATE
        run.fired[k] = (t, int(run.iw[S.NACCEPT]))
    if t == run.w[S.T_END]:  # whatever starts there starts without a past
        run.w[run.iw[S.O_EVENTS] : run.iw[S.O_EVENTS] + run.iw[S.N_EVENTS]] = 0.0
        return None
    return run.start(changed)
