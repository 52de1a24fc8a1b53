"""A dissipative Hamiltonian network and a network of accelerations learn a pendulum with friction.

q' = p,  p' = -sin q - 0.2 p;  learned J grad H + grad D of two networks, and a learned acceleration a(q, v)
"""

import numpy as np

import odekit
from odekit import nn

# data
x = np.random.default_rng(0).uniform(-2, 2, (600, 2))
dxdt = np.stack([x[:, 1], -np.sin(x[:, 0]) - 0.2 * x[:, 1]], axis=1)

# models and training
options = {"optimizer": nn.Adam(5e-3), "steps": 1500, "batch_size": 100, "rng": 0}
models = {
    "H and D": nn.DissipativeHNN(nn.MLP([2, 24, 1], rng=0), nn.MLP([2, 24, 1], rng=1)),
    "accelerations": nn.SecondOrderODE(nn.MLP([2, 24, 1], rng=2)),
}
t = np.linspace(0, 20, 401)
true = odekit.solve_ivp(
    lambda t, x: [x[1], -np.sin(x[0]) - 0.2 * x[1]], (0, 20), [1.8, 0.0], t_eval=t, rtol=1e-8, atol=1e-8
)
orbits = {}
for name, model in models.items():
    nn.fit(model, x, dxdt, **options)
    orbits[name] = nn.NeuralODE(model, "dop853").solve([1.8, 0.0], t)
    print(f"{name}: error of q at most {np.abs(orbits[name][:, 0] - true.y[0]).max():.3f} until t = 20")

# picture
with odekit.plot.style():
    left, right = odekit.plot.new_axes(1, 2, size=(9.0, 3.4))
    left.plot(t, true.y[0], color="0.7", linewidth=4, label="true")
    for name, orbit in orbits.items():
        left.plot(t, orbit[:, 0], label=name, linewidth=1)
    left.set(xlabel="time $t$", ylabel="$q$")
    left.legend()
    right.plot(t, 0.5 * true.y[1] ** 2 - np.cos(true.y[0]), color="0.7", linewidth=4)
    for orbit in orbits.values():
        right.plot(t, 0.5 * orbit[:, 1] ** 2 - np.cos(orbit[:, 0]), linewidth=1)
    right.set(xlabel="time $t$", ylabel="true energy of the learned orbit")
    odekit.plot.save(left, "friction.png")
