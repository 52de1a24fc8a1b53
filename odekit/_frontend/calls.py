"""Calls: of other kernels, of the package's intrinsics, of Python's and NumPy's functions of numbers."""

import ast
import inspect
import math

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.dispatcher import Dispatcher
from numba.core.extending import _Intrinsic
from numba.core.registry import cpu_target

from .. import _address
from .values import (
    SCALARS,
    Bundle,
    Known,
    Pointer,
    Scalar,
    Unsupported,
    View,
    assemble,
    context,
    flat,
    flat_types,
    from_numba,
    long,
    scalar,
    to_numba,
    type_of,
    unpack,
)

#: Functions of floating-point numbers that LLVM has under a name.
_INTRINSICS = {
    math.sqrt: "sqrt", np.sqrt: "sqrt", math.exp: "exp", np.exp: "exp", math.log: "log", np.log: "log", math.sin: "sin", np.sin: "sin",
    math.cos: "cos", np.cos: "cos", math.fabs: "fabs", np.abs: "fabs", np.fabs: "fabs", math.copysign: "copysign",
    np.copysign: "copysign", math.pow: "pow",
}  # fmt: skip
_ROUNDINGS = {math.floor: "floor", math.ceil: "ceil", math.trunc: "trunc"}
#: Functions that convert a number.
_CONVERSIONS = {
    int: types.int64, float: types.float64, bool: types.boolean, np.int64: types.int64, np.float64: types.float64,
    np.float32: types.float32,
}  # fmt: skip


#: The package's views of memory: number type, dimensions, and whether a view follows the precision of its memory.
_VIEWS = {
    _address.view1: (types.float64, 1, True), _address.view2: (types.float64, 2, True), _address.view1d: (types.float64, 1, False),
    _address.view3: (types.float64, 3, False), _address.view1i: (types.int64, 1, False),
}  # fmt: skip


class Calls:
    """Writes calls."""

    def of_Call(self, node):
        """A call."""
        function = self.value(node.func)
        if not isinstance(function, Known) or any(isinstance(a, ast.Starred) for a in node.args):
            raise Unsupported(f"a call of {ast.unparse(node.func)}")
        function = function.value
        arguments = [self.value(argument) for argument in node.args]
        keywords = {keyword.arg: self.value(keyword.value) for keyword in node.keywords}
        if isinstance(function, Dispatcher):
            return self._call_kernel(function, arguments, keywords)
        if keywords or None in keywords:
            raise Unsupported("arguments by their names")
        if isinstance(function, _Intrinsic):
            view = _VIEWS.get(function)
            return self._view(*view, *arguments) if view else self._call_intrinsic(function, arguments)
        return self._call_function(function, arguments)

    def _call_kernel(self, dispatcher, arguments, keywords):
        """Call another compiled function."""
        options = dispatcher.targetoptions
        fastmath = options.get("fastmath") or ()
        if fastmath is True:
            fastmath = ("fast",)
        if options.get("error_model") != "numpy" or options.get("_nrt", True):
            raise Unsupported(
                "a function that is not a kernel's part: a user's, for one, may count an index from the end"
            )
        placed = "alwaysinline" if options.get("forceinline") or options.get("inline") == "always" else ""
        placed = "noinline" if getattr(dispatcher, "apart", False) else placed
        arguments = bound(dispatcher.py_func, arguments, keywords)
        return self.call_plain(dispatcher.py_func, arguments, fastmath, placed)

    def call_plain(self, function, arguments, fastmath=None, placed=""):
        """Call a Python function that is translated for it."""
        kinds = [type_of(argument) for argument in arguments]
        unit = self.translate(function, kinds, self.flags if fastmath is None else fastmath, placed)
        self.needs[unit.name] = unit
        function = unit.declared(self.builder.module)
        result = self.builder.call(function, [x for argument in arguments for x in flat(argument)])
        values = unpack(self.builder, result, len(flat_types(unit.type))) if flat_types(unit.type) else ()
        return assemble(unit.type, iter(values))

    def _call_intrinsic(self, function, arguments):
        """Call what writes its code itself, in Numba's forms of the values."""
        arguments = [scalar(a) if isinstance(a, Known) and a.value is not None else a for a in arguments]
        kinds = [type_of(argument) for argument in arguments]
        found = function._defn(cpu_target.typing_context, *kinds)
        if found is None:
            raise Unsupported(f"{function} of {kinds}")
        signature, write = found
        values = []
        for argument, kind, wanted in zip(arguments, kinds, signature.args, strict=True):
            if kind != wanted:
                argument = self.cast(argument, wanted)
            values.append(to_numba(self.builder, argument))
        return from_numba(self.builder, signature.return_type, write(context, self.builder, signature, values))

    def _call_function(self, function, arguments):
        """Call a function of Python's or NumPy's."""
        try:
            if function in _CONVERSIONS and len(arguments) == 1:
                return self._converted(_CONVERSIONS[function], arguments[0])
        except TypeError:
            raise Unsupported(f"a call of {function}") from None
        if function in SCALARS and len(arguments) == 1:
            return self._converted(function, arguments[0])
        if arguments and all(isinstance(argument, Known) for argument in arguments):
            return Known(function(*[argument.value for argument in arguments]))
        if function in (min, max):
            return self._extreme(function, arguments)
        if function is len and isinstance(arguments[0], (View, Bundle)):
            array = arguments[0]
            return Known(len(array.parts)) if isinstance(array, Bundle) else Scalar(types.int64, array.shape[0])
        values = [scalar(argument) for argument in arguments]
        if function in (abs, np.abs) and values[0].type == types.int64:
            negative = self.builder.icmp_signed("<", values[0].ir, long(0))
            return Scalar(types.int64, self.builder.select(negative, self.builder.neg(values[0].ir), values[0].ir))
        kind = values[0].type
        for value in values[1:]:
            kind = self.common(kind, value.type)
        kind = kind if kind in (types.float64, types.float32) else types.float64
        values = [self.cast(value, kind) for value in values]
        name = "fabs" if function is abs else _INTRINSICS.get(function)
        if name is not None:
            return self.intrinsic(f"llvm.{name}", kind, values)
        if function in _ROUNDINGS:
            return self.cast(self.intrinsic(f"llvm.{_ROUNDINGS[function]}", kind, values), types.int64)
        if function in (math.isnan, np.isnan):
            return Scalar(types.boolean, self.builder.fcmp_unordered("uno", values[0].ir, values[0].ir))
        if function in (math.isfinite, np.isfinite):
            size = self.intrinsic("llvm.fabs", kind, values).ir
            return Scalar(types.boolean, self.builder.fcmp_ordered("<", size, ir.Constant(size.type, math.inf)))
        raise Unsupported(f"a call of {function}")

    def _converted(self, kind, value):
        if isinstance(value, Known) and not isinstance(value.value, np.generic) and kind != types.float32:
            return Known({types.int64: int, types.float64: float, types.boolean: bool}[kind](value.value))
        return self.cast(value, kind)


def bound(function, arguments, keywords):
    """The arguments of a call in order, defaults among them."""
    try:
        call = inspect.signature(function).bind(*arguments, **keywords)
    except TypeError as error:
        raise Unsupported(str(error)) from None
    call.apply_defaults()
    return [a if isinstance(a, (Known, Scalar, View, Pointer, Bundle)) else Known(a) for a in call.arguments.values()]
