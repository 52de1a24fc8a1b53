"""A Lagrangian network and a separable Hamiltonian one learn a pendulum; the energy of their orbits.

q'' = -sin q;  learned L(q, v) from accelerations, learned T(p) + V(q) from derivatives, which explicit symplectic steps follow
"""

import numpy as np

import odekit
from odekit import nn

# data
x = np.random.default_rng(0).uniform(-1.5, 1.5, (500, 2))
force = -np.sin(x[:, :1])

# models and training
options = {"optimizer": nn.Adam(5e-3), "steps": 1500, "batch_size": 100, "rng": 0}
lagrangian = nn.LNN(nn.MLP([2, 32, 1], "softplus", rng=0))
nn.fit(lagrangian, x, force, **options)
separable = nn.SeparableHNN(nn.MLP([1, 16, 1], "softplus", rng=0), nn.MLP([1, 16, 1], "softplus", rng=1))
nn.fit(separable, x, np.hstack([x[:, 1:], force]), **options)

# orbits from the same start
t = np.linspace(0, 100, 1001)
orbits = {
    "Lagrangian": lagrangian.solve([1.2, 0.0], t),
    "separable Hamiltonian, leapfrog": separable.solve([1.2, 0.0], t, "leapfrog", first_step=0.05),
}

# picture
with odekit.plot.style():
    ax = odekit.plot.new_axes(size=(6.0, 3.4))
    for name, orbit in orbits.items():
        energy = 0.5 * orbit[:, 1] ** 2 - np.cos(orbit[:, 0])
        print(f"{name}: true energy {energy[0]:.3f} at the start, from {energy.min():.3f} to {energy.max():.3f}")
        ax.plot(t, energy, label=name, linewidth=0.8)
    ax.set(xlabel="time $t$", ylabel="true energy of the learned orbit")
    ax.legend()
    odekit.plot.save(ax, "lagrangian-network.png")
