"""Taylor series: steps as long as the series allows, defects that it cannot foresee, functions without a formula."""

import math

import numpy as np
import pytest
from problems import LOGISTIC_START, logistic, logistic_solution

import odekit
from odekit import Retcode, _jit, nn, testset
from odekit.solvers import expansion, taylor
from odekit.solvers.formula import Formula
from odekit.solvers.methods import resolve

METHODS = [f"taylor{order}" for order in taylor.ORDERS]
SPEED = 1.0  # of `rotation`


def rotation(t, y):
    return [SPEED * y[1], -SPEED * y[0]]


def square(t, y):
    """Infinite at t = 1 from y = 1."""
    return [y[0] * y[0]]


def test_the_order_follows_the_tolerance():
    assert [resolve("Taylor", 3, rtol)[0] for rtol in (1e-3, 1e-10, 1e-11, 1e-13)] == ["taylor14"] * 2 + [
        "taylor20"
    ] * 2


@pytest.mark.parametrize("name", METHODS)
def test_order_by_slope(name):
    order, errors = resolve(name)[1][0].order, []
    for count in (1, 2):
        size = order / 4 / count
        sol = odekit.solve_ivp(rotation, (0, size), [1.0, 0.0], name, rtol=1e3, atol=1e3, first_step=size)
        assert sol.naccept == 1
        errors.append(np.abs(sol.y[:, -1] - [math.cos(size), -math.sin(size)]).max())
    assert abs(math.log2(errors[0] / errors[1]) - order - 1) < 0.3


@pytest.mark.parametrize("name", METHODS)
def test_the_error_is_below_the_tolerance_step_by_step(name):
    for tolerance in (1e-4, 1e-8, 1e-12):
        sol = odekit.solve_ivp(
            logistic, (0, 8), LOGISTIC_START, name, rtol=tolerance, atol=tolerance, dense_output=True
        )
        times = np.linspace(0, 8, 200)
        between = np.abs(sol.sol(times) - logistic_solution(times)).max()
        assert sol.nreject == 0 and between < 3 * tolerance * sol.naccept + 1e-14
        assert sol.nfev == 2 * sol.naccept + 2  # an expansion and the slope at the end; two for the first step


def test_arenstorf_orbit():
    problem = testset.ARENSTORF
    sol = odekit.solve_ivp(problem.fun, problem.t_span, problem.y0, "taylor", args=problem.args, rtol=1e-13, atol=1e-13)
    assert np.abs(sol.y[:, -1] - problem.y_end).max() < 1e-8


def test_steps_shorten_towards_a_singularity():
    sol = odekit.solve_ivp(square, (0, 0.999), [1.0], "taylor14", rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(sol.y[0], 1 / (1 - sol.t), rtol=1e-7)
    # each is the same part of what is left
    parts = np.diff(sol.t)[3:-1] / (1 - sol.t[3:-2])
    assert parts.min() > 0.9 * parts.max() and sol.nreject == 0
    beyond = odekit.solve_ivp(square, (0, 2), [1.0], "taylor14")
    assert beyond.retcode == Retcode.STEP_TOO_SMALL and abs(beyond.t[-1] - 1) < 1e-3


def test_what_the_series_cannot_foresee_shows_at_the_end_of_the_step():
    def kink(t, y):
        return [abs(t - 1.0)]

    sol = odekit.solve_ivp(kink, (0, 3), [0.0], "taylor14", rtol=1e-9, atol=1e-9)
    assert sol.nreject > 0 and abs(sol.y[0, -1] - 2.5) < 1e-7


@pytest.mark.filterwarnings(
    "ignore:invalid value encountered in sqrt"
)  # of the function itself, where it runs as Python
def test_a_domain_that_ends():
    def falls(t, y):
        return [-1.0 / np.sqrt(y[0])]

    sol = odekit.solve_ivp(falls, (0, 1), [1.0], "taylor14", rtol=1e-8, atol=1e-8)  # y = (1 - 1.5 t)^(2/3)
    assert sol.retcode in (Retcode.STEP_TOO_SMALL, Retcode.NONFINITE) and abs(sol.t[-1] - 2 / 3) < 1e-5
    before = sol.t < 0.66
    np.testing.assert_allclose(sol.y[0, before], (1 - 1.5 * sol.t[before]) ** (2 / 3), rtol=1e-5)


def test_units_of_time_do_not_matter():
    counts = set()
    for unit in (1e-200, 1.0, 1e200):

        def clock(t, y, rate=1.0 / unit):
            return [rate * y[1], -rate * y[0]]

        sol = odekit.solve_ivp(
            clock, (0, 10 * unit), [1.0, 0.0], "taylor20", rtol=1e-12, atol=1e-12, first_step=0.1 * unit
        )
        np.testing.assert_allclose(sol.y[:, -1], [math.cos(10), -math.sin(10)], rtol=1e-10)
        counts.add(sol.naccept)
    assert len(counts) == 1


def test_a_changed_value_is_never_stale(monkeypatch):
    for speed in (1.0, 3.0, 1.0):
        monkeypatch.setitem(globals(), "SPEED", speed)
        sol = odekit.solve_ivp(rotation, (0, 1), [1.0, 0.0], "taylor", rtol=1e-10, atol=1e-10)
        assert sol.y[0, -1] == pytest.approx(math.cos(speed), abs=1e-8)


@pytest.mark.skipif(_jit.JIT_DISABLED, reason="the guess of a first step divides 0 by 0, of which Python warns")
def test_a_state_without_components():
    sol, other = (odekit.solve_ivp(lambda t, y: [], (0, 2), [], method) for method in ("taylor", "vern9"))
    assert sol.success and sol.t.tolist() == other.t.tolist() and sol.y.shape == other.y.shape == (0, 1)


def test_halves_of_a_separable_system():
    pendulum = odekit.second_order(lambda t, q, rate: -rate * np.sin(q))
    q, v = odekit.solve_ivp(pendulum, (0, 20), [1.0, 0.0], "taylor", args=(2.0,), rtol=1e-12, atol=1e-12).y
    np.testing.assert_allclose(v * v / 2 - 2 * np.cos(q), -2 * np.cos(1.0), rtol=1e-10)


def branches(t, y):
    return [-y[0] if y[0] > 0 else 0.0]


@pytest.mark.parametrize(
    ("fun", "y0", "options", "words"),
    [
        (
            branches,
            [1.0],
            {},
            "it branches on a number of the state, .* 'return .-y.0. if y.0. > 0 else 0.0.'.; vern9 is",
        ),
        (lambda t, y: [math.floor(y[0])], [1.0], {}, "math.floor"),
        (rotation, [1j, 0.0], {}, "but the state is complex; vern9 is"),
        (lambda t, y: -y, [1.0, 0.0], {"vectorized": True}, "but vectorized=True is given"),
    ],
    ids=["branch", "no derivatives", "complex", "vectorized"],
)
def test_functions_without_a_formula_are_refused(fun, y0, options, words):
    with pytest.raises(ValueError, match=words):
        odekit.solve_ivp(fun, (0, 1), y0, "taylor", **options)


def test_a_function_that_is_another_with_symbols_is_refused(monkeypatch):
    monkeypatch.setattr("odekit._trace.formula_of", lambda *_: _formula_of_zero())
    with pytest.raises(ValueError, match="called with symbols, fun computes something else than with numbers"):
        odekit.solve_ivp(lambda t, y: [-3.0 * y[0]], (0, 1), [1.0], "taylor")


def _formula_of_zero():
    formula = Formula()
    formula.outputs = [formula.constant(0.0)]
    return formula


def test_formulas_that_are_too_large_are_refused(monkeypatch):
    monkeypatch.setattr(expansion, "MOST_PRODUCTS", 100)
    with pytest.raises(
        ValueError, match="method='taylor' is for smaller systems: its formula has more than 100 products"
    ):
        odekit.solve_ivp(lambda t, y: [-y[0] * y[0] * y[0]], (0, 1), [1.0], "taylor")


def test_gradients_and_networks_take_other_methods():
    with pytest.raises(ValueError, match="method='taylor14' is for the solution alone"):
        nn.NeuralODE(nn.MLP([2, 3, 2]), method="taylor")
    with pytest.raises(ValueError, match="method='taylor14' is for the solution alone"):
        odekit.adjoint.gradient(rotation, [0.0, 1.0], [1.0, 0.0], np.ones((2, 2)), "taylor")


@pytest.mark.parametrize("order", taylor.ORDERS)
def test_the_stability_size(order):
    size = taylor.STABILITY_SIZES[order]
    terms = [(-size) ** k / math.factorial(k) for k in range(order + 1)]
    assert abs(math.fsum(terms)) == pytest.approx(1.0, abs=1e-9)
