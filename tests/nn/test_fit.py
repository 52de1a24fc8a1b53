import sys

import numpy as np
import pytest

from odekit import _jit
from odekit.nn import (
    HNN,
    LBFGS,
    LNN,
    MLP,
    Adam,
    Adamax,
    Cosine,
    DerivativeModel,
    NeuralODE,
    RMSprop,
    TrainingError,
    fit,
)
from odekit.storage import OdekitFileError

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


@pytest.mark.parametrize(
    "optimizer", [Adam(Cosine(0.1, 40), weight_decay=0.1), Adamax(0.1), RMSprop(0.01, momentum=0.5)]
)
@pytest.mark.parametrize("batch_size", [None, 7])
def test_the_compiled_loop_makes_the_same_bits(optimizer, batch_size):
    """A callback takes the training out of the compiled loop."""
    steps = 12 if _jit.JIT_DISABLED else 40
    acceleration = X[:, :1] ** 2
    for make, data in (
        (baseline, (X, DXDT)),
        (lambda: LNN(MLP([2, 6, 1], rng=0)), (X, acceleration)),
    ):
        models, histories = (make(), make()), []
        for model, callback in zip(models, (None, lambda step, loss, model: False), strict=True):
            histories.append(
                fit(
                    model, *data, optimizer=optimizer, steps=steps, batch_size=batch_size, rng=3, clip_norm=0.5, callback=callback,
                    fixed=None if batch_size is None else make().params > 0.2,
                    validation=(data[0][:5], data[1][:5]), validate_every=4, patience=6,
                )
            )  # fmt: skip
        assert np.array_equal(models[0].params, models[1].params)
        for name in ("loss", "lr", "grad_norm", "validation", "best_step"):
            assert np.array_equal(getattr(histories[0], name), getattr(histories[1], name)), name
        assert histories[0].state.step == histories[1].state.step
        norm = np.linalg.norm(make().loss_and_grad(*data)[1]) if batch_size is None else histories[0].grad_norm[0]
        assert histories[0].grad_norm[0] == pytest.approx(norm, rel=1e-12)


@pytest.mark.parametrize("optimizer", [Adam(0.1, weight_decay=0.1), LBFGS()])
@pytest.mark.parametrize("callback", [None, lambda step, loss, model: False])
def test_fixed_parameters_keep_their_values(optimizer, callback):
    model = baseline()
    fixed = np.zeros(model.params.size, dtype=bool)
    model.field.named(fixed)["W1"][:, 0] = True
    start = model.params.copy()
    history = fit(model, X, DXDT, optimizer=optimizer, steps=5, fixed=fixed, callback=callback)
    assert np.array_equal(model.params[fixed], start[fixed])
    assert np.all(model.params[~fixed] != start[~fixed])
    assert history.loss[-1] < history.loss[0]
    if history.grad_norm.size:
        free = baseline().loss_and_grad(X, DXDT)[1][~fixed]
        assert history.grad_norm[0] == pytest.approx(np.linalg.norm(free), rel=1e-12)


def test_an_own_loss_is_not_passed_over():
    class Doubled(DerivativeModel):
        def loss_and_grad(self, x, dxdt):
            loss, grad = super().loss_and_grad(x, dxdt)
            return 2 * loss, 2 * grad

    plain = baseline().fit(X, DXDT, steps=1).loss
    assert fit(Doubled(MLP([2, 16, 2], rng=0)), X, DXDT, steps=1).loss == 2 * plain


def test_nan_in_the_compiled_loop_names_its_step():
    model, seen = baseline(), baseline()
    with np.errstate(all="ignore"), pytest.raises(TrainingError, match=r"step 3: the loss is (nan|inf)") as raised:
        fit(model, 1e60 * X, DXDT, optimizer=Adam(lambda step: 1e-3 if step < 2 else 1e300), steps=50)
    assert "last good step" in str(raised.value)
    fit(seen, 1e60 * X, DXDT, optimizer=Adam(1e-3), steps=2)
    assert np.array_equal(model.params, seen.params)


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
    with pytest.raises(TypeError, match=r"are \(x, dxdt, t\), but 1 and target=\.\.\. were given: missing .* 'dxdt'"):
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


def test_a_loss_of_ones_own_that_turns_nan_stops_with_the_last_good_parameters():
    class Logarithm(NeuralODE):
        evaluations = 0

        def loss_and_grad(self, y0, t):
            self.evaluations += 1
            slope = np.nan if self.evaluations == 3 else 1.0
            g = self.gradient(y0, t, lambda ys: np.full_like(ys, slope))
            return slope, g.params

        def samples(self, y0, t):
            return len(y0)

    model, seen = Logarithm(MLP([2, 3, 2], rng=0)), []
    with pytest.raises(
        TrainingError,
        match=r"step 2: cotangent must be finite, but cotangent\[0, 0, 0\] is nan: the loss has no derivative there\. "
        r"The parameters are those of the last good step\.$",
    ):
        fit(model, X[:2], [0.0, 0.1], callback=lambda step, loss, m: seen.append(m.params.copy()), steps=5)
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


@pytest.mark.parametrize(
    ("model", "data", "options", "message"),
    [
        (None, (X, DXDT), {}, r"model must be one that can be trained, such as .*, but it is a NoneType"),
        (MLP([2, 3, 3]), (X, DXDT), {}, r"odekit\.nn\.DerivativeModel\(field\), but it is a MLP"),
        (NeuralODE, (X, DXDT), {}, "but it is the class NeuralODE"),
        (baseline(), (), {}, r"the data of a DerivativeModel are \(x, dxdt, t\), but 0 were given: missing a required argument: 'x'"),
        (baseline(), (X,), {}, r"but 1 were given: missing a required argument: 'dxdt'"),
        (baseline(), (X, DXDT, None, X), {}, "but 4 were given: too many positional arguments"),
        (baseline(), (X, DXDT), {"epochs": 3}, r"but 2 and epochs=\.\.\. were given: got an unexpected keyword argument 'epochs'"),
        (baseline(), (X, DXDT), {"optimizer": "adam"}, r"optimizer must be an object such as odekit\.nn\.Adam\(1e-3\), but it is 'adam'"),
        (baseline(), (X, DXDT), {"optimizer": Adam}, "optimizer must be an object such as .*, but it is <class"),
        (baseline(), (X, DXDT), {"rng": "a"}, "rng must be None, an integer"),
        (baseline(), (X, DXDT), {"callback": 3}, r"callback must be a function callback\(step, loss, model\), but it is 3"),
        (baseline(), (X, DXDT), {"callback": lambda: None}, r"callback is <lambda>\(\); expected a function that takes 3 arguments"),
        (baseline(), (X, DXDT), {"validation": X}, "validation must be a tuple of data, but it is a ndarray"),
        (baseline(), (X, DXDT), {"validation": (X,)}, r"the data of a DerivativeModel \(as validation\) are \(x, dxdt, t\), but 1"),
        (baseline(), (X, DXDT), {"state": "old"}, "state must be the state of the history of another training, but it is 'old'"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_refused_before_the_first_step(model, data, options, message):
    with pytest.raises(TypeError, match=message):
        fit(model, *data, **options)


def test_learning_rates_that_are_none():
    with pytest.raises(TypeError, match=r"lr is <lambda>\(\); expected a function that takes 1 argument, lr\(step\)"):
        Adam(lambda: 1e-3)
    with pytest.raises(ValueError, match=r"lr\(0\) must be a finite number, but it is 'small'"):
        fit(baseline(), X, DXDT, optimizer=Adam(lambda step: "small"))
    with pytest.raises(ValueError, match="beta1 must be a finite number, but it is 'big'"):
        Adam(1e-3, beta1="big")


def test_lbfgs_beats_adam_on_all_data():
    adam, lbfgs = baseline(), baseline()
    fit(adam, X, DXDT, optimizer=Adam(1e-2), steps=STEPS)
    seen = []
    history = fit(lbfgs, X, DXDT, optimizer=LBFGS(), steps=STEPS, callback=lambda step, loss, model: seen.append(loss))
    assert history.loss[-1] == seen[-1] == lbfgs.loss_and_grad(X, DXDT)[0]
    assert np.all(np.diff(history.loss) <= 0)
    assert history.loss[-1] < adam.loss_and_grad(X, DXDT)[0]


def test_lbfgs_refuses_batches_and_stops_when_asked():
    with pytest.raises(ValueError, match="all data in each step"):
        fit(baseline(), X, DXDT, optimizer=LBFGS(), batch_size=4)
    assert fit(baseline(), X, DXDT, optimizer=LBFGS(), callback=lambda k, loss, model: k == 3).loss.size == 4


def test_lbfgs_steps_back_where_there_is_no_loss():
    class Cliff:
        """p - log p: from far, where it is nearly straight, the second trial is beyond the edge at p = 0."""

        def __init__(self, start):
            self.params, self.lowest = np.array([start]), start

        def samples(self):
            return 1

        def loss_and_grad(self):
            p = self.params[0]
            self.lowest = min(self.lowest, p)
            with np.errstate(all="ignore"):
                return float(p - np.log(p)), np.array([1 - 1 / p])

    model = Cliff(40.0)
    fit(model, optimizer=LBFGS(), steps=50)
    assert model.lowest < 0
    assert model.params[0] == pytest.approx(1.0, abs=1e-4)
    with pytest.raises(TrainingError, match="step 0: the loss is nan"):
        fit(Cliff(-1.0), optimizer=LBFGS(), steps=5)


def test_a_long_gradient_is_shortened():
    class Steep(Scripted):
        def loss_and_grad(self):
            return 1.0, np.full(1, 1e6)

    moved = []
    for clip in (None, 0.5):
        model = Steep([])
        fit(model, steps=1, optimizer=RMSprop(1.0, alpha=0.0, eps=1.0), clip_norm=clip)
        moved.append(-model.params[0])
    np.testing.assert_allclose(moved, [1e6 / (1e6 + 1), 0.5 / 1.5])


class Valley:
    """Loss (p - 3)^2 on the training data, (p - 1)^2 on others; p moves towards 3."""

    def __init__(self):
        self.params = np.zeros(1)

    def samples(self, goal):
        return 1

    def loss_and_grad(self, goal):
        return float((self.params[0] - goal) ** 2), 2 * (self.params - goal)


def test_validation_stops_and_keeps_the_best():
    model = Valley()
    history = fit(model, 3.0, validation=(1.0,), validate_every=2, patience=3, optimizer=Adam(0.1), steps=500)
    assert abs(model.params[0] - 1.0) < 0.11
    assert history.validation[:, 0].tolist() == list(range(0, history.loss.size, 2))
    assert history.best_step == history.validation[np.argmin(history.validation[:, 1]), 0]
    assert history.loss.size == history.best_step + 3 * 2 + 1
    assert f"best validation at step {history.best_step}" in repr(history)


@pytest.mark.parametrize("stop", [7, 10, 23])
def test_training_resumes_to_the_same_bits(tmp_path, stop):
    options = {
        "optimizer": Adam(Cosine(1e-2, 30)), "batch_size": 9, "clip_norm": 0.5, "validation": (X[:5], DXDT[:5]),
        "validate_every": 3,
    }  # fmt: skip
    whole, part = baseline(), baseline()
    expected = fit(whole, X, DXDT, steps=30, rng=4, **options)
    path = tmp_path / "training.h5"

    class Killed(Exception):
        pass

    def kill(step, loss, model):
        if step == stop:
            raise Killed

    with pytest.raises(Killed):
        fit(part, X, DXDT, steps=30, rng=4, checkpoint_path=path, checkpoint_every=5, callback=kill, **options)
    again = baseline(seed=3)
    history = fit(again, X, DXDT, steps=30, rng=99, checkpoint_path=path, resume=True, **options)
    assert np.array_equal(again.params, whole.params)
    assert np.array_equal(history.loss, expected.loss)
    assert np.array_equal(history.validation, expected.validation)


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    path = tmp_path / "training.h5"
    fit(baseline(), X, DXDT, steps=4, checkpoint_path=path)
    other = DerivativeModel(MLP([2, 8, 2], rng=0))
    with pytest.raises(OdekitFileError, match=r"another training: model was .*\[2, 16, 2\].* now it is .*\[2, 8, 2\]"):
        fit(other, X, DXDT, steps=8, checkpoint_path=path, resume=True)
    with pytest.raises(OdekitFileError, match="optimizer was"):
        fit(baseline(), X, DXDT, steps=8, checkpoint_path=path, resume=True, optimizer=Adam(0.5))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(OdekitFileError):
        fit(baseline(), X, DXDT, steps=8, checkpoint_path=path, resume=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patience": 3}, "patience needs validation"),
        ({"resume": True}, "resume=True needs checkpoint_path"),
        ({"clip_norm": 0.0}, "clip_norm must be a positive number"),
        (
            {"fixed": [0, 1]},
            r"fixed must be an array of bool with shape \(82,\), .* dtype is int64 and its shape \(2,\)",
        ),
    ],
)
def test_bad_training_options(options, message):
    with pytest.raises(ValueError, match=message):
        fit(baseline(), X, DXDT, **options)
