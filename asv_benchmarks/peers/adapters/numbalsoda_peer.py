"""numbalsoda: LSODA (C++) and DOP853 (Fortran), called from Python with the end time only."""

import numpy as np
from numba import carray, cfunc
from numbalsoda import dop853, lsoda, lsoda_sig

NAME = "numbalsoda"
RHS = "the same function as a Numba cfunc"
MAX_STEPS = 200_000


def methods(case):
    """Names of the methods for a case."""
    if case.large:  # dense matrices only
        return ()
    return ("lsoda",) if case.stiff else ("lsoda", "dop853")


def make(case, method):
    """See `adapters`."""
    field, n = case.in_place(), case.y0.size

    @cfunc(lsoda_sig, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
    def rhs(t, y, dy, _):
        field(t, carray(y, n), carray(dy, n))

    solver = {"lsoda": lsoda, "dop853": dop853}[method]
    times, data = np.array(case.t_span), np.array([0.0])

    def prepare(rtol, atol):
        def run(keep=rhs):  # the function must outlive its address
            y, success = solver(keep.address, case.y0, times, data, rtol, atol, MAX_STEPS)
            return y[-1] if success else None

        return run

    return prepare
