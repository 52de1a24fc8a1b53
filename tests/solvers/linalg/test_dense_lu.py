"""LU factorisation and solution against NumPy."""

import numpy as np
import pytest

from odekit.solvers.linalg import dense_lu as linalg

SIZES = [1, 2, 3, 5, 8, 17, 27, 28, 35, 36, 64, 100]  # on both sides of where LAPACK takes over


def factor(matrix):
    """Factors, pivots and status of a matrix."""
    lu, pivots = matrix.T.copy(order="C"), np.zeros(len(matrix), np.int32)
    return lu, pivots, linalg.factor_core(len(matrix), np.iscomplexobj(matrix))(lu, pivots)


def random_matrix(n, kind, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, n)) + (1j * rng.normal(size=(n, n)) if kind is complex else 0.0)


@pytest.mark.parametrize("kind", [float, complex])
@pytest.mark.parametrize("n", SIZES)
def test_solves(n, kind):
    matrix, b = random_matrix(n, kind), random_matrix(n, kind, 1)[0]
    lu, pivots, status = factor(matrix)
    assert status == 0
    x = b.copy()
    linalg.solve(lu, pivots, x)
    bound = 1e-14 * n * np.linalg.cond(matrix)
    np.testing.assert_allclose(x, np.linalg.solve(matrix, b), rtol=bound, atol=bound * np.linalg.norm(x))


@pytest.mark.parametrize("kind", [float, complex])
@pytest.mark.parametrize("n", [3, 40])
def test_factors_multiply_to_the_matrix(n, kind):
    matrix = random_matrix(n, kind)
    lu, pivots, _ = factor(matrix)
    packed = lu.T
    lower = np.tril(packed, -1) + np.eye(n)
    upper = np.triu(packed, 1) + np.diag(1.0 / np.diag(packed))
    permuted = matrix.copy()
    for k, row in enumerate(pivots):
        permuted[[k, row]] = permuted[[row, k]]
    np.testing.assert_allclose(lower @ upper, permuted, atol=1e-12)
    if kind is float:
        assert np.abs(lower).max() <= 1.0  # partial pivoting


@pytest.mark.parametrize("kind", [float, complex])
@pytest.mark.parametrize("n", [1, 3, 36, 50])
def test_singular_matrix_is_reported(n, kind):
    matrix = random_matrix(n, kind)
    matrix[:, n // 2] = 0.0
    assert factor(matrix)[2] == 1


@pytest.mark.parametrize("place", [(0, 0), (1, 2), (2, 0), (2, 2)])
@pytest.mark.parametrize("n", [3, 40])
def test_nan_is_reported(n, place):
    for kind in (float, complex):
        matrix = random_matrix(n, kind)
        matrix[place] = np.nan
        assert factor(matrix)[2] == 1


def test_pivoting_is_needed_and_done():
    lu, pivots, status = factor(np.array([[0.0, 1.0], [1.0, 0.0]]))
    x = np.array([2.0, 3.0])
    linalg.solve(lu, pivots, x)
    assert status == 0 and x.tolist() == [3.0, 2.0]


def test_shifted_matrix():
    jacobian, lu = random_matrix(4, float), np.empty((4, 4))
    linalg.shifted(jacobian, 2.0, 0.5, lu)
    np.testing.assert_array_equal(lu.T, 2.0 * np.eye(4) - 0.5 * jacobian)
