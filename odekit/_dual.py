"""Dual numbers for Numba: a number together with its derivatives, for exact Jacobians of a user's function.

A dual number ``x + sum_k d_k e_k``, with ``e_j e_k = 0``, carries the derivatives d_k of x in some directions through every
operation. Which directions a number depends on is part of its type: what is zero by structure costs nothing, and branches,
``abs`` and ``max`` differentiate as they should, which they do not by complex step. Numbers live in registers, so that LLVM
vectorises a loop around such a function as it does around the function itself.

The parts may be dual numbers themselves: the derivatives of the derivatives are second ones.
"""

import functools
import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models, register_default
from numba.core.imputils import lower_cast
from numba.core.typeconv import Conversion
from numba.core.typing.templates import signature
from numba.extending import intrinsic


class Dual(types.Type):
    """Type of a number that depends on some directions.

    Parameters
    ----------
    mask : int
        Bit k: it has a derivative in direction k.
    base : numba type
        Of the value and of each derivative: float64, or a type of dual numbers.
    """

    def __init__(self, mask, base=types.float64):
        self.mask, self.base = mask, base
        super().__init__(f"dual({mask:b})" if base == types.float64 else f"dual({mask:b}, {base})")

    @property
    def directions(self):
        """The directions, in order."""
        return [k for k in range(self.mask.bit_length()) if self.mask >> k & 1]

    @property
    def bitwidth(self):
        """Size in memory."""
        return self.base.bitwidth * (1 + len(self.directions))

    def unify(self, typingctx, other):
        """Where two branches meet: what holds both."""
        if isinstance(other, Dual):
            return Dual(self.mask | other.mask, self.base) if self.base == other.base else None
        return self if isinstance(other, NUMBERS) else None

    def can_convert_to(self, typingctx, other):
        """A number may be taken for one that has more directions."""
        if isinstance(other, Dual) and self.mask | other.mask == other.mask and self.base == other.base:
            return Conversion.safe
        return None

    def can_convert_from(self, typingctx, other):
        """Any real number is a constant."""
        return Conversion.safe if isinstance(other, NUMBERS) else None


NUMBERS = (types.Float, types.Integer, types.Boolean)
_DOUBLE = ir.DoubleType()
_ZERO, ONE = ir.Constant(_DOUBLE, 0.0), ir.Constant(_DOUBLE, 1.0)


@register_default(Dual)
class _DualModel(models.StructModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, [(f"d{k}", kind.base) for k in (-1, *kind.directions)])


class _Nested:
    """Arithmetic of dual numbers under the names that the builder has for floats."""

    def __init__(self, context, builder, base):
        self.context, self.builder, self.base = context, builder, base
        self.one = context.cast(builder, ONE, types.float64, base)

    def _call(self, function, *values):
        sig = signature(self.base, *[self.base] * len(values))
        return self.context.get_function(function, sig)(self.builder, values)

    def fadd(self, a, b):
        return self._call(operator.add, a, b)

    def fsub(self, a, b):
        return self._call(operator.sub, a, b)

    def fmul(self, a, b):
        return self._call(operator.mul, a, b)

    def fdiv(self, a, b):
        return self._call(operator.truediv, a, b)

    def fneg(self, a):
        return self._call(operator.neg, a)


def over(context, builder, kind):
    """What computes with the parts of a dual number."""
    return builder if kind.base == types.float64 else _Nested(context, builder, kind.base)


def parts(context, builder, kind, x, base=types.float64):
    """The value and the derivatives by direction; of a number that is not dual, as `base`."""
    if not isinstance(kind, Dual):
        return context.cast(builder, x, kind, base), {}
    pieces = cgutils.unpack_tuple(builder, x, 1 + len(kind.directions))
    return pieces[0], dict(zip(kind.directions, pieces[1:], strict=True))


def zero(context, kind):
    """A part of a dual number that is zero."""
    return _ZERO if kind.base == types.float64 else context.get_constant_null(kind.base)


def built(context, builder, kind, value, derivatives):
    """A dual number from its parts; derivatives that are missing are zero."""
    pieces = [value, *(derivatives.get(k, zero(context, kind)) for k in kind.directions)]
    result = ir.Constant(context.get_value_type(kind), ir.Undefined)
    for place, piece in enumerate(pieces):
        result = builder.insert_value(result, piece, place)
    return result


@lower_cast(Dual, Dual)
@lower_cast(types.Float, Dual)
@lower_cast(types.Integer, Dual)
@lower_cast(types.Boolean, Dual)
def _cast(context, builder, source, target, x):
    return built(context, builder, target, *parts(context, builder, source, x, target.base))


def linear(builder, terms):
    """Sum of factor * derivative over terms (factor, derivatives); a factor of None is one, of -1 minus one."""
    total = {}
    for factor, derivatives in terms:
        for k, d in derivatives.items():
            if factor == -1:
                total[k] = builder.fsub(total[k], d) if k in total else builder.fneg(d)
                continue
            scaled = d if factor is None else builder.fmul(factor, d)
            total[k] = builder.fadd(total[k], scaled) if k in total else scaled
    return total


def arguments(args):
    """Types of two arguments as the operators take them, and the directions of the result; None where none is dual."""
    if len(args) != 2 or not any(isinstance(a, Dual) for a in args):
        return None
    if not all(isinstance(a, (Dual, *NUMBERS)) for a in args):
        return None
    bases = {a.base for a in args if isinstance(a, Dual)}
    if len(bases) > 1:
        return None
    mask = functools.reduce(operator.or_, (a.mask for a in args if isinstance(a, Dual)))
    return [a if isinstance(a, Dual) else types.float64 for a in args], Dual(mask, bases.pop())


# ---------------------------------------------------------------------------------------------------------------------
# for compiled code


@intrinsic
def seed(typingctx, x, direction, directions):
    """The number x as the variable of a direction; `directions`: the mask of what its type is to hold."""
    if not (isinstance(direction, types.IntegerLiteral) and isinstance(directions, types.IntegerLiteral)):
        return None
    kind, place = Dual(directions.literal_value), direction.literal_value

    def codegen(context, builder, signature, args):
        return built(context, builder, kind, args[0], {place: ir.Constant(_DOUBLE, 1.0)})

    return kind(types.float64, direction, directions), codegen


@intrinsic
def pair(typingctx, x, dx):
    """The dual number with the value x and the derivative dx in direction 0; both may be dual numbers of one type."""
    if not isinstance(x, (Dual, types.Float)) or x != dx:
        return None
    kind = Dual(1, x)
    return kind(x, dx), lambda context, builder, signature, args: built(context, builder, kind, args[0], {0: args[1]})


@intrinsic
def value(typingctx, x):
    """The value of a number, dual or not."""
    if not isinstance(x, (Dual, *NUMBERS)):
        return None
    base = x.base if isinstance(x, Dual) else types.float64
    return base(x), lambda context, builder, signature, args: parts(context, builder, x, args[0])[0]


@intrinsic
def derivative(typingctx, x, direction):
    """The derivative of a number, dual or not, in a direction."""
    if not (isinstance(x, (Dual, *NUMBERS)) and isinstance(direction, types.IntegerLiteral)):
        return None
    place, base = direction.literal_value, x.base if isinstance(x, Dual) else types.float64

    def codegen(context, builder, signature, args):
        found = parts(context, builder, x, args[0])[1].get(place)
        return context.get_constant_null(base) if found is None else found

    return base(x, direction), codegen


@intrinsic
def chain(typingctx, result, slope, x):
    """The dual number of value `result` whose derivatives are `slope` times those of x."""
    if not isinstance(x, Dual):
        return None

    def codegen(context, builder, signature, args):
        derivatives = parts(context, builder, x, args[2])[1]
        return built(context, builder, x, args[0], linear(over(context, builder, x), [(args[1], derivatives)]))

    return x(x.base, x.base, x), codegen


@intrinsic
def chain2(typingctx, result, slope_x, x, slope_y, y):
    """The same for a function of two numbers, one of which may be no dual number."""
    found = arguments((x, y))
    if found is None:
        return None
    kind = found[1]

    def codegen(context, builder, signature, args):
        terms = [(args[k], parts(context, builder, signature.args[k + 1], args[k + 1])[1]) for k in (1, 3)]
        return built(context, builder, kind, args[0], linear(over(context, builder, kind), terms))

    return kind(kind.base, kind.base, x, kind.base, y), codegen


@intrinsic
def choose(typingctx, condition, x, y):
    """``x if condition else y`` for numbers one of which is dual."""
    found = arguments((x, y))
    if found is None:
        return None
    kind = found[1]

    def codegen(context, builder, signature, args):
        (a, da), (b, db) = (parts(context, builder, signature.args[k], args[k], kind.base) for k in (1, 2))
        nothing = zero(context, kind)
        chosen = {k: builder.select(args[0], da.get(k, nothing), db.get(k, nothing)) for k in kind.directions}
        return built(context, builder, kind, builder.select(args[0], a, b), chosen)

    return kind(types.boolean, x, y), codegen
