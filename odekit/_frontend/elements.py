"""Elements of tuples and arrays, and views of memory."""

import ast
import hashlib

import numpy as np
from llvmlite import ir
from numba import types

from .._address import SingleMemory
from .values import (
    ELEMENTS,
    LONG,
    SCALARS,
    Bundle,
    Known,
    Pointer,
    Scalar,
    Unsupported,
    View,
    long,
)


class Elements:
    """Writes what reads and writes elements of tuples and arrays."""

    def parts(self, value):
        """Elements of a tuple."""
        if isinstance(value, Bundle):
            return value.parts
        raise Unsupported("something else than a tuple is taken apart")

    def of_Subscript(self, node):
        """An element of a tuple or an array, or a row of an array."""
        value = self.value(node.value)
        if isinstance(value, Bundle):
            index = self.value(node.slice)
            return value.parts[index.value] if isinstance(index, Known) else self._chosen(value, index)
        found = self.element(value, node.slice)
        return found if isinstance(found, View) else self.load_at(*found)

    def _chosen(self, value, index):
        """An element of a tuple that is known, at a place that is not."""
        try:
            table = np.array(self.object(value))
        except ValueError:  # of different lengths
            raise Unsupported("an element of an irregular tuple") from None
        index, view = self.integer(index), self.known(table)
        if table.ndim == 1:
            return self.load_at(self.builder.gep(view.data, [index], inbounds=True), view.type.dtype)
        return self.row(view, [index])

    def object(self, value):
        """The Python object of a value that is known."""
        if isinstance(value, Bundle):
            return tuple(map(self.object, value.parts))
        if not isinstance(value, Known):
            raise Unsupported("an element of a tuple whose place is not known")
        return value.value

    def known(self, value):
        """An object from outside as a value."""
        if isinstance(value, np.ndarray):
            kind = {"f8": types.float64, "i8": types.int64}.get(value.dtype.str[1:])
            if kind is None or value.size == 0:
                raise Unsupported(f"a constant array of {value.dtype}")
            return View(
                types.Array(kind, value.ndim, "C"),
                self._table(kind, value.ravel().tolist()),
                tuple(map(long, value.shape)),
            )
        return Bundle(tuple(map(self.known, value))) if isinstance(value, tuple) else Known(value)

    def _table(self, kind, numbers):
        """Address of the first of constant numbers in memory."""
        table = ir.Constant(ir.ArrayType(SCALARS[kind], len(numbers)), numbers)
        name = f"odekit.table.{hashlib.sha256(str(table).encode()).hexdigest()[:16]}"
        module = self.builder.module
        if name not in module.globals:
            stored = ir.GlobalVariable(module, table.type, name)
            stored.global_constant, stored.linkage, stored.initializer = True, "internal", table
        return self.builder.gep(module.globals[name], [long(0), long(0)], inbounds=True)

    def address(self, node):
        """Address of an element of an array, and its type."""
        found = self.element(self.value(node.value), node.slice)
        if isinstance(found, View):
            raise Unsupported("an assignment to a row")
        return found

    def element(self, array, node):
        """Address and type of the element at an index, or the row there."""
        if isinstance(array, Pointer):
            index = self.integer(self.value(node))
            return self.builder.gep(array.ir, [index], inbounds=True), array.type.dtype
        if not isinstance(array, View):
            raise Unsupported(f"an element of {ast.unparse(node)}")
        nodes = node.elts if isinstance(node, ast.Tuple) else [node]
        if isinstance(nodes[-1], ast.Slice):
            return self._slice(array if len(nodes) == 1 else self.element(array, ast.Tuple(nodes[:-1])), nodes[-1])
        indices = [self.value(part) for part in nodes]
        if not all(isinstance(i, (Known, Scalar)) for i in indices) or len(indices) > len(array.shape):
            raise Unsupported("an index that is not a number")
        indices = [
            self.builder.add(extent, long(i.value)) if isinstance(i, Known) and i.value < 0 else self.integer(i)
            for i, extent in zip(indices, array.shape, strict=False)
        ]
        return self.row(array, indices)

    def row(self, array, indices):
        """Address and type of an element, or the rows that fewer indices mean."""
        rest = array.shape[len(indices) :]
        if array.strides is not None:
            data = self._strided(array, indices)
        else:
            offset = indices[0]
            for index, extent in zip(indices[1:], array.shape[1:], strict=False):
                offset = self.builder.add(self.builder.mul(offset, extent, flags=("nsw",)), index, flags=("nsw",))
            for extent in rest:
                offset = self.builder.mul(offset, extent, flags=("nsw",))
            data = self.builder.gep(array.data, [offset], inbounds=True)
        if not rest:
            return data, array.type.dtype
        strides = None if array.strides is None else array.strides[len(indices) :]
        return View(types.Array(array.type.dtype, len(rest), "C" if strides is None else "A"), data, rest, strides)

    def _slice(self, array, node):
        """The rows from one to another."""
        if not isinstance(array, View) or array.strides is not None or node.step is not None:
            raise Unsupported("a slice with steps")
        size, builder = array.shape[0], self.builder
        bounds = []
        for bound, otherwise in ((node.lower, long(0)), (node.upper, size)):
            bound = otherwise if bound is None else self.integer(self.value(bound))
            if getattr(bound, "constant", 0) < 0:
                raise Unsupported("a slice that counts from the end")
            bounds.append(
                bound
                if bound in (otherwise, size)
                else builder.select(builder.icmp_signed("<", bound, size), bound, size)
            )
        count = builder.sub(bounds[1], bounds[0], flags=("nsw",))
        count = builder.select(builder.icmp_signed("<", count, long(0)), long(0), count)
        start = self.product((bounds[0], *array.shape[1:]))
        return View(array.type, builder.gep(array.data, [start], inbounds=True), (count, *array.shape[1:]))

    def _strided(self, array, indices):
        offset = long(0)
        for index, stride in zip(indices, array.strides, strict=False):
            offset = self.builder.add(offset, self.builder.mul(index, stride))
        address = self.builder.add(self.builder.ptrtoint(array.data, LONG), offset)
        return self.builder.inttoptr(address, array.data.type)

    def load_at(self, place, dtype):
        """A number from memory."""
        x = self.builder.load(place)
        return Scalar(types.int64, self.builder.sext(x, LONG)) if dtype == types.int32 else Scalar(dtype, x)

    def store_at(self, place, dtype, value):
        """A number to memory."""
        if dtype == types.int32:
            self.builder.store(self.builder.trunc(self.integer(value), ELEMENTS[dtype]), place)
            return
        self.builder.store(self.cast(value, dtype).ir, place)

    def _view(self, element, dimensions, follow, base, offset, *shape):
        """A view of memory in C order."""
        if isinstance(base, View):
            data, memory = base.data, base.type
        elif isinstance(base, Pointer):
            data, memory = base.ir, base.type
        else:
            raise Unsupported("a view of something else than memory")
        single = follow and (isinstance(memory, SingleMemory) or memory.dtype == types.float32)
        kind = types.float32 if single else element
        if len(shape) != dimensions or kind not in ELEMENTS:
            raise Unsupported("a view of another shape")
        if data.type.pointee != ELEMENTS[kind]:
            data = self.builder.bitcast(data, ELEMENTS[kind].as_pointer())
        start = self.integer(offset)
        if not isinstance(start, ir.Constant) or start.constant != 0:
            data = self.builder.gep(data, [start], inbounds=True)
        return View(types.Array(kind, dimensions, "C"), data, tuple(map(self.integer, shape)))
