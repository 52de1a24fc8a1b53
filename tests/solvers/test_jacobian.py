"""Finite-difference Jacobians, and the bound of the spectral radius."""

import numpy as np
import pytest
from state_arrays import allocate

from odekit import _jit
from odekit.solvers import jacobian, linalg, state
from odekit.solvers.linalg.dense import Dense, spectral_bound

if _jit.JIT_DISABLED:
    pytest.skip("needs a compiled field", allow_module_level=True)


def _field(t, y, dy, p):
    if y[0] > p[0]:
        return 1
    dy[0] = -(y[0] ** 2) + 1e4 * y[1] * y[2]
    dy[1] = np.sin(t) * y[0] + y[2]
    dy[2] = 3.0 * y[1] ** 2
    return 0


def exact(t, y):
    return np.array([[-2.0 * y[0], 1e4 * y[2], 1e4 * y[1]], [np.sin(t), 0.0, 1.0], [0.0, 6.0 * y[1], 0.0]])


@pytest.fixture(scope="module")
def address():
    return _jit.cfunc_address(_field, _jit.SCALAR_SIGNATURE, cache=False)


def evaluate(address, y, h=1e-3, f=None, f_is_exact=True, limit=np.inf, atol=1e-8):
    """State arrays and step code after one evaluation at t = 0.7."""
    fn, iw, w, p = allocate(3, 1)
    iw, w = linalg.install(fn, iw, w, Dense(3), 0, 0)
    fn[state.F], p[0] = address, limit
    w[state.T], w[state.H] = 0.7, h
    place = state.W_HEADER + 3 * np.arange(state.N_VECTORS)
    y_view, f_view = w[place[state.Y] :][:3], w[place[state.F0] :][:3]
    w[place[state.RTOL] :][:3], w[place[state.ATOL] :][:3] = 1e-6, atol
    y_view[:] = y
    f_view[:] = (exact(0.7, y) @ y) * [0.5, 1.0, 0.5] if f is None else f
    code = jacobian.evaluate(fn, iw, w, p, False, f_is_exact)
    np.testing.assert_array_equal(y_view, y)
    return code, iw, w, w[iw[state.O_IMPLICIT] :][:9].reshape(3, 3)


@pytest.mark.parametrize("h", [1e-8, 1e-3, -1.0])
@pytest.mark.parametrize("y", [(1.0, 2.0, 3.0), (0.0, 0.0, 0.0), (1.0, 0.0, 1e-9), (1e8, -1e-4, 2.0)])
def test_differences(address, y, h):
    y = np.array(y)
    code, iw, w, J = evaluate(address, y, h)
    assert code == state.ACCEPTED
    assert (iw[state.NFEV], iw[state.NJEV], iw[state.JAC_FRESH], iw[state.LU_VALID]) == (3, 1, 1, 0)
    weight = 1e-6 * np.abs(y) + 1e-8
    error = np.abs(h * (J - exact(0.7, y))) * weight / weight[:, None]  # what the iteration sees of it
    assert error.max() < 1e-2 * max(1.0, np.abs(h * exact(0.7, y)).max())
    assert w[state.EIGENVALUE] >= np.abs(np.linalg.eigvals(J)).max() * (1 - 1e-9)


def test_a_base_that_is_not_exact_is_evaluated_again(address):
    y = np.array([1.0, 2.0, 3.0])
    code, iw, _, J = evaluate(address, y, f=np.full(3, 7.0), f_is_exact=False)
    assert (code, iw[state.NFEV]) == (state.ACCEPTED, 4)
    np.testing.assert_allclose(J, exact(0.7, y), rtol=1e-5, atol=1e-4)


def test_zero_state_without_absolute_tolerance(address):
    code, _, _, J = evaluate(address, np.zeros(3), atol=0.0)
    assert code == state.ACCEPTED and np.isfinite(J).all()


def test_what_cannot_be_evaluated(address):
    code, *_ = evaluate(address, np.array([np.nan, 2.0, 3.0]))
    assert code == state.NONFINITE
    y = np.array([-1.0, 2.0, 3.0])
    code, _, w, _ = evaluate(address, y, limit=-1.0)
    assert code == state.RHS_RAISED and w[state.T_FAIL] == 0.7
    raised_at = w[state.W_HEADER + 3 * state.SCRATCH :][:3]
    assert raised_at[0] > -1.0 and raised_at[1:].tolist() == [2.0, 3.0]


def test_spectral_bound():
    J = np.array([[1.0, 100.0], [0.0, -2.0]])
    assert spectral_bound(J) == 101.0
    assert spectral_bound(np.array([[0.0, 3.0], [1.0, 0.0]])) == 3.0
