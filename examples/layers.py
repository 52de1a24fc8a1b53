"""Fields as layers: a residual network is Euler's method, an antisymmetric field neither forgets nor explodes."""

import numpy as np

import odekit
from odekit import nn

# a residual network learns to turn points by a right angle; the same field, in the limit of many layers
x = np.random.default_rng(0).standard_normal((200, 2))
network = nn.ResNet(nn.MLP([2, 24, 2], rng=0), depth=8)
history = nn.fit(
    network, x, np.stack([-x[:, 1], x[:, 0]], axis=1), optimizer=nn.Adam(1e-2), steps=600, batch_size=100, rng=0
)
print(f"residual network: mean squared error {history.loss[0]:.2f} before, {history.loss[-1]:.1e} after training")
t = np.linspace(0, 1, 9)
layers = network.to_neural_ode("euler").solve(x[:12], t)
limit = network.to_neural_ode("dop853").solve(x[:12], np.linspace(0, 1, 101))

# how much of a small change of the state is left after a long time
start, change = np.full((1, 16), 0.1), 1e-6 * np.eye(16)[:1]
times, left = np.linspace(0, 20, 101), {}
for name, field in (("antisymmetric", nn.AntisymmetricField(16, rng=0)), ("plain", nn.MLP([16, 16, 16], rng=0))):
    model = nn.NeuralODE(field, "dop853", rtol=1e-11, atol=1e-13)
    a, b = model.solve(start, times), model.solve(start + change, times)
    left[name] = np.linalg.norm(b - a, axis=2)[:, 0] / 1e-6
    print(f"{name} field: a change of the state has become {left[name][-1]:.2g} times as large by t = 20")

# picture
with odekit.plot.style():
    plane, growth = odekit.plot.new_axes(1, 2, size=(9.0, 3.8))
    plane.plot(limit[..., 0], limit[..., 1], color="0.7", linewidth=1)
    plane.plot(layers[..., 0], layers[..., 1], ".", color=odekit.plot.COLORS[0], markersize=4)
    plane.set(xlabel="$x_1$", ylabel="$x_2$", title="eight layers, and their limit", aspect="equal")
    for name, ratio in left.items():
        growth.semilogy(times, ratio, label=name)
    growth.set(xlabel="time $t$", ylabel="what is left of a change")
    growth.legend()
    odekit.plot.save(plane, "layers.png")
