"""Activation functions with their first and second derivatives, on flat arrays in place.

A network calls its activation by an address, so that one compiled network serves them all, and only those in use are
compiled. A new activation is one function below and one entry of `FUNCTIONS`.
"""

import functools

import numpy as np

from .. import _jit, vmath
from ..vmath import single
from ..vmath.exponential import fast_tanh
from .header import ORDER, scalar_address

_scalar = _jit.inlined_core


def _define(v, fast_tanh, number):
    """The activations in one precision.

    Parameters
    ----------
    v : module
        `odekit.vmath` or `odekit.vmath.single`.
    fast_tanh : callable
        A network is not as exact as `odekit.vmath.tanh`, which takes longer.
    number : type
        Of the numbers: a constant that is none of them would make double precision of single.

    Returns
    -------
    dict of function
        By name: value, first and second derivative.
    """
    zero, one, two, far = number(0.0), number(1.0), number(2.0), number(800.0)

    @_scalar
    def tanh(x):
        a = fast_tanh(x)
        s = (one - a) * (one + a)
        return a, s, -two * a * s

    @_scalar
    def softplus(x):
        s = v.sigmoid(x)
        return v.softplus(x), s, s * v.sigmoid(-x)

    @_scalar
    def sigmoid(x):
        a, rest = v.sigmoid(x), v.sigmoid(-x)
        s = a * rest
        return a, s, s * (rest - a)

    @_scalar
    def silu(x):
        a, rest = v.sigmoid(x), v.sigmoid(-x)
        y = -far if x < -far else x
        y = far if y > far else y
        return v.silu(x), a * (one + y * rest), a * rest * (two + y * (rest - a))

    @_scalar
    def relu(x):
        value = zero if x < zero else x
        return value, (one if x > zero else zero), zero

    @_scalar
    def elu(x):
        e = v.exp(x)
        return (x if x > zero else v.expm1(x)), (one if x > zero else e), (zero if x > zero else e)

    @_scalar
    def sin(x):
        a = v.sin(x)
        return a, v.cos(x), -a

    @_scalar
    def sin_of_large_angle(x):  # reduces any angle, but does not vectorise
        a = np.sin(x)
        return a, np.cos(x), -a

    functions = tanh, softplus, sigmoid, silu, relu, elu, sin, sin_of_large_angle
    return {function.__name__: function for function in functions}


_DEFINITIONS = {  # by the bytes of a number
    8: (vmath, fast_tanh, np.float64),
    4: (single, single.tanh, np.float32),
}
_functions = functools.cache(lambda itemsize: _define(*_DEFINITIONS[itemsize]))


@_jit.core
def _has_large_angle(z, limit):
    """Whether a number of z (n,) is larger than the limit, which one of the two functions of a sine needs to know."""
    count = 0
    for i in range(z.size):
        count += 1 if abs(z[i]) > limit else 0
    return count > 0


#: Names of the activations.
FUNCTIONS = ("tanh", "softplus", "sigmoid", "silu", "relu", "elu", "sin")


#: Slopes that follow from the value, without a digit lost; of the others the tape keeps the slope itself.
SLOPES = {"tanh": "(one - a[i]) * (one + a[i])", "relu": "(one if a[i] > zero else zero)"}


def keeps(name):
    """Numbers per feature that the tape of a value holds: the activation, and its slope where it does not follow from it."""
    return 1 if name in SLOPES else 2


def _compiled(name, lines, dtype, **namespace):
    """Address of a kernel from its lines, whose memory holds numbers of this type."""
    single = np.dtype(dtype).itemsize == 4
    name = f"{name}_single" if single else name
    lines = [
        f"def {name}(size, a, b, p):",
        *(["    a, b = single(a), single(b)"] if single else []),
        *lines,
        "    return 0",
    ]
    v, _, number = _DEFINITIONS[np.dtype(dtype).itemsize]
    namespace |= {"view1": _jit.view1, "single": _jit.single, "zero": number(0.0), "one": number(1.0), "ORDER": ORDER}
    namespace |= {"has_large_angle": _has_large_angle, "limit": v.ANGLE_LIMIT}
    return scalar_address(_jit.exec_source("\n".join(lines) + "\n", name, namespace, True))


@functools.cache
def slope_address(name, dtype="float64", kept=1):
    """Address of a kernel ``(size, a, delta, p)`` that multiplies `delta` by the slopes at the activations `a` on the tape.

    `a` holds `size` activations, and behind them their slopes where those stand on the tape; `delta` is (size,).

    Parameters
    ----------
    name : str
        One of `FUNCTIONS`.
    dtype : str
        float64 or float32.
    kept : int
        Numbers per feature on the tape: 2 where the slope stands there although it follows from the activation.

    Returns
    -------
    int
    """
    kept, lines = max(kept, keeps(name)), ["    n = int(size)"]
    lines += [f"    a, slope, delta = view1(a, 0, n), view1(a, {kept - 1} * n, n), view1(b, 0, n)"]
    lines += ["    for i in range(n):", f"        delta[i] *= {SLOPES[name] if kept == 1 else 'slope[i]'}"]
    return _compiled("slope" if kept == 2 else f"slope_{name}", lines, dtype)


def _loops(name, indent):
    """Source of three loops, for the value, with the first, and with both derivatives."""
    lines = []
    for order in range(3):
        lines += [f"{'if' if order == 0 else 'elif'} order == {order}:", "    for i in range(z.size):"]
        lines += [f"        f, f1, f2 = {name}(z[i])", "        z[i] = f"]
        lines += ["        first[i] = f1", "        second[i] = f2"][:order]
    return [indent + line for line in lines]


@functools.cache
def address(name, dtype="float64"):
    """Address of the kernel of an activation.

    The kernel ``(size, z, derivatives, p)`` has the scalar signature: z (size,) becomes the activation of z; with ``p[ORDER]`` 1
    or 2 the first derivatives, then the second ones, `size` each, go to `derivatives`.

    Parameters
    ----------
    name : str
        One of `FUNCTIONS`.
    dtype : str
        float64 or float32.

    Returns
    -------
    int
    """
    lines = ["    n, order = int(size), int(p[ORDER])"]
    lines += ["    z, first, second = view1(a, 0, n), view1(b, 0, n), view1(b, n, n)"]
    if name == "sin":
        lines += ["    if has_large_angle(z, limit):", *_loops("sin_of_large_angle", "        "), "        return 0"]
    lines += _loops(name, "    ")
    return _compiled(f"activation_{name}", lines, dtype, **_functions(np.dtype(dtype).itemsize))
