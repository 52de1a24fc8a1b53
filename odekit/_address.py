"""Calling kernels by their address from compiled code.

With ``NUMBA_DISABLE_JIT=1`` an address of a stepper is a key of `functions`.
"""

import ctypes

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ._views import DOUBLE, JIT_DISABLED, LONG, data_pointer

#: C type of a scalar kernel, see `odekit._jit`.
SCALAR_CTYPE = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_double, *[ctypes.POINTER(ctypes.c_double)] * 3)

#: address -> what must stay alive: a CFunc, a ctypes callback, or (JIT disabled) the Python function
functions = {}


def call_at(builder, address, return_type, argument_types, arguments):
    """Call of the C function at an address, from the LLVM types and values of what it takes."""
    function_type = ir.FunctionType(return_type, argument_types)
    return builder.call(builder.inttoptr(address, function_type.as_pointer()), arguments)


@intrinsic
def _call_scalar(typingctx, address, t, y, dy, p):
    signature = types.int32(types.int64, types.float64, y, dy, p)

    def codegen(context, builder, signature, args):
        pointer = DOUBLE.as_pointer()
        arrays = [
            builder.bitcast(data_pointer(context, builder, ty, v), pointer)
            for ty, v in zip(signature.args[2:], args[2:], strict=True)
        ]
        return call_at(builder, args[0], ir.IntType(32), [DOUBLE, pointer, pointer, pointer], [args[1], *arrays])

    return signature, codegen


@intrinsic
def _call_solve(typingctx, address, plan, iw, w, p, log, t, y, m):
    signature = types.int64(types.int64, plan, iw, w, p, log, t, y, types.int64)

    def codegen(context, builder, signature, args):
        arrays = [data_pointer(context, builder, ty, v) for ty, v in zip(signature.args[1:-1], args[1:-1], strict=True)]
        kinds = [LONG.as_pointer()] * 2 + [DOUBLE.as_pointer()] * 5 + [LONG]
        return call_at(builder, args[0], LONG, kinds, [*arrays, args[-1]])

    return signature, codegen


@intrinsic
def _call_step(typingctx, address, fn, iw, w, p):
    signature = types.int64(types.int64, fn, iw, w, p)

    def codegen(context, builder, signature, args):
        arrays = [data_pointer(context, builder, ty, v) for ty, v in zip(signature.args[1:], args[1:], strict=True)]
        kinds = [LONG.as_pointer(), LONG.as_pointer(), DOUBLE.as_pointer(), DOUBLE.as_pointer()]
        return call_at(builder, args[0], LONG, kinds, arrays)

    return signature, codegen


@intrinsic
def _call_kernel(typingctx, address, arguments):
    signature = types.int64(types.int64, arguments)

    def codegen(context, builder, signature, args):
        kinds, convention = signature.args[1].types, context.call_conv
        function_type = convention.get_function_type(types.int64, kinds)
        kernel = builder.inttoptr(args[0], function_type.as_pointer())
        values = [builder.extract_value(args[1], i) for i in range(len(kinds))]
        _status, result = convention.call_function(builder, kernel, types.int64, kinds, values)  # kernels do not raise
        return result

    return signature, codegen


@intrinsic
def _call_matrix(typingctx, address, fn, iw, w, p, b, matrix):
    signature = types.int64(types.int64, fn, iw, w, p, b, types.int64)

    def codegen(context, builder, signature, args):
        integers, floats = LONG.as_pointer(), DOUBLE.as_pointer()
        kinds = [integers, integers, floats, floats, floats, LONG]
        arrays = zip(signature.args[1:6], args[1:6], kinds[:5], strict=True)
        pointers = [builder.bitcast(data_pointer(context, builder, ty, v), kind) for ty, v, kind in arrays]
        return call_at(builder, args[0], LONG, kinds, [*pointers, args[6]])

    return signature, codegen


if JIT_DISABLED:

    def call_scalar(address, t, y, dy, p):
        """Call a scalar kernel by its address; returns its status."""
        pointers = [a.ctypes.data_as(ctypes.POINTER(ctypes.c_double)) for a in (y, dy, p)]
        return SCALAR_CTYPE(int(address))(t, *pointers)

    def call_step(address, fn, iw, w, p):
        """Call a stepper or dense-output kernel by its address; returns its code."""
        return functions[int(address)](fn, iw, w, p)

    def call_matrix(address, fn, iw, w, p, b, matrix):
        """Call a kernel of `odekit.solvers.linalg` by its address; returns its step code."""
        return functions[int(address)](fn, iw, w, p, b, matrix)

    def call_solve(address, plan, iw, w, p, log, t, y, m):
        """Call the whole solve of `odekit.solvers.whole` by its address; returns its code."""
        return functions[int(address)](plan, iw, w, p, log, t, y, m)

    def call_kernel(address, arguments):
        """Call a kernel by the address that `odekit._jit.kernel_address` gave; returns its int64."""
        return functions[int(address)](*arguments)

else:
    call_scalar, call_step = _call_scalar, _call_step
    call_matrix, call_solve, call_kernel = _call_matrix, _call_solve, _call_kernel
