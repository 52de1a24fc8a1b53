"""Rosenbrock methods: order conditions, stability, stiff problems, counts, the derivative with respect to t."""

import contextlib
import ctypes
import dataclasses

import numpy as np
import pytest
from test_tables import density, trees

import odekit
from odekit import _jit
from odekit._capture import ignores_first_argument
from odekit.field import UserField
from odekit.solvers import rosenbrock, state
from odekit.solvers.rosenbrock_tables import ROSENBROCK
from odekit.testset import PROBLEMS

TABLES = list(ROSENBROCK.values())
TOLERANCE = 3e-14
every_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
compiled_only = pytest.mark.skipif(_jit.JIT_DISABLED, reason="needs compiled fields")

# ---------------------------------------------------------------------------------------------------------------------
# order conditions (Hairer & Wanner II, IV.7): as those of a Runge-Kutta method, but a vertex with one son takes its
# coefficients from alpha + gamma, all others from alpha


def untransformed(table):
    """alpha, beta = alpha + gamma, and the matrix that turns weights of u_i into weights of h k_i."""
    gamma = np.linalg.inv(np.eye(table.stages) / table.gamma - np.array(table.C))
    alpha = np.array(table.A) @ gamma
    return alpha, alpha + gamma, gamma


def elementary_weights(alpha, beta, tree):
    phi = np.ones(len(alpha))
    for child in tree:
        phi = phi * ((beta if len(tree) == 1 else alpha) @ elementary_weights(alpha, beta, child))
    return phi


def defect(table, weights, order, target=1.0):
    """Largest violation of the conditions of exactly this order, relative to the size of their terms."""
    alpha, beta, gamma = untransformed(table)
    worst = 0.0
    for tree in trees(order):
        terms = (np.asarray(weights) @ gamma) * elementary_weights(alpha, beta, tree)
        worst = max(worst, abs(terms.sum() - target / density(tree)) / max(1.0, np.abs(terms).sum()))
    return worst


def largest_defect(table):
    worst = [defect(table, table.b, order) for order in range(1, table.order + 1)]
    worst += [defect(table, table.b_err, order, 0.0) for order in range(1, table.embedded_order + 1)]
    for k, weights in enumerate(zip(*table.dense, strict=True), start=1):
        worst += [defect(table, weights, order, float(order == k)) for order in range(1, table.dense_order + 1)]
    return max(worst)


@every_table
def test_order_conditions(table):
    assert largest_defect(table) < TOLERANCE


@every_table
def test_no_order_is_understated(table):
    assert defect(table, table.b, table.order + 1) > 1e-4
    assert defect(table, table.b_err, table.embedded_order + 1, 0.0) > 1e-4


@every_table
def test_l_stable(table):
    one, unit = np.ones(table.stages), np.eye(table.stages)
    A, C, b = np.array(table.A), np.array(table.C), np.array(table.b)
    assert abs(1 - b @ np.linalg.solve(unit + A, one)) < 1e-12  # R(infinity)
    for z in 1j * np.logspace(-3, 6, 400):
        R = 1 + b @ np.linalg.solve(unit / table.gamma - C - z * (unit + A), z * one)
        assert abs(R) <= 1 + 1e-10


def nudged(value):
    if not isinstance(value, tuple):
        return [value * (1 + 1e-10)] if isinstance(value, float) and value != 0 else []
    return [(*value[:i], new, *value[i + 1 :]) for i, old in enumerate(value) for new in nudged(old)]


def test_the_third_stage_of_rosenbrock23_is_at_the_new_solution():
    assert [table.end_stage for table in TABLES] == [2, None]


@every_table
def test_a_wrong_digit_is_noticed(table):
    changed = 0
    for field in ("gamma", "c", "d", "A", "C", "b", "b_err", "dense"):
        if field == "b_err" and np.count_nonzero(table.b_err) == 1:
            continue  # no condition knows the size of an estimate
        for value in nudged(getattr(table, field)):
            changed += 1
            with contextlib.suppress(ValueError):  # noticed on construction
                copy = dataclasses.replace(table, **{field: value})
                noticed = largest_defect(copy) > TOLERANCE or copy.end_stage != table.end_stage
                assert noticed, f"{field} = {value}"
    assert changed > 5 * table.stages


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"b": (1.0, 0.0)}, "b has length 2"),
        ({"A": ((0.0, 1.0, 0.0),) * 3}, "row 0 of A is not strictly lower"),
        ({"c": (0.0, 0.25, 1.0)}, "row 1 of A is off"),
        ({"d": (0.3, 0.0, 0.0)}, "row 0 of C is off"),
        ({"dense": ((1.0,), (1.0, 2.0), (0.0,))}, "rows of dense differ"),
    ],
)
def test_malformed_tables_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(ROSENBROCK["rosenbrock23"], **change)


def test_zero_coefficients_are_not_in_the_code():
    for table in TABLES:
        code = rosenbrock.step(table).__code__
        assert not any(isinstance(constant, float) and constant == 0.0 for constant in code.co_consts)


# ---------------------------------------------------------------------------------------------------------------------


def nonlinear(t, y):
    """Solution (cos t, exp(sin t)); nonlinear and nonautonomous, and the Jacobian is not that of a linear problem."""
    return [-(y[0] ** 2) * y[1] + np.cos(t) ** 2 * np.exp(np.sin(t)) - np.sin(t), y[1] * y[0] + (y[0] - np.cos(t)) ** 2]


def nonlinear_jac(t, y):
    return np.array([[-2 * y[0] * y[1], -(y[0] ** 2)], [y[1] + 2 * (y[0] - np.cos(t)), y[0]]])


@pytest.mark.parametrize("jac", [None, nonlinear_jac], ids=["complex step", "own Jacobian"])
@every_table
def test_order_on_a_nonlinear_nonautonomous_problem(table, jac):
    errors, between = [], []
    counts = np.array([20, 40, 80] if table.order == 5 else [100, 200, 400])
    for count in counts:
        h = 2.0 / count
        sol = odekit.solve_ivp(
            nonlinear, (0, 2), [1.0, 1.0], table.name, rtol=1e3, atol=1e3, jac=jac, first_step=h, max_step=h,
            dense_output=True,
        )  # fmt: skip
        assert sol.naccept == count
        t = np.linspace(0, 2, 501)
        exact = [np.array([np.cos(x), np.exp(np.sin(x))]) for x in (sol.t, t)]
        errors.append(np.abs(sol.y - exact[0]).max())
        between.append(np.abs(sol.sol(t) - exact[1]).max())
    slopes = np.log2(np.array([errors[0] / errors[-1], between[0] / between[-1]])) / 2
    assert abs(slopes[0] - table.order) < 0.3, errors
    assert slopes[1] > min(table.order, table.dense_order + 1) - 0.3, between


@pytest.mark.parametrize("rtol", [1e-4, 1e-6, 1e-8])
@pytest.mark.parametrize("name", ["ROBER", "HIRES", "OREGO", "VDPOL"])
def test_rodas5p_on_stiff_problems(name, rtol):
    problem = PROBLEMS[name]
    atol = rtol * (1e-10 if name == "ROBER" else 1e-5)
    sol = odekit.solve_ivp(problem.fun, problem.t_span, problem.y0, "rodas5p", args=problem.args, rtol=rtol, atol=atol)
    assert sol.success and problem.error(sol.y[:, -1]) < 2 * rtol
    # a factorisation and seven evaluations in every attempt, a Jacobian and one evaluation in every accepted step,
    # two evaluations to start; none for the derivative in t, of which these problems know nothing
    attempts = sol.naccept + sol.nreject
    assert (sol.njev, sol.nlu) == (sol.naccept, attempts)
    assert sol.nfev == 2 + 7 * attempts + sol.naccept
    assert sol.nreject < 0.2 * sol.naccept


@pytest.mark.parametrize(("name", "factor"), [("ROBER", 100), ("HIRES", 100), ("OREGO", 1000), ("VDPOL", 100)])
def test_rosenbrock23_on_stiff_problems(name, factor):
    problem = PROBLEMS[name]
    for rtol in (1e-4, 1e-6):
        atol = rtol * (1e-10 if name == "ROBER" else 1e-5)
        options = {"args": problem.args, "rtol": rtol, "atol": atol}
        sol = odekit.solve_ivp(problem.fun, problem.t_span, problem.y0, "rosenbrock23", **options)
        assert sol.success and problem.error(sol.y[:, -1]) < factor * rtol
        assert sol.nfev == 2 + 2 * (sol.naccept + sol.nreject)  # the third stage begins the next step


def test_prothero_robinson_keeps_its_order():
    """No reduction below order 4 for stiff components, in the dense output neither."""
    for rate in (1e2, 1e4, 1e6):
        errors = []
        for h in (0.2, 0.1):
            sol = odekit.solve_ivp(
                lambda t, y, k: [-k * (y[0] - np.sin(t)) + np.cos(t)], (0, 2), [0.0], "rodas5p", args=(rate,),
                rtol=1e3, atol=1e3, first_step=h, max_step=h, dense_output=True,
            )  # fmt: skip
            t = np.linspace(0, 2, 333)
            errors.append(np.abs(sol.sol(t)[0] - np.sin(t)).max())
        assert np.log2(errors[0] / errors[1]) > 3.5 and errors[1] < 1e-6


# the derivative with respect to t -----------------------------------------------------------------------------------


def forced(t, y):
    return [-50.0 * (y[0] - np.sin(t * t)) + y[1], -y[1] * np.exp(-t)]


@compiled_only
def test_the_derivative_in_t_is_exact():
    field = UserField(forced, 0.7, np.array([0.3, 0.4]))
    jacobian = field.jacobian(True)
    assert (jacobian.kind, jacobian.time) == (state.JAC_KERNEL, state.TIME_KERNEL)
    out, scratch = np.empty(6), np.zeros(8)
    pointers = [array.ctypes.data_as(ctypes.POINTER(ctypes.c_double)) for array in (field.y0, out, scratch)]
    assert _jit.SCALAR_CTYPE(jacobian.address)(0.7, *pointers) == 0
    e = np.exp(-0.7)
    np.testing.assert_allclose(out[:4], [-50.0, 1.0, 0.0, -e], rtol=4e-16)
    np.testing.assert_allclose(out[4:], [100 * 0.7 * np.cos(0.49), 0.4 * e], rtol=4e-16)
    assert field.jacobian().time == state.TIME_NONE  # a method that does not ask


@compiled_only
@pytest.mark.parametrize(
    ("fun", "jac", "kind", "time"),
    [
        (lambda t, y: [-y[0]], None, state.JAC_KERNEL, state.TIME_NONE),
        (lambda t, y: [-y[0] + abs(t)], None, state.JAC_DIFFERENCE, state.TIME_DIFFERENCE),
        (lambda t, y: [-y[0] + (1.0 if t > 0.5 else 0.0)], None, state.JAC_KERNEL, state.TIME_DIFFERENCE),
        (lambda t, y: [t - y[0]], [[-1.0]], state.JAC_CONSTANT, state.TIME_DIFFERENCE),
        (lambda t, y: [t - y[0]], lambda t, y: [[-1.0]], state.JAC_KERNEL, state.TIME_DIFFERENCE),
    ],
    ids=["autonomous", "not holomorphic", "comparison", "constant", "own"],
)
def test_where_the_derivative_in_t_comes_from(fun, jac, kind, time):
    found = UserField(fun, 0.0, np.array([1.0]), jac=jac).jacobian(True)
    assert (found.kind, found.time) == (kind, time)


@pytest.mark.filterwarnings("ignore::odekit.OdekitPerformanceWarning")
@pytest.mark.parametrize("shift", [0.0, 1e6])
@pytest.mark.parametrize("direction", [1, -1])
def test_differences_in_t_are_nearly_as_good(shift, direction):
    """The same steps and the same solution, far from t = 0 as well; never outside the span."""
    seen = []

    def fun(t, y):
        return [direction * (-50.0 * (y[0] - np.sin(t - shift)) + np.cos(t - shift))]

    def recording(t, y):
        seen.append(t)
        return fun(t, y)

    span = (shift, shift + direction * 3.0)
    options = {"rtol": 1e-9, "atol": 1e-12, "method": "rodas5p"}
    exact = odekit.solve_ivp(fun, span, [0.0], **options)
    quotient = odekit.solve_ivp(recording, span, [0.0], jac=[[-50.0 * direction]], **options)
    assert abs(quotient.naccept - exact.naccept) <= 0.02 * exact.naccept
    np.testing.assert_allclose(quotient.y[:, -1], exact.y[:, -1], rtol=2e-9)
    if seen:
        assert min(span) <= min(seen) and max(seen) <= max(span)


def test_bytecode_tells_whether_t_is_read():
    def passes_on(t, y):
        return forced(t, y)

    def closes_over(t, y):
        return [(lambda: t)()]

    assert ignores_first_argument(lambda t, y: [-y[0]])
    assert ignores_first_argument(lambda x, y, t: [-y[0] * t])
    for function in (forced, passes_on, closes_over, lambda *a: [a[0]], lambda t, y: [locals()["t"]], abs):
        assert not ignores_first_argument(function)
    assert not ignores_first_argument(UserField.jacobian)
    assert all(ignores_first_argument(PROBLEMS[name].fun) for name in ("ROBER", "HIRES", "OREGO", "VDPOL"))


def test_singular_matrix_shrinks_the_step():
    gamma = ROSENBROCK["rosenbrock23"].gamma
    sol = odekit.solve_ivp(
        lambda t, y: [y[0]], (0, 1), [1.0], "rosenbrock23", jac=[[1 / gamma]], first_step=1.0, rtol=1e-4, atol=1e-6
    )
    assert sol.success and sol.nreject >= 1
