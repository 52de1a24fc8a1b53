"""The Lorenz attractor.

x' = sigma (y - x),  y' = x (rho - z) - y,  z' = x y - beta z
"""

import odekit

# parameters
sigma, rho, beta = 10.0, 28.0, 8 / 3


# equation
def lorenz(t, u, sigma, rho, beta):
    x, y, z = u
    return [sigma * (y - x), x * (rho - z) - y, x * y - beta * z]


# solve
sol = odekit.solve_ivp(
    lorenz, (0, 50), [1.0, 0.0, 0.0], method="dop853", args=(sigma, rho, beta), rtol=1e-9, atol=1e-9, dense_output=True
)
print(sol)

# picture
with odekit.plot.style():
    over_time, plane = odekit.plot.new_axes(1, 2, size=(9.0, 3.4), width_ratios=(1.6, 1))
    odekit.plot.trajectory(sol, ax=over_time, components=[0], labels=["$x$"], linewidth=0.8)
    odekit.plot.phase(sol, 0, 2, ax=plane, linewidth=0.4)
    over_time.set_ylabel("$x$")
    plane.set(xlabel="$x$", ylabel="$z$")
    odekit.plot.save(plane, "lorenz.png")
