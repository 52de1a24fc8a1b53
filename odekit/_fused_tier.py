"""The fused tier: whether a problem can run in lanes of generated code, and the loop that runs it."""

import dataclasses
import threading
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from . import _callback, _jacobian, _jit, _native, _series
from ._arguments import pack
from ._capture import ignores_first_argument
from ._fingerprint import Unknown
from ._lane_field import lane_function
from ._lane_halves import lane_halves
from ._wrap import reason
from ._wrapper_source import Unsupported
from .field import InPlace
from .hamiltonian import Hamiltonian
from .separable import Separable
from .solvers import batch as B
from .solvers import fused_kernels
from .solvers.expansion import LIBRARY, VECTORISED
from .solvers.lane_loop import LaneLoop, PairLoop

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
    fed : bool
        Whether they take up the next range of trajectories before the last one has ended, see `LaneLoop.feed`.

    Raises
    ------
    Unsupported
        With the reason why not.
    """
    _check(fun, field, methods)
    function = fun.force if isinstance(fun, Separable) else fun.function if isinstance(fun, InPlace) else fun
    try:
        problem = _Problem(fun, function, field, batch, methods, with_vmath)
        jacobian = problem.jacobian() if methods[-1].implicit else None
        kernel = problem.kernel(jacobian)
    except Unknown as error:
        raise Unsupported(f"no fingerprint of fun can be taken, as {error}") from error
    except Unsupported:
        raise
    except Exception as error:  # Numba raises its own errors and, for odd code, nearly any other
        raise Unsupported(f"fun does not compile on numbers in registers: {reason(function, error)}") from error
    address, layout = kernel

    def evaluate(t, y, size=0):
        return _field_value(batch, address, layout, t, y)

    plain = field.function if isinstance(fun, Separable) else getattr(function, "py_func", function)
    if address not in _agreed:
        _agreed[address] = _callback.agrees(evaluate, plain, field.shape, field.t0, field.y0, field.args)
    if not _agreed[address]:
        raise Unsupported("compiled on numbers in registers, fun gives other numbers than in Python")
    if jacobian is not None and jacobian.address not in _agreed:
        _agreed[jacobian.address] = any(problem.agrees(jacobian, evaluate, scale) for scale in (1e-3, 2e-3))
    if jacobian is not None and not _agreed[jacobian.address]:
        raise Unsupported("the derivatives of fun by dual numbers disagree with difference quotients")
    if len(methods) == 1:
        return lambda batch: LaneLoop(batch, address, layout), layout.lanes, True
    lock = threading.Lock()

    def implicit():
        with lock:
            return problem.stiff_kernel(jacobian, methods[0].name)

    return lambda batch: PairLoop(batch, kernel, implicit), layout.lanes, False


class _Jacobian(NamedTuple):
    """The Jacobian of a user's function in a lane, see `odekit._lane_derivative.lane_jacobian`."""

    function: Callable
    identity: str
    address: int
    timed: bool


class _Problem:
    """A user's function, and the kernels that are made for it; arguments as for `prepare`."""

    def __init__(self, fun, function, field, batch, methods, with_vmath):
        self.field, self.batch, self.methods = field, batch, methods
        self.function, self.in_place, self.halves = function, isinstance(fun, InPlace), {}
        self.with_vmath = with_vmath
        self.n, self.structure = field.y0.size, pack(field.args)[0]
        if isinstance(fun, Separable):
            self.halves, self.identity = lane_halves(fun, self.n, self.structure, with_vmath)
            self.lane = self.halves["field"]
        else:
            self.lane, self.identity = lane_function(function, self.n, self.structure, self.in_place, with_vmath)
        self.shape = (self.n, batch.params.shape[1], batch.save != B.SAVE_END)
        self.events = self._events(with_vmath)

    def _events(self, with_vmath):
        """Event functions in a lane, and their directions; the identity becomes that of all."""
        found = []
        for event in self.field.event_functions:
            function, identity = lane_function(event, self.n, self.structure, with_vmath=with_vmath, number=True)
            self.identity += f"_{identity}"
            found.append((function, float(getattr(event, "direction", 0))))
        return tuple(found)

    def jacobian(self):
        """The Jacobian in a lane."""
        from ._lane_derivative import lane_jacobian  # registers a type with Numba, which only stiff methods need

        timed = not ignores_first_argument(self.function)
        return _Jacobian(*lane_jacobian(self.function, self.n, self.structure, self.in_place, timed), timed)

    def kernel(self, jacobian):
        """Address and layout of the kernel with which trajectories begin."""
        name, paired = self.methods[0].name, len(self.methods) > 1
        if self.methods[0].implicit:
            return self.stiff_kernel(jacobian, None, name)
        if self.methods[0].expansion:
            return self.series_kernel(name)
        if self.methods[0].separable:
            return fused_kernels.symplectic(
                name, *self.shape, identity=self.identity, events=self.events, **self.halves
            )
        return fused_kernels.explicit(name, *self.shape, self.lane, self.identity, paired, self.events)

    def series_kernel(self, name):
        """Address and layout of the kernel of a Taylor method."""
        expansion = _series.expanded(self.field, self.methods[0].order)
        if expansion.products > fused_kernels.MOST_PRODUCTS:
            raise Unsupported("the formula of fun is too long for lanes")
        functions = tuple((VECTORISED if self.with_vmath else LIBRARY).items())
        return fused_kernels.series(name, *self.shape, expansion, functions, self.lane, self.identity, self.events)

    def stiff_kernel(self, jacobian, partner, name=fused_kernels.IMPLICIT):
        """Address and layout of the kernel of an implicit method."""
        identity = self.identity + jacobian.identity
        return fused_kernels.rosenbrock(
            name, *self.shape, self.lane, jacobian.function, jacobian.timed, identity, partner, self.events
        )

    def agrees(self, jacobian, evaluate, scale):
        """Whether the Jacobian agrees with difference quotients of the field near the start."""
        n, t0 = self.n, self.field.t0
        y = self.field.y0 * (1 + scale * np.sin(np.arange(n) + 1)) + scale**2
        values = _callback.call(jacobian.address, t0, y, n * (n + jacobian.timed), self.batch.params[0].copy())
        return _jacobian.agrees(_jacobian.rows(values, n), evaluate, t0, y)


def _check(fun, field, methods):
    if _jit.JIT_DISABLED:
        raise Unsupported("NUMBA_DISABLE_JIT is set")
    functions = (fun.velocity, fun.force) if isinstance(fun, Separable) else (field.function,)
    native = any(f is not None and _native.native_kernel(f) is not None for f in functions)
    if isinstance(fun, Hamiltonian) or native:
        raise Unsupported("fun is not a Python function")
    if methods[0].name not in fused_kernels.METHODS:
        raise Unsupported("the method does not run in lanes")
    if isinstance(fun, Separable) and methods[-1].implicit:
        raise Unsupported("fun is in two halves, which are not differentiated")
    if any(_native.native_kernel(event) is not None for event in field.event_functions):
        raise Unsupported("an event is not a Python function")
    if field.complex_state:
        raise Unsupported("the state is complex")
    most = fused_kernels.LARGEST_STIFF_DIMENSION if methods[-1].implicit else fused_kernels.LARGEST_DIMENSION
    if field.y0.size > most:
        raise Unsupported(f"the state has more than {most} components")


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
