"""Two moons (FFJORD: Grathwohl et al., ICLR 2019): how near a continuous normalising flow comes to the true entropy.

    python asv_benchmarks/published/cnf_moons.py [--seeds 1] [--steps 3000]

Fresh samples in each step, as there: moons with noise 0.1, scaled by 2 and moved by (-1, -0.2); no model can be below their
differential entropy, 2.39 nats (estimated from 40,000 samples by nearest neighbours, within 0.02).
"""

import argparse
import time

import numpy as np

from odekit import nn

ENTROPY = 2.39


def moons(rng, n):
    """Two half circles with noise, as scikit-learn makes them; scaled as in the paper's code."""
    angle = rng.uniform(0.0, np.pi, n)
    upper = rng.random(n) < 0.5
    x = np.where(upper, np.cos(angle), 1.0 - np.cos(angle))
    y = np.where(upper, np.sin(angle), 0.5 - np.sin(angle))
    return 2.0 * (np.stack((x, y), axis=1) + 0.1 * rng.standard_normal((n, 2))) + [-1.0, -0.2]


class Fresh:
    """A flow whose loss is that of new samples in each step."""

    def __init__(self, flow, n):
        self.flow, self.n = flow, n

    params = property(lambda self: self.flow.params)

    def draw(self, rng):
        """New samples, and new directions of the trace."""
        self.x = moons(rng, self.n)
        self.flow.draw(rng)

    def loss_and_grad(self):
        """Of the samples that were drawn."""
        return self.flow.loss_and_grad(self.x)

    def samples(self):
        """So many in each step."""
        return self.n

    def select(self, rows):
        """There are no data to choose from."""
        return ()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=128)
    options = parser.parse_args()
    for seed in range(options.seeds):
        flow = nn.CNF(nn.MLP([2, 64, 64, 2], rng=seed, time_dependent=True), rtol=1e-3, atol=1e-3, method="bosh3")
        start = time.perf_counter()
        rate = nn.Cosine(1e-2, options.steps)
        nn.fit(Fresh(flow, options.batch), optimizer=nn.Adam(rate), steps=options.steps, rng=seed)
        seconds = time.perf_counter() - start
        exact = nn.CNF(flow.field, rtol=1e-6, atol=1e-6)
        loss = -exact.log_density(moons(np.random.default_rng(1000 + seed), 10_000)).mean()
        print(f"seed {seed}: {loss:.3f} nats, {loss - ENTROPY:+.3f} above the entropy; {seconds:.0f} s")


if __name__ == "__main__":
    main()
