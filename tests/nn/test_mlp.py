import numpy as np
import pytest

from odekit.nn import MLP, header

from . import reference

ARCHITECTURES = [  # sizes, final_bias, time_dependent
    ([2, 8, 5, 3], True, False),
    ([3, 7, 3], False, True),
    ([2, 4], True, False),
    ([2, 3], False, True),
    ([2, 9, 6, 4, 1], True, True),
    ([4, 6, 1], False, False),
    ([2, 1], True, False),
]
T = 0.3


def network(sizes, final_bias, timed, activation="tanh", seed=1):
    mlp = MLP(sizes, activation, rng=seed, final_bias=final_bias, time_dependent=timed)
    mlp.params = np.random.default_rng(seed).standard_normal(mlp.params.size) * 0.7
    return mlp


@pytest.mark.parametrize("lanes", [1, 5, header.LANE_BLOCK + 3])
@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
def test_value_and_derivatives_against_complex_steps(architecture, lanes):
    mlp, rng = network(*architecture), np.random.default_rng(0)
    x, v = rng.standard_normal((lanes, mlp.sizes[0])), rng.standard_normal((lanes, mlp.sizes[-1]))
    dx, dparams = rng.standard_normal(x.shape), rng.standard_normal(mlp.params.size)

    value = reference.value(mlp, x, t=T)
    np.testing.assert_allclose(mlp(x, T), value, rtol=1e-13, atol=1e-13)
    y, x_bar, params_bar = mlp.vjp(x, v, T)
    np.testing.assert_allclose(y, value, rtol=1e-13, atol=1e-13)
    gradient = reference.complex_gradient(lambda p: (reference.value(mlp, x, p, T) * v).sum(), mlp.params)
    np.testing.assert_allclose(params_bar, gradient, rtol=1e-11, atol=1e-12)
    gradient = reference.complex_gradient(
        lambda q: (reference.value(mlp, q.reshape(x.shape), t=T) * v).sum(), x.ravel()
    )
    np.testing.assert_allclose(x_bar.ravel(), gradient, rtol=1e-11, atol=1e-12)

    y, dy = mlp.jvp(x, dx, T)
    np.testing.assert_allclose(y, value, rtol=1e-13, atol=1e-13)
    exact = reference.directional(lambda q: reference.value(mlp, q, t=T), x, dx)
    np.testing.assert_allclose(dy, exact, rtol=1e-11, atol=1e-12)
    _, dy = mlp.jvp(x, dx, T, dparams)
    exact += reference.directional(lambda p: reference.value(mlp, x, p, T), mlp.params, dparams)
    np.testing.assert_allclose(dy, exact, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("activation", reference.FUNCTIONS)
def test_every_activation(activation):
    mlp, rng = network([2, 6, 5, 1], True, False, activation), np.random.default_rng(0)
    x, u = rng.standard_normal((9, 2)), rng.standard_normal((9, 2))
    _, x_bar, params_bar = mlp.vjp(x, np.ones((9, 1)))
    gradient = reference.complex_gradient(lambda p: reference.value(mlp, x, p).sum(), mlp.params)
    np.testing.assert_allclose(params_bar, gradient, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(mlp.gradient(x), reference.input_gradient(mlp, x), rtol=1e-12)
    np.testing.assert_allclose(x_bar, reference.input_gradient(mlp, x), rtol=1e-12)
    _, _, params_bar = mlp.gradient_vjp(x, u)
    gradient = reference.complex_gradient(lambda p: (reference.input_gradient(mlp, x, p) * u).sum(), mlp.params)
    np.testing.assert_allclose(params_bar, gradient, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("lanes", [1, header.LANE_BLOCK + 3])
@pytest.mark.parametrize("architecture", [a for a in ARCHITECTURES if a[0][-1] == 1], ids=str)
def test_gradient_of_the_input_gradient(architecture, lanes):
    mlp, rng = network(*architecture), np.random.default_rng(0)
    x, u = rng.standard_normal((2, lanes, mlp.sizes[0]))
    value, x_bar, params_bar = mlp.gradient_vjp(x, u, T)
    np.testing.assert_allclose(value, reference.input_gradient(mlp, x, t=T), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(value, mlp.gradient(x, T), rtol=1e-14)

    def product(q, p):
        return (reference.input_gradient(mlp, q.reshape(x.shape), p, T) * u).sum()

    exact = reference.complex_gradient(lambda p: product(x, p), mlp.params)
    np.testing.assert_allclose(params_bar, exact, rtol=1e-11, atol=1e-12)
    exact = reference.complex_gradient(lambda q: product(q, mlp.params), x.ravel())
    np.testing.assert_allclose(x_bar.ravel(), exact, rtol=1e-11, atol=1e-12)


def test_shapes_follow_the_input():
    mlp = MLP([3, 4, 2], rng=0)
    assert mlp([1, 2, 3]).shape == (2,)
    assert mlp(np.ones((5, 3))).shape == (5, 2)
    assert np.array_equal(mlp(np.ones((5, 3)))[0], mlp(np.ones(3)))
    y, x_bar, _ = mlp.vjp(np.ones(3), np.ones(2))
    assert y.shape == (2,)
    assert x_bar.shape == (3,)
    assert mlp.jvp(np.ones(3), np.ones(3))[1].shape == (2,)


def test_parameters_are_one_vector_with_named_views():
    mlp = MLP([2, 3, 1], rng=0, final_bias=False)
    weights = mlp.weights()
    assert [(name, view.shape) for name, view in weights.items()] == [("W1", (3, 2)), ("b1", (3,)), ("W2", (1, 3))]
    weights["W2"][...] = 7.0
    assert mlp.params[-3:].tolist() == [7.0] * 3
    mlp.params = np.arange(12.0)
    assert mlp.weights()["b1"].tolist() == [6.0, 7.0, 8.0]


def test_initialisation():
    assert np.array_equal(MLP([4, 9, 4], rng=3).params, MLP([4, 9, 4], rng=3).params)
    assert not np.array_equal(MLP([4, 9, 4], rng=3).params, MLP([4, 9, 4], rng=4).params)
    for n in (3, 20):
        w = MLP([n, 9, 4], init="orthogonal", rng=0).weights()["W1"]
        np.testing.assert_allclose(w.T @ w if n < 9 else w @ w.T, np.eye(min(n, 9)), atol=1e-14)
    assert np.abs(MLP([50, 70, 1], rng=0).weights()["W1"]).max() <= np.sqrt(6 / 120)
    assert abs(MLP([50, 700, 1], rng=0, init="he").weights()["W1"].std() - 0.2) < 0.01


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MLP([2]), r"sizes must name at least an input and an output layer, but it is \[2\]"),
        (lambda: MLP([2, 0, 1]), r"sizes\[1\] must be a positive integer, but it is 0"),
        (lambda: MLP(3), "sizes must be a list of layer sizes, but it is 3"),
        (lambda: MLP([2, 2], activation="gelu"), "activation='gelu' is unknown; expected one of tanh, softplus"),
        (lambda: MLP([2, 2], init="zeros"), "init='zeros' is unknown; expected one of glorot, he, orthogonal"),
        (lambda: MLP([2, 2])(np.ones(3)), r"x must have shape \(2,\) or \(B, 2\), but its shape is \(3,\)"),
        (lambda: MLP([2, 2]).vjp(np.ones((3, 2)), np.ones((2, 2))), "same number of rows, but have 3 and 2"),
        (lambda: MLP([2, 2]).jvp(np.ones(2), np.ones(3)), r"dx must have shape \(1, 2\), but its shape is \(1, 3\)"),
        (lambda: MLP([2, 2]).jvp(np.ones(2), [1.0, [2.0]]), "dx must be an array of numbers, rows of the same length"),
        (lambda: MLP([2, 2]).vjp(np.ones(2), [1.0, np.inf]), r"v must be finite, but v\[1\] is inf"),
        (lambda: MLP([2, 2])(np.ones(2), t="now"), "t must be a finite number, but it is 'now'"),
        (
            lambda: MLP([2, 2]).vjp(np.ones((3, 2)), np.ones((3, 2)), t=np.ones(3)),
            r"t must be a finite number, but it is array",
        ),
        (lambda: MLP([2, 3]).dim, r"as many outputs as inputs, but sizes is \[2, 3\]"),
        (lambda: MLP([2, 3]).gradient(np.ones(2)), r"needs one output, but sizes is \[2, 3\]"),
        (lambda: setattr(MLP([2, 2]), "params", np.ones(5)), r"params must have shape \(6,\), but its shape is \(5,\)"),
        (lambda: setattr(MLP([1, 1]), "params", [1, np.nan]), r"params must be finite, but params\[1\] is nan"),
    ],
)
def test_bad_input_is_quoted(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_what_no_generator_comes_from():
    with pytest.raises(
        TypeError, match=r"rng must be None, an integer of at least 0 or a numpy\.random\.Generator, but it is 'a'"
    ):
        MLP([2, 2], rng="a")


def test_numbers_only():
    with pytest.raises(TypeError, match="x must be an array of real numbers, but its dtype is complex128"):
        MLP([2, 2])(np.ones(2) * 1j)


@pytest.mark.parametrize("activation", ["tanh", "softplus"])
def test_residual_layers(activation):
    """All products of a network whose second and fourth layers add their input, against complex steps."""
    net = MLP([3, 5, 5, 4, 4, 1], activation, rng=0, residual=True, time_dependent=True)
    rng, t = np.random.default_rng(1), 0.3
    net.params += 0.1 * rng.standard_normal(net.params.size)
    x, u = rng.standard_normal((2, 4, 3))
    v = rng.standard_normal((4, 1))
    y, x_bar, params_bar = net.vjp(x, v, t)
    for found in (net(x, t), y):
        np.testing.assert_allclose(found, reference.value(net, x, t=t), rtol=1e-13)
    along = reference.directional(lambda z: reference.value(net, z, t=t), x, u)
    np.testing.assert_allclose(net.jvp(x, u, t)[1], along, rtol=1e-12)
    np.testing.assert_allclose((x_bar * u).sum(1), (along * v).sum(1), rtol=1e-12)
    exact = reference.complex_gradient(lambda p: (v * reference.value(net, x, p, t)).sum(), net.params)
    np.testing.assert_allclose(params_bar, exact, rtol=1e-11, atol=1e-13)
    gradient, hessian_u, params_bar = net.gradient_vjp(x, u, t)
    for found in (net.gradient(x, t), gradient):
        np.testing.assert_allclose(found, reference.input_gradient(net, x, t=t), rtol=1e-12)
    exact = reference.directional(lambda z: reference.input_gradient(net, z, t=t), x, u)
    np.testing.assert_allclose(hessian_u, exact, rtol=1e-11, atol=1e-13)
    exact = reference.complex_gradient(lambda p: (u * reference.input_gradient(net, x, p, t)).sum(), net.params)
    np.testing.assert_allclose(params_bar, exact, rtol=1e-11, atol=1e-13)
