"""The ideal spring of Greydanus, Dzamba and Yosinski (NeurIPS 2019): energy error of a Hamiltonian network and of a plain one.

    python asv_benchmarks/published/hnn_spring.py [--seeds 3] [--steps 2000]

Their protocol: H = q^2 + p^2, 25 training trajectories of 30 noisy points (sigma 0.1) with exact derivatives; 2-200-200 tanh,
orthogonal weights, no bias at the end; Adam at 1e-3 with weight decay 1e-4, all data in each of 2000 steps. Published energy
errors, mean of (H_true - H_model)^2 over 15 trajectories: 3.84e-4 for the Hamiltonian network, 0.171 for the plain one.

Two differences. The horizon is t = 20 for all trajectories (theirs grew from one to the next by 9 %, because a list was changed
in place). The error of the field against the noise-free one, relative, on a grid over [-1, 1]^2, is given too: the losses are
those of the noise, whatever the model.
"""

import argparse
import time

import numpy as np

from odekit import nn

ROTATION = np.array([[0.0, 2.0], [-2.0, 0.0]])  # (q, p)' = (2 p, -2 q)


def trajectories(rng, n=50, points=30, noise=0.1):
    """States with noise and exact derivatives, (n, points, 2)."""
    t = np.linspace(0.0, 3.0, points)
    c, s = np.cos(2 * t), np.sin(2 * t)
    x, dx = np.empty((2, n, points, 2))
    for i in range(n):
        start = rng.random(2) * 2 - 1
        start *= (rng.random() * 0.9 + 0.1) / np.linalg.norm(start)
        clean = np.stack((start[0] * c + start[1] * s, -start[0] * s + start[1] * c), axis=1)
        x[i] = clean + noise * np.stack((rng.standard_normal(points), rng.standard_normal(points)), axis=1)
        dx[i] = clean @ ROTATION.T
    return x, dx


def energy_error(field, rng):
    """Mean of (H_true - H_model)^2 over 15 trajectories of 100 points up to t = 20."""
    x0 = rng.uniform(-0.8, 0.8, (15, 2))
    x0 += 0.2 * np.sign(x0)
    model = nn.NeuralODE(field, "dop853", rtol=1e-10, atol=1e-10)
    h = (model.solve(x0, np.linspace(0.0, 20.0, 100)) ** 2).sum(axis=2)
    return float(((h - h[0]) ** 2).mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2000)
    options = parser.parse_args()
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 21)] * 2), axis=-1).reshape(-1, 2)
    print("seed  model          train loss  test loss   energy error  field error  seconds")
    for seed in range(options.seeds):
        x, dx = trajectories(np.random.default_rng(seed))
        train, test = [(x[part].reshape(-1, 2), dx[part].reshape(-1, 2)) for part in (slice(25), slice(25, 50))]
        shape = {"init": "orthogonal", "final_bias": False, "rng": seed}
        plain = nn.DerivativeModel(nn.MLP([2, 200, 200, 2], **shape))
        for name, model in (("Hamiltonian", nn.HNN(nn.MLP([2, 200, 200, 1], **shape))), ("plain", plain)):
            start = time.perf_counter()
            optimizer = nn.Adam(1e-3, weight_decay=1e-4)
            history = nn.fit(model, *train, optimizer=optimizer, steps=options.steps)
            seconds = time.perf_counter() - start
            field = model if name == "Hamiltonian" else model.field
            truth = grid @ ROTATION.T
            field_error = np.linalg.norm(field(grid) - truth) / np.linalg.norm(truth)
            energy = energy_error(field, np.random.default_rng(100 + seed))
            print(
                f"{seed:4d}  {name:13s}  {history.loss[-1]:.3e}   {model.loss_and_grad(*test)[0]:.3e}   {energy:.3e}     "
                f"{field_error:.3f}        {seconds:.0f}"
            )


if __name__ == "__main__":
    main()
