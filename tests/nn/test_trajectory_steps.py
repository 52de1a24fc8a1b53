"""Losses of trajectories by compiled steps, and trainings on them, against the same in Python."""

import _thread
import threading

import numpy as np
import pytest

from odekit import _jit
from odekit.adjoint import DiscreteAdjoint
from odekit.nn import (
    CNF,
    MLP,
    Adam,
    AdamW,
    AugmentedODE,
    ConcatSquash,
    Cosine,
    JacobianEnergy,
    KineticEnergy,
    NeuralODE,
    RandomEnd,
    TrainingError,
    fit,
)

RNG = np.random.default_rng(0)
COUNT = 12 if _jit.JIT_DISABLED else 70  # three blocks of lanes
T = np.linspace(0.0, 1.0, 5)
Y0 = RNG.uniform(-1, 1, (COUNT, 2))
TARGET = np.exp(-T)[:, None, None] * Y0
TOLERANCES = {"rtol": 1e-3, "atol": 1e-3} if _jit.JIT_DISABLED else {}


def plain(**options):
    return NeuralODE(MLP([2, 6, 2], rng=0), **TOLERANCES, **options)


def augmented(**options):
    return AugmentedODE(MLP([3, 6, 3], rng=0), extra=1, **TOLERANCES, **options)


def energetic(**options):
    terms = [KineticEnergy(0.1), JacobianEnergy(0.1, 1), RandomEnd(0.2)]
    return NeuralODE(MLP([2, 6, 2], rng=0), regularisers=terms, **TOLERANCES, **options)


def flow(**options):
    return CNF(MLP([2, 6, 2], rng=0, time_dependent=True), method="bosh3", **TOLERANCES, **options)


def conditional(**options):
    """A density of the first component for each second one, by random directions, with all that a loss may have."""
    terms = [KineticEnergy(0.1), JacobianEnergy(0.1), RandomEnd(0.2)]
    return CNF(ConcatSquash([2, 6, 1], rng=0), probes=2, regularisers=terms, method="bosh3", **TOLERANCES, **options)


#: Models whose loss is random.
DRAWING = [energetic, conditional]
MODELS = [plain, augmented, flow, *DRAWING]


def data_of(model):
    if not isinstance(model, CNF):
        return Y0, T, TARGET
    return (Y0[:, :1], Y0[:, 1:]) if model.context else (Y0,)


def in_python(step, loss, model):
    """A callback, which takes a training out of the compiled loop."""
    return False


@pytest.mark.parametrize("make", [plain, augmented])
def test_the_loss_is_that_of_the_trajectories(make):
    model = make()
    loss, grad, y0_bar = model.loss_and_grad(Y0, T, TARGET, with_y0=True)
    residual = model.solve(Y0, T) - TARGET
    assert loss == pytest.approx(np.mean(residual**2), rel=1e-14)
    g = model.gradient(Y0, T, 2 * residual / residual.size)
    np.testing.assert_allclose(grad, g.params, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(y0_bar, g.y0, rtol=1e-12, atol=1e-15)
    one = model.loss_and_grad(Y0[0], T, TARGET[:, 0], with_y0=True)
    many = model.loss_and_grad(Y0[:1], T, TARGET[:, :1], with_y0=True)
    assert one[0] == many[0]
    assert np.array_equal(one[1], many[1])
    assert np.array_equal(one[2], many[2][0])


def test_more_steps_than_there_was_room_for():
    t, target = np.array([0.0, 0.33, 0.7]), np.zeros((3, 3, 2))
    model = NeuralODE(MLP([2, 6, 2], rng=0), "euler", first_step=0.01)
    g = model.gradient(Y0[:3], t, lambda y: 2 * y / y.size)
    assert g.counts["naccept"] > 64
    loss, grad = model.loss_and_grad(Y0[:3], t, target)
    np.testing.assert_allclose(grad, g.params, rtol=1e-12)
    again = model.loss_and_grad(Y0[:3], t, target)
    assert loss == again[0]
    assert np.array_equal(grad, again[1])


@pytest.mark.parametrize("make", [flow, energetic, conditional])
def test_other_adjoints_have_the_same_loss(make):
    """With checkpoints it is composed in Python."""
    model, composed = make(), make(adjoint=DiscreteAdjoint(checkpoints=4))
    for each in (model, composed):
        each.draw(np.random.default_rng(0))
    data = data_of(model)
    loss, grad = model.loss_and_grad(*data)
    assert model.compiled_steps(*data) is not None and composed.compiled_steps(*data) is None
    expected, slope = composed.loss_and_grad(*data)
    assert loss == pytest.approx(expected, rel=1e-14)
    np.testing.assert_allclose(grad, slope, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize("batch_size", [None, COUNT // 2 - 1])  # the last batch of an epoch is smaller
def test_the_compiled_loop_makes_the_same_bits(make, batch_size):
    """As the loop in Python, which a callback asks for; the number of threads does not matter."""
    histories, models, start = [], [], make().params.copy()
    fixed = None if batch_size is None else start > 0.2
    data = data_of(make())
    for threads, callback in ((1, None), (2, None), (None, in_python)):
        models.append(make(adjoint=DiscreteAdjoint(threads=threads)))
        histories.append(
            fit(
                models[-1], *data, optimizer=AdamW(Cosine(0.03, 30)), steps=6 if _jit.JIT_DISABLED else 25, batch_size=batch_size, rng=3,
                clip_norm=0.1, fixed=fixed, callback=callback, validation=models[-1].select(np.arange(5), *data), validate_every=4,
            )
        )  # fmt: skip
    for model, history in zip(models[:2], histories[:2], strict=True):
        assert np.array_equal(model.params, models[2].params)
        assert model._terms.drawn == models[2]._terms.drawn
        for name in ("loss", "lr", "grad_norm", "validation", "best_step"):
            assert np.array_equal(getattr(history, name), getattr(histories[2], name)), name
    if make in (plain, augmented):
        assert histories[0].loss[-1] < histories[0].loss[0]
    assert np.array_equal(models[0].params == start, np.zeros(start.size, dtype=bool) if fixed is None else fixed)


@pytest.mark.parametrize("make", [plain, *DRAWING])
def test_a_training_goes_on_from_its_file_to_the_same_bits(make, tmp_path):
    options = {"optimizer": Adam(0.01), "batch_size": COUNT // 3 - 1, "checkpoint_every": 3}
    whole, part, again = make(), make(), make()
    data, path = data_of(whole), tmp_path / "training.h5"
    expected = fit(whole, *data, steps=10, rng=4, **options)
    fit(part, *data, steps=7, rng=4, checkpoint_path=path, **options)
    history = fit(again, *data, steps=10, rng=99, checkpoint_path=path, resume=True, **options)
    assert np.array_equal(again.params, whole.params)
    assert np.array_equal(history.loss, expected.loss)


@pytest.mark.parametrize("make", [plain, *DRAWING])
def test_what_is_not_finite_ends_a_training_and_names_its_step(make):
    """With the sentence of the loop in Python: the step has the random numbers that were drawn for it."""
    rates = lambda step: 1e-3 if step < 2 else 1e300  # noqa: E731
    sentences, models = [], []
    for callback in (None, in_python):
        models.append(make())
        with np.errstate(all="ignore"), pytest.raises(TrainingError) as caught:
            fit(models[-1], *data_of(models[-1]), optimizer=Adam(rates), steps=50, rng=0, callback=callback)
        sentences.append(str(caught.value))
    assert sentences[0] == sentences[1]
    assert sentences[0].startswith("step 3: ") and "The parameters are those of the last good step" in sentences[0]
    seen = make()
    fit(seen, *data_of(seen), optimizer=Adam(1e-3), steps=2, rng=0)
    for model in models:
        assert np.array_equal(model.params, seen.params)
        assert model._terms.drawn == models[0]._terms.drawn


def test_an_own_gradient_is_not_passed_over():
    class Doubled(NeuralODE):
        def gradient(self, *args, **options):
            g = super().gradient(*args, **options)
            g.params *= 2.0
            return g

    model = Doubled(MLP([2, 6, 2], rng=0), **TOLERANCES)
    np.testing.assert_allclose(
        model.loss_and_grad(Y0, T, TARGET)[1], 2 * plain().loss_and_grad(Y0, T, TARGET)[1], rtol=1e-12
    )


def test_data_that_must_not_be_changed():
    model, data = plain(), [np.array(array) for array in (Y0, T, TARGET)]
    expected = model.loss_and_grad(*data)
    for array in data:
        array.flags.writeable = False
    loss, grad = model.loss_and_grad(*data)
    assert loss == expected[0] and np.array_equal(grad, expected[1])


@pytest.mark.skipif(_jit.JIT_DISABLED, reason="needs the compiled loop")
@pytest.mark.parametrize("make", [plain, conditional])
def test_an_interrupt_keeps_whole_steps(make):
    model, same = make(), make()
    data = data_of(model)
    fit(make(), *data, steps=1)  # compiled before the clock runs
    timer = threading.Timer(0.2, _thread.interrupt_main)
    timer.start()
    history = fit(model, *data, steps=10**7, rng=0)
    assert history.interrupted
    fit(same, *data, steps=history.loss.size, rng=0)
    assert np.array_equal(model.params, same.params)
