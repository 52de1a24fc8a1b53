"""Activation functions with their first and second derivatives, on flat arrays in place.

A network calls its activation by an address, so that one compiled network serves them all, and only those in use are
compiled. A new activation is one function below and one entry of `FUNCTIONS`.
"""

import functools

import numpy as np

from .. import _jit, vmath
from ..vmath.exponential import fast_expm1
from .header import ORDER, scalar_address

_scalar = _jit.inlined_core


@_scalar
def _tanh(x):
    # within 2.5 ulp, and a third faster than `vmath.tanh`, which is within 1.5: a network is not that exact
    argument = 2.0 * abs(x)
    argument = 40.0 if argument > 40.0 else argument  # tanh(20) rounds to 1
    e = fast_expm1(argument)
    a = np.copysign(e / (e + 2.0), x)
    s = (1.0 - a) * (1.0 + a)
    return a, s, -2.0 * a * s


@_scalar
def _softplus(x):
    s = vmath.sigmoid(x)
    return vmath.softplus(x), s, s * vmath.sigmoid(-x)


@_scalar
def _sigmoid(x):
    a, rest = vmath.sigmoid(x), vmath.sigmoid(-x)
    s = a * rest
    return a, s, s * (rest - a)


@_scalar
def _silu(x):
    a, rest = vmath.sigmoid(x), vmath.sigmoid(-x)
    y = -800.0 if x < -800.0 else x
    y = 800.0 if y > 800.0 else y
    return vmath.silu(x), a * (1.0 + y * rest), a * rest * (2.0 + y * (rest - a))


@_scalar
def _relu(x):
    value = 0.0 if x < 0.0 else x
    return value, (1.0 if x > 0.0 else 0.0), 0.0


@_scalar
def _elu(x):
    e = vmath.exp(x)
    return (x if x > 0.0 else vmath.expm1(x)), (1.0 if x > 0.0 else e), (0.0 if x > 0.0 else e)


@_scalar
def _sin(x):
    a = vmath.sin(x)
    return a, vmath.cos(x), -a


@_scalar
def _sin_of_large_angle(x):  # reduces any angle, but does not vectorise
    a = np.sin(x)
    return a, np.cos(x), -a


@_jit.core
def _has_large_angle(z):
    count = 0
    for i in range(z.size):
        count += 1 if abs(z[i]) > vmath.ANGLE_LIMIT else 0
    return count > 0


#: Activations by name.
FUNCTIONS = {
    "tanh": _tanh,
    "softplus": _softplus,
    "sigmoid": _sigmoid,
    "silu": _silu,
    "relu": _relu,
    "elu": _elu,
    "sin": _sin,
}


#: Slopes that follow from the value, without a digit lost; of the others the tape keeps the slope itself.
SLOPES = {"tanh": "(1.0 - a[i]) * (1.0 + a[i])", "relu": "(1.0 if a[i] > 0.0 else 0.0)"}


def keeps(name):
    """Numbers per feature that the tape of a value holds: the activation, and its slope where it does not follow from it."""
    return 1 if name in SLOPES else 2


@functools.cache
def slope_address(name):
    """Address of a kernel ``(size, a, delta, p)`` that multiplies `delta` by the slopes at the activations `a` on the tape.

    Parameters
    ----------
    name : str
        A key of `FUNCTIONS`.

    Returns
    -------
    int
    """
    lines = [f"def slope_{name}(size, a, delta, p):", "    n = int(size)"]
    lines += [f"    a, slope, delta = view1(a, 0, n), view1(a, {keeps(name) - 1} * n, n), view1(delta, 0, n)"]
    lines += ["    for i in range(n):", f"        delta[i] *= {SLOPES.get(name, 'slope[i]')}", "    return 0"]
    return scalar_address(_jit.exec_source("\n".join(lines) + "\n", f"slope_{name}", {"view1": _jit.view1}, True))


def _loops(function, indent):
    """Source of three loops, for the value, with the first, and with both derivatives."""
    lines = []
    for order in range(3):
        lines += [f"{'if' if order == 0 else 'elif'} order == {order}:", "    for i in range(z.size):"]
        lines += [f"        f, f1, f2 = {function.__name__}(z[i])", "        z[i] = f"]
        lines += ["        first[i] = f1", "        second[i] = f2"][:order]
    return [indent + line for line in lines]


@functools.cache
def address(name):
    """Address of the kernel of an activation.

    The kernel ``(size, z, derivatives, p)`` has the scalar signature: z becomes the activation of z; with ``p[ORDER]`` 1
    or 2 the first derivatives, then the second ones, go to `derivatives`.

    Parameters
    ----------
    name : str
        A key of `FUNCTIONS`.

    Returns
    -------
    int
    """
    lines = [f"def activation_{name}(size, z, derivatives, p):", "    n, order = int(size), int(p[ORDER])"]
    lines += ["    z, first, second = view1(z, 0, n), view1(derivatives, 0, n), view1(derivatives, n, n)"]
    if name == "sin":
        lines += ["    if has_large_angle(z):", *_loops(_sin_of_large_angle, "        "), "        return 0"]
    lines += [*_loops(FUNCTIONS[name], "    "), "    return 0"]
    namespace = {"ORDER": ORDER, "view1": _jit.view1, "has_large_angle": _has_large_angle}
    namespace |= {function.__name__: function for function in (*FUNCTIONS.values(), _sin_of_large_angle)}
    return scalar_address(_jit.exec_source("\n".join(lines) + "\n", f"activation_{name}", namespace, True))
