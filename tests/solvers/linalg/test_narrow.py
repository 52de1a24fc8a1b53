"""Factorisations of narrow bands and solves with them against NumPy and against the general code."""

import numpy as np
import pytest
from test_band_lu import random_band

from odekit.solvers.linalg import band_lu, narrow
from odekit.solvers.linalg.banded import Banded

CASES = [(7, 1, 1, float), (40, 2, 2, complex), (30, 0, 2, float), (30, 2, 0, float), (50, 3, 4, float)]


@pytest.mark.parametrize(("n", "lband", "uband", "kind"), CASES)
def test_factors_and_solves(n, lband, uband, kind):
    assert narrow.suits(n, lband, uband)
    factor, solve = (f(lband, uband, kind is complex) for f in (narrow.factor, narrow.solve))
    for seed in range(4):  # exchanges of rows in many places, the last rows among them
        jacobian = random_band(n, lband, uband, float, seed)
        shift, scale = kind(2.0 * (seed % 2) + 0.5), 0.7
        if kind is complex:
            shift += 1.5j
        matrix = shift * np.eye(n) - scale * jacobian
        b = random_band(n, n, n, kind, 100 + seed)[0]
        packed = Banded(n, lband, uband).pack(jacobian).reshape(-1, n)
        lu, pivots = np.full((n, 2 * lband + uband + 1), np.nan, kind), np.zeros(n, np.int32)
        known, rows = lu.copy(), pivots.copy()
        reach = factor(packed, lband, uband, shift, scale, lu, pivots)
        general_reach = band_lu.factor(packed, lband, uband, shift, scale, known, rows)
        assert reach == general_reach
        np.testing.assert_array_equal(pivots, rows)
        x, general = b.copy(), b.copy()
        solve(lu, pivots, lband, uband, reach, x)
        band_lu.solve(known, rows, lband, uband, reach, general)
        bound = 1e-14 * n * np.linalg.cond(matrix)
        np.testing.assert_allclose(x, np.linalg.solve(matrix, b), rtol=bound, atol=bound * np.linalg.norm(x))
        np.testing.assert_allclose(x, general, rtol=bound, atol=bound * np.linalg.norm(x))


@pytest.mark.parametrize("column", [4, 38])
@pytest.mark.parametrize("bad", [0.0, np.nan])
def test_singular_matrix_is_reported(bad, column):
    n = 40
    jacobian = random_band(n, 2, 2)
    jacobian[:, column] *= bad
    lu, pivots = np.zeros((n, 7)), np.zeros(n, np.int32)
    packed = Banded(n, 2, 2).pack(np.nan_to_num(jacobian)).reshape(-1, n)
    packed[:, column] *= bad
    assert narrow.factor(2, 2, False)(packed, 2, 2, 0.0, 1.0, lu, pivots) == -1


def test_inverse_of_a_large_complex_pivot_does_not_overflow():
    n, size = 9, 1e200
    lu, pivots = np.zeros((n, 4), complex), np.zeros(n, np.int32)
    reach = narrow.factor(1, 1, True)(np.zeros((3, n)), 1, 1, size * (1 + 1j), 1.0, lu, pivots)
    x = np.full(n, size, complex)
    narrow.solve(1, 1, True)(lu, pivots, 1, 1, reach, x)
    np.testing.assert_allclose(x, np.full(n, 0.5 - 0.5j), rtol=1e-15)


def test_short_and_wide_bands_are_left_to_the_general_code():
    assert not narrow.suits(4, 1, 1) and narrow.suits(5, 1, 1)
    assert not narrow.suits(1000, 5, 5)
    assert not narrow.suits(10, 0, 0)
    assert narrow.factor(4, 4, False) is band_lu.factor  # the window of the elimination is too large
