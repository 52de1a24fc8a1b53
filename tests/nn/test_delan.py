"""Deep Lagrangian networks against their equations of motion in plain NumPy, by complex steps."""

import numpy as np
import pytest
import scipy.integrate

import odekit.nn
from odekit.nn import MLP, DeLaN, ForcedDeLaN

from . import reference


def with_jacobian(mlp, q, params):
    """A network and its derivatives [B, out, in], by the forward rule; also for complex arguments."""
    w, last = mlp.named(params), len(mlp.sizes) - 1
    a, jac = q, np.broadcast_to(np.eye(q.shape[1]), (len(q), *[q.shape[1]] * 2))
    for k in range(1, last + 1):
        z = a @ w[f"W{k}"].T + w.get(f"b{k}", 0.0)
        jac = np.einsum("ij,bjk->bik", w[f"W{k}"], jac)
        a = z
        if k < last:
            a, jac = reference.FUNCTIONS[mlp.activation](z), reference.slope(mlp, z)[:, :, None] * jac
    return a, jac


def equations(model, q, v, params):
    """M and h of M a + h = F."""
    k, n = q.shape[1], model.triangle.params.size
    entries, jac = with_jacobian(model.triangle, q, params[:n])
    lower, lower_jac = np.zeros((len(q), k, k), entries.dtype), np.zeros((len(q), k, k, k), entries.dtype)
    e = k
    for i in range(k):
        lower[:, i, i] = np.log1p(np.exp(entries[:, i])) + model.floor
        lower_jac[:, i, i] = (1 / (1 + np.exp(-entries[:, i])))[:, None] * jac[:, i]
        for j in range(i):
            lower[:, i, j], lower_jac[:, i, j] = entries[:, e], jac[:, e]
            e += 1
    mass = lower @ lower.transpose(0, 2, 1)
    half = np.einsum("bijc,bkj->bikc", lower_jac, lower)
    mass_jac = half + half.transpose(0, 2, 1, 3)
    slope = with_jacobian(model.potential, q, params[n:])[1][:, 0]
    h = np.einsum("bijc,bc,bj->bi", mass_jac, v, v) - 0.5 * np.einsum("bijc,bi,bj->bc", mass_jac, v, v) + slope
    return mass, h


def forces(model, q, v, a, params):
    mass, h = equations(model, q, v, params)
    return np.einsum("bij,bj->bi", mass, a) + h


def field(model, x, params):
    k = x.shape[1] // 2
    mass, h = equations(model, x[:, :k], x[:, k:], params)
    return np.concatenate((x[:, k:], -np.linalg.solve(mass, h[:, :, None])[:, :, 0]), axis=1)


MODELS = {
    "one": lambda: DeLaN(MLP([1, 5, 1], rng=0), MLP([1, 6, 1], "softplus", rng=1)),
    "two": lambda: DeLaN(
        MLP([2, 7, 6, 3], "silu", rng=0, final_bias=False), MLP([2, 5, 4, 1], "sin", rng=1), floor=0.5
    ),
    "three, linear": lambda: DeLaN(MLP([3, 6], rng=0), MLP([3, 5, 1], rng=1)),
}


def made(name):
    model = MODELS[name]()
    model.params += 0.3 * np.random.default_rng(7).standard_normal(model.params.size)
    return model


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("samples", [1, 70])
def test_field_and_its_transpose(name, samples):
    model, rng = made(name), np.random.default_rng(1)
    x, v, u = rng.standard_normal((3, samples, model.dim))
    y, x_bar, params_bar = model.vjp(x, v)
    expected = field(model, x, model.params)
    np.testing.assert_allclose(model(x), expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(y, expected, rtol=1e-10, atol=1e-12)
    along_x = reference.directional(lambda z: (v * field(model, z, model.params)).sum(1), x, u)
    np.testing.assert_allclose((x_bar * u).sum(1), along_x, rtol=1e-9, atol=1e-10)
    exact = reference.complex_gradient(lambda p: (v * field(model, x, p)).sum(), model.params)
    np.testing.assert_allclose(params_bar, exact, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", MODELS)
def test_forces_and_losses(name):
    model, rng = made(name), np.random.default_rng(2)
    k = model.dim // 2
    x, a, target = rng.standard_normal((70, 2 * k)), rng.standard_normal((70, k)), rng.standard_normal((70, k))
    expected = forces(model, x[:, :k], x[:, k:], a, model.params)
    np.testing.assert_allclose(model.force(x, a), expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(model.force(x[0], a[0]), expected[0], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(model.acceleration(x, expected), a, rtol=1e-9, atol=1e-10)

    def on_forces(p):
        return ((forces(model, x[:, :k], x[:, k:], a, p) - target) ** 2).mean()

    def on_accelerations(p):
        return ((field(model, x, p)[:, k:] - a) ** 2).mean()

    for exact, data in ((on_forces, (x, a, target)), (on_accelerations, (x, a))):
        loss, grad = model.loss_and_grad(*data)
        np.testing.assert_allclose(loss, exact(model.params), rtol=1e-11)
        np.testing.assert_allclose(grad, reference.complex_gradient(exact, model.params), rtol=1e-9, atol=1e-10)


def test_energy_is_conserved_and_the_mass_matrix_positive():
    model = made("two")
    y0 = np.random.default_rng(3).standard_normal((4, 4))
    ys = model.solve(y0, np.linspace(0, 5, 6))
    assert (
        np.ptp(model.energy(ys.reshape(-1, 4)).reshape(6, 4), axis=0).max() < 1e-7 and model.energy(y0[0]).shape == ()
    )
    mass = model.mass_matrix(ys[..., :2].reshape(-1, 2))
    np.testing.assert_allclose(
        mass, equations(model, ys[..., :2].reshape(-1, 2), np.zeros((24, 2)), model.params)[0], rtol=1e-12
    )
    assert (np.linalg.eigvalsh(mass) > 0).all() and np.array_equal(mass, mass.transpose(0, 2, 1))


def test_training_on_forces_and_file(tmp_path):
    """A pendulum of mass 2 on a rod of length 1: F = 2 a + 4 sin q."""
    model = DeLaN(MLP([1, 8, 1], rng=0), MLP([1, 16, 1], rng=1))
    rng = np.random.default_rng(0)
    x, a = rng.uniform(-2, 2, (300, 2)), rng.uniform(-2, 2, (300, 1))
    data = x, a, 2 * a + 4 * np.sin(x[:, :1])
    history = odekit.nn.fit(model, *data, optimizer=odekit.nn.Adam(1e-2), steps=2000, batch_size=100, rng=0)
    assert history.loss[-10:].mean() < 1e-3 * history.loss[0]
    assert np.allclose(model.mass_matrix([[-1.0], [0.0], [1.0]]), 2, atol=0.1)
    model.save(tmp_path / "delan.h5")
    again = odekit.nn.load(tmp_path / "delan.h5")
    assert repr(again) == repr(model) and np.array_equal(again(x), model(x))


def test_bad_arguments():
    for triangle, potential in (([2, 4, 4], [2, 4, 1]), ([2, 4, 3], [3, 4, 1]), ([2, 4, 3], [2, 4, 2])):
        with pytest.raises(
            ValueError, match=r"k \(k \+ 1\) / 2 outputs and one of k inputs and 1 output, but their sizes are"
        ):
            DeLaN(MLP(triangle), MLP(potential))
    for options in ({"activation": "relu"}, {"time_dependent": True}):
        with pytest.raises(
            ValueError, match=r"do not depend on time and have an activation of tanh, .* but potential is"
        ):
            DeLaN(MLP([1, 4, 1]), MLP([1, 4, 1], **options))
    with pytest.raises(ValueError, match="floor must be"):
        DeLaN(MLP([1, 4, 1]), MLP([1, 4, 1]), floor=0)
    model = MODELS["one"]()
    with pytest.raises(ValueError, match="force"):
        model.loss_and_grad([[0.0, 1.0]], [[1.0]], [[1.0, 2.0]])
    with pytest.raises(ValueError, match="acceleration"):
        model.force([0.0, 1.0], [1.0, 2.0])


def forced(model, x, params):
    """(v, a, 0) from (q, v, F)."""
    k = model.dim // 2
    mass, bias = equations(model, x[:, :k], x[:, k : 2 * k], params)
    a = np.linalg.solve(mass, (x[:, 2 * k :] - bias)[..., None])[..., 0]
    return np.concatenate((x[:, k : 2 * k], a, 0 * a), axis=1)


def test_field_under_forces_that_stay():
    model, rng = made("two"), np.random.default_rng(1)
    under = ForcedDeLaN(model)
    x, v, u = rng.standard_normal((3, 70, 6))
    y, x_bar, params_bar = under.vjp(x, v)
    for found in (under(x), y):
        np.testing.assert_allclose(found, forced(model, x, model.params), rtol=1e-10, atol=1e-12)
    along_x = reference.directional(lambda z: (v * forced(model, z, model.params)).sum(1), x, u)
    np.testing.assert_allclose((x_bar * u).sum(1), along_x, rtol=1e-9, atol=1e-10)
    exact = reference.complex_gradient(lambda p: (v * forced(model, x, p)).sum(), model.params)
    np.testing.assert_allclose(params_bar, exact, rtol=1e-9, atol=1e-10)


def test_rollouts_under_forces(tmp_path):
    """Numbers for each trajectory and interval, a function of time, both by explicit and implicit methods, and into a store."""
    model, k = made("two"), 2
    rng, t = np.random.default_rng(4), np.linspace(0.0, 1.0, 4)
    y0, force = rng.standard_normal((3, 2 * k)), rng.standard_normal((3, 3, k))

    def exact(forces, y, times):
        """SciPy's, along the reference."""
        ends = [y]
        for n in range(len(times) - 1):
            right = lambda s, z, n=n: forced(model, np.r_[z, forces(n, s)][None], model.params)[0, : 2 * k]  # noqa: E731
            solution = scipy.integrate.solve_ivp(right, times[n : n + 2], ends[-1], "DOP853", rtol=1e-11, atol=1e-11)
            ends.append(solution.y[:, -1])
        return np.array(ends)

    expected = np.stack([exact(lambda n, _t, m=m: force[n, m], y0[m], t) for m in range(3)], axis=1)
    ys = model.solve(y0, t, force=force)
    np.testing.assert_allclose(ys, expected, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(
        model.solve(y0, t, "gauss6", first_step=0.02, force=force), expected, rtol=1e-7, atol=1e-8
    )
    np.testing.assert_allclose(model.solve(y0[0], t, force=force[:, 0]), expected[:, 0], rtol=1e-7, atol=1e-8)
    stored = model.solve(y0, t, force=force, store=tmp_path / "held")
    np.testing.assert_allclose(np.asarray(stored.y).transpose(2, 0, 1), ys, rtol=1e-8, atol=1e-9)
    assert (stored.retcode == 0).all() and (stored.nsaved == 4).all()
    with pytest.raises(ValueError, match="another problem: args"):
        model.solve(y0, t, force=2 * force, store=tmp_path / "held", resume=True)

    def torque(t):
        return np.sin(5.0 * t), -t

    expected = exact(lambda _n, t: torque(t), y0[0], t[[0, -1]])[1]
    np.testing.assert_allclose(model.solve(y0, t, force=torque)[-1, 0], expected, rtol=1e-7, atol=1e-8)
    stored = model.solve(y0, t, force=torque, store=tmp_path / "driven")
    np.testing.assert_allclose(np.asarray(stored.y)[0, :, -1], expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(
    ("force", "message"),
    [
        (np.ones((2, 2)), r"have shape \(2,\), \(3, 2\) or \(3, 1, 2\) for 3 intervals .* but its shape is \(2, 2\)"),
        ([np.nan, 0.0], r"force must be finite, but force\[0\] is nan"),
        (lambda t: (t,), r"force must give 2 finite numbers, but at t = 0 it gives \[0.0\]"),
    ],
)
def test_bad_forces(force, message):
    with pytest.raises(ValueError, match=message):
        made("two").solve(np.zeros(4), np.linspace(0, 1, 4), force=force)
    with pytest.raises(ValueError, match=r"'leapfrog' needs a separable system, .* which a ForcedDeLaN is not"):
        made("two").solve(np.zeros(4), [0, 1], "leapfrog", first_step=0.1, force=np.ones(2))
