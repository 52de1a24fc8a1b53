"""The compiled updates of the optimisers."""

import functools
import math

import numpy as np

from .. import _jit

#: Codes of the updates.
ADAM, ADAMAX, RMSPROP = range(3)


# the updates stay functions of their own: else the loop that they are in decides how they round
@_jit.core_apart
def _adam(params, grad, m, v, step, lr, settings):
    """Adam, or AdamW if decoupled: params, grad, m and v (n_params,); settings (beta1, beta2, eps, weight_decay, decoupled)."""
    beta1, beta2, eps, weight_decay, decoupled = settings[0], settings[1], settings[2], settings[3], settings[4] != 0.0
    correction1, correction2 = 1.0 - beta1**step, 1.0 - beta2**step
    rate, root = lr / correction1, math.sqrt(correction2)
    for i in range(params.size):
        g = grad[i]
        if decoupled:
            params[i] -= lr * weight_decay * params[i]
        else:
            g += weight_decay * params[i]
        m[i] = beta1 * m[i] + (1.0 - beta1) * g
        v[i] = beta2 * v[i] + (1.0 - beta2) * g * g
        params[i] -= rate * m[i] / (math.sqrt(v[i]) / root + eps)


@_jit.core_apart
def _adamax(params, grad, m, u, step, lr, settings):
    """Adamax: params, grad, m and u (n_params,); settings (beta1, beta2, eps, weight_decay)."""
    beta1, beta2, eps, weight_decay = settings[0], settings[1], settings[2], settings[3]
    rate = lr / (1.0 - beta1**step)
    for i in range(params.size):
        g = grad[i] + weight_decay * params[i]
        m[i] = beta1 * m[i] + (1.0 - beta1) * g
        u[i] = max(beta2 * u[i], abs(g) + eps)
        params[i] -= rate * m[i] / u[i]


@_jit.core_apart
def _rmsprop(params, grad, v, velocity, lr, settings):
    """RMSprop: params, grad, v and velocity (n_params,); settings (alpha, momentum, eps, weight_decay)."""
    alpha, momentum, eps, weight_decay = settings[0], settings[1], settings[2], settings[3]
    for i in range(params.size):
        g = grad[i] + weight_decay * params[i]
        v[i] = alpha * v[i] + (1.0 - alpha) * g * g
        velocity[i] = momentum * velocity[i] + g / (math.sqrt(v[i]) + eps)
        params[i] -= lr * velocity[i]


@_jit.core
def apply_update(code, params, grad, first, second, step, lr, settings):
    """One update in place.

    Parameters
    ----------
    code : int
        `ADAM`, `ADAMAX` or `RMSPROP`.
    params, grad : ndarray, (n_params,)
    first, second : ndarray, (n_params,)
        What the optimiser remembers.
    step : int
        Counts from 1.
    lr : float
    settings : ndarray
        From `Optimizer.settings`.
    """
    if code == ADAM:
        _adam(params, grad, first, second, step, lr, settings)
    elif code == ADAMAX:
        _adamax(params, grad, first, second, step, lr, settings)
    else:
        _rmsprop(params, grad, first, second, lr, settings)


@_jit.kernel
def update(code, params, grad, first, second, step, lr, settings):
    """`apply_update`, from Python."""
    apply_update(code, params, grad, first, second, step, lr, settings)
    return 0


@functools.cache
def update_address():
    """Address of `update`, see `odekit._jit.kernel_address`."""
    x = np.empty(1)
    return _jit.kernel_address(update, (ADAM, x, x, x, x, 1, 0.0, x))
