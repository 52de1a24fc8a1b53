"""The convergence test of the simplified Newton iteration."""

import numpy as np
import pytest

from odekit.solvers import newton


@pytest.mark.parametrize(
    ("rtol", "expected"), [(1e-2, 0.03), (1e-3, 0.03), (1e-6, 1e-3), (1e-12, 10 * newton.EPS / 1e-12), (0.0, 10.0)]
)
def test_tolerance(rtol, expected):
    assert newton.tolerance(np.array([1.0, rtol])) == pytest.approx(expected)


def iterate(rate, first=1.0, limit=10, factor=1.0, tol=1e-3):
    """Judge a geometric sequence of increments; the last verdict and how many there were."""
    size_old = 0.0
    for k in range(1, limit + 1):
        size = first * rate ** (k - 1)
        verdict, factor = newton.judge(size, size_old, limit - k, factor, tol)
        if verdict != newton.CONTINUE:
            return verdict, k, factor
        size_old = size
    return newton.CONTINUE, limit, factor


def test_converges_when_the_rest_is_below_the_tolerance():
    verdict, k, factor = iterate(0.1)
    assert (verdict, k) == (newton.CONVERGED, 4)  # 0.1 / 0.9 * 1e-3 is the first rest below 1e-3
    assert newton.rate(factor) == pytest.approx(0.1)


def test_slow_convergence_is_given_up_as_soon_as_it_is_seen():
    assert iterate(0.9)[:2] == (newton.DIVERGED, 2)


def test_divergence_and_nan():
    assert iterate(1.5)[:2] == (newton.DIVERGED, 2)
    assert newton.judge(np.nan, 0.0, 5, 1.0, 1e-3)[0] == newton.DIVERGED
    assert newton.judge(np.inf, 1.0, 5, 1.0, 1e-3)[0] == newton.DIVERGED


def test_an_exact_start_has_converged():
    assert newton.judge(0.0, 0.0, 5, 1.0, 1e-3)[0] == newton.CONVERGED


def test_the_rate_of_the_last_solve_judges_the_first_increment():
    assert newton.judge(0.1, 0.0, 5, newton.first_factor(1e-6, 0.0), 1e-3)[0] == newton.CONVERGED
    assert newton.judge(0.1, 0.0, 5, newton.first_factor(1e-6, 0.2), 1e-3)[0] == newton.CONTINUE
    assert newton.judge(0.1, 0.0, 5, newton.first_factor(1.0, 0.0), 1e-3)[0] == newton.CONTINUE


def test_norm_ignores_components_without_a_weight():
    y, out = np.array([1.0, 0.0]), np.empty(2)
    newton.inverse_weights(y, np.full(2, 0.1), np.zeros(2), out)
    assert out.tolist() == [10.0, 0.0]
    assert newton.norm(np.array([0.2, 5.0]), out) == pytest.approx(np.sqrt(2.0))
