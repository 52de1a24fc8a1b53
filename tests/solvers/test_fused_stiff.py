"""Stiff lanes: linear systems side by side, the steps of the single tier, and trajectories that change their method."""

import math
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from numba import njit

import odekit
from odekit import Retcode, _jit
from odekit.solvers import choice, fused_rosenbrock
from odekit.solvers.lane_arithmetic import select

pytestmark = pytest.mark.skipif(_jit.JIT_DISABLED, reason="generated code needs the compiler")

MU = np.geomspace(1.0, 1000.0, 40)
RATE = np.linspace(1.0, 1.1, 40)


def van_der_pol(t, y, mu, rate):
    return [y[1], mu * (1 - y[0] * y[0]) * y[1] - rate * y[0]]


def test_linear_systems_with_pivots():
    """Each matrix finds its own pivots; one without an inverse says so, and its neighbours are solved."""
    n = 4
    lines = ["def solve(A, B, out, singulars):", "    for lane in range(A.shape[0]):"]
    lines += [f"        a{i}_{j} = A[lane, {i}, {j}]" for i in range(n) for j in range(n)]
    lines += [f"        b_{i} = B[lane, {i}]" for i in range(n)]
    lines += ["        " + line for line in fused_rosenbrock.factor_source(n) + fused_rosenbrock.solve_source(n, "b")]
    lines += [f"        out[lane, {i}] = b_{i}" for i in range(n)] + ["        singulars[lane] = singular"]
    solve = njit(error_model="numpy")(_jit.exec_source("\n".join(lines) + "\n", "solve", {"select": select}))
    random = np.random.default_rng(0)
    A, x = random.normal(size=(64, n, n)), random.normal(size=(64, n))
    A[:32] = [np.eye(n)[random.permutation(n)] for _ in range(32)]
    A[:32] += 1e-12 * random.normal(size=(32, n, n))  # without pivots all digits would be lost
    A[40, 2] = 0.0
    B, out, singulars = np.einsum("kij,kj->ki", A, x), np.empty((64, n)), np.empty(64)
    solve(A, B, out, singulars)
    assert np.flatnonzero(singulars).tolist() == [40]
    regular = singulars == 0
    condition = np.linalg.cond(A[regular])[:, None]
    assert (abs(out - x)[regular] < 1e-14 * condition * np.linalg.norm(x[regular], axis=1)[:, None]).all()


@pytest.mark.thorough
def test_trajectories_change_their_method_as_in_the_single_tier(monkeypatch):
    """The same decisions with the same pair of methods; the results within the tolerance of the true ones for all members."""
    monkeypatch.setattr(choice, "IMPLICIT", "rodas5p")
    options = {"method": "auto", "rtol": 1e-5, "atol": 1e-5, "executor": 1, "t_eval": np.linspace(0, 60, 7)}
    args = ((0.0, 60.0), [2.0, 0.0], (MU, RATE))
    fused, single = (odekit.solve_ensemble(van_der_pol, *args, tier=tier, **options) for tier in ("fused", "single"))
    # a verdict that rounding decides may fall otherwise
    assert fused.success.all() and (fused.nswitch != single.nswitch).sum() <= 1
    assert (fused.nswitch[MU < 3] == 0).all() and (fused.nswitch[MU > 100] % 2 == 1).all() and fused.nswitch.max() > 10
    assert (abs(fused.naccept - single.naccept) <= 0.02 * single.naccept).all()
    exact = odekit.solve_ensemble(
        van_der_pol, *args, "radau", rtol=1e-11, atol=1e-11, tier="single", t_eval=options["t_eval"]
    )
    error = [abs(e.y[:, 0] - exact.y[:, 0]).max(axis=1) for e in (fused, single)]
    assert (error[0] < 2 * error[1] + 1e-4).all() and error[0].max() < 2e-3


def test_the_bits_do_not_depend_on_neighbours_chunks_or_threads():
    problem = (van_der_pol, (0, 20), [2.0, 0.0])
    for method in ("auto", "rodas5p"):
        options = {"method": method, "tier": "fused", "rtol": 1e-5}
        reference = odekit.solve_ensemble(*problem, (MU, RATE), executor=1, **options)
        for chosen in (
            {"executor": 2},
            {"executor": 1, "chunksize": 1},
            {"executor": 2, "chunksize": 7},
            {"chunksize": 1000},
        ):
            other = odekit.solve_ensemble(*problem, (MU, RATE), **options, **chosen)
            for name in ("y", "nfev", "njev", "nswitch", "h_end"):
                assert (getattr(other, name) == getattr(reference, name)).all()
        shuffled = np.random.default_rng(0).permutation(MU.size)
        other = odekit.solve_ensemble(*problem, (MU[shuffled], RATE[shuffled]), executor=1, **options)
        assert (other.y == reference.y[shuffled]).all()


def test_failures_stay_with_their_member():
    def field(t, y, size, limit):
        if y[0] > limit:
            raise ValueError("too large")
        return [size * y[0] * y[0]]

    size, limit = np.array([0.1, 2.5, 0.2, 2.0, 0.3]), np.array([1e300, 1e300, 1e300, 3.0, 1e300])
    for method in ("rodas5p", "auto"):
        fused, single = (
            odekit.solve_ensemble(field, (0, 1), [1.0], (size, limit), method, tier=t, t_eval=np.linspace(0, 1, 6))
            for t in ("fused", "single")
        )
        assert fused.retcode.tolist() == single.retcode.tolist()
        assert fused.retcode.tolist()[1::2] == [fused.retcode[1], Retcode.RHS_RAISED] and not fused.success[1]
        assert (np.isnan(fused.y) == np.isnan(single.y)).all()
        np.testing.assert_allclose(fused.y[[0, 2, 3, 4]], single.y[[0, 2, 3, 4]], rtol=1e-5)
        alone = odekit.solve_ensemble(
            field, (0, 1), [1.0], (size[::2], limit[::2]), method, t_eval=np.linspace(0, 1, 6)
        )
        assert alone.tier == "fused" and (alone.y == fused.y[::2]).all()


@pytest.mark.parametrize("method", ["rosenbrock23", "rodas5p"])
def test_order_by_slope(method):
    """y' = -k y^2 + cos t by equal steps: the error of every lane falls as the step to the power of the order."""

    def field(t, y, k):
        return [-k * y[0] * y[0] + np.cos(t)]

    def solve(name, **options):
        return odekit.solve_ensemble(field, (0, 2), [0.5], (np.linspace(0.5, 4.0, 9),), name, **options)

    exact = solve("dop853", rtol=1e-13, atol=1e-13, tier="single").y_end
    counts, order = {"rosenbrock23": ([100, 200, 400], 2), "rodas5p": ([20, 40, 80], 5)}[method]
    equal = {"tier": "fused", "rtol": 1.0, "atol": 1e9}
    runs = [solve(method, first_step=2 / count, max_step=2 / count, **equal) for count in counts]
    assert all((run.naccept == count).all() for run, count in zip(runs, counts, strict=True))
    errors = np.array([abs(run.y_end - exact)[:, 0] for run in runs])
    slopes = np.log2(errors[0] / errors[2]) / 2
    assert (abs(slopes - order) < 0.35).all(), slopes


def test_a_singular_member():
    """From t = 1 on one member's I / (h gamma) - J has two equal rows, however small the step."""

    def field(t, y, late):
        size = late if t > 1.0 else -1.0
        return [size * (y[0] + y[1]), size * (y[0] + y[1])]

    # the second rests at y0 = -y1, the sum of the others falls
    late, starts = np.array([-1.0, 1e300, -1.0, -1.0]), np.array([[1.0, 2.0], [1.0, -1.0], [0.5, 1.0], [2.0, 1.0]])
    times, others = np.linspace(0, 3, 13), [0, 2, 3]
    fused, single = (
        odekit.solve_ensemble(field, (0, 3), starts, (late,), "rodas5p", tier=tier, t_eval=times, executor=1)
        for tier in ("fused", "single")
    )
    for ensemble in (fused, single):
        assert ensemble.retcode.tolist() == [0, Retcode.SINGULAR, 0, 0]
        assert "singular" in ensemble.describe(1) and 1.0 < ensemble.t_end[1] < 3.0
        reached = times <= ensemble.t_end[1]
        assert (ensemble.y[1][:, reached] == [[1.0], [-1.0]]).all() and np.isnan(ensemble.y[1][:, ~reached]).all()
        assert np.isnan(ensemble.y_end[1]).all()
        sums = starts[others].sum(axis=1)[:, None] * np.exp(-2 * times)
        np.testing.assert_allclose(ensemble.y[others].sum(axis=1), sums, rtol=1e-4, atol=1e-7)
    alone = odekit.solve_ensemble(field, (0, 3), starts[others], (late[others],), "rodas5p", tier="fused", t_eval=times)
    for name in ("y", "nfev", "njev", "naccept", "h_end"):
        assert (getattr(alone, name) == getattr(fused, name)[others]).all()


def test_what_cannot_be_differentiated_runs_otherwise_and_says_why():
    def gamma(t, y, k):
        return [-k * math.gamma(1.0 + y[0] * y[0])]

    for method in ("rodas5p", "auto"):
        ensemble = odekit.solve_ensemble(gamma, (0, 1), [0.5], (np.array([1.0, 2.0]),), method)
        assert (
            ensemble.tier == "single" and "cannot be differentiated" in ensemble.tier_reason and ensemble.success.all()
        )


SCRIPT = """
    import numpy as np, odekit
    from odekit import _jit
    def field(t, y, k):
        return [-k * (y[0] - np.cos(t))]
    ensemble = odekit.solve_ensemble(field, (0, 2), [0.0], (np.array([1.0, 1e4]),))
    hits = [k.cache_hits for k in _jit.functions.values() if k.__name__.startswith(("lanes_", "jacobian_"))]
    print(ensemble.tier, ensemble.nswitch, abs(ensemble.y_end[1, 0] - np.cos(2.0)) < 1e-3, hits)
"""


def test_the_second_process_compiles_nothing(tmp_path):
    def run():
        env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(SCRIPT)],
            capture_output=True,
            text=True,
            env=env,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip(), sorted(path.name for path in tmp_path.rglob("*.nb*"))

    first, files = run()
    assert first == "fused [0 1] True [0, 0, 0]"
    assert run() == ("fused [0 1] True [1, 1, 1]", files)
