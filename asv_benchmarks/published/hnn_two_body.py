"""Two bodies of Greydanus, Dzamba and Yosinski (NeurIPS 2019): energy error of a Hamiltonian network and of a plain one.

    python asv_benchmarks/published/hnn_two_body.py [--seeds 3] [--steps 10000] [--keep]

Their protocol: masses and constant of gravitation 1, 1000 nearly circular orbits of 50 points on [0, 20] without noise, a fifth
for the test; 8-200-200 tanh; Adam at 1e-3, 200 samples in each of 10,000 steps. The energy error is the mean of
(H_true - H_model)^2 over 15 orbits of 500 points on [0, 25].
"""

import numpy as np
from hamiltonian import energy_error, field_error, networks, rollout
from harness import Figure, main

import odekit
from odekit import nn

FIGURES = (
    Figure("energy error, Hamiltonian", 3.88e-5, bar=3.88e-5),
    Figure("energy error, plain", 6.33e-2),
    Figure("field error, Hamiltonian"),
    Figure("field error, plain"),
    Figure("test loss, Hamiltonian", 2.82e-6),
    Figure("test loss, plain", 2.96e-5),
)
NOTES = (
    "There is no noise, so that the test data are the noise-free field; its relative error is given beside the loss, which is "
    "a mean of squares.",
    "The learning rate falls from 2e-3 to zero by a cosine; the published one is 1e-3 throughout.",
)


def acceleration(t, y):
    """States (x1, x2, y1, y2, px1, px2, py1, py2), as in the paper's code: first all positions, then all momenta."""
    dx, dy = y[1] - y[0], y[3] - y[2]
    f = 1.0 / (dx * dx + dy * dy) ** 1.5
    return [y[4], y[5], y[6], y[7], f * dx, -f * dx, f * dy, -f * dy]


def field(y):
    """The same for many states (n, 8)."""
    return np.array(acceleration(0.0, y.T)).T


def energy(y):
    """Kinetic and potential energy, (..., 8) to (...)."""
    distance = np.hypot(y[..., 1] - y[..., 0], y[..., 3] - y[..., 2])
    return 0.5 * (y[..., 4:] ** 2).sum(axis=-1) - 1.0 / distance


def starts(rng, n):
    """Nearly circular orbits of two bodies about their centre, radii from 0.5 sqrt(2) to 1.5 sqrt(2)."""
    position = rng.uniform(0.5, 1.5, (n, 2))
    radius = np.hypot(*position.T)
    velocity = position[:, ::-1] / (2.0 * radius[:, None] ** 1.5)
    velocity[:, 0] *= -1.0
    velocity *= 1.0 + 0.05 * rng.standard_normal((n, 1))
    pairs = [(position[:, 0], -position[:, 0]), (position[:, 1], -position[:, 1])]
    pairs += [(velocity[:, 0], -velocity[:, 0]), (velocity[:, 1], -velocity[:, 1])]
    return np.stack([column for pair in pairs for column in pair], axis=1)


def orbits(y0, t):
    """States (n, T, 8)."""
    ensemble = odekit.solve_ensemble(acceleration, (0.0, t[-1]), y0, t_eval=t, method="dop853", rtol=1e-9, atol=1e-9)
    return np.ascontiguousarray(ensemble.y.transpose(0, 2, 1))


def run(seed, options):
    """Both networks on the data of one seed."""
    rng, found = np.random.default_rng(seed), {}
    x = orbits(starts(rng, options.orbits), np.linspace(0.0, 20.0, 50))
    n = options.orbits // 5
    test, train = x[:n].reshape(-1, 8), x[n:].reshape(-1, 8)
    x0, t = starts(np.random.default_rng(100 + seed), 15), np.linspace(0.0, 25.0, 500)
    rate = nn.Cosine(2e-3, options.steps)
    for name, model in networks(8, seed, options.width).items():
        nn.fit(model, train, field(train), optimizer=nn.Adam(rate), steps=options.steps, batch_size=200, rng=seed)
        found[f"energy error, {name}"] = energy_error(energy, rollout(model, x0, t, 1e-9))
        found[f"field error, {name}"] = field_error(model, test, field(test))
        found[f"test loss, {name}"] = model.loss_and_grad(test, field(test))[0]
    return found


def command(arguments=None):
    """The command line."""
    return main(
        run, FIGURES, title="Hamiltonian network, two bodies", notes=NOTES, arguments=arguments,
        source="Greydanus, Dzamba, Yosinski (NeurIPS 2019), task 4.",
        settings=(
            ("steps", int, 10_000, "updates"), ("width", int, 200, "features of a hidden layer"),
            ("orbits", int, 1000, "orbits, a fifth of them for the test"),
        ),
    )  # fmt: skip


if __name__ == "__main__":
    command()
