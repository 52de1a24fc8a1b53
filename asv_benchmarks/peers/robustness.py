"""How far `auto` is from the truth on about a hundred problems, at rtol 1e-6.

    python asv_benchmarks/peers/robustness.py [part of a name]

The problems are those of tests/detest.py and tests/hard_cases.py. The reference is the published solution, or that of two
solvers at tight tolerances, SciPy's (Radau or DOP853) and odekit's (radau or vern9), which are compared with each other.
Errors are in units of the tolerance ``atol + rtol |y|`` of a component; a problem with more than 1000 is an outlier.
"""

import pathlib
import sys
import time
import warnings

import numpy as np
from numba import njit
from scipy.integrate import solve_ivp

import odekit

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests"))

from detest import CASES
from hard_cases import HARD, SINGULAR

RTOL, TIGHT = 1e-6, 1e-10
LIMIT = 1000.0


def references(case):
    """Solutions at the end at tight tolerances: odekit's and SciPy's."""
    ours, theirs = ("radau", "Radau") if case.stiff else ("vern9", "DOP853")
    options = {"rtol": TIGHT, "atol": TIGHT / RTOL * case.atol}
    sol = odekit.solve_ivp(case.fun, case.span, case.y0, ours, args=case.args, **options)
    yield sol.y[:, -1] if sol.success else np.full(len(case.y0), np.nan)
    fun = njit(case.fun)
    with np.errstate(all="ignore"):
        peer = solve_ivp(lambda t, y: np.array(fun(t, y, *case.args)), case.span, case.y0, theirs, **options)
    yield peer.y[:, -1] if peer.success else np.full(len(case.y0), np.nan)


def main(part=""):
    """Print a line for each problem; returns the number of outliers."""
    outliers = 0
    print("problem, return code, error, agreement of the references (units of the tolerance), evaluations, switches")
    for name, case in {**CASES, **HARD}.items():
        if part not in name:
            continue
        started = time.perf_counter()
        sol = odekit.solve_ivp(case.fun, case.span, case.y0, args=case.args, rtol=RTOL, atol=case.atol)
        seconds = time.perf_counter() - started
        if case.end is not None:
            reference, agreement = np.array(case.end), 0.0
        else:
            reference, other = references(case)
            agreement = case.units(other, reference)
        units = case.units(sol.y[:, -1], reference)
        outlier = sol.success and not units <= LIMIT
        outliers += outlier
        print(
            f"{name:28} {sol.retcode.name:8} {units:9.2g} {agreement:9.2g} {sol.nfev:8} {len(sol.switches):3}"
            f"  {seconds:6.1f} s{'   outlier' if outlier else ''}{'' if sol.success else '   ' + sol.message}",
            flush=True,
        )
    for name, case in SINGULAR.items():
        if part in name:
            sol = odekit.solve_ivp(case.fun, case.span, case.y0, args=case.args, rtol=RTOL, atol=case.atol)
            outliers += sol.success
            print(f"{name:28} {sol.retcode.name:8} at t = {sol.t[-1]:.6g}: {sol.message}")
    print(f"{outliers} outliers")
    return outliers


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main(*sys.argv[1:2])
