import itertools

import numpy as np
import pytest
from adjoint.test_lanes import model_of, steps_of

from nn import reference
from odekit.nn import (
    MLP,
    Adam,
    AugmentedODE,
    ErrorPenalty,
    JacobianEnergy,
    KineticEnergy,
    NeuralODE,
    RandomEnd,
    StiffnessPenalty,
    fit,
    load,
)
from odekit.nn.trace import directions
from odekit.solvers.tables import EXPLICIT

T = np.array([0.0, 0.3, 1.0])
Y0 = np.random.default_rng(1).standard_normal((5, 2))
TARGET = np.random.default_rng(2).standard_normal((3, 5, 2))


def check_gradient(model, loss):
    """Loss and gradient against a function that is analytic in the parameters."""
    value, grad = model.loss_and_grad(Y0, T, TARGET)
    np.testing.assert_allclose(value, loss(model.params.copy()), rtol=1e-11)
    for direction in np.random.default_rng(3).standard_normal((4, grad.size)):
        exact = reference.directional(loss, model.params.copy(), direction)
        np.testing.assert_allclose(grad @ direction, exact, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("step_control", ["shared", "per_sample"])
@pytest.mark.parametrize("probes", [0, 3])
def test_energies(probes, step_control):
    field = MLP([2, 6, 2], rng=0, time_dependent=True)
    terms = [KineticEnergy(0.3), JacobianEnergy(0.2, probes)]
    model = NeuralODE(field, "rk4", first_step=0.25, step_control=step_control, regularisers=terms)
    model.draw(np.random.default_rng(7))
    rng = np.random.default_rng(model._terms.drawn.seed)
    e = directions(rng, "rademacher", (5, max(probes, 1) * 2)).reshape(5, -1, 2)

    def derivative(t, state, params):
        z, w = state[:, :2], field.named(params)
        f = reference.value(field, z, params, t)
        slope = 1 - np.tanh(np.c_[z, np.full(5, t)] @ w["W1"].T + w["b1"]) ** 2
        jacobian = np.einsum("ik,bk,kj->bij", w["W2"], slope, w["W1"][:, :2])
        along = jacobian if probes == 0 else np.einsum("bij,bcj->bic", jacobian, e) / np.sqrt(probes)
        return np.c_[f, (f * f).sum(1), (along * along).sum((1, 2))]

    def loss(params):
        start = np.c_[Y0, np.zeros((5, 2))]
        ys = reference.replay(EXPLICIT["rk4"], lambda t, s: derivative(t, s, params), np.linspace(0, 1, 5), start, T)
        energies = 0.3 * ys[-1, :, 2].mean() + 0.2 * ys[-1, :, 3].mean()
        return ((ys[..., :2] - TARGET) ** 2).mean() + energies

    check_gradient(model, loss)


def penalties(table, f, steps, y):
    """Sums of the error and of the stiffness estimates along given steps."""
    error, stiffness = 0.0, 0.0
    rows, c = [*table.A, *([] if table.fsal else [table.b])], [*table.c, *([] if table.fsal else [1.0])]
    ends = [i for i, at in enumerate(c) if at == 1.0][-2:]
    for start, end in itertools.pairwise(steps):
        h, k, g = end - start, [], []
        for at, row in zip(c, rows, strict=True):
            g.append(y + h * reference.combine(row, k, y))
            k.append(f(end if at == 1.0 else start + at * h, g[-1]))
        error += abs(h) * np.sqrt(((h * reference.combine(table.b_err, k, y)) ** 2).sum())
        if len(ends) == 2:
            i, j = ends
            stiffness += np.sqrt(((k[j] - k[i]) ** 2).sum() / ((g[j] - g[i]) ** 2).sum())
        y = y + h * reference.combine(table.b, k, y)
    return error, stiffness


@pytest.mark.parametrize("method", ["dopri5", "tsit5", "dop853", "bosh3"])
def test_error_and_stiffness(method):
    field = MLP([2, 8, 8, 2], rng=0, time_dependent=True)
    field.params = 2.0 * field.params
    terms = [ErrorPenalty(50.0)]
    # bosh3 has one stage at the end; those of dop853 are so close that their difference has six digits less, here and there
    if method in ("dopri5", "tsit5"):
        terms.append(StiffnessPenalty(0.4))
    model, table = model_of(field, method, 1e-3, regularisers=terms), EXPLICIT[method]
    steps = steps_of(model, Y0, T)
    assert not np.array_equal(steps[0], steps[1])

    def loss(params):
        total, extra = 0.0, 0.0
        f = lambda t, z: reference.value(field, z, params, t)  # noqa: E731
        for m, own in enumerate(steps):
            ys = reference.replay(table, f, own, Y0[m : m + 1], T)
            total += ((ys[:, 0] - TARGET[:, m]) ** 2).sum() / TARGET.size
            error, stiffness = penalties(table, f, own, Y0[m : m + 1])
            extra += (50.0 * error + (0.4 if len(terms) == 2 else 0.0) * stiffness) / 5
        assert abs(extra) > 1e-3 * abs(total)
        return total + extra

    check_gradient(model, loss)


def test_random_end():
    field, rng = MLP([2, 8, 2], rng=0), np.random.default_rng(0)
    model, plain = NeuralODE(field, regularisers=[RandomEnd(0.5)]), NeuralODE(field)
    losses = set()
    for _ in range(3):
        model.draw(rng)
        end = 1.0 + 0.5 * model._terms.drawn.shift
        assert 0.5 < end < 1.5
        loss, grad = model.loss_and_grad(Y0, T, TARGET)
        expected = plain.loss_and_grad(Y0, [0.0, 0.3, end], TARGET)
        assert loss == expected[0] and np.array_equal(grad, expected[1])
        losses.add(loss)
    assert len(losses) == 3
    with pytest.raises(ValueError, match=r"must be less than 0.7, the distance of .* but it is 0.8"):
        NeuralODE(field, regularisers=[RandomEnd(0.8)]).loss_and_grad(Y0, T, TARGET)


def test_training_with_them_is_repeatable_and_cheaper_to_follow():
    y0 = np.random.default_rng(4).standard_normal((20, 2))
    t, target = np.array([0.0, 1.0]), np.array([y0, -y0])
    nfev = []
    for terms in ([], [KineticEnergy(0.1), JacobianEnergy(0.1, 1), RandomEnd(0.2)], [ErrorPenalty(30.0)]):
        ends = []
        for _ in range(2 if terms else 1):
            model = NeuralODE(
                MLP([2, 16, 2], rng=0), "tsit5", 1e-5, 1e-5, step_control="per_sample", regularisers=terms
            )
            fit(model, y0, t, target, optimizer=Adam(3e-2), steps=60, rng=5)
            ends.append(model.params.copy())
        assert np.array_equal(ends[0], ends[-1])
        nfev.append(model.trajectories(y0, t).nfev.mean())
    assert min(nfev[1:]) < nfev[0]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"regularisers": ["kinetic"]}, TypeError, "must be a list of KineticEnergy, .*, but it holds 'kinetic'"),
        ({"regularisers": [KineticEnergy(1.0), KineticEnergy(2.0)]}, ValueError, "holds KineticEnergy twice"),
        ({"regularisers": [ErrorPenalty(1.0)], "step_control": "shared"}, ValueError, "need step_control='per_sample'"),
        ({"regularisers": [ErrorPenalty(1.0)], "method": "rk4", "first_step": 0.1}, ValueError, "but method='rk4' has none"),
        ({"regularisers": [StiffnessPenalty(1.0)], "method": "bosh3"}, ValueError, "two stages at the end .* method='bosh3'"),
    ],
)  # fmt: skip
def test_bad_terms(options, error, message):
    with pytest.raises(error, match=message):
        NeuralODE(MLP([2, 2]), **{"step_control": "per_sample", **options})


def test_bad_values():
    with pytest.raises(ValueError, match="weight must be a positive number, but it is -1"):
        KineticEnergy(-1.0)
    with pytest.raises(ValueError, match="probes must be a positive integer"):
        JacobianEnergy(1.0, probes=-2)
    with pytest.raises(ValueError, match="spread must be a positive number"):
        RandomEnd(0.0)


@pytest.mark.parametrize("terms", [[KineticEnergy(0.5)], [RandomEnd(0.1)]], ids=["energy", "end"])
def test_further_components_are_regularised_too(terms):
    field, y0, t = MLP([3, 5, 3], rng=0), Y0[:, :2], T
    models = [
        (AugmentedODE(field, 1, "rk4", first_step=0.25, regularisers=terms), y0, TARGET),
        (NeuralODE(field, "rk4", first_step=0.25, regularisers=terms), np.pad(y0, ((0, 0), (0, 1))), None),
    ]
    found = []
    for model, start, target in models:
        model.draw(np.random.default_rng(0))
        if target is None:  # such that the further component adds nothing
            end = T.copy()
            end[-1] += 0.1 * model._terms.drawn.shift if isinstance(terms[0], RandomEnd) else 0.0
            target = np.concatenate(
                (TARGET, NeuralODE(field, "rk4", first_step=0.25).solve(start, end)[..., 2:]), axis=2
            )
        found.append(model.loss_and_grad(start, t, target))
    extra, slope = 0.0, 0.0
    if isinstance(terms[0], KineticEnergy):  # the term by itself: data that are what the model gives
        extra, slope = models[0][0].loss_and_grad(y0, t, models[0][0].solve(y0, t))
    (loss, grad), (wide_loss, wide_grad) = found
    # the mean is over three components instead of two
    np.testing.assert_allclose(loss - extra, 1.5 * (wide_loss - extra), rtol=1e-12)
    np.testing.assert_allclose(grad - slope, 1.5 * (wide_grad - slope), rtol=1e-10, atol=1e-14)


def test_losses_of_ones_own_are_regularised():
    model = NeuralODE(MLP([2, 5, 2], rng=0), "rk4", first_step=0.25, regularisers=[KineticEnergy(0.5)])
    y0 = Y0[:, :2]
    g, penalty = model.regularised_gradient(y0, T, np.sign)  # of the sum of |y|
    alone, slope = model.loss_and_grad(y0, T, model.solve(y0, T))  # data that are what the model gives
    assert penalty == pytest.approx(alone, rel=1e-12)
    np.testing.assert_allclose(g.params, model.gradient(y0, T, np.sign).params + slope, rtol=1e-10, atol=1e-14)
    given = model.regularised_gradient(y0, T, np.sign(g.y))[0]
    assert np.array_equal(given.params, g.params)
    with pytest.raises(ValueError, match="cotangent must have shape"):
        model.regularised_gradient(y0, T, g.y[1:])
    with pytest.raises(ValueError, match="y0 must have"):
        model.regularised_gradient(Y0[:, :1], T, np.sign)
    bare = NeuralODE(model.field, "rk4", first_step=0.25)
    assert bare.regularised_gradient(y0, T, np.sign)[1] == 0.0
    wide = AugmentedODE(model.field, 1, "rk4", first_step=0.25, regularisers=model.regularisers)
    g, _ = wide.regularised_gradient(y0[:, :1], T, np.sign)
    assert g.y.shape == (3, 5, 1) and g.y0.shape == (5, 1)
    with pytest.raises(ValueError, match=r"cotangent must have shape \(3, 5, 1\), but its shape is \(1,\)"):
        wide.regularised_gradient(y0[:, :1], T, np.ones(1))


def test_a_file_holds_them(tmp_path):
    terms = [
        KineticEnergy(0.5),
        JacobianEnergy(1, probes=2, noise="gaussian"),
        ErrorPenalty(2.0),
        StiffnessPenalty(1.0),
        RandomEnd(0.1),
    ]
    model = NeuralODE(MLP([2, 2], rng=0), step_control="per_sample", regularisers=terms)
    model.save(tmp_path / "model.h5")
    assert load(tmp_path / "model.h5").regularisers == tuple(terms)
