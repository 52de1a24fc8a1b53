"""Expressions: names, operators, conditions."""

import ast
import builtins

from llvmlite import ir
from numba import types

from .values import (
    BIT,
    SCALARS,
    Bundle,
    Known,
    Scalar,
    Unsupported,
    View,
    assemble,
    flat,
    long,
    type_of,
)


class Kind:
    """The dtype of an array: ``a.dtype.type(x)`` converts x."""

    def __init__(self, kind):
        self.type = kind


class Expressions:
    """Writes expressions."""

    def value(self, node):
        """The value of an expression."""
        method = getattr(self, f"of_{type(node).__name__}", None)
        if method is None:
            raise Unsupported(type(node).__name__)
        return method(node)

    def of_Constant(self, node):
        """A number, or None."""
        return Known(node.value)

    def of_Name(self, node):
        """A variable, or what stands outside of the function."""
        value = self.variable(node.id)
        if value is not None:
            return value
        for table in (self.constants, self.globals, vars(builtins)):
            if node.id in table:
                return self.known(table[node.id])
        raise Unsupported(f"{node.id} has no value here")

    def of_Tuple(self, node):
        """A tuple."""
        return Bundle(tuple(map(self.value, node.elts)))

    def of_Attribute(self, node):
        """An attribute of an array, or of what is known."""
        value = self.value(node.value)
        if isinstance(value, Known):
            try:
                return self.known(getattr(value.value, node.attr))
            except AttributeError:
                raise Unsupported(f"{ast.unparse(node)}") from None
        if isinstance(value, View):
            if node.attr == "shape":
                return Bundle(tuple(Scalar(types.int64, x) for x in value.shape))
            if node.attr == "size":
                return Scalar(types.int64, self.product(value.shape))
            if node.attr == "dtype" and value.type.dtype in SCALARS:
                return Known(Kind(value.type.dtype))
        if node.attr in ("real", "imag") and isinstance(value, Scalar):
            return value if node.attr == "real" else Known(0.0)
        raise Unsupported(f"the attribute {node.attr}")

    def of_BinOp(self, node):
        """``a + b``, and so on."""
        return self.binary(node.op, self.value(node.left), self.value(node.right))

    def of_UnaryOp(self, node):
        """``-a``, ``not a``."""
        value = self.value(node.operand)
        if isinstance(node.op, ast.Not):
            truth = self.truth(value)
            return Known(not truth) if isinstance(truth, bool) else Scalar(types.boolean, self.builder.not_(truth))
        if isinstance(node.op, ast.UAdd):
            return value
        if not isinstance(node.op, ast.USub):
            raise Unsupported(type(node.op).__name__)
        if isinstance(value, Known):
            return Known(-value.value)
        if value.type == types.boolean:
            value = self.cast(value, types.int64)
        if value.type == types.int64:
            return Scalar(value.type, self.builder.sub(long(0), value.ir, flags=("nsw",)))
        return Scalar(value.type, self.builder.fneg(value.ir, flags=self.flags))

    def of_Compare(self, node):
        """``a < b <= c``, ``a is None``, ``a in (b, c)``."""
        left, result = self.value(node.left), None
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.value(right_node)
            one = self._compared(op, left, right)
            result = one if result is None else self.both(result, one)
            left = right
        return result

    def of_BoolOp(self, node):
        """``a and b``, ``a or b``: what stands behind is not evaluated where that before decides."""
        decides = isinstance(node.op, ast.Or)
        after, incoming = None, []
        for place, part in enumerate(node.values):
            truth = self.truth(self.value(part))
            last = place == len(node.values) - 1
            if isinstance(truth, bool) and truth != decides and not last:
                continue
            if (isinstance(truth, bool) or last) and after is None:
                return Known(truth) if isinstance(truth, bool) else Scalar(types.boolean, truth)
            after = after or self.block("decided")
            if isinstance(truth, bool) or last:
                incoming.append((ir.Constant(BIT, truth) if isinstance(truth, bool) else truth, self.builder.block))
                self.builder.branch(after)
                break
            going = self.block("undecided")
            incoming.append((ir.Constant(BIT, decides), self.builder.block))
            self.builder.cbranch(truth, *((after, going) if decides else (going, after)))
            self.builder.position_at_end(going)
        self.builder.position_at_end(after)
        return Scalar(types.boolean, self.merged([x for x, _ in incoming], [b for _, b in incoming]))

    def merged(self, values, blocks):
        """One of LLVM's values, by the block that the program comes from."""
        phi = self.builder.phi(values[0].type)
        for value, block in zip(values, blocks, strict=True):
            phi.add_incoming(value, block)
        return phi

    def of_IfExp(self, node):
        """``a if condition else b``."""
        condition = self.truth(self.value(node.test))
        if isinstance(condition, bool):
            return self.value(node.body if condition else node.orelse)
        blocks = self.block("then"), self.block("else")
        self.builder.cbranch(condition, *blocks)
        after, values, ends = self.block("after"), [], []
        for block, part in zip(blocks, (node.body, node.orelse), strict=True):
            self.builder.position_at_end(block)
            values.append(self.value(part))
            ends.append(self.builder.block)
        kinds = [type_of(value) for value in values]
        if kinds[0] != kinds[1]:
            kind = self.common(*kinds)
            for i, end in enumerate(ends):
                self.builder.position_at_end(end)
                values[i] = self.cast(values[i], kind)
            kinds = [kind, kind]
        for end in ends:
            self.builder.position_at_end(end)
            self.builder.branch(after)
        self.builder.position_at_end(after)
        parts = zip(*map(flat, values), strict=True)
        return assemble(kinds[0], iter([self.merged(pair, ends) for pair in parts]))
