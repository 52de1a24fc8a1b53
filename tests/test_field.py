"""Every form of right-hand side, the arguments, the Jacobian's sources, exceptions."""

import functools
import json
import warnings

import numpy as np
import pytest
import scipy.sparse
from numba import cfunc, njit, types
from problems import decay, oscillator

import odekit
from odekit import _callback, _jit
from odekit._callback import call
from odekit._wrapper_source import Shape
from odekit.field import UserField
from odekit.solvers import state

TIGHT = {"rtol": 1e-9, "atol": 1e-11}
EXPECTED = np.exp(-2.0)
compiled_only = pytest.mark.skipif(_jit.JIT_DISABLED, reason="looks at compiled code")


def as_list(t, y, rate):
    return [-rate * y[0]]


def as_tuple(t, y, rate):
    return (-rate * y[0],)


def as_array(t, y, rate):
    return np.array([-rate * y[0]])


def as_expression(t, y, rate):
    return -rate * y


def as_number(t, y, rate):
    return -rate * y[0]


def filled(t, y, rate):
    dydt = np.zeros_like(y)
    dydt[0] = -rate * y[0]
    return dydt


def used_after_making(t, y, rate):
    dydt = np.array([-y[0]])
    dydt[0] *= rate
    return dydt


@odekit.inplace
def in_place(t, y, dydt, rate):
    dydt[0] = -rate * y[0]


@cfunc(types.void(types.float64, *[types.CPointer(types.float64)] * 3))
def void_cfunc(t, y, dydt, p):
    dydt[0] = -p[0] * y[0]


@cfunc(types.int32(types.float64, *[types.CPointer(types.float64)] * 3))
def status_cfunc(t, y, dydt, p):
    dydt[0] = -p[0] * y[0]
    return 0


PYTHON_FORMS = [
    as_list,
    as_tuple,
    as_array,
    as_expression,
    as_number,
    filled,
    used_after_making,
    in_place,
    njit(as_list),
    njit(as_array),
]
NATIVE_FORMS = [void_cfunc, status_cfunc, void_cfunc.address, void_cfunc.ctypes, status_cfunc.ctypes]


@pytest.mark.parametrize("method", ["tsit5", "radau"])
@pytest.mark.parametrize(
    "fun", PYTHON_FORMS + NATIVE_FORMS, ids=lambda form: getattr(form, "__name__", type(form).__name__)
)
def test_every_form(fun, method):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # none of them may fall back to Python
        sol = odekit.solve_ivp(fun, (0, 1), [1.0], method=method, args=(2.0,), **TIGHT)
    assert sol.success and abs(sol.y[0, -1] - EXPECTED) < 1e-8


def test_low_level_callable():
    from scipy import LowLevelCallable

    sol = odekit.solve_ivp(LowLevelCallable(void_cfunc.ctypes), (0, 1), [1.0], args=(2.0,), **TIGHT)
    assert abs(sol.y[0, -1] - EXPECTED) < 1e-8


def test_vectorized():
    def columns(t, y):
        return np.vstack((-2.0 * y[0], y[1]))

    sol = odekit.solve_ivp(columns, (0, 1), [1.0, 1.0], vectorized=True, **TIGHT)
    assert np.allclose(sol.y[:, -1], [EXPECTED, np.e], rtol=1e-7)


def test_cfunc_of_another_signature_is_refused():
    @cfunc(types.float64(types.float64))
    def wrong(t):
        return t

    with pytest.raises(TypeError, match=r"signature.*expected void or int32"):
        odekit.solve_ivp(wrong, (0, 1), [1.0])


class Counter:
    """A callable with state."""

    def __init__(self):
        self.calls = 0

    def __call__(self, t, y, rate):
        self.calls += 1
        return -rate * y


@pytest.mark.parametrize("method", ["tsit5", "radau"])
def test_callables_with_state_are_called_back(method):
    counter = Counter()
    with pytest.warns(odekit.OdekitPerformanceWarning, match="Counter cannot be compiled"):
        sol = odekit.solve_ivp(counter, (0, 1), [1.0], method=method, args=(2.0,), **TIGHT)
    assert abs(sol.y[0, -1] - EXPECTED) < 1e-8
    assert counter.calls == sol.nfev + 1  # one more to look at its shape
    partial = functools.partial(as_list, rate=2.0)
    with pytest.warns(odekit.OdekitPerformanceWarning):
        assert abs(odekit.solve_ivp(partial, (0, 1), [1.0], **TIGHT).y[0, -1] - EXPECTED) < 1e-8


@compiled_only
def test_the_warning_names_the_line_and_comes_once():
    def reads_a_file(t, y):
        text = json.dumps("not for Numba")
        return [-2.0 * y[0] + 0.0 * len(text)]

    with pytest.warns(odekit.OdekitPerformanceWarning, match="reads_a_file cannot be compiled.*line .*json") as record:
        odekit.solve_ivp(reads_a_file, (0, 0.1), [1.0])
    assert record[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        odekit.solve_ivp(reads_a_file, (0, 0.1), [1.0])


# arguments -----------------------------------------------------------------------------------------------------------------


def test_arguments_of_every_kind():
    matrix, vector = np.array([[0.0, 1.0], [-1.0, 0.0]]), np.array([1, 2])  # integers become floats

    def fun(t, y, number, count, flag, phase, matrix, vector):
        total = 0.0
        for _ in range(count):  # an integer stays one
            total += 1.0
        scale = number * total if flag else 0.0
        return matrix @ y * scale + phase.real * vector

    sol = odekit.solve_ivp(fun, (0, 1), [1.0, 0.0], args=(0.5, 2, True, 0.0 + 3.0j, matrix, vector), **TIGHT)
    assert np.allclose(sol.y[:, -1], [np.cos(1), -np.sin(1)], atol=1e-8)
    assert np.array_equal(matrix, [[0, 1], [-1, 0]]) and vector.dtype == int  # untouched


@compiled_only
def test_new_numbers_do_not_recompile():
    kernels = []
    for rate in (1.0, 2.0, 3.0):
        field = UserField(as_list, 0.0, np.array([1.0]), (rate,))
        kernels.append(field.kernel.address)
    assert len(set(kernels)) == 1
    assert UserField(as_list, 0.0, np.array([1.0]), (1,)).kernel.address != kernels[0]  # an int is another type


def test_an_argument_that_is_no_number():
    def fun(t, y, name):
        return [-2.0 * y[0] if name == "decay" else y[0]]

    with pytest.warns(odekit.OdekitPerformanceWarning, match=r"args\[0\] is of type str"):
        sol = odekit.solve_ivp(fun, (0, 1), [1.0], args=("decay",), **TIGHT)
    assert abs(sol.y[0, -1] - EXPECTED) < 1e-8


RATE = 2.0


def helper(x):
    """A plain Python function that right-hand sides call."""
    return RATE * x


def test_helpers_are_compiled_and_changes_of_globals_seen(monkeypatch):
    def fun(t, y):
        return [-helper(y[0])]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert abs(odekit.solve_ivp(fun, (0, 1), [1.0], **TIGHT).y[0, -1] - EXPECTED) < 1e-8
        monkeypatch.setitem(globals(), "RATE", 1.0)
        assert abs(odekit.solve_ivp(fun, (0, 1), [1.0], **TIGHT).y[0, -1] - np.exp(-1)) < 1e-8


def test_changes_of_closure_variables_are_seen():
    table = np.array([2.0])

    def fun(t, y):
        return [-table[0] * y[0]]

    assert abs(odekit.solve_ivp(fun, (0, 1), [1.0], **TIGHT).y[0, -1] - EXPECTED) < 1e-8
    table[0] = 1.0
    assert abs(odekit.solve_ivp(fun, (0, 1), [1.0], **TIGHT).y[0, -1] - np.exp(-1)) < 1e-8


@compiled_only
def test_the_same_function_made_again_is_not_compiled_again():
    def make(rate):
        return lambda t, y: [-rate * y[0]]

    addresses = [UserField(make(rate), 0.0, np.array([1.0])).kernel.address for rate in (2.5, 2.5, 3.5, 2.5)]
    assert addresses[0] == addresses[1] == addresses[3] != addresses[2]

    def with_default(rate):
        def fun(t, y, rate=rate):
            return [-rate * y[0]]

        return fun

    for rate in (2.0, 1.0):
        assert odekit.solve_ivp(with_default(rate), (0, 1), [1.0], **TIGHT).y[0, -1] == pytest.approx(
            np.exp(-rate), rel=1e-7
        )


@compiled_only
def test_values_that_change_again_and_again_get_a_hint():
    def make(rate):
        return lambda t, y: [-rate * y[0]]

    with pytest.warns(odekit.OdekitPerformanceWarning, match="pass what changes in args") as record:
        [odekit.solve_ivp(make(float(rate)), (0, 0.1), [1.0]) for rate in range(8)]
    assert len(record) == 1 and record[0].filename == __file__


def test_inputs_are_never_changed():
    y0, rate = np.array([1.0, 0.0]), np.array([1.0])
    y0.flags.writeable = False

    def fun(t, y, rate):
        return [rate[0] * y[1], -y[0]]

    odekit.solve_ivp(fun, (0, 1), y0, args=(rate,))
    odekit.solve_ivp(fun, (0, 1), y0[::-1], args=(rate,), method="radau")
    assert np.array_equal(y0, [1.0, 0.0]) and np.array_equal(rate, [1.0])


# complex states ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "jac", [None, lambda t, y: np.array([[1j, 0], [0, -2.0]]), np.diag([1j, -2.0])], ids=["none", "function", "matrix"]
)
@pytest.mark.parametrize("method", ["tsit5", "radau", "kvaerno3", "rodas5p"])
@pytest.mark.filterwarnings("ignore::odekit.OdekitPerformanceWarning")
def test_complex_states(method, jac):
    def fun(t, y):
        return [1j * y[0], -2.0 * y[1]]

    sol = odekit.solve_ivp(
        fun, (0, 1), [1.0 + 0j, 1.0], method=method, jac=jac, dense_output=True, rtol=1e-7, atol=1e-9
    )
    assert sol.y.dtype == np.complex128 and sol.y.shape[0] == 2
    assert np.allclose(sol.y[:, -1], [np.exp(1j), EXPECTED], rtol=1e-5)
    assert np.allclose(sol.sol(0.5), [np.exp(0.5j), np.exp(-1)], rtol=1e-4)


# Jacobians -----------------------------------------------------------------------------------------------------------------


def jacobian_of(fun, y0, **options):
    field = UserField(fun, 0.0, np.asarray(y0), **options)
    return field, field.jacobian()


@compiled_only
@pytest.mark.parametrize("in_place", [False, True])
def test_complex_step_is_exact(in_place):
    def fun(t, y, k):
        return [k * y[0] ** 2 * y[1], np.exp(y[0]) / y[1]]

    def writing(t, y, dydt, k):
        dydt[0] = k * y[0] ** 2 * y[1]
        dydt[1] = np.exp(y[0]) / y[1]

    y = np.array([0.7, 1.3])
    _field, jacobian = jacobian_of(odekit.inplace(writing) if in_place else fun, y, args=(3.0,))
    assert jacobian.kind == state.JAC_KERNEL
    matrix = call(jacobian.address, 0.0, y, 4, np.concatenate(([3.0], np.zeros(8)))).reshape(2, 2)
    a, b = y
    exact = np.array([[6 * a * b, 3 * a**2], [np.exp(a) / b, -np.exp(a) / b**2]])
    assert np.allclose(matrix, exact, rtol=4e-16)


@pytest.mark.parametrize(
    "fun",
    [
        lambda t, y: [abs(y[0])],
        lambda t, y: [max(y[0], 0.0)],
        lambda t, y: [y[0] if y[0] > 0.5 else -y[0]],
        lambda t, y: [np.maximum(y[0], 0.5)],
    ],
    ids=["abs", "max", "comparison", "maximum"],
)
def test_functions_that_are_not_holomorphic_get_difference_quotients(fun):
    assert jacobian_of(fun, [1.0])[1].kind == state.JAC_DIFFERENCE


def bends(x):
    return np.abs(x)


def test_helpers_that_are_not_holomorphic_count_too():
    assert jacobian_of(lambda t, y: [bends(y[0] - 5.0) * 1e-9 - y[0]], [1.0])[1].kind == state.JAC_DIFFERENCE


def test_a_wrong_complex_derivative_is_noticed(monkeypatch):
    monkeypatch.setattr("odekit._jacobian.NOT_HOLOMORPHIC", frozenset())

    def fun(t, y):
        return [abs(y[0]) + y[1], -y[1]]

    assert jacobian_of(fun, [0.0, 1.0])[1].kind == state.JAC_DIFFERENCE


@pytest.mark.parametrize(
    "jac",
    [
        lambda t, y: [[0.0, 1], [-1, 0]],
        lambda t, y: np.array([[0.0, 1.0], [-1.0, 0.0]]),
        np.array([[0, 1], [-1, 0]]),
        [[0, 1], [-1, 0]],
    ],
    ids=["lists", "array", "constant", "constant list"],
)
def test_user_jacobian(jac):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sol = odekit.solve_ivp(oscillator, (0, 1), [1.0, 0.0], method="radau", jac=jac, **TIGHT)
    assert np.allclose(sol.y[:, -1], [np.cos(1), -np.sin(1)], atol=1e-7)
    assert (sol.njev == 0) == (not callable(jac))


@pytest.mark.parametrize(
    ("jac", "error"), [(np.eye(3), ValueError), (lambda t, y: np.eye(3), ValueError), (lambda t, y: "x", TypeError)]
)
def test_a_jacobian_of_the_wrong_shape(jac, error):
    with pytest.raises(error, match="expected"):
        odekit.solve_ivp(oscillator, (0, 1), [1.0, 0.0], method="radau", jac=jac)


# exceptions ----------------------------------------------------------------------------------------------------------------


class Unwell(Exception):
    """An exception that Numba does not know."""


def raises_compiled(t, y):
    if t > 0.5:
        raise ValueError("too late")
    return [-y[0]]


def raises_python(t, y):
    if t > 0.5:
        raise Unwell(f"too late: {t}")
    return [-y[0]]


@pytest.mark.filterwarnings("ignore::odekit.OdekitPerformanceWarning")
@pytest.mark.parametrize("method", ["auto", "rk4", "dop853", "radau", "kvaerno3", "bdf"])
@pytest.mark.parametrize(("fun", "kind"), [(raises_compiled, ValueError), (raises_python, Unwell)])
def test_exceptions_reach_the_user_as_themselves(fun, kind, method):
    with pytest.raises(kind, match="too late") as info:
        odekit.solve_ivp(fun, (0, 1), [1.0], method=method, max_step=0.1, first_step=0.01)
    partial = info.value.solution
    assert partial.retcode == odekit.Retcode.RHS_RAISED and not partial.success
    assert 0.3 < partial.t[-1] <= 0.5 and np.allclose(partial.y[0], np.exp(-partial.t), rtol=1e-2)
    assert kind.__name__ in partial.message and "t = 0.5" in partial.message


def test_exceptions_at_the_start():
    with pytest.raises(ZeroDivisionError) as info:
        odekit.solve_ivp(lambda t, y: [1 / 0], (0, 1), [1.0])
    assert np.array_equal(info.value.solution.y, [[1.0]])


def diagonal(t, y):
    if t > 0.5:
        raise ValueError("too late")
    return np.diag(-np.arange(1.0, 7.0))


def diagonal_packed(t, y):
    if t > 0.5:
        raise ValueError("too late")
    return -np.arange(1.0, 7.0).reshape((1, 6))


def diagonal_sparse(t, y):
    return scipy.sparse.csc_array(diagonal(t, y))


def diagonal_python(t, y):
    if t > 0.5:
        raise Unwell(f"too late: {t}")
    return np.diag(-np.arange(1.0, 7.0))


def diagonal_never(t, y):
    raise ValueError("too late")


def six(t, y):
    return -np.arange(1.0, 7.0) * y


@pytest.mark.filterwarnings("ignore::odekit.OdekitPerformanceWarning")
@pytest.mark.parametrize(
    ("jac", "options"),
    [
        (diagonal, {}),
        (diagonal, {"lband": 0, "uband": 0}),
        (diagonal_packed, {"lband": 0, "uband": 0}),
        (diagonal_python, {}),
        (diagonal_python, {"lband": 0}),
        (diagonal_sparse, {}),
        (diagonal_sparse, {"linear_solver": "sparse"}),
        (diagonal_never, {}),
        (diagonal_never, {"jac_sparsity": np.eye(6), "linear_solver": "sparse"}),
    ],
)
def test_exceptions_of_the_jacobian(jac, options):
    with pytest.raises(Unwell if jac is diagonal_python else ValueError, match="too late") as info:
        odekit.solve_ivp(six, (0, 50), np.ones(6), "rosenbrock23", jac=jac, **options)
    partial = info.value.solution
    assert partial.retcode == odekit.Retcode.RHS_RAISED and partial.message.startswith("The Jacobian raised ")
    assert partial.t[0] == 0.0 and (partial.t[-1] > 0.5) == (jac is not diagonal_never)


def test_an_exception_of_the_jacobian_where_auto_turns_to_it():
    def fun(t, y):
        return [-1e4 * (y[0] - np.cos(t))]

    with pytest.raises(ZeroDivisionError) as info:
        odekit.solve_ivp(fun, (0, 10), [1.0], jac=lambda t, y: [[1 / 0]])
    partial = info.value.solution
    assert "Jacobian" in partial.message and partial.naccept > 0
    run = odekit.Integrator(fun, 0.0, [1.0], 10.0, jac=lambda t, y: [[1 / 0]])
    with pytest.raises(ZeroDivisionError):
        list(iter(run.step, False))
    assert "Jacobian" in run.message and run.retcode == odekit.Retcode.RHS_RAISED


def test_exceptions_of_event_functions():
    def event(t, y):
        if t > 0.5:
            raise KeyError("event")
        return y[0]

    with pytest.raises(KeyError) as info:
        odekit.solve_ivp(decay, (0, 1), [1.0], args=(1.0,), events=lambda t, y, rate: event(t, y), max_step=0.1)
    assert "event function" in info.value.solution.message and info.value.solution.t[-1] > 0.3


@pytest.mark.parametrize(
    ("fun", "error", "sentence"),
    [
        (lambda t, y: [y[0]], ValueError, r"shape \(1,\); expected \(2,\)"),
        (lambda t, y: np.ones((2, 2)), ValueError, r"shape \(2, 2\); expected \(2,\)"),
        (lambda t, y: None, TypeError, "returned None; expected 2 numbers"),
        (lambda t, y: ["a", "b"], TypeError, "expected 2 numbers"),
        (lambda t, y: [1j, 1j], ValueError, "complex numbers for a real state"),
        (odekit.inplace(lambda t, y, dydt: dydt.__setitem__(0, 1.0)), ValueError, r"left dydt\[1\] unset"),
        ("cos", TypeError, "fun is a str; expected a function"),
        (lambda t: [1.0, 1.0], TypeError, r"fun is <lambda>\(t\); expected a function that takes 2 arguments"),
    ],
)
def test_right_hand_sides_that_do_not_fit(fun, error, sentence):
    with pytest.raises(error, match=sentence):
        odekit.solve_ivp(fun, (0, 1), [1.0, 1.0])


def test_a_shape_that_changes_later():
    def fun(t, y):
        return np.ones(2) if t < 0.5 else np.ones(3)

    with pytest.raises(ValueError, match=r"shape \(3,\); expected \(2,\)"):
        odekit.solve_ivp(fun, (0, 1), [1.0, 1.0], max_step=0.1)


def test_as_numbers_accepts_what_scipy_accepts():
    shape = Shape(1)
    assert _callback.as_numbers(3.0, shape).shape == (1,)
