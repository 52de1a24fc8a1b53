"""Every method: its measured order, its dense output, backward integration, its counts."""

import numpy as np
import pytest
from problems import (
    LINEAR_MATRIX,
    LINEAR_START,
    LOGISTIC_START,
    linear,
    linear_solution,
    logistic,
    logistic_solution,
    stiff_cosine,
)

import odekit
from odekit.solvers.methods import ALIASES, resolve
from odekit.solvers.methods import METHODS as ALL_METHODS

METHODS = {
    name: method for name, method in ALL_METHODS.items() if not (method.separable or method.hamiltonian)
}  # those have tests of their own

FIXED = [name for name, method in METHODS.items() if method.error_order == 0]
ADAPTIVE = [name for name, method in METHODS.items() if method.error_order > 0]
IMPLICIT = [name for name, method in METHODS.items() if method.implicit]
SPAN = (0.0, 2.0)


def solve(name, h=None, span=SPAN, y0=LOGISTIC_START, **options):
    """Solve `logistic`, with steps of fixed size h where it is given."""
    return odekit.solve_ivp(
        logistic, span, y0, method=name, max_steps=10**7, **({"first_step": h} if h else {}), **options
    )


# the errors of a Taylor method of order 20 drown in rounding here: see test_taylor.py
@pytest.mark.parametrize("name", [n for n in METHODS if n != "bdf" and not METHODS[n].expansion])
def test_order_by_slope(name):
    order = METHODS[name].order
    # a linear problem with its Jacobian: one iteration solves the equations of an implicit step, whatever the tolerance
    options = {} if name in FIXED else {"rtol": 1e3, "atol": 1e3}  # every step is accepted
    if METHODS[name].implicit:
        options["jac"] = LINEAR_MATRIX
    few = [4, 5, 6, 8, 10]
    counts = {13: [1, 2], 9: [2, 3, 4, 5], 8: few, 7: few, 6: few, 5: [10, 14, 20, 28, 40]}
    counts = counts.get(order, [40, 80, 160, 320])
    errors = []
    for count in counts:
        sol = odekit.solve_ivp(
            linear, SPAN, LINEAR_START, method=name, first_step=2 / count, max_step=2 / count, **options
        )
        assert sol.success and sol.naccept == count, sol.message
        errors.append(np.max(np.abs(sol.y - np.array([linear_solution(t) for t in sol.t]).T)))
    slope = np.polyfit(np.log(2.0 / np.array(counts)), np.log(errors), 1)[0]
    assert abs(slope - order) < 0.25 if order < 8 else slope > order - 0.7, (slope, errors)


@pytest.mark.parametrize("name", ADAPTIVE)
def test_error_follows_the_tolerance(name):
    tolerances = (1e-3, 1e-5) if METHODS[name].order < 3 else (1e-4, 1e-7)
    errors = []
    for rtol in tolerances:
        sol = solve(name, rtol=rtol, atol=rtol)
        errors.append(np.max(np.abs(sol.y - np.array([logistic_solution(t) for t in sol.t]).T)))
    # error per step, not per unit time: an order-p method with estimates of order p loses tol^(1/(p+1)) on the way
    exponent = METHODS[name].error_order / (METHODS[name].error_order + 1)
    assert all(e < 20 * tol**exponent for e, tol in zip(errors, tolerances, strict=True)), errors
    assert errors[1] < 0.3 * errors[0]


@pytest.mark.parametrize("name", METHODS)
def test_dense_output_follows_the_solution(name):
    h = 0.05 if METHODS[name].error_order == 0 else None
    sol = solve(name, h, dense_output=True, **({} if h else {"rtol": 1e-5, "atol": 1e-6}))
    times = np.linspace(*SPAN, 101)
    exact = np.array([logistic_solution(t) for t in times]).T
    at_steps = np.max(np.abs(sol.y - np.array([logistic_solution(t) for t in sol.t]).T))
    between = np.max(np.abs(sol.sol(times) - exact))
    # the steps of a method of order 5 are long for a cubic polynomial
    assert between < 3 * at_steps + (1e-4 if METHODS[name].order > METHODS[name].degree + 1 else 2e-5)
    assert np.array_equal(sol.sol(sol.t), sol.y)


@pytest.mark.parametrize("name", METHODS)
def test_t_eval_is_the_dense_output(name):
    h = {"first_step": 0.05} if METHODS[name].error_order == 0 else {"rtol": 1e-5, "atol": 1e-6}
    times = np.linspace(0.1, 2.0, 7)
    dense = odekit.solve_ivp(logistic, SPAN, LOGISTIC_START, method=name, dense_output=True, **h)
    at_times = odekit.solve_ivp(logistic, SPAN, LOGISTIC_START, method=name, t_eval=times, **h)
    assert np.array_equal(at_times.t, times)
    assert np.allclose(at_times.y, dense.sol(times), rtol=1e-14, atol=1e-15)
    assert np.array_equal(at_times.steps, dense.steps)


@pytest.mark.parametrize("name", METHODS)
def test_backward_returns_to_the_start(name):
    h = 0.001 if METHODS[name].error_order == 0 else None
    options = {} if h else {"rtol": 1e-6, "atol": 1e-8}
    sol = solve(name, h, span=(2.0, 0.0), y0=logistic_solution(2.0), **options)
    # the second component grows backward, errors with it
    assert np.max(np.abs(sol.y[:, -1] - LOGISTIC_START)) < {1: 2e-2, 2: 3e-4}.get(METHODS[name].order, 1e-4)
    assert sol.t[-1] == 0.0 and np.all(np.diff(sol.t) < 0)


@pytest.mark.parametrize("name", IMPLICIT)
def test_implicit_methods_take_long_steps_on_a_stiff_problem(name):
    sol = odekit.solve_ivp(stiff_cosine, (0, 10), [1.0], method=name, rtol=1e-4, atol=1e-4)
    assert sol.success and abs(sol.y[0, -1] - np.cos(10)) < 1e-2
    # an explicit method is bound by stability to about 10 * 1000 / 3.3 steps
    assert sol.naccept < (600 if name in ("backward_euler", "rosenbrock23") else 150)
    assert sol.njev >= 1 and sol.nlu >= 1


METHODS_STAGES = {"euler": 1, "midpoint": 2, "rk4": 4}


@pytest.mark.parametrize("name", METHODS_STAGES)
def test_fixed_steps(name):
    sol = solve(name, 0.3)
    assert np.allclose(sol.h[:-1], 0.3) and sol.t[-1] == 2.0 and sol.nreject == 0
    assert sol.nfev == 1 + sol.naccept * METHODS_STAGES[name]


def test_scipy_names_are_aliases():
    for theirs, ours in {
        "RK23": "bosh3",
        "RK45": "dopri5",
        "LSODA": "auto",
        "Radau": "radau",
        "BDF": "bdf",
        "DOP853": "dop853",
    }.items():
        assert resolve(theirs)[0] == ours
    assert all(resolve(ours)[0] == ours for ours in ALIASES.values())


def test_same_result_twice():
    one, two = (solve("dop853", rtol=1e-9, atol=1e-9) for _ in range(2))
    assert np.array_equal(one.y, two.y)
