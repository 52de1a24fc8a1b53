"""Matrix products in compiled code, written into memory that the caller gives.

A and B are both float64 or both float32; C is of their type or float64. All are in C order, with contiguous rows: c (m, n), a (m,
k) and b (k, n), but a (k, m) where its transpose is multiplied, and b (n, k) for an outer product.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .. import _jit
from .._address import data_pointer
from . import products
from .vector_code import LONG, lanes_of

DEPTH = 256  # of the inner index at a time: so many rows of a panel of B stay in a first-level cache


@intrinsic
def _multiply(typingctx, m, n, k, a, a_start, a_row, a_column, b, b_start, c, add, bias):
    """``C = A B`` or, with `add`, ``C += A B``: A is given by its strides, B and C are n wide, in C order.

    The bias is a vector, or None.
    """
    i8 = types.int64
    signature = types.void(i8, i8, i8, a, i8, i8, i8, b, i8, c, i8, bias)

    def codegen(context, builder, signature, args):
        m, n, k, a, a_start, a_row, a_column, b, b_start, c, add, bias = args
        kinds = signature.args
        a = builder.gep(data_pointer(context, builder, kinds[3], a), [a_start])
        b = builder.gep(data_pointer(context, builder, kinds[7], b), [b_start])
        c = data_pointer(context, builder, kinds[9], c)
        element, total = (context.get_value_type(kinds[i].dtype) for i in (3, 9))
        if kinds[11] is types.none:
            bias, bias_row = cgutils.alloca_once_value(builder, ir.Constant(element, 0.0)), 0
        else:
            bias, bias_row = data_pointer(context, builder, kinds[11], bias), 1
        function = products.multiply(builder.module, element, total)
        bias_row = ir.Constant(LONG, bias_row)
        builder.call(function, [m, n, k, a, a_row, a_column, b, n, c, n, add, bias, bias_row])
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _transpose(typingctx, m, n, a, b):
    """B = A^T in squares, see `odekit.nn.products.transpose`; returns their size."""
    signature = types.int64(types.int64, types.int64, a, b)

    def codegen(context, builder, signature, args):
        m, n, *matrices = args
        kinds = signature.args[2:]
        a, b = (data_pointer(context, builder, kind, x) for kind, x in zip(kinds, matrices, strict=True))
        element = context.get_value_type(kinds[0].dtype)
        builder.call(products.transpose(builder.module, element), [m, n, a, b])
        return ir.Constant(LONG, lanes_of(element))

    return signature, codegen


@intrinsic
def _add_outer(typingctx, m, n, k, a, b, c):
    """C += A B^T."""
    i8 = types.int64
    signature = types.void(i8, i8, i8, a, b, c)

    def codegen(context, builder, signature, args):
        m, n, k, *matrices = args
        kinds = signature.args[3:]
        a, b, c = (data_pointer(context, builder, kind, x) for kind, x in zip(kinds, matrices, strict=True))
        element, total = (context.get_value_type(kinds[i].dtype) for i in (0, 2))
        builder.call(products.add_outer(builder.module, element, total), [m, n, k, a, k, b, k, c, n])
        return context.get_dummy_value()

    return signature, codegen


if _jit.JIT_DISABLED:

    def matmul(a, b, c):
        """c = a b."""
        c[...] = a @ b

    def add_matmul(a, b, c):
        """c += a b."""
        c += a @ b

    def affine(a, b, bias, c):
        """c = a b + bias, a number for each row."""
        c[...] = a @ b + bias[:, None]

    def matmul_transposed(a, b, c):
        """c = a^T b."""
        c[...] = a.T @ b

    def add_matmul_transposed(a, b, c):
        """c += a^T b."""
        c += a.T @ b

    def add_outer(a, b, c):
        """c += a b^T."""
        c += a @ b.T

    def transpose(a, b):
        """b = a^T."""
        b[...] = a.T

else:

    @_jit.core
    def _product(m, n, k, a, a_row, a_column, b, c, add):
        for q in range(0, k, DEPTH):
            adds = 1 if add or q > 0 else 0
            _multiply(m, n, min(DEPTH, k - q), a, q * a_column, a_row, a_column, b, q * n, c, adds, None)

    @_jit.core
    def matmul(a, b, c):
        """c = a b."""
        _product(c.shape[0], c.shape[1], b.shape[0], a, b.shape[0], 1, b, c, False)

    @_jit.core
    def add_matmul(a, b, c):
        """c += a b."""
        _product(c.shape[0], c.shape[1], b.shape[0], a, b.shape[0], 1, b, c, True)

    @_jit.core
    def affine(a, b, bias, c):
        """c = a b + bias, a number for each row."""
        m, n, k = c.shape[0], c.shape[1], b.shape[0]
        _multiply(m, n, min(DEPTH, k), a, 0, k, 1, b, 0, c, 0, bias)
        for q in range(DEPTH, k, DEPTH):
            _multiply(m, n, min(DEPTH, k - q), a, q, k, 1, b, q * n, c, 1, None)

    @_jit.core
    def matmul_transposed(a, b, c):
        """c = a^T b."""
        _product(c.shape[0], c.shape[1], b.shape[0], a, 1, c.shape[0], b, c, False)

    @_jit.core
    def add_matmul_transposed(a, b, c):
        """c += a^T b."""
        _product(c.shape[0], c.shape[1], b.shape[0], a, 1, c.shape[0], b, c, True)

    @_jit.core
    def add_outer(a, b, c):
        """c += a b^T."""
        _add_outer(c.shape[0], c.shape[1], a.shape[1], a, b, c)

    @_jit.core_apart
    def transpose(a, b):
        """b = a^T."""
        m, n = a.shape
        size = _transpose(m, n, a, b)
        for i in range(m):
            for j in range(n - n % size if i < m - m % size else 0, n):
                b[j, i] = a[i, j]


# Reassociation makes the sum a vector reduction; its order is still fixed for a given number of lanes.
@_jit.part(**{**_jit.PART_OPTIONS, "fastmath": _jit.FASTMATH | {"reassoc"}})
def add_row_sums(a, c):
    """c += sum of each row of a."""
    for i in range(a.shape[0]):
        total = a.dtype.type(0.0)
        for j in range(a.shape[1]):
            total += a[i, j]
        c[i] += total
