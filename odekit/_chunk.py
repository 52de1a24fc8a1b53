"""A chunk of an ensemble as a task that any process can do: what it needs, how it gets there, what comes back.

A task is the call ``compute(carrier, trajectories)``. The carrier holds what all chunks share, the user's functions among it;
in another process it is unpacked and its functions are compiled once, however many chunks arrive there.
"""

import collections
import dataclasses
import functools
import hashlib
import pickle
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from . import _fused_tier
from ._lane_rescue import RescuedLoop, takes_angles
from ._native import native_kernel
from ._wrapper_source import Unsupported
from .field import InPlace
from .hamiltonian import Hamiltonian, field_class
from .separable import Separable
from .solution import Retcode
from .solvers import batch as B
from .solvers import event_log
from .solvers.mass import MassMatrix
from .solvers.members import MemberLoop
from .solvers.methods import WITH_MASS, resolve

#: A chunk of the fused tier has at least so many trajectories for each lane: at its end the lanes run empty.
LANES_PER_CHUNK = 4
#: On threads they do not: a chunk is worth handing out if it takes longer than that, and threads end together if the last is small.
FED_CHUNK = 64
_KEPT_CARRIERS = 8  # that a process keeps ready
_ready: collections.OrderedDict = collections.OrderedDict()  # digest of a carrier -> Setup, Prepared
_lock = threading.Lock()


class Trajectories(NamedTuple):
    """Where trajectories start and end, their parameters, and their output times: arrays as in `solvers.batch.Batch`."""

    spans: np.ndarray
    y0: np.ndarray
    params: np.ndarray
    t_eval: np.ndarray

    @property
    def size(self):
        """Number of trajectories."""
        return len(self.y0)

    def part(self, first, last):
        """Trajectories `first` to ``last - 1``."""
        times = self.t_eval if len(self.t_eval) == 1 else self.t_eval[first:last]
        return Trajectories(self.spans[first:last], self.y0[first:last], self.params[first:last], times)


class Results(NamedTuple):
    """What has become of trajectories: arrays as in `solvers.batch.Batch`, with as many rows as are in use, and their events."""

    y: np.ndarray
    t: np.ndarray
    counters: np.ndarray
    ends: np.ndarray
    zeros: event_log.Zeros | None = None


class Prepared(NamedTuple):
    """Compiled code for an ensemble.

    Attributes
    ----------
    make_loop : callable
        ``make_loop(batch)`` makes an object with ``start(first, last)`` and ``advance() -> finished``.
    tier, reason : str
    least, least_here : int
        Number of trajectories below which a chunk is inefficient; on threads, which go from one chunk to the next.
    in_python : bool
        Whether Python functions are called back.
    """

    make_loop: Callable
    tier: str
    reason: str
    least: int
    least_here: int
    in_python: bool


@dataclasses.dataclass(frozen=True)
class Setup:
    """What all trajectories of an ensemble share.

    Attributes
    ----------
    fun, jac, events
        The user's functions.
    wanted, max_events
        As in `solvers.batch.Batch`.
    mass : MassMatrix or None
    t0, y0, args
        Start and arguments of the first trajectory.
    method : str
    tightest : float
        Tightest tolerance.
    tier : str or None
    vmath : bool
    rtol, atol, save, first_step, max_step, max_steps
        As in `solvers.batch.Batch`.
    max_saved : int
    """

    fun: Any
    jac: Any
    events: tuple
    wanted: np.ndarray
    t0: float
    y0: np.ndarray
    args: tuple
    method: str
    tightest: float
    tier: str | None
    vmath: bool
    rtol: np.ndarray
    atol: np.ndarray
    save: int
    max_saved: int
    first_step: float
    max_step: float
    max_steps: int
    max_events: int = 0
    mass: MassMatrix | None = None

    def batch(self, trajectories):
        """A `Batch` of trajectories with room for its results."""
        spans, y0, params, t_eval = trajectories
        return B.allocate(
            spans, y0, params, self.rtol, self.atol, t_eval, self.save, self.max_saved, self.first_step, self.max_step, self.max_steps,
            self.wanted, self.max_events,
        )  # fmt: skip

    def prepare(self, first):
        """Compile.

        Parameters
        ----------
        first : Trajectories
            The first trajectory of the ensemble.

        Returns
        -------
        Prepared
        """
        methods = (
            resolve(self.method, self.y0.size, self.tightest)[1] if self.mass is None else (WITH_MASS[self.method],)
        )
        field = field_class(self.fun)(self.fun, self.t0, self.y0, self.args, self.jac, list(self.events))
        field.varying = True
        why = "it was asked for"
        if self.tier != "single":
            try:
                if self.mass is not None:
                    raise Unsupported("there is a mass matrix")
                make_loop, lanes, fed = _fused_tier.prepare(self.fun, field, self.batch(first), methods, self.vmath)
            except Unsupported as error:
                why = str(error)
                if self.tier == "fused":
                    raise ValueError(f"tier='fused' cannot be: {why}") from error
            else:
                make_lanes = make_loop
                left = (*([B.LEFT] if self.events else []), *([Retcode.NONFINITE] if self._takes_angles() else []))
                if left:
                    make_single = _member_loops(functools.cache(field.kernels), methods)

                    def make_loop(batch):
                        return RescuedLoop(batch, make_lanes(batch), make_single, left)

                least = LANES_PER_CHUNK * lanes
                return Prepared(make_loop, "fused", "the fastest", least, FED_CHUNK if fed else least, False)
        kernels = field.kernels()
        make_loop = _member_loops(lambda: kernels, methods, self.mass)
        return Prepared(make_loop, "single", why, 1, 1, field.calls_python())

    def _takes_angles(self):
        return self.vmath and takes_angles(self.fun)


def _member_loops(find_kernels, methods, mass=None):
    """``make_loop(batch)`` of the single tier."""
    lock = threading.Lock()

    def make_loop(batch):
        with lock:
            kernels = find_kernels()
        return MemberLoop(batch, kernels, methods, lock, mass)

    return make_loop


class Carrier:
    """Brings a `Setup` into other processes, where it is compiled once.

    Parameters
    ----------
    setup : Setup
    first : Trajectories
        The first trajectory of the ensemble.

    Attributes
    ----------
    stop : threading.Event
        Ends the chunks that run in this process.
    """

    def __init__(self, setup, first):
        self.setup, self.first, self.stop = setup, first, threading.Event()
        self._prepared = self._packed = None

    def prepared(self):
        """The compiled code.

        Returns
        -------
        Prepared
        """
        if self._prepared is None:
            with _lock:
                if self.setup is None:
                    self._unpack()
                elif self._prepared is None:
                    self._prepared = self.setup.prepare(self.first)
        return self._prepared

    def _unpack(self):
        key = hashlib.sha256(self._packed).digest()
        if key not in _ready:
            setup, first = pickle.loads(self._packed)  # noqa: S301 - what `packed` made, sent to us by the user's executor
            _ready[key] = setup, setup.prepare(first)
            while len(_ready) > _KEPT_CARRIERS:
                _ready.popitem(last=False)
        self.setup, self._prepared = _ready[key]

    def packed(self):
        """The setup as bytes.

        Returns
        -------
        bytes

        Raises
        ------
        TypeError
            If one of the user's functions cannot be sent to another process.
        """
        if self._packed is None:
            refuse_addresses(
                (self.setup.fun, *self.setup.events),
                "other processes do not have it; give the executor a Python function",
            )
            self._packed = pickled((self.setup, self.first))
        return self._packed

    def __getstate__(self):
        return self.packed()

    def __setstate__(self, packed):
        self.setup = self.first = self._prepared = None
        self._packed, self.stop = packed, threading.Event()


def pickled(setup):
    try:
        import cloudpickle as pickler  # functions of __main__, local ones and lambdas too
    except ImportError:
        pickler = pickle
    try:
        return pickler.dumps(setup)
    except Exception as error:  # pickling raises nearly anything
        more = ", or install cloudpickle, which sends local functions and lambdas" if pickler is pickle else ""
        raise TypeError(
            f"fun (or jac, or an event) cannot be sent to another process ({type(error).__name__}: {error}); define it at the "
            f"top level of a module that the other processes can import{more}"
        ) from error


def refuse_addresses(functions, why):
    """An address means something in its own process only."""
    for function in functions:
        inner = function.function if isinstance(function, (InPlace, Hamiltonian)) else function
        halves = (inner.velocity, inner.force) if isinstance(inner, Separable) else (inner,)
        if any(half is not None and native_kernel(half) is not None for half in halves):
            raise TypeError(f"fun is machine code at an address of this process: {why}")


def compute(carrier, trajectories):
    """Integrate trajectories.

    Parameters
    ----------
    carrier : Carrier
    trajectories : Trajectories

    Returns
    -------
    Results or None
        None if it was stopped.
    """
    prepared = carrier.prepared()
    batch = carrier.setup.batch(trajectories)
    loop = prepared.make_loop(batch)
    loop.start(0, batch.size)
    while not loop.advance():
        if carrier.stop.is_set():
            return None
    y, t = batch.y, batch.t
    if batch.save == B.SAVE_STEPS:
        longest = int(batch.counters[:, B.NSAVED].max())
        y, t = y[:, :longest].copy(), t[:, :longest].copy()
    return Results(y, t, batch.counters, batch.ends, event_log.collected(batch))
