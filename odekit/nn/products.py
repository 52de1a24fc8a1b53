"""Matrix products of small networks, written in the compiler's own representation.

A tile of the result stays in vector registers while the inner index runs; tiles are as large as the registers of the machine
allow, so that the arithmetic units and not the loads decide (K. Goto, R. A. van de Geijn, ACM Transactions on Mathematical
Software 34 (2008), 12; nothing is copied into buffers here: the matrices of a block of lanes stay in the cache as they are).
As fast as a BLAS for 64 x 64 x 32, faster below; a process does not import SciPy for it. Larger matrices than caches hold are
not what it is for.

The two functions are not inlined: a module has each once.
"""

import contextlib
import itertools

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


class _Writer:
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


def _define(module, name, arguments):
    """The function of this name, and whether it is still without a body."""
    if name in module.globals:
        return module.globals[name], False
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), arguments), name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    function.attributes.add("noduplicate")  # else LLVM makes one more for calls whose arguments are constants
    return function, True


def multiply(module, element, total):
    """``multiply(m, n, k, a, row, column, b, stride, c, stride, add, bias, stride)``: C = A B + bias, or C += that.

    C is m x n, and of the type `total`. A has any strides, those of the transpose of a matrix for one; the rows of B and C are
    contiguous. The bias is a number for each row.
    """
    pointer = element.as_pointer()
    function, new = _define(
        module, f"odekit_multiply_{element.intrinsic_name}_{total.intrinsic_name}",
        [LONG, LONG, LONG, pointer, LONG, LONG, pointer, LONG, total.as_pointer(), LONG, LONG, pointer, LONG],
    )  # fmt: skip
    if not new:
        return function
    m, n, k, a, a_row, a_column, b, b_row, c, c_row, add, bias, bias_row = function.args
    write = _Writer(function, element)
    builder = write.builder
    adds = builder.icmp_signed("!=", add, write.long(0))

    def tile(i, j, rows, vectors, mask):
        lines = [builder.add(i, write.long(x)) for x in range(rows)]
        starts = [builder.gep(a, [builder.mul(line, a_row)]) for line in lines]

        def term(q, sums):
            place = builder.gep(b, [builder.add(builder.mul(q, b_row), j)])
            right = [write.load(builder.gep(place, [write.long(y * write.lanes)]), mask) for y in range(vectors)]
            step, values = builder.mul(q, a_column), []
            for x, start in enumerate(starts):
                left = write.splat(builder.load(builder.gep(start, [step])), write.vector)
                values += [write.multiply_add(left, right[y], sums[x * vectors + y]) for y in range(vectors)]
            return values

        rises = [builder.load(builder.gep(bias, [builder.mul(line, bias_row)])) for line in lines]
        begin = [write.splat(rise, write.vector) for rise in rises for _ in range(vectors)]
        sums = [write.converted(x, total) for x in write.reduced(k, begin, term)]
        places = [
            builder.gep(c, [builder.add(builder.mul(line, c_row), builder.add(j, write.long(y * write.lanes)))])
            for line, y in itertools.product(lines, range(vectors))
        ]
        with builder.if_else(adds) as (then, otherwise):
            with then:
                for value, place in zip(sums, places, strict=True):
                    write.store(builder.fadd(value, write.load(place, mask, total)), place, mask)
            with otherwise:
                for value, place in zip(sums, places, strict=True):
                    write.store(value, place, mask)

    def panel(j, heights, vectors, mask=None):
        start = write.long(0)
        for rows in heights:
            with write.stepping(start, m, rows) as (i, place):
                tile(i, j, rows, vectors, mask)
            start = builder.load(place)

    # the last rows take lower tiles: a row by itself waits for its sums, four of it take as long as ten rows in tiles. Measured.
    heights, wide = ((4, 2, 1), 4) if write.many else ((6, 4, 2, 1), 2)
    with write.stepping(write.long(0), n, wide * write.lanes) as (j, place):
        panel(j, heights, wide)
    with write.stepping(builder.load(place), n, write.lanes) as (j, place):
        panel(j, (8, 1), 1)
    j = builder.load(place)
    with builder.if_then(builder.icmp_signed("<", j, n)):
        panel(j, (8, 1), 1, write.mask(builder.sub(n, j)))
    builder.ret_void()
    return function


def add_outer(module, element, total):
    """``add_outer(m, n, k, a, stride, b, stride, c, stride)``: C += A B^T with contiguous rows; C is of the type `total`."""
    pointer = element.as_pointer()
    function, new = _define(
        module, f"odekit_outer_{element.intrinsic_name}_{total.intrinsic_name}",
        [LONG, LONG, LONG, pointer, LONG, pointer, LONG, total.as_pointer(), LONG],
    )  # fmt: skip
    if not new:
        return function
    m, n, k, a, a_row, b, b_row, c, c_row = function.args
    write = _Writer(function, element)
    builder = write.builder
    whole = builder.sdiv(k, write.long(write.lanes))
    behind = builder.mul(whole, write.long(write.lanes))
    rest = write.mask(builder.sub(k, behind))

    def tile(i, j, rows, columns):
        left = [builder.gep(a, [builder.mul(builder.add(i, write.long(x)), a_row)]) for x in range(rows)]
        right = [builder.gep(b, [builder.mul(builder.add(j, write.long(y)), b_row)]) for y in range(columns)]

        def products(place, mask, sums):
            x = [write.load(builder.gep(start, [place]), mask) for start in left]
            y = [write.load(builder.gep(start, [place]), mask) for start in right]
            return [write.multiply_add(x[p], y[q], sums[p * columns + q]) for p in range(rows) for q in range(columns)]

        def term(q, sums):
            return products(builder.mul(q, write.long(write.lanes)), None, sums)

        sums = products(behind, rest, write.reduced(whole, [ir.Constant(write.vector, None)] * (rows * columns), term))
        for (p, q), value in zip(itertools.product(range(rows), range(columns)), write.totals(sums), strict=True):
            place = builder.add(builder.mul(builder.add(i, write.long(p)), c_row), builder.add(j, write.long(q)))
            at = builder.gep(c, [place])
            value = value if element == total else builder.fpext(value, total)
            builder.store(builder.fadd(builder.load(at), value), at)

    start = write.long(0)
    for rows in (4, 1):
        with write.stepping(start, m, rows) as (i, place):
            first = write.long(0)
            for columns in (2, 1):
                with write.stepping(first, n, columns) as (j, column):
                    tile(i, j, rows, columns)
                first = builder.load(column)
        start = builder.load(place)
    builder.ret_void()
    return function


def transpose(module, element):
    """``transpose(m, n, a, b)``: B = A^T in squares as wide as a vector; what m and n have beyond them is left to others."""
    pointer = element.as_pointer()
    function, new = _define(module, f"odekit_transpose_{element.intrinsic_name}", [LONG, LONG, pointer, pointer])
    if not new:
        return function
    m, n, a, b = function.args
    write = _Writer(function, element)
    builder, lanes = write.builder, write.lanes

    def starts(x, row, width, column):
        return [
            builder.gep(x, [builder.add(builder.mul(builder.add(row, write.long(k)), width), column)])
            for k in range(lanes)
        ]

    with write.stepping(write.long(0), m, lanes) as (i, _), write.stepping(write.long(0), n, lanes) as (j, _):
        rows, step = [write.load(start) for start in starts(a, i, n, j)], 1
        while step < lanes:
            for k in range(lanes):
                if not k & step:
                    rows[k], rows[k + step] = write.paired(rows[k], rows[k + step], step)
            step *= 2
        for row, start in zip(rows, starts(b, j, m, i), strict=True):
            write.store(row, start)
    builder.ret_void()
    return function
