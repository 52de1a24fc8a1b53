"""Copies of functions of the user that can be called with symbols.

In their surroundings (globals, closure variables, defaults, imports) the functions that would turn a symbol into a number are
replaced, and helpers of the user by copies likewise.
"""

import builtins
import dis
import functools
import types

from numba.extending import is_jitted

from . import _stand_ins
from ._capture import surroundings
from ._recording import CannotTrace

_LIBRARIES = frozenset(
    ("numpy", "math", "cmath", "numba", "builtins", "scipy")
)  # their functions are called as they are
_CHANGES = frozenset(("STORE_GLOBAL", "DELETE_GLOBAL", "STORE_ATTR", "DELETE_ATTR"))
_OF_MODULES = ("__name__", "__package__", "__spec__")  # imports in the body need them


class _Namespace:
    """Stand-in of a module, whose functions are replaced as they are looked up."""

    def __init__(self, module, copier):
        self._module, self._copier = module, copier

    def __getattr__(self, name):
        value = self._copier.stand_in(getattr(self._module, name))
        setattr(self, name, value)
        return value


def _items(container):
    """What is in a container, in a list."""
    return [*container, *container.values()] if isinstance(container, dict) else list(container)


class Copier:
    """Copies functions of the user, each once.

    Attributes
    ----------
    files : set of str
        Where their source is.
    """

    def __init__(self):
        self.files, self._done, self._containers = set(), {}, []
        self._builtins = {**vars(builtins), **_stand_ins.BUILTINS, "__import__": self._import}

    def _import(self, *values, **options):
        return self.stand_in(builtins.__import__(*values, **options))

    def callable(self, function):
        """What is called with symbols in place of a right-hand side.

        Parameters
        ----------
        function : callable
            A function, a dispatcher, a method, a partial function, or an object with ``__call__``.

        Returns
        -------
        callable

        Raises
        ------
        CannotTrace
            If it, or what it calls, changes what is outside of it or catches exceptions.
        """
        known = (types.FunctionType, types.MethodType, functools.partial)
        if not is_jitted(function) and not isinstance(function, known):
            called = type(function).__call__
            if isinstance(called, types.FunctionType):
                return types.MethodType(self._copy(called), function)
        return self.stand_in(function)

    def stand_in(self, value):
        """What is put in place of a value that a function takes from its surroundings."""
        if isinstance(value, (float, int, str)):
            return value
        if id(value) in self._done:
            return self._done[id(value)]
        found = _stand_ins.stand_in(value)
        if found is not None:
            return found
        if isinstance(value, types.ModuleType):
            self._done[id(value)] = _Namespace(value, self)
            return self._done[id(value)]
        if is_jitted(value):
            return self._copy(value.py_func)
        if isinstance(value, types.FunctionType):
            return value if (value.__module__ or "").partition(".")[0] in _LIBRARIES else self._copy(value)
        if isinstance(value, types.MethodType):
            return types.MethodType(self.stand_in(value.__func__), value.__self__)
        if isinstance(value, functools.partial):
            return functools.partial(
                self.stand_in(value.func), *map(self.stand_in, value.args), **self._values(value.keywords)
            )
        if type(value) in (list, tuple):
            return self._contain(value, type(value)(map(self.stand_in, value)))
        if type(value) is dict:
            return self._contain(value, self._values(value))
        return value

    def _values(self, values):
        return {name: self.stand_in(value) for name, value in values.items()}

    def _contain(self, value, copy):
        self._done[id(value)] = copy
        self._containers.append((copy, _items(copy), value))  # the value stays alive, and so its id is its own
        return copy

    def check(self):
        """Raise if a function has changed a container, as it was the copy that it has changed.

        Raises
        ------
        CannotTrace
        """
        for copy, before, _ in self._containers:
            if list(map(id, _items(copy))) != list(map(id, before)):
                raise CannotTrace(f"it changes a {type(copy).__name__} outside of it")

    def _copy(self, function):
        """Copy of a function in surroundings that can take symbols."""
        if id(function) in self._done:
            return self._done[id(function)]
        code = function.__code__
        clause = _side_effect(code)
        if clause:
            raise CannotTrace(clause)
        scope = {name: function.__globals__[name] for name in _OF_MODULES if name in function.__globals__}
        scope["__builtins__"] = self._builtins
        cells = {name: types.CellType() for name in code.co_freevars}
        copy = types.FunctionType(code, scope, function.__name__, None, tuple(cells.values()))
        self._done[id(function)] = copy  # before its surroundings, which it may be part of
        self.files.add(code.co_filename)
        copy.__defaults__ = tuple(map(self.stand_in, function.__defaults__ or ()))
        copy.__kwdefaults__ = self._values(function.__kwdefaults__ or {})
        for name, value in surroundings(function).items():
            if name in cells:
                cells[name].cell_contents = self.stand_in(value)
            else:
                scope[name] = self.stand_in(value)
        return copy


@functools.lru_cache(maxsize=4096)
def _side_effect(code):
    """What code does that would happen once only, or is not seen with symbols, or None."""
    instructions = [(instruction.opname, instruction.argval) for instruction in dis.get_instructions(code)]
    names = [name for name, _ in instructions]
    # the handler of a with statement is the only one that begins so and catches nothing
    if names.count("PUSH_EXC_INFO") > names.count("WITH_EXCEPT_START"):
        return "it catches exceptions, which symbols do not raise"
    if not _CHANGES.isdisjoint(names) or any(("STORE_DEREF", name) in instructions for name in code.co_freevars):
        return "it changes a variable outside of it"
    return next(filter(None, map(_side_effect, (c for c in code.co_consts if isinstance(c, types.CodeType)))), None)
