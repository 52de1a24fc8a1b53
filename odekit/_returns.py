"""A compiler pass: what a right-hand side returns as a list becomes a tuple.

``return [a, b, c]`` and ``return np.array([a, b, c])`` allocate on every call, which costs ten times what the arithmetic
of a small system does. In Numba's untyped intermediate representation the list is turned into a tuple, which lives in
registers. The list of lists that a Jacobian returns becomes one flat tuple, row by row.
"""

from numba.core import ir
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.ir_utils import build_definitions, find_callname, get_definition, guard

_LARGEST_TUPLE = 64  # a longer tuple costs more compile time than the allocation it saves


def _literal_behind(func_ir, variable):
    """The expression that defines a variable, through copies and casts."""
    definition = guard(get_definition, func_ir, variable)
    while isinstance(definition, ir.Var) or (isinstance(definition, ir.Expr) and definition.op == "cast"):
        variable = definition if isinstance(definition, ir.Var) else definition.value
        definition = guard(get_definition, func_ir, variable)
    return definition


_LITERALS = ("build_list", "build_tuple")


def _is_literal(expression):
    return isinstance(expression, ir.Expr) and expression.op in _LITERALS


def _flat_items(func_ir, expression):
    """Items of a list literal, those of a matrix row by row; None where it is neither, or too long."""
    if not _is_literal(expression):
        return None
    inner = [_literal_behind(func_ir, item) for item in expression.items]
    if all(_is_literal(row) for row in inner):
        items = [item for row in inner for item in row.items]
        if any(_is_literal(_literal_behind(func_ir, item)) for item in items):
            return None
    elif any(_is_literal(row) for row in inner):
        return None
    else:
        items = list(expression.items)
    return items if len(items) <= _LARGEST_TUPLE else None


@register_pass(mutates_CFG=False, analysis_only=False)
class ReturnTuples(FunctionPass):
    """Rewrite the returned list literals of a function."""

    _name = "odekit_return_tuples"

    def __init__(self):
        super().__init__()

    def run_pass(self, state):
        """Rewrite; True where something changed."""
        func_ir = state.func_ir
        uses = [s for block in func_ir.blocks.values() for s in block.body if isinstance(s, ir.Assign)]
        changed = False
        for block in func_ir.blocks.values():
            if not (block.body and isinstance(block.body[-1], ir.Return)):
                continue
            returned = _literal_behind(func_ir, block.body[-1].value)
            if isinstance(returned, ir.Expr) and returned.op == "call" and len(returned.args) == 1 and not returned.kws:
                if guard(find_callname, func_ir, returned) in (("array", "numpy"), ("asarray", "numpy")):
                    call, returned = returned, _literal_behind(func_ir, returned.args[0])
                    if _flat_items(func_ir, returned) is not None:
                        next(s for s in uses if s.value is call).value = call.args[0]  # the call becomes a copy
            items = _flat_items(func_ir, returned)
            if items is not None:
                returned.op, returned.items = "build_tuple", items
                changed = True
        if changed:
            func_ir._definitions = build_definitions(func_ir.blocks)
        return changed
