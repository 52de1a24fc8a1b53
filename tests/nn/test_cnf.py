"""Traces and flows against the definition in plain NumPy, by complex steps."""

import copy

import numpy as np
import pytest
from adjoint.test_lanes import steps_of

import odekit.nn
from odekit import _jit
from odekit.nn import (
    CNF,
    MLP,
    ConcatSquash,
    ErrorPenalty,
    JacobianEnergy,
    KineticEnergy,
    NeuralODE,
    RandomEnd,
)
from odekit.nn.trace import TraceField
from odekit.solvers.tables import EXPLICIT

from . import reference
from .test_regularisers import penalties


def layer(network, w, k, t):
    """Weights and biases of a layer at time t."""
    if isinstance(network, MLP):
        return w[f"W{k}"], w.get(f"b{k}", 0.0)
    gate = 1 / (1 + np.exp(-w[f"g{k}"] * t - w[f"h{k}"]))
    return gate[:, None] * w[f"W{k}"], gate * w[f"b{k}"] + w[f"c{k}"] * t


def derivative(network, x, params, t):
    """Value and Jacobian of a network with respect to its first inputs, analytic."""
    w, last, d = network.named(params), len(network.sizes) - 1, network.sizes[-1]
    timed = isinstance(network, MLP) and network.time_dependent
    a = np.concatenate((x, np.full((len(x), 1), t)), axis=1) if timed else x
    jac = np.broadcast_to(np.eye(a.shape[1])[:, :d], (len(x), a.shape[1], d)).astype(params.dtype)
    for k in range(1, last + 1):
        weight, bias = layer(network, w, k, t)
        z = a @ weight.T + bias
        jac = np.einsum("ij,bjk->bik", weight, jac)
        if k < last:
            jac = reference.slope(network, z)[:, :, None] * jac
        a = reference.FUNCTIONS[network.activation](z) if k < last else z
    return a, jac


def traced(model, s, params, t):
    d, network = model.outputs, model.field
    context = s[:, model.counted : model.counted + model.context]
    f, jac = derivative(network, np.concatenate((s[:, :d], context), axis=1), params, t)
    if model.probes:
        e = s[:, model.counted + model.context :].reshape(len(s), model.probes, d)
        along = np.einsum("bij,bpj->bpi", jac, e)
        columns = [np.einsum("bpi,bpi->b", e, along) / model.probes, (along**2).sum((1, 2)) / model.probes]
    else:
        columns = [np.einsum("bii->b", jac), (jac**2).sum((1, 2))]
    rows = [columns[0], (f**2).sum(1), columns[1]] if model.regularised else columns[:1]
    still = np.zeros((len(s), model.dim - model.counted))
    return np.concatenate((f, np.stack(rows, axis=1), still), axis=1)


def squashed(*args, **options):
    """A network whose gates all matter."""
    network = ConcatSquash(*args, rng=0, **options)
    network.gates[:] = np.random.default_rng(5).standard_normal(network.gates.size)
    return network


@pytest.mark.parametrize(
    ("network", "probes", "regularised", "samples"),
    [
        (MLP([3, 6, 5, 3], rng=0, time_dependent=True), 0, False, 70),
        (MLP([3, 6, 5, 3], "softplus", rng=0, time_dependent=True), 2, True, 3),
        (MLP([2, 6, 2], "sin", rng=0, final_bias=False), 0, True, 2),
        (MLP([2, 2], rng=0), 1, False, 1),
        (MLP([3, 6, 2], rng=0, time_dependent=True), 0, False, 2),
        (squashed([3, 6, 5, 3]), 0, False, 70),
        (squashed([5, 6, 2], "softplus"), 2, True, 3),
    ],
)
def test_field_and_its_transpose(network, probes, regularised, samples):
    model, rng, t = TraceField(network, probes, regularised), np.random.default_rng(1), 0.4
    s, v, u = rng.standard_normal((3, samples, model.dim))
    u[:, model.counted + model.context :] = 0.0  # the directions are held
    y, s_bar, params_bar = model.vjp(s, v, t)
    expected = traced(model, s, model.params, t)
    np.testing.assert_allclose(model(s, t), expected, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(y, expected, rtol=1e-11, atol=1e-13)
    along = reference.directional(lambda z: (v * traced(model, z, model.params.astype(z.dtype), t)).sum(1), s, u)
    np.testing.assert_allclose((s_bar * u).sum(1), along, rtol=1e-10, atol=1e-11)
    exact = reference.complex_gradient(lambda p: (v * traced(model, s, p, t)).sum(), model.params)
    np.testing.assert_allclose(params_bar, exact, rtol=1e-10, atol=1e-11)


def test_concatsquash_field_and_its_derivatives():
    field, rng, t = squashed([3, 6, 5, 3]), np.random.default_rng(1), 0.4
    x, v, dx = rng.standard_normal((3, 70, 3))  # more than a block of lanes
    expected, jac = derivative(field, x, field.params, t)
    along = np.einsum("bij,bj->bi", jac, dx)
    y, x_bar, params_bar = field.vjp(x, v, t)
    np.testing.assert_allclose(field(x, t), expected, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(y, expected, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(field.jvp(x, dx, t)[1], along, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose((x_bar * dx).sum(1), (v * along).sum(1), rtol=1e-10, atol=1e-11)
    exact = reference.complex_gradient(lambda p: (v * derivative(field, x, p, t)[0]).sum(), field.params)
    np.testing.assert_allclose(params_bar, exact, rtol=1e-10, atol=1e-11)
    again = copy.deepcopy(field)
    again.params = 2 * field.params
    np.testing.assert_array_equal(again.weights()["W1"], 2 * field.network.weights()["W1"])


def test_time_derivative_of_the_gates():
    """By the cotangent of t1, against the field at the end."""
    model = NeuralODE(squashed([2, 6, 2]), "rk4", first_step=0.25)
    y0, t = np.random.default_rng(2).standard_normal((3, 2)), np.array([0.0, 1.0])
    cotangent = np.zeros((2, 3, 2))
    cotangent[1] = 1.0
    g = model.gradient(y0, t, cotangent, with_times=True)

    def end(h):  # the last of four steps ends at 1 + h
        y = y0.astype(complex)
        for i in range(4):
            start, step = 0.25 * i, 0.25 + (h if i == 3 else 0.0)
            f = lambda s, z: derivative(model.field, z, model.params, s)[0]  # noqa: E731
            k1 = f(start, y)
            k2 = f(start + step / 2, y + step / 2 * k1)
            k3 = f(start + step / 2, y + step / 2 * k2)
            y = y + step / 6 * (k1 + 2 * k2 + 2 * k3 + f(start + step, y + step * k3))
        return y.sum()

    assert g.t[1] == pytest.approx(end(1e-30j).imag / 1e-30, rel=1e-10)


@pytest.mark.parametrize("options", [{}, {"probes": 1, "kinetic": 0.1, "jacobian": 0.2}])
def test_gradient_of_the_loss_through_the_solve(options):
    model = CNF(MLP([2, 5, 2], rng=0, time_dependent=True), 0.9, method="rk4", first_step=0.3, **options)
    x = np.random.default_rng(0).standard_normal((4, 2))
    model.draw(np.random.default_rng(1))
    loss, grad = model.loss_and_grad(x)
    assert model.loss_and_grad(x)[0] == loss  # the same directions until the next draw

    def exact(params):
        y, h, field = model._start(x, None).astype(params.dtype), 0.3, model._model.field
        for i in range(3):
            k1 = traced(field, y, params, i * h)
            k2 = traced(field, y + h / 2 * k1, params, i * h + h / 2)
            k3 = traced(field, y + h / 2 * k2, params, i * h + h / 2)
            y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + traced(field, y + h * k3, params, (i + 1) * h))
        value = (0.5 * (y[:, :2] ** 2).sum(1) + np.log(2 * np.pi) - y[:, 2]).mean()
        return value + (0.1 * y[:, 3] + 0.2 * y[:, 4]).mean() if options else value

    np.testing.assert_allclose(loss, exact(model.params), rtol=1e-11)
    np.testing.assert_allclose(grad, reference.complex_gradient(exact, model.params), rtol=1e-10, atol=1e-12)


def test_regularisers_are_terms_of_the_loss(tmp_path):
    """Energies by the directions of the trace, as `kinetic` and `jacobian` have them; an end drawn at random."""
    field, x = MLP([2, 5, 2], rng=0, time_dependent=True), np.random.default_rng(0).standard_normal((4, 2))
    options = {"method": "rk4", "first_step": 0.3}
    terms = [KineticEnergy(0.1), JacobianEnergy(0.2), RandomEnd(0.3)]
    model = CNF(field, 0.9, probes=1, regularisers=terms, **options)
    model.draw(np.random.default_rng(1))
    loss, grad = model.loss_and_grad(x)
    end = 0.9 + 0.3 * model._terms.drawn.shift
    assert 0.6 < end < 1.2 and end != 0.9
    other = CNF(field, end, 1, kinetic=0.1, jacobian=0.2, **options)
    other._terms.drawn = model._terms.drawn
    expected = other.loss_and_grad(x)
    assert loss == expected[0] and np.array_equal(grad, expected[1])
    model.save(tmp_path / "cnf.h5")
    assert odekit.nn.load(tmp_path / "cnf.h5").regularisers == tuple(terms)


def test_the_error_of_the_solver_in_the_loss():
    model = CNF(
        MLP([2, 5, 2], rng=0, time_dependent=True), 0.9, method="bosh3", rtol=1e-3, atol=1e-3, step_control="per_sample",
        regularisers=[ErrorPenalty(50.0)],
    )  # fmt: skip
    model.params *= 2.0
    x, t = np.random.default_rng(0).standard_normal((4, 2)), np.array([0.0, 0.9])
    loss, grad = model.loss_and_grad(x)
    table, start = EXPLICIT["bosh3"], model._start(x, None)
    steps = steps_of(model._model, start, t)

    def exact(params):
        total = 0.0
        for own, y in zip(steps, start, strict=True):
            f = lambda t, s: traced(model._model.field, s, params, t)  # noqa: E731
            end = reference.replay(table, f, own, y[None].astype(params.dtype), t)[1, 0]
            total += 0.5 * (end[:2] ** 2).sum() + np.log(2 * np.pi) - end[2]
            total += 50.0 * penalties(table, f, own, y[None])[0]
        return total / len(x)

    np.testing.assert_allclose(loss, exact(model.params), rtol=1e-11)
    np.testing.assert_allclose(grad, reference.complex_gradient(exact, model.params), rtol=1e-10, atol=1e-12)


def test_the_density_is_one_and_its_samples_are_of_it(tmp_path):
    model = CNF(MLP([1, 8, 1], rng=0, time_dependent=True), rtol=1e-7, atol=1e-7)
    grid = np.linspace(-12, 12, 2001)
    density = np.exp(model.log_density(grid[:, None]))
    step = grid[1] - grid[0]
    assert abs(density.sum() * step - 1) < 1e-5
    mean, sample = (density * grid).sum() * step, model.sample(4000, rng=0)
    assert abs(sample.mean() - mean) < 5 * sample.std() / 4000**0.5
    model.save(tmp_path / "cnf.h5")
    again = odekit.nn.load(tmp_path / "cnf.h5")
    assert repr(again) == repr(model)
    assert np.array_equal(again.log_density([0.3]), model.log_density([0.3]))


@pytest.mark.skipif(_jit.JIT_DISABLED, reason="slow as plain Python")
def test_conditional_density(tmp_path):
    """Its slices are densities, it learns the dependence, and its samples have it."""
    model = CNF(ConcatSquash([2, 16, 1], rng=0), method="bosh3", rtol=1e-4, atol=1e-4)
    rng = np.random.default_rng(0)
    context = rng.choice([-1.0, 1.0], (512, 1))
    x = context + 0.3 * rng.standard_normal((512, 1))
    odekit.nn.fit(model, x, context, steps=150, batch_size=128, optimizer=odekit.nn.Adam(3e-2), rng=0)
    grid = np.linspace(-6, 6, 1001)
    for c in (-1.0, 1.0):
        density = np.exp(model.log_density(grid[:, None], [c]))
        assert abs(density.sum() * 0.012 - 1) < 1e-3
        assert abs((grid * density).sum() * 0.012 - c) < 0.15
        assert abs(model.sample(500, rng=1, context=[c]).mean() - c) < 0.2
    model.save(tmp_path / "cnf.h5")
    again = odekit.nn.load(tmp_path / "cnf.h5")
    assert np.array_equal(again.log_density([0.3], [1.0]), model.log_density([0.3], [1.0]))
    with pytest.raises(ValueError, match=r"needs context=...: 1 numbers for each point"):
        model.log_density([0.3])
    with pytest.raises(ValueError, match=r"context must have shape \(1,\) or \(2, 1\), but its shape is \(3, 1\)"):
        model.loss_and_grad(np.zeros((2, 1)), np.zeros((3, 1)))


@pytest.mark.parametrize("noise", ["rademacher", "gaussian"])
def test_estimated_trace(noise):
    field = MLP([4, 8, 4], rng=0)
    x = np.random.default_rng(0).standard_normal((3, 4))
    jac = derivative(field, x, field.params, 0.0)[1]
    exact, zero = odekit.nn.trace(field, x)
    np.testing.assert_allclose(exact, np.einsum("bii->b", jac), rtol=1e-11)
    estimate, variance = odekit.nn.trace(field, x, probes=20000, noise=noise, rng=1)
    assert (zero == 0).all() and (np.abs(estimate - exact) < 5 * np.sqrt(variance)).all()
    s = (jac + jac.transpose(0, 2, 1)) / 2
    theory = 2 * (s**2).sum((1, 2))
    theory -= 2 * np.einsum("bii->bi", s**2).sum(1) if noise == "rademacher" else 0.0
    np.testing.assert_allclose(variance * 20000, theory, rtol=0.1)
    assert np.isnan(odekit.nn.trace(field, x[0], probes=1, rng=0)[1])


def test_bad_arguments():
    with pytest.raises(ValueError, match="noise='white' is unknown; expected one of rademacher, gaussian"):
        CNF(MLP([2, 3, 2]), noise="white")
    with pytest.raises(ValueError, match="kinetic must be a finite number, not negative, but it is -1"):
        CNF(MLP([2, 3, 2]), kinetic=-1)
    for name, expected in (("jacobian", "finite number, not negative"), ("rtol", "positive number")):
        with pytest.raises(ValueError, match=f"{name} must be a {expected}, but it is 'a'"):
            CNF(MLP([2, 3, 2]), **{name: "a"})
    with pytest.raises(ValueError, match=r"kinetic=0.1 and KineticEnergy.* are the same term; give one of them"):
        CNF(MLP([2, 3, 2]), kinetic=0.1, regularisers=[KineticEnergy(0.2)])
    with pytest.raises(
        ValueError, match="random directions of its trace for JacobianEnergy: give probes=2 to the CNF itself"
    ):
        CNF(MLP([2, 3, 2]), regularisers=[JacobianEnergy(0.2, probes=2)])
    with pytest.raises(
        ValueError, match="step_control='per_sample' needs a field whose lanes may have different times"
    ):
        CNF(ConcatSquash([2, 3, 2]), step_control="per_sample")
    with pytest.raises(ValueError, match="needs a network without residual connections"):
        CNF(MLP([2, 3, 3, 2], residual=True))
    with pytest.raises(ValueError, match=r"x must be finite, but x\[0, 1\] is nan"):
        CNF(MLP([2, 3, 2])).loss_and_grad([[0.0, np.nan]])
