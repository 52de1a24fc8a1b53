"""Matrix-free GMRES: linear systems, integrations, preconditioners."""

import numpy as np
import pytest
from state_arrays import allocate

import odekit
from odekit import _jit
from odekit.solvers import jacobian, linalg, state
from odekit.solvers.linalg.krylov import Krylov

N = 40


def rod(t, y, rate):
    """Diffusion along a rod with a reaction; its Jacobian is far from normal by an advection."""
    dy = np.empty_like(y)
    n = y.size
    for i in range(n):
        left = y[i - 1] if i > 0 else np.sin(t) + 0.0 * y[i]
        right = y[i + 1] if i < n - 1 else 0.0 * y[i]
        dy[i] = rate * (left - 2.0 * y[i] + right) + 30.0 * (left - y[i]) - y[i] ** 3
    return dy


def thomas(t, y, gamma, r, out, rate):
    """Exact solution with the tridiagonal matrix, the reaction left out."""
    n = y.size
    below, above = -gamma * (rate + 30.0), -gamma * rate
    diagonal = 1.0 + gamma * (2.0 * rate + 30.0)
    c = np.empty(n)
    pivot = diagonal
    for i in range(n):
        if i > 0:
            pivot = diagonal - below * c[i - 1]
        c[i] = above / pivot
        out[i] = (r[i] - (below * out[i - 1] if i > 0 else 0.0)) / pivot
    for i in range(n - 2, -1, -1):
        out[i] -= c[i] * out[i + 1]


START = np.cos(np.linspace(0.0, 1.5, N))


def solve(method="bdf", fun=rod, rate=400.0, **options):
    options = {"linear_solver": "gmres", "rtol": 1e-6, "atol": 1e-8, **options}
    sol = odekit.solve_ivp(fun, (0, 1), START, method, args=(rate,), **options)
    assert sol.success, sol.message
    return sol


@pytest.fixture(scope="module")
def reference():
    return odekit.solve_ivp(rod, (0, 1), START, "dop853", args=(400.0,), rtol=1e-11, atol=1e-12).y[:, -1]


@pytest.mark.skipif(_jit.JIT_DISABLED, reason="needs a compiled field")
@pytest.mark.parametrize("preconditioner", [0, 1])
@pytest.mark.parametrize("n", [1, 3, 100])
def test_linear_system(n, preconditioner):
    rng = np.random.default_rng(n)
    A = rng.normal(size=(n, n)) - 2 * np.sqrt(n) * np.eye(n)
    fn, iw, w, p = allocate(n, n * n)

    def field(t, y, dy, p):
        for i in range(n):
            dy[i] = 0.0
            for j in range(n):
                dy[i] += p[i * n + j] * y[j]
        return 0

    def diagonal(t, given, out, p):
        for i in range(n):
            out[i] = given[n + 1 + i] / (1.0 - given[n] * p[i * n + i])
        return 0

    compiled = [_jit.cfunc_address(f, _jit.SCALAR_SIGNATURE, cache=False) for f in (field, diagonal)]
    iw, w = linalg.install(fn, iw, w, Krylov(n, compiled[1] if preconditioner else 0), 0, 0)
    fn[state.F], p[:] = compiled[0], A.ravel()
    for k, value in ((state.RTOL, 1e-6), (state.ATOL, 1e-6), (state.Y, 1.0)):
        w[state.W_HEADER + k * n :][:n] = value
    w[state.H] = 0.1
    w[state.LINEAR_TOLERANCE] = 1e-5
    assert jacobian.evaluate(fn, iw, w, p, False, False) == state.ACCEPTED
    assert linalg.factorise(fn, iw, w, p, 0, 2.0, 0.6) == state.ACCEPTED
    b = rng.normal(size=n) * 1e-4
    x = b.copy()
    assert linalg.solve(fn, iw, w, p, 0, x) == state.ACCEPTED
    residual = b / 2.0 - (np.eye(n) - 0.3 * A) @ x
    assert np.sqrt(np.mean((residual / 2e-6) ** 2)) < 1e-3  # tolerance, and the rounding of differences


@pytest.mark.parametrize("method", ["bdf", "kencarp4", "auto"])
def test_solution(method, reference):
    sol = solve(method)
    np.testing.assert_allclose(sol.y[:, -1], reference, atol=3e-5)
    assert sol.nlu == 0


def test_a_preconditioner_saves_evaluations(reference):
    plain, helped = solve(), solve(preconditioner=thomas)
    np.testing.assert_allclose(helped.y[:, -1], reference, atol=3e-5)
    assert helped.nfev < 0.5 * plain.nfev


def test_differences(reference):
    def field(t, y, rate):
        dy = rod(t, y, rate)
        dy[0] += 0.0 * np.abs(y[0])  # no complex step through this
        return dy

    sol = solve(fun=field, preconditioner=thomas)
    np.testing.assert_allclose(sol.y[:, -1], reference, atol=3e-5)


def test_preconditioner_in_python(reference):
    class Callable:
        def __call__(self, *arguments):
            thomas(*arguments)

    with pytest.warns(odekit.OdekitPerformanceWarning):
        sol = solve(preconditioner=Callable())
    np.testing.assert_allclose(sol.y[:, -1], reference, atol=3e-5)


def test_an_exception_of_the_preconditioner_is_told():
    def late(t, y, gamma, r, out, rate):
        if t > 0.1:
            raise ZeroDivisionError("late")
        out[:] = r

    with pytest.raises(ZeroDivisionError, match="late") as info:
        solve(preconditioner=late)
    assert info.value.solution.message.startswith("The preconditioner raised ZeroDivisionError at t = 0.1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "radau"}, "method='radau' needs linear systems solved exactly"),
        ({"method": "rodas5p"}, "method='rodas5p' needs linear systems solved exactly"),
        ({"lband": 1}, "linear_solver='gmres' forms no matrix"),
        ({"jac": np.eye(N)}, "leave out jac"),
        ({"linear_solver": "auto", "preconditioner": thomas}, "only 'gmres' uses one"),
        ({"preconditioner": lambda t, y, gamma, r, out, rate: None}, r"left out\[0\] unset"),
    ],
)
def test_what_makes_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        solve(**options)


def test_ten_thousands_of_unknowns():
    n = 10_000

    def line(t, y, rate):
        dy = np.empty_like(y)
        dy[0], dy[-1] = -y[0] * rate, -y[-1] * rate
        dy[1:-1] = rate * (y[:-2] - 2.0 * y[1:-1] + y[2:])
        return dy

    y0 = np.sin(np.pi * np.linspace(0.0, 1.0, n)) + 1.0
    sol = odekit.solve_ivp(line, (0, 0.2), y0, "bdf", args=(20.0,), rtol=1e-5, linear_solver="gmres", t_eval=[0.2])
    band = odekit.solve_ivp(line, (0, 0.2), y0, "bdf", args=(20.0,), rtol=1e-5, lband=1, uband=1, t_eval=[0.2])
    assert sol.success and np.abs(sol.y - band.y).max() < 1e-4
