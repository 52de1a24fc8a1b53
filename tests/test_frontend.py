"""The front end of kernels: what it writes computes what Python computes, and what it does not know it leaves to Numba."""

import math
import types as python_types

import numpy as np
import pytest
from numba import types
from numba.core.compiler import Compiler

from odekit import _jit
from odekit._parts import KernelCompiler

if not _jit.JIT_DISABLED:
    from odekit._frontend import Unsupported, translate

pytestmark = pytest.mark.skipif(_jit.JIT_DISABLED, reason="nothing is compiled")

TABLE, NESTED, ARRAY, SIZES = (2.0, 3.0, 5.0), ((1, 2), (3, 4), (5, 6)), np.array([[1.5, 2.5], [3.5, 4.5]]), (3, 1, 2)
INTEGERS = (-7, -4, -3, -1, 0, 1, 2, 3, 5)


@_jit.core
def _arithmetic(i, j, x, out):
    out[0], out[1] = (i // j, i % j) if j != 0 else (0, 0)
    out[2], out[3], out[4] = i + j * 2 - 1, i / 4, i**3
    out[5] = x**2 - x * 0.25 + abs(i) + abs(x)
    out[6], out[7] = min(i, j, 2), max(x, i)
    out[8] = float(i > j) + (i != j) * 2 + int(x)
    out[9] = math.copysign(math.sqrt(abs(x)), -x) + math.floor(x) + math.exp(-abs(x))
    out[10] = -i if not i < j <= 3 else -x
    out[8] += (x + 3.5) ** j + (x + 3.0) ** 0.5
    return i & 3, x > 0.0


@_jit.core
def _early(x, limit):
    for i in range(x.size):
        if x[i] > limit:
            return i
    return -1


@_jit.core
def _flow(i, j, out):
    total = 0  # becomes a floating-point number below: so it is one from the beginning
    for k in range(j, i, -2):
        if k == 3:
            continue
        if k < -5:
            break
        total += k
    for k in range(0, 7, abs(i) + 1):
        total += 0.5 * k
    while i < j:
        i += 2
        total -= 1
    for n in SIZES:
        total += n * out[n]
    for value in out:
        total += value
    out[0] = total
    out[1] = _early(out, 2.5)
    out[2] = 1.0 if (i > 0 and out[i] > 0.5) or j == 1 else -1.0


@_jit.core
def _rows(a, k, out):
    row, (m, n) = a[k], a.shape
    for i in range(row.size):
        out[i] += row[i] * TABLE[k] + NESTED[k][i] + ARRAY[k % 2, i]
    tail = out[n:]
    tail[0], tail[-1] = m, a[-1, 0]
    out[1:3][0] -= 100.0
    y = row
    y = out if k > 1 else out[1:]
    return y.size


@_jit.core
def _extremes(x, y):
    return min(x, y), max(x, y), math.isnan(x), math.isfinite(y)


@_jit.core
def _defaults(x, scale=2.0, shifted=True):
    return x * scale + (1.0 if shifted else 0.0)


@_jit.core
def _calls(x, missing):
    if missing is not None:
        return missing[0]
    return _defaults(x) + _defaults(x, shifted=False) + _defaults(x, 3.0)


@_jit.kernel
def _kernel(i, j, x, out, a, b, c):
    bits, positive = _arithmetic(i, j, x, out)
    _flow(i, j, b)
    size = _rows(a, 1 + bits % 2, c)
    return bits, positive, size, _extremes(x, out[3]), _calls(x, None)


def _python(function, memo):
    """The same functions as plain Python."""
    plain = function.py_func
    if plain not in memo:
        scope = dict(plain.__globals__)
        copy = memo[plain] = python_types.FunctionType(
            plain.__code__, scope, plain.__name__, plain.__defaults__, plain.__closure__
        )
        for name, value in plain.__globals__.items():
            if hasattr(value, "py_func"):
                scope[name] = memo[value.py_func] if value.py_func in memo else _python(value, memo)
        return copy
    return memo[plain]


@pytest.fixture(scope="module")
def plain():
    return _python(_kernel, {})


@pytest.mark.parametrize("i", INTEGERS)
@pytest.mark.parametrize("x", [-2.75, 0.0, 1.5])
def test_a_kernel_computes_what_python_computes(plain, i, x):
    for j in INTEGERS[::2]:
        given = [
            np.linspace(-1.0, 3.0, 11),
            np.arange(6.0).reshape(3, 2),
            np.linspace(0.0, 4.0, 9),
            np.linspace(5.0, 6.0, 6),
        ]
        wanted = [array.copy() for array in given]
        found = _kernel(i, j, x, given[0], given[1], given[2], given[3])
        expected = plain(i, j, x, wanted[0], wanted[1], wanted[2], wanted[3])
        assert found == expected
        for one, other in zip(given, wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-15)


def test_none_of_it_is_numbas(monkeypatch):
    _kernel(1, 2, 0.5, np.ones(11), np.ones((3, 2)), np.ones(9), np.ones(6))

    def refuse(*_):
        raise AssertionError("compiled by Numba")

    monkeypatch.setattr(Compiler, "compile_extra", refuse)
    dispatcher = _jit.njit(pipeline_class=KernelCompiler, **_jit.UNCACHED_OPTIONS)(_kernel.py_func)
    dispatcher.compile(next(iter(_kernel.signatures)))
    assert len(dispatcher.overloads) == 1


def test_nan_goes_the_way_of_python():
    for pair in ((math.nan, 1.0), (1.0, math.nan), (math.inf, -math.inf)):
        np.testing.assert_equal(_extremes(*pair), _extremes.py_func(*pair))


def _allocates(n):
    return np.zeros(n).sum()


@_jit.core
def _complex(z):
    return z.real


def _raises(x):
    raise ValueError


def test_what_is_not_known_is_left_to_numba():
    for function, kind in ((_allocates, types.int64), (_complex.py_func, types.complex128), (_raises, types.float64)):
        with pytest.raises(Unsupported):
            translate(function, [kind])
    assert _complex(2.0 + 1.0j) == 2.0


def test_equal_functions_have_equal_names_and_others_have_not():
    one = translate(_early.py_func, [types.float64[::1], types.float64])
    assert one is translate(_early.py_func, [types.Array(types.float64, 1, "C", readonly=True), types.float64])
    other = translate(_early.py_func, [types.float64[::1], types.int64])
    assert one.name != other.name


def test_the_flags_of_the_arithmetic_are_those_that_are_asked_for():
    unit = translate(_defaults.py_func, [types.float64] * 2 + [types.boolean], ("contract", "reassoc"))
    assert "fmul contract reassoc" in unit.text or "fmul reassoc contract" in unit.text
