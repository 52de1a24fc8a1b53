"""A compiler pass: half-integer powers become square roots.

``r2 ** 1.5`` is what most fields of forces contain. As a call of ``pow`` it takes as long as all the rest of such a field,
and keeps a loop over trajectories from being vectorised; ``r2 * sqrt(r2)`` is the same to a rounding or two.
"""

import operator

import numpy as np
from numba import njit
from numba.core import ir
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.ir_utils import build_definitions, get_definition, guard, mk_unique_var

_helper = njit(error_model="numpy", nogil=True)


@_helper
def _half(x):
    return np.sqrt(x)


@_helper
def _three_halves(x):
    return x * np.sqrt(x)


@_helper
def _five_halves(x):
    return x * x * np.sqrt(x)


@_helper
def _minus_half(x):
    return 1.0 / np.sqrt(x)


@_helper
def _minus_three_halves(x):
    return 1.0 / (x * np.sqrt(x))


@_helper
def _minus_five_halves(x):
    return 1.0 / (x * x * np.sqrt(x))


#: Exponent to what takes its place. For numbers and arrays alike, NaN for negative numbers as ``pow`` gives it.
HALF_POWERS = {
    0.5: _half, 1.5: _three_halves, 2.5: _five_halves,
    -0.5: _minus_half, -1.5: _minus_three_halves, -2.5: _minus_five_halves,
}  # fmt: skip


def _constant(func_ir, variable):
    """Value of a number that the source states, with its sign; None where it is none."""
    definition = guard(get_definition, func_ir, variable)
    if isinstance(definition, ir.Expr) and definition.op == "unary" and definition.fn in (operator.neg, "-"):
        value = _constant(func_ir, definition.value)
        return None if value is None else -value
    if isinstance(definition, ir.Const) and isinstance(definition.value, float):
        return definition.value
    return None


@register_pass(mutates_CFG=False, analysis_only=False)
class HalfPowers(FunctionPass):
    """Rewrite the half-integer powers of a function."""

    _name = "odekit_half_powers"

    def __init__(self):
        super().__init__()

    def run_pass(self, state):
        """Rewrite; True where something changed."""
        func_ir = state.func_ir
        changed = False
        for block in func_ir.blocks.values():
            body = []
            for statement in block.body:
                value = getattr(statement, "value", None)
                if isinstance(value, ir.Expr) and value.op == "binop" and value.fn is operator.pow:
                    helper = HALF_POWERS.get(_constant(func_ir, value.rhs))
                    if helper is not None:
                        name = ir.Var(block.scope, mk_unique_var("$half_power"), statement.loc)
                        body.append(ir.Assign(ir.Global(helper.__name__, helper, statement.loc), name, statement.loc))
                        statement.value = ir.Expr.call(name, [value.lhs], (), statement.loc)
                        changed = True
                body.append(statement)
            block.body = body
        if changed:
            func_ir._definitions = build_definitions(func_ir.blocks)
        return changed
