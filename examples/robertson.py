"""Robertson's stiff reaction, with and without knowing that it is stiff.

y1' = -k1 y1 + k3 y2 y3,  y2' = k1 y1 - k3 y2 y3 - k2 y2^2,  y3' = k2 y2^2
"""

import odekit

# parameters
k1, k2, k3 = 0.04, 3e7, 1e4


# equation
def reaction(t, y, k1, k2, k3):
    slow, fast, back = k1 * y[0], k2 * y[1] ** 2, k3 * y[1] * y[2]
    return [back - slow, slow - back - fast, fast]


# solve: "auto" finds out by itself; an explicit method gives up with a message that says why
settings = dict(args=(k1, k2, k3), rtol=1e-6, atol=1e-12)
sol = odekit.solve_ivp(reaction, (0, 1e8), [1.0, 0.0, 0.0], **settings)
print(sol)
for switch in sol.switches:
    print(f"{switch.source} -> {switch.target} at t = {switch.t:.3g}: {switch.reason}")

explicit = odekit.solve_ivp(reaction, (0, 1e8), [1.0, 0.0, 0.0], method="tsit5", max_steps=100_000, **settings)
print(explicit.retcode.name, "-", explicit.message)

# picture
with odekit.plot.style():
    ax = odekit.plot.new_axes()
    odekit.plot.step_sizes(explicit, ax=ax, color="0.75", markersize=6, label=f"tsit5 alone: {explicit.naccept} steps")
    odekit.plot.step_sizes(sol, ax=ax)
    ax.set_xscale("log")
    odekit.plot.save(ax, "robertson-steps.png")
