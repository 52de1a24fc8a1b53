import numpy as np
import pytest

from odekit.nn import LBFGS, Adam, Adamax, AdamW, Cosine, Exponential, Piecewise, RMSprop


def numpy_adam(params, gradients, lr, beta1, beta2, eps, weight_decay):
    """Kingma & Ba, algorithm 1, with the weight decay added to the gradient."""
    m = v = np.zeros_like(params)
    for t, gradient in enumerate(gradients, start=1):
        g = gradient + weight_decay * params
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
        params = params - lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
    return params


@pytest.mark.parametrize("settings", [(1e-3, 0.9, 0.999, 1e-8, 0.0), (0.1, 0.5, 0.9, 1e-3, 1e-2)])
def test_adam_against_numpy(settings):
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal(50), rng.standard_normal((20, 50))
    optimizer, params = Adam(*settings), start.copy()
    state = optimizer.init(params)
    for gradient in gradients:
        optimizer.update(params, gradient, state)
    np.testing.assert_allclose(params, numpy_adam(start, gradients, *settings), rtol=1e-13)
    assert state.step == 20


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr": 0.0}, "lr must be a positive number, but it is 0.0"),
        ({"beta1": 1.0}, r"beta1 must be in \[0, 1\), but it is 1.0"),
        ({"eps": -1e-8}, "eps must be a positive number, but it is -1e-08"),
        ({"weight_decay": -1.0}, "weight_decay must be finite and not negative, but it is -1.0"),
    ],
)
def test_bad_settings_are_quoted(settings, message):
    with pytest.raises(ValueError, match=message):
        Adam(**settings)


def run(optimizer, start, gradients):
    params, state = start.copy(), optimizer.init(start)
    for gradient in gradients:
        optimizer.update(params, gradient, state)
    return params


RNG = np.random.default_rng(1)
START, GRADIENTS = RNG.standard_normal(30), RNG.standard_normal((15, 30))


def test_adamw_shrinks_the_parameters_apart_from_the_gradient():
    lr, decay = 0.05, 0.3
    params, m, v = START.copy(), np.zeros(30), np.zeros(30)
    for t, g in enumerate(GRADIENTS, start=1):
        params -= lr * decay * params
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        params -= lr * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    np.testing.assert_allclose(run(AdamW(lr, weight_decay=decay), START, GRADIENTS), params, rtol=1e-13)


def test_adamax_against_numpy():
    params, m, u = START.copy(), np.zeros(30), np.zeros(30)
    for t, gradient in enumerate(GRADIENTS, start=1):
        g = gradient + 0.1 * params
        m, u = 0.9 * m + 0.1 * g, np.maximum(0.999 * u, np.abs(g) + 1e-8)
        params = params - 0.02 / (1 - 0.9**t) * m / u
    np.testing.assert_allclose(run(Adamax(0.02, weight_decay=0.1), START, GRADIENTS), params, rtol=1e-13)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_rmsprop_against_numpy(momentum):
    params, v, velocity = START.copy(), np.zeros(30), np.zeros(30)
    for g in GRADIENTS:
        v = 0.95 * v + 0.05 * g**2
        velocity = momentum * velocity + g / (np.sqrt(v) + 1e-8)
        params = params - 0.01 * velocity
    np.testing.assert_allclose(run(RMSprop(0.01, 0.95, momentum=momentum), START, GRADIENTS), params, rtol=1e-13)


def test_a_schedule_is_the_rate_of_each_step():
    schedule = Piecewise([0.1, 0.01], [5])
    halves = [run(Adam(schedule), START, GRADIENTS[:5]), run(Adam(0.1), START, GRADIENTS[:5])]
    assert np.array_equal(*halves)
    assert not np.array_equal(run(Adam(schedule), START, GRADIENTS), run(Adam(0.1), START, GRADIENTS))


def test_schedules():
    assert [Piecewise([3.0, 2.0, 1.0], [2, 4])(k) for k in range(5)] == [3.0, 3.0, 2.0, 2.0, 1.0]
    assert Exponential(1.0, 0.5, 10)(20) == 0.25
    cosine = Cosine(2.0, 100, warmup=4, final=0.1)
    np.testing.assert_allclose([cosine(k) for k in (0, 3, 4, 52, 100, 10**6)], [0.5, 2.0, 2.0, 1.1, 0.2, 0.2])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Exponential(1.0, 0.0), r"factor must be in \(0, 1\]"),
        (lambda: Cosine(1.0, 10, warmup=10), "warmup must be an integer from 0 to steps - 1, but it is 10"),
        (lambda: Piecewise([1.0, 2.0], [5, 6]), "one rate more than boundaries"),
        (lambda: Piecewise([1.0, 2.0, 3.0], [6, 5]), "which rise"),
        (lambda: RMSprop(alpha=1.0), r"alpha must be in \[0, 1\)"),
        (lambda: LBFGS(memory=0), "memory must be a positive integer"),
    ],
)
def test_bad_settings_of_the_others(make, message):
    with pytest.raises(ValueError, match=message):
        make()
