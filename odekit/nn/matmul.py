"""Matrix products in compiled code, written into memory that the caller gives.

BLAS through the symbol behind Numba's own ``np.dot``: without its checks (a third of a microsecond, as long as a product of
a small network takes), with accumulation into the result, and without reference counts.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from .. import _jit


def _gemm_intrinsic(transpose_a, transpose_b):
    """C = op(A) op(B) + beta C for C-order matrices: BLAS, column-major, sees them transposed and computes C^T."""

    @intrinsic
    def gemm(typingctx, a, b, beta, c):
        signature = types.int32(a, b, types.float64, c)

        def codegen(context, builder, signature, args):
            char, void_p, long = ir.IntType(8), ir.IntType(8).as_pointer(), ir.IntType(64)
            a, b, c = (make_array(signature.args[i])(context, builder, args[i]) for i in (0, 1, 3))
            data = [builder.bitcast(m.data, void_p) for m in (a, b, c)]
            shape = [cgutils.unpack_tuple(builder, m.shape, 2) for m in (a, b, c)]
            alpha = cgutils.alloca_once_value(builder, ir.Constant(ir.DoubleType(), 1.0))
            beta = cgutils.alloca_once_value(builder, args[2])
            alpha, beta = builder.bitcast(alpha, void_p), builder.bitcast(beta, void_p)
            function_type = ir.FunctionType(
                ir.IntType(32), [char] * 3 + [long] * 3 + [void_p, void_p, long, void_p, long, void_p, void_p, long]
            )
            function = cgutils.get_or_insert_function(builder.module, function_type, "numba_xxgemm")
            flag = [ir.Constant(char, ord("t" if transposed else "n")) for transposed in (transpose_b, transpose_a)]
            inner = shape[0][0] if transpose_a else shape[0][1]
            return builder.call(
                function,
                [ir.Constant(char, ord("d")), *flag, shape[2][1], shape[2][0], inner, alpha]
                + [data[1], shape[1][1], data[0], shape[0][1], beta, data[2], shape[2][1]],
            )

        return signature, codegen

    return gemm


if _jit.JIT_DISABLED:

    def _python_gemm(transpose_a, transpose_b):
        def gemm(a, b, beta, c):
            c *= 0.0 if beta == 0.0 else beta
            product = (a.T if transpose_a else a) @ (b.T if transpose_b else b)
            c[...] = product if beta == 0.0 else c + product

        return gemm

    _nn, _tn, _nt = _python_gemm(False, False), _python_gemm(True, False), _python_gemm(False, True)
else:
    _nn, _tn, _nt = _gemm_intrinsic(False, False), _gemm_intrinsic(True, False), _gemm_intrinsic(False, True)


@_jit.core
def matmul(a, b, c):
    """c = a b."""
    _nn(a, b, 0.0, c)


@_jit.core
def add_matmul(a, b, c):
    """c += a b."""
    _nn(a, b, 1.0, c)


@_jit.core
def matmul_transposed(a, b, c):
    """c = a^T b."""
    _tn(a, b, 0.0, c)


@_jit.core
def add_outer(a, b, c):
    """c += a b^T."""
    _nt(a, b, 1.0, c)


# Reassociation makes the sum a vector reduction; its order is still fixed for a given number of lanes.
@_jit.njit(**{**_jit.CORE_OPTIONS, "fastmath": _jit.FASTMATH | {"reassoc"}})
def add_row_sums(a, c):
    """c += sum of each row of a."""
    for i in range(a.shape[0]):
        total = 0.0
        for j in range(a.shape[1]):
            total += a[i, j]
        c[i] += total


@_jit.core
def fill_rows(c, bias):
    """c[i, :] = bias[i]."""
    for i in range(c.shape[0]):
        for j in range(c.shape[1]):
            c[i, j] = bias[i]
