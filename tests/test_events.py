"""Events: where they are, in which order, when they stop."""

import math

import numpy as np
import pytest
from problems import oscillator

import odekit

METHODS = ["auto", "tsit5", "dopri5", "dop853", "radau", "bdf", "kvaerno3", "rodas5p"]
TIGHT = {"rtol": 1e-10, "atol": 1e-12}


def zero(t, y):
    return y[0]


def rising(t, y):
    return y[0]


rising.direction = 1


def falling(t, y):
    return y[0]


falling.direction = -1


@pytest.mark.parametrize("method", ["tsit5", "dop853", "radau"])
def test_zeros_are_located_to_the_accuracy_of_the_solution(method):
    sol = odekit.solve_ivp(oscillator, (0, 20), [1.0, 0.0], method=method, events=[zero, rising, falling], **TIGHT)
    zeros = np.pi * (np.arange(6) + 0.5)
    assert np.allclose(sol.t_events[0], zeros, atol=1e-7)
    assert np.allclose(sol.t_events[1], zeros[1::2], atol=1e-7) and np.allclose(sol.t_events[2], zeros[::2], atol=1e-7)
    assert sol.y_events[0].shape == (6, 2) and np.max(np.abs(sol.y_events[0][:, 0])) < 1e-13
    assert sol.status == 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("terminal", "count"), [(True, 1), (2, 2), (3, 3)])
def test_terminal_events_with_counts(method, terminal, count):
    def stop(t, y):
        return y[0]

    stop.terminal = terminal
    sol = odekit.solve_ivp(
        oscillator, (0, 100), [1.0, 0.0], method=method, events=stop, dense_output=True, rtol=1e-6, atol=1e-8
    )
    assert sol.status == 1 and sol.retcode == odekit.Retcode.TERMINATED and sol.success
    end = math.pi * (count - 0.5)
    assert sol.t[-1] == pytest.approx(end, abs=1e-3) == sol.t_events[0][-1] and len(sol.t_events[0]) == count
    assert np.array_equal(sol.y[:, -1], sol.y_events[0][-1]) and np.array_equal(sol.sol(sol.t[-1]), sol.y[:, -1])


def test_backward():
    sol = odekit.solve_ivp(oscillator, (0, -5), [1.0, 0.0], events=[zero, rising], **TIGHT)
    assert np.allclose(sol.t_events[0], [-np.pi / 2, -3 * np.pi / 2], atol=1e-8)
    assert len(sol.t_events[1]) == 1  # direction counts along the integration, as in SciPy


def test_several_events_in_one_step_come_in_order():
    order = []

    def make(level, terminal=False):
        def event(t, y):
            return y[0] - level

        event.terminal = terminal
        return event

    sol = odekit.solve_ivp(
        lambda t, y: [1.0], (0, 10), [0.0], events=[make(7.0), make(3.0), make(5.0, True), make(2.0)]
    )
    assert [len(times) for times in sol.t_events] == [0, 1, 1, 1] and sol.t[-1] == pytest.approx(5.0)
    assert order == []


def test_output_times_end_at_the_event():
    def stop(t, y):
        return y[0]

    stop.terminal = True
    sol = odekit.solve_ivp(oscillator, (0, 10), [1.0, 0.0], events=stop, t_eval=np.linspace(0, 10, 101))
    assert sol.t[-1] == 1.5 and sol.y.shape == (2, 16)


def test_an_infinite_span_ends_at_an_event():
    def ground(t, y):
        return y[0]

    ground.terminal, ground.direction = True, -1
    sol = odekit.solve_ivp(lambda t, y: [y[1], -9.81], (0, math.inf), [0.0, 10.0], events=ground, **TIGHT)
    assert sol.status == 1 and sol.t[-1] == pytest.approx(20 / 9.81, rel=1e-9)


def test_many_events_fill_no_buffer():
    sol = odekit.solve_ivp(oscillator, (0, 1000), [1.0, 0.0], events=zero, rtol=1e-8, atol=1e-8)
    assert len(sol.t_events[0]) == 318 and np.allclose(np.diff(sol.t_events[0]), np.pi, atol=1e-5)


@pytest.mark.filterwarnings("ignore::odekit.OdekitPerformanceWarning")
def test_events_in_python():
    seen = []

    def event(t, y):
        seen.append(t)  # Numba has no such list
        return float(y[0])

    sol = odekit.solve_ivp(oscillator, (0, 20), [1.0, 0.0], events=[event, zero], **TIGHT)
    assert np.array_equal(sol.t_events[0], sol.t_events[1]) and len(seen) > 10


@pytest.mark.parametrize("method", ["tsit5", "dop853", "vern7", "radau", "bdf"])
def test_two_zeros_in_one_step(method):
    levels = [0.9, 1.001]  # the maximum of the parabola is 1: two zeros of the first, none of the second
    events = [lambda t, y, level=level: y[0] - level for level in levels]
    sol = odekit.solve_ivp(
        lambda t, y: [y[1], -2.0], (0, 2), [0.0, 2.0], method, events=events, first_step=0.3, rtol=1e-6
    )
    assert np.allclose(sol.t_events[0], 1 + np.sqrt(0.1) * np.array([-1, 1]), atol=1e-4) and len(sol.t_events[1]) == 0


def test_all_zeros_of_a_step_come_in_order():
    order = []

    def make(name, frequency):
        def event(t, y):
            return np.cos(frequency * y[0])

        event.affect = lambda t, y: order.append((t, name))
        return event

    sol = odekit.solve_ivp(lambda t, y: [1.0], (0, 1), [0.0], events=[make("a", 12.0), make("b", 5.0)], first_step=1.0)
    assert sol.naccept == 1 and [len(times) for times in sol.t_events] == [4, 2]
    assert np.allclose(sol.t_events[0], (np.arange(4) + 0.5) * np.pi / 12)
    assert [name for _, name in order] == list("abaaab") and np.all(np.diff([t for t, _ in order]) > 0)


@pytest.mark.parametrize("method", METHODS)
def test_a_zero_at_the_start(method):
    def stop(t, y):
        return y[0]

    stop.terminal = True
    for direction in (0, -1):
        stop.direction = direction
        sol = odekit.solve_ivp(oscillator, (0, 10), [0.0, 1.0], method, events=[stop, zero, rising, falling], **TIGHT)
        assert sol.status == 1 and sol.t[-1] == pytest.approx(np.pi, abs=1e-5)  # not at once
        assert [len(times) for times in sol.t_events] == [1, 2, 1, 1] and sol.t_events[2][0] == 0.0


def test_a_zero_at_the_end_of_a_step_is_reported_once():
    sol = odekit.solve_ivp(lambda t, y: [1.0], (0, 1), [-0.5], "rk4", events=lambda t, y: y[0], first_step=0.25)
    assert np.array_equal(sol.t_events[0], [0.5]) and 0.5 in sol.t
    sol = odekit.solve_ivp(lambda t, y: [1.0], (0, 1), [-1.0], "euler", events=lambda t, y: y[0], first_step=0.25)
    assert np.array_equal(sol.t_events[0], [1.0])


@pytest.mark.parametrize("terminal", [-1, 1.5, "yes"])
def test_a_terminal_attribute_that_makes_no_sense(terminal):
    def event(t, y):
        return y[0]

    event.terminal = terminal
    with pytest.raises(ValueError, match="`terminal` attribute of each event"):
        odekit.solve_ivp(oscillator, (0, 1), [1.0, 0.0], events=event)


def test_zeros_of_complex_states():
    """An event function is one real number, also where the state is complex."""

    def real_part(t, y):
        return y[0].real - 0.25

    sol = odekit.solve_ivp(
        lambda t, y: [1j * y[0]], (0, 30), [1.0 + 0j], "dop853", events=[real_part, lambda t, y: y[0].imag - 2], rtol=1e-10, atol=1e-10,
        isoutofdomain=lambda t, y: abs(y[0]) > 2,
    )  # fmt: skip
    first, turns = np.arccos(0.25), 2 * np.pi * np.arange(1, 5)
    assert (
        np.allclose(sol.t_events[0], np.sort(np.r_[first, turns - first, turns + first]), atol=1e-8)
        and sol.t_events[1].size == 0
    )
