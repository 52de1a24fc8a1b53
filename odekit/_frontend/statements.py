"""Statements: assignments, branches, loops, returns."""

import ast
import contextlib
import dataclasses

from llvmlite import ir
from numba import types

from .values import (
    SCALARS,
    Bundle,
    Known,
    Pointer,
    Scalar,
    Unsupported,
    View,
    assemble,
    flat,
    flat_types,
    long,
    pack,
    type_of,
)


class Widen(Exception):
    """A variable gets values of a wider type later on: the function is written again."""

    def __init__(self, name, kind):
        super().__init__(name)
        self.name, self.type = name, kind


@dataclasses.dataclass(frozen=True)
class _Slot:
    """Memory of a variable that is assigned to more than once."""

    type: object
    places: tuple


_RETURNED = "return"  # no variable has this name
_ORDER = (types.boolean, types.int64, types.float32, types.float64)  # from narrow to wide


def _wider(one, other):
    """The type that holds the numbers of both."""
    if one == other:
        return one
    if one not in SCALARS or other not in SCALARS:
        return None
    if {one, other} == {types.int64, types.float32}:
        return types.float64
    return max(one, other, key=_ORDER.index)


class Statements:
    """Writes statements."""

    def suite(self, statements):
        """Write statements; whether they end the block they are in."""
        for statement in statements:
            method = getattr(self, f"do_{type(statement).__name__}", None)
            if method is None:
                raise Unsupported(type(statement).__name__)
            if method(statement):
                return True
        return False

    @contextlib.contextmanager
    def _inside(self):
        self.depth += 1
        yield
        self.depth -= 1

    def variable(self, name):
        """The value of a local variable, or None."""
        found = self.variables.get(name)
        if isinstance(found, _Slot):
            return assemble(found.type, iter([self.builder.load(place) for place in found.places]))
        return found

    def assign_name(self, name, value):
        """Give a variable a value."""
        if name in self.once:
            self.variables[name] = value
            return
        kind, slot = self.widened.get(name) or type_of(value), self.variables.get(name)
        if slot is None or (slot.type != kind and _wider(slot.type, kind) is None and self.depth == 0):
            slot = self.variables[name] = _Slot(kind, tuple(self.place(x) for x in flat_types(kind)))
        if slot.type in SCALARS and type_of(value) in SCALARS:
            wider = _wider(slot.type, type_of(value))
            if wider != slot.type:
                raise Widen(name, wider)
            value = self.cast(value, slot.type)
        elif type_of(value) != slot.type:
            raise Unsupported(f"{name} is of different types")
        for place, x in zip(slot.places, flat(value), strict=True):
            self.builder.store(x, place)

    def assign(self, target, value):
        """Assign to what stands on the left of an assignment."""
        if isinstance(target, ast.Name):
            self.assign_name(target.id, value)
        elif isinstance(target, ast.Subscript):
            self.store_at(*self.address(target), value)
        elif isinstance(target, (ast.Tuple, ast.List)):
            parts = self.parts(value)
            if len(parts) != len(target.elts):
                raise Unsupported("an assignment of another number of values")
            for element, part in zip(target.elts, parts, strict=True):
                self.assign(element, part)
        else:
            raise Unsupported(f"an assignment to {ast.unparse(target)}")

    def do_Expr(self, node):
        """A call, or a docstring."""
        if not isinstance(node.value, ast.Constant):
            self.value(node.value)

    def do_Pass(self, node):
        """Nothing."""

    def do_Assign(self, node):
        """``a = b = value``."""
        value = self.value(node.value)
        for target in node.targets:
            self.assign(target, value)

    def do_AugAssign(self, node):
        """``a += value``."""
        if isinstance(node.target, ast.Name):
            value = self.binary(node.op, self.value(ast.Name(node.target.id, ast.Load())), self.value(node.value))
            self.assign_name(node.target.id, value)
            return
        place, dtype = self.address(node.target)
        value = self.value(node.value)
        self.store_at(place, dtype, self.binary(node.op, self.load_at(place, dtype), value))

    def do_If(self, node):
        """A branch; one whose condition is known is not there."""
        condition = self.truth(self.value(node.test))
        if isinstance(condition, bool):
            return self.suite(node.body if condition else node.orelse)
        then, after = self.block("then"), self.block("after")
        otherwise = self.block("else") if node.orelse else after
        self.builder.cbranch(condition, then, otherwise)
        ended = []
        for block, statements in ((then, node.body), (otherwise, node.orelse)):
            if statements:
                self.builder.position_at_end(block)
                with self._inside():
                    ended.append(self.suite(statements))
                if not ended[-1]:
                    self.builder.branch(after)
        self.builder.position_at_end(after)
        if all(ended) and node.orelse:
            self.builder.unreachable()
            return True
        return False

    def do_While(self, node):
        """A loop."""
        if node.orelse:
            raise Unsupported("else of a loop")
        test, body, after = self.block("test"), self.block("body"), self.block("after")
        self.builder.branch(test)
        self.builder.position_at_end(test)
        with self._inside():
            condition = self.truth(self.value(node.test))
            if condition is False:
                raise Unsupported("a loop that is never entered")
            if condition is True:
                self.builder.branch(body)
            else:
                self.builder.cbranch(condition, body, after)
            self._body(body, node.body, test, after)
        self.builder.position_at_end(after)

    def _body(self, block, statements, again, after):
        self.builder.position_at_end(block)
        self.loops.append((again, after))
        if not self.suite(statements):
            self.builder.branch(again)
        self.loops.pop()

    def do_For(self, node):
        """A loop over a range, or over a tuple."""
        call = node.iter
        if node.orelse:
            raise Unsupported("else of a loop")
        if isinstance(call, ast.Call) and self.value(call.func) == Known(range) and not call.keywords:
            bounds = [self.integer(self.value(argument)) for argument in call.args]
            start, stop, step = [long(0), *bounds, long(1)] if len(bounds) == 1 else [*bounds, long(1)][:3]
            self._loop(node, start, stop, step, lambda i: Scalar(types.int64, i))
            return
        value = self.value(call)
        if isinstance(value, View) and len(value.shape) == 1:
            self._loop(node, long(0), value.shape[0], long(1), lambda i: self.load_at(*self.row(value, [i])))
        else:
            self._unrolled(node, self.parts(value))

    def _loop(self, node, start, stop, step, element):
        """Count from `start` by `step`, as long as `stop` is not reached; the variable is the element at each number."""
        test, body, again, after = (self.block(name) for name in ("test", "body", "again", "after"))
        counter, builder = self.place(start.type), self.builder
        builder.store(start, counter)
        builder.branch(test)
        builder.position_at_end(test)
        i = builder.load(counter)
        going = builder.icmp_signed("<", i, stop)
        if not isinstance(step, ir.Constant):
            down = builder.icmp_signed(">", i, stop)
            going = builder.select(builder.icmp_signed(">", step, long(0)), going, down)
        elif step.constant < 0:
            going = builder.icmp_signed(">", i, stop)
        builder.cbranch(going, body, after)
        builder.position_at_end(body)
        with self._inside():
            self.assign(node.target, element(i))
            self._body(builder.block, node.body, again, after)
        builder.position_at_end(again)
        builder.store(builder.add(i, step, flags=("nsw",)), counter)
        builder.branch(test)
        builder.position_at_end(after)

    def _unrolled(self, node, parts):
        """The body of a loop over a tuple, for one element after the other."""
        after = self.block("after")
        for part in parts:
            body, again = self.block("body"), self.block("again")
            self.builder.branch(body)
            self.builder.position_at_end(body)
            with self._inside():
                self.assign(node.target, part)
                self._body(body, node.body, again, after)
            self.builder.position_at_end(again)
        self.builder.branch(after)
        self.builder.position_at_end(after)

    def do_Break(self, node):
        """Leave the loop."""
        self.builder.branch(self.loops[-1][1])
        return True

    def do_Continue(self, node):
        """Go on with the loop."""
        self.builder.branch(self.loops[-1][0])
        return True

    def do_Return(self, node):
        """Return a value."""
        self.give_back(Known(None) if node.value is None else self.value(node.value))
        return True

    def give_back(self, value):
        """Leave the function with a value."""
        kind = self.widened.get(_RETURNED) or type_of(value)
        if self.returned is None:
            self.returned = kind
        value = self._fitting(value, self.returned)
        values = flat(value)
        if values:
            self.builder.ret(pack(self.builder, values))
        else:
            self.builder.ret_void()

    def _fitting(self, value, kind):
        if type_of(value) == kind:
            return value
        if isinstance(value, Bundle) and isinstance(kind, types.BaseTuple) and len(value.parts) == len(kind):
            return Bundle(tuple(self._fitting(part, k) for part, k in zip(value.parts, kind, strict=True)))
        wider = _wider(type_of(value), kind)
        if wider is None or isinstance(value, (View, Pointer)):
            raise Unsupported("different types are returned")
        if wider != kind:
            if isinstance(self.returned, types.BaseTuple):
                raise Unsupported("tuples of different types are returned")
            raise Widen(_RETURNED, wider)
        return self.cast(value, kind)
