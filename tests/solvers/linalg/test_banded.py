"""Integrations with a band."""

import re

import numpy as np
import pytest
from scipy import sparse
from test_band_lu import random_band

import odekit
from odekit.solvers.linalg.banded import Banded


def heat(t, y, rate):
    """Diffusion with a reaction and advection: two diagonals below, one above."""
    n = y.size
    dy = np.empty_like(y)
    for i in range(n):
        left = y[i - 1] if i > 0 else 0.0 * y[i]
        far = y[i - 2] if i > 1 else 0.0 * y[i]
        right = y[i + 1] if i < n - 1 else 0.0 * y[i]
        dy[i] = rate * (left - 2.0 * y[i] + right) - 3.0 * (y[i] - 0.5 * far) * np.cos(t) - y[i] ** 3
    return dy


def heat_jac(t, y, rate):
    n = y.size
    packed = np.zeros((4, n))
    for i in range(n):
        packed[1, i] = -2.0 * rate - 3.0 * np.cos(t) - 3.0 * y[i] ** 2
        if i > 0:
            packed[2, i - 1] = packed[0, i] = rate
        if i > 1:
            packed[3, i - 2] = 1.5 * np.cos(t)
    return packed


def heat_full(t, y, rate):
    packed, full = heat_jac(t, y, rate), np.zeros((y.size, y.size))
    for i in range(y.size):
        for j in range(max(0, i - 2), min(y.size, i + 2)):
            full[i, j] = packed[1 + i - j, j]
    return full


START = np.sin(np.linspace(0.1, 3.0, 30)) + 0.3


def solve(method, fun=heat, **options):
    sol = odekit.solve_ivp(fun, (0, 1), START, method, args=(400.0,), rtol=1e-7, atol=1e-9, **options)
    assert sol.success, sol.message
    return sol


@pytest.fixture(scope="module")
def reference():
    return odekit.solve_ivp(heat, (0, 1), START, "dop853", args=(400.0,), rtol=1e-11, atol=1e-13).y[:, -1]


BAND = {"lband": 2, "uband": 1}


@pytest.mark.parametrize("method", ["bdf", "kencarp4", "rodas5p", "radau"])
def test_a_band_gives_the_steps_of_the_dense_matrix(method, reference):
    dense, band = solve(method), solve(method, **BAND)
    assert (band.naccept, band.njev, band.nlu) == (dense.naccept, dense.njev, dense.nlu)
    np.testing.assert_allclose(band.y[:, -1], dense.y[:, -1], rtol=1e-10)
    np.testing.assert_allclose(band.y[:, -1], reference, rtol=1e-5)


@pytest.mark.parametrize("jac", [heat_jac, heat_full], ids=["packed", "full"])
def test_jacobian_of_the_user(jac):
    by_step, by_user = solve("bdf", **BAND), solve("bdf", jac=jac, **BAND)
    assert by_user.naccept == by_step.naccept and by_user.nfev == by_step.nfev
    np.testing.assert_allclose(by_user.y[:, -1], by_step.y[:, -1], rtol=1e-9)


def test_differences_need_as_many_evaluations_as_the_band_is_wide():
    def field(t, y, rate):
        dy = heat(t, y, rate)
        dy[0] += 0.0 * np.abs(y[0])  # no complex step through this
        return dy

    exact, differences = solve("bdf", **BAND), solve("bdf", field, **BAND)
    assert differences.naccept == exact.naccept
    np.testing.assert_allclose(differences.y[:, -1], exact.y[:, -1], rtol=1e-6)
    assert differences.nfev - exact.nfev <= 5 * differences.njev + 3


def test_constant_jacobian():
    matrix = random_band(12, 2, 1) - 30 * np.eye(12)
    packed = Banded(12, 2, 1).pack(matrix).reshape(4, 12)
    y0 = np.ones(12)
    dense, *bands = (
        odekit.solve_ivp(lambda t, y: matrix @ y, (0, 1), y0, "bdf", jac=jac, **band)
        for jac, band in [(matrix, {}), (packed, BAND), (matrix, BAND), (sparse.csr_array(matrix), BAND)]
    )
    for sol in bands:
        assert sol.nlu == dense.nlu
        np.testing.assert_allclose(sol.y, dense.y, rtol=1e-9, atol=1e-12)


def test_complex_state():
    def field(t, y):
        dy = -40.0j * y
        dy[1:] += 30.0 * y[:-1]
        return dy

    y0 = np.array([1.0, 0.5j, 0.2 + 0.1j, 1.0])
    dense, band = (odekit.solve_ivp(field, (0, 1), y0, "bdf", **options) for options in ({}, {"lband": 1}))
    np.testing.assert_allclose(band.y[:, -1], dense.y[:, -1], rtol=1e-6, atol=1e-7)


def test_a_band_that_is_too_narrow_is_found():
    with pytest.raises(ValueError, match=r"band misses an entry: component (\d+) of fun depends on y\[(\d+)\]") as info:
        solve("bdf", lband=1, uband=1)
    row, column = (int(number) for number in re.findall(r"\d+", str(info.value))[:2])
    assert row - column == 2
    with pytest.raises(ValueError, match="jac has an entry in row 2, column 0, outside of the band"):
        solve("bdf", jac=heat_full, lband=1, uband=1)


@pytest.mark.parametrize("options", [{"lband": -1}, {"uband": 1.5}, {"lband": "two"}])
def test_widths_that_make_no_sense(options):
    with pytest.raises(ValueError, match="expected the number of diagonals"):
        solve("bdf", **options)


def test_wrong_shape_of_a_jacobian():
    with pytest.raises(ValueError, match=r"jac has shape \(3, 30\); expected \(30, 30\), or \(4, 30\)"):
        solve("bdf", jac=np.zeros((3, 30)), **BAND)
    with pytest.raises(ValueError, match=r"jac returned an array of shape \(3, 30\)"):
        solve("bdf", jac=lambda t, y, rate: np.zeros((3, 30)), **BAND)


def test_explicit_methods_need_no_band():
    assert solve("tsit5", lband=2, uband=1).success


def test_memory_of_a_long_band():
    n = 20_000  # dense: 3.2 GB for the Jacobian alone
    sol = odekit.solve_ivp(
        lambda t, y: -y * y * np.arange(1.0, y.size + 1), (0, 1), np.ones(n), "bdf", lband=0, uband=0, t_eval=[1.0]
    )
    np.testing.assert_allclose(sol.y[:, -1], 1 / (1 + np.arange(1.0, n + 1)), atol=1e-3)
