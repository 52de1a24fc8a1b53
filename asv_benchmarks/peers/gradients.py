"""One loss and its gradient: odekit, diffrax and torchdiffeq side by side in one process.

    python asv_benchmarks/peers/gradients.py

A 2-H-H-2 tanh network in float64 as the vector field, dopri5 with shared steps at rtol = atol = 1e-6, mean squared error at
20 output times, a batch of B trajectories; all start from the same weights and data. Every package runs compiled and warm where it
can be, with as many threads as the process may use (``taskset -c 0`` for one). They take turns, because neighbours on the same
processor slow it down for seconds at a time; the best of all turns counts. The first call is told apart. Packages that are not
installed are left out. For odekit also a step of `fit` with all trajectories, the update included. Last the spiral of SciML's
benchmark (u0 = (2, 0), 30 output times on [0, 1.5], a 2-50-2 network, tsit5), for which 1.66 ms are published for
Julia.

Leave OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE unset.
"""

import importlib.util
import os
import time

import numpy as np

from odekit import nn

CASES = ((32, 16), (64, 64), (512, 64))
T = np.linspace(0.0, 1.0, 20)
TOLERANCE = 1e-6
SECONDS = 1.0  # of a turn
TURNS = 6
STEPS = 100  # of a training: enough that its start does not count


def best(*runs):
    """First and best times of functions that take turns, in milliseconds."""
    first, fastest = [timed(run) for run in runs], [np.inf] * len(runs)
    for _ in range(TURNS):
        for k, run in enumerate(runs):
            end = time.perf_counter() + SECONDS
            while time.perf_counter() < end:
                fastest[k] = min(fastest[k], timed(run))
    return first, fastest


def timed(run):
    """Time of a call, in milliseconds."""
    begin = time.perf_counter()
    run()
    return 1e3 * (time.perf_counter() - begin)


def report_fit(case, model, *data):
    """Print what a step of a training takes, beside a gradient in as long a row: the fastest of single calls is a lucky one.

    The parameters nearly stay where they are, and so does the work.
    """

    def gradients():
        for _ in range(STEPS):
            model.loss_and_grad(*data)

    def steps():
        nn.fit(model, *data, optimizer=nn.Adam(1e-12), steps=STEPS)

    _, (step, gradient) = best(steps, gradients)
    print(f"{case}  odekit, fit {step / STEPS:9.3f}   {step / gradient:6.2f} of a gradient", flush=True)


def odekit_task(field, y0, target):
    """odekit: the exact discrete adjoint."""
    model = nn.NeuralODE(field, "dopri5", TOLERANCE, TOLERANCE)
    return lambda: model.loss_and_grad(y0, T, target)


def diffrax_task(field, y0, target):
    """diffrax: its default, checkpointed backpropagation through the steps, compiled."""
    import diffrax
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    weights = {name: jnp.asarray(value) for name, value in field.weights().items()}
    y0, target, t = jnp.asarray(y0), jnp.asarray(target), jnp.asarray(T)

    def f(_t, y, w):
        hidden = jnp.tanh(jnp.tanh(y @ w["W1"].T + w["b1"]) @ w["W2"].T + w["b2"])
        return hidden @ w["W3"].T + w["b3"]

    def loss(w, y0, target):
        controller = diffrax.PIDController(rtol=TOLERANCE, atol=TOLERANCE)
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(f), diffrax.Dopri5(), T[0], T[-1], None, y0, args=w, saveat=diffrax.SaveAt(ts=t),
            stepsize_controller=controller,
        )  # fmt: skip
        return jnp.mean((solution.ys - target) ** 2)

    compiled = jax.jit(jax.value_and_grad(loss))
    return lambda: jax.block_until_ready(compiled(weights, y0, target))


def torchdiffeq_task(field, y0, target):
    """torchdiffeq: backpropagation through the steps, which is faster than its adjoint."""
    import torch
    from torchdiffeq import odeint

    w = {name: torch.tensor(value, requires_grad=True) for name, value in field.weights().items()}
    y0, target, t = torch.tensor(y0), torch.tensor(target), torch.tensor(T)

    def f(_t, y):
        hidden = torch.tanh(torch.tanh(y @ w["W1"].T + w["b1"]) @ w["W2"].T + w["b2"])
        return hidden @ w["W3"].T + w["b3"]

    def run():
        for value in w.values():
            value.grad = None
        loss = ((odeint(f, y0, t, rtol=TOLERANCE, atol=TOLERANCE, method="dopri5") - target) ** 2).mean()
        loss.backward()
        return loss.detach(), {name: value.grad for name, value in w.items()}

    return run


TASKS = {"odekit": odekit_task, "diffrax": diffrax_task, "torchdiffeq": torchdiffeq_task}


def main():
    """Print milliseconds, the ratio to odekit and the reverse, and how far the gradients agree."""
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"milliseconds per loss and gradient, {threads} threads")
    here = {name: task for name, task in TASKS.items() if importlib.util.find_spec(name)}
    for lanes, width in CASES:
        rng = np.random.default_rng(0)
        field = nn.MLP([2, width, width, 2], rng=0)
        y0, target = rng.standard_normal((lanes, 2)), rng.standard_normal((T.size, lanes, 2))
        runs = [make(field, y0, target) for make in here.values()]
        first, fastest = best(*runs)
        gradients = [
            np.asarray(g["W2"] if isinstance(g, dict) else field.named(g)["W2"]) for _, g in (run() for run in runs)
        ]
        for name, began, took, w2 in zip(here, first, fastest, gradients, strict=True):
            error = np.abs(w2 - gradients[0]).max() / np.abs(gradients[0]).max()
            print(
                f"B = {lanes:3} H = {width:2}  {name:12}{took:9.3f}   {took / fastest[0]:6.2f} x   {fastest[0] / took:6.3f}   "
                f"first call {began / 1e3:6.2f} s   gradient differs by {error:.0e}",
                flush=True,
            )
        report_fit(f"B = {lanes:3} H = {width:2}", nn.NeuralODE(field, "dopri5", TOLERANCE, TOLERANCE), y0, T, target)
    field = nn.MLP([2, 50, 2], rng=0)
    model = nn.NeuralODE(field, "tsit5", TOLERANCE, TOLERANCE)
    t = np.linspace(0.0, 1.5, 30)
    data = np.array([2.0, 0.0]), t, np.zeros((30, 2))
    (first,), (fastest,) = best(lambda: model.loss_and_grad(*data))
    print(f"spiral            odekit      {fastest:9.3f}                       first call {first / 1e3:6.2f} s")
    report_fit("spiral          ", model, *data)


if __name__ == "__main__":
    main()
