"""A ball that bounces: events find the floor and the summits; at the floor the state changes. And a thousand driven pendulums,
which an event looks at once per period of the drive: some follow it, some need several periods, some never come back.

h' = v,  v' = -g - k v |v|;  at the floor v becomes -e v
q' = v,  v' = -sin q - c v + a cos(2 t / 3)
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

# an ensemble: a thousand strengths of the drive; each trajectory ends at its 200th period, the last hundred are drawn
strength = np.linspace(1.0, 1.5, 1000)


def pendulum(t, y, strength):
    return [y[1], -np.sin(y[0]) - 0.5 * y[1] + strength * np.cos(2 * t / 3)]


def period(t, y, strength):
    return np.sin(2 * t / 3)


period.direction, period.terminal = 1, 200
swings = odekit.solve_ensemble(
    pendulum, (0, np.inf), [0.2, 0.0], (strength,), "dop853", rtol=1e-8, atol=1e-8, max_step=2.0, events=period
)
print(swings)
print("the first looks at t =", swings.t_events[0][0][:3].round(4), "see", swings.y_events[0][0][:3].round(4).tolist())
sections = swings.events  # of all trajectories, as flat arrays
late = sections.t > 100.5 * 3 * np.pi

# picture
with odekit.plot.style():
    ax, below = odekit.plot.new_axes(2, 1, size=(6.4, 6.0))
    below.plot(strength[sections.trajectory[late]], sections.y[late, 1], ",", color="0.2")
    below.set(xlabel="strength of the drive", ylabel="speed, once per period")
    odekit.plot.trajectory(sol, ax=ax, components=[0], color=odekit.plot.COLORS[0])
    ax.plot(sol.t_events[1], sol.y_events[1][:, 0], ".", color=odekit.plot.COLORS[1])
    ax.set(xlabel="time (s)", ylabel="height (m)")
    odekit.plot.save(ax, "events.png")
