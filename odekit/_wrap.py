"""Compiling a user's function into a scalar kernel."""

import dataclasses
import itertools
import linecache
import math
import re
import sys
import warnings
import weakref
from typing import Any, NamedTuple

import numpy as np
from numba import njit, types
from numba.core.errors import NumbaWarning
from numba.extending import is_jitted

from . import _jit
from ._arguments import unpack_source
from ._capture import snapshot, with_compiled_helpers
from ._returns import ReturnTuplesCompiler
from ._writes import writes_into

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
    agrees : bool or None
        Whether the compiled function gives the numbers of the Python function; None: not compared yet.
    structures : set
        Structures of the Jacobian that have been found to hold all of its entries.
    jacobians : dict
        Jacobians found for this right-hand side where the user says nothing of them, by whether df/dt is with them.
    """

    address: int
    compiled: bool
    keep_alive: Any = None
    raised: list = dataclasses.field(default_factory=list)
    agrees: bool | None = None
    structures: set = dataclasses.field(default_factory=set)
    jacobians: dict = dataclasses.field(default_factory=dict)


class Shape(NamedTuple):
    """What a function receives and returns.

    Attributes
    ----------
    n : int
        Dimension of the state (complex numbers count once).
    returns : str
        ``"vector"`` (n numbers), ``"matrix"`` (n by n), ``"packed"`` (the diagonals of a band, `lband` + `uband` + 1 by n),
        ``"band"`` (n by n, of which the band is kept in that form), ``"values"`` (`count` numbers) or ``"number"``.
    complex_state : bool
    in_place : bool
        The function writes into its third argument.
    vectorized : bool
        The function expects y of shape (n, 1), SciPy's ``vectorized=True``.
    derivative : bool
        Compile the complex-step Jacobian of the function instead of the function.
    time : bool
        The derivative with respect to t follows the Jacobian.
    direction : bool
        Instead of the Jacobian its product with a direction of n + 1 numbers, which follow the state; the last is the part
        in t.
    lband, uband, count : int
        See `returns`.
    preconditioner : bool
        The function is ``psolve(t, y, gamma, r, out, *args)``; y, gamma and r come one behind the other.
    """

    n: int
    returns: str = "vector"
    complex_state: bool = False
    in_place: bool = False
    vectorized: bool = False
    derivative: bool = False
    time: bool = False
    direction: bool = False
    lband: int = 0
    uband: int = 0
    count: int = 0
    preconditioner: bool = False

    @property
    def expected(self):
        """Shape of what the function returns."""
        rows = self.lband + self.uband + 1
        matrix = (self.n, self.n)
        return {
            "vector": (self.n,), "matrix": matrix, "packed": (rows, self.n), "band": matrix, "values": (self.count,),
            "number": (),
        }[self.returns]  # fmt: skip

    @property
    def size(self):
        """How many numbers the kernel writes (complex ones count once)."""
        return (self.lband + self.uband + 1) * self.n if self.returns == "band" else math.prod(self.expected)


_counter = itertools.count()
#: Code of a function -> {key: (ScalarKernel or Unsupported, what the key knows by identity)}.
_compiled: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
RECOMPILATIONS = 4  # compilations of one function for changed values after which a hint is given
_ARGUMENT_TYPES = {"bool": types.boolean, "int": types.int64, "float": types.float64, "complex": types.complex128}


def _argument_type(kind, *shape):
    if kind in _ARGUMENT_TYPES:
        return _ARGUMENT_TYPES[kind]
    element = types.complex128 if kind == "complex_array" else types.float64
    return types.Array(element, len(shape[0]), "C")


def known_kernel(function, shape, structure):
    """The kernel of a function that has been compiled before, and has been found to give Python's numbers, or None.

    Parameters
    ----------
    function, shape, structure
        As for `compile_kernel`.

    Returns
    -------
    ScalarKernel or None
    """
    code = getattr(getattr(function, "py_func", function), "__code__", None)
    known = None if code is None else _compiled.get(code)
    if known is None:
        return None
    kernel, _ = known.get((shape, structure, snapshot(function, [])), (None, None))
    return kernel if isinstance(kernel, ScalarKernel) and kernel.agrees else None


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
    code = getattr(getattr(function, "py_func", function), "__code__", None)
    if code is None:
        raise Unsupported(f"a {type(function).__name__} is not a function")
    opaque: list = []
    key = (shape, structure, snapshot(function, opaque))
    known = _compiled.setdefault(code, {})
    entry = known.get(key)
    if entry is None:
        _hint(function, sum(k[:2] == key[:2] for k in known))
        try:
            kernel = _compile(function, shape, structure)
        except Unsupported as error:
            kernel = error
        except Exception as error:  # Numba raises its own errors and, for odd code, nearly any other
            kernel = Unsupported(reason(function, error))
        entry = known[key] = (kernel, opaque)
    kernel, _ = entry
    if isinstance(kernel, Unsupported):
        raise kernel
    return kernel


def _hint(function, times):
    """Tell, once, that a function is compiled again and again because values in it change."""
    if times == RECOMPILATIONS:
        name = getattr(function, "__qualname__", "fun")
        message = (
            f"{name} is compiled anew for each new value of a global or closure variable that it reads; pass what changes in "
            "args instead: new arguments never recompile"
        )
        warnings.warn(message, OdekitPerformanceWarning, stacklevel=stack_level())


def stack_level():
    """Stack level, for the caller of this function, of the user's line that called into odekit."""
    frame, level = sys._getframe(1), 1
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "odekit":
        frame, level = frame.f_back, level + 1
    return level


def _compile(function, shape, structure):
    if not (is_jitted(function) or hasattr(function, "__code__")):
        raise Unsupported(f"a {type(function).__name__} is not a function")
    element = types.complex128 if shape.complex_state or shape.derivative else types.float64
    state = types.Array(element, 2 if shape.vectorized else 1, "C")
    arguments = (types.complex128 if shape.time else types.float64, state) + ((state,) if shape.in_place else ())
    if shape.preconditioner:
        arguments = (types.float64, state, types.float64, state, state)
    arguments += tuple(_argument_type(*kind) for kind in structure)
    arguments += _omitted(function, len(arguments))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NumbaWarning)
        user = _compile_user(function, arguments)
        returned = None if shape.in_place or shape.preconditioner else user.overloads[arguments].signature.return_type
        source = _source(shape, structure, returned, copies=shape.vectorized or writes_into(function))
        name = f"user_{next(_counter)}"
        namespace = {"user": user, "complex128": np.complex128}
        namespace |= {view: getattr(_jit, view) for view in ("view1", "view1c", "view2", "view2c")}
        wrapper = _jit.exec_source(f"def {name}(t, y_, out_, p_):\n{source}", name, namespace)
        address = _jit.cfunc_address(wrapper, _jit.SCALAR_SIGNATURE, cache=False, **USER_OPTIONS, fastmath=False)
    return ScalarKernel(address, compiled=True)


def _omitted(function, given):
    """Types of the arguments that are not given and have a default."""
    plain = getattr(function, "py_func", function)
    missing, defaults = plain.__code__.co_argcount - given, plain.__defaults__ or ()
    return tuple(types.Omitted(value) for value in defaults[-missing:]) if 0 < missing <= len(defaults) else ()


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


def _source(shape, structure, returned, copies):
    """Body of the wrapper: take the arguments apart, call (with a copy of the state), store what comes back."""
    n, n_params = shape.n, parameters_size(structure)
    view = "view1c" if shape.complex_state or shape.derivative else "view1"
    arguments = ", ".join(
        ["s" if shape.time else "t", "y"] + (["dy"] if shape.in_place else []) + unpack_source(structure)
    )
    lines = [f"p = view1(p_, 0, {n_params})"]
    if shape.derivative:
        # the scratch memory behind the parameters holds the complex state and, in place, the complex slope
        lines += [f"state, y = view1(y_, 0, {n}), view1c(p_, {n_params}, {n})"]
        out = f"view1(out_, 0, {n})" if shape.direction else f"view2(out_, 0, {n}, {n})"
        lines += [f"out = {out}", f"dy = view1c(p_, {n_params + 2 * n}, {n})"]
        lines += [f"for i in range({n}):", "    y[i] = state[i]"]
    else:
        lines += [f"y = {view}(y_, 0, {n})"]
        if shape.returns in ("matrix", "packed", "band"):
            rows = n if shape.returns == "matrix" else shape.size // n
            lines += [f"out = {view.replace('1', '2')}(out_, 0, {rows}, {n})"]
        else:
            number = shape.returns == "number"  # a real one, whatever the state
            lines += [
                "out = view1(out_, 0, 1)"
                if number
                else f"out = {view}(out_, 0, {n if shape.returns == 'vector' else 1})"
            ]
        if shape.in_place:
            lines += ["dy = out"]
    if shape.preconditioner:
        lines += [f"gamma, r = view1(y_, {n}, 1)[0], view1(y_, {n + 1}, {n})"]
        arguments = arguments.replace("y", "y, gamma, r, out", 1)
    if shape.vectorized:
        arguments = arguments.replace(", y", f", y.reshape(({n}, 1))", 1)
    if copies:
        arguments = arguments.replace("y", "y.copy()", 1)
    call = (
        [f"user({arguments})"]
        if shape.in_place or shape.preconditioner
        else [f"r = user({arguments})", *_store(shape, returned)]
    )
    if shape.derivative:
        call = _along_direction(call, n, shape.time) if shape.direction else _by_columns(call, n, shape.time)
    lines += ["try:", *("    " + line for line in call), "except Exception:", f"    return {RAISED}", f"return {OK}"]
    return "\n".join("    " + line for line in lines) + "\n"


def _by_columns(call, n, time):
    """Source that calls with one imaginary step after the other, in each component of the state and last in t."""
    step = repr(COMPLEX_STEP)
    begin, end = [f"y[j] = complex(state[j], {step})"], ["y[j] = state[j]"]
    end += [f"for i in range({n}):", f"    out[i, j] = dy[i].imag / {step}"]
    if time:
        begin = [f"s = complex(t, {step} if j == {n} else 0.0)", f"if j < {n}:", *("    " + line for line in begin)]
        end = [f"if j < {n}:", *("    " + line for line in end), "else:", f"    rate = view1(out_, {n * n}, {n})"]
        end += [f"    for i in range({n}):", f"        rate[i] = dy[i].imag / {step}"]
    return [f"for j in range({n + time}):", *("    " + line for line in (*begin, *call, *end))]


def _along_direction(call, n, time):
    """Source that calls with one imaginary step along a direction."""
    step = repr(COMPLEX_STEP)
    begin = [f"along = view1(y_, {n}, {n + 1})", f"for i in range({n}):"]
    begin += [f"    y[i] = complex(state[i], {step} * along[i])"]
    begin += [f"s = complex(t, {step} * along[{n}])"] if time else []
    return [*begin, *call, f"for i in range({n}):", f"    out[i] = dy[i].imag / {step}"]


def _store(shape, returned):
    """Source that stores the result `r` of Numba type `returned`."""
    n, target = shape.n, "dy" if shape.derivative else "out"
    numbers = (types.Number, types.Boolean)
    complex_allowed = (shape.complex_state or shape.derivative) and shape.returns != "number"

    def check(element):
        if not isinstance(element, numbers):
            raise Unsupported(f"it returns {returned}")
        if isinstance(element, types.Complex) and not complex_allowed:
            raise Unsupported("it returns complex numbers where real ones are expected")

    if len(shape.expected) == 2:
        if shape.returns == "matrix" and isinstance(returned, types.BaseTuple) and len(returned) == n * n:
            for element in returned:
                check(element)
            return [f"out[{i // n}, {i % n}] = r[{i}]" for i in range(n * n)]
        if not (isinstance(returned, types.Array) and returned.ndim == 2):
            raise Unsupported(f"it returns {returned}")
        check(returned.dtype)
        rows, columns = shape.expected
        store = [f"for i in range({rows}):", f"    for k in range({columns}):", "        out[i, k] = r[i, k]"]
        if shape.returns == "band":
            inside = f"range(max(0, k - {shape.uband}), min({n}, k + {shape.lband + 1}))"
            store = [
                f"for k in range({n}):",
                f"    for i in {inside}:",
                f"        out[{shape.uband} + i - k, k] = r[i, k]",
            ]
        return [f"if r.shape[0] != {rows} or r.shape[1] != {columns}:", f"    return {WRONG_SHAPE}", *store]
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


def reason(function, error):
    """One line: which line of the function Numba rejected, and why."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    code = getattr(getattr(function, "py_func", function), "__code__", None)
    where = ""
    if code is not None:
        lines = [int(m[1]) for m in re.finditer(r"line (\d+)", text)]
        inside = [line for line in lines if code.co_firstlineno <= line <= code.co_firstlineno + 2000]
        if inside:
            where = f"line {inside[0]}: {linecache.getline(code.co_filename, inside[0]).strip()!r}; "
    useful = [line.strip() for line in text.splitlines() if line.strip() and "Failed in nopython" not in line]
    if not useful or "object at 0x" in useful[0]:  # something from the inside of Numba
        return where + f"Numba fails on it ({type(error).__name__})"
    return where + useful[0]


def parameters_size(structure):
    """How many numbers the arguments of a structure are."""
    return sum(_width(kind) for kind in structure)


def _width(kind):
    name, *shape = kind
    size = int(np.prod(shape[0])) if shape else 1
    return size * (2 if name.startswith("complex") else 1)
