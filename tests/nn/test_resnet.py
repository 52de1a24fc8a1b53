"""Residual networks against their definition, and their limit."""

import numpy as np
import pytest

import odekit.nn
from odekit.nn import MLP, NeuralODE, ResNet

from . import reference


def output(model, x, params):
    n = model.field.params.size
    for k in range(model.depth):
        layer = params if model.shared else params[k * n : (k + 1) * n]
        x = x + model.step * reference.value(model.field, x, layer, k * model.step)
    return x


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("samples", [3, 70])
def test_output_and_gradients(shared, samples, tmp_path):
    model, rng = ResNet(MLP([3, 5, 3], rng=0, time_dependent=True), 4, 2.0, shared), np.random.default_rng(0)
    model.params[:] += 0.3 * rng.standard_normal(model.params.size)
    x, target, u = rng.standard_normal((3, samples, 3))
    np.testing.assert_allclose(model(x), output(model, x, model.params), rtol=1e-12, atol=1e-13)
    loss, grad = model.loss_and_grad(x, target)

    def exact(params):
        return ((output(model, x, params) - target) ** 2).mean()

    np.testing.assert_allclose(loss, exact(model.params), rtol=1e-12)
    np.testing.assert_allclose(grad, reference.complex_gradient(exact, model.params), rtol=1e-10, atol=1e-12)
    y, x_bar, params_bar = model.vjp(x, 2 * (model(x) - target) / target.size)
    np.testing.assert_allclose(params_bar, grad, rtol=1e-12, atol=1e-15)
    along = reference.directional(lambda z: ((output(model, z, model.params) - target) ** 2).mean(), x, u)
    np.testing.assert_allclose((x_bar * u).sum(), along, rtol=1e-10)
    model.save(tmp_path / "resnet.h5")
    again = odekit.nn.load(tmp_path / "resnet.h5")
    assert repr(again) == repr(model) and np.array_equal(again(x), y)


@pytest.mark.parametrize("shared", [True, False])
def test_order_one_in_the_depth(shared):
    field = MLP([2, 8, 2], rng=0)
    x = np.random.default_rng(0).standard_normal((5, 2))
    start, change = field.params.copy(), 0.3 * np.random.default_rng(1).standard_normal(field.params.size)
    outputs = []
    for depth in (8, 16, 32, 64, 128, 2048, 4096):
        model = ResNet(field, depth, shared=shared)
        if not shared:  # weights that are samples of a smooth function of the time
            times = np.arange(depth)[:, None] / depth
            model.params = (start + np.sin(3 * times) * change).ravel()
        outputs.append(model(x))
    limit = 2 * outputs[-1] - outputs[-2]
    if shared:
        solution = NeuralODE(field, "dop853", 1e-12, 1e-12).solve(x, [0.0, 1.0])[1]
        np.testing.assert_allclose(limit, solution, rtol=1e-6, atol=1e-7)
    errors = [np.abs(y - limit).max() for y in outputs[:5]]
    slope = np.polyfit(np.log([8, 16, 32, 64, 128]), np.log(errors), 1)[0]
    assert abs(slope + 1) < 0.05


def test_there_and_back():
    model = ResNet(MLP([2, 6, 2], rng=0), 10, 0.5)
    ode, x = model.to_neural_ode(), np.random.default_rng(0).standard_normal((4, 2))
    again = ResNet.from_neural_ode(ode, 0.5)
    assert again.depth == 10 and again.field is model.field
    np.testing.assert_allclose(ode.solve(x, [0.0, 0.5])[1], model(x), rtol=1e-13)
    target = np.random.default_rng(1).standard_normal((2, 4, 2))
    target[0] = x  # the loss of the differential equation counts the start, too
    loss, grad = model.loss_and_grad(x, target[1])
    other = ode.loss_and_grad(x, [0.0, 0.5], target)
    np.testing.assert_allclose(2 * other[0], loss, rtol=1e-12)
    np.testing.assert_allclose(2 * other[1], grad, rtol=1e-11, atol=1e-15)


def test_bad_arguments():
    with pytest.raises(ValueError, match="depth must be a positive integer, but it is 0"):
        ResNet(MLP([2, 3, 2]), 0)
    with pytest.raises(ValueError, match="weights of their own is no differential equation"):
        ResNet(MLP([2, 3, 2]), 3, shared=False).to_neural_ode()
    with pytest.raises(ValueError, match="but the model has method='tsit5'"):
        ResNet.from_neural_ode(NeuralODE(MLP([2, 3, 2])))
    with pytest.raises(ValueError, match=r"the step 0\.3 does not divide t1=1\.0"):
        ResNet.from_neural_ode(NeuralODE(MLP([2, 3, 2]), "euler", first_step=0.3))
