"""A network in plain NumPy, analytic in all its arguments, so that complex steps differentiate it."""

import numpy as np

FUNCTIONS = {
    "tanh": np.tanh,
    "softplus": lambda z: np.log1p(np.exp(z)),
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "silu": lambda z: z / (1 + np.exp(-z)),
    "relu": lambda z: np.where(z.real > 0, z, 0),
    "elu": lambda z: np.where(z.real > 0, z, np.expm1(z)),
    "sin": np.sin,
}
STEP = 1e-30  # of a complex step: no cancellation


def value(mlp, x, params=None, t=0.0):
    """The network at x (B, d) with other parameters, complex ones too."""
    w = mlp.named(mlp.params if params is None else params)
    a = np.concatenate((x, np.full((len(x), 1), t)), axis=1) if mlp.time_dependent else x
    last = len(mlp.sizes) - 1
    for k in range(1, last + 1):
        z = a @ w[f"W{k}"].T + w.get(f"b{k}", 0.0)
        a = FUNCTIONS[mlp.activation](z) if k < last else z
    return a


def slope(mlp, z):
    """First derivative of the activation, analytic."""
    s = 1 / (1 + np.exp(-z))
    return {
        "tanh": lambda: 1 - np.tanh(z) ** 2,
        "softplus": lambda: s,
        "sigmoid": lambda: s * (1 - s),
        "silu": lambda: s * (1 + z * (1 - s)),
        "relu": lambda: np.where(z.real > 0, 1, 0) + 0 * z,
        "elu": lambda: np.where(z.real > 0, 1, np.exp(z)),
        "sin": lambda: np.cos(z),
    }[mlp.activation]()


def input_gradient(mlp, x, params=None, t=0.0):
    """grad H at x (B, d), by the chain rule in NumPy, for complex arguments too."""
    w = mlp.named(mlp.params if params is None else params)
    a = np.concatenate((x, np.full((len(x), 1), t)), axis=1) if mlp.time_dependent else x
    last, slopes = len(mlp.sizes) - 1, []
    for k in range(1, last):
        z = a @ w[f"W{k}"].T + w[f"b{k}"]
        slopes.append(slope(mlp, z))
        a = FUNCTIONS[mlp.activation](z)
    e = np.repeat(w[f"W{last}"], len(x), axis=0)
    for k in range(last - 1, 0, -1):
        e = (slopes[k - 1] * e) @ w[f"W{k}"]
    return e[:, : mlp.sizes[0]]


def complex_gradient(scalar, vector):
    """Gradient of a real analytic function by complex steps."""
    gradient = np.empty(vector.size)
    for i in range(vector.size):
        shifted = vector.astype(complex)
        shifted[i] += STEP * 1j
        gradient[i] = scalar(shifted).imag / STEP
    return gradient
