"""Activation functions with their first and second derivatives, on flat arrays in place.

The activation is a number at run time, so that one compiled kernel serves every network; each has a loop of its own, so
that LLVM vectorises it. A new activation is one function below and one entry of `NAMES`.
"""

import math

from .. import _jit, vmath

_scalar = _jit.njit(**{**_jit.CORE_OPTIONS, "forceinline": True})


@_scalar
def _tanh(x):
    a = vmath.tanh(x)
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
    y = -800.0 if x < -800.0 else x  # noqa: FURB136 (keeps NaN, and -inf * 0 is not a number)
    y = 800.0 if y > 800.0 else y  # noqa: FURB136
    return vmath.silu(x), a * (1.0 + y * rest), a * rest * (2.0 + y * (rest - a))


@_scalar
def _relu(x):
    value = 0.0 if x < 0.0 else x  # noqa: FURB136 (keeps NaN)
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
    a = math.sin(x)
    return a, math.cos(x), -a


#: Name of every activation and its number in a network's header.
NAMES = {"tanh": 0, "softplus": 1, "sigmoid": 2, "silu": 3, "relu": 4, "elu": 5, "sin": 6}

_SIN, _SIN_OF_LARGE_ANGLE = NAMES["sin"], len(NAMES)
_FUNCTIONS = [_tanh, _softplus, _sigmoid, _silu, _relu, _elu, _sin, _sin_of_large_angle]


@_jit.core
def _pick(kind, z):
    """The number of the loop to run: a sine of any angle beyond `vmath.ANGLE_LIMIT` needs the library's."""
    if kind != _SIN:
        return kind
    beyond = 0
    for i in range(z.size):
        beyond += 1 if abs(z[i]) > vmath.ANGLE_LIMIT else 0
    return _SIN_OF_LARGE_ANGLE if beyond > 0 else _SIN


def _generate(name, arrays):
    """Kernel ``name(kind, *arrays)``: each activation's own loop writes its value and derivatives to `arrays`."""
    lines = [f"def {name}(kind, {', '.join(arrays)}):", "    loop = _pick(kind, z)"]
    for number, function in enumerate(_FUNCTIONS):
        lines += [
            f"    if loop == {number}:",
            "        for i in range(z.size):",
            f"            f, f1, f2 = {function.__name__}(z[i])",
            *[f"            {array}[i] = {value}" for array, value in zip(arrays, ("f", "f1", "f2"), strict=False)],
        ]
    namespace = {"_pick": _pick, **{function.__name__: function for function in _FUNCTIONS}}
    return _jit.core(_jit.exec_source("\n".join(lines) + "\n", name, namespace))


#: ``value(kind, z)``: z becomes the activation of z.
value = _generate("activation_value", ["z"])
#: ``slope(kind, z, s)``: the same, and s becomes the first derivative.
slope = _generate("activation_slope", ["z", "s"])
#: ``curvature(kind, z, s, c)``: the same, and c becomes the second derivative.
curvature = _generate("activation_curvature", ["z", "s", "c"])
