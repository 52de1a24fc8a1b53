"""Time to the same error on the reference problems: odekit and SciPy in one process.

    python asv_benchmarks/peers/equal_error.py

Each method is run over a range of tolerances; the time at the wanted error is interpolated between the two runs around it,
both logarithmic. SciPy gets the vector field compiled by Numba, so that what is compared is the solvers and not the speed
of Python functions. Compilation is not counted. Best of several, threads as they are.
"""

import itertools
import time
import warnings

import numpy as np
from numba import njit
from scipy.integrate import solve_ivp

import odekit
from odekit.testset import PROBLEMS

WANTED = 1e-6
TOLERANCES = 10.0 ** -np.arange(3, 13)
#: problem: scale of the absolute tolerance against the relative one, methods of odekit, methods of SciPy
CASES = {
    "LORENZ": (1.0, ("dopri5", "tsit5", "dop853"), ("RK45", "DOP853", "LSODA")),
    "PLEIADES": (1.0, ("dopri5", "tsit5", "dop853"), ("RK45", "DOP853", "LSODA")),
    "ARENSTORF": (1.0, ("dopri5", "tsit5", "dop853"), ("RK45", "DOP853", "LSODA")),
    "HIRES": (1e-4, ("kvaerno5", "rodas5p", "radau", "bdf", "auto"), ("Radau", "BDF", "LSODA")),
    "OREGO": (1e-3, ("kvaerno5", "rodas5p", "radau", "bdf", "auto"), ("Radau", "BDF", "LSODA")),
    "ROBER": (1e-6, ("kvaerno5", "rodas5p", "radau", "bdf", "auto"), ("Radau", "BDF", "LSODA")),
    "VDPOL": (1e-3, ("kvaerno5", "rodas5p", "radau", "bdf", "auto"), ("Radau", "BDF", "LSODA")),
}


def measure(solve, problem, repeat=3):
    """Best time and error at the end."""
    seconds = np.inf
    for _ in range(repeat):
        begin = time.perf_counter()
        sol = solve()
        seconds = min(seconds, time.perf_counter() - begin)
        if seconds > 1:
            break
    return seconds, problem.error(sol.y[:, -1]) if sol.success else np.inf


def time_at(runs):
    """Time at the wanted error, from runs (seconds, error) of falling tolerance; NaN if it is not reached."""
    for (t0, e0), (t1, e1) in itertools.pairwise(runs):
        if e0 >= WANTED > e1 > 0 and np.isfinite(e0):
            x = np.log(e0 / WANTED) / np.log(e0 / e1)
            return t0 ** (1 - x) * t1**x
    return np.nan


def work(solver, fun, problem, method, atol_scale, **options):
    """Time of one method at the wanted error."""
    runs = []
    for rtol in TOLERANCES:
        arguments = {"args": problem.args, "rtol": rtol, "atol": rtol * atol_scale, **options}
        runs.append(measure(lambda a=arguments: solver(fun, problem.t_span, problem.y0, method, **a), problem))
        if runs[-1][1] < WANTED:
            break
    return time_at(runs)


def main():
    """Print, per problem, milliseconds of every method, and how much faster odekit's best is than SciPy's best."""
    print(f"milliseconds to a relative error of {WANTED:.0e} at the end")
    for name, (atol_scale, ours, theirs) in CASES.items():
        problem = PROBLEMS[name]
        compiled = njit(problem.fun)
        compiled(0.0, np.array(problem.y0), *problem.args)
        for method in ours:
            odekit.solve_ivp(problem.fun, problem.t_span, problem.y0, method, args=problem.args)
        left = {m: work(odekit.solve_ivp, problem.fun, problem, m, atol_scale, max_steps=10**7) for m in ours}
        right = {m: work(solve_ivp, compiled, problem, m, atol_scale) for m in theirs}
        ratio = np.nanmin(list(right.values())) / np.nanmin(list(left.values()))
        times = [f"{m} {t * 1e3:.2f}" for m, t in left.items()] + [f"SciPy {m} {t * 1e3:.1f}" for m, t in right.items()]
        print(f"{name:10}{ratio:7.1f} x   " + ", ".join(times), flush=True)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
