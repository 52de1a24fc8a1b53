"""Sparse Jacobians: patterns, colours, orders, SuperLU called back from compiled code."""

import itertools
import os
import signal
import threading

import numpy as np
import pytest
from scipy import sparse

import odekit
from odekit import _structure
from odekit.solvers.linalg.banded import Banded
from odekit.solvers.linalg.columns import Pattern
from odekit.solvers.linalg.sparse import Analysis, Sparse

M = 6  # the grid is M by M


def grid(t, y, rate):
    """Diffusion and reaction of two kinds on a square grid; y = (u, v)."""
    half = y.size // 2
    dy = np.empty_like(y)
    for k in range(half):
        i, j = k // M, k % M
        for kind in range(2):
            c = kind * half + k
            total = -4.0 * y[c]
            if i > 0:
                total += y[c - M]
            if i < M - 1:
                total += y[c + M]
            if j > 0:
                total += y[c - 1]
            if j < M - 1:
                total += y[c + 1]
            dy[c] = rate * total
        reaction = y[k] * y[k] * y[half + k]
        dy[k] += 1.0 + reaction - 4.4 * y[k] + 0.1 * np.sin(t)
        dy[half + k] += 3.4 * y[k] - reaction
    return dy


def grid_pattern():
    line = sparse.diags([1.0, 1.0, 1.0], [-1, 0, 1], shape=(M, M))
    near = (sparse.kron(line, sparse.identity(M)) + sparse.kron(sparse.identity(M), line)).sign()
    one = sparse.identity(M * M)
    return sparse.csc_array(sparse.bmat([[near, one], [one, near]]))


PATTERN = grid_pattern()
START = 1.0 + 0.5 * np.sin(np.arange(2.0 * M * M))


def solve(method="bdf", fun=grid, t_end=1.0, **options):
    options = {"jac_sparsity": PATTERN, "rtol": 1e-6, "atol": 1e-8, **options}
    sol = odekit.solve_ivp(fun, (0, t_end), START, method, args=(50.0,), **options)
    assert sol.success, sol.message
    return sol


def random_pattern(n, density, seed=0):
    return _structure.pattern_of(sparse.random_array((n, n), density=density, rng=np.random.default_rng(seed)))


def test_columns_of_a_colour_share_no_row():
    pattern = Pattern(random_pattern(50, 0.05))
    for colour in range(pattern.n_colours):
        rows = pattern.rows[pattern.groups[pattern.columns] == colour]
        assert np.unique(rows).size == rows.size


def test_analysis_orders_the_matrix():
    matrix = random_pattern(40, 0.1)
    matrix.data[:] = np.random.default_rng(1).normal(size=matrix.nnz)
    analysis = Analysis(_structure.pattern_of(matrix))
    ordered = sparse.csc_array(
        (analysis.pattern.pack(matrix, matrix.nnz)[analysis.source], analysis.rows, analysis.starts), shape=(40, 40)
    )
    order = analysis.order
    assert sorted(order) == list(range(40))
    np.testing.assert_array_equal(ordered.toarray(), matrix.toarray()[np.ix_(order, order)])
    np.testing.assert_array_equal(ordered.data[analysis.diagonal], matrix.diagonal()[order])


def test_band_in_another_order():
    rng = np.random.default_rng(2)
    order, n = rng.permutation(100), 100
    band = sparse.diags([1.0, 1.0, 1.0, 1.0], [-2, -1, 0, 3], shape=(n, n)).toarray()
    shuffled = _structure.pattern_of(sparse.csc_array(band[np.ix_(order, order)]))
    structure = _structure.choose(n, _structure.Wanted(pattern=shuffled), shuffled, False)
    assert isinstance(structure, Banded) and structure.lband + structure.uband < 12


def test_choice():
    def chosen(pattern, solver="auto"):
        return _structure.choose(pattern.shape[0], _structure.Wanted(pattern=pattern, solver=solver), pattern, False)

    assert chosen(random_pattern(10, 0.1)).name == "dense"
    assert chosen(_structure.pattern_of(sparse.identity(1000))).name == "banded"
    assert isinstance(chosen(random_pattern(2000, 1 / 2000)), Sparse)
    assert isinstance(chosen(random_pattern(10, 0.1), "sparse"), Sparse)
    assert chosen(PATTERN, "dense").name == "dense"


@pytest.mark.parametrize("linear_solver", ["sparse", "banded"])
@pytest.mark.parametrize("method", ["bdf", "kencarp4", "rodas5p", "radau"])
def test_a_pattern_gives_the_steps_of_the_dense_matrix(method, linear_solver):
    dense, other = solve(method, linear_solver="dense"), solve(method, linear_solver=linear_solver)
    assert (other.naccept, other.njev, other.nlu) == (dense.naccept, dense.njev, dense.nlu)
    np.testing.assert_allclose(other.y[:, -1], dense.y[:, -1], rtol=1e-9)


def test_jacobians_of_the_user():
    by_step = solve(linear_solver="sparse")
    reference = by_step.y[:, -1]

    def jac(t, y, rate):
        half = M * M
        u, v = y[:half], y[half:]
        near = rate * (PATTERN[:half, :half] - 5 * sparse.identity(half))
        return sparse.bmat(
            [
                [near + sparse.diags(2 * u * v - 4.4), sparse.diags(u * u)],
                [sparse.diags(3.4 - 2 * u * v), near - sparse.diags(u * u)],
            ]
        )

    for solver, pattern in itertools.product(["sparse", "banded", "dense"], [PATTERN, None]):
        if solver == "banded" and pattern is None:
            continue
        sol = solve(jac=jac, linear_solver=solver, jac_sparsity=pattern)
        assert sol.naccept == by_step.naccept
        np.testing.assert_allclose(sol.y[:, -1], reference, rtol=1e-9)
    full = solve(jac=lambda t, y, rate: jac(t, y, rate).toarray(), linear_solver="sparse")
    np.testing.assert_allclose(full.y[:, -1], reference, rtol=1e-9)


def test_differences_of_a_field_without_exact_derivatives():
    def field(t, y, rate):
        dy = grid(t, y, rate)
        dy[0] += 0.0 * np.abs(y[0])
        return dy

    exact, differences = solve(linear_solver="sparse"), solve(fun=field, linear_solver="sparse")
    assert differences.naccept == exact.naccept
    np.testing.assert_allclose(differences.y[:, -1], exact.y[:, -1], rtol=1e-6)
    colours = Pattern(PATTERN).n_colours
    assert differences.nfev - exact.nfev <= (colours + 1) * differences.njev + 3


def test_a_pattern_that_misses_an_entry_is_found():
    holes = PATTERN.tolil()
    holes[20, 20 + M * M] = 0
    with pytest.raises(ValueError, match=r"jac_sparsity misses an entry: component 20 of fun depends on y\[56\]"):
        solve(jac_sparsity=holes)


def test_singular_matrix():
    # I - c J is singular at c = 1, the first step, and at no later one
    sol = odekit.solve_ivp(
        lambda t, y: y, (0, 3), np.ones(30), "backward_euler", first_step=1.0, jac=sparse.identity(30),
        linear_solver="sparse", rtol=0.5, atol=0.5,
    )  # fmt: skip
    assert sol.success and sol.nreject >= 1


def test_a_checkpoint_makes_the_factors_anew():
    def new():
        return odekit.Integrator(
            grid, 0.0, START, 1.0, "bdf", args=(50.0,), rtol=1e-6, jac_sparsity=PATTERN, linear_solver="sparse"
        )

    run = new()
    for _ in range(20):
        run.step()
    state, other = run.state(), new()
    other.restore(state)
    for _ in range(15):
        run.step()
        other.step()
    assert run.t == other.t and np.array_equal(run.y, other.y)


def test_ctrl_c_in_a_factorisation(monkeypatch):
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals come to the main thread")
    original = Sparse.factorise

    def interrupted(self, iw, w, matrix):
        os.kill(os.getpid(), signal.SIGINT)
        return original(self, iw, w, matrix)

    monkeypatch.setattr(Sparse, "factorise", interrupted)
    with pytest.raises(KeyboardInterrupt) as info:
        solve(linear_solver="sparse")
    assert info.value.solution.t[-1] < 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"jac_sparsity": np.ones((3, 3))}, r"`jac_sparsity` has shape \(3, 3\); expected \(72, 72\)"),
        ({"lband": 1}, "give one of them"),
        ({"linear_solver": "lu"}, "linear_solver='lu' is unknown"),
        ({"linear_solver": "banded", "jac_sparsity": None}, "needs lband and uband"),
    ],
)
def test_what_makes_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        solve(**options)
