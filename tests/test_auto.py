"""Automatic switching on the reference problems."""

import itertools

import numpy as np
import pytest
from problems import stiff_cosine
from state_arrays import allocate

import odekit
from odekit.solvers import auto, choice, state
from odekit.testset import ARENSTORF, HIRES, LORENZ, OREGO, PLEIADES, ROBER, VDPOL, VDPOLM

# absolute tolerances suited to the smallest component: ROBER's second is 1e-13 at the end
ATOL_FACTOR = {"ROBER": 1e-10, "HIRES": 1e-4}


def solve(problem, rtol, method="auto", **options):
    atol = rtol * ATOL_FACTOR.get(problem.name, 1e-2)
    return odekit.solve_ivp(
        problem.fun, problem.t_span, problem.y0, args=problem.args, method=method, rtol=rtol, atol=atol, **options
    )


def explicit_method(rtol):
    return "vern7" if rtol <= 1e-6 else "tsit5"


def error_in_the_norm(problem, sol):
    reference = np.array(problem.y_end)
    return np.linalg.norm(sol.y[:, -1] - reference) / np.linalg.norm(reference)


@pytest.mark.parametrize("rtol", [1e-4, 1e-6, 1e-8])
@pytest.mark.parametrize("problem", [ROBER, HIRES, OREGO, VDPOL, VDPOLM], ids=lambda p: p.name)
def test_stiff_problems_reach_their_references(problem, rtol):
    sol = solve(problem, rtol)
    assert sol.success and problem.error(sol.y[:, -1]) < 100 * rtol
    assert sol.switches and sol.switches[0].source == explicit_method(rtol) and sol.switches[0].target == "radau"
    assert "stiff" in sol.switches[0].reason


@pytest.mark.parametrize("rtol", [1e-4, 1e-6, 1e-8])
def test_pleiades_reaches_its_reference_in_the_norm(rtol):
    assert error_in_the_norm(PLEIADES, solve(PLEIADES, rtol)) < 100 * rtol


@pytest.mark.parametrize("rtol", [1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12])
@pytest.mark.parametrize("problem", [LORENZ, ARENSTORF, PLEIADES], ids=lambda p: p.name)
def test_nonstiff_problems_cost_what_the_explicit_method_costs(problem, rtol):
    auto, explicit = solve(problem, rtol), solve(problem, rtol, explicit_method(rtol))
    assert auto.switches == [] and auto.nfev == explicit.nfev and np.array_equal(auto.y, explicit.y)


@pytest.mark.parametrize("rtol", [1e-8, 1e-10])
@pytest.mark.parametrize("problem", [LORENZ, ARENSTORF, PLEIADES], ids=lambda p: p.name)
def test_order_seven_wins_at_tight_tolerances(problem, rtol):
    auto, fifth = solve(problem, rtol), solve(problem, rtol, "tsit5")
    assert auto.nfev < 0.95 * fifth.nfev and error_in_the_norm(problem, auto) < error_in_the_norm(problem, fifth)


def test_the_tightest_component_decides():
    def explicit(rtol):
        sol = odekit.solve_ivp(lambda t, y: [-1e4 * (y[0] - np.cos(t)), -y[1]], (0, 1), [0.0, 1.0], rtol=rtol)
        return sol.switches[0].source

    assert explicit([1e-5, 1e-3]) == "tsit5" and explicit([1e-3, 1e-6]) == "vern7"


@pytest.mark.parametrize("name", ["heun", "dopri5", "tsit5", "vern7", "dop853", "vern9"])
def test_every_method_with_two_arguments_at_the_end_notices_stiffness(name, monkeypatch):
    monkeypatch.setattr(choice, "LOOSE_EXPLICIT", name)
    sol = odekit.solve_ivp(stiff_cosine, (0, 10), [1.0], rtol=1e-4, atol=1e-6)
    assert [switch.source for switch in sol.switches] == [name] and sol.naccept < 400
    assert abs(sol.y[0, -1] - np.cos(10)) < 1e-3
    assert solve(ARENSTORF, 1e-5).switches == []


@pytest.mark.parametrize("rtol", [1e-4, 1e-6, 1e-8])
def test_van_der_pol_switches_both_ways(rtol):
    sol = solve(VDPOLM, rtol)
    targets, explicit = [switch.target for switch in sol.switches], explicit_method(rtol)
    assert explicit in targets and "radau" in targets
    assert all(a != b for a, b in itertools.pairwise(targets))  # they alternate
    assert len(targets) <= 12  # the hysteresis keeps it from flickering
    names = sol.methods_in_use()
    assert len(names) == sol.naccept and set(names) == {explicit, "radau"}


def test_stiffness_is_found_backward_in_time():
    sol = odekit.solve_ivp(lambda t, y: [1000.0 * (y[0] - np.cos(t)) - np.sin(t)], (0, -10), [1.0])
    assert sol.success and sol.switches and abs(sol.y[0, -1] - np.cos(10)) < 1e-2 and sol.naccept < 300


def test_the_state_carries_over_exactly():
    sol = odekit.solve_ivp(stiff_cosine, (0, 2), [1.0], dense_output=True, rtol=1e-6)
    at = sol.switches[0].t
    assert at in sol.steps
    assert np.allclose(sol.sol(at - 1e-9), sol.sol(at + 1e-9), atol=1e-8)


def test_a_nonstiff_problem_never_compiles_the_implicit_method():
    from odekit.field import UserField
    from odekit.solvers import state
    from odekit.solvers.integrate import Integration
    from odekit.solvers.methods import resolve
    from odekit.solvers.problem import Kernels

    field = UserField(lambda t, y: [-y[0]], 0.0, np.array([1.0]))
    run = Integration(
        field.kernels(), (0.0, 1.0), np.array([1.0]), resolve("auto")[1], np.full(1, 1e-6), np.full(1, 1e-6)
    )
    run.run()
    assert isinstance(field.kernels(), Kernels) and run.fn[state.DENSE + 1] == 0


@pytest.mark.parametrize("rtol", [1e-4, 1e-6, 1e-8])
@pytest.mark.parametrize("rate", [1e2, 3e2, 1e3, 1e4])
def test_a_smooth_stiff_problem_is_not_left_to_the_explicit_method(rate, rtol):
    def tied(t, y):
        return [-rate * (y[0] - np.sin(t)) + np.cos(t)]

    t = np.linspace(0, 10, 101)
    sol = odekit.solve_ivp(tied, (0, 10), [0.0], t_eval=t, rtol=rtol, atol=1e-9)
    assert sol.success and sol.naccept + sol.nreject < 300
    assert np.abs(sol.y[0] - np.sin(t)).max() < 10 * rtol


@pytest.mark.parametrize("rtol", [1e-9, 1e-11])
@pytest.mark.parametrize("problem", [ROBER, OREGO], ids=lambda p: p.name)
def test_stiffness_is_found_where_accuracy_and_not_stability_limits_the_steps(problem, rtol):
    sol = solve(problem, rtol)
    assert sol.switches[0].target == "radau" and "does not follow" in sol.switches[0].reason
    assert np.searchsorted(sol.steps, sol.switches[0].t) < 100  # it took 20,000 steps with the first rule alone


def test_trials_of_the_implicit_method_that_fail_become_rare():
    _, iw, w, _ = allocate(1, 0)
    iw[state.PATIENCE] = auto.FIRST_PATIENCE
    for steps, patience in ((5, 50), (5, 100), (60, 200), (300, 25), (5, 50)):
        auto.switch(iw, w, auto.IMPLICIT, auto.SMOOTH)
        iw[state.NACCEPT] += steps
        auto.switch(iw, w, auto.EXPLICIT, auto.NOT_STIFF)
        assert iw[state.PATIENCE] == patience


def test_the_reason_of_the_choice_is_told():
    def reason(n=1, **options):
        return odekit.solve_ivp(lambda t, y: -y, (0, 1e-3), np.ones(n), **options).method_reason

    assert reason() == "tsit5 first, radau where it is stiff: rtol = 0.001 is above 1e-06; n = 1 is at most 100"
    assert reason(rtol=1e-8).startswith("vern7 first, radau where it is stiff: rtol = 1e-08 is at most 1e-06")
    assert reason(n=101).startswith("tsit5 first, bdf where it is stiff") and reason(n=101).endswith(
        "n = 101 is above 100"
    )
    assert reason(n=5001, lband=1).endswith("5001 is above 100; the Jacobian has a structure: lband = 1, uband = 0")
    assert reason(n=2, jac_sparsity=np.eye(2)).endswith("at most 100; the Jacobian has a structure: jac_sparsity")
    assert reason(linear_solver="sparse").endswith("a structure: linear_solver = 'sparse'")
    assert "too large for the full matrices" in reason(n=5001) and reason(method="RK45") == "dopri5, as asked for"


def test_a_large_stiff_problem_goes_to_bdf():
    @odekit.inplace
    def heat(t, y, dydt):
        m = y.size
        for i in range(m):
            left, right = y[i - 1] if i > 0 else 0.0, y[i + 1] if i < m - 1 else 0.0
            dydt[i] = (m + 1) ** 2 * (left - 2.0 * y[i] + right)

    m = 120
    mode = np.sin(np.pi * np.arange(1, m + 1) / (m + 1))
    sol = odekit.solve_ivp(heat, (0, 0.2), mode, rtol=1e-5, atol=1e-8)
    rate = 4 * (m + 1) ** 2 * np.sin(np.pi / (2 * (m + 1))) ** 2
    assert [switch.target for switch in sol.switches] == ["bdf"] and sol.naccept < 200
    assert np.allclose(sol.y[:, -1], np.exp(-0.2 * rate) * mode, rtol=1e-3)
