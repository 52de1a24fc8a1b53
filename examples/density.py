"""A continuous normalising flow learns the density of two moons."""

import numpy as np

import odekit
from odekit import nn

# data
rng = np.random.default_rng(0)
angle = rng.uniform(0, np.pi, 400)
upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
x = np.concatenate([upper[:200], [1.0, 0.5] - upper[200:]]) - [0.5, 0.25] + 0.07 * rng.standard_normal((400, 2))

# model and training
model = nn.CNF(nn.ConcatSquash([2, 32, 32, 2], rng=0), rtol=1e-4, atol=1e-4)
history = nn.fit(model, x, optimizer=nn.Adam(1e-2), steps=250, batch_size=200, rng=0)
print(f"mean of -log p: {history.loss[0]:.2f} before, {history.loss[-20:].mean():.2f} after training")

# picture
with odekit.plot.style():
    ax = odekit.plot.new_axes(size=(5.0, 4.0))
    odekit.plot.density(model, (-2.2, 2.2), (-1.5, 1.5), ax=ax, points=100)
    ax.plot(*x.T, ".", color="white", markersize=1)
    odekit.plot.save(ax, "density.png")
