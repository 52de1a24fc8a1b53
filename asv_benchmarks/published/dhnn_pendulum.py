"""A real pendulum with friction (Sosanya and Greydanus, 2022): energy error of dissipative, Hamiltonian and plain networks.

    python asv_benchmarks/published/dhnn_pendulum.py --data real_pend_h_1.txt [--seeds 3] [--steps 5000] [--keep]

The data are a recording by Schmidt and Lipson (Science 2009), columns trial, t, angle, angular velocity, in steps of 1/6 s; the
file is not part of this package. Published protocol: derivatives by central differences, the first 80 % for training; two tanh
layers of 256; Adam at 5e-3, 5000 steps of 128 samples. From the first of the other 20 % on, the model is integrated; the error is
the mean of (H_model - H_data)^2 along it, with H = 2.4 (1 - cos q) + p^2.
"""

import numpy as np
from hamiltonian import rollout
from harness import Figure, main

from odekit import nn

LOSSES = {"dissipative": 9.46e-4, "Hamiltonian": 1.40e-3, "plain": 1.11e-3}
FIGURES = (
    Figure("energy error, dissipative", 1.0675e-3, bar=1.0675e-3),
    Figure("energy error, Hamiltonian", 1.0177e-2),
    Figure("energy error, plain", 1.1670e-3),
    *(Figure(f"test loss, {name}", value) for name, value in LOSSES.items()),
)
NOTES = (
    "The published networks take the time as a third input and have a residual connection; these depend on the state alone.",
    "The learning rate falls from 5e-3 to zero by a cosine; the published one is constant.",
    "Data: real_pend_h_1.txt of Schmidt and Lipson, given by its path.",
)


def recording(path):
    """Times, states (angle, angular velocity), and their derivatives by central differences, without both ends."""
    table = np.loadtxt(path, comments="%")
    if table.ndim != 2 or table.shape[1] != 4:
        raise ValueError(
            f"{path}: expected the columns trial, t, angle, angular velocity, but the shape is {table.shape}"
        )
    t, x = table[:, 1], table[:, 2:]
    dx = (x[2:] - x[:-2]) / (t[2:] - t[:-2])[:, None]
    return t[1:-1], x[1:-1], dx


def energy(x):
    """Of the pendulum, up to a constant factor."""
    return 2.4 * (1.0 - np.cos(x[..., 0])) + x[..., 1] ** 2


def models(seed, width):
    """The three networks."""
    sizes = [2, width, width]
    return {
        "dissipative": nn.DissipativeHNN(nn.MLP([*sizes, 1], rng=seed), nn.MLP([*sizes, 1], rng=1000 + seed)),
        "Hamiltonian": nn.HNN(nn.MLP([*sizes, 1], rng=seed)),
        "plain": nn.DerivativeModel(nn.MLP([*sizes, 2], rng=seed)),
    }


def run(seed, options):
    """The three models, trained on the first part of the recording and followed along the second."""
    t, x, dx = recording(options.data)
    n, found = int(0.8 * len(x)), {}
    optimizer = nn.Adam(nn.Cosine(5e-3, options.steps))
    for name, model in models(seed, options.width).items():
        nn.fit(model, x[:n], dx[:n], optimizer=optimizer, steps=options.steps, batch_size=128, rng=seed)
        ys = rollout(model, x[n], t[n:] - t[n], 1e-8)
        found[f"energy error, {name}"] = np.mean((energy(ys) - energy(x[n:])) ** 2)
        found[f"test loss, {name}"] = model.loss_and_grad(x[n:], dx[n:])[0]
    return found


def command(arguments=None):
    """The command line."""
    return main(
        run, FIGURES, title="Dissipative Hamiltonian network, real pendulum", notes=NOTES, arguments=arguments,
        source="Sosanya, Greydanus (2022, arXiv:2201.10085), notebook of the real pendulum.",
        settings=(
            ("data", str, None, "path of real_pend_h_1.txt"), ("steps", int, 5000, "updates"),
            ("width", int, 256, "features of a hidden layer"),
        ),
    )  # fmt: skip


if __name__ == "__main__":
    command()
