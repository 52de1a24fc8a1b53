"""Half-integer powers in right-hand sides: the numbers of ``pow``, by square roots."""

import numpy as np
import pytest
from numba import njit

from odekit import _jit
from odekit._passes import compiler
from odekit._powers import HALF_POWERS, HalfPowers
from odekit._returns import ReturnTuples

pytestmark = pytest.mark.skipif(_jit.JIT_DISABLED, reason="a pass of the compiler")


def compiled(function):
    return njit(pipeline_class=compiler(HalfPowers, ReturnTuples), error_model="numpy")(function)


@compiled
def powers(x):
    return [x**0.5, x**1.5, x**2.5, x**-0.5, x**-1.5, x**-2.5]


@pytest.mark.parametrize("x", [0.0, 5e-324, 1e-200, 3e-5, 0.7, 1.0, 2.0, 1e10, 1e200, np.inf, np.nan, -1.0])
def test_the_numbers_of_pow(x):
    with np.errstate(all="ignore"):
        expected = [np.float64(x) ** exponent for exponent in HALF_POWERS]
        np.testing.assert_allclose(powers(x), expected, rtol=5e-16)


def test_integers_complex_numbers_and_arrays():
    assert powers(4) == (2.0, 8.0, 32.0, 0.5, 0.125, 0.03125)
    z = 0.3 + 1e-40j
    np.testing.assert_allclose(compiled(lambda z: z**1.5)(z).imag, 1.5 * 0.3**0.5 * 1e-40, rtol=1e-15)
    y = np.array([1.0, 2.0])
    np.testing.assert_allclose(compiled(lambda y: y**-1.5)(y), y**-1.5, rtol=5e-16)


def test_no_call_of_pow_is_left_and_others_stay():
    def llvm(function):
        (text,) = function.inspect_llvm().values()
        return text

    kepler, other = compiled(lambda x: 1.0 / x**1.5), compiled(lambda x: x**1.4)
    assert (kepler(2.0), other(2.0)) == (pytest.approx(2**-1.5), 2**1.4)
    assert "llvm.pow" not in llvm(kepler)
    assert "llvm.pow" in llvm(other)
