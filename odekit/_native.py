"""Right-hand sides that are machine code already: cfuncs, ctypes functions, addresses."""

import ctypes
from types import FunctionType

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from . import _address, _jit, _views, _wrap
from ._wrapper_source import OK


@intrinsic
def _call_void(typingctx, address, t, y, dy, p):
    signature = types.void(types.int64, types.float64, y, dy, p)

    def codegen(context, builder, signature, args):
        kinds = [_views.DOUBLE] + [_views.DOUBLE.as_pointer()] * 3
        _address.call_at(builder, args[0], ir.VoidType(), kinds, args[1:])
        return context.get_dummy_value()

    return signature, codegen


def native_kernel(function):
    """Scalar kernel of a function that is machine code already, or None.

    Parameters
    ----------
    function : numba CFunc, ctypes function, scipy.LowLevelCallable, or int
        ``f(double t, double *y, double *dy, double *p)`` that returns nothing (numbalsoda's signature; an integer address
        is taken as this) or an int32 status, 0 for success.

    Returns
    -------
    _wrap.ScalarKernel or None

    Raises
    ------
    TypeError
        For another signature.
    """
    if isinstance(function, FunctionType):  # nearly always
        return None
    inner = getattr(function, "function", function) if type(function).__name__ == "LowLevelCallable" else function
    if isinstance(inner, (int, np.integer)) and not isinstance(inner, bool):
        return _native(int(inner), returns_status=False, keep=function)
    if hasattr(inner, "native_name") and hasattr(inner, "_sig"):  # a numba CFunc
        pointer = types.CPointer(types.float64)
        signature = inner._sig
        if signature.args != (types.float64, pointer, pointer, pointer) or signature.return_type not in (
            types.void,
            types.none,
            types.int32,
        ):
            raise TypeError(
                f"fun is a cfunc of signature {signature}; expected void or int32 (float64, float64*, float64*, float64*)"
            )
        return _native(inner.address, signature.return_type == types.int32, function)
    if isinstance(inner, ctypes._CFuncPtr):
        if (
            inner.restype not in (None, ctypes.c_int32, ctypes.c_int)
            or len(inner.argtypes or ()) != 4
            or inner.argtypes[0] is not ctypes.c_double
        ):
            raise TypeError(
                f"fun is a ctypes function with argtypes {inner.argtypes} and restype {inner.restype}; expected "
                "(c_double, POINTER(c_double), POINTER(c_double), POINTER(c_double)) and None or c_int32"
            )
        return _native(ctypes.cast(inner, ctypes.c_void_p).value, inner.restype is not None, function)
    return None


def _native(address, returns_status, keep):
    if returns_status:
        return _wrap.ScalarKernel(address, compiled=True, keep_alive=keep)
    if _jit.JIT_DISABLED:
        untyped = ctypes.CFUNCTYPE(None, ctypes.c_double, *[ctypes.POINTER(ctypes.c_double)] * 3)(address)
        trampoline = _jit.SCALAR_CTYPE(lambda *arguments: untyped(*arguments) or OK)
        return _wrap.ScalarKernel(ctypes.cast(trampoline, ctypes.c_void_p).value, True, (keep, trampoline))
    name = f"native_{address:x}"
    source = f"def {name}(t, y, dy, p):\n    call_void({address}, t, y, dy, p)\n    return {OK}\n"
    wrapper = _jit.exec_source(source, name, {"call_void": _call_void})
    return _wrap.ScalarKernel(_jit.cfunc_address(wrapper, _jit.SCALAR_SIGNATURE, cache=False), True, keep)
