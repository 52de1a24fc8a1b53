"""Parts of kernels are compiled where they are called, and nowhere else."""

import numpy as np
import pytest

from odekit import _jit

pytestmark = pytest.mark.skipif(_jit.JIT_DISABLED, reason="nothing is compiled")


@_jit.core
def _square(x):
    return x * x


@_jit.core
def _add_squares(x, out):
    for i in range(out.size):
        out[i] += _square(x[i])


@_jit.njit(error_model="numpy")
def _caller(x, out):
    _add_squares(x, out)
    _add_squares(out, out)


def test_a_part_is_in_the_code_of_its_caller_and_has_none_of_its_own():
    out = np.ones(2)
    _caller(np.array([1.0, 2.0]), out)
    assert out.tolist() == [6.0, 30.0]
    (library,) = (compiled.library for compiled in _add_squares.overloads.values())
    assert "_square" in library.get_llvm_str()
    assert not library.codegen._engine.is_symbol_defined(
        next(iter(_add_squares.overloads.values())).fndesc.mangled_name
    )
    assert "vector.body" in _caller.inspect_llvm(_caller.signatures[0])  # optimised there


def test_a_part_called_from_python_is_compiled_for_that():
    out = np.ones(2)
    _add_squares(np.array([1.0, 2.0]), out)
    assert out.tolist() == [2.0, 5.0]
