"""Right-hand sides that write into the state, and those that only look as if they did."""

import numpy as np
import pytest
from numba import njit

import odekit
from odekit import _jit
from odekit._writes import writes_into


def zero(vector):
    vector[0] = 0.0


def negated(vector):
    return -vector


def scaled(t, y):
    y *= -1
    return y


def clamped(t, y):
    y[y < 0] = 0
    return -y


def one_number(t, y):
    y[0] = max(y[0], 0.0)
    return [-y[0], -y[1]]


def through_a_slice(t, y):
    head, tail = y[:1], y[1:]
    head += tail
    return -y


def through_a_matrix(t, y):
    matrix = y.reshape((2, 1))
    matrix[0, 0] = 1.0
    return -y


def through_a_helper(t, y):
    zero(y)
    return -y


def into_out(t, y):
    np.maximum(y, 0, y)
    return -y


def by_method(t, y):
    y.sort()
    return -y


def later_in_a_loop(t, y):
    other = np.zeros(2)
    for _ in range(2):
        other[0] = 1.0
        other = y
    return -y


def new_array(t, y):
    dydt = np.empty(2)
    dydt[0] = -y[0]
    dydt[1] = -y[1]
    return dydt


def sums_into_a_new_array(t, y):
    dydt = -2 * y
    dydt[1:] += y[:-1]
    dydt[:-1] += y[1:]
    return dydt


def numbers_of_the_state(t, y):
    a, b = y
    a += 1
    for i in range(1, 2):
        k = i - 1
        c = y[k]
        c *= 2
    return [a + c, b]


def a_copy(t, y):
    y = np.maximum(y, 0)
    y[0] += 1.0
    return negated(y)


def in_place(t, y, dydt):
    for i in range(y.size):
        dydt[i] = -y[i]


WRITERS = [scaled, clamped, one_number, through_a_slice, through_a_matrix, through_a_helper, into_out, by_method]
READERS = [new_array, sums_into_a_new_array, numbers_of_the_state, a_copy, in_place]


@pytest.mark.parametrize("fun", [*WRITERS, later_in_a_loop], ids=lambda f: f.__name__)
def test_writers_are_found(fun):
    assert writes_into(fun)
    assert writes_into(njit(fun))


@pytest.mark.parametrize("fun", READERS, ids=lambda f: f.__name__)
def test_readers_get_no_copy(fun):
    assert not writes_into(fun)


@pytest.mark.parametrize("method", ["auto", "radau"])
@pytest.mark.parametrize("fun", [scaled, clamped, one_number], ids=lambda f: f.__name__)
def test_the_trajectory_is_not_changed(fun, method):
    sol = odekit.solve_ivp(fun, (0, 1), [1.0, 0.5], method, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(sol.y[:, -1], np.exp(-1) * np.array([1.0, 0.5]), rtol=1e-6)


def test_an_event_function_that_writes():
    def event(t, y):
        y -= 0.5
        return y[0]

    sol = odekit.solve_ivp(lambda t, y: [-y[0]], (0, 2), [1.0], events=event, rtol=1e-8, atol=1e-10)
    assert sol.t_events[0] == pytest.approx([np.log(2)], abs=1e-7)
    assert sol.y[0, -1] == pytest.approx(np.exp(-2), rel=1e-6)


def test_a_list_of_integers_does_not_drop_fractions():
    def rhs(t, y):
        dydt = [0] * 2
        dydt[0] = -y[0]
        dydt[1] = -y[1]
        return dydt

    def solve():
        return odekit.solve_ivp(rhs, (0, 1), [1.0, 0.5], rtol=1e-8, atol=1e-10).y[:, -1]

    if _jit.JIT_DISABLED:
        end = solve()
    else:
        with pytest.warns(odekit.OdekitPerformanceWarning, match="other numbers than in Python"):
            end = solve()
    np.testing.assert_allclose(end, np.exp(-1) * np.array([1.0, 0.5]), rtol=1e-6)


@pytest.mark.filterwarnings("error::odekit.OdekitPerformanceWarning")
@pytest.mark.parametrize("args", [(), (4.0,), (4.0, 0.0)])
def test_defaults_of_arguments_are_compiled(args):
    def rhs(t, y, k=4.0, c=0.0):
        return [y[1], -k * y[0] - c * y[1]]

    sol = odekit.solve_ivp(rhs, (0, 1), [1.0, 0.0], args=args, rtol=1e-8, atol=1e-10)
    assert sol.y[0, -1] == pytest.approx(np.cos(2.0), rel=1e-6)
