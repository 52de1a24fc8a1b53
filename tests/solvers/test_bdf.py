"""BDF: errors that follow the tolerance, counts, the table of differences."""

import numpy as np
import pytest

import odekit
from odekit.solvers import bdf
from odekit.testset import PROBLEMS

#: Jacobians and factorisations of SciPy 1.17 at rtol 1e-6, atol 1e-9 (ROBER 1e-14).
SCIPY = {"ROBER": (16, 161), "HIRES": (25, 79), "OREGO": (145, 376), "VDPOL": (73, 285)}


ATOL = {"ROBER": 1e-14}
STIFF = list(SCIPY)


def solve(name, rtol, atol, **options):
    problem = PROBLEMS[name]
    sol = odekit.solve_ivp(
        problem.fun, problem.t_span, problem.y0, "bdf", args=problem.args, rtol=rtol, atol=atol, **options
    )
    assert sol.success, sol.message
    return sol, problem.error(sol.y[:, -1])


@pytest.mark.parametrize("name", STIFF)
def test_error_follows_the_tolerance(name):
    rtols = np.array([1e-4, 1e-6, 1e-8])
    errors = [solve(name, rtol, rtol * (1e-10 if name == "ROBER" else 1e-5))[1] for rtol in rtols]
    assert (errors < 300 * rtols).all()


@pytest.mark.parametrize("name", STIFF)
def test_no_more_jacobians_and_factorisations_than_scipy(name):
    sol, _ = solve(name, 1e-6, ATOL.get(name, 1e-9))
    njev, nlu = SCIPY[name]
    assert sol.njev <= njev and sol.nlu <= nlu


def differences(values):
    """Backward differences 1, 2, ... at the last of equidistant values."""
    rows, current = [], np.array(values)
    while current.size > 1:
        current = np.diff(current)
        rows.append(current[-1])
    return np.array(rows)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("ratio", [0.3, 1.0, 1.7])
def test_rescaled_differences_are_those_of_the_new_grid(order, ratio):
    polynomial = np.poly1d(np.arange(1.0, order + 2))
    D = np.zeros((bdf.MAX_ORDER + 2, 1))
    D[:order, 0] = differences(polynomial(np.arange(-order, 1.0)))
    bdf._rescale(D, order, ratio)
    np.testing.assert_allclose(D[:order, 0], differences(polynomial(ratio * np.arange(-order, 1.0))), rtol=1e-11)


def test_basis_interpolates_the_history():
    for order in range(1, 6):
        polynomial = np.poly1d(np.arange(1.0, order + 2))
        D = np.append(differences(polynomial(np.arange(1.0 - order, 2.0))), np.zeros(5 - order))
        theta = np.linspace(0, 1, 7)
        value = polynomial(0.0) + sum((D @ np.array(bdf.BASIS))[d] * theta ** (d + 1) for d in range(5))
        np.testing.assert_allclose(value, polynomial(theta), rtol=1e-12)


def test_high_order_is_reached():
    sol = odekit.solve_ivp(lambda t, y: [y[1], -y[0]], (0, 20), [1.0, 0.0], "bdf", rtol=1e-9, atol=1e-12)
    # at order 2 it would take (1e9)^(1/3) steps per unit of time
    assert sol.success and sol.naccept < 2500
    assert abs(sol.y[0, -1] - np.cos(20.0)) < 1e-6


def test_output_does_not_disturb_the_steps():
    plain, _ = solve("HIRES", 1e-6, 1e-9)
    dense, _ = solve("HIRES", 1e-6, 1e-9, dense_output=True)
    assert plain.nfev == dense.nfev and np.array_equal(plain.t, dense.t)
    assert np.abs(dense.sol(plain.t) - plain.y).max() < 1e-13
