"""Two points that change places (Dupont, Doucet, Teh, NeurIPS 2019): impossible for a plain model, easy for an augmented one.

    python asv_benchmarks/published/anode_crossing.py [--seeds 3]

1 goes to -1 and -1 to 1 in one dimension. Trajectories of an autonomous field cannot cross, so that both can at best meet at 0.
The loss is half of the mean square at the end, as in the paper: published 0.5 for the plain model, 0 for the augmented one.
"""

import argparse

import numpy as np

from odekit import nn


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=500)
    options = parser.parse_args()
    y0, t = np.array([[1.0], [-1.0]]), [0.0, 1.0]
    target = np.array([y0, -y0])
    print("seed  plain   augmented")
    for seed in range(options.seeds):
        losses = []
        tolerances = {"rtol": 1e-4, "atol": 1e-4}
        for model in (
            nn.NeuralODE(nn.MLP([1, 16, 16, 1], rng=seed), **tolerances),
            nn.AugmentedODE(nn.MLP([2, 16, 16, 2], rng=seed), extra=1, **tolerances),
        ):
            nn.fit(model, y0, t, target, optimizer=nn.Adam(1e-2), steps=options.steps)
            losses.append(0.5 * np.mean((model.solve(y0, t)[1] + y0) ** 2))
        print(f"{seed:4d}  {losses[0]:.4f}  {losses[1]:.1e}")


if __name__ == "__main__":
    main()
