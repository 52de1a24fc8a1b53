import numpy as np
import pytest
from nn import reference

import odekit
from odekit import _jit
from odekit.adjoint import (
    BacksolveAdjoint,
    DiscreteAdjoint,
    ForwardSensitivity,
    ImplicitAdjoint,
    InterpolatingAdjoint,
    ReversibleAdjoint,
    SolveError,
    gradient,
)
from odekit.adjoint.scheme import scheme
from odekit.adjoint.sweeps import Sweeps
from odekit.adjoint.user import DifferentiableFunction
from odekit.nn import MLP, NeuralODE
from odekit.solvers.tables import EXPLICIT

T = np.array([0.0, 0.4, 1.1, 2.0])
Y0 = np.array([1.0, 0.6])
MATRIX = np.array([[0.1, -0.4], [0.3, 0.2]])


def driven(t, y, rate, matrix, n):
    x, v = y
    force = matrix[0, 0] * np.sin(t) + matrix[1, 0] * x * v
    return [v + matrix[0, 1] * x, -rate * x**n + force + matrix[1, 1] * np.exp(-v * v)]


@odekit.inplace
def driven_in_place(t, y, dydt, rate, matrix, n):
    dydt[0] = y[1] + matrix[0, 1] * y[0]
    dydt[1] = (
        -rate * y[0] ** n + matrix[0, 0] * np.sin(t) + matrix[1, 0] * y[0] * y[1] + matrix[1, 1] * np.exp(-y[1] * y[1])
    )


def array_valued(t, y, rate, matrix, n):
    out = matrix @ y
    out[0] = y[1] + matrix[0, 1] * y[0]
    out[1] = (
        -rate * y[0] ** n + matrix[0, 0] * np.sin(t) + matrix[1, 0] * y[0] * y[1] + matrix[1, 1] * np.exp(-y[1] * y[1])
    )
    return out


ARGS = (1.3, MATRIX, 3)


@pytest.mark.parametrize("fun", [driven, driven_in_place, array_valued], ids=["list", "inplace", "array"])
@pytest.mark.parametrize("method", ["tsit5", "vern7"])
def test_exact_in_all_arguments(fun, method):
    seeds = np.random.default_rng(3).standard_normal((2, T.size))
    result = gradient(fun, T, Y0, seeds, method, ARGS, rtol=1e-5, atol=1e-7, with_times=True)
    field = DifferentiableFunction(fun, 0.0, Y0, ARGS)
    sweeps = Sweeps(field, scheme(method), 1, recorded=False)
    sweeps.forward(field, Y0[None], T, 1e-5, 1e-7, keep_states=False)
    steps = sweeps.steps[: sweeps.naccept + 1].copy()

    def product(y0=Y0, rate=ARGS[0], matrix=MATRIX, steps=steps, t=T):
        f = lambda s, y: np.array(driven(s, y, rate, matrix, 3))  # noqa: E731
        return (reference.replay(EXPLICIT[method], f, steps, y0, t).T * seeds).sum()

    np.testing.assert_allclose((result.y * seeds).sum(), product(), rtol=1e-12)
    np.testing.assert_allclose(result.y0, reference.complex_gradient(lambda y: product(y), Y0), rtol=1e-10)
    exact = reference.complex_gradient(lambda q: product(rate=q[0], matrix=q[1:].reshape(2, 2)), np.append(1.3, MATRIX))
    np.testing.assert_allclose(result.args[0], exact[0], rtol=1e-10)
    np.testing.assert_allclose(result.args[1].ravel(), exact[1:], rtol=1e-10)
    assert result.args[2] is None
    for k in range(T.size):
        t, moved = T.astype(complex), steps.astype(complex)
        t[k] += 1e-30j
        moved[0], moved[-1] = t[0], t[-1]
        np.testing.assert_allclose(result.times[k], product(steps=moved, t=t).imag / 1e-30, rtol=1e-9)


def test_loss_as_a_function():
    target = np.ones((2, T.size))
    result = gradient(driven, T, Y0, lambda y: 2 * (y - target), args=ARGS, adjoint=DiscreteAdjoint(checkpoints=2))
    same = gradient(driven, T, Y0, 2 * (result.y - target), args=ARGS)
    assert np.array_equal(result.y0, same.y0)
    assert result.counts["states"] <= 2
    exact = odekit.solve_ivp(driven, (0, 2), Y0, "dop853", t_eval=T, args=ARGS, rtol=1e-10, atol=1e-10).y
    np.testing.assert_allclose(result.y, exact, rtol=1e-4)


@pytest.mark.parametrize(
    ("fun", "error", "message"),
    [
        (lambda t, y: [abs(y[0])], TypeError, "uses abs, through which no complex step passes"),
        pytest.param(
            lambda t, y: [1.0 if y[0] > 0 else y[0]],
            TypeError,
            "complex",
            marks=pytest.mark.skipif(_jit.JIT_DISABLED, reason="NumPy's complex numbers can be compared"),
        ),
        (lambda t, y: [y[0], 1.0], ValueError, "2"),
    ],
)
def test_functions_without_derivative(fun, error, message):
    with pytest.raises(error, match=message):
        gradient(fun, [0.0, 1.0], [1.0], [[0.0, 1.0]])


@pytest.mark.skipif(_jit.JIT_DISABLED, reason="nothing is compiled")
def test_values_that_change_within_a_process_leave_nothing_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(_jit, "cache_directory", lambda: tmp_path)

    def files(rate):
        field = DifferentiableFunction(lambda t, y: [-rate * y[0]], 0.0, Y0[:1])
        assert field.bends  # compiles the second derivative, too
        return {path.name for path in tmp_path.iterdir()}

    first = files(1.0)
    assert len(first) >= 6  # an index and a kernel of the function, of its complex form and of its second derivative
    assert files(2.0) == first


def test_blow_up():
    with pytest.raises(SolveError, match="t = "):
        gradient(lambda t, y: [y[0] ** 2], [0.0, 2.0], [1.0], [[0.0, 1.0]])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"t": [0.0, 0.0]}, "strictly"),
        ({"y0": [np.nan]}, "finite"),
        ({"cotangent": [[1.0]]}, r"cotangent must have shape \(1, 2\)"),
        ({"cotangent": [[0.0, np.nan]]}, r"cotangent must be finite, but cotangent\[0, 1\] is nan"),
        ({"cotangent": lambda y: y / 0.0}, r"cotangent must be finite, but cotangent\[0, 0\] is inf"),
        ({"cotangent": [[1.0, 2.0], [3.0]]}, "cotangent must be an array of numbers, rows of the same length"),
        ({"rtol": -1}, "positive"),
        ({"rtol": "small"}, "rtol must be a positive number, but it is 'small'"),
        ({"method": "rk4"}, "first_step"),
        ({"method": "gauss4"}, "method='gauss4' takes steps of fixed size: give it as first_step"),
        ({"method": "rk4", "first_step": -0.1}, "`first_step` must be positive, but it is -0.1"),
        ({"method": "leapfrog", "first_step": 0.1}, "method='leapfrog' is for systems of positions and momenta only"),
        ({"method": "tao4", "first_step": 0.1}, "method='tao4' is for systems of positions and momenta only"),
        ({"method": "auto"}, "method='auto' switches between methods"),
        ({"max_steps": 0}, "`max_steps` must be a positive integer, but it is 0"),
        ({"adjoint": "best"}, "adjoint='best' is unknown"),
    ],
)
def test_bad_input(options, message):
    arguments = {"t": [0.0, 1.0], "y0": [1.0], "cotangent": [[0.0, 1.0]], **options}
    with pytest.raises(ValueError, match=message), np.errstate(divide="ignore"):
        gradient(lambda t, y: [-y[0]], **arguments)


def test_a_loss_that_does_not_take_the_states():
    with pytest.raises(
        TypeError, match=r"cotangent is <lambda>\(\); expected a function that takes 1 argument, cotangent\(y\)"
    ):
        gradient(lambda t, y: [-y[0]], [0.0, 1.0], [1.0], lambda: 1.0)


@pytest.mark.parametrize("method", ["leapfrog", "tao4"])
def test_methods_that_look_for_kernels_which_networks_do_not_have(method):
    with pytest.raises(ValueError, match=f"method='{method}' is for systems of positions and momenta only"):
        InterpolatingAdjoint().gradient(
            MLP([2, 3, 2], rng=0),
            Y0[None],
            T,
            np.zeros((T.size, 1, 2)),
            method=method,
            rtol=1e-3,
            atol=1e-3,
            first_step=0.1,
        )


@pytest.mark.parametrize(
    ("method", "adjoint"),
    [
        ("tsit5", DiscreteAdjoint(checkpoints=2)),
        ("tsit5", BacksolveAdjoint()),
        ("tsit5", InterpolatingAdjoint()),
        ("tsit5", ReversibleAdjoint()),
        ("tsit5", ForwardSensitivity()),
        ("kvaerno5", ImplicitAdjoint()),
        ("rodas5p", ImplicitAdjoint()),
    ],
)
def test_no_adjoint_takes_a_cotangent_that_is_not_finite(method, adjoint):
    with pytest.raises(ValueError, match=r"cotangent must be finite, but cotangent\[0, 0, 0\] is nan"):
        NeuralODE(MLP([2, 3, 2], rng=0), method, adjoint=adjoint).gradient(
            Y0[None], T, lambda y: np.full_like(y, np.nan)
        )
