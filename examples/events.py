"""A ball that bounces: events find the floor and the summits; at the floor the state changes.

h' = v,  v' = -g - k v |v|;  at the floor v becomes -e v
"""

import numpy as np

import odekit

# parameters
gravity, drag, restitution = 9.81, 0.02, 0.85


# equation
def fall(t, y, gravity, drag):
    return [y[1], -gravity - drag * y[1] * abs(y[1])]


# events
def floor(t, y, gravity, drag):
    return y[0]


def bounce(t, y, gravity, drag):
    return [0.0, -restitution * y[1]]


def summit(t, y, gravity, drag):
    return y[1]


floor.direction, floor.affect, floor.terminal = -1, bounce, 9
summit.direction = -1

# solve
sol = odekit.solve_ivp(
    fall, (0, 30), [2.0, 0.0], events=[floor, summit], args=(gravity, drag), rtol=1e-9, atol=1e-12, dense_output=True
)
print("bounces at t =", np.round(sol.t_events[0], 4))
print("summits h =", np.round(sol.y_events[1][:, 0], 4))

# picture
with odekit.plot.style():
    ax = odekit.plot.new_axes(size=(6.4, 3.0))
    odekit.plot.trajectory(sol, ax=ax, components=[0], color=odekit.plot.COLORS[0])
    ax.plot(sol.t_events[1], sol.y_events[1][:, 0], ".", color=odekit.plot.COLORS[1])
    ax.set(xlabel="time (s)", ylabel="height (m)")
    odekit.plot.save(ax, "events.png")
