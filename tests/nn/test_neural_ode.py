import numpy as np
import pytest

from odekit.nn import MLP, AugmentedODE, KineticEnergy, NeuralODE, SolveError

T = np.linspace(0.0, 2.0, 7)


@pytest.fixture
def model():
    return NeuralODE(MLP([2, 16, 2], rng=0))


@pytest.fixture
def y0():
    return np.random.default_rng(0).standard_normal((5, 2))


def test_solution_of_a_linear_field(y0):
    field = MLP([2, 2], rng=0)
    field.weights()["W1"][...] = [[0.0, 1.0], [-1.0, 0.0]]
    ys = NeuralODE(field, rtol=1e-10, atol=1e-10).solve(y0, T)
    cos, sin = np.cos(T)[:, None], np.sin(T)[:, None]
    exact = np.stack([cos * y0[:, 0] + sin * y0[:, 1], cos * y0[:, 1] - sin * y0[:, 0]], axis=2)
    np.testing.assert_allclose(ys, exact, atol=1e-8)


def test_shapes_follow_the_input(model, y0):
    ys = model.solve(y0, T)
    assert ys.shape == (7, 5, 2)
    assert np.array_equal(ys[0], y0)
    assert model.solve(y0[0], T).shape == (7, 2)
    _loss, grad, y0_grad = model.loss_and_grad(y0[0], T, np.zeros((7, 2)), with_y0=True)
    assert grad.shape == model.params.shape
    assert y0_grad.shape == (2,)


def test_there_and_back(model, y0):
    end = model.solve(y0, T)[-1]
    np.testing.assert_allclose(model.solve(end, T[::-1])[-1], y0, atol=1e-4)


def test_loss_is_the_mean_squared_error(model, y0):
    target = np.random.default_rng(1).standard_normal((7, 5, 2))
    loss, grad = model.loss_and_grad(y0, T, target)
    np.testing.assert_allclose(loss, np.mean((model.solve(y0, T) - target) ** 2), rtol=1e-12)
    direction = np.random.default_rng(2).standard_normal(grad.size)
    params, h, losses = model.params.copy(), 1e-5, []
    for k in (1, -1):
        model.params = params + k * h * direction
        losses.append(model.loss_and_grad(y0, T, target)[0])
    np.testing.assert_allclose(grad @ direction, (losses[0] - losses[1]) / (2 * h), rtol=1e-4)


def test_same_bits(model, y0):
    target = np.zeros((7, 5, 2))
    assert np.array_equal(model.loss_and_grad(y0, T, target)[1], model.loss_and_grad(y0, T, target)[1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"method": "leapfrog"},
            "method='leapfrog' is for systems of positions and momenta only, .* implicit_midpoint",
        ),
        ({"method": "tao4", "first_step": 0.1}, "method='tao4' is for systems of positions and momenta only"),
        ({"method": "LSODA"}, "method='LSODA' switches between methods; name one, for example tsit5"),
        ({"method": "magic"}, "method='magic' is unknown; expected one of auto, euler"),
        ({"adjoint": "exact"}, "adjoint='exact' is unknown; expected one of auto, discrete"),
        ({"rtol": -1.0}, "rtol must be a positive number, but it is -1.0"),
        ({"atol": "small"}, "atol must be a positive number, but it is 'small'"),
        ({"method": "rk4"}, "method='rk4' takes steps of fixed size: give it as first_step"),
    ],
)
def test_bad_options_are_quoted(options, message):
    with pytest.raises(ValueError, match=message):
        NeuralODE(MLP([2, 2]), **options)


@pytest.mark.parametrize(
    ("y0", "t", "target", "message"),
    [
        (np.ones((5, 3)), T, 0, r"y0 must have shape \(2,\) or \(B, 2\), but its shape is \(5, 3\)"),
        (np.full((5, 2), np.nan), T, np.ones((7, 5, 2)), r"y0 must be finite, but y0\[0, 0\] is nan"),
        (np.ones(2), [0.0, 2.0, 1.0], np.ones((3, 2)), r"t must be strictly .* but t\[1\] = 2.0 and t\[2\] = 1.0"),
        (np.ones(2), [0.0, 1.0, 1.0], np.ones((3, 2)), r"t must be strictly .* but t\[1\] = 1.0 and t\[2\] = 1.0"),
        (np.ones(2), [0.0], np.ones((1, 2)), r"at least 2 times, but its shape is \(1,\)"),
        (np.ones(2), [0.0, np.inf], np.ones((2, 2)), r"t must be finite, but t\[1\] is inf"),
        (np.ones(2), T, np.ones((6, 2)), r"target must have shape \(7, 2\), but its shape is \(6, 2\)"),
        (np.ones(2), T, np.full((7, 2), np.inf), r"target must be finite, but target\[0, 0\] is inf"),
    ],
)
def test_bad_data_is_quoted(model, y0, t, target, message):
    with pytest.raises(ValueError, match=message):
        model.loss_and_grad(y0, t, np.zeros((7, *y0.shape)) if np.isscalar(target) else target)


@pytest.mark.parametrize("make", [lambda array: array, lambda array: lambda ys: array], ids=["array", "function"])
@pytest.mark.parametrize("name", ["vjp", "gradient", "regularised_gradient"])
@pytest.mark.parametrize(
    "model",
    [
        NeuralODE(MLP([2, 3, 2], rng=0)),
        AugmentedODE(MLP([3, 3, 3], rng=0), extra=1),
        NeuralODE(MLP([2, 3, 2], rng=0), regularisers=[KineticEnergy(0.1)]),
    ],
    ids=["plain", "augmented", "regularised"],
)
def test_bad_cotangents_are_quoted(model, name, make, y0):
    bad, take = np.zeros((7, 5, 2)), getattr(model, name)
    bad[3, 2, 1] = -np.inf
    with pytest.raises(
        ValueError, match=r"cotangent must be finite, but cotangent\[3, 2, 1\] is -inf: the loss has no"
    ):
        take(y0, T, make(bad))
    with pytest.raises(ValueError, match=r"cotangent must have shape \(7, 5, 2\), but its shape is \(7, 5, 1\)"):
        take(y0, T, make(bad[..., :1]))
    with pytest.raises(TypeError, match="cotangent must be an array of real numbers, but it is None"):
        take(y0, T, make(None))
    if name == "vjp":  # the place is that in what was given
        with pytest.raises(ValueError, match=r"cotangent\[3, 1\] is -inf"):
            take(y0[0], T, make(bad[:, 2]))


def test_a_given_cotangent_is_refused_before_the_first_step(model, y0, monkeypatch):
    monkeypatch.setattr(type(model._adjoint), "gradient", None)
    with pytest.raises(ValueError, match="cotangent must be finite"):
        model.gradient(y0, T, np.full((7, 5, 2), np.nan))


def test_one_regulariser_is_no_list():
    with pytest.raises(
        TypeError, match=r"regularisers must be a list such as \[KineticEnergy\(0\.01\)\], but it is Kinetic"
    ):
        NeuralODE(MLP([2, 2]), regularisers=KineticEnergy(0.1))


def test_steps_of_trajectories(y0):
    with pytest.raises(ValueError, match="max_steps must be a positive integer, but it is 0"):
        NeuralODE(MLP([2, 2]), step_control="per_sample").trajectories(y0, T, max_steps=0)


def test_names_of_scipy():
    assert NeuralODE(MLP([2, 2]), "RK45").method == "dopri5"


def test_blow_up_says_where():
    field = MLP([1, 1], rng=0)
    field.params = [1e6, 0.0]
    with np.errstate(all="ignore"), pytest.raises(SolveError, match="t = "):
        NeuralODE(field, rtol=1e-9, atol=1e-9).solve([1.0], [0.0, 1e3])


def test_field_must_be_one():
    with pytest.raises(ValueError, match=r"as many outputs as inputs, but sizes is \[2, 3\]"):
        NeuralODE(MLP([2, 3]))
