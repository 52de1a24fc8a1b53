"""The Brusselator with diffusion, on a line and on a square: large stiff systems whose Jacobians are mostly zero.

u' = b + u^2 v - (a + 1) u + alpha Laplace u,  v' = a u - u^2 v + alpha Laplace v
"""

import numpy as np
import scipy.sparse

import odekit

# parameters
a, b, alpha = 3.0, 1.0, 0.02
points, side = 500, 24


# equation on a line, where u = b and v = a / b at both ends; u and v of a point are neighbours in y
@odekit.inplace
def line(t, y, dydt, a, b, alpha):
    m = y.size // 2
    diffusion = alpha * (m + 1) ** 2
    for i in range(m):
        u, v = y[2 * i], y[2 * i + 1]
        near_u = (y[2 * i - 2] if i > 0 else b) + (y[2 * i + 2] if i < m - 1 else b)
        near_v = (y[2 * i - 1] if i > 0 else a / b) + (y[2 * i + 3] if i < m - 1 else a / b)
        dydt[2 * i] = b + u * u * v - (a + 1.0) * u + diffusion * (near_u - 2.0 * u)
        dydt[2 * i + 1] = a * u - u * u * v + diffusion * (near_v - 2.0 * v)


# equation on a square that is closed to a torus; y is all of u, then all of v
@odekit.inplace
def square(t, y, dydt, a, b, alpha, m):
    half, diffusion = m * m, alpha * m * m
    for i in range(m):
        for j in range(m):
            k, west, east = m * i + j, m * i + (j - 1) % m, m * i + (j + 1) % m
            south, north = m * ((i - 1) % m) + j, m * ((i + 1) % m) + j
            u, v = y[k], y[half + k]
            laplace_u = y[west] + y[east] + y[south] + y[north] - 4.0 * u
            laplace_v = y[half + west] + y[half + east] + y[half + south] + y[half + north] - 4.0 * v
            dydt[k] = b + u * u * v - (a + 1.0) * u + diffusion * laplace_u
            dydt[half + k] = a * u - u * u * v + diffusion * laplace_v


# solve on the line: each equation knows two neighbours to each side in y
settings = dict(method="bdf", rtol=1e-5, atol=1e-7)
x = np.arange(1, points + 1) / (points + 1)
start = np.column_stack((b + np.sin(2 * np.pi * x), np.full(points, a / b))).ravel()
times = np.linspace(0, 20, 101)
on_line = odekit.solve_ivp(line, (0, 20), start, args=(a, b, alpha), t_eval=times, lband=2, uband=2, **settings)
print("line:  ", on_line)

# solve on the square: the places of the Jacobian that need not be zero
ring = scipy.sparse.diags([1.0, 1.0, 1.0, 1.0, 1.0], [1 - side, -1, 0, 1, side - 1], shape=(side, side))
near, same = scipy.sparse.kronsum(ring, ring), scipy.sparse.identity(side * side)
pattern = scipy.sparse.bmat([[near, same], [same, near]])
X, Y = np.meshgrid(np.arange(side) / side, np.arange(side) / side)
bumps = np.concatenate(((b + np.sin(2 * np.pi * X) ** 2).ravel(), (a / b + np.cos(2 * np.pi * Y)).ravel()))
on_square = odekit.solve_ivp(square, (0, 10), bumps, args=(a, b, alpha, side), jac_sparsity=pattern, **settings)
print("square:", on_square)

# picture
with odekit.plot.style():
    ax = odekit.plot.new_axes()
    mesh = ax.pcolormesh(on_line.t, x, on_line.y[0::2], shading="nearest")
    ax.figure.colorbar(mesh, ax=ax, label="u")
    ax.set_xlabel("t")
    ax.set_ylabel("x")
    odekit.plot.save(ax, "brusselator.png")
