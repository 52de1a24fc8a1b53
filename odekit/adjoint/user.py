"""A user's function as a differentiable field: exact derivatives by complex steps in the state, the time and the arguments.

Compiled for complex numbers, ``f(x + i eps)`` has the derivative in its imaginary part, without cancellation: with
eps = 1e-40 to the last digit. A pull costs one complex evaluation per number that the function depends on, which is little
for the systems that people write down by hand.
"""

import ctypes
import dataclasses
import functools
import warnings

import numpy as np
from numba import types
from numba.core.errors import NumbaWarning

from .. import _jit, _wrap
from .._capture import ignores_first_argument, names_used
from .._jacobian import NOT_HOLOMORPHIC
from .._wrapper_source import COMPLEX_STEP, OK, RAISED, store
from .._writes import writes_into
from ..field import UserField
from .tape import (
    HEADER,
    LANES,
    N_PARAMS,
    SCRATCH,
    SIZE,
    SLOT,
    SLOT_SIZE,
    TAPE,
    THETA,
    add_time_bar,
    lane_time,
    scalar_address,
)

view1 = _jit.view1

VALUE, COMPLEX = 3, 4  # addresses of the function and of its complex form
DIM = 5
TIMED = 6  # 1: a complex step in t is taken too
BLOCK = 2


@_jit.core
def _value(t, y, dy, p):
    return _jit.call_scalar(int(p[VALUE]), lane_time(p, t, 0), y, dy, view1(p, int(p[THETA]), int(p[N_PARAMS])))


@_jit.core
def _record(t, y, dy, p):
    slot = int(p[TAPE]) + int(p[SLOT]) * int(p[SLOT_SIZE])
    p[slot] = lane_time(p, t, 0)
    for i in range(int(p[DIM])):
        p[slot + 1 + i] = y[i]
    return _value(t, y, dy, p)


@_jit.core
def _derivative(p, v, state, slope, q):
    """Inner product of `v` with the derivative in the direction that stands in the imaginary parts."""
    _jit.call_scalar(int(p[COMPLEX]), 0.0, state, slope, q)
    total = 0.0
    for i in range(int(p[DIM])):
        total += v[i] * slope[2 * i + 1]
    return total / COMPLEX_STEP


@_jit.core
def _pull(t, v, out, p):
    n, n_params = int(p[DIM]), int(p[N_PARAMS])
    slot, scratch, theta = int(p[TAPE]) + int(p[SLOT]) * int(p[SLOT_SIZE]), int(p[SCRATCH]), int(p[THETA])
    state, slope = view1(p, scratch, 2 * n + 2), view1(p, scratch + 2 * n + 2, 2 * n)
    q = view1(p, scratch + 4 * n + 2, 2 * n_params)
    for i in range(n + 1):
        state[2 * i], state[2 * i + 1] = p[slot + i], 0.0
    for i in range(n_params):
        q[2 * i], q[2 * i + 1] = p[theta + i], 0.0
    for j in range(n):
        state[2 * j + 3] = COMPLEX_STEP
        out[j] = _derivative(p, v, state, slope, q)
        state[2 * j + 3] = 0.0
    if p[TIMED] != 0.0:
        state[1] = COMPLEX_STEP
        add_time_bar(p, 0, _derivative(p, v, state, slope, q))
        state[1] = 0.0
    for j in range(n_params):
        q[2 * j + 1] = COMPLEX_STEP
        out[n + j] += _derivative(p, v, state, slope, q)
        q[2 * j + 1] = 0.0
    return 0


_LENGTH = 2**40  # of views whose length nothing looks at


@functools.cache
def _address(core):
    name = f"user{core.__name__}"
    source = f"def {name}(t, y, dy, p):\n    return core(t, view1(y, 0, LENGTH), view1(dy, 0, LENGTH), view1(p, 0, LENGTH))\n"
    function = _jit.exec_source(source, name, {"core": core, "view1": view1, "LENGTH": _LENGTH}, True)
    return scalar_address(function)


@dataclasses.dataclass(frozen=True)
class _Kernels:
    value: int
    record: int
    pull: int


class DifferentiableFunction:
    """A right-hand side ``fun(t, y, *args)`` as a field, see `odekit.adjoint.tape`; one lane.

    Parameters
    ----------
    fun : callable
        As for `odekit.solve_ivp`; it must be made of functions that have a derivative everywhere (no abs, max, where, ...),
        because they are continued to complex numbers.
    t0 : float
    y0 : ndarray, (n,)
    args : tuple
        Numbers and arrays; integers and booleans are constants.

    Raises
    ------
    TypeError
        If the function cannot be differentiated.
    """

    def __init__(self, fun, t0, y0, args=()):
        user = UserField(fun, t0, y0, args)
        self.user, self.dim, self.params, self.structure = user, y0.size, user.parameters, user.structure
        name = getattr(user.function, "__qualname__", "fun")
        if user.structure is None or any(kind[0].startswith("complex") for kind in user.structure):
            raise TypeError("args must be real numbers and real arrays, to be differentiated")
        if user.native is not None:
            raise TypeError(
                "fun is an address of compiled code, which cannot be continued to complex numbers; give its source"
            )
        bent = sorted(names_used(user.function) & NOT_HOLOMORPHIC)
        if bent:
            raise TypeError(
                f"{name} uses {', '.join(bent)}, through which no complex step passes; its derivative is not known exactly"
            )
        self.autonomous = ignores_first_argument(user.function)
        self.timed, self.complex_kernel = False, None
        if user.kernel.compiled:
            for timed in (True, False):
                try:
                    self.complex_kernel = _complex_kernel(user, timed)
                except Exception as error:  # whatever Numba raises for odd code
                    reason = error
                else:
                    self.timed = timed
                    break
            else:
                raise TypeError(f"{name} does not compile for complex numbers, which its derivative needs: {reason}")
        else:
            self.complex_kernel, self.timed = _python_complex_kernel(user), True
        self._check()

    @property
    def kernels(self):
        """Addresses of the kernels."""
        return _Kernels(_address(_value), _address(_record), _address(_pull))

    def pack(self, lanes, slots=1):
        """The vector `p` of the kernels; one lane only."""
        n, n_params = self.dim, self.params.size
        slot_size = n + 1
        tape = HEADER + n_params
        scratch = tape + slots * slot_size
        p = np.empty(scratch + 4 * n + 2 + 2 * n_params)
        p[:HEADER] = 0.0
        p[LANES], p[BLOCK], p[DIM], p[N_PARAMS] = lanes, lanes, n, n_params
        p[VALUE], p[COMPLEX] = self.user.kernel.address, self.complex_kernel.address
        p[TIMED] = self.timed and not self.autonomous
        p[THETA], p[TAPE], p[SLOT_SIZE], p[SCRATCH], p[SIZE] = HEADER, tape, slot_size, scratch, p.size
        p[HEADER:tape] = self.params
        return p

    def _check(self):
        """The complex form must give the numbers of the real one at the start."""
        user, n = self.user, self.dim
        state, q = np.zeros(2 * n + 2), np.zeros(2 * self.params.size)
        state[0], state[2::2], q[::2] = user.t0, user.y0, self.params
        slope, value = np.zeros(2 * n), np.zeros(n)
        status = _call(self.complex_kernel.address, 0.0, state, slope, q)
        _call(user.kernel.address, user.t0, user.y0.copy(), value, np.append(self.params, 0.0))
        if status != OK or not np.allclose(slope[::2], value, rtol=1e-6, atol=1e-12, equal_nan=True):
            raise TypeError(
                "fun gives other numbers for complex arguments than for real ones; it cannot be differentiated"
            )

    def arguments(self, bar):
        """The cotangent of the parameters in the form of the user's arguments; None for those that are constants."""
        values, k = [], 0
        for kind, *shape in self.structure:
            size = int(np.prod(shape[0])) if shape else 1
            part = bar[k : k + size]
            values.append(None if kind in ("int", "bool") else part.reshape(shape[0]) if shape else float(part[0]))
            k += size
        return tuple(values)


def _call(address, t, y, out, p):
    pointers = [a.ctypes.data_as(ctypes.POINTER(ctypes.c_double)) for a in (y, out, p)]
    return _jit.SCALAR_CTYPE(address)(t, *pointers)


def _complex_kernel(user, timed):
    """Compile ``(_, (t, y), dy, args) -> status`` over complex numbers."""
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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NumbaWarning)
        compiled = _wrap.compile_user(user.function, given)
        returned = None if shape.in_place else compiled.overloads[given].signature.return_type
        y = f"y.reshape(({shape.n}, 1))" if shape.vectorized else "y"
        y = f"{y}.copy()" if shape.vectorized or writes_into(user.function) else y
        call = ", ".join(["s" if timed else "s.real", y] + (["dy"] if shape.in_place else []) + expressions)
        lines = [f"user({call})"] if shape.in_place else [f"r = user({call})", *store(shape, returned)]
        name = _wrap.unique_name("complex_user")
        source = [
            f"def {name}(t_, y_, out_, p_):",
            f"    s, y, dy = view1c(y_, 0, 1)[0], view1c(y_, 2, {shape.n}), view1c(out_, 0, {shape.n})",
            f"    q = view1c(p_, 0, {k})",
            "    try:",
            *("        " + line for line in lines),
            "    except Exception:",
            f"        return {RAISED}",
            f"    return {OK}",
        ]
        function = _jit.exec_source("\n".join(source) + "\n", name, {"user": compiled, "view1c": _jit.view1c})
        address = _jit.cfunc_address(
            function, _jit.SCALAR_SIGNATURE, cache=False, **_wrap.USER_OPTIONS, fastmath=False
        )  # fmt: skip
    return _wrap.ScalarKernel(address, compiled=True)


def _python_complex_kernel(user):
    """The same through Python, for functions that are not compiled."""
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
