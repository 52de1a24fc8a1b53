"""The density of two moons by a continuous normalising flow, and new samples from it.

    z' = f(z, t),   (log p)' = -trace df/dz,   z(0) = x a point of the data,   z(t1) normal

The network's layers are opened and shut by the time (FFJORD: Grathwohl et al., ICLR 2019); the trace is exact. No model can have a
smaller mean of -log p on new data than the entropy of the moons, 2.39 nats, which is known from nearest neighbours of 40,000 samples.
"""

import numpy as np

from .. import nn, plot

TITLE = "Two moons: a density learned by a continuous normalising flow"
ENTROPY = 2.39


def run(folder, pictures=True, steps=600, points=4000):
    """Train the flow, save it, draw, say what was found; returns the names of the files."""
    rng = np.random.default_rng(1)
    x, new = moons(rng, points), moons(rng, points)
    flow = nn.CNF(nn.ConcatSquash([2, 32, 32, 2], rng=0), t1=0.5, method="bosh3", rtol=1e-3, atol=1e-3)
    rate = nn.Cosine(3e-2, steps, warmup=steps // 50)
    nn.fit(flow, x, optimizer=nn.Adam(rate), steps=steps, batch_size=128, rng=0, clip_norm=1.0)
    exact = nn.CNF(flow.field, t1=flow.t1, rtol=1e-6, atol=1e-6)
    loss = -exact.log_density(new).mean()
    back = exact.log_density(exact.sample(points, rng=1)).mean()
    print(f"   a flow of 2-32-32-2 ({flow.params.size} weights), {steps} Adam steps with 128 of {points} points each")
    print(
        f"   mean of -log p on new points: {loss:.2f} nats; the entropy of the moons, below which nothing is, {ENTROPY}"
    )
    normal = 0.5 * np.linalg.slogdet(2.0 * np.pi * np.e * np.cov(new.T))[1]
    print(f"   a normal distribution of the same mean and covariance: {normal:.2f} nats")
    print(f"   mean of -log p on points that the flow itself has drawn: {-back:.2f} nats")
    flow.save(folder / "moons.h5", overwrite=True)
    if not pictures:
        return ["moons.h5"]
    draw(exact, new, folder / "moons.png")
    return ["moons.h5", "moons.png"]


def moons(rng, n):
    """Two half circles with noise of 0.2, (n, 2)."""
    angle, upper = rng.uniform(0.0, np.pi, n), rng.random(n) < 0.5
    x = np.where(upper, np.cos(angle), 1.0 - np.cos(angle))
    y = np.where(upper, np.sin(angle), 0.5 - np.sin(angle))
    return 2.0 * (np.stack((x, y), axis=1) + 0.1 * rng.standard_normal((n, 2))) + [-1.0, -0.2]


def draw(flow, x, path):
    """The data, the learned density, and points drawn from it."""
    bounds = (-4.0, 4.0), (-2.8, 2.8)
    with plot.style():
        axes = plot.new_axes(1, 3, size=(10.0, 2.9))
        plot.density(flow, *bounds, ax=axes[0], samples=x)
        plot.density(flow, *bounds, ax=axes[1], points=120)
        plot.density(flow, *bounds, ax=axes[2], samples=flow.sample(len(x), rng=0))
        for ax, title in zip(axes, ("data", "density of the flow", "samples of the flow"), strict=True):
            ax.set_title(title)
        plot.save(axes[0], path)
