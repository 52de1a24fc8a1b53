"""A compiler pass: what a right-hand side returns as a list becomes a tuple.

``return [a, b, c]`` and ``return np.array([a, b, c])`` allocate on every call, which costs ten times what the arithmetic
of a small system does. In Numba's untyped intermediate representation the list is turned into a tuple, which lives in
registers.
"""

from numba.core import ir
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.ir_utils import build_definitions, find_callname, get_definition, guard
from numba.core.untyped_passes import IRProcessing

_LARGEST_TUPLE = 64  # a longer tuple costs more compile time than the allocation it saves


def _literal_behind(func_ir, variable):
    """The expression that defines a variable, through copies and casts."""
    definition = guard(get_definition, func_ir, variable)
    while isinstance(definition, ir.Var) or (isinstance(definition, ir.Expr) and definition.op == "cast"):
        variable = definition if isinstance(definition, ir.Var) else definition.value
        definition = guard(get_definition, func_ir, variable)
    return definition


def _is_flat_list(func_ir, expression):
    if not (isinstance(expression, ir.Expr) and expression.op in ("build_list", "build_tuple")):
        return False
    nested = (_literal_behind(func_ir, item) for item in expression.items)
    return len(expression.items) <= _LARGEST_TUPLE and not any(
        isinstance(item, ir.Expr) and item.op in ("build_list", "build_tuple") for item in nested
    )


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
            is_call = isinstance(returned, ir.Expr) and returned.op == "call"
            if is_call and len(returned.args) == 1 and not returned.kws:
                if guard(find_callname, func_ir, returned) in (("array", "numpy"), ("asarray", "numpy")):
                    call, returned = returned, _literal_behind(func_ir, returned.args[0])
                    if _is_flat_list(func_ir, returned):
                        next(s for s in uses if s.value is call).value = call.args[0]  # the call becomes a copy
                        changed = True
            if _is_flat_list(func_ir, returned) and returned.op == "build_list":
                returned.op = "build_tuple"
                changed = True
        if changed:
            func_ir._definitions = build_definitions(func_ir.blocks)
        return changed


class ReturnTuplesCompiler(CompilerBase):
    """Numba's nopython pipeline with the pass in it; give it to ``njit`` as `pipeline_class`."""

    def define_pipelines(self):
        """Numba's hook."""
        pipeline = DefaultPassBuilder.define_nopython_pipeline(self.state)
        pipeline.add_pass_after(ReturnTuples, IRProcessing)
        pipeline.finalize()
        return [pipeline]
