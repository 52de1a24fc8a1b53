"""odekit's compiled loop alone: what a caller from compiled code pays."""

import numpy as np

from odekit.field import UserField
from odekit.solvers import driver
from odekit.solvers import state as S
from odekit.solvers.integrate import Integration, start
from odekit.solvers.methods import resolve

NAME = "odekit"
RHS = (
    "the function of the test set, compiled by odekit (in place where it makes an array); it makes square roots of "
    "half-integer powers, which Numba alone does not"
)

#: What a new integration finds at zero.
COUNTERS = [
    S.MODE, S.NFEV, S.NJEV, S.NLU, S.NACCEPT, S.NREJECT, S.PENDING, S.N_LOG, S.N_EVAL, S.REJECTED, S.LAST_CODE,
    S.STIFF_COUNT, S.JAC_FRESH, S.LU_VALID, S.SWITCH_REASON, S.NFAIL,
]  # fmt: skip

STIFF = ("rosenbrock23", "rodas5p", "trbdf2", "kencarp4", "kvaerno5", "radau", "bdf", "auto")
NONSTIFF = ("bosh3", "tsit5", "dopri5", "vern7", "dop853", "vern9", "auto")


def methods(case):
    """Names of the methods for a case."""
    if case.large:  # a call from Python is then as fast
        return ()
    return STIFF if case.stiff else NONSTIFF


def make(case, method):
    """See `adapters`."""
    field = UserField(case.field, case.t_span[0], case.y0, case.args)

    def prepare(rtol, atol):
        n = case.y0.size
        own = Integration(
            field.kernels(), case.t_span, case.y0, resolve(method, n, rtol)[1], np.full(n, rtol), np.full(n, atol),
            keep_states=False, max_steps=10**6,
        )  # fmt: skip
        own.start()
        nothing = np.empty(0), np.empty((0, n))

        def run():
            iw, w = own.iw, own.w
            iw[COUNTERS] = 0
            iw[S.FAMILY_INT : S.FAMILY_INT + 30] = 0
            iw[S.FIRST_STEP] = 1
            w[S.FAMILY_FLOAT : S.FAMILY_FLOAT + 32] = w[S.LOG_ERR_OLD] = w[S.H_OLD] = 0.0
            w[S.T], own.vectors[S.Y] = case.t_span[0], case.y0
            reason = start(own.fn, iw, w, own.p, own.methods[0].error_order, 0.0, case.t_span[0])
            while reason == driver.CONTINUE:
                reason = driver.advance(
                    own.fn, own.iw, own.w, own.p, 10**9, *own.log.buffer, *nothing, own.kernels.directions
                )
                if reason == driver.BUFFER_FULL:
                    own.iw[S.N_LOG], reason = 0, driver.CONTINUE
                elif reason == driver.SWITCH:
                    own._record_switch()
                    reason = driver.CONTINUE
                elif reason == driver.STEP_TOO_SMALL:
                    ended = own.advance(1)
                    reason = driver.CONTINUE if ended is None else ended
            run.counts = {k: int(own.iw[getattr(S, k)]) for k in ("NFEV", "NJEV", "NLU", "NACCEPT", "NREJECT")}
            return own.vectors[S.Y].copy() if reason == driver.DONE else None

        return run

    return prepare
