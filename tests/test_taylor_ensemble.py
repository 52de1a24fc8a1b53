"""Taylor series side by side: the numbers of the single tier, the same bits whatever stands beside them, a cache for other processes."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import odekit
from odekit import Retcode, _jit
from odekit.solvers import fused_kernels

pytestmark = pytest.mark.skipif(_jit.JIT_DISABLED, reason="generated code needs the compiler")

RHO = np.linspace(0, 21, 150)
OPTIONS = {"rtol": 1e-9, "atol": 1e-9}


def lorenz(t, u, rho):
    x, y, z = u
    return [10.0 * (y - x), x * (rho - z) - y, x * y - 8.0 / 3.0 * z]


def test_the_numbers_of_the_single_tier():
    fused, single = (odekit.solve_ensemble(lorenz, (0, 5), [1.0, 0.0, 0.0], (RHO,), "taylor14", tier=tier, executor=1, **OPTIONS)
                     for tier in ("fused", "single"))  # fmt: skip
    assert (fused.tier, single.tier) == ("fused", "single") and fused.success.all()
    np.testing.assert_allclose(fused.y_end, single.y_end, rtol=1e-7, atol=1e-8)
    for name in ("nfev", "naccept", "nreject"):
        assert (getattr(fused, name) == getattr(single, name)).all(), name
    for chosen in ({"executor": 2}, {"executor": 2, "chunksize": 7}, {"chunksize": 1}):
        other = odekit.solve_ensemble(lorenz, (0, 5), [1.0, 0.0, 0.0], (RHO,), "taylor14", **OPTIONS, **chosen)
        assert (other.y_end == fused.y_end).all()


def test_a_failing_member_changes_no_other():
    def grows(t, y, size):
        return [size * y[0] * y[0]]

    sizes = np.array([0.1, 2.5, -1.0, 0.3])
    ensemble = odekit.solve_ensemble(grows, (0, 1), [1.0], (sizes,), "taylor14", tier="fused", **OPTIONS)
    assert ensemble.retcode.tolist() == [Retcode.SUCCESS, Retcode.STEP_TOO_SMALL, Retcode.SUCCESS, Retcode.SUCCESS]
    good = [0, 2, 3]
    np.testing.assert_allclose(ensemble.y_end[good, 0], 1 / (1 - sizes[good]), rtol=1e-8)
    assert np.isnan(ensemble.y_end[1, 0]) and abs(ensemble.t_end[1] - 0.4) < 1e-6


def test_a_formula_that_is_too_long_for_lanes_runs_in_the_single_tier(monkeypatch):
    monkeypatch.setattr(fused_kernels, "MOST_PRODUCTS", 10)
    ensemble = odekit.solve_ensemble(lorenz, (0, 1), [1.0, 0.0, 0.0], (RHO[:3],), "taylor14", **OPTIONS)
    assert ensemble.tier == "single" and "the formula of fun is too long for lanes" in ensemble.tier_reason


@pytest.mark.thorough
def test_functions_of_the_c_library_on_request():
    def pendulum(t, y, rate):
        return [y[1], -rate * np.sin(y[0])]

    ours, theirs = (
        odekit.solve_ensemble(pendulum, (0, 5), [1.0, 0.0], (np.linspace(1, 2, 5),), "taylor14", vmath=vmath, tier="fused", **OPTIONS)
        for vmath in (True, False)
    )  # fmt: skip
    np.testing.assert_allclose(ours.y_end, theirs.y_end, rtol=1e-7)
    assert (ours.y_end != theirs.y_end).any()


def test_the_next_process_compiles_nothing(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        import numpy as np, odekit
        def pendulum(t, y, rate):
            return [y[1], -rate * np.sin(y[0])]
        odekit.solve_ivp(pendulum, (0, 1), [1.0, 0.0], "taylor14", args=(2.0,))
        odekit.solve_ensemble(pendulum, (0, 1), [1.0, 0.0], (np.ones(3),), "taylor14", tier="fused")
        """)
    )
    kept = []
    for _ in range(2):
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        subprocess.run([sys.executable, script], env=environment, check=True, capture_output=True)
        kept.append({path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*") if path.is_file()})
    assert kept[0] == kept[1] and kept[0]
