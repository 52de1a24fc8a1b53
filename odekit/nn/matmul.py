"""Matrix products in compiled code, written into memory that the caller gives.

BLAS through the symbol behind Numba's own ``np.dot``: without its checks (a third of a microsecond, as long as a product of
a small network takes), with accumulation into the result, and without reference counts. Large products are cut into tiles
that BLAS computes in one thread: its threads cost more than they give at these sizes (eight times as much where the cores
are busy), and the result would depend on their number.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from .. import _jit

TILE = 64  # OpenBLAS stays in one thread up to 64^3 multiplications (interface/gemm.c)


def _gemm_intrinsic(transpose_a, transpose_b):
    """``gemm(m, n, k, a, i, j, b, ...)``: C = op(A) op(B) + beta C with parts of C-order matrices.

    Each matrix is followed by the row and the column at which its part begins. BLAS, which counts by columns, sees the
    matrices transposed and computes C^T. A and B are both float64 or both float32; C is of their type, or float64: then it may have
    at most `TILE` rows and columns, and beta must not be 0 where C holds no numbers.
    """

    @intrinsic
    def gemm(typingctx, m, n, k, a, a_row, a_column, b, b_row, b_column, beta, c, c_row, c_column):
        if a.dtype != b.dtype:
            return None  # there is no such product
        i8 = types.int64
        signature = types.void(i8, i8, i8, a, i8, i8, b, i8, i8, types.float64, c, i8, i8)
        mixed, single = a.dtype != c.dtype, a.dtype == types.float32
        number, kind = (ir.FloatType(), "s") if single else (ir.DoubleType(), "d")

        def codegen(context, builder, signature, args):
            char, void_p, long = ir.IntType(8), ir.IntType(8).as_pointer(), ir.IntType(64)
            data, stride = [], []
            for position in (3, 6, 10):
                matrix = make_array(signature.args[position])(context, builder, args[position])
                width = cgutils.unpack_tuple(builder, matrix.shape, 2)[1]
                start = builder.add(builder.mul(args[position + 1], width), args[position + 2])
                data.append(builder.bitcast(builder.gep(matrix.data, [start]), void_p))
                stride.append(width)
            target, width = data[2], stride[2]
            if mixed:  # a single product into a tile of its own, then added to c
                with builder.goto_entry_block():
                    tile = builder.alloca(number, size=ir.Constant(long, TILE * TILE))
                data[2], stride[2] = builder.bitcast(tile, void_p), args[1]
            one = cgutils.alloca_once_value(builder, ir.Constant(number, 1.0))
            beta = ir.Constant(number, 0.0) if mixed else builder.fptrunc(args[9], number) if single else args[9]
            beta = cgutils.alloca_once_value(builder, beta)
            one, beta = builder.bitcast(one, void_p), builder.bitcast(beta, void_p)
            function_type = ir.FunctionType(
                ir.IntType(32), [char] * 3 + [long] * 3 + [void_p, void_p, long, void_p, long, void_p, void_p, long]
            )
            function = cgutils.get_or_insert_function(builder.module, function_type, "numba_xxgemm")
            flags = [ir.Constant(char, ord("t" if transposed else "n")) for transposed in (transpose_b, transpose_a)]
            builder.call(
                function,
                [ir.Constant(char, ord(kind)), *flags, args[1], args[0], args[2], one]
                + [data[1], stride[1], data[0], stride[0], beta, data[2], stride[2]],
            )
            if mixed:
                target = builder.bitcast(target, ir.DoubleType().as_pointer())
                with cgutils.for_range(builder, args[0]) as row, cgutils.for_range(builder, args[1]) as column:
                    at = builder.gep(target, [builder.add(builder.mul(row.index, width), column.index)])
                    term = builder.load(builder.gep(tile, [builder.add(builder.mul(row.index, args[1]), column.index)]))
                    old = builder.fmul(args[9], builder.load(at))
                    builder.store(builder.fadd(old, builder.fpext(term, ir.DoubleType())), at)
            return context.get_dummy_value()

        return signature, codegen

    return gemm


if _jit.JIT_DISABLED:

    def _python_gemm(transpose_a, transpose_b):
        def part(matrix, row, column, rows, columns, transposed):
            if transposed:
                return matrix[row : row + columns, column : column + rows].T
            return matrix[row : row + rows, column : column + columns]

        def gemm(m, n, k, a, a_row, a_column, b, b_row, b_column, beta, c, c_row, c_column):
            product = part(a, a_row, a_column, m, k, transpose_a) @ part(b, b_row, b_column, k, n, transpose_b)
            target = part(c, c_row, c_column, m, n, False)
            target[...] = product if beta == 0.0 else beta * target + product

        return gemm

    _nn, _tn, _nt = _python_gemm(False, False), _python_gemm(True, False), _python_gemm(False, True)
else:
    _nn, _tn, _nt = _gemm_intrinsic(False, False), _gemm_intrinsic(True, False), _gemm_intrinsic(False, True)


@_jit.core
def _step(n):
    """Size of a tile: nearly equal ones, none longer than `TILE`."""
    return (n + _pieces(n) - 1) // _pieces(n)


@_jit.core
def _pieces(n):
    return max(1, (n + TILE - 1) // TILE)


@_jit.core
def whole(m, n, k, a, c):
    """Whether a product needs no tiles."""
    return m * n * k <= TILE**3 and (a.itemsize == c.itemsize or (m <= TILE and n <= TILE))


@_jit.core
def _product(a, b, beta, c):
    m, n, k = c.shape[0], c.shape[1], a.shape[1]
    di, dj, dq = (m, n, k) if whole(m, n, k, a, c) else (_step(m), _step(n), _step(k))
    for i in range(0, m, di):
        for j in range(0, n, dj):
            for q in range(0, k, dq):
                factor = beta if q == 0 else 1.0
                _nn(min(di, m - i), min(dj, n - j), min(dq, k - q), a, i, q, b, q, j, factor, c, i, j)


@_jit.core
def matmul(a, b, c):
    """c = a b."""
    _product(a, b, 0.0, c)


@_jit.core
def add_matmul(a, b, c):
    """c += a b."""
    _product(a, b, 1.0, c)


@_jit.core
def matmul_transposed(a, b, c):
    """c = a^T b."""
    m, n, k = c.shape[0], c.shape[1], a.shape[0]
    di, dj, dq = (m, n, k) if whole(m, n, k, a, c) else (_step(m), _step(n), _step(k))
    for i in range(0, m, di):
        for j in range(0, n, dj):
            for q in range(0, k, dq):
                factor = 0.0 if q == 0 else 1.0
                _tn(min(di, m - i), min(dj, n - j), min(dq, k - q), a, q, i, b, q, j, factor, c, i, j)


@_jit.core
def add_outer(a, b, c):
    """c += a b^T."""
    m, n, k = c.shape[0], c.shape[1], a.shape[1]
    di, dj, dq = (m, n, k) if whole(m, n, k, a, c) else (_step(m), _step(n), _step(k))
    for i in range(0, m, di):
        for j in range(0, n, dj):
            for q in range(0, k, dq):
                _nt(min(di, m - i), min(dj, n - j), min(dq, k - q), a, i, q, b, j, q, 1.0, c, i, j)


@_jit.core
def transpose(a, b):
    """b = a^T."""
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
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


@_jit.core
def fill_rows(c, bias):
    """c[i, :] = bias[i]."""
    for i in range(c.shape[0]):
        for j in range(c.shape[1]):
            c[i, j] = bias[i]
