"""Views of flat memory in compiled code, without bounds or reference counts.

With ``NUMBA_DISABLE_JIT=1`` they are NumPy slices.
"""

import ctypes

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import config
from numba.extending import intrinsic, models, register_model
from numba.np.arrayobj import make_array, populate_array

JIT_DISABLED = bool(config.DISABLE_JIT)

float64_array = types.Array(types.float64, 1, "C")
DOUBLE = ir.DoubleType()
LONG = ir.IntType(64)


class SingleMemory(types.Array):
    """Type of float64 memory whose header is read number by number, and of which `view1` and `view2` give float32 numbers.

    So one source serves networks of both precisions: offsets count numbers of the network's own precision.
    """

    def __init__(self):
        super().__init__(types.float64, 1, "C", name="SingleMemory")


register_model(SingleMemory)(models.ArrayModel)
single_memory = SingleMemory()


class Single(np.ndarray):
    """The same with the JIT disabled."""


def data_pointer(context, builder, kind, value):
    """Pointer to the data of an array, or a pointer itself."""
    return make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value


def build_view(context, builder, array_type, data, shape):
    """An array of `array_type` over memory that somebody else keeps alive: no bounds, no reference count."""
    itemsize = array_type.dtype.bitwidth // 8
    value = make_array(array_type)(context, builder)
    strides, step = [], ir.Constant(LONG, itemsize)
    for extent in reversed(shape):
        strides.insert(0, step)
        step = builder.mul(step, extent)
    pointer = builder.bitcast(data, context.get_data_type(array_type.dtype).as_pointer())
    populate_array(value, pointer, shape, strides, ir.Constant(LONG, itemsize), None)
    return value._getvalue()


def view_intrinsic(element, ndim, follow=False):
    """An intrinsic ``view(base, offset, shape...)`` on the float64 array or pointer `base`.

    With `follow`, views of a float32 array or of `SingleMemory` are of float32 numbers, which the offset counts.
    """

    def build(typingctx, base, offset, *shape):
        single = follow and (isinstance(base, SingleMemory) or getattr(base, "dtype", None) == types.float32)
        array_type = types.Array(types.float32 if single else element, ndim, "C")
        signature = array_type(base, types.int64, *[types.int64] * ndim)

        def codegen(context, builder, signature, args):
            data = data_pointer(context, builder, signature.args[0], args[0])
            if single:
                data = builder.bitcast(data, ir.FloatType().as_pointer())
            return build_view(context, builder, array_type, builder.gep(data, [args[1]]), args[2:])

        return signature, codegen

    if ndim == 1:
        return intrinsic(lambda typingctx, base, offset, n: build(typingctx, base, offset, n))
    if ndim == 2:
        return intrinsic(lambda typingctx, base, offset, m, n: build(typingctx, base, offset, m, n))
    return intrinsic(lambda typingctx, base, offset, k, m, n: build(typingctx, base, offset, k, m, n))


UNCHECKED = 2**40  # length of views whose length nothing looks at


@intrinsic
def _single(typingctx, base):
    def codegen(context, builder, signature, args):
        data = data_pointer(context, builder, signature.args[0], args[0])
        return build_view(context, builder, single_memory, data, [ir.Constant(LONG, UNCHECKED)])

    return single_memory(base), codegen


@intrinsic
def _tail(typingctx, memory, offset):
    def codegen(context, builder, signature, args):
        start = builder.gep(data_pointer(context, builder, signature.args[0], args[0]), [args[1]])
        return build_view(context, builder, signature.return_type, start, [ir.Constant(LONG, UNCHECKED)])

    return memory(memory, types.int64), codegen


def memory_intrinsic(element):
    """An intrinsic ``memory(address, n)``: the n numbers at an address, which somebody keeps alive."""
    array_type = types.Array(element, 1, "C")

    @intrinsic
    def memory(typingctx, address, n):
        def codegen(context, builder, signature, args):
            pointer = builder.inttoptr(args[0], context.get_data_type(element).as_pointer())
            return build_view(context, builder, array_type, pointer, [args[1]])

        return array_type(types.int64, types.int64), codegen

    return memory


def state_view_intrinsics(header, n_index, n_vectors, rows_index):
    """Intrinsics that view parts of a state array `w`, whose sizes stand in the int64 array `iw`.

    Parameters
    ----------
    header : int
        Floats before the first vector.
    n_index, rows_index : int
        Where `iw` holds the length of a vector, and the number of rows of the matrix.
    n_vectors : int
        Number of vectors between the header and the matrix.

    Returns
    -------
    vector, matrix : intrinsics
        ``vector(iw, w, k)``: the k-th vector; ``matrix(iw, w)``: the matrix behind the vectors.
    """

    def part(context, builder, signature, args, k, rows):
        iw, w = (data_pointer(context, builder, ty, v) for ty, v in zip(signature.args[:2], args[:2], strict=True))
        n = builder.load(builder.gep(iw, [ir.Constant(LONG, n_index)]))
        start = builder.gep(w, [builder.add(ir.Constant(LONG, header), builder.mul(k, n))])
        shape = [builder.load(builder.gep(iw, [ir.Constant(LONG, i)])) for i in rows] + [n]
        return build_view(context, builder, signature.return_type, start, shape)

    @intrinsic
    def vector(typingctx, iw, w, k):
        def codegen(context, builder, signature, args):
            return part(context, builder, signature, args, args[2], [])

        return float64_array(iw, w, types.int64), codegen

    @intrinsic
    def matrix(typingctx, iw, w):
        def codegen(context, builder, signature, args):
            return part(context, builder, signature, args, ir.Constant(LONG, n_vectors), [rows_index])

        return types.Array(types.float64, 2, "C")(iw, w), codegen

    return vector, matrix


if JIT_DISABLED:

    def memory_float(address, n):
        """The `n` float64 numbers at an address."""
        return np.ctypeslib.as_array((ctypes.c_double * int(n)).from_address(int(address)))

    def memory_int(address, n):
        """The `n` int64 numbers at an address."""
        return np.ctypeslib.as_array((ctypes.c_int64 * int(n)).from_address(int(address)))

    def view1(base, offset, n):
        """View of `n` numbers from `offset` on."""
        base = base.view(np.ndarray).view(np.float32) if isinstance(base, Single) else base
        return base[offset : offset + n]

    view1i = view1

    def view2(base, offset, m, n):
        """View of an (m, n) matrix from `offset` on."""
        return view1(base, offset, m * n).reshape(m, n)

    def view1d(base, offset, n):
        """View of `n` float64 numbers from `offset` on, whatever the precision of the rest."""
        return base[offset : offset + n].view(np.ndarray)

    def single(base):
        """The same memory as that of a network in single precision."""
        return base.view(Single)

    def tail(base, offset):
        """The memory from a float64 number on, of the same precision."""
        return base[offset:]

    def view3(base, offset, k, m, n):
        """View of a (k, m, n) array from `offset` on."""
        return base[offset : offset + k * m * n].reshape(k, m, n)

    def view1c(base, offset, n):
        """View of `n` complex numbers, each two floats, from `offset` on."""
        return base[offset : offset + 2 * n].view(np.complex128)

    def view2c(base, offset, m, n):
        """View of an (m, n) complex matrix from `offset` on."""
        return base[offset : offset + 2 * m * n].view(np.complex128).reshape(m, n)

else:
    view1, view2 = (view_intrinsic(types.float64, ndim, follow=True) for ndim in (1, 2))
    view1d, view3 = view_intrinsic(types.float64, 1), view_intrinsic(types.float64, 3)
    single, tail = _single, _tail
    view1i = view_intrinsic(types.int64, 1)
    memory_float, memory_int = memory_intrinsic(types.float64), memory_intrinsic(types.int64)
    view1c, view2c = view_intrinsic(types.complex128, 1), view_intrinsic(types.complex128, 2)
