"""Kernels that come with the wheel as bitcode: the same machine code, without Numba's part of the work."""

import os
import subprocess
import sys
import textwrap

import pytest

from odekit import _jit, _shipped

pytestmark = pytest.mark.skipif(_jit.JIT_DISABLED, reason="nothing is compiled")

SCRIPT = """
    import pathlib, sys
    import numpy as np
    from odekit import _jit, _parts, _shipped
    from odekit._templates import Filling, linked_address
    from numba import types

    def run():
        kernels = "def total(x):\\n    s = 0.0\\n    for v in x:\\n        s += v / 3\\n    return s\\n"
        total = _jit.kernel(_jit.exec_source(kernels, "total", {}))
        field = _jit.part(**_jit.PART_OPTIONS)(lambda t: (t + 0.5, 0))
        filling = Filling(field, 1, types.Tuple((types.float64, types.int64)))
        steps = "def step(fn, iw, w, p):\\n    w[0], raised = field(w[0])\\n    return raised\\n"
        step = _jit.exec_source(steps, "step", {"field": filling.placeholder("field")})
        address = linked_address(step, _jit.STEP_SIGNATURE, {"field": filling}, "half more")
        w, n = np.array([1.0]), np.zeros(1, dtype=np.int64)
        _jit.STEP_CTYPE(address)(*(np.ctypeslib.as_ctypes(array) for array in (n, n, w, w)))
        print(total(np.array([1.0, 2.0, 4.0])).hex(), w[0], list(total.stats.cache_hits.values()))

    def forbidden(*args):
        raise RuntimeError("compiled by Numba")

    folder = pathlib.Path(sys.argv[2])
    if sys.argv[1] == "build":
        with _shipped.recording(folder):
            run()
    else:
        _shipped.FOLDER = folder
        _parts.KernelCompiler.compile_extra = forbidden
        run()
"""


def test_shipped_kernels_are_not_compiled_by_numba(tmp_path):
    def run(do, cache):
        command = [sys.executable, "-c", textwrap.dedent(SCRIPT), do, str(tmp_path / "kernels")]
        env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / cache)}
        return subprocess.run(command, capture_output=True, text=True, env=env, timeout=300, check=False)

    built = run("build", "first")
    assert built.returncode == 0, built.stderr
    number = built.stdout.split()[0]
    assert float.fromhex(number) == pytest.approx(7 / 3) and built.stdout.split()[1:] == ["1.5", "[]"]
    assert len(list((tmp_path / "kernels").iterdir())) == 3  # the stamp, a kernel, a template
    for _ in range(2):  # from bitcode, then from the machine code that was kept
        used = run("use", "second")
        assert used.returncode == 0, used.stderr
        assert used.stdout.split() == [number, "1.5", "[1]"]
    stamp = tmp_path / "kernels" / "stamp.txt"
    stamp.write_text(stamp.read_text() + " of another Numba")
    assert "compiled by Numba" in run("use", "third").stderr


def test_the_kernels_of_an_installed_wheel_belong_to_its_sources():
    if not _shipped.FOLDER.exists():
        pytest.skip("odekit runs from its sources, not from a wheel that carries kernels")
    assert _shipped._fits(_shipped.FOLDER)
