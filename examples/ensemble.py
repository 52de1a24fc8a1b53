"""Ten thousand Lorenz systems at once: where a trajectory ends, against the parameters rho and beta; how others spread.

x' = 10 (y - x),  y' = x (rho - z) - y,  z' = x y - beta z

Each trajectory has its own parameter and its own step sizes; they run side by side on the processor's vector unit.
"""

import time

import numpy as np

import odekit

rho = np.linspace(0, 30, 10_000)


def lorenz(t, u, rho, beta):
    x, y, z = u
    return [10 * (y - x), x * (rho - z) - y, x * y - beta * z]


def solve(rho, beta=8 / 3, y0=(1.0, 0.0, 0.0), end=40, **options):
    return odekit.solve_ensemble(lorenz, (0, end), y0, (rho, beta), "dop853", rtol=1e-8, atol=1e-8, **options)


solve(rho[:10])  # compiles, once; the next process finds the code on disk
start = time.perf_counter()
ensemble = solve(rho)
print(ensemble)
print(f"{(time.perf_counter() - start) / len(ensemble) * 1e6:.1f} microseconds per trajectory, {ensemble.tier} tier")

# below rho = 24.74 a trajectory may settle at one of the two fixed points x = +- sqrt(8/3 (rho - 1))
fixed = np.sqrt(8 / 3 * np.maximum(rho - 1, 0))
settled = np.abs(np.abs(ensemble.y_end[:, 0]) - fixed) < 1e-2
print(f"the largest rho that has settled by t = 40 is {rho[settled].max():.2f}")

# over two parameters: the distance from the fixed point; at rho = 28: how starts that differ by 0.1 % lose sight of each other
rhos, betas = (a.ravel() for a in np.meshgrid(np.linspace(10, 30, 60), np.linspace(1, 4, 40)))
ends = solve(rhos, betas)
distance = np.abs(np.abs(ends.y_end[:, 0]) - np.sqrt(betas * (rhos - 1)))
starts = np.random.default_rng(0).normal([1.0, 1.0, 25.0], 1e-3, (300, 3))
fan = solve(28.0, y0=starts, end=20, t_eval=np.linspace(0, 20, 401))

with odekit.plot.style():
    ax, spread, plane = odekit.plot.new_axes(3, 1, size=(6, 9))
    odekit.plot.ensemble(fan, 0, ax=spread)
    odekit.plot.parameter_map(rhos, betas, distance, ax=plane, failed=~ends.success, label="distance from rest", vmax=5)
    plane.set(xlabel="rho", ylabel="beta")
    ax.plot(rho, ensemble.y_end[:, 0], ".", markersize=1.5)
    ax.plot(rho, fixed, color="0.5", linewidth=0.8, label="fixed points")
    ax.plot(rho, -fixed, color="0.5", linewidth=0.8)
    ax.set(xlabel="rho", ylabel="x at t = 40")
    ax.legend()
    odekit.plot.save(ax, "ensemble.png")
