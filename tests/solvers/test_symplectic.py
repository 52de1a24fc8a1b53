"""Symplectic methods: weights, order by slope, energy without drift, refusals."""

import numpy as np
import pytest

import odekit
from odekit.solvers.gauss import NODES, coefficients
from odekit.solvers.symplectic import SPLITTINGS, SplittingTable
from odekit.testset import OUTER_SOLAR_SYSTEM

ECCENTRICITY = 0.6
START = [1 - ECCENTRICITY, 0.0, 0.0, np.sqrt((1 + ECCENTRICITY) / (1 - ECCENTRICITY))]


def attraction(t, q):
    r3 = (q[0] * q[0] + q[1] * q[1]) ** 1.5
    return [-q[0] / r3, -q[1] / r3]


def whole(t, y):
    r3 = (y[0] * y[0] + y[1] * y[1]) ** 1.5
    return [y[2], y[3], -y[0] / r3, -y[1] / r3]


KEPLER = odekit.second_order(attraction)


def energy(y):
    return 0.5 * (y[2] ** 2 + y[3] ** 2) - 1.0 / np.hypot(y[0], y[1])


@pytest.mark.parametrize(
    ("name", "error"),
    # 2,400 forces per orbit, 50 orbits
    [("leapfrog", 5.2e-5), ("yoshida4", 4e-7), ("yoshida6", 1.1e-8), ("kahanli6", 7e-9), ("kahanli8", 8.3e-11)],
)
def test_energy_error_of_the_kepler_problem_does_not_grow(name, error):
    h = 2 * np.pi * len(SPLITTINGS[name].weights) / 2400
    sol = odekit.solve_ivp(KEPLER, (0, 100 * np.pi), START, method=name, first_step=h)
    drift = np.abs(energy(sol.y) / energy(sol.y[:, 0]) - 1)
    half = drift.size // 2
    assert drift.max() < error
    assert drift[half:].max() < 1.02 * drift[:half].max()
    assert sol.nfev == 1 + sol.naccept * len(SPLITTINGS[name].weights)


@pytest.mark.parametrize(("name", "step", "error"), [("yoshida6", 100, 1.2e-7), ("kahanli8", 200, 9e-10)])
def test_energy_of_the_outer_solar_system_does_not_drift(name, step, error):
    # ten thousand years; examples/outer_solar_system.py goes on for a hundred thousand
    times = 10 * step * np.arange(365_250 * 10 // (10 * step) + 1.0)
    system = odekit.second_order(OUTER_SOLAR_SYSTEM.acceleration)
    args = OUTER_SOLAR_SYSTEM.args
    sol = odekit.solve_ivp(system, times[[0, -1]], OUTER_SOLAR_SYSTEM.y0, name, times, args=args, first_step=step)
    drift = OUTER_SOLAR_SYSTEM.energy(sol.y, *args)
    drift = drift / drift[0] - 1
    tenth = drift.size // 10
    assert np.abs(drift).max() < error
    assert abs(drift[-tenth:].mean() - drift[:tenth].mean()) < 0.1 * np.abs(drift).max()


@pytest.mark.parametrize("name", [*SPLITTINGS, *NODES])
def test_order_by_slope(name):
    # a nonlinear pendulum that is pushed: the force depends on time
    def force(t, q):
        return [-np.sin(q[0]) + 0.3 * np.cos(t)]

    order = SPLITTINGS[name].order if name in SPLITTINGS else 2 * len(NODES[name])
    system = odekit.separable(lambda t, p: [p[0] / (1 + 0.1 * p[0] ** 2)], force)
    exact = odekit.solve_ivp(system, (0, 4), [1.0, 0.5], method="dop853", rtol=1e-13, atol=1e-14).y[:, -1]
    counts = np.array({2: [40, 80, 160], 4: [20, 28, 40, 56], 6: [16, 20, 28, 36], 8: [12, 16, 20, 24]}[order])
    errors = []
    for count in counts:
        sol = odekit.solve_ivp(system, (0, 4), [1.0, 0.5], method=name, first_step=4 / count)
        errors.append(np.max(np.abs(sol.y[:, -1] - exact)))
    slope = np.polyfit(np.log(1.0 / counts), np.log(errors), 1)[0]
    assert slope > order - 0.4, (slope, errors)


@pytest.mark.parametrize("name", NODES)
def test_gauss_methods_keep_quadratic_invariants_and_energy(name):
    sol = odekit.solve_ivp(whole, (0, 100 * np.pi), START, method=name, first_step=2 * np.pi / 400)
    momentum = sol.y[0] * sol.y[3] - sol.y[1] * sol.y[2]
    assert np.abs(momentum - momentum[0]).max() < 1e-14
    drift = np.abs(energy(sol.y) / energy(sol.y[:, 0]) - 1)
    half = drift.size // 2
    assert drift[half:].max() < 1.05 * drift[:half].max() + 1e-14


def test_gauss_methods_work_on_systems_that_are_not_separable():
    # H = (p^2 + 1)(q^2 + 1) / 2 (Tao 2016): the product mixes q and p
    def mixed(t, y):
        q, p = y
        return [p * (q * q + 1), -q * (p * p + 1)]

    sol = odekit.solve_ivp(mixed, (0, 200), [0.0, -1.5], method="gauss6", first_step=0.05)
    h = (sol.y[1] ** 2 + 1) * (sol.y[0] ** 2 + 1) / 2
    assert np.abs(h / h[0] - 1).max() < 2e-7


def test_collocation_coefficients():
    A, b, _ = coefficients(NODES["gauss4"])
    r = np.sqrt(3) / 6
    np.testing.assert_allclose(A, [[0.25, 0.25 - r], [0.25 + r, 0.25]], atol=1e-15)
    np.testing.assert_allclose(b, [0.5, 0.5], atol=1e-15)
    for nodes in NODES.values():
        A, b, E = coefficients(nodes)
        np.testing.assert_allclose(A.sum(axis=1), nodes, atol=1e-15)
        np.testing.assert_allclose(E.sum(axis=1), 1.0, atol=1e-13)
        for k in range(1, 2 * len(nodes) + 1):  # b integrates polynomials of degree 2 s - 1
            assert b @ np.array(nodes) ** (k - 1) == pytest.approx(1 / k, abs=1e-15)


def test_tables_are_checked():
    with pytest.raises(ValueError, match="sum to"):
        SplittingTable("wrong", 2, (0.5, 0.25, 0.5), "")
    with pytest.raises(ValueError, match="palindromic"):
        SplittingTable("wrong", 2, (0.5, 0.25, 0.25), "")


def test_rounding_does_not_add_up():
    # an oscillator at the edge of rounding: the compensated sum keeps the energy where a plain sum drifts
    sol = odekit.solve_ivp(
        odekit.second_order(lambda t, q: [-q[0]]),
        (0, 2000),
        [1.0, 0.0],
        method="kahanli8",
        first_step=0.02,
        t_eval=[2000],
    )
    assert abs(0.5 * (sol.y[0, -1] ** 2 + sol.y[1, -1] ** 2) - 0.5) < 3e-15


def test_the_refusal_of_what_is_not_separable():
    with pytest.raises(ValueError, match=r"yoshida4.*needs a separable system: give fun as odekit\.second_order"):
        odekit.solve_ivp(whole, (0, 1), START, method="yoshida4", first_step=0.1)


def test_a_step_too_large_for_the_iteration_is_told():
    sol = odekit.solve_ivp(lambda t, y: [5.0 * np.sin(10.0 * y[0])], (0, 10), [1.0], method="gauss4", first_step=1.0)
    assert sol.retcode == odekit.Retcode.NEWTON_FAILED and "smaller first_step" in sol.message
