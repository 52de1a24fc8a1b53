"""A ball that bounces: events find the floor, the summit, and the end.

h' = v,  v' = -g - k v |v|;  at the floor v becomes -e v
"""

import numpy as np

import odekit

# parameters
gravity, drag, restitution = 9.81, 0.02, 0.85


# equation
def fall(t, y, gravity, drag):
    return [y[1], -gravity - drag * y[1] * abs(y[1])]


def floor(t, y, gravity, drag):
    return y[0]


def summit(t, y, gravity, drag):
    return y[1]


floor.terminal, floor.direction, summit.direction = True, -1, -1

# solve, from bounce to bounce
t, y, pieces, summits = 0.0, [2.0, 0.0], [], []
for _ in range(8):
    sol = odekit.solve_ivp(
        fall, (t, t + 10), y, events=[floor, summit], args=(gravity, drag), rtol=1e-9, atol=1e-12, dense_output=True
    )
    pieces.append(sol)
    summits.extend(zip(sol.t_events[1], sol.y_events[1][:, 0] if len(sol.t_events[1]) else [], strict=True))
    t, y = sol.t[-1], [0.0, -restitution * sol.y[1, -1]]
print("bounces at t =", np.round([sol.t[-1] for sol in pieces], 4))
print("summits h =", np.round([height for _, height in summits], 4))

# picture
with odekit.plot.style():
    ax = odekit.plot.new_axes(size=(6.4, 3.0))
    for sol in pieces:
        odekit.plot.trajectory(sol, ax=ax, components=[0], color=odekit.plot.COLORS[0])
    ax.plot(*np.transpose(summits), ".", color=odekit.plot.COLORS[1])
    ax.set(xlabel="time (s)", ylabel="height (m)")
    odekit.plot.save(ax, "events.png")
