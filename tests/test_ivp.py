"""`solve_ivp`: its interface, what it does with bad input, how it fails, how it is interrupted."""

import _thread
import copy
import math
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import warnings

import numba
import numpy as np
import pytest
from problems import decay, oscillator

import odekit
from odekit import Retcode

NAN, INF = math.nan, math.inf


def good(t, y):
    return [-y[0], -2.0 * y[1]]


# interface -----------------------------------------------------------------------------------------------------------------


def test_result():
    sol = odekit.solve_ivp(good, (0, 1), [1.0, 2.0], rtol=1e-6)
    assert sol.success and sol.status == 0 and sol.retcode == Retcode.SUCCESS
    assert sol.t[0] == 0 and sol.t[-1] == 1 and sol.y.shape == (2, sol.t.size) and sol.y.flags.c_contiguous
    assert sol.naccept == sol.t.size - 1 == sol.h.size and sol.nreject >= 0 and sol.njev == sol.nlu == 0
    assert np.array_equal(sol.steps, sol.t) and np.allclose(sol.h.sum(), 1.0)
    assert sol.sol is None and sol.t_events is None and sol.y_events is None and sol.switches == []
    assert sol["t"] is sol.t and "SUCCESS" in repr(sol)
    assert sol.methods_in_use() == ["auto"] * sol.naccept
    with pytest.raises(KeyError):
        sol["nothing"]


def falls(t, y):
    return y[0]


falls.direction, falls.affect = -1, lambda t, y: [0.5, y[1]]


@pytest.mark.parametrize("kind", ["module", "lambda", "inner", "inplace", "jitted"])
def test_solutions_can_be_pickled_and_copied(kind):
    def inner(t, y):
        return [y[1], -y[0]]

    @odekit.inplace
    def in_place(t, y, dydt):
        dydt[0], dydt[1] = y[1], -y[0]

    fun = {"module": oscillator, "lambda": lambda t, y: [y[1], -y[0]], "inner": inner, "inplace": in_place}.get(kind)
    fun = numba.njit(oscillator) if kind == "jitted" else fun
    sol = odekit.solve_ivp(fun, (0, 3), [1.0, 0.0], events=falls, dense_output=True, rtol=1e-6)
    sol.switches.append(odekit.Switch(1.0, "tsit5", "radau", "stiff"))
    other = pickle.loads(pickle.dumps(sol))  # noqa: S301 (its own)
    assert np.array_equal(other.y, sol.y) and np.array_equal(other.sol(0.7), sol.sol(0.7))
    assert np.array_equal(other.t_events[0], sol.t_events[0]) and sol.t_events[0].size
    assert other.switches == sol.switches and other.retcode is sol.retcode and repr(other) == repr(sol)
    assert other.fun is (fun if kind in ("module", "jitted") else None)
    assert copy.copy(sol).fun is copy.deepcopy(sol).fun is fun


def test_no_positional_surprises():
    sol = odekit.solve_ivp(decay, [0, 1], [1.0], "RK45", [0.5, 1.0], True, None, False, (1.0,))
    assert np.array_equal(sol.t, [0.5, 1.0]) and sol.method == "dopri5" and sol.sol is not None


def test_tolerances_per_component():
    tight = odekit.solve_ivp(good, (0, 5), [1.0, 1.0], rtol=[1e-10, 1e-3], atol=[1e-12, 1e-3])
    loose = odekit.solve_ivp(good, (0, 5), [1.0, 1.0], rtol=[1e-3, 1e-3], atol=[1e-3, 1e-3])
    assert abs(tight.y[0, -1] - np.exp(-5)) < 1e-9 < abs(loose.y[0, -1] - np.exp(-5))


@pytest.mark.parametrize("method", ["tsit5", "radau", "rk4"])
@pytest.mark.parametrize("end", [2.0, -2.0])
def test_the_field_is_never_called_outside_the_span(method, end):
    low, high = min(0.0, end), max(0.0, end)

    def fun(t, y):
        if t < low or t > high:
            raise ValueError("outside")
        return [np.sin(10 * t) * y[0]]

    sol = odekit.solve_ivp(fun, (0, end), [1.0], method=method, first_step=0.1 if method == "rk4" else None)
    assert sol.success and sol.t[-1] == end


@pytest.mark.parametrize("method", ["auto", "tsit5", "radau", "bdf", "kvaerno3", "euler"])
def test_zero_length_span_and_empty_state(method):
    step = 0.1 if method == "euler" else None
    sol = odekit.solve_ivp(good, (3, 3), [1.0, 2.0], method=method, dense_output=True, t_eval=[3.0], first_step=step)
    assert sol.success and np.array_equal(sol.y, [[1.0], [2.0]]) and np.array_equal(sol.sol(3.0), [1.0, 2.0])
    sol = odekit.solve_ivp(lambda t, y: np.zeros(0), (0, 1), [], method=method, dense_output=True, first_step=step)
    assert sol.success and sol.y.shape == (0, sol.t.size) and sol.sol([0.1, 0.2]).shape == (0, 2)


def test_first_and_max_step():
    sol = odekit.solve_ivp(good, (0, 1), [1.0, 1.0], first_step=0.01, max_step=0.1)
    assert sol.h[0] == pytest.approx(0.01) and sol.h.max() <= 0.1 + 1e-15


def test_long_trajectories_fill_many_buffers():
    sol = odekit.solve_ivp(oscillator, (0, 200), [1.0, 0.0], max_step=0.01, rtol=1e-8, atol=1e-8, dense_output=True)
    assert sol.naccept >= 20000 and np.allclose(sol.y[0], np.cos(sol.t), atol=1e-6)
    assert np.all(np.diff(sol.t) > 0) and np.allclose(sol.sol(sol.t + 1e-3)[0], np.cos(sol.t + 1e-3), atol=1e-6)


def test_dense_output_of_one_time_and_of_none():
    sol = odekit.solve_ivp(good, (0, 1), [1.0, 1.0], dense_output=True)
    assert sol.sol(0.5).shape == (2,) and sol.sol([]).shape == (2, 0)
    with pytest.raises(ValueError, match="one-dimensional"):
        sol.sol([[0.5]])


def test_progress(capsys):
    odekit.solve_ivp(good, (0, 1), [1.0, 1.0], progress=True)
    assert "t = " in capsys.readouterr().err


# bad input -----------------------------------------------------------------------------------------------------------------


def event_with(**attributes):
    """An event function with these attributes."""

    def event(t, y):
        return y[0]

    event.__dict__.update(attributes)
    return event


BAD = [
    ({"t_span": (0, NAN)}, ValueError, r"\(0, nan\)"),
    ({"t_span": (NAN, 1)}, ValueError, r"\(nan, 1\)"),
    ({"t_span": (0, INF)}, ValueError, "needs a terminal event"),
    ({"t_span": (-INF, 0)}, ValueError, "finite start"),
    ({"t_span": (0,)}, ValueError, "two numbers"),
    ({"t_span": (0, 1, 2)}, ValueError, "two numbers"),
    ({"t_span": None}, ValueError, "t_span=None"),
    ({"y0": [NAN, 1]}, ValueError, r"y0\[0\] is nan"),
    ({"y0": [1, INF]}, ValueError, r"y0\[1\] is inf"),
    ({"y0": 1.0}, ValueError, "1-dimensional"),
    ({"y0": [[1.0, 2.0]]}, ValueError, r"shape is \(1, 2\)"),
    ({"y0": "ab"}, ValueError, "y0='ab'"),
    ({"rtol": NAN}, ValueError, "rtol.*nan"),
    ({"rtol": -1e-3}, ValueError, "rtol.*-0.001"),
    ({"rtol": INF}, ValueError, "rtol.*inf"),
    ({"rtol": [1e-3] * 3}, ValueError, r"rtol.*shape: \(3,\)"),
    ({"rtol": "tight"}, ValueError, "rtol='tight'"),
    ({"atol": NAN}, ValueError, "atol.*nan"),
    ({"atol": -1.0}, ValueError, "atol.*-1.0"),
    ({"atol": [1e-3] * 3}, ValueError, r"atol.*shape: \(3,\)"),
    ({"atol": 0, "y0": [0.0, 0.0]}, ValueError, r"atol=0 with y0\[0\] = 0"),
    ({"t_eval": [0.5, 0.2]}, ValueError, "sorted"),
    ({"t_eval": [0.5, 2.0]}, ValueError, "2.0 is outside"),
    ({"t_eval": [NAN]}, ValueError, "nan"),
    ({"t_eval": [[0.5]]}, ValueError, r"\(1, 1\)"),
    ({"t_eval": "now"}, ValueError, "t_eval='now'"),
    ({"first_step": 0}, ValueError, "first_step.*0"),
    ({"first_step": NAN}, ValueError, "first_step.*nan"),
    ({"first_step": INF}, ValueError, "first_step.*inf"),
    ({"first_step": 3.0}, ValueError, "first_step.*3.0.*span"),
    ({"max_step": 0}, ValueError, "max_step.*0"),
    ({"max_step": -1}, ValueError, "max_step.*-1"),
    ({"max_step": NAN}, ValueError, "max_step.*nan"),
    ({"max_step": "big"}, ValueError, "max_step.*'big'"),
    ({"max_steps": 0}, ValueError, "max_steps.*0"),
    ({"max_steps": 1.5}, ValueError, "max_steps.*1.5"),
    ({"method": "magic"}, ValueError, "method='magic' is unknown; expected one of auto, euler"),
    ({"method": 3}, ValueError, "method=3 is unknown"),
    ({"method": "rk4"}, ValueError, "fixed size: give it as first_step"),
    ({"steps": 3}, TypeError, "unknown options: steps"),
    ({"args": 3}, TypeError, "cannot be unpacked"),
    ({"events": 3}, TypeError, "events=3"),
    ({"events": [3]}, TypeError, "contains a int"),
    ({"jac_sparsity": np.eye(3)}, ValueError, r"\(3, 3\); expected \(2, 2\)"),
    ({"rtol": "1e-3"}, ValueError, "rtol='1e-3'; expected a number or 2 numbers"),
    (
        {"fun": lambda y: y},
        TypeError,
        r"fun is <lambda>\(y\); expected a function that takes 2 arguments, fun\(t, y, \*args\), of which",
    ),
    (
        {"args": (1.0,)},
        TypeError,
        r"fun is good\(t, y\); expected .* 3 arguments, fun\(t, y, \*args\), of which args has 1",
    ),
    (
        {"fun": odekit.inplace(good)},
        TypeError,
        r"expected a function that takes 3 arguments, fun\(t, y, dydt, \*args\)",
    ),
    (
        {"events": lambda y: y[0]},
        TypeError,
        r"an event function is <lambda>\(y\); expected a function that takes 2 arguments",
    ),
    (
        {"events": event_with(direction="up")},
        ValueError,
        "`direction` attribute of each event must be a number, but it is 'up'",
    ),
    ({"events": event_with(affect=lambda y: y)}, TypeError, r"the affect of an event is <lambda>\(y\); expected"),
    (
        {"isoutofdomain": lambda y: False},
        TypeError,
        r"isoutofdomain is <lambda>\(y\); expected a function that takes 2",
    ),
    (
        {"on_step": lambda: None},
        TypeError,
        r"on_step is <lambda>\(\); expected a function that takes 2 arguments, on_step\(t, y\)$",
    ),
    ({"jac": lambda y: y, "method": "radau"}, TypeError, r"jac is <lambda>\(y\); expected .*, jac\(t, y, \*args\)"),
    (
        {"jac": "2-point", "method": "radau"},
        ValueError,
        r"jac='2-point'; expected a function jac\(t, y, \*args\), a matrix or None",
    ),
]


@pytest.mark.parametrize(("changes", "error", "sentence"), BAD, ids=["-".join(c) or "nothing" for c, *_ in BAD])
def test_bad_input_gets_one_sentence(changes, error, sentence):
    arguments = {"fun": good, "t_span": (0, 1), "y0": [1.0, 2.0], **changes}
    with pytest.raises(error, match=sentence) as info:
        odekit.solve_ivp(**arguments)
    assert "\n" not in str(info.value)


@pytest.mark.filterwarnings("ignore::odekit.OdekitPerformanceWarning")
@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (None, "an event function .* returned None; expected one number$"),
        ("up", "an event function .* returned 'up'; expected one number$"),
    ],
)
def test_what_events_return_is_told_as_theirs(value, sentence):
    with pytest.raises(TypeError, match=sentence):
        odekit.solve_ivp(good, (0, 1), [1.0, 2.0], events=lambda t, y: value)


def test_what_cannot_be_marked_inplace():
    with pytest.raises(TypeError, match=r"inplace marks a function fun\(t, y, dydt, \*args\), but it is given 3"):
        odekit.inplace(3)


def test_tolerances_below_rounding_are_raised_with_a_warning():
    with pytest.warns(UserWarning, match="At least one element of `rtol` is too small"):
        assert odekit.solve_ivp(good, (0, 1), [1.0, 1.0], rtol=0).success


# failures ------------------------------------------------------------------------------------------------------------------

ADAPTIVE = ["auto", "tsit5", "dop853", "radau", "kvaerno3", "bdf", "rodas5p"]


@pytest.mark.parametrize("method", ADAPTIVE)
def test_blow_up(method):
    sol = odekit.solve_ivp(lambda t, y: [y[0] ** 2], (0, 2), [1.0], method=method, rtol=1e-6)
    assert sol.retcode in (Retcode.STEP_TOO_SMALL, Retcode.NONFINITE, Retcode.NEWTON_FAILED) and sol.status == -1
    assert sol.t[-1] == pytest.approx(1.0, abs=1e-2) and np.isfinite(sol.y).all()
    assert "t = " in sol.message and "h = " in sol.message


def test_blow_up_of_auto_is_told_as_such():
    assert odekit.solve_ivp(lambda t, y: [y[0] ** 2], (0, 2), [1.0]).retcode == Retcode.STEP_TOO_SMALL


@pytest.mark.parametrize("method", ADAPTIVE)
@pytest.mark.parametrize("value", [NAN, INF])
def test_a_field_that_turns_nonfinite(method, value):
    def fun(t, y):
        return [-y[0], value if t > 0.5 else 1.0]

    sol = odekit.solve_ivp(fun, (0, 1), [1.0, 0.0], method=method)
    assert sol.retcode == Retcode.NONFINITE and not sol.success, sol.message
    assert 0.4 < sol.t[-1] <= 0.5 + 1e-9 and "not finite near t = 0." in sol.message and "h = " in sol.message


@pytest.mark.parametrize("method", [*ADAPTIVE, "euler"])
def test_a_field_that_starts_nonfinite(method):
    sol = odekit.solve_ivp(lambda t, y: [1.0, NAN], (0, 1), [1.0, 1.0], method=method, first_step=0.1)
    assert sol.retcode == Retcode.NONFINITE and "component 1" in sol.message and sol.nfev == 1 and sol.t.size == 1


@pytest.mark.parametrize("method", ADAPTIVE)
def test_step_limit(method):
    sol = odekit.solve_ivp(oscillator, (0, 1000), [1.0, 0.0], method=method, rtol=1e-8, max_steps=7)
    assert sol.retcode == Retcode.MAX_STEPS and sol.naccept + sol.nreject == 7
    assert "limit of 7 steps" in sol.message and "max_steps" in sol.message and sol.t.size == sol.naccept + 1


def test_discontinuity_beyond_any_step():
    sol = odekit.solve_ivp(lambda t, y: [np.inf * (t >= 0.25) if t >= 0.25 else 1.0], (0, 1), [0.0], method="tsit5")
    assert sol.retcode == Retcode.NONFINITE and sol.t[-1] < 0.25


def test_singular_newton_matrix_is_survived_or_told():
    # I - h gamma J is singular for one h only: the step shrinks and goes on
    sol = odekit.solve_ivp(lambda t, y: [y[0]], (0, 1), [1.0], method="backward_euler", jac=[[10.0]], first_step=0.1)
    assert sol.retcode in (Retcode.SUCCESS, Retcode.NEWTON_FAILED, Retcode.SINGULAR)
    assert sol.message


def test_a_wrong_jacobian_is_told():
    sol = odekit.solve_ivp(lambda t, y: [-1e6 * (y[0] - t)], (0, 1), [1.0], method="radau", jac=[[1e6]], max_steps=2000)
    assert not sol.success and sol.retcode in (Retcode.NEWTON_FAILED, Retcode.MAX_STEPS, Retcode.STEP_TOO_SMALL)


def test_every_failure_has_a_sentence():
    from odekit.solution import describe

    for code in Retcode:
        text = describe(
            code, t=1.0, h=1e-3, max_steps=10, component=", component 1", culprit="right-hand side", error="ValueError"
        )
        assert text.endswith(".") and "{" not in text and (code >= 0 or "t = 1.0" in text)


# interruption --------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize("method", ["tsit5", "auto"])
def test_ctrl_c_keeps_the_trajectory(method):
    script = f"""
        import os, signal, threading, time, odekit
        def fun(t, y):
            return [y[1], -y[0]]
        odekit.solve_ivp(fun, (0, 1), [1.0, 0.0], method={method!r}, rtol=1e-9, t_eval=[1])  # compile first
        sent = []
        def interrupt():
            sent.append(time.perf_counter())
            os.kill(os.getpid(), signal.SIGINT)
        threading.Timer(0.5, interrupt).start()
        try:
            odekit.solve_ivp(fun, (0, 1e9), [1.0, 0.0], method={method!r}, rtol=1e-9, t_eval=[1e9], max_steps=10**9)
        except KeyboardInterrupt as error:
            waited = time.perf_counter() - sent[0]
            sol = error.solution
            print(sol.retcode.name, sol.steps.size > 1000, "Interrupted at t" in sol.message, waited < 2.0)
    """
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=300, check=False
    )
    assert out.stdout.split() == ["INTERRUPTED", "True", "True", "True"], out.stderr


def test_an_interrupt_inside_a_python_right_hand_side():
    calls = []

    class Slow:
        def __call__(self, t, y):
            calls.append(t)
            if len(calls) == 50:
                signal.raise_signal(signal.SIGINT)
            return -y

    with pytest.warns(odekit.OdekitPerformanceWarning), pytest.raises(KeyboardInterrupt) as info:
        odekit.solve_ivp(Slow(), (0, 1000), [1.0], rtol=1e-9)
    assert info.value.solution.t.size > 1


@pytest.mark.parametrize("method", ["auto", "radau"])
def test_no_interrupt_is_lost_on_the_way_to_python(method):
    calls = []

    def rhs(t, y):  # the list keeps Numba away
        calls.append(t)
        return [y[1], -y[0]]

    with pytest.warns(odekit.OdekitPerformanceWarning):  # nothing is compiled any more when the clock runs
        odekit.solve_ivp(rhs, (0, 1), [1.0, 0.0], method, t_eval=[0.0])
    for delay in (0.1, 0.15, 0.2, 0.25):  # most of the time is spent between the user's function and the integrator
        timer = threading.Timer(delay, _thread.interrupt_main)
        timer.start()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", odekit.OdekitPerformanceWarning)
            with pytest.raises(KeyboardInterrupt) as info:
                odekit.solve_ivp(rhs, (0, 1e9), [1.0, 0.0], method, max_step=0.1, t_eval=[0.0], max_steps=10**9)
        timer.join()
        assert info.value.solution.steps[-1] > 0
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("t", ["now", [0.1, [0.2]], [[0.1]]])
def test_dense_output_at_what_are_no_times(t):
    sol = odekit.solve_ivp(good, (0, 1), [1.0, 1.0], dense_output=True)
    with pytest.raises(
        ValueError, match=r"t=.*; expected a time, or a vector of times|t must be a number or one-dimensional"
    ):
        sol.sol(t)
