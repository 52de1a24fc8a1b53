"""Compiling a user's function into a scalar kernel."""

import dataclasses
import linecache
import re
import sys
import warnings
import weakref
from typing import Any

import numpy as np
from numba import types
from numba.extending import is_jitted

from . import _jit
from ._capture import snapshot
from ._user_kernel import user_address
from ._wrapper_source import Unsupported, wrapper_source
from ._writes import writes_into


class OdekitPerformanceWarning(UserWarning):
    """A function could not be compiled and is called through Python, about a hundred times slower."""


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
    kept : bool
        Whether what is compiled of the function is kept on disk: of all the values that it takes from its surroundings those
        that it meets first in a process, because one that changes all the time would leave many files.
    raised : list
        Exceptions that a call back into Python caught, the latest last.
    agrees : bool or None
        Whether the compiled function gives the numbers of the Python function; None: not compared yet.
    structures : set
        Structures of the Jacobian that have been found to hold all of its entries.
    jacobians : dict
        Jacobians found for this right-hand side where the user says nothing of them, by whether df/dt is with them.
    derivatives : dict
        What `odekit.adjoint.user` has compiled of this right-hand side.
    expansions : dict
        Order: Taylor coefficients of its solutions, see `odekit._series`.
    """

    address: int
    compiled: bool
    keep_alive: Any = None
    kept: bool = True
    raised: list = dataclasses.field(default_factory=list)
    agrees: bool | None = None
    structures: set = dataclasses.field(default_factory=set)
    jacobians: dict = dataclasses.field(default_factory=dict)
    derivatives: dict = dataclasses.field(default_factory=dict)
    expansions: dict = dataclasses.field(default_factory=dict)


#: Code of a function -> {key: (ScalarKernel or Unsupported, what the key knows by identity)}.
_compiled: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
RECOMPILATIONS = 4  # compilations of one function for changed values after which a hint is given
_VIEWS = ("view1", "view1c", "view2", "view2c")
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
        versions = sum(k[:2] == key[:2] for k in known)
        _hint(function, versions)
        try:
            kernel = _compile(function, shape, structure, keep=versions == 0)
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


def _compile(function, shape, structure, keep):
    if not (is_jitted(function) or hasattr(function, "__code__")):
        raise Unsupported(f"a {type(function).__name__} is not a function")
    element = types.complex128 if shape.complex_state or shape.derivative else types.float64
    state = types.Array(element, 2 if shape.vectorized else 1, "C")
    arguments = (types.complex128 if shape.time else types.float64, state) + ((state,) if shape.in_place else ())
    if shape.preconditioner:
        arguments = (types.float64, state, types.float64, state, state)
    arguments += tuple(_argument_type(*kind) for kind in structure)
    arguments += omitted(function, len(arguments))
    copies = shape.vectorized or writes_into(function)
    silent = shape.in_place or shape.preconditioner

    def write(returned):
        source = wrapper_source(shape, structure, None if silent else returned, copies)
        return source, {"complex128": np.complex128, **{view: getattr(_jit, view) for view in _VIEWS}}

    address = user_address(function, arguments, write, (shape, structure) if keep else None)
    return ScalarKernel(address, compiled=True, kept=keep)


def omitted(function, given):
    """Types of the arguments that are not given and have a default."""
    plain = getattr(function, "py_func", function)
    missing, defaults = plain.__code__.co_argcount - given, plain.__defaults__ or ()
    return tuple(types.Omitted(value) for value in defaults[-missing:]) if 0 < missing <= len(defaults) else ()


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
