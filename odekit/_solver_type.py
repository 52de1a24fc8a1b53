"""A compiled solver as Numba sees it: an object that compiled code can be given, and can call.

For Numba it is the address of a plan (see `odekit.solvers.whole`), which nothing that is kept on disk contains: the object
is an argument of the user's function, and each process has its own.
"""

import math

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import lower_constant
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, infer_getattr
from numba.extending import (
    NativeValue,
    intrinsic,
    lower_builtin,
    models,
    overload,
    register_model,
    unbox,
)

from . import _jit
from ._arguments import pack


class SolverType(types.Type):
    """Numba's type of a compiled solver.

    Parameters
    ----------
    complex_state : bool
    """

    def __init__(self, complex_state):
        self.complex_state = complex_state
        super().__init__(name=f"CompiledSolver(complex_state={complex_state})")


@register_model(SolverType)
class _SolverModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, ir.IntType(64))


@unbox(SolverType)
def _unbox(_typ, obj, c):
    address = c.pyapi.object_getattr_string(obj, "_address")
    native = c.pyapi.long_as_longlong(address)
    c.pyapi.decref(address)
    return NativeValue(native, is_error=cgutils.is_not_null(c.builder, c.pyapi.err_occurred()))


_constants = []  # solvers that compiled functions refer to as globals live as long as the process


@lower_constant(SolverType)
def _constant(context, builder, _typ, solver):
    """A global: the address stands in the code, and Numba is told that such code is not to be kept on disk."""
    _constants.append(solver)
    pointer = context.add_dynamic_addr(builder, solver._address, info="odekit_solver")
    return builder.ptrtoint(pointer, ir.IntType(64))


@intrinsic
def _as_integer(typingctx, solver):
    """The address that a solver is in compiled code."""

    def codegen(_context, _builder, _signature, args):
        return args[0]

    return types.int64(solver), codegen


def address_of(solver):
    """Address of the plan of a solver."""
    return solver._address


@overload(address_of)
def _address_of(solver):
    return lambda solver: _as_integer(solver)


def make_callable(function):
    """Let compiled code call solvers: ``solver(y0, t, args)`` becomes ``function(solver, y0, t, args)``.

    Parameters
    ----------
    function : Numba dispatcher
    """
    dispatcher = types.Dispatcher(function)

    @infer_getattr
    class SolverAttributes(AttributeTemplate):
        key = SolverType

        def generic_resolve(self, solver, name):
            if name != "__call__":
                return None

            class Call(AbstractTemplate):
                key = (SolverType, "__call__")

                def generic(self, args, kws):
                    return dispatcher.get_call_type(self.context, (solver, *args), kws).as_method()

            return types.BoundFunction(Call, solver)

    @lower_builtin(SolverType, SolverType, types.VarArg(types.Any))
    def call(context, builder, signature, args):
        found = context.get_function(dispatcher, signature)
        result = found(builder, args)
        context.add_linking_libs(getattr(found, "libs", ()))
        return result


# what depends on the type of the state -------------------------------------------------------------------------------


def put_state(solver, vector, y0):
    """Write the initial state into a float64 vector; whether it fits and is finite."""
    given = np.asarray(y0, dtype=np.complex128 if solver.complex_state else np.float64).view(np.float64)
    if given.shape != vector.shape:
        return False
    vector[:] = given
    return bool(np.isfinite(given).all())


def states(solver, y):
    """States (m, n) as float64 numbers in the user's form, (n, m)."""
    return y.view(np.complex128).T if solver.complex_state else y.T


@overload(put_state)
def _put_state(solver, vector, y0):
    """Write y0 (n,) to vector (n,), or (2 n,) for complex numbers; whether it fits and is finite."""
    if not solver.complex_state:

        def put(solver, vector, y0):
            if len(y0) != vector.size:
                return False
            finite = True
            for i in range(vector.size):
                vector[i] = y0[i]
                finite = finite and abs(vector[i]) < math.inf
            return finite

        return put

    def put_complex(solver, vector, y0):
        if 2 * len(y0) != vector.size:
            return False
        finite = True
        for i in range(len(y0)):
            value = complex(y0[i])
            vector[2 * i], vector[2 * i + 1] = value.real, value.imag
            finite = finite and abs(value.real) < math.inf and abs(value.imag) < math.inf
        return finite

    return put_complex


@overload(states)
def _states(solver, y):
    """States y (m, numbers), row by row, as the user sees them: (n, m), of complex numbers where they are."""
    if solver.complex_state:
        return lambda solver, y: y.view(np.complex128).T
    return lambda solver, y: y.T


# arguments ---------------------------------------------------------------------------------------------------------------


def put_arguments(args, p):
    """Write arguments into the vector p.

    Parameters
    ----------
    args : tuple of numbers and arrays, or ndarray
        An array holds the numbers of all arguments, one after the other.
    p : ndarray, (n_params,)

    Returns
    -------
    bool
        Whether they are as many numbers as p has room for.
    """
    _, values = pack((args,) if isinstance(args, np.ndarray) else tuple(args))
    if values.size != p.size:
        return False
    p[:] = values
    return True


@overload(put_arguments)
def _put_arguments(args, p):
    """Write all numbers of the arguments to p, one after the other; whether they are as many as it has room for."""
    if isinstance(args, types.Array):
        names, kinds = ["args"], [args]
    elif isinstance(args, types.BaseTuple):
        names, kinds = [f"args[{k}]" for k in range(len(args))], list(args)
    else:
        return None
    lines = ["def put(args, p):", "    k = 0"]
    for name, kind in zip(names, kinds, strict=True):
        is_array = isinstance(kind, types.Array)
        element = kind.dtype if is_array else kind
        if not isinstance(element, types.Number | types.Boolean):
            return None
        parts = ["value.real", "value.imag"] if isinstance(element, types.Complex) else ["value"]
        indent = "    "
        if is_array:
            lines.append(f"    for value in {name}.flat:")
            indent += "    "
        else:
            lines.append(f"    value = {name}")
        for part in parts:
            lines += [f"{indent}if k < p.size:", f"{indent}    p[k] = {part}", f"{indent}k += 1"]
    lines.append("    return k == p.size")
    return _jit.exec_source("\n".join(lines) + "\n", "put", {})
