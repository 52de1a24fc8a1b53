"""Straight-line factorisations and solves of small matrices, against NumPy and against the general code."""

import numpy as np
import pytest

from odekit.solvers.linalg import dense_lu, small

CASES = [(1, float), (2, float), (3, float), (4, complex), (5, float), (8, complex)]  # both kinds of elimination


def factor(matrix):
    n = len(matrix)
    lu, rows = matrix.T.copy(order="C"), np.zeros(n, np.int32)
    return lu, rows, small.eliminate(n, dense_lu.eliminate, dense_lu.magnitude)(lu, rows)


def random_matrix(n, kind, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, n)) + (1j * rng.normal(size=(n, n)) if kind is complex else 0.0)


@pytest.mark.parametrize(("n", "kind"), CASES)
def test_the_numbers_of_the_general_code_and_the_solution(n, kind):
    for seed in range(5):  # exchanges of all kinds
        matrix, b = random_matrix(n, kind, seed), random_matrix(n, kind, 100 + seed)[0]
        lu, rows, status = factor(matrix)
        general, pivots = matrix.T.copy(order="C"), np.zeros(n, np.int32)
        assert status == 0 and dense_lu.eliminate(general, pivots) == 0
        np.testing.assert_allclose(lu, general, rtol=1e-12, atol=1e-12)  # contracted products may round differently
        order = np.arange(n)
        for k, row in enumerate(pivots):
            order[[k, row]] = order[[row, k]]
        assert (rows == order).all()
        x = b.copy()
        small.solve(n)(lu, rows, x)
        bound = 1e-14 * n * np.linalg.cond(matrix)
        np.testing.assert_allclose(x, np.linalg.solve(matrix, b), rtol=bound, atol=bound * np.linalg.norm(x))


@pytest.mark.parametrize(("n", "kind"), CASES)
def test_what_cannot_be_factorised_is_reported(n, kind):
    matrix = random_matrix(n, kind)
    matrix[:, n // 2] = 0.0
    assert factor(matrix)[2] == 1
    matrix = random_matrix(n, kind)
    matrix[n - 1, 0] = np.nan
    if n > 1:  # the pivot of the first column may be another row; the NaN then spreads to the last one
        assert factor(matrix)[2] == 1
