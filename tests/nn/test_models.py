"""Fields made of networks, each against its definition in plain NumPy, differentiated by complex steps."""

import copy
import pickle

import numpy as np
import pytest

import odekit.nn
from odekit.nn import (
    HNN,
    MLP,
    AntisymmetricField,
    AugmentedODE,
    DissipativeHNN,
    NeuralODE,
    ScaledField,
    SecondOrderODE,
    SeparableHNN,
)

from . import reference


def second_order(model, x, params, t):
    half = x.shape[1] // 2
    return np.concatenate((x[:, half:], reference.value(model.field, x, params, t)), axis=1)


def antisymmetric(model, x, params, t):
    d = model.dim
    w, b = params[: d * d].reshape(d, d), params[d * d : d * d + d]
    z = x @ (w - w.T - model.gamma * np.eye(d)).T + b
    return np.tanh(z + t * params[d * d + d :] if model.time_dependent else z)


def separable(model, x, params, t):
    half, count = x.shape[1] // 2, model.kinetic.params.size
    velocity = reference.input_gradient(model.kinetic, x[:, half:], params[:count], t)
    return np.concatenate(
        (velocity, -reference.input_gradient(model.potential, x[:, :half], params[count:], t)), axis=1
    )


def dissipative(model, x, params, t):
    half, count = x.shape[1] // 2, model.conserved.params.size
    h = reference.input_gradient(model.conserved, x, params[:count], t)
    d = reference.input_gradient(model.dissipated, x, params[count:], t)
    return np.concatenate((h[:, half:], -h[:, :half]), axis=1) + d


def scaled(model, x, params, t):
    relaxed = x / model.scale if model.leak else 0.0
    return model.rate * model.scale * (reference.value(model.field, x / model.scale, params, t) - relaxed)


FIELDS = {
    "scaled": (
        lambda: ScaledField(MLP([2, 6, 2], rng=0, time_dependent=True), [0.5, 3.0], [7.0, 0.2], leak=True),
        scaled,
    ),
    "separable": (
        lambda: SeparableHNN(MLP([2, 6, 1], rng=0), MLP([2, 5, 4, 1], "softplus", rng=1, time_dependent=True)),
        separable,
    ),
    "dissipative": (
        lambda: DissipativeHNN(
            MLP([4, 5, 1], rng=0), MLP([4, 3, 3, 1], "sin", rng=1, time_dependent=True, residual=True)
        ),
        dissipative,
    ),
    "second order": (lambda: SecondOrderODE(MLP([4, 7, 2], rng=0, time_dependent=True)), second_order),
    "antisymmetric": (lambda: AntisymmetricField(5, 0.2, rng=0), antisymmetric),
    "antisymmetric in time": (lambda: AntisymmetricField(4, rng=0, time_dependent=True), antisymmetric),
}


@pytest.fixture(params=FIELDS)
def case(request):
    make, definition = FIELDS[request.param]
    model = make()
    model.params[:] += 0.1 * np.random.default_rng(5).standard_normal(model.params.size)
    return model, definition


@pytest.mark.parametrize("samples", [1, 70, 130])
def test_field_and_its_transpose(case, samples):
    model, definition = case
    rng, t = np.random.default_rng(1), 0.7
    x, v, u = rng.standard_normal((3, samples, model.dim))
    y, x_bar, params_bar = model.vjp(x, v, t)
    expected = definition(model, x, model.params, t)
    np.testing.assert_allclose(model(x, t), expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-13)
    along_x = reference.directional(lambda z: (v * definition(model, z, model.params, t)).sum(1), x, u)
    np.testing.assert_allclose((x_bar * u).sum(1), along_x, rtol=1e-10, atol=1e-11)
    exact = reference.complex_gradient(lambda p: (v * definition(model, x, p, t)).sum(), model.params)
    np.testing.assert_allclose(params_bar, exact, rtol=1e-10, atol=1e-11 * samples)


def test_gradient_through_a_trajectory(case):
    model, definition = case
    rng = np.random.default_rng(2)
    y0, times = 0.5 * rng.standard_normal((3, model.dim)), np.linspace(0.1, 0.7, 4)
    ode = NeuralODE(model, "rk4", first_step=0.2)
    target = rng.standard_normal((4, 3, model.dim))
    loss, grad, y0_grad = ode.loss_and_grad(y0, times, target, with_y0=True)

    def run(params, start, steps=3):
        ys, y, h = [start], start, 0.2
        for i in range(steps):
            t = times[0] + i * h
            k1 = definition(model, y, params, t)
            k2 = definition(model, y + h / 2 * k1, params, t + h / 2)
            k3 = definition(model, y + h / 2 * k2, params, t + h / 2)
            y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + definition(model, y + h * k3, params, t + h))
            ys.append(y)
        return ((np.array(ys) - target) ** 2).mean()

    np.testing.assert_allclose(loss, run(model.params, y0), rtol=1e-11)
    exact = reference.complex_gradient(lambda p: run(p, y0), model.params)
    np.testing.assert_allclose(grad, exact, rtol=1e-10, atol=1e-12)
    exact = reference.complex_gradient(lambda z: run(model.params, z.reshape(3, -1)), y0.ravel())
    np.testing.assert_allclose(y0_grad.ravel(), exact, rtol=1e-10, atol=1e-12)


def test_derivatives_at_the_times_of_the_samples():
    """The gradient, and a training whose compiled loop gathers them batch by batch."""
    make, definition = FIELDS["dissipative"]
    rng, model = np.random.default_rng(4), make()
    x, dxdt = rng.standard_normal((2, 70, 4))
    t = rng.uniform(0, 2, 70)
    loss, grad = model.loss_and_grad(x, dxdt, t)

    def exact(p):
        return ((definition(model, x, p, t) - dxdt) ** 2).mean()

    np.testing.assert_allclose(loss, exact(model.params), rtol=1e-12)
    np.testing.assert_allclose(grad, reference.complex_gradient(exact, model.params), rtol=1e-10, atol=1e-12)
    ends = []
    for callback in (None, lambda *_: False):  # with one, the loop is Python's
        model = make()
        odekit.nn.fit(model, x, dxdt, t, steps=4, batch_size=23, rng=0, callback=callback)
        ends.append(model.params.copy())
    np.testing.assert_allclose(ends[1], ends[0], rtol=1e-12)
    with pytest.raises(ValueError, match=r"t must be a number or have shape \(70,\), but its shape is \(69,\)"):
        model.loss_and_grad(x, dxdt, t[1:])
    squashed = odekit.nn.DerivativeModel(odekit.nn.ConcatSquash([4, 4]))
    with pytest.raises(ValueError, match="the samples of a ConcatSquash must have one time"):
        squashed.loss_and_grad(x, dxdt, t)


def test_copies_and_files_are_whole(case, tmp_path):
    model, _ = case
    x = np.random.default_rng(3).standard_normal((2, model.dim))
    expected, before = model(x), model.params.copy()
    model.save(tmp_path / "model.h5")
    copies = [copy.deepcopy(model), pickle.loads(pickle.dumps(model)), odekit.nn.load(tmp_path / "model.h5")]  # noqa: S301
    model.params[:] = 0.0
    for other in copies:
        assert repr(other) == repr(model)
        assert np.array_equal(other.params, before)
        assert np.array_equal(other(x), expected)
        other.params[:] = 0.0
        assert np.array_equal(other(x), model(x))


@pytest.mark.parametrize("name", ["second order", "antisymmetric in time", "separable"])
def test_gradient_in_time(name):
    model = FIELDS[name][0]()
    ode = NeuralODE(model, rtol=1e-10, atol=1e-10)
    y0, times = np.random.default_rng(0).standard_normal((1, model.dim)), np.array([0.1, 0.6])
    g = ode.gradient(y0, times, lambda ys: np.concatenate((0 * ys[:1], np.ones_like(ys[1:]))), with_times=True)
    # the end moves along f(t1, y1), and starting later is as starting lower by f(t0, y0)
    np.testing.assert_allclose(g.t[1], model(g.y[1], 0.6).sum(), rtol=1e-7)
    np.testing.assert_allclose(g.t[0], -(g.y0 * model(y0, 0.1)).sum(), rtol=1e-7)


def test_augmented_loss_sees_only_the_data():
    field = MLP([3, 8, 3], rng=0)
    plain, model = NeuralODE(field), AugmentedODE(field, extra=2)
    y0, t = np.array([[1.0], [-1.0]]), np.linspace(0, 1, 3)
    target = np.random.default_rng(0).standard_normal((3, 2, 1))
    start = np.concatenate((y0, np.zeros((2, 2))), axis=1)
    loss, grad, y0_grad = model.loss_and_grad(y0, t, target, with_y0=True)
    ys, bar, start_bar = plain.vjp(start, t, lambda ys: np.pad((ys[..., :1] - target) / 3, ((0, 0), (0, 0), (0, 2))))
    assert loss == pytest.approx(((ys[..., :1] - target) ** 2).mean(), rel=1e-14)
    np.testing.assert_allclose(grad, bar, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(y0_grad, start_bar[:, :1], rtol=1e-12)
    assert np.array_equal(model.solve(y0, t), ys[..., :1])
    assert np.array_equal(model.solve(y0, t, augmented=True), ys)


def test_trajectories_of_the_augmented_model_may_cross():
    y0, t = np.array([[1.0], [-1.0]]), [0.0, 1.0]
    target, losses = np.array([y0, -y0]), []
    for model in (NeuralODE(MLP([1, 12, 1], rng=1), rtol=1e-4, atol=1e-4),
                  AugmentedODE(MLP([2, 12, 2], rng=1), 1, rtol=1e-4, atol=1e-4)):  # fmt: skip
        losses.append(odekit.nn.fit(model, y0, t, target, optimizer=odekit.nn.Adam(3e-2), steps=300).loss[-1])
    # in one dimension both can at best meet in the middle: half of the squares of both times' errors, 1 / 2
    assert losses[0] > 0.49
    assert losses[1] < 1e-3


def test_antisymmetric_flow_keeps_the_length():
    field = AntisymmetricField(6, rng=0)
    field.weights()["W"][...] *= 1e-4  # tanh is then linear
    y0 = np.random.default_rng(0).standard_normal((4, 6))
    ys = field.solve(y0, [0.0, 1e4])
    np.testing.assert_allclose(np.linalg.norm(ys[1], axis=1), np.linalg.norm(y0, axis=1), rtol=1e-5)


def test_symplectic_rollouts_of_a_separable_energy():
    model = SeparableHNN(MLP([1, 8, 1], rng=0), MLP([1, 8, 1], rng=1))
    y0, t = np.random.default_rng(0).standard_normal((70, 2)), np.array([0.0, 4.0, 8.0])
    exact = model.solve(y0, t)
    errors = [np.abs(model.solve(y0, t, "leapfrog", first_step=h) - exact).max() for h in (0.2, 0.1)]
    assert 3.6 < errors[0] / errors[1] < 4.4
    assert np.abs(model.solve(y0, t, "kahanli8", first_step=0.5) - exact).max() < 1e-6
    assert np.array_equal(
        model.solve(y0[3], t, "yoshida4", first_step=0.1), model.solve(y0, t, "yoshida4", first_step=0.1)[:, 3]
    )


def test_symplectic_rollouts_of_any_energy():
    model = HNN(MLP([2, 8, 1], rng=0))
    y0, t = np.random.default_rng(0).standard_normal((3, 2)), np.array([0.0, 5.0])
    exact = model.solve(y0, t)
    for method in ("gauss6", "tao6"):
        ys = model.solve(y0, t, method, first_step=0.05, omega=10.0 if method == "tao6" else None)
        np.testing.assert_allclose(ys, exact, rtol=1e-6, atol=1e-7)


def test_power_is_the_change_of_the_energy():
    model = DissipativeHNN(MLP([2, 8, 1], rng=0), MLP([2, 8, 1], rng=1))
    x = np.random.default_rng(0).standard_normal((5, 2))
    np.testing.assert_allclose(model.power(x), (model.conserved.gradient(x) * model(x)).sum(1), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SeparableHNN(MLP([2, 3, 1]), MLP([1, 3, 1])), r"two networks of k inputs and 1 output, but their sizes are \[2, 3, 1\]"),
        (lambda: DissipativeHNN(MLP([3, 3, 1]), MLP([3, 3, 1])), r"two networks of 2 k inputs \(q, p\) and 1 output"),
        (lambda: DissipativeHNN(*[MLP([2, 3, 1])] * 2), "conserved and dissipated must be different networks"),
        (lambda: HNN(MLP([2, 3, 1])).solve([1, 0], [0, 1], "leapfrog", first_step=0.1), "'leapfrog' needs a separable system, dq/dt of p alone and dp/dt of q alone, which a HNN is not; take implicit_midpoint, gauss4 or gauss6, tao4"),
        (lambda: SecondOrderODE(MLP([2, 3, 1])).solve([1, 0], [0, 1], "tao2", first_step=0.1), "needs a Hamiltonian system, which a SecondOrderODE is not"),
        (lambda: HNN(MLP([2, 3, 1])).solve([1, 0], [0, 1], "tao2", first_step=0.1), "method='tao2' needs omega"),
        (lambda: HNN(MLP([2, 3, 1])).solve([1, 0], [0, 1], "gauss4"), "method='gauss4' takes steps of fixed size"),
        (lambda: SecondOrderODE(MLP([4, 3, 4])), r"network of 2 k inputs \(q, v\) and k outputs, but its sizes are \[4, 3, 4\]"),
        (lambda: AugmentedODE(MLP([2, 3, 2]), 2), "extra=2 leaves no component for the data, because the field has dimension 2"),
        (lambda: AugmentedODE(MLP([2, 3, 2]), 0), "extra must be a positive integer"),
        (lambda: AntisymmetricField(2, -0.1), "gamma must be a finite number, not negative, but it is -0.1"),
        (lambda: AugmentedODE(MLP([2, 3, 2]), 1).solve([[1.0, 2.0]], [0, 1]), r"y0 must have shape \(1,\) or \(B, 1\)"),
    ],
)  # fmt: skip
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(("method", "options"), [("dop853", {}), ("yoshida4", {"first_step": 0.05})])
def test_rollouts_into_a_store(tmp_path, monkeypatch, method, options):
    """The numbers of memory, the bits after a shard has been lost, another model refused."""
    monkeypatch.setattr("odekit.storage.manifest.SHARDS", 8)
    monkeypatch.setattr("odekit.nn.rollout.TOGETHER", 20)
    model = SeparableHNN(MLP([1, 6, 1], rng=0), MLP([1, 5, 1], rng=1))
    y0, t = np.random.default_rng(0).standard_normal((50, 2)), np.linspace(0, 2, 9)
    memory = model.solve(y0, t, method, **options)
    stored = model.solve(y0, t, method, **options, store=tmp_path / "s")
    assert (
        stored.complete and stored.y.shape == (50, 2, 9) and (stored.retcode == 0).all() and (stored.nsaved == 9).all()
    )
    np.testing.assert_allclose(stored.y, memory.transpose(1, 2, 0), rtol=1e-6, atol=1e-7)
    path = tmp_path / "s" / "shard-000003.h5"
    whole = path.read_bytes()
    path.unlink()
    model.solve(y0, t, method, **options, store=tmp_path / "s", resume=True)
    assert path.read_bytes() == whole
    model.params += 1e-9
    with pytest.raises(ValueError, match="another problem: fun"):
        model.solve(y0, t, method, **options, store=tmp_path / "s", resume=True)
    with pytest.raises(ValueError, match="with store take dop853"):
        model.solve(y0, t, "gauss4", first_step=0.1, store=tmp_path / "other")
