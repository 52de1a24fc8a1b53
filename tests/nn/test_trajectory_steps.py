import _thread
import threading

import numpy as np
import pytest

from odekit import _jit
from odekit.adjoint import DiscreteAdjoint
from odekit.nn import MLP, Adam, AdamW, AugmentedODE, Cosine, NeuralODE, TrainingError, fit

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


@pytest.mark.parametrize("make", [plain, augmented])
@pytest.mark.parametrize("batch_size", [None, COUNT // 2 - 1])  # the last batch of an epoch is smaller
def test_the_compiled_loop_makes_the_same_bits(make, batch_size):
    """A callback takes the training out of the compiled loop; the number of threads does not matter."""
    histories, models, start = [], [], make().params.copy()
    fixed = None if batch_size is None else start > 0.2
    for threads, callback in ((1, None), (2, None), (None, lambda step, loss, model: False)):
        models.append(make(adjoint=DiscreteAdjoint(threads=threads)))
        histories.append(
            fit(
                models[-1], Y0, T, TARGET, optimizer=AdamW(Cosine(0.03, 30)), steps=4 if _jit.JIT_DISABLED else 25, batch_size=batch_size, rng=3,
                clip_norm=0.1, fixed=fixed, callback=callback, validation=(Y0[:5], T, TARGET[:, :5]), validate_every=4,
            )
        )  # fmt: skip
    for model, history in zip(models[:2], histories[:2], strict=True):
        assert np.array_equal(model.params, models[2].params)
        for name in ("loss", "lr", "grad_norm", "validation", "best_step"):
            assert np.array_equal(getattr(history, name), getattr(histories[2], name)), name
    assert histories[0].loss[-1] < histories[0].loss[0]
    assert np.array_equal(models[0].params == start, np.zeros(start.size, dtype=bool) if fixed is None else fixed)


def test_a_training_goes_on_from_its_file_to_the_same_bits(tmp_path):
    options = {"optimizer": Adam(0.01), "batch_size": COUNT // 3 - 1, "checkpoint_every": 3}
    whole, part, again = plain(), plain(), plain()
    expected = fit(whole, Y0, T, TARGET, steps=10, rng=4, **options)
    fit(part, Y0, T, TARGET, steps=7, rng=4, checkpoint_path=tmp_path / "training.h5", **options)
    history = fit(
        again, Y0, T, TARGET, steps=10, rng=99, checkpoint_path=tmp_path / "training.h5", resume=True, **options
    )
    assert np.array_equal(again.params, whole.params)
    assert np.array_equal(history.loss, expected.loss)


def test_what_is_not_finite_ends_a_training_and_names_its_step():
    model, seen = plain(), plain()
    with (
        np.errstate(all="ignore"),
        pytest.raises(TrainingError, match=r"step 3: .* The parameters are those of the last"),
    ):
        fit(model, Y0, T, 1e60 * TARGET, optimizer=Adam(lambda step: 1e-3 if step < 2 else 1e300), steps=50)
    fit(seen, Y0, T, 1e60 * TARGET, optimizer=Adam(1e-3), steps=2)
    assert np.array_equal(model.params, seen.params)


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


@pytest.mark.skipif(_jit.JIT_DISABLED, reason="needs the compiled loop")
def test_an_interrupt_keeps_whole_steps():
    model, same = plain(), plain()
    fit(plain(), Y0, T, TARGET, steps=1)  # compiled before the clock runs
    timer = threading.Timer(0.2, _thread.interrupt_main)
    timer.start()
    history = fit(model, Y0, T, TARGET, steps=10**7)
    assert history.interrupted
    fit(same, Y0, T, TARGET, steps=history.loss.size)
    assert np.array_equal(model.params, same.params)
