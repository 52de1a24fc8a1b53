"""A likelihood in compiled code: the rates of a decay chain, sampled by Metropolis steps without Python in the loop.

A -> B -> C with rates k1 and k2; the amount of B is measured with noise.
"""

import time

import numba
import numpy as np

import odekit

true_rates, noise = np.array([1.0, 0.4]), 0.02


def chain(t, y, k1, k2):
    return [-k1 * y[0], k1 * y[0] - k2 * y[1], k2 * y[1]]


solver = odekit.compiled_solver(chain, [1.0, 0.0, 0.0], args=tuple(true_rates), rtol=1e-6, atol=1e-9)


@numba.njit
def log_likelihood(solver, rates, t, data):
    result = solver(np.array([1.0, 0.0, 0.0]), t, rates)
    return -0.5 * np.sum(((result.y[1] - data) / noise) ** 2) if result.retcode >= 0 else -np.inf


@numba.njit
def metropolis(solver, start, t, data, steps, width, seed):
    np.random.seed(seed)  # noqa: NPY002 (Numba's own generator)
    chain, rates, value = np.empty((steps, start.size)), start.copy(), log_likelihood(solver, start, t, data)
    for i in range(steps):
        trial = rates + width * np.random.standard_normal(rates.size)  # noqa: NPY002
        trial_value = log_likelihood(solver, trial, t, data) if trial.min() > 0 else -np.inf
        if np.log(np.random.random()) < trial_value - value:  # noqa: NPY002
            rates, value = trial, trial_value
        chain[i] = rates
    return chain


t = np.linspace(0.0, 8.0, 25)
data = solver([1.0, 0.0, 0.0], t, true_rates).y[1] + noise * np.random.default_rng(1).standard_normal(t.size)
metropolis(solver, true_rates, t, data, 1, 0.03, 0)  # compiles
begin = time.perf_counter()
samples = metropolis(solver, np.array([0.5, 0.5]), t, data, 20_000, 0.03, 2)[2000:]
each = (time.perf_counter() - begin) / 20_000 * 1e6
print(
    f"20,000 solutions, {each:.1f} microseconds each; k1 = {samples[:, 0].mean():.3f} +- {samples[:, 0].std():.3f}, ",
    end="",
)
print(f"k2 = {samples[:, 1].mean():.3f} +- {samples[:, 1].std():.3f} (true: 1 and 0.4)")

with odekit.plot.style():
    ax = odekit.plot.new_axes()
    ax.plot(*samples[::20].T, ".", color=odekit.plot.COLORS[0], markersize=2)
    ax.plot(*true_rates, "+", color="black", markersize=12)
    ax.set(xlabel="k1", ylabel="k2")
    odekit.plot.save(ax, "likelihood.png")
