"""The numbers of the Radau methods: collocation, the transformation, the error estimates, the polynomial."""

from fractions import Fraction

import numpy as np
import pytest

from odekit.solvers.radau_tables import TABLES

EVERY = pytest.mark.parametrize("table", TABLES, ids=lambda table: f"order {table.order}")


def matrix(table):
    """The matrix A of the collocation method: integrals of the Lagrange polynomials of its nodes, in exact arithmetic."""
    c = [Fraction(node) for node in table.c]
    A = np.empty((table.stages, table.stages))
    for j, own in enumerate(c):
        powers = [Fraction(1)]
        for other in (node for node in c if node != own):
            shifted, scaled = [Fraction(0), *powers], [*(other * x for x in powers), Fraction(0)]
            powers = [(x - y) / (own - other) for x, y in zip(shifted, scaled, strict=True)]
        A[:, j] = [float(sum(x * end ** (k + 1) / (k + 1) for k, x in enumerate(powers))) for end in c]
    return A


@EVERY
def test_order_conditions(table):
    c, s, A = np.array(table.c), table.stages, matrix(table)
    b = A[-1]  # stiffly accurate
    for q in range(1, 2 * s):  # B(2 s - 1)
        assert abs(b @ c ** (q - 1) - 1 / q) < 1e-13
    assert abs(b @ c ** (2 * s - 1) - 1 / (2 * s)) > 1e-9  # and no higher
    for q in range(1, s + 1):  # C(s)
        np.testing.assert_allclose(A @ c ** (q - 1), c**q / q, atol=1e-13)
    legendre = np.polynomial.Legendre.basis
    np.testing.assert_allclose((legendre(s) - legendre(s - 1))(2 * c - 1), 0, atol=1e-14)


@EVERY
def test_the_transformation_diagonalises_the_method(table):
    s, T, inverse = table.stages, np.array(table.T), np.array(table.T_inverse)
    np.testing.assert_allclose(T @ inverse, np.eye(s), atol=1e-13)
    block = np.zeros((s, s))
    block[0, 0] = table.mu
    for q, (alpha, beta) in enumerate(table.pairs):
        k = 2 * q + 1
        block[k : k + 2, k : k + 2] = [[alpha, -beta], [beta, alpha]]
    # A = T block^-1 T^-1: the inverse of A itself is known to fewer digits in double precision
    np.testing.assert_allclose(T @ np.linalg.inv(block) @ inverse, matrix(table), atol=1e-14)


@EVERY
def test_the_error_estimate_is_that_of_a_formula_of_order_s(table):
    # error_j = mu sum_i (b_hat_i - b_i) A^-1_ij, so that b_hat = b + A^T error / mu
    c, s, A = np.array(table.c), table.stages, matrix(table)
    b_hat = A[-1] + A.T @ np.array(table.error) / table.mu
    for q in range(1, s + 1):
        assert abs(b_hat @ c ** (q - 1) + (1 / table.mu if q == 1 else 0.0) - 1 / q) < 1e-13
    assert abs(b_hat @ c**s - 1 / (s + 1)) > 1e-6


@EVERY
def test_the_largest_value_between_the_nodes(table):
    x = np.linspace(0, 1, 100_001)
    value = np.abs(x * np.prod(x[:, None] - np.array(table.c), axis=1)).max()
    assert abs(table.interior / value - 1) < 1e-6


def test_the_numbers_of_radau5():
    # published digits of the code RADAU5
    table = TABLES[0]
    assert table.T[0] == (0.091232394870892942792, -0.14125529502095420843, -0.030029194105147424492)
    assert table.T_inverse[2] == (-0.50287263494578687595, 2.5719269498556054292, -0.59603920482822492497)
    assert table.mu == pytest.approx(3 + 3 ** (2 / 3) - 3 ** (1 / 3), rel=1e-15)
