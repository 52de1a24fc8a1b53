"""Reference problems: time, work and error of each method."""

import functools

import numba
import numpy as np

import odekit
from odekit.testset import PROBLEMS

TIMES = np.linspace(0, 1, 10_000)
#: problem: (rtol, atol, solves per measurement), so that a measurement does at least a millisecond of work
SETTINGS = {
    "LORENZ": (1e-8, 1e-8, 20),
    "PLEIADES": (1e-8, 1e-8, 10),
    "ARENSTORF": (1e-10, 1e-10, 20),
    "HIRES": (1e-6, 1e-10, 10),
    "OREGO": (1e-6, 1e-9, 10),
    "ROBER": (1e-6, 1e-12, 10),
    "VDPOL": (1e-6, 1e-9, 10),
}
NONSTIFF, STIFF = ("LORENZ", "PLEIADES", "ARENSTORF"), ("HIRES", "OREGO", "ROBER", "VDPOL")


def solve(problem, method, **options):
    """Solve a problem of the test set at its tolerances."""
    problem, (rtol, atol, _) = PROBLEMS[problem], SETTINGS[problem]
    return odekit.solve_ivp(
        problem.fun,
        problem.t_span,
        problem.y0,
        method,
        args=problem.args,
        rtol=rtol,
        atol=atol,
        max_steps=10**6,
        **options,
    )


# One solve makes number and accuracy; timings come from whole solves, several per call, without a setup hook: with one,
# asv would time single calls.
cached_solve = functools.cache(solve)


class Nonstiff:
    """Explicit methods."""

    params = [NONSTIFF, ("bosh3", "dopri5", "tsit5", "dop853", "taylor14", "auto")]
    param_names = ["problem", "method"]
    number = 1
    timeout = 300

    def time_solve(self, problem, method):
        for _ in range(SETTINGS[problem][2]):
            solve(problem, method)

    def track_nfev(self, problem, method):
        return cached_solve(problem, method).nfev

    def track_error(self, problem, method):
        return PROBLEMS[problem].error(cached_solve(problem, method).y[:, -1])

    track_nfev.unit = "evaluations"
    track_error.unit = "relative error at the end"


class Stiff(Nonstiff):
    """Implicit methods and the automatic choice."""

    params = [STIFF, ("kvaerno3", "radau", "bdf", "auto")]


def time_dense_output():
    sol = solve("LORENZ", "tsit5", dense_output=True).sol
    sol(PROBLEMS["LORENZ"].t_span[1] * TIMES)


def peakmem_many_steps():
    """A trajectory of a hundred thousand steps and more."""
    odekit.solve_ivp(lambda t, y: [y[1], -y[0]], (0, 1e5), [1.0, 0.0], "dopri5", rtol=1e-6, atol=1e-6, max_steps=10**7)


class Overhead:
    """What a solve costs beside its steps: one step of a trivial equation, from Python and from a compiled solver."""

    number = 1
    solves = 1000

    def setup(self):
        """Compile."""
        self.solver = odekit.compiled_solver(_decay, [1.0], "tsit5")
        self.start, self.times = np.ones(1), np.array([0.0, 1e-3])
        self.time_solve_ivp()
        self.time_compiled_solver_from_python()
        self.time_compiled_solver_from_compiled_code()

    def time_solve_ivp(self):
        for _ in range(self.solves):
            odekit.solve_ivp(_decay, (0.0, 1e-3), [1.0], "tsit5")

    def time_compiled_solver_from_python(self):
        for _ in range(self.solves):
            self.solver(self.start, self.times)

    def time_compiled_solver_from_compiled_code(self):
        _many(self.solver, self.start, self.times, self.solves)


def _decay(t, y):
    return [-y[0]]


@numba.njit
def _many(solver, start, times, count):
    total = 0.0
    for _ in range(count):
        total += solver(start, times).y[0, -1]
    return total
