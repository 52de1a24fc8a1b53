"""The Lorenz system over half a million steps, written to disk while it is computed: its attractor and its return map.

Break it off, with Ctrl-C or harder, and start it again: it goes on from its last checkpoint.
"""

import matplotlib.pyplot as plt
import numpy as np

import odekit

SIGMA, RHO, BETA = 10.0, 28.0, 8 / 3


def lorenz(t, u, sigma, rho, beta):
    x, y, z = u
    return [sigma * (y - x), x * (rho - z) - y, x * y - beta * z]


def top(t, u, sigma, rho, beta):
    return u[0] * u[1] - beta * u[2]  # dz/dt


top.direction = -1

sol = odekit.solve_ivp(
    lorenz, (0, 12_500), [1.0, 0.0, 0.0], "tsit5", args=(SIGMA, RHO, BETA), rtol=1e-6, atol=1e-6, events=top, max_steps=10**7,
    store="lorenz.odekit", resume=True,
)  # fmt: skip
print(f"{sol.naccept} steps and {len(sol.t_events[0])} maxima of z are in {sol.path}/")

# only what is asked for is read: here piece by piece
counts = 0
edges = [np.linspace(-20, 20, 301), np.linspace(0, 50, 301)]
for first in range(0, len(sol.t), 100_000):
    rows = slice(first, first + 100_000)
    counts = counts + np.histogram2d(*sol.y[::2, rows], bins=edges)[0]

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.5), layout="constrained")
left.pcolormesh(*edges, np.log1p(counts.T), cmap="magma")
left.set(xlabel="$x$", ylabel="$z$", title="where the steps were")
tops = sol.y_events[0][100:, 2]
right.plot(tops[:-1], tops[1:], ".", markersize=1)
right.plot([30, 48], [30, 48], color="0.7", linewidth=1)
right.set(xlabel="maximum of $z$", ylabel="the next one", title="Lorenz' map")
figure.savefig("long_run.png", dpi=150)
