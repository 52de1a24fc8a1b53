"""A user's function over complex numbers: compiled, or through Python where the function itself is not compiled."""

import ctypes

import numpy as np
from numba import types

from .. import _jit, _wrap
from .._user_kernel import user_address
from .._wrapper_source import OK, RAISED, store
from .._writes import writes_into


def call(address, t, y, out, p):
    """Call a scalar kernel from Python with float64 arrays that are contiguous; its status."""
    pointers = [a.ctypes.data_as(ctypes.POINTER(ctypes.c_double)) for a in (y, out, p)]
    return _jit.SCALAR_CTYPE(address)(t, *pointers)


def complex_kernel(user, timed):
    """Compile the function over complex numbers.

    Parameters
    ----------
    user : odekit.field.UserField
        With n components and m numbers among its arguments.
    timed : bool
        Whether t is complex, too; else its imaginary part is dropped.

    Returns
    -------
    odekit._wrap.ScalarKernel
        ``(_, y_, out_, p_)``; complex numbers are pairs of float64: ``y_`` holds (t, y) in 2 n + 2 numbers, ``out_`` receives
        dy/dt in 2 n, ``p_`` holds the arguments in 2 m.

    Raises
    ------
    Exception
        Whatever Numba raises where the function does not compile.
    """
    shape = user.shape._replace(derivative=True)
    element = types.complex128
    state = types.Array(element, 2 if shape.vectorized else 1, "C")
    given = [element if timed else types.float64, state] + ([state] if shape.in_place else [])
    expressions, k = [], 0
    for kind, *size in user.structure:
        if kind == "array":
            count = int(np.prod(size[0]))
            given.append(types.Array(element, len(size[0]), "C"))
            expressions.append(f"q[{k}:{k + count}].reshape({size[0]!r})")
            k += count
            continue
        given.append({"bool": types.boolean, "int": types.int64, "float": element}[kind])
        expressions.append({"bool": f"q[{k}].real != 0.0", "int": f"int(q[{k}].real)", "float": f"q[{k}]"}[kind])
        k += 1
    given = tuple(given) + _wrap.omitted(user.function, len(given))

    def write(returned):
        y = f"y.reshape(({shape.n}, 1))" if shape.vectorized else "y"
        y = f"{y}.copy()" if shape.vectorized or writes_into(user.function) else y
        call = ", ".join(["s" if timed else "s.real", y] + (["dy"] if shape.in_place else []) + expressions)
        lines = [f"user({call})"] if shape.in_place else [f"r = user({call})", *store(shape, returned)]
        source = [
            f"s, y, dy = view1c(y_, 0, 1)[0], view1c(y_, 2, {shape.n}), view1c(out_, 0, {shape.n})",
            f"q = view1c(p_, 0, {k})",
            "try:",
            *("    " + line for line in lines),
            "except Exception:",
            f"    return {RAISED}",
            f"return {OK}",
        ]
        return "".join(f"    {line}\n" for line in source), {"view1c": _jit.view1c}

    key = ("complex", timed, shape, user.structure) if user.kernel.kept else None
    return _wrap.ScalarKernel(user_address(user.function, given, write, key), compiled=True)


def python_complex_kernel(user):
    """The kernel of `complex_kernel` through Python, with complex t, for functions that are not compiled."""
    shape, structure = user.shape, user.structure
    function, n = getattr(user.function, "py_func", user.function), user.y0.size

    def arguments(q):
        values, k = [], 0
        for kind, *size in structure:
            count = int(np.prod(size[0])) if size else 1
            part = q[k : k + count]
            simple = {"bool": lambda x: bool(x.real), "int": lambda x: int(x.real), "float": complex}
            values.append(part.reshape(size[0]).copy() if size else simple[kind](part[0]))
            k += count
        return values

    def callback(_t, y_, out_, p_):
        state = np.array(_jit._pointer_to_array(y_, 2 * n + 2)).view(np.complex128)
        out = _jit._pointer_to_array(out_, 2 * n).view(np.complex128)
        q = np.array(_jit._pointer_to_array(p_, 2 * user.parameters.size)).view(np.complex128)
        try:
            if shape.in_place:
                slope = np.zeros(n, dtype=np.complex128)
                function(state[0], state[1:].copy(), slope, *arguments(q))
                out[:] = slope
            else:
                y = state[1:, None].copy() if shape.vectorized else state[1:].copy()
                out[:] = np.asarray(function(state[0], y, *arguments(q)), dtype=np.complex128).ravel()
        except Exception:
            return RAISED
        return OK

    trampoline = _jit.SCALAR_CTYPE(callback)
    return _wrap.ScalarKernel(ctypes.cast(trampoline, ctypes.c_void_p).value, False, trampoline)
