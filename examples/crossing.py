"""Trajectories of a differential equation cannot cross: y -> -y is learned with one more dimension, not without.

Dupont, Doucet and Teh, "Augmented Neural ODEs", NeurIPS 2019, arXiv:1904.01681.
"""

import numpy as np

import odekit
from odekit import nn

# data
y0 = np.linspace(-1, 1, 21)[:, None]
t = np.array([0.0, 1.0])
target = np.stack([y0, -y0])

# models and training
models = {
    "NeuralODE": nn.NeuralODE(nn.MLP([1, 16, 1], rng=0), rtol=1e-4, atol=1e-4),
    "AugmentedODE": nn.AugmentedODE(nn.MLP([2, 16, 2], rng=0), extra=1, rtol=1e-4, atol=1e-4),
}
times = np.linspace(0, 1, 51)
with odekit.plot.style():
    for ax, (name, model) in zip(odekit.plot.new_axes(1, 2, size=(9.0, 3.4)), models.items(), strict=True):
        history = nn.fit(model, y0, t, target, optimizer=nn.Adam(2e-2), steps=400)
        print(f"{name}: mean squared error {history.loss[0]:.3f} before, {history.loss[-1]:.1e} after training")
        ax.plot(times, model.solve(y0, times)[..., 0], color=odekit.plot.COLORS[0], linewidth=0.8)
        ax.plot(1 + 0 * y0, -y0, ".", color="black")
        ax.set(xlabel="time $t$", ylabel="$y$", title=name)
    odekit.plot.save(ax, "crossing.png")
