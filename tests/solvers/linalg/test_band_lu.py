"""LU of a band against NumPy."""

import numpy as np
import pytest

from odekit.solvers.linalg import band_lu
from odekit.solvers.linalg.banded import Banded

SHAPES = [(1, 0, 0), (3, 1, 0), (5, 0, 2), (9, 2, 1), (17, 1, 3), (40, 7, 5), (6, 5, 5)]


def random_band(n, lband, uband, kind=float, seed=0):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(n, n)) + (1j * rng.normal(size=(n, n)) if kind is complex else 0.0)
    return np.triu(np.tril(matrix, uband), -lband)


def factorise(matrix, lband, uband):
    """Factors, pivots and reach of a matrix, formed from a Jacobian: 0 I + 1 (matrix)."""
    n = len(matrix)
    packed = Banded(n, lband, uband).pack(-matrix.real).reshape(-1, n)
    if np.iscomplexobj(matrix):
        packed = packed + 1j * Banded(n, lband, uband).pack(-matrix.imag).reshape(-1, n)
    lu, pivots = np.full((n, 2 * lband + uband + 1), np.nan, packed.dtype), np.zeros(n, np.int32)
    band_lu.shifted(packed, lband, uband, 0.0, 1.0, lu)
    return lu, pivots, band_lu.eliminate(lu, pivots, lband, uband, 0, 0)


@pytest.mark.parametrize("kind", [float, complex])
@pytest.mark.parametrize("shape", SHAPES)
def test_solves(shape, kind):
    matrix, b = random_band(*shape, kind), random_band(shape[0], shape[0], shape[0], kind, 1)[0]
    lu, pivots, reach = factorise(matrix, *shape[1:])
    assert 0 <= reach <= shape[1] + shape[2]
    x = b.copy()
    band_lu.solve(lu, pivots, *shape[1:], reach, x)
    bound = 1e-14 * shape[0] * np.linalg.cond(matrix)
    np.testing.assert_allclose(x, np.linalg.solve(matrix, b), rtol=bound, atol=bound * np.linalg.norm(x))


def test_without_exchanges_u_stays_narrow():
    matrix = random_band(30, 3, 2) + 50 * np.eye(30)
    assert factorise(matrix, 3, 2)[2] == 2


def test_shifted_matrix():
    jacobian = random_band(20, 3, 2)
    lu = np.full((20, 9), np.nan)
    band_lu.shifted(Banded(20, 3, 2).pack(jacobian).reshape(6, 20), 3, 2, 2.0, 0.5, lu)
    expected = 2.0 * np.eye(20) - 0.5 * jacobian
    found = [[lu[j, 5 + i - j] if -2 <= i - j <= 3 else 0.0 for j in range(20)] for i in range(20)]
    np.testing.assert_array_equal(found, expected)
    assert (lu[:, :3] == 0).all()


@pytest.mark.parametrize("bad", [0.0, np.nan])
def test_singular_matrix_is_reported(bad):
    matrix = random_band(9, 2, 1)
    matrix[3:7, 4] *= bad
    assert factorise(matrix, 2, 1)[2] == -1
