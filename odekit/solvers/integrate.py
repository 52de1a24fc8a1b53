"""The Python loop around the resumable driver: buffers, events, switches, progress, Ctrl-C.

This is what every front door uses; it knows kernels by their addresses and nothing of how they were made.
"""

import math
import time

import numpy as np

from .. import _jit
from ..solution import Retcode, Switch
from . import auto, control, driver, events, linalg
from . import state as S
from .linalg.dense import Dense, addresses_by_kind
from .problem import SCRATCH_VECTORS
from .trajectory import Trajectory

FIRST_CAPACITY = 256  # steps in the first log buffer; each further one is twice as large, up to
LARGEST_BUFFER = 2**22  # floats
CALL_SECONDS = 0.05  # a call of the driver lasts about this long, so that Ctrl-C and progress bars work
FIRST_ATTEMPTS = 1000
SWITCH_REASONS = {
    auto.STABILITY_LIMITED: "the step size was limited by stability: stiff",
    auto.NOT_STIFF: "the step size was no longer limited by stability: not stiff",
    auto.NOT_FINITE: "the explicit steps gave values that are not finite",
    auto.STEP_UNDERFLOW: "the explicit step size fell below the spacing of numbers",
}


@_jit.kernel
def _start(fn, iw, w, p, error_order, first_step):
    """Evaluate the vector field and the event functions at the start, choose the first step; returns a driver reason."""
    y, f0 = S.vector(iw, w, S.Y), S.vector(iw, w, S.F0)
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
    if iw[S.N_EVENTS] > 0:
        status = _jit.call_scalar(fn[S.EVENTS], w[S.T], y, _jit.view1(w, iw[S.O_EVENTS], iw[S.N_EVENTS]), p)
        if status != 0:
            return driver.EVENT_RAISED
    h = first_step
    if h == 0.0:
        h, status = control.initial_step(fn, iw, w, p, error_order)
        if status != 0:
            return driver.FIELD_RAISED
        if not h < math.inf:  # a NaN: start tiny and let the steps find out
            h = control.TINY_STEP * abs(w[S.T_END] - w[S.T])
    w[S.H_NEXT] = w[S.H_FIXED] = math.copysign(h, w[S.DIRECTION])
    return driver.CONTINUE


class Integration:
    """One integration: the state arrays, the buffers and the loop.

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
    on_event : callable or None
        ``on_event(integration, indices, times)`` after a step in which event functions cross zero, sorted in time; returns
        the time at which to end, or None.
    progress : callable or None
        ``progress(t)`` about every 0.05 s.
    """

    def __init__(
        self, kernels, t_span, y0, methods, rtol, atol, *, t_eval=None, keep_states=True, keep_dense=False,
        first_step=0.0, max_step=math.inf, max_steps=10**6, stops=(), on_event=None, progress=None,
    ):  # fmt: skip
        self.kernels, self.methods, self.on_event, self.progress = kernels, methods, on_event, progress
        self.stops = [*stops, t_span[1]]  # the ends of this stretch and of those to come
        n = y0.size
        implicit = any(m.implicit for m in methods)
        self.fn, self.iw, self.w, self.p = S.allocate(
            n,
            kernels.parameters.size,
            SCRATCH_VECTORS * n if implicit else 0,
            max(m.degree for m in methods),
            kernels.directions.size,
            0 if methods[0].implicit else methods[0].workspace(n),
        )
        fn, iw, w = self.fn, self.iw, self.w
        self._view_vectors()
        self.p[: kernels.parameters.size] = kernels.parameters
        fn[S.F], fn[S.EVENTS] = kernels.field, kernels.events
        fn[S.VELOCITY], fn[S.FORCE] = kernels.velocity, kernels.force
        w[S.T] = t_span[0]
        w[S.DIRECTION] = 1.0 if t_span[1] >= t_span[0] else -1.0
        self._aim()
        w[S.MAX_STEP] = max_step
        w[S.STABILITY_SIZE] = methods[0].stability_size
        iw[S.MAX_STEPS] = max_steps
        iw[S.FIRST_STEP] = 1
        self.vectors[S.Y], self.vectors[S.RTOL], self.vectors[S.ATOL] = y0, rtol, atol
        self.first_step = first_step
        self.degree = max(m.degree for m in methods)
        self.t_eval = np.empty(0) if t_eval is None else t_eval
        self.y_eval = np.empty((self.t_eval.size, n))
        if self.t_eval.size and self.t_eval[0] == t_span[0]:
            self.y_eval[0] = y0
            iw[S.N_EVAL] = 1
        self.keep_states, self.keep_dense = keep_states or keep_dense, keep_dense
        self.capacity = FIRST_CAPACITY
        self.logs = []
        self.switches = []
        self.end_override = None  # (t, y) of a terminal event
        self._prepared = set()
        if len(methods) == 2:
            fn[S.STEP + 1] = 1  # marks an automatic pair; the address itself comes with the first switch
        self._new_log()
        # the first row of the first log is the start
        self.iw[S.N_LOG] = 1
        self.log[0][0], self.log[1][:1] = t_span[0], y0

    def _view_vectors(self):
        """Name the state vectors in `w` (see `odekit.solvers.state`): row k of `vectors` is the k-th."""
        n = int(self.iw[S.N])
        self.vectors = self.w[S.W_HEADER : S.W_HEADER + S.N_VECTORS * n].reshape(S.N_VECTORS, n)

    # buffers -----------------------------------------------------------------------------------------------------------

    def _new_log(self):
        n = int(self.iw[S.N])
        rows = self.capacity
        self.log = (
            np.empty(rows),
            np.empty((rows if self.keep_states else 0, n)),
            np.empty((rows if self.keep_dense else 0, self.degree, n)),
        )
        self.iw[S.N_LOG] = 0
        width = 1 + n * (self.keep_states + self.degree * self.keep_dense)
        self.capacity = max(min(2 * rows, LARGEST_BUFFER // width), 16)

    def _close_log(self):
        used = int(self.iw[S.N_LOG])
        self.logs.append(tuple(part[:used] for part in self.log))

    def _logged(self):
        """All logs as one: times, states, coefficients."""
        if len(self.logs) == 1:
            return tuple(part.copy() for part in self.logs[0])
        return tuple(np.concatenate(parts) for parts in zip(*self.logs, strict=True))

    # the loop ----------------------------------------------------------------------------------------------------------

    def run(self):
        """Integrate to the end, to a terminal event, to a failure or to Ctrl-C.

        Returns
        -------
        Trajectory
        """
        interrupted = False
        try:
            reason = self.start()
            if reason == driver.CONTINUE:
                reason = self._loop()
        except KeyboardInterrupt:
            interrupted, reason = True, driver.CONTINUE
        return self._trajectory(reason, interrupted)

    def _aim(self):
        """Head for the next stop: for the last number before it, where the field is still that of this side of a jump."""
        stop, last = self.stops[0], len(self.stops) == 1
        self.w[S.T_END] = stop if last else math.nextafter(stop, -self.w[S.DIRECTION] * math.inf)

    def start(self):
        """Start, or start anew, from the present t and y: no history, a first step of its own; returns a driver reason."""
        mode = int(self.iw[S.MODE])
        self._prepare(mode)
        iw = self.iw
        iw[S.FIRST_STEP], iw[S.JAC_FRESH], iw[S.LU_VALID], iw[S.REJECTED] = 1, 0, 0, 0
        self.w[S.LOG_ERR_OLD] = 0.0
        return _start(self.fn, iw, self.w, self.p, self.methods[mode].error_order, self.first_step)

    def _prepare(self, mode):
        """Make a method ready: its addresses, and for an implicit one the Jacobian."""
        if mode in self._prepared:
            return
        self._prepared.add(mode)
        method = self.methods[mode]
        self.fn[S.STEP + mode] = S.step_address(method.make_step())
        self.fn[S.DENSE + mode] = S.step_address(method.make_dense())
        if method.implicit:
            self._prepare_matrices(method)

    def prepare_for(self, iw):
        """Make ready the methods that an integer array of another integration has in use, and no others."""
        last = len(self.methods) - 1
        if iw.size == S.IW_HEADER and self.iw.size > iw.size:  # it has not come to the implicit method yet
            self._prepared.discard(last)
            self.iw = self.iw[: iw.size].copy()
        elif iw.size > S.IW_HEADER:
            self._prepare(last)
        self._prepare(int(iw[S.MODE]))

    def _prepare_matrices(self, method):
        """The Jacobian and room for the matrices, when they are needed: most problems never turn stiff."""
        n = int(self.iw[S.N])
        jacobian = self.kernels.jacobian(method.time_derivative)
        structure = Dense(n) if jacobian.structure is None else jacobian.structure
        self.iw, self.w = linalg.install(
            self.fn, self.iw, self.w, structure, method.complex_matrices, method.workspace(n)
        )
        self._view_vectors()
        for place, address in addresses_by_kind(n, method.complex_matrices > 0).items():
            self.fn[place] = address
        self.iw[S.JAC_KIND], self.fn[S.JAC] = jacobian.kind, jacobian.address
        self.iw[S.TIME_KIND] = jacobian.time
        if jacobian.matrix is not None:
            start = int(self.iw[S.O_IMPLICIT])
            self.w[start : start + structure.jacobian_size] = structure.pack(jacobian.matrix)

    def _loop(self):
        attempts = FIRST_ATTEMPTS
        while True:
            started, before = time.perf_counter(), self._attempted()
            reason = self.advance(attempts)
            if reason is not None:
                return reason
            elapsed, made = time.perf_counter() - started, self._attempted() - before
            if made > 0:  # a call that an event has cut short made fewer than it might have
                attempts = int(max(1, min(made * CALL_SECONDS / max(elapsed, 1e-6), 2 * attempts)))
            if self.progress is not None:
                self.progress(float(self.w[S.T]))

    def _attempted(self):
        return int(self.iw[S.NACCEPT] + self.iw[S.NREJECT])

    def advance(self, attempts):
        """Advance by at most so many attempts; None, or the reason for which the integration has ended."""
        reason = driver.advance(
            self.fn, self.iw, self.w, self.p, attempts, *self.log, self.t_eval, self.y_eval, self.kernels.directions
        )
        if reason == driver.CONTINUE:
            return None
        if reason == driver.BUFFER_FULL:
            self._close_log()
            self._new_log()
            return None
        if reason == driver.SWITCH:
            self._record_switch()
            return None
        if reason == driver.EVENT:
            return self._handle_events()
        if reason == driver.DONE and len(self.stops) > 1:
            self.w[S.T] = self.log[0][self.iw[S.N_LOG] - 1] = self.stops.pop(0)
            self._aim()
            restarted = self.start()
            return None if restarted == driver.CONTINUE else restarted
        if reason == driver.STEP_TOO_SMALL and len(self.methods) == 2 and self.iw[S.MODE] == auto.EXPLICIT:
            # while an automatic solve is explicit its failure is not final: the implicit method gets its chance
            self.w[S.H_NEXT] = math.copysign(abs(self.w[S.H_OLD]) or abs(self.w[S.H]) * 1e6, self.w[S.DIRECTION])
            self.iw[S.REJECTED] = 0
            finite = self.iw[S.LAST_CODE] != S.NONFINITE
            auto.switch(self.iw, self.w, auto.IMPLICIT, auto.STEP_UNDERFLOW if finite else auto.NOT_FINITE)
            self._record_switch()
            return None
        return reason

    def _record_switch(self):
        mode = int(self.iw[S.MODE])
        self._prepare(mode)
        names = [m.name for m in self.methods]
        reason = SWITCH_REASONS[int(self.iw[S.SWITCH_REASON])]
        self.switches.append(Switch(float(self.w[S.T]), names[1 - mode], names[mode], reason))

    def _handle_events(self):
        """Locate the zeros in the step just accepted; a driver reason if that ends the integration, else None."""
        iw, w = self.iw, self.w
        m, start = int(iw[S.N_EVENTS]), int(iw[S.O_EVENTS])
        before, after = w[start : start + m], w[start + m : start + 2 * m]
        active = [k for k in range(m) if events.crosses(before[k], after[k], self.kernels.directions[k])]
        scratch = np.empty(m)
        times = [events.locate(self.fn, iw, w, self.p, k, scratch) for k in active]
        if any(math.isnan(t) for t in times):
            return driver.EVENT_RAISED
        order = sorted(range(len(active)), key=lambda i: w[S.DIRECTION] * times[i])
        end = self.on_event(self, [active[i] for i in order], [times[i] for i in order])
        if end is None:
            return None
        self.end_override = (end, self.state_at(end))
        return driver.EVENT

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

    def _trajectory(self, reason, interrupted):
        iw, w = self.iw, self.w
        self._close_log()
        steps, states, coefficients = self._logged()
        sizes = steps[1:] - steps[:-1]
        served = int(iw[S.N_EVAL])
        if self.end_override is not None:
            end = self.end_override[1]
            steps[-1], states[-1:] = self.end_override
            while served and (self.t_eval[served - 1] - steps[-1]) * w[S.DIRECTION] > 0:
                served -= 1
        else:
            end = self.vectors[S.Y_NEW if iw[S.PENDING] else S.Y].copy()
        retcode = Retcode.INTERRUPTED if interrupted else self.retcode(reason)
        return Trajectory(
            steps, states, coefficients[1:], sizes, self.y_eval[:served], end, retcode,
            float(steps[-1]), float(w[S.H]) or float(w[S.H_NEXT]), float(w[S.T_FAIL]), self.vectors[S.SCRATCH].copy(),
            reason == driver.EVENT_RAISED, self._bad_component() if retcode == Retcode.NONFINITE else -1, self.switches,
            *(int(iw[k]) for k in (S.NFEV, S.NJEV, S.NLU, S.NACCEPT, S.NREJECT)),
        )  # fmt: skip

    def _bad_component(self):
        """First component of the state that was not finite, or -1."""
        bad = np.flatnonzero(~np.isfinite(self.vectors[[S.Y_NEW, S.F0, S.F1, S.SCRATCH]]).all(axis=0))
        return int(bad[0]) if bad.size else -1

    def retcode(self, reason):
        """Return code for a driver reason."""
        if reason == driver.STEP_TOO_SMALL:
            if self.switches and self.iw[S.FIRST_STEP]:
                # the implicit method was the explicit one's last chance and made no step: tell the first failure
                first = {auto.STEP_UNDERFLOW: Retcode.STEP_TOO_SMALL, auto.NOT_FINITE: Retcode.NONFINITE}
                if int(self.iw[S.SWITCH_REASON]) in first:
                    return first[int(self.iw[S.SWITCH_REASON])]
            return {
                S.NONFINITE: Retcode.NONFINITE,
                S.NEWTON_FAILED: Retcode.NEWTON_FAILED,
                S.SINGULAR: Retcode.SINGULAR,
            }.get(int(self.iw[S.LAST_CODE]), Retcode.STEP_TOO_SMALL)
        return {
            driver.DONE: Retcode.SUCCESS,
            driver.EVENT: Retcode.TERMINATED,
            driver.STEPS_EXHAUSTED: Retcode.MAX_STEPS,
            driver.FIELD_RAISED: Retcode.RHS_RAISED,
            driver.EVENT_RAISED: Retcode.RHS_RAISED,
            driver.START_NOT_FINITE: Retcode.NONFINITE,
        }[reason]


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
