"""The Python loop around the resumable driver: buffers, events, switches, progress, Ctrl-C.

This is what every front door uses; it knows kernels by their addresses and nothing of how they were made.
"""

import math
import time

import numpy as np

from ..solution import Retcode, Switch
from . import auto, driver, outcome, preparation, stops
from . import state as S
from .logs import FIRST_CAPACITY, StepLog
from .mass import InconsistentStart
from .start import start
from .trajectory import Trajectory

CALL_SECONDS = 0.05  # a call of the driver lasts about this long, so that Ctrl-C and progress bars work
FIRST_ATTEMPTS = 1000
SCALARS = max(S.N_EVAL, S.NREJECT, S.PENDING, S.T_FAIL, S.H_NEXT) + 1  # how much of iw and of w the result is made from
SWITCH_REASONS = {
    auto.STABILITY_LIMITED: "the step size was limited by stability: stiff",
    auto.NOT_STIFF: "the step size was no longer limited by stability: not stiff",
    auto.NOT_FINITE: "the explicit steps gave values that are not finite",
    auto.SMOOTH: "the steps stayed long beside the time scale of the fastest mode, which the solution does not follow: stiff",
    auto.STEP_UNDERFLOW: "the explicit step size fell below the spacing of numbers",
}
_NO_TIMES = np.empty(0)


def switch(names, t, mode, reason):
    """A change of method, to that of a mode, as the user sees it; `names` are those of the automatic pair."""
    return Switch(t, names[1 - mode], names[mode], SWITCH_REASONS[reason])


class CallbackRaised(Exception):
    """A callback of the user (not a kernel) raised an exception, which is the cause of this one.

    Parameters
    ----------
    culprit : str
        What raised.
    """


class Integration:
    """One integration: the state arrays, the log and the loop.

    Parameters
    ----------
    kernels : Kernels
    t_span : tuple of float
    y0 : ndarray, (n,)
    methods : tuple of Method
        One, or the explicit and the implicit one of an automatic pair.
    rtol, atol : ndarray, (n,)
    t_eval : ndarray, (m,)
        Output times.
    keep_states, keep_dense : bool
        Whether to keep the state, and the dense output, of every step.
    first_step : float
        0: chosen by the method.
    max_step : float
    max_steps : int
    stops : sequence of float
        Times, in order, inside the span: each is reached exactly, and the integration starts anew from there.
    nonnegative : ndarray of bool, (n,), optional
        Components that must not be negative.
    on_event : callable or None
        ``on_event(k, t, y_left, y)`` for each zero of an event function in turn, see `odekit.solvers.stops`.
    on_step : callable or None
        ``on_step(t, y)`` after each accepted step; True ends the integration.
    progress : callable or None
        ``progress(t)`` about every 0.05 s.
    mass : odekit.solvers.mass.MassMatrix or None
        With one of the methods of `odekit.solvers.methods.WITH_MASS`.
    capacity : int
        Rows of the first buffer of the log.
    output_rows : int or None
        Rows of the buffer of outputs; None: one for each output time. A smaller one needs a `pass_outputs`.
    """

    def __init__(
        self, kernels, t_span, y0, methods, rtol, atol, *, t_eval=None, keep_states=True, keep_dense=False,
        first_step=0.0, max_step=math.inf, max_steps=10**6, stops=(), nonnegative=None, on_event=None, on_step=None,
        progress=None, mass=None, capacity=FIRST_CAPACITY, output_rows=None,
    ):  # fmt: skip
        self.kernels, self.methods, self.progress = kernels, methods, progress
        self.on_event, self.on_step, self.mass = on_event, on_step, mass
        self.begin = t_span[0]
        self.stops = [*stops, t_span[1]]  # the ends of this stretch and of those to come
        n = y0.size
        n_params = kernels.parameters.size
        fn, iw, header, w_size, p_size = preparation.blank(
            methods, n, n_params, kernels.directions.size, nonnegative is not None
        )
        self.fn, self.iw, self.w, self.p = fn, iw, w, _ = fn.copy(), iw.copy(), np.zeros(w_size), np.zeros(p_size)
        w[: S.W_HEADER] = header
        self.view_vectors()
        if n_params:
            self.p[:n_params] = kernels.parameters
        if nonnegative is not None:
            w[iw[S.O_NONNEGATIVE] :][:n] = nonnegative
        fn[S.F], fn[S.EVENTS], fn[S.DOMAIN] = kernels.field, kernels.events, kernels.domain
        fn[S.VELOCITY], fn[S.FORCE] = kernels.velocity, kernels.force
        w[S.T] = t_span[0]
        w[S.DIRECTION] = 1.0 if t_span[1] >= t_span[0] else -1.0
        self.aim()
        w[S.MAX_STEP], w[S.BINDING] = max_step, kernels.binding
        iw[S.MAX_STEPS] = max_steps
        self.vectors[S.Y], self.vectors[S.RTOL], self.vectors[S.ATOL] = y0, rtol, atol
        self.first_step = first_step
        self.t_eval = _NO_TIMES if t_eval is None else t_eval
        self.y_eval = np.empty((self.t_eval.size if output_rows is None else output_rows, n))
        self.serve_start()
        degree = int(iw[S.DEGREE])
        self.log = self.make_log(self, t_span[0], y0, degree, keep_states or keep_dense, keep_dense, capacity)
        self.switches = []
        self.fired = {}  # event function: time, and number of steps, at which it last changed the state
        self._stepped = 0  # accepted steps that `on_step` has seen
        self.prepared = set()
        self.structure = None  # of the linear systems, see `odekit.solvers.linalg`

    make_log = StepLog

    def view_vectors(self):
        """Name the state vectors in `w` (see `odekit.solvers.state`): row k of `vectors` is the k-th."""
        n = int(self.iw[S.N])
        self.vectors = self.w[S.W_HEADER : S.W_HEADER + S.N_VECTORS * n].reshape(S.N_VECTORS, n)

    def serve_start(self):
        """The present state is an output, if its time is the next output time."""
        served = int(self.iw[S.N_EVAL])
        if served < self.t_eval.size and self.t_eval[served] == self.w[S.T]:
            self.y_eval[served] = self.vectors[S.Y]
            self.iw[S.N_EVAL] = served + 1

    def serve(self, until):
        """Serve those output times of the step just accepted, up to a time in it, for which there was no room before."""
        while int(self.iw[S.N_EVAL]) == len(self.y_eval) < self.t_eval.size:
            if (until - self.t_eval[self.iw[S.N_EVAL]]) * self.w[S.DIRECTION] < 0.0:
                break
            self.pass_outputs()
            driver.serve(self.iw, self.w, until, self.t_eval, self.y_eval)

    def pass_outputs(self):
        """Take the outputs out of their buffer, and their times out of `t_eval`."""
        raise NotImplementedError

    # the loop ----------------------------------------------------------------------------------------------------------

    def run(self):
        """Integrate to the end, to a terminal event, to a failure or to Ctrl-C.

        Returns
        -------
        Trajectory

        Raises
        ------
        CallbackRaised
            With the trajectory so far as its attribute ``trajectory``.
        """
        interrupted = False
        try:
            reason = self.first_start()
            if reason is None:
                reason = self.loop()
        except KeyboardInterrupt:
            interrupted, reason = True, driver.CONTINUE
        except CallbackRaised as error:
            error.trajectory = self.broken_off()
            raise
        return self._trajectory(reason, interrupted)

    def first_start(self):
        """Start at the beginning; a driver reason if that ends the integration, else None."""
        reason = self.start()
        return stops.zeros_at_start(self) if reason is None else reason

    def aim(self):
        """Head for the next stop: for the last number before it, where the field is still that of this side of a jump."""
        stop, last = self.stops[0], len(self.stops) == 1
        self.w[S.T_END] = stop if last else math.nextafter(stop, -self.w[S.DIRECTION] * math.inf)

    def start(self, fired=()):
        """Start, or start anew, from the present t and y: no history, a first step of its own.

        Parameters
        ----------
        fired : sequence of int
            Event functions that have just had their zero.

        Returns
        -------
        int or None
            Reason of the driver, if there is no start.
        """
        mode = int(self.iw[S.MODE])
        preparation.prepare(self, mode)
        iw, w, method = self.iw, self.w, self.methods[mode]
        if self.kernels.directions.size:
            ends = iw[S.O_EVENTS] + iw[S.N_EVENTS]
            w[ends : ends + iw[S.N_EVENTS]] = 0.0
            for k in fired:
                w[ends + k] = 1.0
        first_step = self.first_step
        if self.mass is not None:
            try:
                reason, first_step = self.mass.begin(self, method.error_order)
            except InconsistentStart:
                if iw[S.NACCEPT] == 0:
                    raise
                reason = driver.START_INCONSISTENT
            if reason is not None:
                return reason
        reason = start(self.fn, iw, w, self.p, method.error_order, first_step, self.begin)
        return None if reason == driver.CONTINUE else reason

    def correct_start(self):
        """The present state has been corrected to a consistent start: so is what has been noted of it."""
        y, served = self.vectors[S.Y], int(self.iw[S.N_EVAL])
        self.log.correct_last(y)
        if served and self.t_eval[served - 1] == self.w[S.T]:
            self.y_eval[served - 1] = y

    def loop(self):
        """Advance until the integration ends; the reason."""
        attempts, before = FIRST_ATTEMPTS, None
        while True:
            started = time.perf_counter()
            reason = self.advance(attempts if self.on_step is None else 1)
            if self.on_step is not None and reason in (None, driver.EVENT):
                reason = self.report_step() or reason
            if reason is not None:
                return reason
            elapsed, now = time.perf_counter() - started, int(self.iw[S.NACCEPT] + self.iw[S.NREJECT])
            made, before = now - before if before is not None else 0, now
            if made > 0:  # a call that an event has cut short made fewer than it might have
                attempts = int(max(1, min(made * CALL_SECONDS / max(elapsed, 1e-6), 2 * attempts)))
            if self.progress is not None:
                self.progress(float(self.w[S.T]))

    def report_step(self):
        """Call `on_step` for a step that is accepted and done with; a driver reason if it ends the integration, else None."""
        accepted = int(self.iw[S.NACCEPT])
        if accepted == self._stepped or self.iw[S.PENDING] == 1:
            return None
        self._stepped = accepted
        return driver.STOPPED if self.on_step(float(self.w[S.T]), self.vectors[S.Y].copy()) else None

    def advance(self, attempts):
        """Advance by at most so many attempts; None, or the reason for which the integration has ended."""
        reason = driver.advance(
            self.fn,
            self.iw,
            self.w,
            self.p,
            attempts,
            *self.log.buffer,
            self.t_eval,
            self.y_eval,
            self.kernels.directions,
        )
        if reason == driver.CONTINUE:
            return None
        if reason == driver.BUFFER_FULL:
            self.log.next_buffer()
            return None
        if reason == driver.SWITCH:
            self._record_switch()
            return None
        if reason in (driver.EVENT, driver.OUTPUT_FULL):
            reason = stops.handle_zeros(self) if reason == driver.EVENT else None
            if self.iw[S.PENDING] == 1:
                self.serve(self.w[S.T_NEW])
            return reason
        if reason == driver.DONE and len(self.stops) > 1:
            return stops.pass_stop(self)
        if reason == driver.STEP_TOO_SMALL and auto.last_chance(self.fn, self.iw, self.w):
            self._record_switch()
            return None
        return reason

    def _record_switch(self):
        mode = int(self.iw[S.MODE])
        preparation.prepare(self, mode)
        self.note_switch(float(self.w[S.T]), mode, int(self.iw[S.SWITCH_REASON]))

    def note_switch(self, t, mode, reason):
        """Note a change of method."""
        self.switches.append(switch([method.name for method in self.methods], t, mode, reason))

    def state_at(self, t):
        """State at a time within the step just accepted, by its dense output."""
        w = self.w
        if t == w[S.T_NEW]:
            return self.vectors[S.Y_NEW].copy()
        n, degree = int(self.iw[S.N]), int(self.iw[S.DEGREE])
        offset = S.W_HEADER + S.N_VECTORS * n
        q = w[offset : offset + degree * n].reshape(degree, n)
        out = np.empty((1, n))
        driver.evaluate(q, self.vectors[S.Y], (t - w[S.T]) / w[S.H], out, 0)
        return out[0]

    # the result --------------------------------------------------------------------------------------------------------

    def interrupted(self):
        """The trajectory so far, ended by Ctrl-C."""
        return self._trajectory(driver.CONTINUE, True)

    def broken_off(self):
        """The trajectory so far, ended by an exception between the steps."""
        return self._trajectory(driver.CALLBACK_RAISED, False)

    def _trajectory(self, reason, interrupted):
        iw, w = self.iw[:SCALARS].tolist(), self.w[:SCALARS].tolist()
        steps, states, coefficients = self.log.joined()
        retcode = Retcode.INTERRUPTED if interrupted else outcome.retcode(self.iw, reason)
        return Trajectory(
            steps, states, coefficients, self.y_eval[: iw[S.N_EVAL]],
            retcode, float(steps[-1]), w[S.H] or w[S.H_NEXT], w[S.T_FAIL],
            self.vectors[S.SCRATCH].copy() if retcode == Retcode.RHS_RAISED else None,
            outcome.culprit(reason), outcome.bad_component(self) if retcode == Retcode.NONFINITE else -1, self.switches,
            iw[S.NFEV], iw[S.NJEV], iw[S.NLU], iw[S.NACCEPT], iw[S.NREJECT],
        )  # fmt: skip


def integrate(kernels, t_span, y0, methods, rtol, atol, **options):
    """Integrate a problem given by kernel addresses.

    Parameters
    ----------
    kernels, t_span, y0, methods, rtol, atol, **options
        See `Integration`.

    Returns
    -------
    Trajectory
    """
    return Integration(kernels, t_span, y0, methods, rtol, atol, **options).run()
