"""Lagrangian networks against the definition of the Euler-Lagrange equations in plain NumPy, by complex steps."""

import numpy as np
import pytest

import odekit.nn
from odekit.nn import LNN, MLP

from . import reference


def curvatures(activation, z):
    """Second derivative of the activation, analytic."""
    s = 1 / (1 + np.exp(-z))
    return {
        "tanh": lambda: -2 * np.tanh(z) * (1 - np.tanh(z) ** 2),
        "softplus": lambda: s * (1 - s),
        "sigmoid": lambda: s * (1 - s) * (1 - 2 * s),
        "sin": lambda: -np.sin(z),
    }[activation]()


def hessian(mlp, x, params, t):
    """Hessian of a network of one or two hidden layers, by forward and backward rules in NumPy; also for complex arguments."""
    w = mlp.named(params)
    full = np.concatenate((x, np.full((len(x), 1), t)), axis=1) if mlp.time_dependent else x
    last = len(mlp.sizes) - 1
    jac = np.broadcast_to(np.eye(full.shape[1]), (len(x), *[full.shape[1]] * 2)).astype(params.dtype)
    a, layers = full, []
    for k in range(1, last):
        z = a @ w[f"W{k}"].T + w[f"b{k}"]
        z_jac = np.einsum("ij,bjk->bik", w[f"W{k}"], jac)
        layers.append((z, z_jac))
        a, jac = reference.FUNCTIONS[mlp.activation](z), reference.slope(mlp, z)[:, :, None] * z_jac
    total, e = 0.0, np.repeat(w[f"W{last}"], len(x), axis=0)
    for k in range(last - 1, 0, -1):
        z, z_jac = layers[k - 1]
        total = total + np.einsum("bi,bij,bik->bjk", curvatures(mlp.activation, z) * e, z_jac, z_jac)
        e = (reference.slope(mlp, z) * e) @ w[f"W{k}"]
    return total[:, : mlp.sizes[0], : mlp.sizes[0]]


def field(model, x, params, t):
    k = model.dim // 2
    hess, slope = hessian(model.field, x, params, t), reference.input_gradient(model.field, x, params, t)
    right = slope[:, :k] - np.einsum("bij,bj->bi", hess[:, k:, :k], x[:, k:])
    mass = hess[:, k:, k:] + model.ridge * np.eye(k)
    return np.concatenate((x[:, k:], np.linalg.solve(mass, right[:, :, None])[:, :, 0]), axis=1)


MODELS = {
    "softplus": lambda: LNN(MLP([4, 7, 6, 1], "softplus", rng=0)),
    "tanh in time": lambda: LNN(MLP([2, 6, 5, 1], "tanh", rng=0, time_dependent=True), ridge=0.5),
    "sin": lambda: LNN(MLP([6, 5, 1], "sin", rng=0)),
    "sigmoid": lambda: LNN(MLP([2, 5, 4, 1], "sigmoid", rng=0, final_bias=False)),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("samples", [1, 70])
def test_field_and_its_transpose(name, samples):
    model, rng, t = MODELS[name](), np.random.default_rng(1), 0.3
    x, v, u = rng.standard_normal((3, samples, model.dim))
    y, x_bar, params_bar = model.vjp(x, v, t)
    expected = field(model, x, model.params, t)
    np.testing.assert_allclose(model(x, t), expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(y, expected, rtol=1e-10, atol=1e-12)
    along_x = reference.directional(lambda z: (v * field(model, z, model.params.astype(z.dtype), t)).sum(1), x, u)
    np.testing.assert_allclose((x_bar * u).sum(1), along_x, rtol=1e-10, atol=1e-10)
    exact = reference.complex_gradient(lambda p: (v * field(model, x, p, t)).sum(), model.params)
    np.testing.assert_allclose(params_bar, exact, rtol=1e-10, atol=1e-10)


def test_loss_on_accelerations():
    model, rng = MODELS["softplus"](), np.random.default_rng(2)
    x, target = rng.standard_normal((80, 4)), rng.standard_normal((80, 2))
    loss, grad = model.loss_and_grad(x, target)

    def exact(p):
        return ((field(model, x, p, 0.0)[:, 2:] - target) ** 2).mean()

    np.testing.assert_allclose(loss, exact(model.params), rtol=1e-12)
    np.testing.assert_allclose(grad, reference.complex_gradient(exact, model.params), rtol=1e-10, atol=1e-11)


def test_learned_energy_is_conserved_and_mass_is_the_hessian():
    model = LNN(MLP([4, 8, 1], "softplus", rng=0), angles=True)
    y0 = np.random.default_rng(3).standard_normal((3, 4))
    ys = model.solve(y0, np.linspace(0, 5, 6))
    assert (ys[..., :2] < 2 * np.pi).all() and (ys[..., :2] > 0).any()
    shifted = y0 + [2 * np.pi, -4 * np.pi, 0, 0]
    np.testing.assert_allclose(model(shifted), model(y0), rtol=1e-11, atol=1e-12)
    assert model.energy(y0[0]) == pytest.approx(model.energy(shifted)[0], rel=1e-12)
    expected = hessian(model.field, np.c_[np.mod(y0[:, :2], 2 * np.pi), y0[:, 2:]], model.params, 0.0)[
        :, 2:, 2:
    ] + np.eye(2)
    np.testing.assert_allclose(model.mass_matrix(y0), expected, rtol=1e-11, atol=1e-13)
    assert (model.signature(y0) == 2).all()
    free = LNN(MLP([4, 8, 1], "softplus", rng=0))  # without a jump at 2 pi
    ys = free.solve(y0, np.linspace(0, 5, 6))
    assert np.ptp(free.energy(ys.reshape(-1, 4)).reshape(6, 3), axis=0).max() < 1e-7


def test_training_and_file(tmp_path):
    model = LNN(MLP([2, 16, 1], "softplus", rng=0))
    x = np.random.default_rng(0).uniform(-2, 2, (200, 2))
    history = odekit.nn.fit(
        model, x, -np.sin(x[:, :1]), optimizer=odekit.nn.Adam(1e-2), steps=400, batch_size=100, rng=0
    )
    assert history.loss[-10:].mean() < 0.02 * history.loss[0]
    model.save(tmp_path / "lnn.h5")
    again = odekit.nn.load(tmp_path / "lnn.h5")
    assert repr(again) == repr(model) and np.array_equal(again(x), model(x))


def test_bad_arguments():
    for sizes in ([3, 4, 1], [2, 1]):
        with pytest.raises(
            ValueError, match=r"network of 2 k inputs .*, a hidden layer and 1 output, but its sizes are"
        ):
            LNN(MLP(sizes))
    with pytest.raises(ValueError, match="one of tanh, softplus, sigmoid, sin, but its network has relu"):
        LNN(MLP([2, 4, 1], "relu"))
    with pytest.raises(ValueError, match="ridge must be a finite number, not negative, but it is -1"):
        LNN(MLP([2, 4, 1]), -1)
    model = LNN(MLP([2, 4, 1]), ridge=0.0)
    model.params[:] = 0.0
    with pytest.raises(
        np.linalg.LinAlgError, match="of sample 0 is singular: its eigenvalues are 0; expected a regular"
    ):
        model.loss_and_grad(np.ones((2, 2)), np.ones((2, 1)))
