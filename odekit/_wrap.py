"""Wrapping a user's function into a scalar kernel: compiled where Numba can, called back in Python where it cannot."""

import ctypes
import dataclasses
import itertools
import linecache
import re
import warnings
import weakref
from typing import Any

import numpy as np
from numba import njit, types
from numba.core.errors import NumbaWarning
from numba.extending import intrinsic, is_jitted

from . import _jit
from ._arguments import pack, unpack_source
from ._capture import snapshot, with_compiled_helpers
from ._returns import ReturnTuplesCompiler

#: Options of the user's own functions: no cache (they are compiled anew in each process), x/0 is inf as in NumPy.
USER_OPTIONS = {"error_model": "numpy", "nogil": True}
#: Imaginary step of the complex-step derivative: so small that its square vanishes beside any value.
COMPLEX_STEP = 1e-40

# status of a scalar kernel
OK, RAISED, WRONG_SHAPE = 0, 1, 2


class OdekitPerformanceWarning(UserWarning):
    """A function could not be compiled and is called through Python, about a hundred times slower."""


class Unsupported(Exception):
    """A function cannot be compiled; the message says why."""


@dataclasses.dataclass
class ScalarKernel:
    """A user's function as a scalar kernel.

    Attributes
    ----------
    address : int
    compiled : bool
        False: it is called back in Python.
    keep_alive : object
        The address is valid as long as this lives.
    raised : list
        Exceptions that a call back into Python caught, the latest last.
    """

    address: int
    compiled: bool
    keep_alive: Any = None
    raised: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Shape:
    """What a function receives and returns.

    Attributes
    ----------
    n : int
        Dimension of the state (complex numbers count once).
    returns : str
        ``"vector"`` (n numbers), ``"matrix"`` (n by n) or ``"number"``.
    complex_state : bool
    in_place : bool
        The function writes into its third argument.
    vectorized : bool
        The function expects y of shape (n, 1), SciPy's ``vectorized=True``.
    derivative : bool
        Compile the complex-step Jacobian of the function instead of the function.
    """

    n: int
    returns: str = "vector"
    complex_state: bool = False
    in_place: bool = False
    vectorized: bool = False
    derivative: bool = False


_counter = itertools.count()
_compiled: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()  # function -> {key: ScalarKernel or Unsupported}
_ARGUMENT_TYPES = {"bool": types.boolean, "int": types.int64, "float": types.float64, "complex": types.complex128}


def _argument_type(kind, *shape):
    if kind in _ARGUMENT_TYPES:
        return _ARGUMENT_TYPES[kind]
    element = types.complex128 if kind == "complex_array" else types.float64
    return types.Array(element, len(shape[0]), "C")


def compile_kernel(function, shape, structure):
    """Compile a user's function.

    Parameters
    ----------
    function : function or Numba dispatcher
    shape : Shape
    structure : tuple
        Of the arguments, from `odekit._arguments.pack`.

    Returns
    -------
    ScalarKernel

    Raises
    ------
    Unsupported
        If Numba cannot compile it, or what it returns does not fit.
    """
    if _jit.JIT_DISABLED:
        raise Unsupported("NUMBA_DISABLE_JIT is set")
    try:
        known = _compiled.setdefault(function, {})
    except TypeError:  # not hashable, or no weak reference to it
        raise Unsupported(f"a {type(function).__name__} is not a function") from None
    key = (shape, structure, snapshot(function))
    if key not in known:
        try:
            known[key] = _compile(function, shape, structure)
        except Unsupported as error:
            known[key] = error
        except Exception as error:  # Numba raises its own errors and, for odd code, nearly any other
            known[key] = Unsupported(_reason(function, error))
    if isinstance(known[key], Unsupported):
        raise known[key]
    return known[key]


def _compile(function, shape, structure):
    if not (is_jitted(function) or hasattr(function, "__code__")):
        raise Unsupported(f"a {type(function).__name__} is not a function")
    element = types.complex128 if shape.complex_state or shape.derivative else types.float64
    state = types.Array(element, 2 if shape.vectorized else 1, "C")
    arguments = (types.float64, state) + ((state,) if shape.in_place else ())
    arguments += tuple(_argument_type(*kind) for kind in structure)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NumbaWarning)
        user = _compile_user(function, arguments)
        returned = None if shape.in_place else user.overloads[arguments].signature.return_type
        source = _source(shape, structure, returned)
        name = f"user_{next(_counter)}"
        namespace = {"user": user, "complex128": np.complex128}
        namespace |= {view: getattr(_jit, view) for view in ("view1", "view1c", "view2", "view2c")}
        wrapper = _jit.exec_source(f"def {name}(t, y_, out_, p_):\n{source}", name, namespace)
        address = _jit.cfunc_address(wrapper, _jit.SCALAR_SIGNATURE, cache=False, **USER_OPTIONS, fastmath=False)
    return ScalarKernel(address, compiled=True)


def _compile_user(function, arguments):
    if is_jitted(function):
        function.compile(arguments)
        return function
    function = with_compiled_helpers(function, USER_OPTIONS)
    try:
        user = njit(**USER_OPTIONS, pipeline_class=ReturnTuplesCompiler)(function)
        user.compile(arguments)
    except Exception:  # the returned array is also used as an array: then it must be one
        user = njit(**USER_OPTIONS)(function)
        user.compile(arguments)
    return user


def _source(shape, structure, returned):
    """Body of the wrapper: take the arguments apart, call, store what comes back."""
    n, n_params = shape.n, sum(_width(kind) for kind in structure)
    view = "view1c" if shape.complex_state or shape.derivative else "view1"
    arguments = ", ".join(["t", "y"] + (["dy"] if shape.in_place else []) + unpack_source(structure))
    lines = [f"p = view1(p_, 0, {n_params})"]
    if shape.derivative:
        # the scratch memory behind the parameters holds the complex state and, in place, the complex slope
        lines += [f"state, y = view1(y_, 0, {n}), view1c(p_, {n_params}, {n})"]
        lines += [f"out = view2(out_, 0, {n}, {n})", f"dy = view1c(p_, {n_params + 2 * n}, {n})"]
        lines += [f"for i in range({n}):", "    y[i] = state[i]"]
    else:
        lines += [f"y = {view}(y_, 0, {n})"]
        if shape.returns == "matrix":
            lines += [f"out = {view.replace('1', '2')}(out_, 0, {n}, {n})"]
        else:
            lines += [f"out = {view}(out_, 0, {n if shape.returns == 'vector' else 1})"]
        if shape.in_place:
            lines += ["dy = out"]
    if shape.vectorized:
        arguments = arguments.replace("t, y", f"t, y.reshape(({n}, 1))", 1)
    call = [f"user({arguments})"] if shape.in_place else [f"r = user({arguments})", *_store(shape, returned)]
    if shape.derivative:
        store = [f"for i in range({n}):", f"    out[i, j] = dy[i].imag / {COMPLEX_STEP!r}"]
        call = [f"y[j] = complex(state[j], {COMPLEX_STEP!r})", *call, "y[j] = state[j]", *store]
        call = [f"for j in range({n}):", *("    " + line for line in call)]
    lines += ["try:", *("    " + line for line in call), "except Exception:", f"    return {RAISED}", f"return {OK}"]
    return "\n".join("    " + line for line in lines) + "\n"


def _store(shape, returned):
    """Source that stores the result `r` of Numba type `returned`."""
    n, target = shape.n, "dy" if shape.derivative else "out"
    numbers = (types.Number, types.Boolean)
    complex_allowed = shape.complex_state or shape.derivative

    def check(element):
        if not isinstance(element, numbers):
            raise Unsupported(f"it returns {returned}")
        if isinstance(element, types.Complex) and not complex_allowed:
            raise Unsupported("it returns complex numbers for a real state")

    if shape.returns == "matrix":
        if isinstance(returned, types.BaseTuple) and len(returned) == n * n:
            for element in returned:
                check(element)
            return [f"out[{i // n}, {i % n}] = r[{i}]" for i in range(n * n)]
        if not (isinstance(returned, types.Array) and returned.ndim == 2):
            raise Unsupported(f"it returns {returned}")
        check(returned.dtype)
        rows = [f"for i in range({n}):", f"    for k in range({n}):", "        out[i, k] = r[i, k]"]
        return [f"if r.shape[0] != {n} or r.shape[1] != {n}:", f"    return {WRONG_SHAPE}", *rows]
    size = n if shape.returns == "vector" else 1
    if isinstance(returned, types.BaseTuple) and len(returned) == size:
        for element in returned:
            check(element)
        return [f"{target}[{i}] = r[{i}]" for i in range(size)]
    if isinstance(returned, types.Array) and returned.ndim == (2 if shape.vectorized else 1):
        check(returned.dtype)
        item = "r[i, 0]" if shape.vectorized else "r[i]"
        loop = [f"for i in range({size}):", f"    {target}[i] = {item}"]
        return [f"if r.shape[0] != {size}:", f"    return {WRONG_SHAPE}", *loop]
    if isinstance(returned, types.List):
        check(returned.dtype)
        loop = [f"for i in range({size}):", f"    {target}[i] = r[i]"]
        return [f"if len(r) != {size}:", f"    return {WRONG_SHAPE}", *loop]
    if isinstance(returned, numbers) and size == 1:
        check(returned)
        return [f"{target}[0] = r"]
    raise Unsupported(f"it returns {returned}")


def _reason(function, error):
    """One line: which line of the function Numba rejected, and why."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    code = getattr(getattr(function, "py_func", function), "__code__", None)
    where = ""
    if code is not None:
        lines = [int(m[1]) for m in re.finditer(r'line (\d+)', text)]
        inside = [line for line in lines if code.co_firstlineno <= line <= code.co_firstlineno + 2000]
        if inside:
            where = f"line {inside[0]}: {linecache.getline(code.co_filename, inside[0]).strip()!r}; "
    useful = [line.strip() for line in text.splitlines() if line.strip() and "Failed in nopython" not in line]
    return where + (useful[0] if useful else type(error).__name__)


def python_kernel(function, shape, args):
    """Call a Python function from compiled code.

    Parameters
    ----------
    function : callable
    shape : Shape
    args : tuple

    Returns
    -------
    ScalarKernel
    """
    kernel = ScalarKernel(0, compiled=False)
    width = 2 if shape.complex_state else 1
    n_out = {"vector": shape.n, "matrix": shape.n**2, "number": 1}[shape.returns]
    dtype = np.complex128 if shape.complex_state and shape.returns != "number" else np.float64

    def call(t, y, out):
        try:
            state = np.array(y).view(np.complex128) if shape.complex_state else np.array(y)
            target = out.view(dtype)
            if shape.in_place:
                slope = np.full(shape.n, np.nan, dtype=dtype)
                function(t, state, slope, *args)
                target[:] = slope
            else:
                target[:] = as_numbers(function(t, state[:, None] if shape.vectorized else state, *args), shape)
        except BaseException as error:
            kernel.raised.append(error)
            return RAISED
        return OK

    kernel.address, kernel.keep_alive = _jit.python_callback(call, shape.n * width, n_out * (width if dtype == np.complex128 else 1))
    return kernel


def as_numbers(value, shape):
    """What a Python function returned as a flat array of the right size and type.

    Raises
    ------
    ValueError, TypeError
        One sentence that says what came back and what is expected.
    """
    if value is None:
        raise TypeError(
            f"fun returned None; expected {shape.n} numbers (mark a function that writes into its third argument with odekit.inplace)"
        )
    if hasattr(value, "toarray"):
        value = value.toarray()
    try:
        numbers = np.asarray(value)
        numbers = numbers.astype(np.complex128 if numbers.dtype.kind == "c" else np.float64)
    except (ValueError, TypeError) as error:
        raise TypeError(f"fun returned {value!r:.80}; expected {shape.n} numbers") from error
    expected = {"vector": (shape.n,), "matrix": (shape.n, shape.n), "number": ()}[shape.returns]
    allowed = [expected]
    if shape.vectorized:
        allowed.append((shape.n, 1))
    if shape.returns == "number" or expected == (1,):
        allowed += [(), (1,)]
    if numbers.shape not in allowed:
        what = {"vector": "fun", "matrix": "jac", "number": "an event function"}[shape.returns]
        raise ValueError(f"{what} returned an array of shape {numbers.shape}; expected {expected} for a state of {shape.n}")
    if numbers.dtype.kind == "c" and not shape.complex_state:
        raise ValueError("fun returned complex numbers for a real state; give y0 as complex numbers")
    return numbers.ravel()


def _width(kind):
    name, *shape = kind
    size = int(np.prod(shape[0])) if shape else 1
    return size * (2 if name.startswith("complex") else 1)


# ---------------------------------------------------------------------------------------------------------------------
# functions that are addresses already


@intrinsic
def _call_void(typingctx, address, t, y, dy, p):
    signature = types.void(types.int64, types.float64, y, dy, p)

    def codegen(context, builder, signature, args):
        kinds = [_jit._double] + [_jit._double.as_pointer()] * 3
        _jit._call_at(builder, args[0], _jit.ir.VoidType(), kinds, args[1:])
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
    ScalarKernel or None

    Raises
    ------
    TypeError
        For another signature.
    """
    inner = getattr(function, "function", function) if type(function).__name__ == "LowLevelCallable" else function
    if isinstance(inner, (int, np.integer)) and not isinstance(inner, bool):
        return _native(int(inner), returns_status=False, keep=function)
    if hasattr(inner, "native_name") and hasattr(inner, "_sig"):  # a numba CFunc
        pointer = types.CPointer(types.float64)
        signature = inner._sig
        if signature.args != (types.float64, pointer, pointer, pointer) or signature.return_type not in (types.void, types.none, types.int32):
            raise TypeError(f"fun is a cfunc of signature {signature}; expected void or int32 (float64, float64*, float64*, float64*)")
        return _native(inner.address, signature.return_type == types.int32, function)
    if isinstance(inner, ctypes._CFuncPtr):
        if inner.restype not in (None, ctypes.c_int32, ctypes.c_int) or len(inner.argtypes or ()) != 4 or inner.argtypes[0] is not ctypes.c_double:
            raise TypeError(
                f"fun is a ctypes function with argtypes {inner.argtypes} and restype {inner.restype}; expected "
                "(c_double, POINTER(c_double), POINTER(c_double), POINTER(c_double)) and None or c_int32"
            )
        return _native(ctypes.cast(inner, ctypes.c_void_p).value, inner.restype is not None, function)
    return None


def _native(address, returns_status, keep):
    if returns_status:
        return ScalarKernel(address, compiled=True, keep_alive=keep)
    if _jit.JIT_DISABLED:
        untyped = ctypes.CFUNCTYPE(None, ctypes.c_double, *[ctypes.POINTER(ctypes.c_double)] * 3)(address)
        trampoline = _jit.SCALAR_CTYPE(lambda *arguments: untyped(*arguments) or OK)
        return ScalarKernel(ctypes.cast(trampoline, ctypes.c_void_p).value, True, (keep, trampoline))
    name = f"native_{address:x}"
    source = f"def {name}(t, y, dy, p):\n    call_void({address}, t, y, dy, p)\n    return {OK}\n"
    wrapper = _jit.exec_source(source, name, {"call_void": _call_void})
    return ScalarKernel(_jit.cfunc_address(wrapper, _jit.SCALAR_SIGNATURE, cache=False), True, keep)


__all__ = ["OdekitPerformanceWarning", "ScalarKernel", "Shape", "Unsupported", "as_numbers", "compile_kernel", "native_kernel", "pack", "python_kernel"]
