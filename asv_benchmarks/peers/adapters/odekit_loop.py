"""odekit's compiled loop alone: what a caller from compiled code pays."""

import numpy as np

from odekit.field import UserField
from odekit.solvers import driver, integrate
from odekit.solvers import state as S
from odekit.solvers.methods import resolve

NAME = "odekit"
RHS = "the function of the test set, compiled by odekit (in place where it has more than ten components)"

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
        integration = integrate.Integration(
            field.kernels(), case.t_span, case.y0, resolve(method, n, rtol)[1], np.full(n, rtol), np.full(n, atol),
            keep_states=False, max_steps=10**6,
        )  # fmt: skip
        integration._prepare(0)
        iw, w = integration.iw.copy(), integration.w.copy()
        empty = np.empty(0), np.empty((0, n))

        def run():
            own = integration
            o_implicit, size = own.iw[S.O_IMPLICIT], own.iw[S.W_SIZE]
            own.iw[:], own.w[: w.size] = iw, w
            own.iw[S.O_IMPLICIT], own.iw[S.W_SIZE] = o_implicit, size
            own.iw[S.N_LOG] = 0
            reason = integrate._start(own.fn, own.iw, own.w, own.p, own.methods[0].error_order, 0.0)
            while reason == driver.CONTINUE:
                reason = driver.advance(own.fn, own.iw, own.w, own.p, 10**9, *own.log, *empty, own.kernels.directions)
                if reason == driver.BUFFER_FULL:
                    own.iw[S.N_LOG], reason = 0, driver.CONTINUE
                elif reason in (driver.SWITCH, driver.STEP_TOO_SMALL):
                    ended = own.advance(1) if reason == driver.STEP_TOO_SMALL else own._record_switch()
                    reason = driver.CONTINUE if ended is None else ended
            run.counts = {k: int(own.iw[getattr(S, k)]) for k in ("NFEV", "NJEV", "NLU", "NACCEPT", "NREJECT")}
            return own.vectors[S.Y].copy() if reason == driver.DONE else None

        return run

    return prepare
