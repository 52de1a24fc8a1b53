"""Solves with narrow bands against NumPy and against the general code."""

import numpy as np
import pytest
from test_banded import factorise, random_band

from odekit.solvers.linalg import banded, narrow

CASES = [(7, 1, 1, float), (40, 2, 2, complex), (30, 0, 2, float), (30, 2, 0, float), (50, 3, 4, float)]


@pytest.mark.parametrize(("n", "lband", "uband", "kind"), CASES)
def test_solves(n, lband, uband, kind):
    assert narrow.suits(n, lband, uband)
    solve = narrow.solve(lband, uband)
    for seed in range(4):  # exchanges of rows in many places, the last rows among them
        matrix = random_band(n, lband, uband, kind, seed)
        matrix[np.arange(n), np.arange(n)] += 2.0 * (seed % 2) + 0.5
        b = random_band(n, n, n, kind, 100 + seed)[0]
        lu, pivots, reach = factorise(matrix, lband, uband)
        x, general = b.copy(), b.copy()
        solve(lu, pivots, lband, uband, reach, x)
        banded.solve(lu, pivots, lband, uband, reach, general)
        bound = 1e-14 * n * np.linalg.cond(matrix)
        np.testing.assert_allclose(x, np.linalg.solve(matrix, b), rtol=bound, atol=bound * np.linalg.norm(x))
        np.testing.assert_allclose(x, general, rtol=bound, atol=bound * np.linalg.norm(x))


def test_short_and_wide_bands_are_left_to_the_general_code():
    assert not narrow.suits(4, 1, 1) and narrow.suits(5, 1, 1)
    assert not narrow.suits(1000, 5, 5)
    assert not narrow.suits(10, 0, 0)
