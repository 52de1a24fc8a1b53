"""Ten thousand Lorenz systems at once: where a trajectory ends, against the parameter rho.

x' = 10 (y - x),  y' = x (rho - z) - y,  z' = x y - 8/3 z

Each trajectory has its own parameter and its own step sizes; they run side by side on the processor's vector unit.
"""

import time

import numpy as np

import odekit

rho = np.linspace(0, 30, 10_000)


def lorenz(t, u, rho):
    x, y, z = u
    return [10 * (y - x), x * (rho - z) - y, x * y - 8 / 3 * z]


def solve():
    return odekit.solve_ensemble(lorenz, (0, 40), [1.0, 0.0, 0.0], args=(rho,), method="dop853", rtol=1e-8, atol=1e-8)


solve()  # compiles, once; the next process finds the code on disk
start = time.perf_counter()
ensemble = solve()
print(ensemble)
print(f"{(time.perf_counter() - start) / len(ensemble) * 1e6:.1f} microseconds per trajectory, {ensemble.tier} tier")

# below rho = 24.74 a trajectory may settle at one of the two fixed points x = +- sqrt(8/3 (rho - 1))
fixed = np.sqrt(8 / 3 * np.maximum(rho - 1, 0))
settled = np.abs(np.abs(ensemble.y_end[:, 0]) - fixed) < 1e-2
print(f"the largest rho that has settled by t = 40 is {rho[settled].max():.2f}")

with odekit.plot.style():
    ax = odekit.plot.new_axes()
    ax.plot(rho, ensemble.y_end[:, 0], ".", markersize=1.5)
    ax.plot(rho, fixed, color="0.5", linewidth=0.8, label="fixed points")
    ax.plot(rho, -fixed, color="0.5", linewidth=0.8)
    ax.set(xlabel="rho", ylabel="x at t = 40")
    ax.legend()
    odekit.plot.save(ax, "ensemble.png")
