"""The exact gradient through Rosenbrock steps: memory, blocks of lanes, and what went wrong, in sentences."""

import numpy as np

from ..solvers.rosenbrock_tables import ROSENBROCK
from . import coupled, rosenbrock_steps
from .blocks import LANE_BLOCK
from .interpolating import rate, rates_along
from .result import Gradient, seeds_of
from .rosenbrock_scheme import rosenbrock_scheme
from .seeding import locate
from .sweeps import SolveError

METHODS = tuple(ROSENBROCK)
WORDS = {
    rosenbrock_steps.FIELD_RAISED: "the vector field raised an exception",
    rosenbrock_steps.SINGULAR: "the matrix of the step was singular",
    rosenbrock_steps.NOT_FINITE: "the new state was not finite",
}


def bends(field):
    """Whether a field knows the second derivatives that the exact adjoint of Rosenbrock steps needs."""
    return getattr(field.kernels, "bends", False)


def _check(code, steps, n):
    """Raise a `SolveError` unless the code is DONE; `n` is the step."""
    if code != rosenbrock_steps.DONE:
        raise SolveError(
            f"{WORDS[code]} in the Rosenbrock step at t = {steps[n]:.6g} (step size h = {steps[n + 1] - steps[n]:.3g}), taken once "
            "more for its gradient"
        )


def gradient(field, y0, t, cotangent, method, rtol, atol, first_step, with_times, max_steps):
    """Outputs of a solve, and the derivatives of a loss on them; see `odekit.adjoint.DiscreteAdjoint.gradient`.

    Raises
    ------
    ValueError
        If the field knows no second derivatives.
    SolveError
        If a step cannot be taken.
    """
    if not bends(field):
        name = getattr(field, "name", type(field).__name__)
        raise ValueError(
            f"the exact adjoint of {method} needs second derivatives of the vector field, which {name} does not have; "
            "adjoint='interpolating' and the other implicit methods do without"
        )
    scheme, (width, d), n_params = rosenbrock_scheme(method), y0.shape, field.params.size
    steps = coupled.trajectories(field, y0, t, method, rtol, atol, first_step, max_steps)[1].steps
    n, s, kernels = steps.size - 1, scheme.c.size, field.kernels
    p = field.pack(min(width, LANE_BLOCK), 1, directions=max(d + 1, s))
    y, blocks = np.empty((len(t), width, d)), []
    for begin in range(0, width, LANE_BLOCK):
        rows = slice(begin, begin + LANE_BLOCK)
        lanes = len(y0[rows])
        size = d * lanes
        states, unknowns, outputs = np.empty((n + 1, size)), np.empty((n, s, size)), np.empty((len(t), size))
        states[0] = y0[rows].T.ravel()
        code, where = rosenbrock_steps.sweep(
            kernels.value, kernels.tangents, p, lanes, scheme.arrays, steps, states, unknowns, t, outputs
        )
        _check(code, steps, where)
        y[:, rows] = outputs.reshape(len(t), d, lanes).transpose(0, 2, 1)
        blocks.append((rows, lanes, states, unknowns))
    seeds = seeds_of(cotangent, y)
    node, first = locate(steps, t)
    grad, y0_bar = np.zeros(n_params), np.empty_like(y0)
    for rows, lanes, states, unknowns in blocks:
        lam = np.empty(d * lanes)
        code = rosenbrock_steps.pull_back(
            kernels.record, kernels.pull, kernels.tangents, kernels.pull_tangents, p, lanes, scheme.arrays, steps, states, unknowns,
            node, first, t, np.ascontiguousarray(seeds[:, rows].transpose(0, 2, 1)).reshape(len(t), -1), lam, grad,
        )  # fmt: skip
        _check(code, steps, 0)
        y0_bar[rows] = lam.reshape(d, lanes).T
    times = None
    if with_times:
        times = rates_along(field, y, t, seeds)
        times[0] = -np.sum((y0_bar - seeds[0]) * rate(field, y0, t[0]))
    return Gradient(y, grad, y0_bar, times, {"naccept": n, "states": n * (s + 1), "tapes": 0})
