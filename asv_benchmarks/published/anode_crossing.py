"""Two points that change places (Dupont, Doucet, Teh, NeurIPS 2019): impossible for a plain model, easy for an augmented one.

    python asv_benchmarks/published/anode_crossing.py [--seeds 3] [--keep]

1 goes to -1 and -1 to 1 in one dimension. Trajectories of an autonomous field cannot cross, so that both can at best meet at 0.
The loss is half of the mean square at the end, as in the paper: published 0.5 for the plain model, 0 for the augmented one.
"""

import numpy as np
from harness import Figure, main

from odekit import nn

FIGURES = (
    Figure("loss, plain", 0.514, bar=0.5 - 1e-9, at_least=True),
    Figure("loss, augmented", 0.0, bar=1e-3),
)
NOTES = (
    "The published run has 500 points at the two places, noise-free copies of each other; two points give the same mean.",
    "0.5 is the bound that no plain model can get below: both points meet at 0.",
)


def run(seed, options):
    """Both models on the crossing."""
    y0, t = np.array([[1.0], [-1.0]]), [0.0, 1.0]
    tolerances, found = {"rtol": 1e-4, "atol": 1e-4}, {}
    for name, model in (
        ("plain", nn.NeuralODE(nn.MLP([1, 16, 16, 1], rng=seed), **tolerances)),
        ("augmented", nn.AugmentedODE(nn.MLP([2, 16, 16, 2], rng=seed), extra=1, **tolerances)),
    ):
        nn.fit(model, y0, t, np.array([y0, -y0]), optimizer=nn.Adam(1e-2), steps=options.steps)
        found[f"loss, {name}"] = 0.5 * np.mean((model.solve(y0, t)[1] + y0) ** 2)
    return found


def command(arguments=None):
    """The command line."""
    return main(
        run, FIGURES, title="Augmented neural ODE, crossing in one dimension", notes=NOTES, arguments=arguments,
        source="Dupont, Doucet, Teh (NeurIPS 2019), figure 2 and code.", settings=(("steps", int, 500, "updates"),),
    )  # fmt: skip


if __name__ == "__main__":
    command()
