import sys

import numpy as np
import pytest

from odekit import _jit
from odekit.nn import HNN, MLP, Adam, DerivativeModel, NeuralODE, TrainingError, fit

RNG = np.random.default_rng(0)
STEPS = 10 if _jit.JIT_DISABLED else 200
X = RNG.uniform(-1, 1, (40, 2))
DXDT = X[:, ::-1] * [1.0, -1.0]


def baseline(seed=0):
    return DerivativeModel(MLP([2, 16, 2], rng=seed))


@pytest.mark.parametrize("batch_size", [None, 16])
def test_every_model_learns(batch_size):
    t = np.linspace(0, 1, 5)
    target = np.stack([np.cos(s) * X + np.sin(s) * DXDT for s in t])
    for model, data in (
        (baseline(), (X, DXDT)),
        (HNN(MLP([2, 16, 1], rng=0)), (X, DXDT)),
        (NeuralODE(MLP([2, 16, 2], rng=0), rtol=1e-3, atol=1e-3), (X, t, target)),
    ):
        before = model.loss_and_grad(*data)[0]
        history = fit(model, *data, optimizer=Adam(1e-2), steps=STEPS, batch_size=batch_size, rng=0)
        assert model.loss_and_grad(*data)[0] < (0.9 if _jit.JIT_DISABLED else 0.05) * before
        assert history.loss.shape == history.step.shape == history.time.shape == (STEPS,)
        assert np.all(np.diff(history.time) >= 0)
        assert repr(history).startswith(f"<History: {STEPS} steps, loss ")


def test_same_bits_for_the_same_seed():
    first, second, third = baseline(), baseline(), baseline()
    losses = [fit(m, X, DXDT, steps=30, batch_size=7, rng=s).loss for m, s in ((first, 1), (second, 1), (third, 2))]
    assert np.array_equal(first.params, second.params)
    assert np.array_equal(losses[0], losses[1])
    assert not np.array_equal(first.params, third.params)


def test_training_in_two_parts_is_the_same_training():
    whole, parts = baseline(), baseline()
    fit(whole, X, DXDT, steps=20)
    history = fit(parts, X, DXDT, steps=12)
    fit(parts, X, DXDT, steps=8, state=history.state)
    assert np.array_equal(whole.params, parts.params)


def test_one_trajectory():
    t, target = np.linspace(0, 1, 5), np.zeros((5, 2))
    one, batch = (NeuralODE(MLP([2, 4, 2], rng=0)) for _ in range(2))
    fit(one, np.ones(2), t, target, steps=3, batch_size=1)
    fit(batch, np.ones((1, 2)), t, target[:, None], steps=3)
    assert np.array_equal(one.params, batch.params)


def test_data_by_name():
    assert np.array_equal(fit(baseline(), x=X, dxdt=DXDT, steps=3).loss, fit(baseline(), X, DXDT, steps=3).loss)
    with pytest.raises(TypeError, match=r"the data of DerivativeModel: .*dxdt"):
        fit(baseline(), X, steps=3, target=DXDT)


def test_every_sample_once_per_epoch():
    class Recorder:
        def __init__(self):
            self.params, self.rows = np.zeros(1), []

        def samples(self, x):
            return len(x)

        def select(self, rows, x):
            return (rows,)

        def loss_and_grad(self, rows):
            self.rows.append(rows)
            return 1.0, np.zeros(1)

    recorder = Recorder()
    fit(recorder, np.zeros(10), steps=6, batch_size=4, rng=0)
    for epoch in (recorder.rows[:3], recorder.rows[3:]):
        assert sorted(np.concatenate(epoch)) == list(range(10))


class Scripted:
    """A model with given losses; its gradient is 1."""

    def __init__(self, losses):
        self.params, self.losses = np.zeros(1), list(losses)

    def samples(self):
        return 1

    def loss_and_grad(self):
        loss = self.losses.pop(0)
        if isinstance(loss, BaseException):
            raise loss
        return loss, np.ones(1)


def test_nan_stops_with_the_last_good_parameters():
    model = Scripted([1.0, 1.0, np.nan])
    seen = []
    with pytest.raises(
        TrainingError, match=r"step 2: the loss is nan\. The parameters are those of the last good step"
    ):
        fit(model, steps=10, callback=lambda step, loss, m: seen.append(m.params.copy()))
    assert np.array_equal(model.params, seen[-1])


def test_failed_trajectory_stops_with_the_last_good_parameters():
    field = MLP([1, 1], rng=0)
    field.params = [1e6, 0.0]
    with (
        np.errstate(all="ignore"),
        pytest.raises(TrainingError, match=r"step 0: .* The parameters are those of the last good step"),
    ):
        fit(NeuralODE(field), np.ones((1, 1)), [0.0, 1e3], np.ones((2, 1, 1)))
    assert field.params.tolist() == [1e6, 0.0]


def test_interrupt_keeps_what_was_learned():
    model = Scripted([1.0, 1.0, KeyboardInterrupt()])
    history = fit(model, steps=10)
    assert history.interrupted
    assert history.loss.size == 2
    assert model.params[0] < 0
    assert "interrupted" in repr(history)


def test_callback_ends_training():
    history = fit(Scripted([3.0, 2.0, 1.0]), steps=3, callback=lambda step, loss, model: loss < 2.5)
    assert history.loss.tolist() == [3.0, 2.0]


@pytest.mark.parametrize("with_tqdm", [True, False])
def test_progress(capsys, monkeypatch, with_tqdm):
    if with_tqdm:
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    fit(baseline(), X, DXDT, steps=5, progress=True)
    assert "loss" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps must be a positive integer, but it is 0"),
        ({"batch_size": 41}, "batch_size must be at most 40, the number of samples, but it is 41"),
        ({"batch_size": 2.5}, "batch_size must be a positive integer, but it is 2.5"),
    ],
)
def test_bad_options_are_quoted(options, message):
    with pytest.raises(ValueError, match=message):
        fit(baseline(), X, DXDT, **options)
