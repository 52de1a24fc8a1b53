"""Step by step: steps, interpolation, exact checkpoints, new starts, stops at jumps."""

import numpy as np
import pytest
from problems import decay, oscillator

import odekit
from odekit import Retcode
from odekit.testset import VDPOLM

TIGHT = {"rtol": 1e-8, "atol": 1e-10}


@pytest.mark.parametrize("method", ["auto", "tsit5", "dop853", "radau", "bdf", "kvaerno3"])
def test_steps_are_those_of_solve_ivp(method):
    run = odekit.Integrator(oscillator, 0.0, [1.0, 0.0], 5.0, method, **TIGHT)
    times, states = [run.t], [run.y]
    more = True
    while more:
        more = run.step()
        times.append(run.t)
        states.append(run.y)
    sol = odekit.solve_ivp(oscillator, (0, 5), [1.0, 0.0], method, dense_output=True, **TIGHT)
    assert np.array_equal(times, sol.t) and np.array_equal(np.array(states).T, sol.y)
    assert (run.nfev, run.njev, run.nlu, run.naccept, run.nreject) == (
        sol.nfev,
        sol.njev,
        sol.nlu,
        sol.naccept,
        sol.nreject,
    )
    assert run.retcode == Retcode.SUCCESS and "end" in run.message and run.step() is False


@pytest.mark.parametrize("method", ["auto", "tsit5", "radau", "bdf"])
def test_checkpoints_are_exact(method):
    def make():
        return odekit.Integrator(
            VDPOLM.fun, 0.0, VDPOLM.y0, 2000.0, method, args=VDPOLM.args, rtol=1e-6, atol=1e-8, max_step=50.0
        )

    run = make()
    for _ in range(150):
        run.step()
    saved = run.state()
    for _ in range(100):
        run.step()
    other = make()
    other.restore(saved)
    for _ in range(100):
        other.step()
    assert other.t == run.t and np.array_equal(other.y, run.y) and other.nfev == run.nfev


def test_interpolation_of_the_last_step():
    run = odekit.Integrator(oscillator, 0.0, [1.0, 0.0], 10.0, **TIGHT)
    with pytest.raises(ValueError, match="call step"):
        run.interpolant()
    for _ in range(5):
        before, start = run.t, run.y
        run.step()
        dense = run.interpolant()
        middle = 0.5 * (before + run.t)
        assert np.allclose(dense(middle), [np.cos(middle), -np.sin(middle)], atol=1e-6)
        assert np.array_equal(dense(before), start) and np.array_equal(dense(run.t), run.y)


def test_the_end_can_be_moved_on():
    run = odekit.Integrator(decay, 0.0, [1.0], 1.0, args=(1.0,), **TIGHT)
    while run.step():
        pass
    assert run.t == 1.0
    run.extend(2.0)
    while run.step():
        pass
    assert run.t == 2.0 and run.y[0] == pytest.approx(np.exp(-2), rel=1e-6)
    with pytest.raises(ValueError, match=r"t_bound=1\.0; expected a finite time beyond"):
        run.extend(1.0)


@pytest.mark.parametrize("method", ["auto", "radau", "bdf"])
def test_a_new_start(method):
    run = odekit.Integrator(decay, 0.0, [1.0], 2.0, method, args=(1.0,), **TIGHT)
    while run.t < 1.0:
        run.step()
    at = run.t
    run.reinit(run.y + 1.0)  # a kick
    while run.step():
        pass
    assert run.y[0] == pytest.approx((np.exp(-at) + 1) * np.exp(at - 2), rel=1e-5)
    run.reinit([5.0], t=0.0)
    assert run.t == 0.0 and run.retcode is None and run.step()
    with pytest.raises(ValueError, match="y has 2 components; expected 1"):
        run.reinit([1.0, 2.0])


def test_failures_and_exceptions():
    run = odekit.Integrator(lambda t, y: [y[0] ** 2], 0.0, [1.0], 2.0)
    while run.step():
        pass
    assert run.retcode == Retcode.STEP_TOO_SMALL and "t = " in run.message and run.step() is False

    def raises(t, y):
        if t > 0.5:
            raise ValueError("too late")
        return [-y[0]]

    run = odekit.Integrator(raises, 0.0, [1.0], 2.0, max_step=0.1)
    with pytest.raises(ValueError, match="too late"):
        [run.step() for _ in range(100)]
    assert run.retcode == Retcode.RHS_RAISED and 0.4 < run.t <= 0.5
    with pytest.raises(ValueError, match="t_bound=inf"):
        odekit.Integrator(decay, 0.0, [1.0], np.inf, args=(1.0,))
    with pytest.raises(AttributeError):
        run.nothing
    with pytest.raises(ValueError, match="another problem"):
        run.restore(odekit.Integrator(oscillator, 0.0, [1.0, 0.0], 1.0).state())


def test_complex_states_and_separable_systems():
    run = odekit.Integrator(lambda t, y: [1j * y[0]], 0.0, [1.0 + 0j], 1.0, **TIGHT)
    while run.step():
        pass
    assert run.y[0] == pytest.approx(np.exp(1j), abs=1e-6)
    run = odekit.Integrator(odekit.second_order(lambda t, q: -q), 0.0, [1.0, 0.0], 1.0, "kahanli8", first_step=0.1)
    while run.step():
        pass
    assert run.y[0] == pytest.approx(np.cos(1), abs=1e-9)


# jumps -------------------------------------------------------------------------------------------------------------------


def switched(t, y):
    """y' = +-1: the sign changes at t = 1 and t = 2."""
    return [1.0 if t < 1.0 else (-1.0 if t < 2.0 else 1.0)]


@pytest.mark.parametrize("method", ["auto", "tsit5", "dop853", "radau", "bdf", "rk4"])
def test_jumps_at_known_times_cost_nothing(method):
    step = {"first_step": 0.3} if method == "rk4" else {}
    sol = odekit.solve_ivp(
        switched, (0, 3), [0.0], method=method, tstops=[2.0, 1.0, 1.0, 7.0], rtol=1e-8, atol=1e-8, **step
    )
    assert sol.success and {1.0, 2.0} <= set(sol.t)
    assert sol.y[0, sol.t == 1.0][0] == pytest.approx(1.0, abs=1e-12) and sol.y[0, -1] == pytest.approx(1.0, abs=1e-12)
    assert sol.nreject == 0 and sol.naccept < 40
    assert np.all(np.diff(sol.t) > 0)


def test_jumps_backward_and_with_output_times():
    sol = odekit.solve_ivp(switched, (3, 0), [1.0], tstops=[1.0, 2.0], t_eval=[2.5, 1.5, 0.5], rtol=1e-8, atol=1e-8)
    assert np.allclose(sol.y[0], [0.5, 0.5, 0.5], atol=1e-12)


@pytest.mark.parametrize("tstops", ["now", [np.nan], [[1.0]]])
def test_stops_that_make_no_sense(tstops):
    with pytest.raises(ValueError, match="tstops="):
        odekit.solve_ivp(switched, (0, 3), [0.0], tstops=tstops)


# events and callbacks ----------------------------------------------------------------------------------------------------


def floor(t, y):
    return y[0]


floor.direction, floor.affect = -1, lambda t, y: [0.0, -0.9 * y[1]]


@pytest.mark.parametrize("method", ["auto", "bdf"])
def test_events_step_by_step(method):
    def fall(t, y):
        return [y[1], -9.81]

    seen = []
    options = {"events": floor, "tstops": [0.2, 1.0], **TIGHT}
    run = odekit.Integrator(fall, 0.0, [1.0, 0.0], 2.0, method, on_step=lambda t, y: seen.append(t), **options)
    times, saved = [0.0], None
    while run.step():
        times.append(run.t)
        if saved is None and run.t > 0.8:
            saved = run.state()
    times.append(run.t)
    sol = odekit.solve_ivp(fall, (0, 2), [1.0, 0.0], method, **options)
    assert run.retcode == Retcode.SUCCESS and np.array_equal(times[1:], sol.ends) and np.array_equal(seen, times[1:])
    assert np.array_equal(run.y, sol.y[:, -1]) and np.array_equal(run.t_events[0], sol.t_events[0])
    end, y = run.interpolant()(run.t), run.y
    assert np.array_equal(end, y)
    run.restore(saved)
    assert len(run.t_events[0]) == 1
    while run.step():
        pass
    assert np.array_equal(run.y, y) and np.array_equal(run.t_events[0], sol.t_events[0])
    run.extend(3.0)
    while run.step():
        pass
    assert run.t == 3.0 and len(run.t_events[0]) > 2


def test_terminal_events_and_stops_step_by_step():
    def zero(t, y):
        return y[0]

    zero.terminal = True
    run = odekit.Integrator(oscillator, 0.0, [1.0, 0.0], 10.0, events=zero, **TIGHT)
    while run.step():
        pass
    assert run.retcode == Retcode.TERMINATED and run.t == run.t_events[0][0] == pytest.approx(np.pi / 2, abs=1e-6)
    assert np.array_equal(run.interpolant()(run.t), run.y)
    run = odekit.Integrator(oscillator, 0.0, [1.0, 0.0], 10.0, on_step=lambda t, y: t > 1, **TIGHT)
    while run.step():
        pass
    assert run.retcode == Retcode.STOPPED and 1 < run.t < 3
    run = odekit.Integrator(lambda t, y: [-1.0], 0.0, [1.0], 10.0, nonnegative=True)
    while run.step():
        pass
    assert run.retcode == Retcode.OUT_OF_DOMAIN and 0.99 < run.t <= 1.0
