"""Loops over vectors of numbers, written in the compiler's own representation."""

import contextlib

from llvmlite import ir
from numba.core import cgutils

from .._stamp import vector_registers

LONG, INT = ir.IntType(64), ir.IntType(32)


def _size(element):
    """Bytes of a number."""
    return 8 if element == ir.DoubleType() else 4


def lanes_of(element):
    """Numbers of this type in a vector register."""
    return vector_registers()[0] // _size(element)


class Writer:
    """Writes the loops of one function.

    Parameters
    ----------
    function : llvmlite Function
    element : llvmlite type
        Of the factors.
    """

    def __init__(self, function, element):
        self.builder = ir.IRBuilder(function.append_basic_block("entry"))
        self.function, self.element = function, element
        self.lanes = lanes_of(element)
        self.many = vector_registers()[1]
        self.vector = ir.VectorType(element, self.lanes)
        self.flags = ("contract",)

    def long(self, value):
        """An integer constant."""
        return ir.Constant(LONG, value)

    def multiply_add(self, x, y, z):
        """x y + z."""
        return self.builder.fadd(self.builder.fmul(x, y, flags=self.flags), z, flags=self.flags)

    def splat(self, value, vector):
        """A vector of equal numbers."""
        builder, undefined = self.builder, ir.Constant(vector, ir.Undefined)
        first = builder.insert_element(undefined, value, ir.Constant(INT, 0))
        zeros = ir.Constant(ir.VectorType(INT, vector.count), [0] * vector.count)
        return builder.shuffle_vector(first, undefined, zeros)

    def mask(self, count):
        """Which of the places of a vector are below `count`."""
        integers = ir.VectorType(LONG, self.lanes)
        places = ir.Constant(integers, list(range(self.lanes)))
        return self.builder.icmp_signed("<", places, self.splat(count, integers))

    def load(self, pointer, mask=None, element=None):
        """A vector from memory, 0 outside of the mask."""
        vector = ir.VectorType(element or self.element, self.lanes)
        pointer = self.builder.bitcast(pointer, vector.as_pointer())
        size = ir.Constant(INT, _size(vector.element))
        if mask is None:
            return self.builder.load(pointer, align=size.constant)
        load = self._masked("load", vector, [pointer.type, INT, mask.type, vector], vector)
        return self.builder.call(load, [pointer, size, mask, ir.Constant(vector, None)])

    def store(self, value, pointer, mask=None):
        """A vector to memory, as far as the mask reaches."""
        vector = value.type
        pointer = self.builder.bitcast(pointer, vector.as_pointer())
        size = ir.Constant(INT, _size(vector.element))
        if mask is None:
            self.builder.store(value, pointer, align=size.constant)
            return
        store = self._masked("store", vector, [vector, pointer.type, INT, mask.type], ir.VoidType())
        self.builder.call(store, [value, pointer, size, mask])

    def _masked(self, verb, vector, arguments, result):
        name = f"llvm.masked.{verb}.v{self.lanes}{vector.element.intrinsic_name}.p0"
        return cgutils.get_or_insert_function(self.builder.module, ir.FunctionType(result, arguments), name)

    def converted(self, value, element):
        """A vector of numbers of another type."""
        if element == self.element:
            return value
        return self.builder.fpext(value, ir.VectorType(element, self.lanes))

    @contextlib.contextmanager
    def stepping(self, start, end, step):
        """Loop over i, i + step, ... as long as a whole step is left before `end`; yields i and where it will have ended."""
        builder = self.builder
        place = cgutils.alloca_once_value(builder, start)
        test, body, after = (self.function.append_basic_block(name) for name in ("test", "body", "after"))
        builder.branch(test)
        builder.position_at_end(test)
        i = builder.load(place)
        following = builder.add(i, self.long(step))
        builder.cbranch(builder.icmp_signed("<=", following, end), body, after)
        builder.position_at_end(body)
        yield i, place
        builder.store(following, place)
        builder.branch(test)
        builder.position_at_end(after)

    def reduced(self, count, starts, term):
        """Vectors after ``sum += term(q)`` for q < count, from `starts` on; they stay in registers."""
        builder = self.builder
        before, body, after = (
            builder.block,
            self.function.append_basic_block("q"),
            self.function.append_basic_block("end"),
        )
        builder.cbranch(builder.icmp_signed(">", count, self.long(0)), body, after)
        builder.position_at_end(body)
        q = builder.phi(LONG)
        running = [builder.phi(self.vector) for _ in starts]
        values = term(q, running)
        following = builder.add(q, self.long(1))
        builder.cbranch(builder.icmp_signed("<", following, count), body, after)
        q.add_incoming(self.long(0), before)
        q.add_incoming(following, builder.block)
        for phi, start, value in zip(running, starts, values, strict=True):
            phi.add_incoming(start, before)
            phi.add_incoming(value, builder.block)
        last = builder.block
        builder.position_at_end(after)
        results = [builder.phi(self.vector) for _ in starts]
        for phi, start, value in zip(results, starts, values, strict=True):
            phi.add_incoming(start, before)
            phi.add_incoming(value, last)
        return results

    def paired(self, x, y, step):
        """Two vectors of what stands in x and y: at a place whose number has the bit `step` that of y, elsewhere that of x.

        The first has the places without that bit of both, the second those with it.
        """
        places, lanes = range(self.lanes), self.lanes
        without = [i if not i & step else lanes + i - step for i in places]
        within = [i + step if not i & step else lanes + i for i in places]
        return [
            self.builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(INT, lanes), at)) for at in (without, within)
        ]

    def totals(self, vectors):
        """The sum of the places of each vector: halves of two vectors are added and share one, until all are added up."""
        builder, lanes = self.builder, self.lanes
        groups = [vectors[i : i + lanes] for i in range(0, len(vectors), lanes)]
        for group in groups:
            count, step = len(group), 1
            while step < lanes:
                pairs = zip(group[::2], group[1::2], strict=True) if len(group) > 1 else [(group[0], group[0])]
                group = [builder.fadd(*self.paired(x, y, step)) for x, y in pairs]
                step *= 2
            yield from (builder.extract_element(group[0], ir.Constant(INT, i)) for i in range(count))
