"""Kernels that come with the wheel: the same numbers without Numba's work, and on such a processor without LLVM's."""

import os
import subprocess
import sys
import textwrap

import pytest
from llvmlite import binding
from numba.core.registry import cpu_target

from odekit import _jit, _shipped, _stamp

pytestmark = pytest.mark.skipif(_jit.JIT_DISABLED, reason="nothing is compiled")

SCRIPT = """
    import pathlib, sys
    import numpy as np
    from odekit import _jit, _kernel_cache, _parts, _shipped
    from odekit._templates import Filling, linked_address
    from numba import types

    def run():
        kernels = "def total(x):\\n    s = 0.0\\n    for v in x:\\n        s += v / 3\\n    return s\\n"
        total = _jit.kernel(_jit.exec_source(kernels, "total", {}))
        field = _jit.part(**_jit.PART_OPTIONS)(lambda t: (t + 0.5, 0))
        filling = Filling(field, (types.float64,), types.Tuple((types.float64, types.int64)))
        steps = "def step(fn, iw, w, p):\\n    w[0], raised = field(w[0])\\n    return raised\\n"
        step = _jit.exec_source(steps, "step", {"field": filling.placeholder("field")})
        address = linked_address(step, _jit.STEP_SIGNATURE, {"field": filling}, "half more")
        w, n = np.array([1.0]), np.zeros(1, dtype=np.int64)
        _jit.STEP_CTYPE(address)(*(np.ctypeslib.as_ctypes(array) for array in (n, n, w, w)))
        print(total(np.array([1.0, 2.0, 4.0])).hex(), w[0], list(total.stats.cache_hits.values()))

    def forbidden(*args):
        raise RuntimeError("compiled by Numba")

    def counted(*args):
        print("finished")
        return finished(*args)

    finished, _kernel_cache.finished = _kernel_cache.finished, counted
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
    def run(do, cache, **variables):
        command = [sys.executable, "-c", textwrap.dedent(SCRIPT), do, str(tmp_path / "kernels")]
        env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / cache), **variables}
        return subprocess.run(command, capture_output=True, text=True, env=env, timeout=300, check=False)

    built = run("build", "first")
    assert built.returncode == 0, built.stderr
    number = built.stdout.split()[0]
    assert float.fromhex(number) == pytest.approx(7 / 3) and built.stdout.split()[1:] == ["1.5", "[]"]
    assert len(list((tmp_path / "kernels").iterdir())) == 4  # the stamp, a kernel twice, a template
    for _ in range(2):  # of the template the second time from the machine code that was kept
        used = run("use", "second")
        assert used.returncode == 0, used.stderr
        assert used.stdout.split() == [number, "1.5", "[1]"]
    for word in (["finished"], []):  # another processor: from bitcode, then from what was kept
        used = run("use", "third", NUMBA_CPU_NAME="generic")
        assert used.returncode == 0, used.stderr
        assert used.stdout.split() == [*word, number, "1.5", "[1]"]
    stamp = tmp_path / "kernels" / "stamp.txt"
    stamp.write_text(stamp.read_text() + " of another Numba")
    assert "compiled by Numba" in run("use", "fourth").stderr


def test_the_kernels_of_an_installed_wheel_belong_to_its_sources():
    if not _shipped.FOLDER.exists():
        pytest.skip("odekit runs from its sources, not from a wheel that carries kernels")
    assert _shipped._fits(_shipped.FOLDER)


def test_code_for_a_kind_of_processors_runs_on_this_one_if_it_is_of_that_kind():
    codegen = cpu_target.target_context.codegen()
    own, of_level = _stamp.processors(codegen)
    assert own == codegen.magic_tuple()
    features = binding.get_host_cpu_features()
    named = [name.removeprefix("+") for name in of_level[2].split(",")] if len(of_level) == 3 else []
    assert all(features[name] for name in named)
    assert (of_level[1:2] == (_stamp.LEVEL,)) == (bool(named) and not features.get("avx512f"))
