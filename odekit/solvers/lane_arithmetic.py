"""Arithmetic of generated lane code: selection without branches, logarithm and power of two that vectorise."""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .. import _jit


@intrinsic
def pointer(typingctx, address):
    """The address of a float64 array as a pointer, which is indexed without bounds."""

    def codegen(context, builder, signature, args):
        return builder.inttoptr(args[0], ir.DoubleType().as_pointer())

    return types.CPointer(types.float64)(types.int64), codegen


@intrinsic
def pointer_to(typingctx, array, index):
    """Where an element is, as a pointer to what begins there."""

    def codegen(context, builder, signature, args):
        return builder.gep(args[0], [args[1]])

    return array(array, types.int64), codegen


@intrinsic
def align_stack(typingctx):
    """Have the stack of the calling function begin at a line of the cache.

    LLVM does so for variables that ask for it, not for the vectors that it spills, which then lie across two lines each.
    """

    def codegen(context, builder, signature, args):
        place = cgutils.alloca_once(builder, ir.IntType(64))
        place.align = 64  # bytes
        used = ir.FunctionType(ir.VoidType(), [place.type])
        builder.asm(used, "", "r", [place], side_effect=True)
        return context.get_dummy_value()

    return types.none(), codegen


@intrinsic
def bits_of(typingctx, x):
    """The bits of a float64."""
    return types.int64(types.float64), lambda context, builder, signature, args: builder.bitcast(
        args[0], ir.IntType(64)
    )


@intrinsic
def float_of(typingctx, bits):
    """The float64 of given bits."""
    return types.float64(types.int64), lambda context, builder, signature, args: builder.bitcast(
        args[0], ir.DoubleType()
    )


@intrinsic
def trailing_zeros(typingctx, bits):
    """Place of the lowest bit that is set; 64 if none is."""
    return types.int64(types.int64), lambda context, builder, signature, args: builder.cttz(args[0], cgutils.false_bit)


def _frozen(builder, x):
    """A number whose origin LLVM does not look into (``freeze``, for which llvmlite has no function)."""
    frozen = ir.Instruction(builder.block, x.type, "freeze", [x])
    builder._insert(frozen)
    return frozen


@intrinsic
def select(typingctx, condition, a, b):
    """``a if condition else b`` of two numbers, both of which are computed: no branch.

    Where one of them is loaded from where the result is stored, LLVM would store through a mask: that takes 12 cycles on AMD Zen,
    and what reads it next waits for it. Frozen, they are blended and stored whole.
    """

    def codegen(context, builder, signature, args):
        chosen = context.cast(builder, args[0], types.boolean, types.boolean)
        return builder.select(chosen, *(_frozen(builder, x) for x in args[1:]))

    kind = types.float64 if types.float64 in (a, b) else types.int64
    return kind(types.boolean, kind, kind), codegen


TWO_52 = 2.0**52  # numbers from here on have no fraction: the low bits of such a sum hold an integer
ROUND = 1.5 * TWO_52
_TWO_52_BITS = 0x4330000000000000
_ONE_BITS = 0x3FF0000000000000
_MANTISSA, _HALF_BITS, _SHIFT = 0x000FFFFFFFFFFFFF, 0x3FE6A09E667F3BCD, 0x3FF0000000000000 - 0x3FE6A09E667F3BCD


@_jit.inlined_core
def log2_of(x):
    """Logarithm of a normal positive number to 1e-9, below what rounding leaves of an error estimate; it vectorises."""
    bits = bits_of(x) + _SHIFT  # x = 2^k m with sqrt(1/2) <= m < sqrt(2)
    f = float_of((bits & _MANTISSA) + _HALF_BITS) - 1.0
    u = f / (2.0 + f)
    z = u * u
    w = z * z
    low, high = 2.8853900817779268 + z * 0.9617966939259756, 0.5770780163555854 + z * 0.4121985831111324
    exponent = float_of((bits >> 52) | _TWO_52_BITS) - (TWO_52 + 1023.0)
    return exponent + u * (low + w * (high + w * 0.3205988979753252))


@_jit.inlined_core
def rough_log2_of(x):
    """Logarithm of a normal positive number to 0.09: exact at powers of two, and a straight line in between; it vectorises."""
    bits = bits_of(x)
    return float_of((bits >> 52) | _TWO_52_BITS) - (TWO_52 + 1024.0) + float_of((bits & _MANTISSA) | _ONE_BITS)


@_jit.inlined_core
def exp2_of(x):
    """Power of two to 1e-9, for |x| <= 100."""
    shifted = x + ROUND
    whole = shifted - ROUND
    r = (x - whole) * 0.6931471805599453
    z = r * r
    w = z * z
    low = (1.0 + r) + z * (0.5 + r * (1.0 / 6.0))
    high = (1.0 / 24.0 + r * (1.0 / 120.0)) + z * (1.0 / 720.0 + r * (1.0 / 5040.0))
    return (low + w * (high + w * (1.0 / 40320.0))) * float_of((bits_of(shifted) + 1023) << 52)
