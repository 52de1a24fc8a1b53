import warnings

import numpy as np
import pytest

import odekit
from odekit import _jit
from odekit._arguments import pack
from odekit._second_derivative import second_derivative
from odekit.adjoint.complex_form import call

ARGS = (1.3, np.array([[0.1, -0.4], [0.3, 0.2]]), 3)


def functions(t, u, a, m, k):
    x, y = u
    return [
        np.exp(x * t) + a * m[0, 1] * x**3 + np.sqrt(x * y) + x**k + y**2.5 - m[k - 3, 1] * np.arctan(y),
        np.log(y) / (1 + y * y) + 2.0 + x**y + 3 / x + y**-2 * m[1, 0] + x**1 + x**0,
    ]


@odekit.inplace
def in_place(t, u, du, a, m, k):
    for i in range(2):
        du[i] = np.sin(u[i] * t) * m[i, 1]
    du[0] += a * u[1] ** k
    du[1] -= np.exp(-u[0] * u[1]) / a


@pytest.mark.parametrize("fun", [functions, in_place], ids=["functions", "inplace"])
@pytest.mark.parametrize("compiled", [True, False])
def test_second_derivatives(fun, compiled, monkeypatch):
    if _jit.JIT_DISABLED and compiled:
        pytest.skip("there is no compiler")
    inside = isinstance(fun, odekit.field.InPlace)
    function, (structure, p) = fun.function if inside else fun, pack(ARGS)
    if not compiled:
        monkeypatch.setattr(_jit, "JIT_DISABLED", True)
    kernel = second_derivative(function, 2, structure, inside)
    assert kernel.compiled == compiled
    monkeypatch.undo()
    rng = np.random.default_rng(0)
    x, first, second, along = np.array([0.4, 0.8, 0.9]), *rng.standard_normal((2, 3)), rng.standard_normal(p.size)
    along[5] = 0.0  # the whole number
    out = np.full(4, np.nan)
    assert call(kernel.address, 0.0, np.concatenate((x, first, second)), out, np.concatenate((p, along))) == 0

    def derivative(z):
        """Along the second direction, by a complex step, at x + z first."""
        at, q = x + z * first + 1e-30j * second, p + 1e-30j * along
        args = q[0], q[1:5].reshape(2, 2), 3
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if not inside:
                return np.array(function(at[0], at[1:], *args)).imag / 1e-30
            slope = np.zeros(2, dtype=complex)
            function(at[0], at[1:], slope, *args)
            return slope.imag / 1e-30

    h = 1e-3
    quotient = (8 * (derivative(h) - derivative(-h)) - (derivative(2 * h) - derivative(-2 * h))) / (12 * h)
    np.testing.assert_allclose(out[:2], derivative(0.0), rtol=1e-13)
    np.testing.assert_allclose(out[2:], quotient, rtol=1e-8)
