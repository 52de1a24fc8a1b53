"""One kernel of several: event functions, each of which writes one number."""

import ctypes
import functools

from . import _jit
from ._wrap import ScalarKernel


def in_turn(addresses, keep):
    """Address of one scalar kernel that calls several in turn, each writing one number.

    Parameters
    ----------
    addresses : list of int
    keep : list
        Receives what must live as long as the address is used.

    Returns
    -------
    int
    """
    if len(addresses) == 1:
        return addresses[0]
    if _jit.JIT_DISABLED:

        def run(t, y, out, p):
            size = ctypes.sizeof(ctypes.c_double)
            base = ctypes.addressof(out.contents)
            for k, address in enumerate(addresses):
                slot = ctypes.cast(base + k * size, ctypes.POINTER(ctypes.c_double))
                if _jit.SCALAR_CTYPE(address)(t, y, slot, p) != 0:
                    return 1
            return 0

        trampoline = _jit.SCALAR_CTYPE(run)
        keep.append(ScalarKernel(0, False, trampoline))
        return ctypes.cast(trampoline, ctypes.c_void_p).value
    return _compiled(tuple(addresses))


@functools.cache
def _compiled(addresses):
    lines = [
        f"    if call_scalar({address}, t, y, view1(out, {k}, 1), p) != 0:\n        return 1"
        for k, address in enumerate(addresses)
    ]
    source = "def events(t, y, out, p):\n" + "\n".join(lines) + "\n    return 0\n"
    function = _jit.exec_source(source, "events", {"call_scalar": _jit.call_scalar, "view1": _jit.view1})
    return _jit.cfunc_address(function, _jit.SCALAR_SIGNATURE, cache=False)
