"""What all elementary functions are made of: the bits of a number, and sums whose rounding errors are kept."""

import math
from fractions import Fraction

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .. import _jit

# Only contraction: a reciprocal in place of a division would cost an ulp, and signed zeros matter here.
elementary = _jit.part(**{**_jit.PART_OPTIONS, "fastmath": {"contract"}, "forceinline": True})

LN2 = 0.6931471805599453
LN2_HI = 6.93147180369123816490e-01  # log(2) rounded to 32 bits: n * LN2_HI is exact (fdlibm, e_exp.c)
LN2_LO = 1.90821492927058770002e-10
LOG2_E = 1.4426950408889634
ROUND = 6755399441055744.0  # 1.5 * 2**52: adding it rounds to an integer, which the low bits then hold
SMALLEST_NORMAL = 2.2250738585072014e-308


@intrinsic
def _bits_of(typingctx, x):
    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), codegen


@intrinsic
def _float_of(typingctx, bits):
    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), codegen


@intrinsic
def _fused(typingctx, a, b, c):
    def codegen(context, builder, signature, args):
        return builder.fma(*args)

    return types.float64(types.float64, types.float64, types.float64), codegen


if _jit.JIT_DISABLED:

    def bits(x):
        """The 64 bits of x as an integer."""
        return np.float64(x).view(np.int64)

    def from_bits(x):
        """The number that has these 64 bits."""
        return np.int64(x).view(np.float64)

    def fma(a, b, c):
        """a b + c, rounded once."""
        if not (math.isfinite(a) and math.isfinite(b) and math.isfinite(c)):
            return a * b + c
        try:
            return float(Fraction(a) * Fraction(b) + Fraction(c))
        except OverflowError:
            return a * b + c

else:
    bits, from_bits, fma = _bits_of, _float_of, _fused


@elementary
def two_sum(a, b):
    """a + b as a rounded sum and its exact error (Knuth)."""
    s = a + b
    back = s - a
    return s, (a - (s - back)) + (b - back)


@elementary
def two_difference(a, b):
    """a - b as a rounded difference and its exact error (Knuth)."""
    d = a - b
    back = d - a
    return d, (a - (d - back)) - (b + back)


@elementary
def power_of_two(shifted, offset):
    """2**(n + offset), a normal number, for the n in the low bits of `shifted` (see `ROUND`)."""
    return from_bits((bits(shifted) + (1023 + offset)) << 52)


@elementary
def half_powers(shifted):
    """Two powers of two, both normal numbers, whose product is 2**n, for the n in the low bits of `shifted`."""
    n = shifted - ROUND
    half = n * 0.5 + ROUND
    other = (n - (half - ROUND)) + ROUND
    return power_of_two(half, 0), power_of_two(other, 0)
