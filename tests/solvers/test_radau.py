"""Radau IIA: its constants, stiff problems, its counts."""

import numpy as np
import pytest

import odekit
from odekit.solvers.radau_tables import TABLES
from odekit.solvers.radau_workspace import STAGES
from odekit.testset import PROBLEMS

STIFF = ("ROBER", "HIRES", "OREGO", "VDPOL")
ATOL = {"ROBER": 1e-14}
#: Jacobians and factorisations of SciPy 1.17 at rtol 1e-6, atol 1e-9 (ROBER 1e-14).
SCIPY = {"ROBER": (394, 890), "HIRES": (57, 184), "OREGO": (399, 1040), "VDPOL": (215, 644)}


def solve(name, rtol, atol):
    problem = PROBLEMS[name]
    sol = odekit.solve_ivp(problem.fun, problem.t_span, problem.y0, "radau", args=problem.args, rtol=rtol, atol=atol)
    assert sol.success, sol.message
    return sol, problem.error(sol.y[:, -1])


@pytest.mark.parametrize("rtol", [1e-4, 1e-6, 1e-8])
@pytest.mark.parametrize("name", STIFF)
def test_stiff_problems_against_the_references(name, rtol):
    _, error = solve(name, rtol, rtol * (1e-10 if name == "ROBER" else 1e-5))
    assert error < 100 * rtol


@pytest.mark.parametrize("name", STIFF)
def test_no_more_jacobians_and_factorisations_than_scipy(name):
    sol, _ = solve(name, 1e-6, ATOL.get(name, 1e-9))
    njev, nlu = SCIPY[name]
    assert sol.njev <= njev and sol.nlu <= nlu


def driven(t, y):
    """A driven pendulum."""
    return [y[1], -np.sin(y[0]) + np.cos(2 * t)]


@pytest.mark.parametrize(("method", "loose"), [("radau5", 1e-5), ("radau9", 1e-3), ("radau13", 1e-3)])
def test_slopes_of_the_error(method, loose):
    exact = odekit.solve_ivp(driven, (0, 20), [1.0, 0.0], "dop853", rtol=1e-13, atol=1e-14).y[:, -1]
    runs = [odekit.solve_ivp(driven, (0, 20), [1.0, 0.0], method, rtol=tol, atol=tol) for tol in (loose, 1e-8)]
    errors, steps = [np.abs(run.y[:, -1] - exact).max() for run in runs], [run.naccept for run in runs]
    assert abs(np.log(errors[0] / errors[1]) / np.log(steps[1] / steps[0]) - int(method[5:])) < 1


@pytest.mark.parametrize("method", ["radau5", "radau9", "radau13"])
def test_the_polynomial_passes_through_the_stages(method):
    table = next(table for table in TABLES if f"radau{table.order}" == method)
    run = odekit.Integrator(driven, 0.0, [1.0, 0.5], 4.0, method, rtol=1e-8, atol=1e-8, first_step=0.5)
    run.step()
    h, polynomial = run.h, run.interpolant()
    for c in table.c:  # collocation: at the nodes its derivative is the field
        slope = (polynomial(c * h + 1e-5) - polynomial(c * h - 1e-5)) / 2e-5
        np.testing.assert_allclose(slope, driven(c * h, polynomial(c * h)), rtol=1e-6)


def test_the_order_rises_with_the_accuracy():
    run = odekit.Integrator(PROBLEMS["HIRES"].fun, 0.0, PROBLEMS["HIRES"].y0, 321.8, "radau", rtol=1e-10, atol=1e-14)
    orders = set()
    while run.step():
        orders.add(2 * int(run._run.iw[STAGES]) - 1)
    assert orders == {5, 9, 13}


def rational(t, y):
    """SciPy's test problem; solution (t / (t + 10), 10 t / (t + 10)^2)."""
    return [y[1] / t, y[1] * (y[0] + 2 * y[1] - 1) / (t * (y[0] - 1))]


@pytest.mark.parametrize("method", ["radau", "bdf"])
@pytest.mark.parametrize("end", [9.0, 1.0])
def test_easy_problem_stays_cheap(method, end):
    sol = odekit.solve_ivp(rational, (5.0, end), [1 / 3, 2 / 9], method, rtol=1e-3, atol=1e-6, dense_output=True)
    assert sol.success and sol.nfev < 40 and 0 < sol.njev < 3 and 0 < sol.nlu < 10
    t = np.linspace(5.0, end, 50)
    for times, y in ((sol.t, sol.y), (t, sol.sol(t))):
        exact = np.array([times / (times + 10), 10 * times / (times + 10) ** 2])
        assert np.sqrt(np.mean(((y - exact) / (1e-6 + 1e-3 * np.abs(exact))) ** 2, axis=0)).max() < 5


def test_large_system_uses_lapack_and_agrees():
    n, band = 80, 50.0**2 / 100

    def heat(t, y):
        dy = np.empty(n)
        for i in range(n):
            left, right = (y[i - 1] if i > 0 else 0.0), (y[i + 1] if i < n - 1 else 0.0)
            dy[i] = band * (left - 2 * y[i] + right) - y[i] ** 3
        return dy

    y0, stiff = np.sin(np.linspace(0, 3, n)), ("radau", "bdf", "kvaerno3", "rodas5p")
    sols = [odekit.solve_ivp(heat, (0, 2), y0, m, rtol=1e-7, atol=1e-9) for m in (*stiff, "dop853")]
    for sol in sols[:-1]:
        assert sol.success
        np.testing.assert_allclose(sol.y[:, -1], sols[-1].y[:, -1], rtol=1e-4, atol=1e-6)


def fragile(t, y):
    """Not a number beyond y = 2, which the solution 2 - 1/(1 + t) never reaches."""
    return [np.sqrt(2.0 - y[0]) ** 4]


@pytest.mark.parametrize("method", ["radau", "bdf", "kvaerno3", "backward_euler", "rosenbrock23", "rodas5p"])
def test_values_that_are_not_finite_only_shrink_the_step(method):
    sol = odekit.solve_ivp(fragile, (0, 50), [1.0], method, rtol=1e-5, atol=1e-8, first_step=20.0)
    assert sol.success and sol.nreject > 0
    assert abs(sol.y[0, -1] - (2 - 1 / 51)) < 1e-2


@pytest.mark.parametrize("method", ["radau", "bdf", "kvaerno3", "rodas5p"])
def test_exact_and_constant_jacobians(method):
    matrix = np.array([[-1000.0, 1.0], [0.0, -0.5]])

    def linear(t, y):
        return [-1000.0 * y[0] + y[1], -0.5 * y[1]]

    constant = odekit.solve_ivp(linear, (0, 10), [1.0, 1.0], method, rtol=1e-6, atol=1e-9, jac=matrix)
    callback = odekit.solve_ivp(linear, (0, 10), [1.0, 1.0], method, rtol=1e-6, atol=1e-9, jac=lambda t, y: matrix)
    assert constant.njev == 0 and callback.njev >= 1
    for sol in (constant, callback):
        assert sol.success and abs(sol.y[1, -1] / np.exp(-5.0) - 1) < 1e-3


@pytest.mark.parametrize("rate", [1e3, 1e6, 1e9])
def test_the_solution_between_the_steps_of_a_very_stiff_problem(rate):
    def tied(t, y):
        return [-rate * (y[0] - np.sin(t)) + np.cos(t)]

    t = np.linspace(0, 10, 101)
    sol = odekit.solve_ivp(tied, (0, 10), [0.0], "radau", t_eval=t, rtol=1e-6, atol=1e-9)
    assert sol.success and np.abs(sol.y[0] - np.sin(t)).max() < 1e-5
