"""Separable systems as right-hand sides, with any method."""

import numpy as np
import pytest

import odekit


def velocity(t, p, k, mass):
    return [p[0] / mass]


def force(t, q, k, mass):
    return [-k * q[0]]


SPRING = odekit.separable(velocity, force)


@pytest.mark.parametrize("method", ["auto", "tsit5", "radau", "kahanli8", "gauss6", "leapfrog"])
def test_every_method_integrates_them(method):
    step = 0.01 if method in ("kahanli8", "gauss6", "leapfrog") else None
    sol = odekit.solve_ivp(
        SPRING,
        (0, 3),
        [1.0, 0.0],
        method=method,
        args=(4.0, 1.0),
        first_step=step,
        rtol=1e-8,
        atol=1e-8,
        dense_output=True,
    )
    assert sol.success and sol.y[0, -1] == pytest.approx(np.cos(6.0), abs=1e-3 if method == "leapfrog" else 1e-6)
    assert sol.sol(1.0)[0] == pytest.approx(np.cos(2.0), abs=1e-3 if method == "leapfrog" else 1e-5)


def test_the_identity_as_velocity():
    sol = odekit.solve_ivp(
        odekit.second_order(lambda t, q: -q), (0, -2), [1.0, 0.0], method="yoshida6", first_step=0.05
    )
    assert sol.t[-1] == -2 and np.allclose(sol.y[:, -1], [np.cos(2), np.sin(2)], atol=1e-7)


def test_events_and_output_times():
    def zero(t, y):
        return y[0]

    sol = odekit.solve_ivp(
        odekit.second_order(lambda t, q: -q),
        (0, 10),
        [1.0, 0.0],
        "kahanli8",
        np.linspace(0, 10, 11),
        events=zero,
        first_step=0.01,
    )
    assert np.allclose(sol.t_events[0], np.pi * (np.arange(3) + 0.5), atol=1e-8)
    assert np.allclose(sol.y[0], np.cos(sol.t), atol=1e-9)


def test_exceptions_carry_the_solution():
    def raises(t, q):
        if t > 0.5:
            raise ValueError("too late")
        return -q

    with pytest.raises(ValueError, match="too late") as info:
        odekit.solve_ivp(odekit.second_order(raises), (0, 1), [1.0, 0.0], method="leapfrog", first_step=0.1)
    assert info.value.solution.t[-1] == pytest.approx(0.5)


@pytest.mark.filterwarnings("ignore::odekit.OdekitPerformanceWarning")
def test_halves_that_cannot_be_compiled():
    class Force:
        def __call__(self, t, q):
            return -q

    sol = odekit.solve_ivp(odekit.second_order(Force()), (0, 1), [1.0, 0.0], method="yoshida4", first_step=0.01)
    assert np.allclose(sol.y[0, -1], np.cos(1), atol=1e-8)


def test_bad_input():
    with pytest.raises(ValueError, match="as many positions as momenta, but y0 has 3"):
        odekit.solve_ivp(SPRING, (0, 1), [1.0, 0.0, 0.0], args=(1.0, 1.0))
    with pytest.raises(ValueError, match=r"shape \(2,\); expected \(1,\)"):
        odekit.solve_ivp(odekit.second_order(lambda t, q: [1.0, 2.0]), (0, 1), [1.0, 0.0])
    with pytest.raises(TypeError, match="acceleration is a int"):
        odekit.second_order(3)
    with pytest.raises(TypeError, match="force is a NoneType"):
        odekit.separable(velocity, None)
    with pytest.raises(ValueError, match="fixed size"):
        odekit.solve_ivp(SPRING, (0, 1), [1.0, 0.0], args=(1.0, 1.0), method="leapfrog")


def test_storage(tmp_path):
    sol = odekit.solve_ivp(SPRING, (0, 1), [1.0, 0.0], args=(1.0, 1.0), method="yoshida4", first_step=0.1)
    odekit.storage.save(tmp_path / "spring.h5", sol)
    assert np.array_equal(odekit.storage.load(tmp_path / "spring.h5").y, sol.y)
