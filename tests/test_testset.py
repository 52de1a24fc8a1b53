"""The reference problems: they compile, their Jacobians are right, and an independent solver reaches the references."""

import numpy as np
import pytest
import scipy.sparse
from numba import njit
from scipy.integrate import solve_ivp

from odekit.testset import OUTER_SOLAR_SYSTEM, PROBLEMS, outer_solar_system_energy

#: method, rtol, atol, expected error of SciPy at these tolerances
SCIPY = {
    "ROBER": ("Radau", 1e-8, 1e-16, 1e-5),
    "HIRES": ("Radau", 1e-9, 1e-13, 1e-5),
    "OREGO": ("Radau", 1e-9, 1e-12, 1e-5),
    "VDPOL": ("Radau", 1e-9, 1e-12, 1e-5),
    "VDPOLM": ("Radau", 1e-9, 1e-12, 1e-5),
    "PLEIADES": ("DOP853", 1e-12, 1e-12, 1e-7),
    "ARENSTORF": ("DOP853", 1e-12, 1e-12, 1e-5),
    "LORENZ": ("DOP853", 1e-12, 1e-12, 1e-8),
    "OUTER_SOLAR_SYSTEM": ("DOP853", 1e-10, 1e-12, 1e-3),
    "KEPLER": ("DOP853", 1e-12, 1e-12, 1e-9),
    "DOUBLE_PENDULUM": ("DOP853", 1e-12, 1e-12, 1e-5),
    "POLLU": ("Radau", 1e-8, 1e-16, 1e-6),
    "BRUSS1D": ("Radau", 1e-6, 1e-6, 1e-6),
    "BRUSS2D": ("BDF", 1e-6, 1e-6, 2e-3),
}


every_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


def compiled(problem):
    return njit(problem.fun)


def as_array(problem, matrix):
    """A Jacobian in any of the forms that `Problem.jac` knows, as an (n, n) array."""
    if problem.lband is not None:
        offsets = np.arange(problem.uband, -problem.lband - 1, -1)
        matrix = scipy.sparse.dia_matrix((matrix, offsets), shape=(problem.n, problem.n))
    return matrix.toarray() if scipy.sparse.issparse(matrix) else matrix


def test_every_problem_is_checked():
    assert SCIPY.keys() == PROBLEMS.keys()


@every_problem
def test_reference_is_reached(problem):
    method, rtol, atol, expected = SCIPY[problem.name]
    fun, jac = compiled(problem), problem.jac
    options = {}
    if jac and method in ("Radau", "BDF"):
        convert = scipy.sparse.csc_matrix if problem.pattern else np.asarray
        options = {"jac": lambda t, y: convert(as_array(problem, jac(t, y, *problem.args)))}
    sol = solve_ivp(
        lambda t, y: fun(t, y, *problem.args), problem.t_span, problem.y0, method, rtol=rtol, atol=atol, **options
    )
    assert sol.success
    assert problem.error(sol.y[:, -1]) < expected


@every_problem
def test_compiled_equals_python(problem):
    y = np.array(problem.y0) + 0.01
    np.testing.assert_allclose(compiled(problem)(0.0, y, *problem.args), problem.fun(0.0, y, *problem.args), rtol=1e-13)


@pytest.mark.parametrize("name", [name for name, problem in PROBLEMS.items() if problem.jac])
def test_jacobian(name):
    problem = PROBLEMS[name]
    rng = np.random.default_rng(1)
    y, direction = np.array(problem.y0) + rng.uniform(0.1, 0.2, problem.n), rng.normal(size=problem.n)
    step = 1e-6 * direction
    ahead, behind = (np.array(problem.fun(0.0, y + s, *problem.args)) for s in (step, -step))
    expected = (ahead - behind) / 2e-6
    sparse = problem.pattern is not None and problem.lband is None  # Numba has no sparse matrices
    for jac in (problem.jac,) if sparse else (problem.jac, njit(problem.jac)):
        matrix = as_array(problem, jac(0.0, y, *problem.args))
        np.testing.assert_array_equal(matrix[problem.jac_sparsity.toarray() == 0], 0.0)
        product = matrix @ direction
        np.testing.assert_allclose(product, expected, rtol=1e-6, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("name", [name for name, problem in PROBLEMS.items() if problem.pattern and problem.jac])
def test_patterns_are_no_larger_than_needed(name):
    problem = PROBLEMS[name]
    y = np.array(problem.y0) + np.random.default_rng(2).uniform(0.1, 0.2, problem.n)
    matrix = as_array(problem, problem.jac(0.0, y, *problem.args))
    np.testing.assert_array_equal(matrix != 0, problem.jac_sparsity.toarray() == 1)


@pytest.mark.parametrize("name", [name for name, problem in PROBLEMS.items() if problem.energy])
def test_energy_is_conserved(name):
    problem = PROBLEMS[name]
    start, end = (problem.energy(np.array(y), *problem.args) for y in (problem.y0, problem.y_end))
    assert end == pytest.approx(start, rel=1e-12)


@pytest.mark.parametrize("name", [name for name, problem in PROBLEMS.items() if problem.acceleration])
def test_accelerations_agree_with_the_first_order_form(name):
    problem = PROBLEMS[name]
    y = np.array(problem.y_end)
    q, velocity = np.split(y, 2)
    expected = np.concatenate([velocity, njit(problem.acceleration)(0.0, q, *problem.args)])
    np.testing.assert_allclose(problem.fun(0.0, y, *problem.args), expected, rtol=1e-13)


def test_energy_of_a_trajectory():
    y = np.stack([OUTER_SOLAR_SYSTEM.y0, OUTER_SOLAR_SYSTEM.y_end], axis=1)
    energy = outer_solar_system_energy(y, *OUTER_SOLAR_SYSTEM.args)
    assert energy.shape == (2,)
    assert energy[0] == pytest.approx(outer_solar_system_energy(y[:, 0], *OUTER_SOLAR_SYSTEM.args), rel=1e-15)


@every_problem
def test_error_of_the_reference_is_zero(problem):
    assert problem.error(problem.y_end) == 0
    shifted = np.array(problem.y_end)
    shifted[-1] *= 1 + 1e-6
    assert problem.error(shifted) == pytest.approx(1e-6, rel=1e-6)
