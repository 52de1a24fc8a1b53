"""Parts of kernels are compiled where they are called, and nowhere else."""

import re

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


@_jit.core_apart
def _double(out):
    for i in range(out.size):
        out[i] *= 2.0


@_jit.njit(error_model="numpy")
def _caller(x, out):
    _add_squares(x, out)
    _add_squares(out, out)


@_jit.njit(error_model="numpy")
def _caller_of_one_apart(out):
    _double(out)
    _double(out)


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


def test_a_part_that_stays_apart_is_a_function_in_the_module_of_its_caller():
    out = np.ones(2)
    _caller_of_one_apart(out)
    assert out.tolist() == [4.0, 4.0]
    code = _caller_of_one_apart.inspect_llvm(_caller_of_one_apart.signatures[0])
    assert len(re.findall(r"^define .*_double", code, re.MULTILINE)) == 1
    assert len(re.findall(r"^ .*call .*_double", code, re.MULTILINE)) == 2
