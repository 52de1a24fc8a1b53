import numpy as np
import pytest

from odekit.nn import HNN, MLP, DerivativeModel, NeuralODE

from . import reference


@pytest.fixture
def model():
    return HNN(MLP([4, 9, 7, 1], rng=0))


def field(energy, x, params):
    g = reference.input_gradient(energy, x, params)
    half = x.shape[1] // 2
    return np.concatenate((g[:, half:], -g[:, :half]), axis=1)


def test_field_and_energy(model):
    x = np.random.default_rng(0).standard_normal((70, 4))
    np.testing.assert_allclose(model.derivative(x), field(model.field, x, model.params), rtol=1e-12, atol=1e-13)
    assert np.array_equal(model.energy(x), model.field(x)[:, 0])
    assert model.derivative(x[0]).shape == (4,)
    assert np.ndim(model.energy(x[0])) == 0


@pytest.mark.parametrize("samples", [1, 150])
def test_gradient_of_the_loss_on_derivatives(model, samples):
    rng = np.random.default_rng(0)
    x, dxdt = rng.standard_normal((2, samples, 4))
    loss, grad = model.loss_and_grad(x, dxdt)

    def exact(p):
        return ((field(model.field, x, p) - dxdt) ** 2).mean()

    np.testing.assert_allclose(loss, exact(model.params), rtol=1e-12)
    np.testing.assert_allclose(grad, reference.complex_gradient(exact, model.params), rtol=1e-11, atol=1e-13)


def test_plain_baseline_has_the_same_loss():
    plain = DerivativeModel(MLP([4, 9, 4], rng=0))
    x, dxdt = np.random.default_rng(0).standard_normal((2, 80, 4))
    loss, grad = plain.loss_and_grad(x, dxdt)

    def exact(p):
        return ((reference.value(plain.field, x, p) - dxdt) ** 2).mean()

    np.testing.assert_allclose(loss, exact(plain.params), rtol=1e-12)
    np.testing.assert_allclose(grad, reference.complex_gradient(exact, plain.params), rtol=1e-11, atol=1e-13)


def test_energy_is_conserved_along_rollouts(model):
    y0 = np.random.default_rng(1).standard_normal((3, 4))
    ys = model.solve(y0, np.linspace(0, 20, 11))
    assert ys.shape == (11, 3, 4)
    assert np.ptp(model.energy(ys.reshape(-1, 4)).reshape(11, 3), axis=0).max() < 1e-7
    assert np.array_equal(ys, NeuralODE(model, "dop853", 1e-9, 1e-9).solve(y0, np.linspace(0, 20, 11)))


@pytest.mark.parametrize("sizes", [[3, 8, 1], [2, 8, 2]])
def test_network_must_fit(sizes):
    with pytest.raises(ValueError, match="an HNN needs a network of 2 k inputs"):
        HNN(MLP(sizes))


def test_bad_data_is_quoted(model):
    with pytest.raises(ValueError, match=r"dxdt must have shape \(2, 4\), but its shape is \(3, 4\)"):
        model.loss_and_grad(np.ones((2, 4)), np.ones((3, 4)))
    with pytest.raises(ValueError, match=r"x must be finite, but x\[0, 1\] is nan"):
        model.loss_and_grad([[1, np.nan, 1, 1]], np.ones((1, 4)))


def test_field_must_be_a_network():
    with pytest.raises(TypeError, match=r"field must be an odekit\.nn\.MLP, but it is a function"):
        HNN(lambda x: x)
    with pytest.raises(
        TypeError, match=r"field must be a network such as odekit\.nn\.MLP or odekit\.nn\.HNN, but it is a function"
    ):
        DerivativeModel(lambda x: x)
