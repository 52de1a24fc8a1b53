"""The double pendulum of Cranmer et al. (2020): energy error of a Lagrangian network and of a plain one after t = 100.

    python asv_benchmarks/published/lnn_double_pendulum.py [--seeds 3] [--steps 80000] [--keep]

Masses and lengths 1, g = 9.8. The networks see the state (angles modulo 2 pi) and learn the accelerations. Energy error: 40 starts
with random angles, nearly at rest, |E_model - E_true| at t = 100 over 29.4, the largest potential energy. Published: 0.43 % for the
Lagrangian network and 8 % for the plain one, after 600,000 steps of 512 samples with three layers of 600, some 9e15 operations.
"""

import numpy as np
from harness import Figure, main

from odekit import nn

G, LARGEST = 9.8, 29.4
FIGURES = (
    Figure("energy error, Lagrangian", 0.0043, bar=0.0043),
    Figure("energy error, plain", 0.080),
    Figure("failed rollouts of 40, Lagrangian"),
    Figure("failed rollouts of 40, plain"),
    Figure("absolute error of the accelerations, Lagrangian", 0.0735),
    Figure("absolute error of the accelerations, plain", 0.0742),
)
NOTES = (
    "The published run takes some thousand times the arithmetic of this one. With more steps the error falls: after 20,000 it was "
    "0.315 ± 0.15, with an error of the accelerations of 0.63. The mass matrix of a network that is fitted roughly can be singular "
    "somewhere: a rollout that comes near takes more than 20,000 steps and counts as an error of 100 %; that is half of the error here.",
    "Differences: samples with at most the energy 30 (all that the 40 rollouts can reach), squares instead of absolute values in the "
    "loss, sines with whole frequencies of the angles at the start instead of softplus.",
)


def accelerations(x):
    """Of the angles, from states (n, 4)."""
    a, b, u, v = x.T
    s, c = np.sin(a - b), np.cos(a - b)
    first, second = -s * v * v - 2.0 * G * np.sin(a), s * u * u - G * np.sin(b)
    return np.stack((first - c * second, 2.0 * second - c * first), axis=1) / (2.0 - c * c)[:, None]


def energy(x):
    """Of states (..., 4)."""
    a, b, u, v = np.moveaxis(x, -1, 0)
    return u * u + 0.5 * v * v + u * v * np.cos(a - b) - G * (2.0 * np.cos(a) + np.cos(b))


def states(rng, n):
    """Angles and velocities, uniform where the energy is at most 30."""
    kept = np.empty((0, 4))
    while len(kept) < n:
        x = np.concatenate((rng.uniform(0.0, 2.0 * np.pi, (4 * n, 2)), rng.uniform(-10.0, 10.0, (4 * n, 2))), axis=1)
        kept = np.concatenate((kept, x[energy(x) <= 30.0]))
    return kept[:n]


def first_layer(network, rng):
    """Whole frequencies of the angles, low ones of the velocities."""
    w = network.weights()
    n = len(w["b1"])
    w["W1"][:, :2], w["W1"][:, 2:] = rng.integers(-1, 2, (n, 2)), rng.normal(0.0, 0.15, (n, 2))
    w["b1"][:] = rng.uniform(0.0, 2.0 * np.pi, n)
    return network


def energy_errors(field, starts, t1):
    """Mean relative to the largest potential energy, 1 where a rollout fails; and how many failed."""
    model = nn.NeuralODE(field, "dop853", rtol=1e-6, atol=1e-6, step_control="per_sample")
    paths = model.trajectories(starts, [0.0, t1], max_steps=20_000)
    failed = paths.retcode != 0
    errors = np.minimum(np.abs(energy(paths.y[-1]) - energy(starts)) / LARGEST, 1.0)
    return float(np.where(failed, 1.0, errors).mean()), int(failed.sum())


def run(seed, options):
    """Both networks."""
    rng, width = np.random.default_rng(seed), options.width
    x, test = states(rng, options.samples), states(rng, 2000)
    starts = np.concatenate((rng.uniform(0.0, 2.0 * np.pi, (40, 2)), rng.uniform(0.0, 0.1, (40, 2))), axis=1)
    lagrangian = nn.LNN(first_layer(nn.MLP([4, width, width, 1], "sin", rng=seed), rng), ridge=1.0, angles=True)
    plain = nn.SecondOrderODE(first_layer(nn.MLP([4, width, width, 2], "sin", rng=seed), rng))
    data = {
        "Lagrangian": (lagrangian, accelerations(x)),
        "plain": (plain, np.concatenate((x[:, 2:], accelerations(x)), axis=1)),
    }
    found = {}
    for name, (model, target) in data.items():
        rate = nn.Cosine(2e-3, options.steps, warmup=options.steps // 100)
        nn.fit(model, x, target, optimizer=nn.Adam(rate), steps=options.steps, batch_size=128, rng=seed, clip_norm=1.0)
        error, failed = energy_errors(model, starts, options.time)
        found[f"energy error, {name}"], found[f"failed rollouts of 40, {name}"] = error, failed
        off = np.abs(model(test)[:, 2:] - accelerations(test)).sum(axis=1).mean()
        found[f"absolute error of the accelerations, {name}"] = off
    return found


def command(arguments=None):
    """The command line."""
    return main(
        run, FIGURES, title="Lagrangian network, double pendulum", notes=NOTES, arguments=arguments,
        source="Cranmer et al. (2020, arXiv:2003.04630), notebook of the double pendulum.",
        settings=(
            ("steps", int, 80_000, "updates"), ("width", int, 64, "features of a layer"),
            ("samples", int, 20_000, "training states"), ("time", float, 100.0, "end of the rollouts"),
        ),
    )  # fmt: skip


if __name__ == "__main__":
    command()
