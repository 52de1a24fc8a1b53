"""ESDIRK methods on stiff problems: errors, counts, dense output."""

import numpy as np
import pytest

import odekit
from odekit.solvers import esdirk
from odekit.solvers.tables import ESDIRK
from odekit.testset import PROBLEMS


def test_zero_coefficients_are_not_in_the_code():
    code = esdirk.step(ESDIRK["backward_euler"]).__code__
    assert not any(isinstance(constant, float) and constant == 0.0 for constant in code.co_consts)


@pytest.mark.parametrize("rtol", [1e-4, 1e-6])
@pytest.mark.parametrize("name", ["ROBER", "HIRES", "OREGO", "VDPOL"])
@pytest.mark.parametrize("method", ["kvaerno3", "kencarp4", "kvaerno5"])
def test_stiff_problems_against_the_references(method, name, rtol):
    problem = PROBLEMS[name]
    atol = rtol * (1e-10 if name == "ROBER" else 1e-5)
    sol = odekit.solve_ivp(problem.fun, problem.t_span, problem.y0, method, args=problem.args, rtol=rtol, atol=atol)
    assert sol.success
    assert problem.error(sol.y[:, -1]) < 100 * rtol
    if method == "kvaerno3":  # the Jacobian and the factors live for many steps; at higher order the steps are longer
        assert sol.njev < 0.3 * sol.naccept and sol.nlu < sol.naccept
    assert sol.njev < sol.naccept and sol.nlu < 1.3 * (sol.naccept + sol.nreject)


def test_the_last_slope_begins_the_next_step():
    problem = PROBLEMS["HIRES"]
    sol = odekit.solve_ivp(
        problem.fun, problem.t_span, problem.y0, "backward_euler", rtol=1e-3, atol=1e-6, jac=problem.jac
    )
    # one evaluation at the start, one for the first step size, none besides those of the iterations
    assert sol.nfev < 3 * (sol.naccept + sol.nreject)


@pytest.mark.parametrize(("name", "order"), [("backward_euler", 1), ("kvaerno3", 3), ("kencarp4", 3), ("kvaerno5", 3)])
def test_dense_output_is_as_good_as_its_degree(name, order):
    assert esdirk.degree(ESDIRK[name]) == order
    errors = []
    for h in (0.1, 0.05):
        sol = odekit.solve_ivp(
            lambda t, y: [-y[0]], (0, 2), [1.0], name, rtol=1e3, atol=1e3, jac=[[-1.0]],
            first_step=h, max_step=h, dense_output=True,
        )  # fmt: skip
        t = np.linspace(0, 2, 333)
        errors.append(np.abs(sol.sol(t)[0] - np.exp(-t)).max())
    assert np.log2(errors[0] / errors[1]) > order - 0.3


@pytest.mark.parametrize(
    ("name", "iterations"), [("trbdf2", 3.0), ("kvaerno3", 3.0), ("kencarp4", 3.5), ("kvaerno5", 3.5)]
)
def test_the_first_guess_saves_iterations(name, iterations):
    problem, table = PROBLEMS["HIRES"], ESDIRK[name]
    sol = odekit.solve_ivp(problem.fun, problem.t_span, problem.y0, name, rtol=1e-6, atol=1e-9)
    implicit_stages = (table.stages - 1) * (sol.naccept + sol.nreject)
    assert sol.nfev < iterations * implicit_stages


def test_smooth_stiff_problem_needs_few_factorisations_and_rejections():
    def linear(t, y):
        return [-1e6 * (y[0] - np.sin(t)), y[0] - y[1]]

    sol = odekit.solve_ivp(linear, (0, 10), [1.0, 1.0], "kvaerno3", rtol=1e-8, atol=1e-10)
    assert sol.success and sol.njev == 1
    assert sol.nlu < 0.1 * sol.naccept and sol.nreject < 0.02 * sol.naccept


@pytest.mark.parametrize("method", ["kvaerno3", "radau", "bdf", "rodas5p"])
def test_jacobian_that_is_not_finite_is_reported(method):
    options = {"rtol": 1e-6, "atol": 1e-9, "jac": lambda t, y: np.array([[np.nan]])}
    sol = odekit.solve_ivp(lambda t, y: [-y[0]], (0, 10), [1.0], method, **options)
    assert not sol.success and sol.retcode.name == "NONFINITE"
