"""Tao's methods: order by slope, energy without drift, reversibility, refusals."""

import math

import numpy as np
import pytest

import odekit
from odekit.hamiltonian import HamiltonianField
from odekit.solvers import state as S
from odekit.solvers.integrate import Integration
from odekit.solvers.methods import METHODS
from odekit.solvers.tao import COMPOSITIONS
from odekit.testset import DOUBLE_PENDULUM


def mixed(t, y):
    """H = (q^2 + 1) (p^2 + 1) / 2, from Tao's paper: not separable, with elliptic functions as solutions."""
    q, p = y
    return [p * (q * q + 1), -q * (p * p + 1)]


MIXED = odekit.hamiltonian(mixed, omega=10)
START = [0.0, -3.0]


def energy(y):
    return (y[0] ** 2 + 1) * (y[1] ** 2 + 1) / 2


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_order_by_slope(name):
    # the same, pushed: H depends on time too
    def pushed(t, y):
        q, p = y
        return [p * (q * q + 1), -q * (p * p + 1) + 0.5 * np.cos(3 * t)]

    exact = odekit.solve_ivp(pushed, (0, 4), START, method="dop853", rtol=1e-13, atol=1e-14).y[:, -1]
    system, order = odekit.hamiltonian(pushed, omega=5), METHODS[name].order
    counts = {2: [800, 1600, 3200], 4: [400, 600, 900], 6: [150, 200, 300], 8: [100, 130, 170]}[order]
    errors = []
    for count in counts:
        sol = odekit.solve_ivp(system, (0, 4), START, method=name, first_step=4 / count)
        assert sol.nfev == 1 + 3 * len(COMPOSITIONS[name].weights) * count
        errors.append(np.max(np.abs(sol.y[:, -1] - exact)))
    slope = np.polyfit(np.log(1.0 / np.array(counts)), np.log(errors), 1)[0]
    assert order - 0.3 < slope < order + 0.5, (slope, errors)


@pytest.mark.parametrize(("name", "error"), [("tao2", 2e-4), ("tao4", 2e-6), ("tao6", 2e-8), ("tao8", 2e-9)])
def test_energy_does_not_drift(name, error):
    h = 0.001 * len(COMPOSITIONS[name].weights) + 0.004
    sol = odekit.solve_ivp(MIXED, (0, 1000), START, method=name, first_step=h)
    drift = np.abs(energy(sol.y) / energy(sol.y[:, 0]) - 1)
    tenth = drift.size // 10
    assert drift.max() < error
    assert drift[-tenth:].max() < 1.1 * drift[:tenth].max()


def test_energy_of_a_chaotic_double_pendulum_does_not_drift():
    problem = DOUBLE_PENDULUM
    system = odekit.hamiltonian(problem.fun, omega=200)
    sol = odekit.solve_ivp(system, (0, 50), problem.y0, "tao4", args=problem.args, first_step=1e-3)
    height = problem.args[-1] * 3
    drift = np.abs(problem.energy(sol.y, *problem.args) - problem.energy(sol.y[:, 0], *problem.args)) / height
    tenth = drift.size // 10
    assert drift.max() < 2e-5 and drift[-tenth:].max() < 2 * drift[:tenth].max() + 1e-6


@pytest.mark.parametrize("name", ["tao4", "tao8"])
def test_steps_back_undo_the_steps(name):
    kernels = HamiltonianField(MIXED, 0.0, np.array(START)).kernels()
    tolerance = np.full(2, 1e-6)
    run = Integration(kernels, (0.0, 5.0), np.array(START), (METHODS[name],), tolerance, tolerance, first_step=0.02)
    run.run()
    assert np.abs(run.vectors[S.Y] - START).max() > 0.1
    copy = run.w[run.iw[S.O_FIRST] : run.iw[S.O_FIRST] + 2]
    assert 0 < np.abs(copy - run.vectors[S.Y]).max() < 1e-3
    # both copies go on, backward in time
    run.w[S.T_END], run.w[S.DIRECTION] = 0.0, -1.0
    run.w[S.H_NEXT], run.w[S.H_FIXED] = -0.02, 0.02
    run.log.clear()
    while run.advance(1000) is None:
        pass
    np.testing.assert_allclose(run.vectors[S.Y], START, atol=2e-13)
    np.testing.assert_allclose(copy, START, atol=2e-13)


def test_rounding_does_not_add_up():
    system = odekit.hamiltonian(lambda t, y: [y[1], -y[0]], omega=3)
    sol = odekit.solve_ivp(system, (0, 2000), [1.0, 0.0], method="tao8", first_step=0.02, t_eval=[1000, 2000])
    assert np.abs(0.5 * (sol.y[0] ** 2 + sol.y[1] ** 2) - 0.5).max() < 3e-15


def test_every_method_integrates_such_systems_and_output_between_the_steps():
    times = np.linspace(0, 3, 50)
    exact = odekit.solve_ivp(MIXED, (0, 3), START, "vern9", times, rtol=1e-12, atol=1e-12).y
    for method, options in (("auto", {"rtol": 1e-8, "atol": 1e-8}), ("tao6", {"first_step": 0.01})):
        np.testing.assert_allclose(odekit.solve_ivp(MIXED, (0, 3), START, method, times, **options).y, exact, atol=1e-6)
    back = odekit.solve_ivp(MIXED, (3, 0), exact[:, -1], "tao6", first_step=0.01)
    np.testing.assert_allclose(back.y[:, -1], START, atol=1e-8)


def test_bad_input():
    with pytest.raises(ValueError, match=r"tao4.*give fun as odekit\.hamiltonian\(fun, omega\), with y = \(q, p\)"):
        odekit.solve_ivp(mixed, (0, 1), START, method="tao4", first_step=0.1)
    with pytest.raises(ValueError, match=r"yoshida4.*needs a separable system"):
        odekit.solve_ivp(MIXED, (0, 1), START, method="yoshida4", first_step=0.1)
    with pytest.raises(ValueError, match="fixed size: give it as first_step"):
        odekit.solve_ivp(MIXED, (0, 1), START, method="tao4")
    with pytest.raises(ValueError, match="as many positions as momenta, but y0 has 3"):
        odekit.solve_ivp(MIXED, (0, 1), [0.0, 1.0, 2.0])
    with pytest.raises(TypeError, match="fun is a Hamiltonian system already"):
        odekit.hamiltonian(MIXED, 1.0)
    for omega in (0.0, -1.0, math.nan, "2"):
        with pytest.raises(ValueError, match="expected a positive number, in radians per unit of t"):
            odekit.hamiltonian(mixed, omega)


def test_a_right_hand_side_that_raises():
    def raises(t, y):
        if t > 0.5:
            raise ValueError("too late")
        return [y[1], -y[0]]

    with pytest.raises(ValueError, match="too late") as info:
        odekit.solve_ivp(odekit.hamiltonian(raises, 1.0), (0, 1), [1.0, 0.0], method="tao2", first_step=0.1)
    assert info.value.solution.t[-1] == pytest.approx(0.5)
