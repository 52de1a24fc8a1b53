"""Compiled kernels: found again on disk by the next process, never stale, and alive without the compiler."""

import os
import subprocess
import sys
import textwrap

import pytest

from odekit import _jit, _shipped

SOLVE = """
    import numpy as np, odekit
    def lorenz(t, y, rho):
        return [10 * (y[1] - y[0]), y[0] * (rho - y[2]) - y[1], y[0] * y[1] - 8 / 3 * y[2]]
    def event(t, y, rho):
        return y[0]
    for method in ("auto", "radau"):
        sol = odekit.solve_ivp(lorenz, (0, 1), [1.0, 0, 0], method=method, args=(28.0,), events=event, dense_output=True)
        print(sol.nfev, repr(float(sol.y[0, -1])))
"""
REPORT = """
    from odekit import _jit
    from odekit.solvers import driver, integrate
    hits = [sum(k.stats.cache_hits.values()) for k in (driver.advance, integrate.start)]
    misses = [sum(k.stats.cache_misses.values()) for k in (driver.advance, integrate.start)]
    print(hits, misses, [f.cache_hits for f in _jit.functions.values() if "step_" in f.__name__ or f.__name__ == "step"])
"""


def run(script, folder, **environment):
    env = {**os.environ, "NUMBA_CACHE_DIR": str(folder), **environment}
    done = subprocess.run(  # -P: odekit as it is installed, not from the folder that the tests are run in
        [sys.executable, "-P", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        env=env,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr


@pytest.mark.skipif(_jit.JIT_DISABLED, reason="looks at compiled code")
def test_the_second_process_compiles_nothing(tmp_path):
    script = textwrap.dedent(SOLVE) + textwrap.dedent(REPORT)
    first, announcement = run(script, tmp_path)
    shipped = _shipped._fits(_shipped.FOLDER)  # in a wheel all of these are
    assert announcement.count("odekit: compiling solvers for this machine") == (0 if shipped else 1)
    files = sorted(path.name for path in tmp_path.rglob("*.nb*"))
    second, silence = run(script, tmp_path)
    assert second[:2] == first[:2] and silence == ""
    assert second[2] == "[1, 1] [0, 0] [1, 1]"
    assert files == sorted(path.name for path in tmp_path.rglob("*.nb*"))  # nothing piles up


def test_a_kernel_of_other_sources_is_not_used(tmp_path, monkeypatch):
    locator = _jit._PackageCacheLocator(_jit.package_stamp.__wrapped__, _jit.__file__)
    before = locator.get_source_stamp()
    monkeypatch.setattr(_jit, "package_stamp", lambda networks: "edited")
    assert locator.get_source_stamp() == "edited" != before


def test_generated_functions_never_share_a_name():
    one = _jit.exec_source("def f():\n    return 1\n", "f", {})
    two = _jit.exec_source("def f():\n    return 2\n", "f", {})
    assert one.__name__ != two.__name__ and (one(), two()) == (1, 2)


def test_without_the_compiler(tmp_path):
    """The same steps and the same numbers to rounding as plain Python: what a debugger and coverage see."""
    compiled, _ = run(SOLVE, tmp_path)
    plain, _ = run(SOLVE, tmp_path, NUMBA_DISABLE_JIT="1")
    for (evaluations, value), (plain_evaluations, plain_value) in zip(
        map(str.split, compiled), map(str.split, plain), strict=True
    ):
        assert float(value) == pytest.approx(float(plain_value), rel=1e-4)
        # without complex step the Jacobian is a difference quotient, which costs evaluations
        assert int(evaluations) <= int(plain_evaluations)
    assert compiled[0].split()[0] == plain[0].split()[0]
