"""The published protocol of the ideal spring (Greydanus, Dzamba and Yosinski, NeurIPS 2019) in torch, over seeds.

    python asv_benchmarks/peers/published_spring.py [--seeds 10] [--plain] [--draw]

Float32, Adam at a constant 1e-3 with weight decay 1e-4, 2001 steps with all data; data and starts are the published ones, with
`--draw` those of each seed. The published energy errors, 3.84e-4 for the Hamiltonian network and 0.171 for the plain one, are those
of seed 0. What torch has trained is followed by odekit in float64, as are odekit's own networks in ``published/hnn_spring.py``.
"""

import argparse
import pathlib
import sys

import numpy as np
import torch

sys.path.append(str(pathlib.Path(__file__).parents[1] / "published"))
from hamiltonian import networks
from harness import spread
from hnn_spring import drift, published_data

WIDTH, STEPS = 200, 2001


def train(seed, x, dx, plain):
    """Layers of a network as published: two outputs, of which the second is the Hamiltonian."""
    torch.manual_seed(seed)
    layers = [torch.nn.Linear(2, WIDTH), torch.nn.Linear(WIDTH, WIDTH), torch.nn.Linear(WIDTH, 2, bias=False)]
    for layer in layers:
        torch.nn.init.orthogonal_(layer.weight)
    net = torch.nn.Sequential(layers[0], torch.nn.Tanh(), layers[1], torch.nn.Tanh(), layers[2])
    optimizer = torch.optim.Adam(net.parameters(), 1e-3, weight_decay=1e-4)
    x, dx = torch.tensor(x, dtype=torch.float32, requires_grad=not plain), torch.tensor(dx, dtype=torch.float32)
    for _ in range(STEPS):
        optimizer.zero_grad()
        field = net(x)
        if not plain:
            gradient = torch.autograd.grad(field[:, 1].sum(), x, create_graph=True)[0]
            field = torch.stack((gradient[:, 1], -gradient[:, 0]), dim=1)
        (dx - field).pow(2).mean().backward(inputs=list(net.parameters()))
        optimizer.step()
    return layers


def energy_error(seed, data_seed, plain):
    """Energy error of one run."""
    (x, dx), _, x0 = published_data(data_seed)
    layers = train(seed, x, dx, plain)
    model = networks(2, seed, WIDTH)["plain" if plain else "Hamiltonian"]
    weights = model.field.weights()
    for k, layer in enumerate(layers, start=1):
        kept = layer.weight.detach().numpy()
        weights[f"W{k}"][...] = kept if plain or k < 3 else kept[1:]
        if layer.bias is not None:
            weights[f"b{k}"][...] = layer.bias.detach().numpy()
    return drift(model, x0)


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10, help="number of seeds, from 0")
    parser.add_argument("--plain", action="store_true", help="the plain network instead of the Hamiltonian one")
    parser.add_argument("--draw", action="store_true", help="new data for each seed")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = []
    for seed in range(options.seeds):
        found.append(energy_error(seed, seed if options.draw else 0, options.plain))
        print(f"seed {seed}: energy error {found[-1]:.3g}", flush=True)
    mean, deviation = spread(found)
    print(f"energy error {mean:.3g} ± {deviation:.2g}, {np.min(found):.3g} to {np.max(found):.3g}")


if __name__ == "__main__":
    main()
