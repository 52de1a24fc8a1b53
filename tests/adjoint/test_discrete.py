import numpy as np
import pytest

from odekit.nn import HNN, MLP, NeuralODE
from odekit.nn.adjoint import locate, tableau
from odekit.nn.rollout import integrate_lanes
from odekit.solvers.tables import EXPLICIT

from . import reference

FORWARD, BACKWARD = np.array([0.0, 0.3, 0.35, 0.71, 1.5]), np.array([1.0, 0.2, -0.9])


def model_of(field, method):
    return NeuralODE(field, method, 1e-4, 1e-4, first_step=0.25 if EXPLICIT[method].b_err is None else None)


def check(model, f, y0, t):
    """Gradients against complex steps through the accepted steps: all of y0, and directions of the parameters."""
    cotangent = np.random.default_rng(5).standard_normal((len(t), *y0.shape))
    table, params = EXPLICIT[model.method], model.params
    _, trajectory = integrate_lanes(model.field, y0, t, model.method, model.rtol, model.atol, model.first_step)

    def product(y, p):
        ys = reference.replay(table, lambda s, z: f(s, z, p), trajectory.steps, y.reshape(y0.shape), t)
        return (ys * cotangent).sum()

    ys, grad, y0_bar = model.vjp(y0, t, cotangent)
    np.testing.assert_allclose((ys * cotangent).sum(), product(y0, params), rtol=1e-12)
    np.testing.assert_allclose(
        y0_bar.ravel(), reference.complex_gradient(lambda y: product(y, params), y0.ravel()), rtol=1e-9, atol=1e-11
    )
    for direction in np.random.default_rng(6).standard_normal((4, params.size)):
        exact = reference.directional(lambda p: product(y0, p), params, direction)
        np.testing.assert_allclose(grad @ direction, exact, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("t", [FORWARD, BACKWARD], ids=["forward", "backward"])
@pytest.mark.parametrize("method", EXPLICIT)
def test_gradient_is_exact_through_the_accepted_steps(method, t):
    field = MLP([2, 8, 8, 2], rng=0, time_dependent=True)
    y0 = np.random.default_rng(1).standard_normal((3, 2))
    check(model_of(field, method), lambda s, y, p: reference.value(field, y, p, s), y0, t)


@pytest.mark.parametrize("times", [[0.0, 1.0], [0.0, 1e-3, 1.0], list(np.linspace(0, 2, 41))], ids=len)
def test_any_number_of_outputs_per_step(times):
    field = MLP([2, 8, 2], rng=0)
    y0 = np.random.default_rng(1).standard_normal((2, 2))
    for method in ("tsit5", "dop853", "rk4"):
        check(model_of(field, method), lambda s, y, p: reference.value(field, y, p), y0, np.array(times))


def test_trajectories_of_a_hamiltonian_network():
    energy = MLP([4, 8, 6, 1], rng=3)
    y0 = np.random.default_rng(1).standard_normal((3, 4))

    def f(s, y, p):
        g = reference.input_gradient(energy, y, p)
        return np.concatenate((g[:, 2:], -g[:, :2]), axis=1)

    check(model_of(HNN(energy), "tsit5"), f, y0, FORWARD)


def test_blocks_of_lanes_add_up():
    field = MLP([2, 8, 2], rng=0)
    model, rng = model_of(field, "tsit5"), np.random.default_rng(2)
    y0 = rng.standard_normal((150, 2))
    check_directions = rng.standard_normal((5, 150, 2))
    _ys, grad, y0_bar = model.vjp(y0, FORWARD, check_directions)
    _, trajectory = integrate_lanes(field, y0, FORWARD, "tsit5", 1e-4, 1e-4)
    direction = rng.standard_normal(y0.shape)

    def product(y):
        f = lambda s, z: reference.value(field, z)  # noqa: E731
        return (reference.replay(EXPLICIT["tsit5"], f, trajectory.steps, y, FORWARD) * check_directions).sum()

    exact = reference.directional(product, y0, direction)
    np.testing.assert_allclose((y0_bar * direction).sum(), exact, rtol=1e-10)
    assert np.array_equal(grad, model.vjp(y0, FORWARD, check_directions)[1])  # the same bits


@pytest.mark.parametrize("method", EXPLICIT)
def test_tableau_ends_at_the_new_solution(method):
    table, scheme = EXPLICIT[method], tableau(EXPLICIT[method])
    assert scheme.c[scheme.last] == 1.0
    np.testing.assert_allclose(scheme.a[scheme.last], scheme.b, atol=1e-15)
    np.testing.assert_allclose(scheme.dense.sum(axis=1), scheme.b, atol=1e-15 * np.abs(scheme.dense).sum(axis=1).max())
    assert scheme.slots == table.stages + len(table.extra_c) + (0 if table.fsal else 1)


def test_locate():
    node, first, theta = locate(np.array([0.0, 1.0, 2.0, 4.0]), np.array([0.0, 0.25, 1.0, 3.0, 3.5, 4.0]))
    assert node.tolist() == [0, 2, -1, 5]
    assert first.tolist() == [1, 3, 3, 6]
    assert theta.tolist() == [1.0, 0.25, 1.0, 0.5, 0.75, 1.0]
    node, first, theta = locate(np.array([1.0, 0.0, -2.0]), np.array([1.0, 0.5, -2.0]))
    assert node.tolist() == [0, -1, 2]
    assert first.tolist() == [1, 2, 3]
    assert theta.tolist() == [1.0, 0.5, 1.0]
