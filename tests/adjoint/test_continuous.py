import numpy as np
import pytest

from odekit.adjoint import AdjointDriftWarning, BacksolveAdjoint, InterpolatingAdjoint, SolveError, gradient
from odekit.nn import MLP, NeuralODE

T = np.array([0.0, 0.5, 0.75, 2.0])
RNG = np.random.default_rng(1)
Y0, COTANGENT = RNG.standard_normal((40, 2)), RNG.standard_normal((T.size, 40, 2))
CONTINUOUS = [
    BacksolveAdjoint(),
    BacksolveAdjoint(seminorm=False),
    BacksolveAdjoint(reset=True),
    InterpolatingAdjoint(),
]


def oscillator(t, y, k, c):
    return [y[1], -k * y[0] - c * y[1] + np.sin(t)]


def solve(adjoint, tol, method="tsit5"):
    field = MLP([2, 8, 2], rng=0, time_dependent=True)
    return NeuralODE(field, method, tol, tol, adjoint=adjoint).gradient(Y0, T, COTANGENT, with_times=True)


@pytest.mark.parametrize("adjoint", CONTINUOUS, ids=repr)
def test_converges_to_the_exact_gradient_with_the_tolerance(adjoint):
    exact = solve("discrete", 1e-12, "dop853")
    errors = []
    for tol in (1e-4, 1e-6, 1e-8):
        result = solve(adjoint, tol)
        errors.append(max(np.abs(getattr(result, n) - getattr(exact, n)).max() for n in ("params", "y0", "t")))
    assert errors[1] < 0.1 * errors[0]
    assert errors[2] < 0.1 * errors[1]
    assert errors[2] < 1e-5


def test_memory():
    counts = {name: solve(name, 1e-8).counts for name in ("backsolve", "interpolating", "discrete")}
    assert counts["backsolve"]["states"] == 1
    assert counts["interpolating"]["states"] > counts["discrete"]["states"] == counts["discrete"]["naccept"] + 1


def test_seminorm_saves_evaluations():
    counts = [solve(BacksolveAdjoint(seminorm=s), 1e-8).counts["nfev_backward"] for s in (True, False)]
    assert counts[0] <= counts[1]


def test_users_function():
    exact = gradient(
        oscillator, T, [1.0, 0.0], np.ones((2, 4)), args=(2.0, 0.1), rtol=1e-12, atol=1e-12, with_times=True
    )
    for adjoint in ("backsolve", "interpolating", "forward"):
        g = gradient(
            oscillator, T, [1.0, 0.0], np.ones((2, 4)), args=(2.0, 0.1), rtol=1e-9, atol=1e-9, adjoint=adjoint, with_times=True
        )  # fmt: skip
        np.testing.assert_allclose(g.y0, exact.y0, rtol=1e-6)
        np.testing.assert_allclose(g.args, exact.args, rtol=1e-6)
        np.testing.assert_allclose(g.times, exact.times, rtol=1e-6, atol=1e-7)


def test_forward_sensitivities_are_those_of_the_computed_numbers():
    arguments = (oscillator, T, [1.0, 0.0], np.ones((2, 4)), "dopri5", (2.0, 0.1))
    a, b = (gradient(*arguments, rtol=1e-3, atol=1e-3, adjoint=adjoint) for adjoint in ("discrete", "forward"))
    np.testing.assert_allclose(b.y, a.y, rtol=1e-12)
    np.testing.assert_allclose(b.y0, a.y0, rtol=1e-10)
    np.testing.assert_allclose(b.args, a.args, rtol=1e-10)


def lorenz(t, u, sigma, rho, beta):
    return [sigma * (u[1] - u[0]), u[0] * (rho - u[2]) - u[1], u[0] * u[1] - beta * u[2]]


def decay(t, y, k):
    return [-k * y[0]]


@pytest.mark.parametrize(
    ("fun", "t", "y0", "args"),
    [(lorenz, [0.0, 1.0], [1.0, 1.0, 1.0], (10.0, 28.0, 8 / 3)), (decay, [0.0, 2.0], [1.0], (50.0,))],
    ids=["lorenz", "decay"],
)
def test_backsolve_warns_where_the_way_back_is_lost(fun, t, y0, args):
    seeds = np.zeros((len(y0), 2))
    seeds[0, -1] = 1.0
    with pytest.warns(AdjointDriftWarning, match="is off by"):
        gradient(fun, t, y0, seeds, "tsit5", args, rtol=1e-8, atol=1e-8, adjoint="backsolve")


def test_backsolve_tells_the_reason_where_the_way_back_ends_nowhere():
    arguments = (lorenz, [0.0, 30.0], [1.0, 1.0, 1.0], np.ones((3, 2)), "tsit5", (10.0, 28.0, 8 / 3))
    with (
        pytest.warns(AdjointDriftWarning, match="is off by inf"),
        pytest.raises(SolveError, match="limit of 2000 steps"),
    ):
        gradient(*arguments, rtol=1e-6, atol=1e-6, adjoint="backsolve", max_steps=2000)


@pytest.mark.thorough
def test_interpolating_survives_a_stiff_equation():
    def stiff(t, y, k, c):
        return [-k * (y[0] - c * np.cos(t))]

    arguments = (stiff, [0.0, 0.5, 1.0], [0.0], [[0.0, 0.3, 1.0]])
    exact = gradient(*arguments, "kvaerno5", (1e4, 1.0), rtol=1e-10, atol=1e-12)
    for method in ("kvaerno5", "radau", "rodas5p", "bdf"):
        g = gradient(*arguments, method, (1e4, 1.0), rtol=1e-8, atol=1e-10, adjoint="interpolating")
        np.testing.assert_allclose(g.args[1], exact.args[1], rtol=1e-3)


@pytest.mark.parametrize("adjoint", ["discrete", "backsolve", "forward"])
def test_implicit_method_with_an_explicit_adjoint(adjoint):
    with pytest.raises(ValueError, match="takes explicit methods, but method='radau'; adjoint='auto' fits"):
        NeuralODE(MLP([2, 2]), "radau", adjoint=adjoint)
