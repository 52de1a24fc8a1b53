"""Operators on dual numbers: their types, and their code from a rule for the value and the derivatives."""

import operator

from numba import types
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature

from ._dual import ONE, Dual, arguments, built, linear, over, parts


def _add(builder, a, da, b, db):
    return builder.fadd(a, b), [(None, da), (None, db)]


def _sub(builder, a, da, b, db):
    return builder.fsub(a, b), [(None, da), (-1, db)]


def _mul(builder, a, da, b, db):
    return builder.fmul(a, b), [(b, da), (a, db)]


def _truediv(builder, a, da, b, db):
    quotient = builder.fdiv(a, b)
    inverse = builder.fdiv(getattr(builder, "one", ONE), b)
    return quotient, [(inverse, da), (builder.fneg(builder.fmul(quotient, inverse)), db)]


class Arithmetic(AbstractTemplate):
    """Typing of an operator whose result depends on all that its operands depend on."""

    def generic(self, args, kws):
        found = arguments(args)
        return None if kws or found is None else signature(found[1], *found[0])


class _Comparison(AbstractTemplate):
    def generic(self, args, kws):
        found = arguments(args)
        return None if kws or found is None else signature(types.boolean, *found[0])


class _Sign(AbstractTemplate):
    def generic(self, args, kws):
        return signature(*args, *args) if len(args) == 1 and isinstance(args[0], Dual) and not kws else None


def pairs():
    """Types of two operands of which one is dual, for registering what operates on them."""
    return (Dual, Dual), (Dual, types.Float), (types.Float, Dual)


def _register_arithmetic(rule, *functions):
    def lowered(context, builder, sig, args):
        kind = sig.return_type
        operands = [parts(context, builder, given, x, kind.base) for given, x in zip(sig.args, args, strict=True)]
        arithmetic = over(context, builder, kind)
        value, terms = rule(arithmetic, *operands[0], *operands[1])
        return built(context, builder, kind, value, linear(arithmetic, terms))

    for function in functions:
        infer_global(function)(type("DualArithmetic", (Arithmetic,), {"key": function}))
        for pair in pairs():
            lower_builtin(function, *pair)(lowered)


def _plain(context, builder, kind, x):
    """The value of the value, down to the float."""
    while isinstance(kind, Dual):
        x, kind = parts(context, builder, kind, x)[0], kind.base
    return context.cast(builder, x, kind, types.float64)


def _register_comparison(function, symbol):
    def lowered(context, builder, sig, args):
        a, b = (_plain(context, builder, kind, x) for kind, x in zip(sig.args, args, strict=True))
        compare = builder.fcmp_unordered if symbol == "!=" else builder.fcmp_ordered
        return compare(symbol, a, b)

    infer_global(function)(type("DualComparison", (_Comparison,), {"key": function}))
    for pair in pairs():
        lower_builtin(function, *pair)(lowered)


for _rule, *_operators in (
    (_add, operator.add, operator.iadd),
    (_sub, operator.sub, operator.isub),
    (_mul, operator.mul, operator.imul),
    (_truediv, operator.truediv, operator.itruediv),
):
    _register_arithmetic(_rule, *_operators)

for _symbol, _operator in {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq,
                           "!=": operator.ne}.items():  # fmt: skip
    _register_comparison(_operator, _symbol)


infer_global(operator.neg)(type("DualNegative", (_Sign,), {"key": operator.neg}))
infer_global(operator.pos)(type("DualPositive", (_Sign,), {"key": operator.pos}))


@lower_builtin(operator.neg, Dual)
def _negative(context, builder, sig, args):
    value, derivatives = parts(context, builder, sig.args[0], args[0])
    arithmetic = over(context, builder, sig.return_type)
    negated = {k: arithmetic.fneg(d) for k, d in derivatives.items()}
    return built(context, builder, sig.return_type, arithmetic.fneg(value), negated)


@lower_builtin(operator.pos, Dual)
def _positive(context, builder, sig, args):
    return args[0]
