"""Parameters in fused lanes: templates are the same for any number of them, and what knows the number is linked into them.

A function of the user gets a pointer to its first parameter, and how far apart they lie. Sweeps load all parameters of a lane first,
before there is anything to compute, as if they were written down in the template: loaded where they are first needed, a step waits
for them, and takes up to a tenth longer. They go through an array on the stack, which LLVM turns into registers.
"""

import functools
from typing import NamedTuple

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

MOST = 1024  # numbers that the array has room for: a full matrix of the largest system in lanes has 400
_FLOAT, _INT = ir.DoubleType(), ir.IntType(64)
_POINTER = types.CPointer(types.float64)
_KIND = ir.FunctionType(ir.VoidType(), [_FLOAT.as_pointer(), _INT, _FLOAT.as_pointer()])


class Parameters(NamedTuple):
    """What is linked into the place where a template loads parameters, as `odekit._templates.Filling` is elsewhere."""

    count: int

    def placeholder(self, name):
        """What a template calls, ``name(first, stride) -> pointer``; they then lie one behind the other."""
        return _placeholder(name)

    def module(self, name):
        """LLVM module in which it has that name."""
        module = ir.Module()
        function = ir.Function(module, _KIND, name)
        function.attributes.add("alwaysinline")
        builder = ir.IRBuilder(function.append_basic_block())
        first, stride, array = function.args
        for k in range(self.count):
            value = builder.load(builder.gep(first, [builder.mul(stride, _INT(k))]))
            builder.store(value, builder.gep(array, [_INT(k)]))
        builder.ret_void()
        return binding.parse_assembly(str(module))


@functools.cache
def _placeholder(name):
    @intrinsic
    def load(typingctx, first, stride):
        def codegen(context, builder, signature, args):
            array = builder.bitcast(cgutils.alloca_once(builder, ir.ArrayType(_FLOAT, MOST)), _FLOAT.as_pointer())
            builder.call(cgutils.get_or_insert_function(builder.module, _KIND, name), [*args, array])
            return array

        return _POINTER(_POINTER, types.int64), codegen

    return load
