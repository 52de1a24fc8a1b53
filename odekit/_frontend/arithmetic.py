"""Arithmetic and comparisons of numbers, by Numba's rules."""

import ast
import math
import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils

from .values import (
    LONG,
    SCALARS,
    Bundle,
    Known,
    Scalar,
    Unsupported,
    long,
    scalar,
)

_OPERATORS = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod, ast.Pow: operator.pow, ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.LShift: operator.lshift,
    ast.RShift: operator.rshift, ast.BitXor: operator.xor,
}  # fmt: skip
_COMPARISONS = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_COMPARE = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_FLOAT = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul", ast.Div: "fdiv"}
_INTEGER = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul"}
_BITS = {ast.BitAnd: "and_", ast.BitOr: "or_", ast.BitXor: "xor", ast.LShift: "shl", ast.RShift: "ashr"}
MANY_MULTIPLICATIONS = 0x10000  # from more on the library's function takes over
MOST_MULTIPLICATIONS = 16  # exponents up to this are multiplied out


def _whole_power(a, b):
    """a**b for an integer b, as Numba computes it."""
    count = -b if b < 0 else b
    if count > MANY_MULTIPLICATIONS:
        return math.pow(a, float(b))
    result = 1.0
    while count != 0:
        if count & 1:
            result *= a
        count >>= 1
        a *= a
    return 1.0 / result if b < 0 else result


class Arithmetic:
    """Writes arithmetic."""

    def common(self, one, other):
        """The type in which two numbers are added."""
        if one not in SCALARS or other not in SCALARS:
            raise Unsupported(f"arithmetic with {one} and {other}")
        kinds = {one, other} - {types.boolean}
        if types.float64 in kinds or kinds == {types.int64, types.float32}:
            return types.float64
        return types.float32 if types.float32 in kinds else types.int64

    def cast(self, value, kind):
        """A number as one of another type."""
        value, builder = scalar(value), self.builder
        one = value.type
        if one == kind:
            return value
        target = SCALARS[kind]
        if kind == types.boolean:
            x = self.truth(value)
        elif one == types.boolean:
            x = builder.zext(value.ir, target) if kind == types.int64 else builder.uitofp(value.ir, target)
        elif one == types.int64:
            x = (
                ir.Constant(target, float(value.ir.constant))
                if isinstance(value.ir, ir.Constant)
                else builder.sitofp(value.ir, target)
            )
        elif kind == types.int64:
            x = builder.fptosi(value.ir, target)
        else:
            x = (builder.fpext if kind == types.float64 else builder.fptrunc)(value.ir, target)
        return Scalar(kind, x)

    def integer(self, value):
        """An int64, from an integer or a truth value."""
        value = scalar(value)
        if value.type not in (types.int64, types.boolean):
            raise Unsupported("an integer is expected")
        return self.cast(value, types.int64).ir

    def product(self, factors):
        """Product of integers."""
        first, *rest = factors
        for factor in rest:
            first = self.builder.mul(first, factor, flags=("nsw",))
        return first

    def intrinsic(self, name, kind, arguments):
        """Call a function of LLVM's of numbers of one type."""
        element = SCALARS[kind]
        function_type = ir.FunctionType(element, [element] * len(arguments))
        function = cgutils.get_or_insert_function(
            self.builder.module, function_type, f"{name}.{element.intrinsic_name}"
        )
        return Scalar(kind, self.builder.call(function, [x.ir for x in arguments], fastmath=self.flags))

    def binary(self, op, left, right):
        """The same of two values."""
        kind = type(op)
        if isinstance(left, Known) and isinstance(right, Known) and kind in _OPERATORS:
            return Known(_OPERATORS[kind](left.value, right.value))
        if kind is ast.Pow:
            return self._power(left, right)
        a, b = scalar(left), scalar(right)
        if kind in _BITS:
            return Scalar(types.int64, getattr(self.builder, _BITS[kind])(self.integer(a), self.integer(b)))
        wide = self.common(a.type, b.type)
        if kind is ast.Div and wide == types.int64:
            wide = types.float64
        x, y = self.cast(a, wide).ir, self.cast(b, wide).ir
        if wide != types.int64:
            if kind not in _FLOAT:
                raise Unsupported(f"{kind.__name__} of floating-point numbers")
            return Scalar(wide, getattr(self.builder, _FLOAT[kind])(x, y, flags=self.flags))
        if kind in _INTEGER:
            return Scalar(wide, getattr(self.builder, _INTEGER[kind])(x, y, flags=("nsw",)))
        return Scalar(wide, self._floor_division(kind, x, y))

    def _floor_division(self, kind, x, y):
        """Quotient towards minus infinity, or what it leaves; 0 where the divisor is 0."""
        builder, zero = self.builder, long(0)
        positive = getattr(y, "constant", 0) > 0
        divisor = y if positive else builder.select(builder.icmp_signed("==", y, zero), long(1), y)
        quotient, rest = builder.sdiv(x, divisor), builder.srem(x, divisor)
        wrong = builder.icmp_signed("<", builder.xor(rest, divisor), zero)
        wrong = builder.and_(wrong, builder.icmp_signed("!=", rest, zero))
        if kind is ast.FloorDiv:
            result = builder.sub(quotient, builder.zext(wrong, LONG))
        else:
            result = builder.add(rest, builder.select(wrong, divisor, zero))
        return result if positive else builder.select(builder.icmp_signed("==", y, zero), zero, result)

    def _power(self, left, right):
        base = scalar(left)
        exponent = right.value if isinstance(right, Known) else None
        if isinstance(exponent, int) and 0 < exponent <= MOST_MULTIPLICATIONS:
            result, factor = None, base  # in the order in which Numba multiplies
            while exponent:
                if exponent & 1:
                    result = factor if result is None else self.binary(ast.Mult(), result, factor)
                exponent >>= 1
                if exponent:
                    factor = self.binary(ast.Mult(), factor, factor)
            return result
        other = scalar(right)
        wide = self.common(base.type, other.type)
        if wide == types.int64:
            raise Unsupported("a power of integers")
        if other.type == types.int64:
            return self.call_plain(_whole_power, [self.cast(base, wide), other])
        return self.intrinsic("llvm.pow", wide, [self.cast(base, wide), self.cast(other, wide)])

    def truth(self, value):
        """Whether a value is true: a bool where that is known, else a bit."""
        if isinstance(value, Known):
            return bool(value.value)
        if isinstance(value, Bundle):
            return bool(value.parts)
        if not isinstance(value, Scalar):
            raise Unsupported("whether an array is true")
        if value.type == types.boolean:
            return value.ir
        if value.type == types.int64:
            return self.builder.icmp_signed("!=", value.ir, long(0))
        return self.builder.fcmp_unordered("!=", value.ir, ir.Constant(value.ir.type, 0.0), flags=self.flags)

    def _compared(self, op, left, right):
        if isinstance(op, (ast.Is, ast.IsNot)):
            if Known(None) not in (left, right):
                raise Unsupported("whether two values are the same object")
            return Known((left == right) == isinstance(op, ast.Is))
        if isinstance(op, (ast.In, ast.NotIn)) and isinstance(right, Bundle):
            found = Known(False)
            for part in right.parts:
                found = self.either(found, self._compared(ast.Eq(), left, part))
            return self.negated(found) if isinstance(op, ast.NotIn) else found
        name = _COMPARISONS.get(type(op))
        if name is None:
            raise Unsupported(type(op).__name__)
        if isinstance(left, Known) and isinstance(right, Known):
            return Known(_COMPARE[name](left.value, right.value))
        a, b = scalar(left), scalar(right)
        wide = self.common(a.type, b.type)
        x, y = self.cast(a, wide).ir, self.cast(b, wide).ir
        if wide == types.int64:
            return Scalar(types.boolean, self.builder.icmp_signed(name, x, y))
        compare = self.builder.fcmp_unordered if name == "!=" else self.builder.fcmp_ordered
        return Scalar(types.boolean, compare(name, x, y, flags=self.flags))

    def both(self, a, b):
        """``a and b`` of values that are both there."""
        if isinstance(a, Known):
            return b if a.value else a
        if isinstance(b, Known):
            return a if b.value else b
        return Scalar(types.boolean, self.builder.and_(a.ir, b.ir))

    def negated(self, a):
        """``not a``."""
        return Known(not a.value) if isinstance(a, Known) else Scalar(types.boolean, self.builder.not_(a.ir))

    def either(self, a, b):
        """``a or b`` of values that are both there."""
        return self.negated(self.both(self.negated(a), self.negated(b)))

    def _extreme(self, function, arguments):
        """The smallest or largest of numbers, with Python's rule for NaN."""
        best = scalar(arguments[0])
        for argument in arguments[1:]:
            other = scalar(argument)
            kind = self.common(best.type, other.type)
            best, other = self.cast(best, kind), self.cast(other, kind)
            sign = "<" if function is min else ">"
            if kind == types.int64:
                better = self.builder.icmp_signed(sign, other.ir, best.ir)
            else:
                better = self.builder.fcmp_ordered(sign, other.ir, best.ir, flags=self.flags)
            best = Scalar(kind, self.builder.select(better, other.ir, best.ir))
        return best
