"""Heat on a plate of 64 by 64 points, heated by a moving flame: a large stiff system without a Jacobian.

The spectrum of diffusion lies on the negative real axis, and its radius grows with the square of the number of points in a
row. ``rock2`` and ``rock4`` are explicit, but their stability region grows with the square of the number of stages, which they
choose as the grid demands. Beside it: what an ordinary explicit method needs.
"""

import numpy as np

import odekit

# parameters: points in a row, edge (m), diffusivity (m^2 / s), power of the flame (K / s)
m, edge, diffusivity, power = 64, 1.0, 0.1, 100.0
rate = diffusivity * ((m - 1) / edge) ** 2


@odekit.inplace
def plate(t, y, dydt, rate, power):
    m = round(np.sqrt(y.size))
    T, slope = y.reshape((m, m)), dydt.reshape((m, m))
    x_flame, y_flame = 0.5 + 0.3 * np.cos(t), 0.5 + 0.3 * np.sin(t)
    for j in range(m):
        below, above = max(j - 1, 0), min(j + 1, m - 1)  # nothing flows through the edges
        for i in range(m):
            left, right = max(i - 1, 0), min(i + 1, m - 1)
            distance2 = (i / (m - 1) - x_flame) ** 2 + (j / (m - 1) - y_flame) ** 2
            slope[j, i] = rate * (T[below, i] + T[above, i] + T[j, left] + T[j, right] - 4 * T[j, i])
            slope[j, i] += power * np.exp(-distance2 / 0.005) - 0.2 * T[j, i]


# solve
for method in ("rock2", "rock4", "dopri5"):
    sol = odekit.solve_ivp(plate, (0, 10), np.zeros(m * m), method, args=(rate, power), rtol=1e-4, atol=1e-3)
    print(f"{method}: {sol.naccept} steps, {sol.nfev} evaluations, {sol.y[:, -1].max():.2f} K at the hottest point")

# picture
with odekit.plot.style():
    ax = odekit.plot.new_axes()
    picture = ax.imshow(sol.y[:, -1].reshape(m, m), extent=(0, edge, 0, edge), origin="lower")
    ax.figure.colorbar(picture, label="temperature above the surroundings (K)")
    ax.set(xlabel="x (m)", ylabel="y (m)")
    odekit.plot.save(ax, "heat.png")
