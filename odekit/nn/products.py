"""Matrix products of small networks, written in the compiler's own representation.

A tile of the result stays in vector registers while the inner index runs; tiles are as large as the registers of the machine
allow, so that the arithmetic units and not the loads decide (K. Goto, R. A. van de Geijn, ACM Transactions on Mathematical
Software 34 (2008), 12; nothing is copied into buffers here: the matrices of a block of lanes stay in the cache as they are).
As fast as a BLAS for 64 x 64 x 32, faster below; a process does not import SciPy for it. Larger matrices than caches hold are
not what it is for.

The two functions are not inlined: a module has each once.
"""

import itertools

from llvmlite import ir

from .vector_code import LONG, Writer


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
    write = Writer(function, element)
    builder = write.builder
    adds = builder.icmp_signed("!=", add, write.long(0))

    def tile(i, j, rows, vectors, mask=None):
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

    def column(j, mask=None):
        start = write.long(0)
        for rows in (8, 1):
            with write.stepping(start, m, rows) as (i, place):
                tile(i, j, rows, 1, mask)
            start = builder.load(place)

    # the last rows take lower tiles: a row by itself waits for its sums, four of it take as long as ten rows in tiles. Measured.
    heights, wide = ((4, 2, 1), 4) if write.many else ((6, 4, 2, 1), 2)
    # Some rows of A stay in the first-level cache while B, which is there as a whole, passes by: all of A for some columns of B would
    # not, least of all a transposed A of 64 columns, whose numbers share an eighth of the sets. 1 to 30 % faster at 64 x 64 x 32. Measured.
    start, narrow = write.long(0), builder.sub(n, builder.srem(n, write.long(wide * write.lanes)))
    for rows in heights:
        with (
            write.stepping(start, m, rows) as (i, place),
            write.stepping(write.long(0), n, wide * write.lanes) as (j, _),
        ):
            tile(i, j, rows, wide)
        start = builder.load(place)
    with write.stepping(narrow, n, write.lanes) as (j, place):
        column(j)
    j = builder.load(place)
    with builder.if_then(builder.icmp_signed("<", j, n)):
        column(j, write.mask(builder.sub(n, j)))
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
    write = Writer(function, element)
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
    write = Writer(function, element)
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
