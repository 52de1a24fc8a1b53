import contextlib
import itertools

import numpy as np
import pytest
from nn import reference, test_energies

import odekit
from adjoint import test_front, test_implicit
from adjoint.test_implicit import ARGS, robertson
from odekit import _jit
from odekit.adjoint import InterpolatingAdjoint, gradient
from odekit.adjoint.rosenbrock import METHODS
from odekit.adjoint.rosenbrock_scheme import rosenbrock_scheme
from odekit.adjoint.seeding import locate
from odekit.nn import HNN, MLP, NeuralODE, ScaledField


@pytest.fixture
def seen(monkeypatch):
    """The steps of the gradients that a test computes."""
    steps = []
    monkeypatch.setattr("odekit.adjoint.rosenbrock.locate", lambda s, t: steps.append(s.copy()) or locate(s, t))
    return steps


def replay(scheme, f, derivatives, steps, y, t, solve=None):
    """The method through given steps in plain NumPy, for complex and for extended numbers too; a batch (B, d)."""
    solve = solve or (lambda matrix, right_side: np.linalg.solve(matrix, right_side[..., None])[..., 0])
    weights = {name: getattr(scheme, name).astype(steps.dtype) for name in "c d b a between dense".split()}
    outputs, todo = [y], 1
    for start, end in itertools.pairwise(steps):
        h, u = end - start, []
        jacobian, rate = derivatives(start, y)
        matrix = np.eye(y.shape[1]) / (h * scheme.gamma) - jacobian
        for a, between, c, d in zip(*(weights[name] for name in ("a", "between", "c", "d")), strict=True):
            right_side = f(end if c == 1 else start + c * h, y + reference.combine(a, u, y))
            u.append(solve(matrix, right_side + reference.combine(between, u, y) / h + d * h * rate))
        y_new = y + reference.combine(weights["b"], u, y)
        while todo < len(t) and t[todo] <= end:
            powers = ((t[todo] - start) / h) ** np.arange(1, scheme.dense.shape[1] + 1)
            outputs.append(y_new if t[todo] == end else y + reference.combine(weights["dense"] @ powers, u, y))
            todo += 1
        y = y_new
    return np.array(outputs)


def network(field, params):
    """The field of a network with one hidden layer of tanh, and its derivatives."""
    w = field.named(params)

    def derivatives(t, y):
        z = np.concatenate((y, np.full((len(y), 1), t)), axis=1) @ w["W1"].T + w["b1"]
        full = np.einsum("ij,bj,jk->bik", w["W2"], 1 - np.tanh(z) ** 2, w["W1"])
        return full[:, :, :-1], full[:, :, -1]

    return lambda t, y: reference.value(field, y, params, t), derivatives


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("leak", [None, 1.0], ids=["network", "scaled"])
def test_networks_are_exact_through_the_accepted_steps(method, leak, seen):
    inner = MLP([2, 6, 2], rng=0, time_dependent=True)
    scale, rate = np.array([1.0, 0.5]), np.array([0.5, 2.0])
    field = inner if leak is None else ScaledField(inner, scale, rate, leak=True)
    rng = np.random.default_rng(1)
    y0, t, cotangent = rng.standard_normal((3, 2)), np.array([0.0, 0.4, 1.0]), rng.standard_normal((3, 3, 2))
    result = NeuralODE(field, method, 1e-6, 1e-6).gradient(y0, t, cotangent)

    def solution(x):
        f, derivatives = network(inner, x[6:])
        start = x[:6].reshape(3, 2)
        if leak is None:
            return replay(rosenbrock_scheme(method), f, derivatives, seen[0], start, t)
        stretch = rate * scale

        def scaled_derivatives(t, y):
            matrix, along_t = derivatives(t, y / scale)
            return stretch[:, None] * (matrix - leak * np.eye(2)) / scale, stretch * along_t

        return replay(
            rosenbrock_scheme(method), lambda t, y: stretch * (f(t, y / scale) - leak * y / scale), scaled_derivatives,
            seen[0], start, t,
        )  # fmt: skip

    x = np.concatenate((y0.ravel(), field.params))
    np.testing.assert_allclose(result.y, solution(x), rtol=1e-12)
    exact = reference.complex_gradient(lambda x: (solution(x) * cotangent).sum(), x)
    np.testing.assert_allclose(np.concatenate((result.y0.ravel(), result.params)), exact, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("method", METHODS)
def test_functions_are_exact_through_the_accepted_steps(method, seen):
    y0, t = np.array([1.0, 0.0, 0.0]), test_implicit.T
    seeds = np.random.default_rng(0).standard_normal((3, t.size)) * [[1.0], [1e4], [1.0]]
    result = gradient(robertson, t, y0, seeds, method, ARGS, rtol=1e-3, atol=1e-7)
    x = np.tile(np.array([*y0, *ARGS], dtype=np.clongdouble), (6, 1)) + reference.STEP * 1j * np.eye(6)
    args = x.T[3:]
    outputs = replay(
        rosenbrock_scheme(method), lambda t, y: test_implicit.slopes(y, args), lambda t, y: (test_implicit.jacobians(y, args), 0.0),
        seen[0].astype(np.longdouble), x[:, :3], t, test_implicit.solve,
    )  # fmt: skip
    np.testing.assert_allclose(result.y, outputs[:, 0].real.T.astype(float), rtol=test_implicit.EXACT)
    exact = np.einsum("tmk,kt->m", outputs.imag / reference.STEP, seeds)
    np.testing.assert_allclose([*result.y0, *result.args], exact.astype(float), rtol=test_implicit.EXACT)


def test_functions_that_compile_for_no_dual_numbers():
    options = {"method": "rodas5p", "args": test_front.ARGS, "with_times": True}
    arguments = test_front.T, test_front.Y0, np.ones((2, 4))
    slow = (
        contextlib.nullcontext() if _jit.JIT_DISABLED else pytest.warns(odekit.OdekitPerformanceWarning, match="dual")
    )
    with slow:
        result = gradient(test_front.array_valued, *arguments, **options)
    exact = gradient(test_front.driven, *arguments, **options)
    for name in ("y", "y0", "times"):
        np.testing.assert_allclose(getattr(result, name), getattr(exact, name), rtol=1e-9)
    np.testing.assert_allclose(result.args[1], exact.args[1], rtol=1e-9)
    np.testing.assert_allclose(
        exact.y0, gradient(test_front.driven, *arguments, **{**options, "method": "tsit5"}).y0, rtol=1e-4
    )


def test_blocks_of_lanes_and_the_times():
    field = MLP([2, 6, 2], rng=0, time_dependent=True)
    rng = np.random.default_rng(2)
    y0, t, cotangent = rng.standard_normal((40, 2)), np.array([0.0, 0.7, -0.2 + 1.2]), rng.standard_normal((3, 40, 2))
    exact = NeuralODE(field, "dop853", 1e-11, 1e-11).gradient(y0, t, cotangent, with_times=True)
    result = NeuralODE(field, "rodas5p", 1e-8, 1e-8).gradient(y0, t, cotangent, with_times=True)
    for name in ("y", "params", "y0", "t"):
        np.testing.assert_allclose(getattr(result, name), getattr(exact, name), rtol=1e-6, atol=1e-6)
    assert result.counts["states"] == result.counts["naccept"] * 9


CASES = {**test_energies.CASES, "squash": (test_energies.squashed, test_energies.squash)}
EVERYDAY = "dissipative", "squash"


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in EVERYDAY else pytest.mark.thorough) for name in CASES]
)
def test_fields_are_exact_through_the_accepted_steps(name, seen):
    make, definition = CASES[name]
    field, rng = make(), np.random.default_rng(3)
    y0, t = 0.4 * rng.standard_normal((3, field.dim)), np.array([0.0, 0.4, 1.0])
    cotangent = rng.standard_normal((3, 3, field.dim))
    result = NeuralODE(field, "rodas5p", 1e-4, 1e-4).gradient(y0, t, cotangent)

    def solution(x):
        start, params = x[: y0.size].reshape(y0.shape), x[y0.size :]
        f = lambda t, y: definition(field, y, params, t)  # noqa: E731

        def derivatives(t, y):
            columns = [reference.along(lambda z: f(t, z), y, np.tile(e, (3, 1))) for e in np.eye(field.dim)]
            return np.stack(columns, axis=2), reference.along(lambda s: f(s, y), t, 1.0)

        return replay(rosenbrock_scheme("rodas5p"), f, derivatives, seen[0], start, t)

    x = np.concatenate((y0.ravel(), field.params))
    np.testing.assert_allclose(result.y, solution(x).real, rtol=1e-10, atol=1e-12)
    direction = rng.standard_normal(x.size)
    exact = reference.along(lambda x: (solution(x) * cotangent).sum(), x, direction).real
    np.testing.assert_allclose(direction @ np.concatenate((result.y0.ravel(), result.params)), exact, rtol=1e-9)


def test_fields_without_second_derivatives():
    field = HNN(MLP([2, 4, 1], "silu"))
    assert isinstance(NeuralODE(field, "rodas5p")._adjoint, InterpolatingAdjoint)
    model = NeuralODE(field, "rodas5p", adjoint="implicit")
    with pytest.raises(
        ValueError, match="rodas5p needs second derivatives of the vector field, which HNN does not have"
    ):
        model.gradient(np.ones((1, 2)), [0.0, 1.0], np.ones((2, 1, 2)))
