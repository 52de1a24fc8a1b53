"""A Hamiltonian network learns the energy of a spring from noisy states, and keeps it.

q' = dH/dp,  p' = -dH/dq,   true H = q^2 + p^2, learned H a network 2-32-32-1
"""

import numpy as np

import odekit
from odekit import nn

# data: states on circles, with noise, and their derivatives
rng = np.random.default_rng(0)
angle, radius = rng.uniform(0, 2 * np.pi, 750), np.sqrt(rng.uniform(0.01, 1.0, 750))
states = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
x, dxdt = states + 0.1 * rng.standard_normal(states.shape), 2 * states[:, ::-1] * [1, -1]

# models and training
models = {
    "Hamiltonian": nn.HNN(nn.MLP([2, 32, 32, 1], init="orthogonal", rng=0)),
    "plain": nn.DerivativeModel(nn.MLP([2, 32, 32, 2], init="orthogonal", rng=0)),
}
times = np.linspace(0.0, 50.0, 1001)
energies = {}
for name, model in models.items():
    nn.fit(model, x, dxdt, optimizer=nn.Adam(1e-3, weight_decay=1e-4), steps=2000, batch_size=250, rng=0)
    field = model if name == "Hamiltonian" else model.field
    orbit = nn.NeuralODE(field, "dop853", rtol=1e-9, atol=1e-9).solve([0.8, 0.0], times)
    energies[name] = np.sum(orbit**2, axis=1)
    print(f"{name}: energy {energies[name][0]:.3f} at the start, {energies[name][-1]:.3f} at t = 50")

# picture
with odekit.plot.style():
    ax = odekit.plot.new_axes(size=(6.0, 3.4))
    for color, (name, energy) in zip(odekit.plot.COLORS, energies.items(), strict=False):
        ax.plot(times, energy, color=color, label=f"{name} network")
    ax.set(xlabel="time $t$", ylabel="$q^2 + p^2$")
    ax.legend()
    odekit.plot.save(ax, "hamiltonian-network.png")
