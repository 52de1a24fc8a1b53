"""A solver that compiled code calls: the bits of solve_ivp, from Python, from compiled code, from threads, from the cache."""

import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest
from problems import decay, oscillator

import odekit
from odekit import Retcode, _jit
from odekit.solvers.methods import METHODS
from odekit.testset import LORENZ, ROBER, VDPOLM

COUNTS = ("nfev", "njev", "nlu", "naccept", "nreject")
compiled_only = pytest.mark.skipif(_jit.JIT_DISABLED, reason="looks at compiled code")


@numba.njit
def call(solver, y0, t, args):
    return solver(y0, t, args)


@numba.njit
def call_without_arguments(solver, y0, t):
    return solver(y0, t)


def assert_same(result, sol):
    assert np.array_equal(result.y, sol.y) and result.retcode == sol.retcode == 0
    assert [getattr(result, name) for name in COUNTS] == [getattr(sol, name) for name in COUNTS]
    assert result.t == sol.steps[-1]


@pytest.mark.parametrize("method", [*METHODS, "auto"])
def test_every_method_gives_the_bits_of_solve_ivp(method):
    fun, t, options = oscillator, np.array([0.0, 0.3, 0.7, 1.0]), {"rtol": 1e-6, "atol": 1e-8}
    if method != "auto":
        if METHODS[method].error_order == 0:
            options["first_step"] = 0.06
        if METHODS[method].separable:
            fun = odekit.second_order(acceleration)
        if METHODS[method].hamiltonian:
            fun = odekit.hamiltonian(oscillator, 10.0)
    solver = odekit.compiled_solver(fun, [1.0, 0.0], method, **options)
    sol = odekit.solve_ivp(fun, (0, 1), [1.0, 0.0], method, t_eval=t, **options)
    assert_same(solver([1.0, 0.0], t), sol)
    assert_same(call(solver, np.array([1.0, 0.0]), t, ()), sol)


def acceleration(t, q):
    return -q


@pytest.mark.parametrize(
    ("problem", "method", "t"),
    [
        (LORENZ, "dop853", np.linspace(0, 10, 5)),
        (VDPOLM, "auto", np.array([0.0, 500.0, 1500.0, 2000.0])),  # switches both ways
        (ROBER, "radau", np.array([0.0, 1.0, 1e5])),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_problems_with_arguments(problem, method, t):
    solver = odekit.compiled_solver(problem.fun, problem.y0, method, problem.args, rtol=1e-6, atol=1e-9)
    y0 = np.asarray(problem.y0, dtype=float)
    sol = odekit.solve_ivp(problem.fun, t[[0, -1]], y0, method, t_eval=t, args=problem.args, rtol=1e-6, atol=1e-9)
    assert_same(call(solver, y0, t, tuple(problem.args)), sol)
    assert_same(call(solver, y0, t, np.array(problem.args)), sol)  # all numbers in one vector
    assert_same(solver(y0, t, problem.args), sol)


def test_backward_with_jumps_and_a_jacobian():
    def fun(t, y):
        return [-50.0 * (y[0] - (1.0 if t < 1.0 else 2.0))]

    def jac(t, y):
        return np.array([[-50.0]])

    for t in (np.array([0.0, 1.0, 3.0]), np.array([3.0, 2.9, 2.8])):
        for given in (None, jac, [[-50.0]]):
            options = {"jac": given, "tstops": [1.0, 2.9, 7.0], "rtol": 1e-6}
            solver = odekit.compiled_solver(fun, [0.0], "radau", **options)
            sol = odekit.solve_ivp(fun, t[[0, -1]], [0.0], "radau", t_eval=t, **options)
            assert_same(call_without_arguments(solver, np.zeros(1), t), sol)


def test_complex_states_arrays_and_tuples():
    def fun(t, y, matrix, shift, count):
        return matrix @ y + shift * count

    matrix = np.array([[0.1j, 0.2], [-0.3, 0.4j]])
    args, y0, t = (matrix, 0.5 - 1.0j, 2), np.array([1.0 + 0j, 2.0j]), (0.0, 0.5, 1.0)
    solver = odekit.compiled_solver(fun, y0, "tsit5", args)
    sol = odekit.solve_ivp(fun, (0, 1), y0, "tsit5", t_eval=t, args=args)
    assert_same(solver(y0, t, args), sol)
    assert_same(call(solver, y0, t, args), sol)
    assert_same(call(solver, (1.0 + 0j, 2.0j), t, args), sol)


@pytest.mark.parametrize("threads", ["prange", "pool"])
def test_many_at_once(threads):
    rates, t = np.linspace(0.1, 5.0, 60), np.linspace(0.0, 2.0, 4)
    solver = odekit.compiled_solver(decay, [1.0], args=(1.0,), rtol=1e-8, atol=1e-10)
    if threads == "prange":
        ends = all_rates(solver, rates, t)
    else:
        with ThreadPoolExecutor(4) as pool:
            ends = list(pool.map(lambda rate: solver([1.0], t, (rate,)).y[0, -1], rates))
    expected = [
        odekit.solve_ivp(decay, (0, 2), [1.0], t_eval=t, args=(rate,), rtol=1e-8, atol=1e-10).y[0, -1] for rate in rates
    ]
    assert np.array_equal(ends, expected)


@numba.njit(parallel=True)
def all_rates(solver, rates, t):
    ends = np.empty(rates.size)
    for k in numba.prange(rates.size):
        ends[k] = solver(np.ones(1), t, (rates[k],)).y[0, -1]
    return ends


@numba.njit
def call_global(rate):
    return global_solver(np.ones(1), np.array([0.0, 1.0]), (rate,)).y[0, -1]  # noqa: F821 (the test sets it)


def test_a_solver_as_a_global_variable(monkeypatch):
    solver = odekit.compiled_solver(decay, [1.0], "tsit5", (1.0,), rtol=1e-8)
    monkeypatch.setitem(globals(), "global_solver", solver)

    @numba.njit
    def call_enclosed(rate):
        return solver(np.ones(1), np.array([0.0, 1.0]), (rate,)).y[0, -1]

    assert call_global(2.0) == call_enclosed(2.0) == solver([1.0], [0.0, 1.0], (2.0,)).y[0, -1]


def blow_up(t, y):
    return [y[0] ** 2]


def raises(t, y):
    if t > 0.5:
        raise ValueError("too late")
    return [-y[0]]


def undefined(t, y):
    return [np.nan if t > 0.5 else -y[0]]


@pytest.mark.parametrize(
    ("fun", "method", "options", "retcode"),
    [
        (blow_up, "tsit5", {}, Retcode.STEP_TOO_SMALL),
        (blow_up, "auto", {}, Retcode.STEP_TOO_SMALL),
        (blow_up, "tsit5", {"max_steps": 5}, Retcode.MAX_STEPS),
        (undefined, "auto", {}, Retcode.NONFINITE),
        (raises, "tsit5", {"max_step": 0.1}, Retcode.RHS_RAISED),
    ],
)
def test_failures_are_codes_and_nan(fun, method, options, retcode):
    t = np.array([0.0, 0.4, 2.0])
    options = {"rtol": 1e-8, "atol": 1e-10, **options}
    try:
        sol = odekit.solve_ivp(fun, (0, 2), [1.0], method, t_eval=t, **options)
    except ValueError as error:
        sol = error.solution
    result = call_without_arguments(odekit.compiled_solver(fun, [1.0], method, **options), np.ones(1), t)
    assert result.retcode == sol.retcode == retcode and result.t == sol.steps[-1]
    reached = sol.t.size
    assert 1 <= reached < 3
    assert np.array_equal(result.y[:, :reached], sol.y) and np.isnan(result.y[:, reached:]).all()


@compiled_only
def test_bad_input_in_compiled_code_is_a_code():
    solver = odekit.compiled_solver(decay, [1.0], args=(1.0,))
    t, nothing = np.array([0.0, 1.0]), np.empty(0)
    cases = [
        (np.ones(2), t, (1.0,)),
        (np.array([np.nan]), t, (1.0,)),
        (np.ones(1), t, (1.0, 2.0)),
        (np.ones(1), nothing, (1.0,)),
        (np.ones(1), np.array([0.0, 1.0, 0.5]), (1.0,)),
        (np.ones(1), np.array([0.0, np.nan]), (1.0,)),
    ]
    for case in cases:
        result = call(solver, *case)
        assert result.retcode == Retcode.BAD_INPUT and np.isnan(result.y).all() and result.nfev == 0


@pytest.mark.parametrize(
    ("y0", "t", "args", "sentence"),
    [
        ([1.0, 2.0], [0, 1], (1.0,), "y0 has 2 components of type float64; the solver was made for 1"),
        ([1j], [0, 1], (1.0,), "of type complex128; the solver was made for 1 of type float64"),
        ([np.inf], [0, 1], (1.0,), "must be finite"),
        ([1.0], [0, 1], (), "args hold 0 numbers; the solver was made for 1"),
        ([1.0], [0, 1, 1], (1.0,), "strictly in one direction"),
        ([1.0], "now", (1.0,), "t='now'"),
    ],
)
def test_bad_input_from_python_is_a_sentence(y0, t, args, sentence):
    solver = odekit.compiled_solver(decay, [1.0], args=(1.0,))
    with pytest.raises(ValueError, match=sentence):
        solver(y0, t, args)


@compiled_only
def test_what_cannot_be_compiled_is_refused():
    table = {"a": [1]}
    with pytest.raises(TypeError, match=r"<lambda> cannot be compiled, but compiled code is to call it: "):
        odekit.compiled_solver(lambda t, y: [table["a"][0] * sorted(y.tolist(), key=str)[0]], [1.0])
    with pytest.raises(ValueError, match="give it as first_step"):
        odekit.compiled_solver(oscillator, [1.0, 0.0], "rk4")

    def event(t, y):
        return table["a"][0] * sorted(y.tolist(), key=str)[0]

    event.terminal = True
    with pytest.raises(TypeError, match=r"event cannot be compiled, but compiled code is to call it: "):
        odekit.compiled_solver(oscillator, [1.0, 0.0], events=event)


def test_a_solver_can_be_sent_to_another_process():
    solver = odekit.compiled_solver(decay, [1.0], args=(1.0,), rtol=1e-8)
    other = pickle.loads(pickle.dumps(solver))  # noqa: S301 (its own)
    assert other([1.0], [0, 1], (2.0,)).y[0, -1] == solver([1.0], [0, 1], (2.0,)).y[0, -1]


PROGRAM = """
import numba, numpy as np, odekit, sys

def decay(t, y, rate):
    return [-rate * y[0]]

@numba.njit(cache=True)
def likelihood(solver, rate):
    return solver(np.ones(1), np.array([0.0, 1.0]), (rate,)).y[0, -1]

if sys.argv[1] == "cached":
    padding = [bytearray(10**7) for _ in range(int(sys.argv[2]))]  # other addresses
    solver = odekit.compiled_solver(decay, [1.0], "tsit5", (1.0,), rtol=float(sys.argv[3]))
    print(likelihood(solver, 2.0), solver([1.0], [0.0, 1.0], (2.0,)).y[0, -1], sum(likelihood.stats.cache_hits.values()))
"""


@compiled_only
def test_the_users_function_is_found_in_the_cache_of_the_next_process(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, str(program), "cached", *arguments],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.split()

    first, second = run("0", "1e-8"), run("3", "1e-5")
    assert first[0] == first[1] and second[0] == second[1] and first[0] != second[0]
    assert (first[2], second[2]) == ("0", "1")


# events and domains ------------------------------------------------------------------------------------------------------


def ground(t, y, drag):
    return y[0]


ground.terminal, ground.direction = True, -1


def crossing(t, y, drag):
    return y[0] - 20.0


crossing.terminal = 5


def throw(t, y, drag):
    return [y[1], -9.81 - drag * y[1]]


@pytest.mark.parametrize(("method", "first_step"), [("tsit5", None), ("vern9", None), ("radau", None), ("rk4", 0.01)])
def test_terminal_events(method, first_step):
    t, y0, options = (
        np.linspace(0, 50, 41),
        np.array([0.1, 30.0]),
        {"rtol": 1e-8, "atol": 1e-8, "first_step": first_step},
    )
    solver = odekit.compiled_solver(throw, y0, method, (0.1,), events=[crossing, ground], tstops=[1.0], **options)
    for drag in (0.0, 0.3):
        sol = odekit.solve_ivp(
            throw, (0, 50), y0, method, t_eval=t, args=(drag,), events=[crossing, ground], tstops=[1.0], **options
        )
        for result in (solver(y0, t, (drag,)), call(solver, y0, t, (drag,))):
            kept = sol.t.size
            assert result.retcode == sol.retcode == Retcode.TERMINATED and 0 < kept < 41
            assert np.array_equal(result.y[:, :kept], sol.y) and np.isnan(result.y[:, kept:]).all()
            assert result.t == sol.t_events[1][0] and np.array_equal(result.y_end, sol.y_events[1][0])
            assert [getattr(result, name) for name in COUNTS] == [getattr(sol, name) for name in COUNTS]


def test_later_zeros_jumps_and_complex_states():
    def low(t, y):
        return y[0].real - 0.25

    low.terminal = 3
    t = np.linspace(0, 30, 4)
    solver = odekit.compiled_solver(lambda t, y: [1j * y[0]], [1.0 + 0j], "dop853", rtol=1e-10, atol=1e-10, events=low)
    result = call_without_arguments(solver, np.array([1.0 + 0j]), t)
    assert result.t == pytest.approx(2 * np.pi + np.arccos(0.25), abs=1e-8) and result.y_end.shape == (1,)
    assert result.y_end[0] == pytest.approx(np.exp(1j * result.t), abs=1e-8)

    def jump(t, y):
        return 1.0 - t

    jump.terminal = True
    solver = odekit.compiled_solver(oscillator, [1.0, 0.0], events=jump, tstops=[1.0])
    assert solver([1.0, 0.0], [0.0, 3.0]).t == 1.0 and np.isfinite(solver([1.0, 0.0], [0.0, 3.0]).y_end).all()


def test_domains_in_compiled_code():
    def fall(t, y):
        return [-np.sqrt(y[0])]

    t = np.array([0.0, 1.0, 1.9])
    for options in ({"nonnegative": True}, {"isoutofdomain": lambda t, y: y[0] < 0.0}):
        solver = odekit.compiled_solver(fall, [1.0], "tsit5", rtol=1e-4, **options)
        assert_same(solver([1.0], t), odekit.solve_ivp(fall, (0, 1.9), [1.0], "tsit5", t_eval=t, rtol=1e-4, **options))


def test_what_compiled_code_does_not_do():
    with pytest.raises(
        ValueError, match="takes no mass_matrix, as a consistent start is found in Python; call solve_ivp"
    ):
        odekit.compiled_solver(oscillator, [1.0, 0.0], mass_matrix=np.eye(2))

    def event(t, y):
        return y[0]

    with pytest.raises(ValueError, match=r"in a compiled solver events end trajectories, set event\.terminal"):
        odekit.compiled_solver(oscillator, [1.0, 0.0], events=event)
    event.terminal, event.affect = True, lambda t, y: y
    with pytest.raises(ValueError, match="affect of event is Python"):
        odekit.compiled_solver(oscillator, [1.0, 0.0], events=event)
