"""odekit as compiled code calls it: a solver of `compiled_solver` inside a user's own compiled function."""

import numpy as np
from numba import njit

from odekit import compiled_solver

NAME = "odekit"
RHS = (
    "the function of the test set, compiled by odekit (in place where it makes an array); it makes square roots of "
    "half-integer powers, which Numba alone does not"
)

STIFF = ("rosenbrock23", "rodas5p", "trbdf2", "kencarp4", "kvaerno5", "radau", "bdf", "auto")
NONSTIFF = ("bosh3", "tsit5", "dopri5", "vern7", "dop853", "vern9", "auto", "taylor14", "taylor20")


def methods(case):
    """Names of the methods for a case."""
    if case.large:  # a call from Python is then as fast
        return ()
    return STIFF if case.stiff else NONSTIFF


@njit
def _end(solver, y0, t, args):
    result = solver(y0, t, args)
    return result.y[:, -1], result.retcode


def make(case, method):
    """See `adapters`."""
    times = np.array(case.t_span)
    args = np.concatenate([np.ravel(a) for a in case.args]).astype(float) if case.args else np.empty(0)

    def prepare(rtol, atol):
        solver = compiled_solver(case.field, case.y0, method, case.args, t0=times[0], rtol=rtol, atol=atol)

        def run():
            y, retcode = _end(solver, case.y0, times, args)
            return y if retcode == 0 else None

        return run

    return prepare
