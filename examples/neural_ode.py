"""A neural ODE learns Van der Pol's oscillator from trajectories, by the exact gradient of the integration.

y' = f(y; theta), f a network 2-32-32-2; data from x' = v, v' = (1 - x^2) v - x
"""

import numpy as np

import odekit
from odekit import nn


def van_der_pol(t, y):
    return [y[1], (1 - y[0] ** 2) * y[1] - y[0]]


def period(t, x):
    """Mean time between rising zeros."""
    k = np.flatnonzero((x[:-1] < 0) & (x[1:] >= 0))
    zeros = t[k] - x[k] * (t[k + 1] - t[k]) / (x[k + 1] - x[k])
    return np.diff(zeros).mean()


# data: 64 short trajectories
rng = np.random.default_rng(0)
y0 = rng.uniform(-2.5, 2.5, (64, 2))
t = np.linspace(0.0, 1.0, 6)
target = np.stack([odekit.solve_ivp(van_der_pol, (0, 1), y, t_eval=t, rtol=1e-8, atol=1e-8).y.T for y in y0], axis=1)

# model and training
model = nn.NeuralODE(nn.MLP([2, 32, 32, 2], activation="tanh", rng=0), method="tsit5", rtol=1e-5, atol=1e-5)
for rate in (1e-2, 2e-3, 4e-4):
    history = nn.fit(model, y0, t, target, optimizer=nn.Adam(rate), steps=1500, batch_size=32, rng=0)
    print(history)

# the learned field, followed for forty times as long as it was trained
times = np.linspace(0.0, 40.0, 1601)
learned = model.solve([0.5, 0.0], times)
true = odekit.solve_ivp(van_der_pol, (0, 40), [0.5, 0.0], "dop853", t_eval=times, rtol=1e-10, atol=1e-10).y.T
for name, (x, _) in (("true", true[800:].T), ("learned", learned[800:].T)):
    print(f"{name}: amplitude {np.abs(x).max():.4f}, period {period(times[800:], x):.4f}")

# picture
with odekit.plot.style():
    ax = odekit.plot.new_axes(size=(4.8, 4.4))
    odekit.plot.vector_field(lambda t, y: model.field(y), (-3, 3), (-3.2, 3.2), ax=ax)
    ax.plot(*true.T, color="0.2", linewidth=3, alpha=0.4, label="true")
    ax.plot(*learned.T, color=odekit.plot.COLORS[1], label="learned")
    ax.set(xlabel="$x$", ylabel="$v$")
    ax.figure.legend(loc="outside upper center", ncols=2)
    odekit.plot.save(ax, "neural-ode.png")
