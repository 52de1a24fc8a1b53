import itertools

import numpy as np
import pytest
from nn import reference

from odekit.adjoint import DiscreteAdjoint, ReversibleAdjoint
from odekit.adjoint.seeding import locate
from odekit.nn import MLP, NeuralODE
from odekit.solvers.tables import EXPLICIT

T = np.array([0.0, 0.5, 0.75, 2.0])
COUPLING = 0.99


def psi(table, f, start, end, y):
    h, k = end - start, []
    for c, row in zip(table.c, table.A, strict=True):
        k.append(f(end if c == 1 else start + c * h, y + h * reference.combine(row, k, y)))
    return h * reference.combine(table.b, k, y)


def replay(table, f, steps, y0, node):
    """The reversible method through given steps, for complex numbers too."""
    y = z = y0
    outputs = [y]
    for n, (start, end) in enumerate(itertools.pairwise(steps)):
        y = COUPLING * y + (1 - COUPLING) * z + psi(table, f, start, end, z)
        z = z - psi(table, f, end, start, y)
        if node[n + 1] > 0:
            outputs.append(y)
    return np.array(outputs)


@pytest.mark.parametrize("method", ["bosh3", "tsit5", "dop853", "rk4"])
def test_exact_through_the_accepted_steps(method, monkeypatch):
    field = MLP([2, 8, 2], rng=0, time_dependent=True)
    fixed = EXPLICIT[method].b_err is None
    adjoint = ReversibleAdjoint(COUPLING)
    model = NeuralODE(field, method, 1e-4, 1e-4, adjoint=adjoint, first_step=0.11 if fixed else None)
    rng = np.random.default_rng(1)
    y0, cotangent = rng.standard_normal((40, 2)), rng.standard_normal((T.size, 40, 2))
    seen = []
    monkeypatch.setattr(
        "odekit.adjoint.reversible.locate", lambda steps, t: seen.append(steps.copy()) or locate(steps, t)
    )
    result = model.gradient(y0, T, cotangent)
    (steps,) = seen
    node, params = locate(steps, T)[0], model.params

    def product(y, p):
        f = lambda s, z: reference.value(field, z, p, s)  # noqa: E731
        return (replay(EXPLICIT[method], f, steps, y, node) * cotangent).sum()

    np.testing.assert_allclose((result.y * cotangent).sum(), product(y0, params), rtol=1e-12)
    for direction in rng.standard_normal((3, params.size)):
        exact = reference.directional(lambda p: product(y0, p), params, direction)
        np.testing.assert_allclose(result.params @ direction, exact, rtol=1e-10)
    direction = rng.standard_normal(y0.shape)
    exact = reference.directional(lambda y: product(y, params), y0, direction)
    np.testing.assert_allclose((result.y0 * direction).sum(), exact, rtol=1e-10)
    assert result.counts["states"] == 2
    assert result.counts["drift"] < 1e-12


def test_converges_to_the_solution():
    field, y0 = MLP([2, 8, 2], rng=0), np.ones((1, 2))
    exact = NeuralODE(field, "dop853", 1e-12, 1e-12).solve(y0, T)
    errors = []
    for tol in (1e-4, 1e-6, 1e-8):
        result = NeuralODE(field, "dopri5", tol, tol, adjoint=ReversibleAdjoint()).gradient(y0, T, np.zeros((4, 1, 2)))
        errors.append(np.abs(result.y - exact).max())
        assert errors[-1] < 20 * tol
    assert errors[2] < 1e-2 * errors[0]


def test_close_to_the_gradient_of_the_method_itself():
    rng = np.random.default_rng(1)
    y0, cotangent = rng.standard_normal((3, 2)), rng.standard_normal((T.size, 3, 2))
    grads = [
        NeuralODE(MLP([2, 8, 2], rng=0), "tsit5", 1e-9, 1e-9, adjoint=adjoint).gradient(y0, T, cotangent).params
        for adjoint in (ReversibleAdjoint(), DiscreteAdjoint())
    ]
    np.testing.assert_allclose(*grads, rtol=1e-6)


def test_bad_input():
    with pytest.raises(ValueError, match="coupling must lie between 0 and 1"):
        ReversibleAdjoint(1.0)
    model = NeuralODE(MLP([2, 2]), adjoint="reversible")
    with pytest.raises(ValueError, match="output times"):
        model.gradient(np.ones((1, 2)), T, np.zeros((4, 1, 2)), with_times=True)
    with pytest.raises(ValueError, match="takes explicit methods, but method='radau'"):
        NeuralODE(MLP([2, 2]), "radau", adjoint="reversible")
