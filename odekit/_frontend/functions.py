"""Functions translated one by one, and put together to a module."""

import ast
import dataclasses
import functools
import hashlib
import linecache
import re
import weakref

from llvmlite import ir
from numba.core.errors import NumbaError

from .statements import Widen
from .values import Unsupported, argument_type, assemble, flat_types, packed_type
from .writer import Writer

_SELF = "odekit_the_function_itself"  # its name while it is written
_METADATA = re.compile(r", ![a-z.]+ !\d+")  # of intrinsics' loads: belongs to another module


@dataclasses.dataclass(frozen=True)
class Unit:
    """A translated function.

    Attributes
    ----------
    name : str
        Ends in a hash of what it does: two of the same name are the same.
    text : str
        Its definition.
    type : numba type
        Of what it returns.
    signature : llvmlite FunctionType
    needs : tuple of Unit
        What it calls.
    outside : tuple of str
        Declarations, and definitions that other compiled code wrote.
    """

    name: str
    text: str
    type: object
    signature: object
    needs: tuple
    outside: tuple

    def declared(self, module):
        """The function, to be called from a module of llvmlite's."""
        if self.name in module.globals:
            return module.globals[self.name]
        return ir.Function(module, self.signature, self.name)


def module_text(units, known=()):
    """Definitions of functions and of all that they call, each once; but for the lines `known`."""
    found, lines = {}, dict.fromkeys(known)
    waiting = list(units)
    while waiting:
        unit = waiting.pop()
        if unit.name not in found:
            found[unit.name] = unit.text
            lines.update(dict.fromkeys(unit.outside))
            waiting += unit.needs
    return "\n".join([*(line for line in lines if line not in known), *found.values()])


@functools.cache
def _definitions(filename):
    """Definitions of functions in a source file, by their first line."""
    source = "".join(linecache.getlines(filename))
    found = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            first = node.decorator_list[0].lineno if node.decorator_list else node.lineno
            found[first] = node
    return found


def _definition(function):
    code = function.__code__
    try:
        node = _definitions(code.co_filename)[code.co_firstlineno]
    except (KeyError, SyntaxError):
        raise Unsupported(f"no source of {function.__qualname__}") from None
    arguments = node.args
    if arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.posonlyargs:
        raise Unsupported("arguments other than plain ones")
    return node


def _constants(function):
    """What a function finds by name outside of itself."""
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    return {name: cell.cell_contents for name, cell in cells.items()}


_units = weakref.WeakKeyDictionary()  # function -> {(types, options): Unit or Unsupported}


def translate(function, kinds, fastmath=(), placed=""):
    """Translate a function for arguments of these types.

    Parameters
    ----------
    function : function
        Plain Python function.
    kinds : sequence of numba types
    fastmath : sequence of str
        LLVM's flags of its arithmetic.
    placed : str
        "noinline" or "alwaysinline"; "": as LLVM likes.

    Returns
    -------
    Unit

    Raises
    ------
    Unsupported
    """
    kinds = tuple(map(argument_type, kinds))
    known, key = _units.setdefault(function, {}), (kinds, tuple(sorted(fastmath)), placed)
    if key not in known:
        try:
            known[key] = _translated(function, *key)
        except Unsupported as error:
            known[key] = error
        except (
            TypeError,
            ValueError,
            LookupError,
            AttributeError,
            NumbaError,
        ) as error:  # where Python would raise, too
            known[key] = Unsupported(f"{type(error).__name__}: {error}")
    if isinstance(known[key], Unsupported):
        raise known[key]
    return known[key]


def _translated(function, kinds, fastmath, placed):
    node, widened = _definition(function), {}
    while True:
        try:
            return _written(function, node, kinds, fastmath, placed, widened)
        except Widen as found:
            widened[found.name] = found.type


def _written(function, node, kinds, fastmath, placed, widened):
    names = [argument.arg for argument in node.args.args]
    if len(names) != len(kinds):
        raise Unsupported(f"{len(kinds)} arguments for {len(names)}")
    module = ir.Module()
    argument_types = [x for kind in kinds for x in flat_types(kind)]
    # what it returns is known at its end
    whole = ir.Function(module, ir.FunctionType(ir.VoidType(), argument_types), _SELF)
    writer = Writer(whole, function.__globals__, _constants(function), node, fastmath, widened, translate)
    values = iter(whole.args)
    writer.write(dict(zip(names, [assemble(kind, values) for kind in kinds], strict=True)))
    whole.linkage = "internal"
    for attribute in ("nounwind", *([placed] if placed else ())):
        whole.attributes.add(attribute)
    result = packed_type(flat_types(writer.returned))
    whole.ftype = ir.FunctionType(result, argument_types)
    whole.return_value = ir.values.ReturnValue(whole, result)
    needs, outside = tuple(writer.needs.values()), []
    known = {unit.name for unit in needs}
    for other in module.global_values:
        if other is not whole and other.name not in known:
            outside.append(_METADATA.sub("", str(other)).strip())
    text = _METADATA.sub("", str(whole))
    name = f"odekit.{function.__name__}.{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    return Unit(name, text.replace(f'@"{_SELF}"', f'@"{name}"'), writer.returned, whole.ftype, needs, tuple(outside))
