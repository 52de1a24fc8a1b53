"""The fused tier: whether a problem can run in lanes of generated code, and the loop that runs it."""

import dataclasses

import numpy as np

from . import _callback, _jit, _native
from ._arguments import pack
from ._fingerprint import Unknown
from ._lane_field import lane_function
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
    name, outputs = methods[0].name, batch.save != B.SAVE_END
    function = fun.function if isinstance(fun, InPlace) else fun
    n, structure = field.y0.size, pack(field.args)[0]
    try:
        lane, identity = lane_function(function, n, structure, isinstance(fun, InPlace), with_vmath)
        address, layout = fused_kernels.explicit(name, n, batch.params.shape[1], outputs, lane, identity)
    except Unknown as error:
        raise Unsupported(f"no fingerprint of fun can be taken, as {error}") from error
    except Unsupported:
        raise
    except Exception as error:  # Numba raises its own errors and, for odd code, nearly any other
        raise Unsupported(f"fun does not compile on numbers in registers: {reason(function, error)}") from error
    if address not in _agreed:
        plain = getattr(function, "py_func", function)

        def evaluate(t, y, size):
            return _field_value(batch, address, layout, t, y)

        _agreed[address] = _callback.agrees(evaluate, plain, field.shape, field.t0, field.y0, field.args)
    if not _agreed[address]:
        raise Unsupported("compiled on numbers in registers, fun gives other numbers than in Python")
    return lambda batch: LaneLoop(batch, address, layout), layout.lanes


def _check(fun, field, methods):
    if _jit.JIT_DISABLED:
        raise Unsupported("NUMBA_DISABLE_JIT is set")
    if isinstance(fun, (Separable, Hamiltonian)) or _native.native_kernel(field.function) is not None:
        raise Unsupported("fun is not one Python function")
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
