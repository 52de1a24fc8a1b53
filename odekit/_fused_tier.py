"""The fused tier: whether a problem can run in lanes of generated code, and the loop that runs it."""

import dataclasses

import numpy as np

from . import _callback, _jit, _native
from ._arguments import pack
from ._fingerprint import Unknown
from ._lane_field import lane_function
from ._lane_halves import lane_halves
from ._wrap import Unsupported, reason
from .field import InPlace
from .hamiltonian import Hamiltonian
from .separable import Separable
from .solvers import batch as B
from .solvers import fused_kernels
from .solvers.lane_loop import LaneLoop

_agreed: dict = {}  # address of a kernel -> whether its field gives the numbers of the Python function


def prepare(fun, field, batch, methods, with_vmath):
    """Make the kernel for a problem.

    Parameters
    ----------
    fun : callable
        As the user gave it.
    field : odekit.field.UserField
    batch : odekit.solvers.batch.Batch
        The first trajectory.
    methods : tuple of Method
    with_vmath : bool

    Returns
    -------
    make_loop : callable
        ``make_loop(batch)``.
    lanes : int
        How many trajectories run side by side.

    Raises
    ------
    Unsupported
        With the reason why not.
    """
    _check(fun, field, methods)
    function = fun.force if isinstance(fun, Separable) else fun.function if isinstance(fun, InPlace) else fun
    try:
        address, layout = _kernel(fun, field, batch, methods, with_vmath)
    except Unknown as error:
        raise Unsupported(f"no fingerprint of fun can be taken, as {error}") from error
    except Unsupported:
        raise
    except Exception as error:  # Numba raises its own errors and, for odd code, nearly any other
        raise Unsupported(f"fun does not compile on numbers in registers: {reason(function, error)}") from error
    if address not in _agreed:
        plain = field.function if isinstance(fun, Separable) else getattr(function, "py_func", function)

        def evaluate(t, y, size):
            return _field_value(batch, address, layout, t, y)

        _agreed[address] = _callback.agrees(evaluate, plain, field.shape, field.t0, field.y0, field.args)
    if not _agreed[address]:
        raise Unsupported("compiled on numbers in registers, fun gives other numbers than in Python")
    return lambda batch: LaneLoop(batch, address, layout), layout.lanes


def _kernel(fun, field, batch, methods, with_vmath):
    """Address and layout of the kernel."""
    name, n, structure = methods[0].name, field.y0.size, pack(field.args)[0]
    sizes = (n, batch.params.shape[1], batch.save != B.SAVE_END)
    if isinstance(fun, Separable):
        functions, identity = lane_halves(fun, n, structure, with_vmath)
        if methods[0].separable:
            return fused_kernels.symplectic(name, *sizes, identity=identity, **functions)
        return fused_kernels.explicit(name, *sizes, functions["field"], identity)
    function = fun.function if isinstance(fun, InPlace) else fun
    lane, identity = lane_function(function, n, structure, isinstance(fun, InPlace), with_vmath)
    return fused_kernels.explicit(name, *sizes, lane, identity)


def _check(fun, field, methods):
    if _jit.JIT_DISABLED:
        raise Unsupported("NUMBA_DISABLE_JIT is set")
    functions = (fun.velocity, fun.force) if isinstance(fun, Separable) else (field.function,)
    native = any(f is not None and _native.native_kernel(f) is not None for f in functions)
    if isinstance(fun, Hamiltonian) or native:
        raise Unsupported("fun is not a Python function")
    if len(methods) > 1 or methods[0].name not in fused_kernels.METHODS:
        raise Unsupported("the method does not run in lanes")
    if field.event_functions:
        raise Unsupported("there are events")
    if field.complex_state:
        raise Unsupported("the state is complex")
    if field.y0.size > fused_kernels.LARGEST_DIMENSION:
        raise Unsupported(f"the state has more than {fused_kernels.LARGEST_DIMENSION} components")


def _field_value(batch, address, layout, t, y):
    """f(t, y) as the kernel evaluates it, by a trajectory over a span of length zero."""
    one = dataclasses.replace(
        batch, spans=np.array([[t, t]]), y0=np.array(y)[None], params=batch.params[:1].copy(), t_eval=np.empty((1, 1)),
        y=np.empty((1, 1, y.size)), t=np.empty((1, 1)), counters=np.empty((1, B.N_COUNTERS)), ends=np.empty((1, 2)),
    )  # fmt: skip
    loop = LaneLoop(one, address, layout)
    loop.start(0, 1)
    while not loop.advance():
        pass
    return loop.memory.reshape(layout.rows, layout.stride)[layout.f : layout.f + layout.n, 0]
