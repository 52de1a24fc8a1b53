"""A deep Lagrangian network learns a robot's arm from its torques: mass matrix and gravity, then how the arm falls.

Two links of mass 1 and length 1 with their masses at the ends; F = M(q) a + h(q, v).
"""

import numpy as np

import odekit
from odekit.nn import MLP, Adam, DeLaN, fit

G = 9.81


# the arm
def mass_matrix(q):
    c = np.cos(q[..., 1])
    return np.stack([np.stack([3 + 2 * c, 1 + c], -1), np.stack([1 + c, np.ones_like(c)], -1)], -2)


def bias(q, v):
    s = np.sin(q[..., 1])
    turning = np.stack([-s * (2 * v[..., 0] + v[..., 1]) * v[..., 1], s * v[..., 0] ** 2], -1)
    both = G * np.sin(q.sum(-1))
    return turning + np.stack([2 * G * np.sin(q[..., 0]) + both, both], -1)


def arm(t, x):
    """The free arm: M a = -h, solved by Cramer's rule."""
    q1, q2, v1, v2 = x
    c, s, both = np.cos(q2), np.sin(q2), G * np.sin(q1 + q2)
    f1, f2 = s * (2 * v1 + v2) * v2 - 2 * G * np.sin(q1) - both, -s * v1**2 - both
    m11, m12 = 3 + 2 * c, 1 + c
    det = m11 - m12**2
    return [v1, v2, (f1 - m12 * f2) / det, (m11 * f2 - m12 * f1) / det]


# training data: states, accelerations, torques
rng = np.random.default_rng(0)
q, v, a = rng.uniform(-2, 2, (2000, 2)), rng.uniform(-4, 4, (2000, 2)), rng.uniform(-5, 5, (2000, 2))
torque = np.einsum("bij,bj->bi", mass_matrix(q), a) + bias(q, v)

# model
model = DeLaN(MLP([2, 32, 3], "softplus", rng=0), MLP([2, 32, 32, 1], "softplus", rng=1))
history = fit(model, np.hstack([q, v]), a, torque, optimizer=Adam(5e-3), steps=4000, batch_size=200, rng=0)
print(f"error of the torques: {np.sqrt(history.loss[0]):.1f} before, {np.sqrt(history.loss[-1]):.2f} after training")

# released at rest: what was learned, and the arm
t, start = np.linspace(0, 2, 201), np.array([1.2, 0.5, 0.0, 0.0])
learned = model.solve(start, t)
true = odekit.solve_ivp(arm, (0, 2), start, "dop853", t_eval=t, rtol=1e-9, atol=1e-9)

# picture
angle = np.linspace(-2, 2, 81)
row = np.stack([np.zeros_like(angle), angle], 1)
with odekit.plot.style():
    left, right = odekit.plot.new_axes(1, 2, size=(9.0, 3.4))
    for i, j in ((0, 0), (0, 1), (1, 1)):
        line = left.plot(angle, mass_matrix(row)[:, i, j], label=f"$M_{{{i + 1}{j + 1}}}$")
        left.plot(angle, model.mass_matrix(row)[:, i, j], "--", color="black", linewidth=1)
    left.set(xlabel="angle of the elbow", title="mass matrix, learned (dashed) from torques")
    left.legend()
    for i, name in enumerate(("shoulder", "elbow")):
        right.plot(t, true.y[i], label=name)
        right.plot(t, learned[:, i], "--", color="black", linewidth=1)
    right.set(xlabel="time", ylabel="angle", title="falling from rest")
    right.legend()
    odekit.plot.save(left, "delan.png")
