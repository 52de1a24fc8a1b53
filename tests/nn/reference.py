"""A network in plain NumPy, analytic in all its arguments, so that complex steps differentiate it."""

import itertools

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
    a = np.concatenate((x, np.broadcast_to(np.reshape(t, (-1, 1)), (len(x), 1))), axis=1) if mlp.time_dependent else x
    last = len(mlp.sizes) - 1
    for k in range(1, last + 1):
        z = a @ w[f"W{k}"].T + w.get(f"b{k}", 0.0)
        past = a if skips(mlp, k) else 0.0
        a = FUNCTIONS[mlp.activation](z) + past if k < last else z
    return a


def skips(mlp, k):
    """Whether layer k adds its input."""
    return mlp.residual and 1 < k < len(mlp.sizes) - 1 and mlp.sizes[k] == mlp.sizes[k - 1]


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
    a = np.concatenate((x, np.broadcast_to(np.reshape(t, (-1, 1)), (len(x), 1))), axis=1) if mlp.time_dependent else x
    last, slopes = len(mlp.sizes) - 1, []
    for k in range(1, last):
        z = a @ w[f"W{k}"].T + w[f"b{k}"]
        slopes.append(slope(mlp, z))
        a = FUNCTIONS[mlp.activation](z) + (a if skips(mlp, k) else 0.0)
    e = np.repeat(w[f"W{last}"], len(x), axis=0)
    for k in range(last - 1, 0, -1):
        e = (slopes[k - 1] * e) @ w[f"W{k}"] + (e if skips(mlp, k) else 0.0)
    return e[:, : mlp.sizes[0]]


def complex_gradient(scalar, vector):
    """Gradient of a real analytic function by complex steps."""
    gradient = np.empty(vector.size)
    for i in range(vector.size):
        shifted = vector.astype(complex)
        shifted[i] += STEP * 1j
        gradient[i] = scalar(shifted).imag / STEP
    return gradient


def directional(function, point, direction):
    """Directional derivative of an analytic function by a complex step."""
    return function(point + STEP * 1j * direction).imag / STEP


def along(function, point, direction, radius=0.1, count=24):
    """Directional derivative of an analytic function by Cauchy's integral on a circle; an analytic function of the point again.

    The trapezoidal rule is exact to rounding as soon as the circle stays well away from all singularities.
    """
    radius /= max(1.0, np.linalg.norm(direction))
    roots = np.exp(2j * np.pi * np.arange(count) / count)
    return sum(function(point + radius * z * direction) / z for z in roots) / (count * radius)


def replay(table, f, steps, y0, t):
    """A Runge-Kutta solve through given steps in plain NumPy, with its dense output.

    Parameters
    ----------
    table : ExplicitTable
    f : callable
        ``f(t, y)``, also for complex y.
    steps : ndarray, (N + 1,)
    y0 : ndarray
    t : ndarray, (T,)
        Output times, the first at the start.

    Returns
    -------
    ndarray, (T, ...)
    """
    outputs, y, todo = [y0], y0, 1
    for start, end in itertools.pairwise(steps):
        h, k = end - start, []
        for c, row in zip(table.c, table.A, strict=True):
            k.append(f(end if c == 1 else start + c * h, y + h * combine(row, k, y)))
        y_new = y + h * combine(table.b, k, y)
        f_new = f(end, y_new)
        for c, row in zip(table.extra_c, table.extra_A, strict=True):
            k.append(f(start + c * h, y + h * combine(row, k, y)))
        while todo < len(t) and ((end - t[todo]) * h).real >= 0:
            s = (t[todo] - start) / h
            if np.real(t[todo]) == np.real(end):
                outputs.append(y_new)
            elif table.dense is None:
                change = (3 - 2 * s) * s**2 * (y_new - y)
                outputs.append(y + change + h * ((1 - 2 * s + s**2) * s * k[0] + (s - 1) * s**2 * f_new))
            else:
                weights = [sum(w * s ** (d + 1) for d, w in enumerate(row)) for row in table.dense]
                outputs.append(y + h * combine(weights, k, y))
            todo += 1
        y = y_new
    return np.array(outputs)


def combine(weights, slopes, y):
    return sum((w * k for w, k in zip(weights, slopes, strict=False)), np.zeros_like(y))
