"""What stands for a Python value while its function is translated, and how values travel: as flat lists of LLVM's."""

import dataclasses
import itertools
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.registry import cpu_target

from .._address import UNCHECKED, SingleMemory, build_view

DOUBLE, FLOAT, LONG, INT, BIT = ir.DoubleType(), ir.FloatType(), ir.IntType(64), ir.IntType(32), ir.IntType(1)
#: Types of the numbers in memory.
ELEMENTS = {types.float64: DOUBLE, types.float32: FLOAT, types.int64: LONG, types.int32: INT}
#: Types of the numbers in registers.
SCALARS = {types.float64: DOUBLE, types.float32: FLOAT, types.int64: LONG, types.boolean: BIT}


class Unsupported(Exception):
    """Not of the Python that kernels are written in here; Numba may know it."""


@dataclasses.dataclass(frozen=True)
class Known:
    """A Python object that is known now: a number, a function, a module, None."""

    value: Any


@dataclasses.dataclass(frozen=True)
class Scalar:
    """A number; `type` is a key of `SCALARS`."""

    type: Any
    ir: Any


@dataclasses.dataclass(frozen=True)
class Pointer:
    """A pointer to numbers."""

    type: Any
    ir: Any


@dataclasses.dataclass(frozen=True)
class View:
    """An array: the address of its first number, its shape, and its strides in bytes, or None in C order."""

    type: Any
    data: Any
    shape: tuple
    strides: tuple | None = None


@dataclasses.dataclass(frozen=True)
class Bundle:
    """A tuple."""

    parts: tuple


_NUMBERS = {bool: types.boolean, int: types.int64, float: types.float64}


def long(value):
    """An integer constant."""
    return ir.Constant(LONG, value)


def scalar(value):
    """A number that is known as one of the machine's."""
    if isinstance(value, Scalar):
        return value
    number = value.value if isinstance(value, Known) else None
    if isinstance(number, np.bool_):
        number = bool(number)
    for kind, number_type in _NUMBERS.items():
        if type(number) is kind:
            return Scalar(number_type, ir.Constant(SCALARS[number_type], number))
    if isinstance(number, np.floating) and number.itemsize in (4, 8):
        element = types.float32 if number.itemsize == 4 else types.float64
        return Scalar(element, ir.Constant(SCALARS[element], float(number)))
    if isinstance(number, (int, np.integer)):  # an IntEnum, for one
        return Scalar(types.int64, long(int(number)))
    raise Unsupported(f"{value} is not a number")


def type_of(value):
    """Numba's type of a value, as an argument or in a variable."""
    if isinstance(value, Bundle):
        return types.Tuple([type_of(part) for part in value.parts])
    if isinstance(value, Known):
        return types.none if value.value is None else scalar(value).type
    return value.type


def flat(value):
    """LLVM's values of a value."""
    if isinstance(value, Known):
        return [] if value.value is None else [scalar(value).ir]
    if isinstance(value, View):
        return (
            [value.data] if isinstance(value.type, SingleMemory) else [value.data, *value.shape, *(value.strides or ())]
        )
    if isinstance(value, Bundle):
        return [x for part in value.parts for x in flat(part)]
    return [value.ir]


def flat_types(kind):
    """LLVM's types of these."""
    if kind in SCALARS:
        return [SCALARS[kind]]
    if isinstance(kind, types.CPointer):
        return [_element(kind.dtype).as_pointer()]
    if isinstance(kind, SingleMemory):
        return [DOUBLE.as_pointer()]
    if isinstance(kind, types.Array):
        numbers = kind.ndim if kind.layout == "C" else 2 * kind.ndim
        return [_element(kind.dtype).as_pointer(), *[LONG] * numbers]
    if isinstance(kind, types.BaseTuple):
        return [x for part in kind for x in flat_types(part)]
    if isinstance(kind, (types.NoneType, types.Omitted)):
        return []
    raise Unsupported(f"a value of type {kind}")


def assemble(kind, values):
    """The value of a type from an iterator over LLVM's values."""
    if kind in SCALARS:
        return Scalar(kind, next(values))
    if isinstance(kind, types.CPointer):
        return Pointer(kind, next(values))
    if isinstance(kind, SingleMemory):
        return View(kind, next(values), (long(UNCHECKED),))
    if isinstance(kind, types.Array):
        data, shape = next(values), tuple(itertools.islice(values, kind.ndim))
        return View(kind, data, shape, None if kind.layout == "C" else tuple(itertools.islice(values, kind.ndim)))
    if isinstance(kind, types.BaseTuple):
        return Bundle(tuple(assemble(part, values) for part in kind))
    if isinstance(kind, (types.NoneType, types.Omitted)):
        return Known(kind.value if isinstance(kind, types.Omitted) else None)
    raise Unsupported(f"a value of type {kind}")


def _element(dtype):
    if dtype not in ELEMENTS:
        raise Unsupported(f"memory of {dtype}")
    return ELEMENTS[dtype]


def pack(builder, values):
    """LLVM's values as one: nothing, the value itself, or a structure."""
    if len(values) < 2:
        return values[0] if values else None
    packed = ir.Constant(ir.LiteralStructType([x.type for x in values]), ir.Undefined)
    for place, x in enumerate(values):
        packed = builder.insert_value(packed, x, place)
    return packed


def packed_type(kinds):
    """Type of that."""
    if len(kinds) < 2:
        return kinds[0] if kinds else ir.VoidType()
    return ir.LiteralStructType(kinds)


def unpack(builder, packed, count):
    """The opposite of `pack`."""
    return [packed] if count == 1 else [builder.extract_value(packed, place) for place in range(count)]


# Numba's own form of the same -----------------------------------------------------------------------------------------------

context = cpu_target.target_context


def to_numba(builder, value):
    """A value as Numba's functions take it."""
    if isinstance(value, View):
        if value.strides is not None:
            raise Unsupported("an array that is not in C order")
        return build_view(context, builder, value.type, value.data, list(value.shape))
    if isinstance(value, Bundle):
        return context.make_tuple(builder, type_of(value), [to_numba(builder, part) for part in value.parts])
    if isinstance(value, Known) and value.value is None:
        return context.get_dummy_value()
    return flat(value)[0]


def from_numba(builder, kind, x):
    """The opposite; an int32 becomes an int64."""
    kind = types.unliteral(kind)
    if isinstance(kind, types.Integer) and kind.bitwidth < 64:
        extended = builder.sext(x, LONG) if kind.signed else builder.zext(x, LONG)
        return Scalar(types.int64, extended)
    if isinstance(kind, types.Array):
        model = context.data_model_manager[kind]
        data, shape = model.get(builder, x, "data"), model.get(builder, x, "shape")
        shape = tuple(builder.extract_value(shape, i) for i in range(kind.ndim))
        if isinstance(kind, SingleMemory) or kind.layout == "C":
            return View(kind, data, shape)
        strides = model.get(builder, x, "strides")
        strides = tuple(builder.extract_value(strides, i) for i in range(kind.ndim))
        return View(types.Array(kind.dtype, kind.ndim, "A"), data, shape, strides)
    if isinstance(kind, types.BaseTuple):
        return Bundle(tuple(from_numba(builder, part, builder.extract_value(x, i)) for i, part in enumerate(kind)))
    if isinstance(kind, (types.NoneType, types.Omitted)):
        return assemble(kind, iter(()))
    return assemble(kind, iter([x]))


def argument_type(kind):
    """The type that an argument has here: without what is not needed to know, as whether it may be written to."""
    kind = types.unliteral(kind)
    if isinstance(kind, types.Array) and not isinstance(kind, SingleMemory):
        return types.Array(kind.dtype, kind.ndim, "C" if kind.layout == "C" else "A")
    if isinstance(kind, types.BaseTuple):
        return types.Tuple([argument_type(part) for part in kind])
    if isinstance(kind, types.Integer):
        return types.int64
    return kind
