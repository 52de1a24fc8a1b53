"""A double pendulum learned from its accelerations: a deep Lagrangian network beside a plain one of second order.

    M(q) a + h(q, v) = 0,   two links of mass 1 and length 1, masses at their ends, angles absolute and relative

Both networks learn accelerations at random states. The plain one may be anything; the Lagrangian one learns a mass matrix and a
potential (Lutter, Ritter, Peters, ICLR 2019), so that its flow keeps *its* energy whatever it has learned. Both are then released
from rest and judged by the true energy. The motion is chaotic: after some seconds no model has the true angles. Accelerations do
not tell the size of a Lagrangian, so that the mass matrix is learned up to a factor.
"""

import numpy as np

from .. import nn, plot

TITLE = "A learned double pendulum: Lagrangian against plain network"
G = 9.81


def run(folder, pictures=True, steps=4000, starts=32, end=20.0):
    """Train both models, release them, save, draw, say what was found; returns the names of the files."""
    rng = np.random.default_rng(0)
    q, v = rng.uniform(-2.0, 2.0, (2000, 2)), rng.uniform(-4.0, 4.0, (2000, 2))
    x, a = np.concatenate((q, v), axis=1), acceleration(q, v)
    lagrangian = nn.DeLaN(nn.MLP([2, 32, 3], "softplus", rng=0), nn.MLP([2, 32, 32, 1], "softplus", rng=1))
    plain = nn.SecondOrderODE(nn.MLP([4, 64, 64, 2], rng=0))
    data = {"Lagrangian network": (lagrangian, a), "plain network": (plain, np.concatenate((v, a), axis=1))}
    y0 = np.concatenate((rng.uniform(-1.2, 1.2, (starts, 2)), np.zeros((starts, 2))), axis=1)
    t, errors = np.linspace(0.0, end, 401), {}
    print(
        f"   accelerations at 2000 random states, {steps} Adam steps; {starts} starts at rest, followed by dop853 to t = {end:g}"
    )
    for name, (model, target) in data.items():
        optimizer = nn.Adam(nn.Cosine(5e-3, steps))
        nn.fit(model, x, target, optimizer=optimizer, steps=steps, batch_size=200, rng=0)
        off = np.sqrt(np.mean((model(x)[:, 2:] - a) ** 2))
        rollouts = nn.NeuralODE(model, "dop853", rtol=1e-6, atol=1e-6, step_control="per_sample").trajectories(y0, t)
        errors[name] = np.abs(energy(rollouts.y) - energy(y0))
        print(
            f"   {name}: accelerations off by {off:.2f} (rms); energy error {np.nanmean(errors[name]):.2f} on average, "
            f"{np.nanmedian(errors[name][-1]):.2f} at the end (median)"
        )
    print(f"   (the energies of the starts differ by {np.ptp(energy(y0)):.1f})")
    lagrangian.save(folder / "double-pendulum.h5", overwrite=True)
    if not pictures:
        return ["double-pendulum.h5"]
    draw(t, errors, lagrangian, folder / "double-pendulum.png")
    return ["double-pendulum.h5", "double-pendulum.png"]


def mass_matrix(q):
    """Of angles (..., 2)."""
    c = np.cos(q[..., 1])
    return np.stack([np.stack([3 + 2 * c, 1 + c], -1), np.stack([1 + c, np.ones_like(c)], -1)], -2)


def acceleration(q, v):
    """Without external forces, -M(q)^-1 h(q, v)."""
    s, both = np.sin(q[..., 1]), G * np.sin(q.sum(-1))
    first = -s * (2 * v[..., 0] + v[..., 1]) * v[..., 1] + 2 * G * np.sin(q[..., 0]) + both
    second = s * v[..., 0] ** 2 + both
    return np.linalg.solve(mass_matrix(q), -np.stack([first, second], -1)[..., None])[..., 0]


def energy(x):
    """True energy of states (..., 4)."""
    q, v = x[..., :2], x[..., 2:]
    kinetic = 0.5 * np.einsum("...i,...ij,...j", v, mass_matrix(q), v)
    return kinetic - G * (2 * np.cos(q[..., 0]) + np.cos(q.sum(-1)))


def draw(t, errors, model, path):
    """Energy error of all rollouts over time; the mass matrix over the angle of the second link."""
    angle = np.linspace(-2.0, 2.0, 81)
    row = np.stack([np.zeros_like(angle), angle], 1)
    with plot.style():
        left, right = plot.new_axes(1, 2, size=(9.0, 3.6))
        for k, (name, error) in enumerate(errors.items()):
            plot.band(t[1:], error[1:], ax=left, color=plot.COLORS[k], label=name)
        left.set_yscale("log")
        left.set(xlabel="time $t$ (s)", ylabel="energy error $|E(t) - E(0)|$ (J)")
        left.legend()
        true, learned = mass_matrix(row), model.mass_matrix(row)
        learned *= (true * learned).sum() / (learned**2).sum()
        for i, j in ((0, 0), (0, 1), (1, 1)):
            right.plot(angle, true[:, i, j], label=f"$M_{{{i + 1}{j + 1}}}$")
            right.plot(angle, learned[:, i, j], "--", color="black", linewidth=1)
        right.set(xlabel="angle of the second link (rad)", title="mass matrix, learned (dashed) up to a factor")
        right.legend()
        plot.save(left, path)
