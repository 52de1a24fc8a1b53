"""What a Python function takes from its surroundings: globals and closure variables.

Compiled code freezes them, so a change must recompile; and plain Python helpers among them must be compiled too.
"""

import builtins
import dis
import functools
import types

import numpy as np
from numba.extending import is_jitted

_INDIRECT = frozenset(("locals", "vars", "eval", "exec"))  # ways to read a variable without its name
_LIBRARIES = ("numpy", "math", "cmath", "numba", "builtins")  # Numba knows their functions itself


def surroundings(function):
    """Globals and closure variables that a function refers to, by name.

    Parameters
    ----------
    function : types.FunctionType

    Returns
    -------
    dict
    """
    scope = function.__globals__
    found = {name: scope[name] for name in _names(function.__code__) if name in scope}
    if function.__closure__ is None:
        return found
    for name, cell in zip(function.__code__.co_freevars, function.__closure__, strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    return found


@functools.lru_cache(maxsize=4096)
def _names(code):
    """Names in a code object and in those nested in it; attributes are among them, which does no harm."""
    return frozenset(code.co_names).union(*(_names(c) for c in code.co_consts if isinstance(c, types.CodeType)))


_PLAIN = (int, float, complex, bool, str, bytes, type(None))


def _is_helper(value):
    return isinstance(value, types.FunctionType) and (value.__module__ or "").partition(".")[0] not in _LIBRARIES


def names_used(function, _seen=None):
    """Names of globals and attributes in a function and in the functions that it calls.

    Parameters
    ----------
    function : callable

    Returns
    -------
    set of str
    """
    seen = set() if _seen is None else _seen
    function = getattr(function, "py_func", function)
    if not isinstance(function, types.FunctionType) or id(function) in seen:
        return set()
    seen.add(id(function))
    names = set(_names(function.__code__))
    for value in surroundings(function).values():
        if _is_helper(value) or is_jitted(value):
            names |= names_used(value, seen)
    return names


def ignores_first_argument(function):
    """Whether a function certainly never reads its first argument, by its bytecode; helpers are not looked into.

    Parameters
    ----------
    function : callable

    Returns
    -------
    bool
    """
    function = getattr(function, "py_func", function)
    if not isinstance(function, types.FunctionType) or function.__code__.co_argcount == 0:
        return False
    return _never_reads_first(function.__code__)


@functools.lru_cache(maxsize=4096)
def _never_reads_first(code):
    """The same of a code object: its bytecode is listed once, which takes longer than a small problem."""
    if not _INDIRECT.isdisjoint(code.co_names):
        return False
    name = code.co_varnames[0]
    arguments = [instruction.argval for instruction in dis.get_instructions(code)]
    return not any(a == name or (isinstance(a, tuple) and name in a) for a in arguments)


def snapshot(function, opaque, _seen=None):
    """A hashable picture of the code and of the values that compiled code would freeze; it differs when one has changed.

    Two functions made by the same ``def`` with the same values in their closures have the same picture.

    Parameters
    ----------
    function : callable
    opaque : list
        Receives the objects that the picture knows by their identity: it is valid as long as they live.

    Returns
    -------
    tuple
    """
    seen = set() if _seen is None else _seen
    options = ()
    if not isinstance(function, types.FunctionType):
        if not is_jitted(function):
            opaque.append(function)
            return (id(function),)
        options, function = (id(function),), function.py_func
        opaque.append(function)
    if function.__code__ in seen:
        return (function.__code__,)
    seen.add(function.__code__)
    values = surroundings(function)
    if not values and not function.__defaults__ and not function.__kwdefaults__:
        return (function.__code__, options)
    picture = [function.__code__, options]
    values = sorted(values.items())
    if function.__defaults__ or function.__kwdefaults__:
        values += enumerate(function.__defaults__ or ())
        values += sorted((function.__kwdefaults__ or {}).items())
    for name, value in values:
        if isinstance(value, _PLAIN) or (isinstance(value, tuple) and all(isinstance(v, _PLAIN) for v in value)):
            frozen = repr(value)  # 0.0 and -0.0, 1 and 1.0 are not the same
        elif isinstance(value, np.ndarray):
            frozen = (value.shape, value.dtype.str, value.tobytes())
        elif _is_helper(value) or is_jitted(value):
            frozen = snapshot(value, opaque, seen)
        else:
            opaque.append(value)
            frozen = id(value)
        picture.append((name, type(value).__name__, frozen))
    return tuple(picture)


def stays_itself(dispatcher):
    """Whether a compiled function of the user cannot be part of another one: its loops run in parallel, or it types variables."""
    return bool(dispatcher.locals or dispatcher.targetoptions.get("parallel"))


def renamed(function, name, compiled, _done=None):
    """A compiled copy of a function under a name of its own, the functions of the user that it calls likewise.

    Parameters
    ----------
    function : function or Numba dispatcher
    name : str
    compiled : callable
        ``compiled(copy, original)`` gives the dispatcher of a copy.

    Returns
    -------
    Numba dispatcher

    Notes
    -----
    Two compiled functions with the same qualified name and different bodies may be merged by the linker (Numba #10486).
    """
    done = {} if _done is None else _done
    plain = getattr(function, "py_func", function)
    if plain in done:
        return done[plain]
    done[plain] = plain  # a recursive call stays as it is: Numba rejects it
    # numba rebuilds the environment of cached code by importing this module name: the user's may be gone by then
    scope, cells = {**plain.__globals__, "__name__": __name__}, list(plain.__closure__ or ())
    scope.setdefault("__builtins__", builtins)
    for used, value in surroundings(plain).items():
        if not (_is_helper(value) or is_jitted(value)) or (value.__module__ or "").startswith("odekit.vmath"):
            continue
        helper = renamed(value, f"{name}_{len(done)}", compiled, done)
        if used in plain.__code__.co_freevars:
            cells[plain.__code__.co_freevars.index(used)] = types.CellType(helper)
        else:
            scope[used] = helper
    copy = types.FunctionType(plain.__code__, scope, name, plain.__defaults__, tuple(cells) or None)
    copy.__qualname__, copy.__kwdefaults__, copy.__module__ = name, plain.__kwdefaults__, __name__
    done[plain] = compiled(copy, function)
    return done[plain]
