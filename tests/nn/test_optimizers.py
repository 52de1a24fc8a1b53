import numpy as np
import pytest

from odekit.nn import Adam


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
