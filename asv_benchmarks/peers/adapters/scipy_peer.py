"""SciPy: the loops of `solve_ivp` in Python, and `odeint`, whose loop is compiled."""

import numpy as np
from numba import njit
from scipy.integrate import odeint, solve_ivp

NAME = "SciPy"
RHS = "the same function compiled by Numba, called back through Python; the Jacobian likewise (large systems: differences with `jac_sparsity`)"


def methods(case):
    """Names of the methods for a case."""
    if case.sparsity is not None:
        return ("BDF",)
    return ("Radau", "BDF", "LSODA", "odeint") if case.stiff else ("RK45", "DOP853", "LSODA", "odeint")


def make(case, method):
    """See `adapters`."""
    field, n = case.in_place(), case.y0.size

    @njit
    def rhs(t, y):
        dy = np.empty(n)
        field(t, y, dy)
        return dy

    rhs(case.t_span[0], case.y0)
    options, args = {}, case.args
    if case.sparsity is not None:
        options["jac_sparsity"] = case.sparsity
    elif case.stiff and case.jac is not None:
        jac = njit(case.jac)
        options["jac"] = lambda t, y: jac(t, y, *args)
        jac(case.t_span[0], case.y0, *args)

    def prepare(rtol, atol):
        def run():
            if method == "odeint":
                y, info = odeint(
                    rhs, case.y0, case.t_span, rtol=rtol, atol=atol, mxstep=10**8, tfirst=True, full_output=True,
                    Dfun=options.get("jac"),
                )  # fmt: skip
                return y[-1] if info["message"] == "Integration successful." else None
            chosen = options if method in ("Radau", "BDF", "LSODA") else {}
            sol = solve_ivp(rhs, case.t_span, case.y0, method, t_eval=case.t_span[1:], rtol=rtol, atol=atol, **chosen)
            return sol.y[:, -1] if sol.success else None

        return run

    return prepare
