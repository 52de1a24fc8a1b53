"""What callbacks do to an integration: events that change the state, stops, domains."""

import numpy as np
import pytest
from problems import decay, oscillator

import odekit
from odekit import Retcode

GRAVITY = 9.81
TIGHT = {"rtol": 1e-8, "atol": 1e-10}


def fall(t, y):
    return [y[1], -GRAVITY]


def make_floor(restitution, **attributes):
    def floor(t, y):
        return y[0]

    floor.direction = -1
    floor.affect = lambda t, y: [0.0, -restitution * y[1]]
    for name, value in attributes.items():
        setattr(floor, name, value)
    return floor


def bounces(restitution, number):
    """Times of the first bounces of a ball let go at a height of 1."""
    flights = 2 * np.sqrt(2 / GRAVITY) * restitution ** np.arange(number)
    flights[0] /= 2
    return np.cumsum(flights)


METHODS = ["auto", "tsit5", "vern7", "dop853", "radau", "bdf", "rodas5p", "kvaerno3", "rk4", "gauss4"]


@pytest.mark.parametrize("method", METHODS)
def test_a_ball_bounces(method):
    fixed = {"first_step": 0.05} if method in ("rk4", "gauss4") else {}
    t_eval = np.linspace(0, 3, 31)
    options = {"events": make_floor(0.9), **TIGHT, **fixed}
    sol = odekit.solve_ivp(fall, (0, 3), [1.0, 0.0], method, dense_output=True, **options)
    expected = bounces(0.9, 4)
    assert sol.success and np.allclose(sol.t_events[0], expected, atol=1e-6)
    first = expected[0]
    speed = GRAVITY * first
    twice = np.flatnonzero(sol.t == sol.t_events[0][0])
    assert np.allclose(sol.y[1, twice], [-speed, 0.9 * speed], rtol=1e-6)  # before and after
    assert np.allclose(sol.y_events[0][0], [0, -speed], atol=1e-6)
    assert np.allclose(sol.sol(sol.t_events[0][0]), [0, 0.9 * speed], atol=1e-6)  # the limit from the right
    assert np.allclose(sol.sol(sol.t_events[0][0] - 1e-9)[1], -speed, rtol=1e-6)
    assert sol.h.size == sol.naccept == len(sol.methods_in_use()) and sol.steps.size == 1 + sol.naccept + expected.size
    at = odekit.solve_ivp(fall, (0, 3), [1.0, 0.0], method, t_eval=t_eval, **options)
    assert np.array_equal(at.t, t_eval) and np.allclose(at.y, sol.sol(t_eval), atol=1e-12)
    assert sol.y[0].min() > -1e-12


@pytest.mark.parametrize("method", ["auto", "radau", "bdf"])
@pytest.mark.parametrize("restitution", [0.5, 0.05])
def test_a_ball_that_comes_to_rest_is_told(method, restitution):
    sol = odekit.solve_ivp(fall, (0, 50), [1.0, 0.0], method, events=make_floor(restitution))
    assert sol.retcode == Retcode.EVENTS_ACCUMULATE and not sol.success and "comes to rest" in sol.message
    rest = np.sqrt(2 / GRAVITY) * (1 + restitution) / (1 - restitution)
    assert sol.t[-1] == pytest.approx(rest, rel=3e-3) and sol.naccept < 2000


def test_an_affect_may_stop_change_in_place_or_do_nothing():
    def upwards(t, y):
        return y[0]

    upwards.direction = 1
    seen = []
    upwards.affect = lambda t, y: seen.append(t)
    sol = odekit.solve_ivp(oscillator, (0, 20), [1.0, 0.0], events=upwards, **TIGHT)
    assert np.array_equal(seen, sol.t_events[0]) and np.all(np.diff(sol.t) > 0)  # nothing changed: no new start

    def kick(t, y):
        y[1] += 1.0

    upwards.affect = kick
    sol = odekit.solve_ivp(oscillator, (0, 7), [1.0, 0.0], events=upwards, **TIGHT)
    assert sol.t_events[0] == pytest.approx([1.5 * np.pi], abs=1e-6)
    assert sol.y[0, -1] == pytest.approx(2 * np.sin(7 - 1.5 * np.pi), abs=1e-6)

    upwards.affect = lambda t, y: odekit.STOP if t > 6 else None
    sol = odekit.solve_ivp(oscillator, (0, 20), [1.0, 0.0], events=upwards, **TIGHT)
    assert sol.status == 1 and sol.t[-1] == pytest.approx(3.5 * np.pi, abs=1e-6) and len(sol.t_events[0]) == 2


def test_a_terminal_event_ends_before_its_affect():
    sol = odekit.solve_ivp(fall, (0, 50), [1.0, 0.0], events=make_floor(0.9, terminal=3), **TIGHT)
    assert sol.retcode == Retcode.TERMINATED and len(sol.t_events[0]) == 3 and sol.y[1, -1] < 0
    assert sol.t[-1] == pytest.approx(bounces(0.9, 3)[2], abs=1e-6)


def test_a_function_that_passes_through_its_zero_fires_once():
    def dose(t, y, rate):
        return t - 1.0

    dose.affect = lambda t, y, rate: y + 1.0
    sol = odekit.solve_ivp(decay, (0, 2), [1.0], events=dose, args=(1.0,), **TIGHT)
    assert sol.t_events[0] == pytest.approx([1.0], abs=1e-15)
    assert sol.y[0, -1] == pytest.approx((np.exp(-1) + 1) * np.exp(-1), rel=1e-7)
    sol = odekit.solve_ivp(decay, (0, 2), [1.0], events=dose, args=(1.0,), tstops=[1.0], **TIGHT)
    assert sol.t_events[0] == pytest.approx([1.0], abs=1e-15)
    assert sol.y[0, -1] == pytest.approx((np.exp(-1) + 1) * np.exp(-1), rel=1e-7)


def test_two_functions_with_the_same_zero_both_act():
    def make(factor):
        def event(t, y, rate):
            return factor * (t - 1.0)

        event.affect = lambda t, y, rate: y + factor
        return event

    sol = odekit.solve_ivp(decay, (0, 2), [1.0], events=[make(1.0), make(-2.0)], args=(1.0,), **TIGHT)
    assert [len(times) for times in sol.t_events] == [1, 1]
    assert sol.y[0, -1] == pytest.approx((np.exp(-1) - 1.0) * np.exp(-1), rel=1e-7)


def test_backward_and_complex():
    def turn(t, y):
        return t + 1.0

    turn.affect = lambda t, y: 1j * y
    sol = odekit.solve_ivp(lambda t, y: [1j * y[0]], (0, -2), [1.0 + 0j], events=turn, dense_output=True, **TIGHT)
    assert sol.y[0, -1] == pytest.approx(1j * np.exp(-2j), abs=1e-7) and sol.sol(-0.5)[0] == pytest.approx(
        np.exp(-0.5j), abs=1e-7
    )


def test_an_affect_that_makes_no_sense():
    floor = make_floor(0.9)
    for answer in ([0.0], [0.0, np.nan], "up"):
        floor.affect = lambda t, y, answer=answer: answer
        with pytest.raises(ValueError, match="the affect of an event returned") as info:
            odekit.solve_ivp(fall, (0, 3), [1.0, 0.0], events=floor)
        partial = info.value.solution
        assert partial.retcode == Retcode.RHS_RAISED and "affect of an event raised ValueError" in partial.message
        assert partial.t[-1] == pytest.approx(bounces(0.9, 1)[0], rel=1e-3)
    floor.affect = 3
    with pytest.raises(TypeError, match="affect of an event is 3; expected a function"):
        odekit.solve_ivp(fall, (0, 3), [1.0, 0.0], events=floor)


# the callback of each step ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["auto", "bdf"])
def test_a_callback_after_each_step(method):
    seen = []

    def note(t, y):
        seen.append((t, *y))
        return t > 2.0

    sol = odekit.solve_ivp(oscillator, (0, 5), [1.0, 0.0], method, on_step=note, **TIGHT)
    assert sol.retcode == Retcode.STOPPED and sol.success and sol.status == 1 and "asked to stop" in sol.message
    assert np.array_equal(np.array(seen), np.vstack((sol.t, sol.y)).T[1:]) and sol.t[-2] <= 2.0 < sol.t[-1]
    seen.clear()
    sol = odekit.solve_ivp(oscillator, (0, 2), [1.0, 0.0], method, on_step=note, events=lambda t, y: y[0], **TIGHT)
    plain = odekit.solve_ivp(oscillator, (0, 2), [1.0, 0.0], method, **TIGHT)
    assert sol.retcode == Retcode.SUCCESS and np.array_equal(sol.y, plain.y) and len(seen) == plain.naccept


def test_a_step_callback_that_raises():
    def breaks(t, y):
        raise KeyError("no such row")

    with pytest.raises(KeyError, match="no such row") as info:
        odekit.solve_ivp(oscillator, (0, 5), [1.0, 0.0], on_step=breaks)
    assert "on_step raised KeyError" in info.value.solution.message and info.value.solution.naccept == 1
    with pytest.raises(TypeError, match="on_step returned 7"):
        odekit.solve_ivp(oscillator, (0, 5), [1.0, 0.0], on_step=lambda t, y: 7)
    with pytest.raises(TypeError, match="on_step is 7; expected a function"):
        odekit.solve_ivp(oscillator, (0, 5), [1.0, 0.0], on_step=7)


# the domain ------------------------------------------------------------------------------------------------------------


def root(t, y):
    """y' = -2 sqrt(y) - 1/2: from 1 it is zero at t = 1 - log(5) / 4."""
    return [-2.0 * np.sqrt(np.abs(y[0])) - 0.5, 1.0]


@pytest.mark.parametrize("method", ["auto", "tsit5", "radau", "bdf"])
@pytest.mark.parametrize(
    "limit", [{"nonnegative": [0]}, {"isoutofdomain": lambda t, y: y[0] < 0}], ids=["signs", "domain"]
)
def test_steps_out_of_the_domain_are_rejected(method, limit):
    plain = odekit.solve_ivp(root, (0, 3), [1.0, -2.0], method)
    assert plain.y[0].min() < 0  # what the limit is for
    sol = odekit.solve_ivp(root, (0, 3), [1.0, -2.0], method, **limit)
    assert sol.y[0].min() >= 0 and sol.y[1, 0] == -2.0 and sol.nreject > 10
    assert sol.retcode == Retcode.OUT_OF_DOMAIN and "leads out of the domain" in sol.message
    assert sol.t[-1] == pytest.approx(1 - np.log(5) / 4, abs=2e-3)


def test_a_domain_that_is_not_left_costs_nothing():
    plain = odekit.solve_ivp(decay, (0, 5), [1.0], args=(1.0,), **TIGHT)
    sol = odekit.solve_ivp(
        decay, (0, 5), [1.0], args=(1.0,), nonnegative=True, isoutofdomain=lambda t, y, rate: y[0] > 2, **TIGHT
    )
    assert np.array_equal(sol.y, plain.y) and sol.nreject == plain.nreject


@pytest.mark.filterwarnings("ignore::odekit.OdekitPerformanceWarning")
def test_a_domain_in_python_and_its_exceptions():
    calls = []

    def python(t, y):
        calls.append(t)  # Numba has no such list
        if t > 1:
            raise ArithmeticError("unknown there")
        return False

    with pytest.raises(ArithmeticError, match="unknown there") as info:
        odekit.solve_ivp(oscillator, (0, 5), [1.0, 0.0], isoutofdomain=python, **TIGHT)
    assert "isoutofdomain raised ArithmeticError" in info.value.solution.message and len(calls) > 5


def test_limits_that_make_no_sense():
    def solve(**limit):
        odekit.solve_ivp(oscillator, (0, 1), [1.0, -1.0], **limit)

    with pytest.raises(ValueError, match=r"y0\[1\] = -1.0 is negative, but nonnegative"):
        solve(nonnegative=True)
    for given in ([2], ["x"], 1.5):
        with pytest.raises(ValueError, match="expected True, or numbers of components from 0 to 1"):
            solve(nonnegative=given)
    with pytest.raises(ValueError, match="y0 lies outside the domain"):
        solve(isoutofdomain=lambda t, y: True)
    with pytest.raises(TypeError, match="isoutofdomain is 1; expected a function"):
        solve(isoutofdomain=1)
    with pytest.raises(ValueError, match="complex numbers have no sign"):
        odekit.solve_ivp(lambda t, y: [1j * y[0]], (0, 1), [1j], nonnegative=True)
