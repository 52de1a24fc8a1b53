"""Ensembles: time, in fused lanes and one trajectory after the other."""

import numpy as np

import odekit

RHO = np.linspace(0.0, 21.0, 10_000)
RATES = np.geomspace(3e6, 3e8, 2000)
TIMES = np.linspace(0.0, 10.0, 50)


def lorenz(t, u, rho):
    x, y, z = u
    return [10.0 * (y - x), x * (rho - z) - y, x * y - 8.0 / 3.0 * z]


def pendulum(t, u, ratio):
    return [u[1], -ratio * np.sin(u[0])]


PENDULUM = odekit.second_order(lambda t, q, ratio: [-ratio * np.sin(q[0])])


def robertson(t, u, k2):
    slow, fast, mixed = 0.04 * u[0], k2 * u[1] * u[1], 1e4 * u[1] * u[2]
    return [mixed - slow, slow - mixed - fast, fast]


class Lorenz:
    """10,000 systems; with ``number = 1`` the first call, which compiles, is asv's warm-up."""

    params = ["tsit5", "dop853", "vern9", "taylor14"]
    param_names = ["method"]
    number = 1
    timeout = 300

    def solve(self, method, **options):
        return odekit.solve_ensemble(
            lorenz, (0, 10), [1.0, 0.0, 0.0], (RHO,), method, rtol=1e-8, atol=1e-8, executor=1, **options
        )

    def time_ends(self, method):
        self.solve(method)

    def time_output_times(self, method):
        self.solve(method, t_eval=TIMES)

    def track_attempts(self, method):
        ensemble = self.solve(method)
        return int(ensemble.naccept.sum() + ensemble.nreject.sum())


def time_pendulum(method):
    odekit.solve_ensemble(pendulum, (0, 10), [1.0, 0.0], (1.0 + RHO,), method, rtol=1e-8, atol=1e-8, executor=1)


time_pendulum.params, time_pendulum.param_names = ["dop853", "taylor14"], ["method"]


def time_single_tier():
    odekit.solve_ensemble(lorenz, (0, 10), [1.0, 0.0, 0.0], (RHO[::20],), "dop853", tier="single", executor=1)


def time_robertson(method):
    odekit.solve_ensemble(robertson, (0, 1e5), [1.0, 0.0, 0.0], (RATES,), method, rtol=1e-6, atol=1e-12, executor=1)


time_robertson.params, time_robertson.param_names = ["rodas5p", "auto"], ["method"]


def time_first_call(method):
    """A new function each time: generate, compile, run."""
    scope = {"__name__": "benchmark"}
    exec(f"def fun(t, u, a):\n    return [u[1] + {np.random.default_rng().random()!r}, -a * u[0], u[2]]", scope)
    odekit.solve_ensemble(scope["fun"], (0, 1), [1.0, 0.0, 0.0], (RHO[:8],), method, executor=1)


time_first_call.params, time_first_call.param_names = ["tsit5", "taylor14"], ["method"]


def time_symplectic():
    """10,000 pendulums, 500 steps each."""
    odekit.solve_ensemble(PENDULUM, (0, 50), [1.0, 0.0], (1.0 + RHO,), "yoshida4", first_step=0.1, executor=1)


def crossing(t, u, rho):
    return u[0] - u[1]


class Events:
    """10,000 Lorenz systems of which every zero of x - y is kept, and 2,000 stiff ones that end where half has reacted."""

    params, param_names = [["nothing", "zeros", "third zero"]], ["asked"]
    number, timeout = 1, 300

    def setup(self, asked):
        crossing.terminal = 3 if asked == "third zero" else None
        self.options = {} if asked == "nothing" else {"events": crossing}

    def time_lorenz(self, asked):
        odekit.solve_ensemble(
            lorenz, (0, 10), [1.0, 0.0, 0.0], (RHO,), "dop853", rtol=1e-8, atol=1e-8, executor=1, **self.options
        )

    def time_robertson(self, asked):
        options = {"events": reacted} if self.options else {}
        odekit.solve_ensemble(
            robertson, (0, 1e5), [1.0, 0.0, 0.0], (RATES,), "rodas5p", rtol=1e-6, atol=1e-12, executor=1, **options
        )


def reacted(t, u, k2):
    return u[0] - 0.5
