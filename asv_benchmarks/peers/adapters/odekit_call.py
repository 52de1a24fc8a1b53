"""odekit as it is called from Python: a whole `solve_ivp`."""

import odekit

from . import odekit_loop

NAME = "odekit.solve_ivp"
RHS = odekit_loop.RHS
LARGE = ("bdf", "kencarp4", "radau", "rodas5p", "rock2", "rock4", "auto")


def methods(case):
    """Names of the methods for a case."""
    return LARGE if case.large else odekit_loop.methods(case)


def make(case, method):
    """See `adapters`."""
    end, options = [case.t_span[1]], {}
    if case.bandwidths:
        options = dict(zip(("lband", "uband"), case.bandwidths, strict=True))
    elif case.sparsity is not None:
        options = {"jac_sparsity": case.sparsity}

    def prepare(rtol, atol):
        def run():
            sol = odekit.solve_ivp(
                case.field, case.t_span, case.y0, method, t_eval=end, args=case.args, rtol=rtol, atol=atol,
                max_steps=10**6, **options,
            )  # fmt: skip
            return sol.y[:, -1] if sol.success else None

        return run

    return prepare
