"""heyoka: Taylor series of adaptive order step, compiled by LLVM."""

import heyoka
import numpy as np

NAME = "heyoka"
RHS = "the same formulas as heyoka's expressions, compiled into its integrator, once for each tolerance"
COMPACT = 12  # equations from which on code without loops takes minutes to compile
FUNCTIONS = {"sqrt": heyoka.sqrt, "sin": heyoka.sin, "cos": heyoka.cos}


def methods(case):
    """Names of the methods for a case."""
    return () if case.stiff or case.large else ("taylor",)


def make(case, _method):
    """See `adapters`."""
    symbols = heyoka.make_vars(*[f"y{i}" for i in range(case.y0.size)])
    system = list(zip(symbols, case.traced(heyoka.time, symbols, FUNCTIONS), strict=True))

    def prepare(rtol, _atol):
        integrator = heyoka.taylor_adaptive(
            system, list(case.y0), tol=rtol, time=case.t_span[0], compact_mode=len(system) > COMPACT
        )

        def run():
            integrator.time = case.t_span[0]
            integrator.state[:] = case.y0
            outcome = integrator.propagate_until(case.t_span[1])[0]
            return np.array(integrator.state) if outcome == heyoka.taylor_outcome.time_limit else None

        return run

    return prepare
