"""Kernels around a user's function: found again by the next process, and never when anything in them has changed."""

import os
import subprocess
import sys
import textwrap

import pytest

from odekit import _jit

pytestmark = pytest.mark.skipif(_jit.JIT_DISABLED, reason="nothing is compiled")

SCRIPT = """
    import sys
    import numpy as np
    from numba import njit, prange
    from odekit import _callback, _parts, _user_kernel, _wrap
    from odekit._wrapper_source import Shape

    compiled = []

    class Counting(_parts.UserCompiler):
        def compile_extra(self, function):
            compiled.append(function)
            return super().compile_extra(function)

    _user_kernel.UserCompiler = Counting
    factor = float(sys.argv[1])

    @njit(fastmath=True)
    def jitted(a):
        return a + 1.0

    def helper(a):
        return factor * jitted(a)

    def with_helpers(t, y):
        return [helper(y[0]), -y[1]]

    def same_name():
        def field(t, y):
            return [1.0, 2.0]
        return field

    def other():
        def field(t, y):
            return [3.0, 4.0]
        field.__qualname__ = "same_name.<locals>.field"
        return field

    def messages(t, y):
        print("at", y[0], y)
        if y[1] > 5.0:
            raise ValueError("too large")
        return np.array([y[0], y[1]])

    @njit(parallel=True)
    def in_parallel(t, y):
        out = np.zeros(2)
        for i in prange(2):
            out[i] = y[i]
        return out

    def show(function, y=(1.0, 2.0)):
        kernel = _wrap.compile_kernel(function, Shape(2), ())
        print(*_callback.call(kernel.address, 0.0, np.array(y), 2, np.empty(0)))

    show(with_helpers)
    print("compiler", "loaded" if "scipy.linalg" in sys.modules else "absent")  # a third of a second
    show(same_name())
    show(other())
    show(messages)
    show(messages, (1.0, 9.0))
    show(in_parallel)
    print("compiled", len(compiled))
    for factor in (5.0, 6.0):
        show(with_helpers)
"""


def test_the_next_process_compiles_only_what_has_changed(tmp_path):
    def run(factor):
        command = [sys.executable, "-c", textwrap.dedent(SCRIPT), factor]
        env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def expected(first, compiler, count):
        same = ["1.0 2.0", "3.0 4.0", "at 1.0 [1. 2.]", "1.0 2.0", "at 1.0 [1. 9.]", "nan nan", "1.0 2.0"]
        return [first, f"compiler {compiler}", *same, f"compiled {count}", "10.0 -2.0", "12.0 -2.0"]

    def files():
        return {path.name for path in tmp_path.rglob("user-*")}

    assert run("3") == expected("6.0 -2.0", "loaded", 5)
    kept = files()
    assert run("3") == expected(
        "6.0 -2.0", "absent", 1
    )  # loops in parallel stay functions of their own, with Numba's own cache
    assert files() == kept  # values that change within a process leave nothing
    assert run("4") == expected("8.0 -2.0", "loaded", 2)
    assert len(files()) == len(kept) + 2  # an index and a kernel
