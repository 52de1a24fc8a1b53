"""What the results on Hamiltonian networks share: the networks of Greydanus, Dzamba and Yosinski (2019), their training, energy errors."""

import numpy as np

from odekit import nn

WIDTH = 200


def networks(dim, seed, width=WIDTH):
    """The Hamiltonian network of the paper and its plain one: two tanh layers, orthogonal weights, no bias at the end."""
    shape = {"init": "orthogonal", "final_bias": False, "rng": seed}
    plain = nn.DerivativeModel(nn.MLP([dim, width, width, dim], **shape))
    return {"Hamiltonian": nn.HNN(nn.MLP([dim, width, width, 1], **shape)), "plain": plain}


def rollout(model, x0, t, rtol=1e-10):
    """Trajectories of a model, (T, B, d)."""
    field = model.field if isinstance(model, nn.DerivativeModel) else model
    return nn.NeuralODE(field, "dop853", rtol=rtol, atol=rtol).solve(x0, t)


def energy_error(energy, ys):
    """Mean of (H_true - H_model)^2 over all trajectories and times; the truth keeps the energy of the start."""
    h = energy(ys)
    return float(np.mean((h - h[0]) ** 2))


def field_error(model, x, truth):
    """Relative error of the field at x against the field without noise."""
    return float(np.linalg.norm(model.derivative(x) - truth) / np.linalg.norm(truth))
