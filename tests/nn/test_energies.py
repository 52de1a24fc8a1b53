"""The integrals of |f|^2 and |J|^2 of fields made of networks, against their definitions in plain NumPy."""

import numpy as np
import pytest

from odekit.nn import HNN, LNN, MLP, ConcatSquash, JacobianEnergy, KineticEnergy, NeuralODE, SeparableHNN
from odekit.nn.kinetic import KineticField
from odekit.nn.trace import directions
from odekit.solvers.tables import EXPLICIT

from . import reference
from .test_models import FIELDS

Y0 = 0.5 * np.random.default_rng(1).standard_normal((3, 5))
T = np.array([0.0, 0.25, 0.5])


def hamiltonian(model, x, params, t):
    slope, half = reference.input_gradient(model.field, x, params, t), x.shape[1] // 2
    return np.concatenate((slope[:, half:], -slope[:, :half]), axis=1)


CASES = {**FIELDS, "hamiltonian": (lambda: HNN(MLP([4, 5, 4, 1], "softplus", rng=0, time_dependent=True)), hamiltonian)}
TERMS = {
    "kinetic": [KineticEnergy(0.3)],
    "exact": [KineticEnergy(0.3), JacobianEnergy(0.2)],
    "probes": [JacobianEnergy(0.2, 2)],
}


def check(model, definition):
    """Loss and gradient of a `NeuralODE` with energies, through its steps."""
    field, terms = model.field, model._terms
    y0 = Y0[:, : field.dim]
    target = np.random.default_rng(2).standard_normal((3, *y0.shape))
    model.draw(np.random.default_rng(7))
    kinetic, jacobian = (0.0 if term is None else term.weight for term in (terms.kinetic, terms.jacobian))
    count, d = 0 if terms.jacobian is None else terms.jacobian.probes, field.dim
    e = np.tile(np.eye(d), (3, 1, 1))
    if count:
        e = directions(np.random.default_rng(terms.drawn.seed), "rademacher", (3, count * d)).reshape(3, count, d)

    def derivative(t, state, params):
        z = state[:, :d]
        f, size = definition(field, z, params, t), 0.0
        for c in range(e.shape[1] if jacobian else 0):
            size += (reference.along(lambda z: definition(field, z, params, t), z, e[:, c]) ** 2).sum(1)
        return np.concatenate(
            (f, (f * f).sum(1)[:, None], 0 * f[:, :1] + np.reshape(size / (count or 1), (-1, 1))), axis=1
        )

    def loss(params):
        start = np.concatenate((y0, np.zeros((3, 2))), axis=1)
        ys = reference.replay(EXPLICIT["midpoint"], lambda t, s: derivative(t, s, params), T, start, T)
        return ((ys[..., :d] - target) ** 2).mean() + kinetic * ys[-1, :, d].mean() + jacobian * ys[-1, :, d + 1].mean()

    value, grad = model.loss_and_grad(y0, T, target)
    np.testing.assert_allclose(value, loss(model.params.copy()).real, rtol=1e-11)
    for direction in np.random.default_rng(3).standard_normal((2, grad.size)):
        exact = reference.along(loss, model.params.copy(), direction)
        np.testing.assert_allclose(grad @ direction, exact.real, rtol=1e-9)


#: Which fields are enough for the everyday: the one without parts, and one whose parts are input gradients.
EVERYDAY = "antisymmetric in time", "dissipative"


@pytest.mark.parametrize(
    ("terms", "step_control"), [("kinetic", "shared"), ("exact", "per_sample"), ("probes", "shared")]
)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in EVERYDAY else pytest.mark.thorough) for name in CASES]
)
def test_gradients(name, terms, step_control):
    make, definition = CASES[name]
    options = {"first_step": 0.25, "step_control": step_control, "regularisers": TERMS[terms]}
    check(NeuralODE(make(), "midpoint", **options), definition)


def squash(field, x, params, t):
    w, a = field.named(params), x
    for k in range(1, len(field.sizes)):
        gate = 1 / (1 + np.exp(-w[f"g{k}"] * t - w[f"h{k}"]))
        z = (a @ w[f"W{k}"].T + w[f"b{k}"]) * gate + w[f"c{k}"] * t
        a = np.tanh(z) if k < len(field.sizes) - 1 else z
    return a


def squashed():
    field = ConcatSquash([2, 5, 2], rng=0)
    field.gates[:] = np.random.default_rng(5).standard_normal(field.gates.size)
    return field


def test_gates_of_time():
    check(NeuralODE(squashed(), "midpoint", first_step=0.25, regularisers=TERMS["probes"]), squash)


@pytest.mark.thorough
def test_single_precision():
    """The gradient of both precisions is the same to the rounding of the lower one."""
    found, y0 = [], Y0[:, :2]
    for dtype in ("float64", "float32"):
        field = SeparableHNN(*(MLP([1, 6, 1], rng=seed, dtype=dtype) for seed in (0, 1)))
        model = NeuralODE(field, "midpoint", 1e-3, 1e-3, first_step=0.25, regularisers=TERMS["exact"])
        found.append(model.loss_and_grad(y0, T, np.zeros((3, *y0.shape))))
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-5)
    np.testing.assert_allclose(found[1][1], found[0][1], atol=1e-5 * np.abs(found[0][1]).max())


WITHOUT = [LNN(MLP([2, 3, 1])), HNN(MLP([2, 3, 1], "silu")), SeparableHNN(MLP([1, 1]), MLP([1, 3, 1]))]


@pytest.mark.parametrize("field", WITHOUT)
def test_fields_without_second_derivatives_have_no_jacobian_energy(field):
    with pytest.raises(TypeError, match=r"needs a field with second derivatives, but those of .* are not known"):
        NeuralODE(field, regularisers=[JacobianEnergy(1.0)])


@pytest.mark.parametrize("field", [*WITHOUT, MLP([2, 5, 2], rng=0, dtype="float32", time_dependent=True)])
def test_kinetic_energy_asks_for_no_second_derivatives(field):
    """d/dt of the integral is |f|^2, whose derivative is 2 f df."""
    rng = np.random.default_rng(0)
    x, v, w = rng.standard_normal((70, 2)), rng.standard_normal((70, 2)), rng.standard_normal((70, 1))
    f, known = field(x, 0.3), KineticField(field)
    value, bar, params_bar = known.vjp(np.hstack((x, np.full((70, 1), 7.0))), np.hstack((v, w)), 0.3)
    _, x_bar, own = field.vjp(x, v + 2.0 * w * f, 0.3)
    np.testing.assert_allclose(value, np.hstack((f, (f * f).sum(1)[:, None])), rtol=1e-14)
    rounding = 1e-5 if known.dtype == "float32" else 1e-12  # of products and sums that are fused
    np.testing.assert_allclose(bar, np.hstack((x_bar, np.zeros((70, 1)))), atol=rounding * np.abs(x_bar).max())
    np.testing.assert_allclose(params_bar, own, atol=rounding * np.abs(own).max())
    model = NeuralODE(field, "midpoint", 1e-3, 1e-3, first_step=0.25, regularisers=[KineticEnergy(1.0)])
    zeros = np.zeros((2, 70, 2))
    plain = NeuralODE(field, "midpoint", 1e-3, 1e-3, first_step=0.25)
    assert model.loss_and_grad(x, [0.0, 0.5], zeros)[0] > plain.loss_and_grad(x, [0.0, 0.5], zeros)[0]
