"""Neural fields: trajectories and exact gradients of a batch."""

import functools

import numpy as np

from odekit import nn

BATCH, TIMES = 64, np.linspace(0.0, 1.0, 10)


@functools.cache
def task(**options):
    """A 2-64-64-2 network, start values and targets."""
    options = options or {"method": "tsit5", "rtol": 1e-4, "atol": 1e-4}
    model = nn.NeuralODE(nn.MLP([2, 64, 64, 2], rng=0), **options)
    rng = np.random.default_rng(0)
    return model, rng.normal(size=(BATCH, 2)), rng.normal(size=(TIMES.size, BATCH, 2))


def time_solve():
    model, y0, _ = task()
    model.solve(y0, TIMES)


def time_loss_and_grad():
    model, y0, target = task()
    model.loss_and_grad(y0, TIMES, target)


def peakmem_loss_and_grad():
    model, y0, target = task()
    model.loss_and_grad(y0, TIMES, target)


def track_gradient_error():
    """Against a central difference along one direction; with fixed steps, or the difference would see them change."""
    model, y0, target = task(method="rk4", first_step=0.05)
    params, grad = model.params.copy(), model.loss_and_grad(y0, TIMES, target)[1]
    direction, h = np.random.default_rng(1).normal(size=params.size), 1e-5
    losses = []
    for sign in (1, -1):
        model.params = params + sign * h * direction
        losses.append(model.loss_and_grad(y0, TIMES, target)[0])
    model.params = params
    expected = (losses[0] - losses[1]) / (2 * h)
    return abs(grad @ direction - expected) / abs(expected)


track_gradient_error.unit = "relative error"
