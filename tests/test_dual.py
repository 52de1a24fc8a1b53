"""Dual numbers: every function and operator against difference quotients, and Jacobians of functions of all forms."""

import math

import numpy as np
import pytest
from numba import njit

import odekit
from odekit import _callback, _jit, vmath
from odekit._arguments import pack
from odekit._wrapper_source import Unsupported

pytestmark = pytest.mark.skipif(_jit.JIT_DISABLED, reason="dual numbers are made for the compiler")


def exponentials(t, u):
    x, y = u
    return [
        np.exp(x) + math.expm1(x) + np.log(x) + math.log2(x) * math.log10(y) + np.log1p(x),
        vmath.sigmoid(x) + vmath.softplus(x) - 3 * vmath.silu(x) + 2.0**x + x**2.3 + x**y + math.sqrt(x) * np.cbrt(x),
    ]


def trigonometric(t, u):
    x, y = u
    return [
        np.sin(x) * math.cos(y) + np.tan(x) + math.asin(x) + 2 * np.arccos(x) + np.arctan(x) + math.atan2(x, y),
        np.sinh(x) + math.cosh(x) - np.tanh(x) + np.arcsinh(x) + math.acosh(1.0 + x) - np.arctanh(x) + np.hypot(x, y),
    ]


def arithmetic(t, u):
    x, y = u
    return [
        np.abs(x - y) + math.copysign(x, -y) + x % 0.2 + y % x + x**3 + y**-2 + x**0 + np.square(x),
        np.maximum(x, y) * min(x, y, 0.5)
        + max(x, 0.1)
        + math.floor(3 * x) * x
        + np.sign(y)
        - x
        + (+y)
        - 2
        + x / y
        + 3 / x
        - y / 4,
    ]


def branches(t, u):
    total = 0.0
    if u[0] < u[1]:
        total = u[0] * t
    while total < 1.0:
        total += u[1]
    return [total, np.where(u[0] > 1.0, u[0], u[1])]


def loop(t, u, a):
    total = 0.0
    for i in range(len(u)):
        total += a[i] * u[i] * u[i]
    return np.array([total * u[0], u[1] - total])


def in_place(t, u, du, a):
    for i in range(2):
        du[i] = a[i] * u[i] * u[1 - i]
    du[1] += np.cos(t)


@njit
def compiled(t, u, a):
    return a[0] * u[1], a[1] * odekit.vmath.exp(u[0])


@pytest.mark.parametrize("function", [exponentials, trigonometric, arithmetic, branches, loop, in_place, compiled])
def test_jacobians(function):
    from odekit._lane_derivative import lane_jacobian

    args = (np.array([1.5, 0.7]),) if function in (loop, in_place, compiled) else ()
    plain, n, t = getattr(function, "py_func", function), 2, 0.4
    inside = function is in_place
    structure, parameters = pack(args)
    address = lane_jacobian(function, n, structure, inside, time=True)[2]
    u = np.array([0.37, 0.61])  # inside of the domain of every function, off the kinks

    def values(t, u):
        if inside:
            du = np.empty(n)
            plain(t, u, du, *args)
            return du
        return np.array(plain(t, u, *args), dtype=float)

    found = _callback.call(address, t, u, n * (n + 1), parameters)
    exact = np.column_stack((found[: n * n].reshape(n, n), found[n * n :]))
    for j in range(n + 1):
        h = 1e-4 * (np.arange(n + 1) == j)
        ends = [values(t + k * h[n], u + k * h[:n]) for k in (-2, -1, 1, 2)]
        quotient = (ends[0] - 8 * ends[1] + 8 * ends[2] - ends[3]) / 12e-4
        np.testing.assert_allclose(exact[:, j], quotient, rtol=1e-9, atol=1e-10)


def test_a_larger_jacobian():
    """A ring of six: more entries than Python puts into a tuple at once."""
    from odekit._lane_derivative import lane_jacobian

    n, u = 6, np.linspace(0.5, 1.0, 6)
    address = lane_jacobian(ring, n, pack((2.0,))[0])[2]
    found = _callback.call(address, 0.0, u, n * n, np.array([2.0])).reshape(n, n)
    expected = np.diag(-2.0 * u) + 2.0 * np.roll(np.eye(n), 1, axis=0)
    np.testing.assert_allclose(found, expected, rtol=1e-15)


def ring(t, u, k):
    a, b, c, d, e, f = u
    return [k * f - a * a, k * a - b * b, k * b - c * c, k * c - d * d, k * d - e * e, k * e - f * f]


def test_a_function_without_a_known_derivative_is_named():
    from odekit._lane_derivative import lane_jacobian

    with pytest.raises(Unsupported, match=r"cannot be differentiated.*gamma"):
        lane_jacobian(lambda t, u: [math.gamma(u[0])], 1, ())
