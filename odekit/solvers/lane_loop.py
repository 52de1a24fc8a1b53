"""The kernel of a method in lanes, compiled, and the loop of one thread over it."""

import contextlib
import ctypes
import functools
import math

import numpy as np

from .. import _jit
from .._memory import aligned
from .._templates import linked_address
from . import fused_events
from . import lanes as L
from .event_log import EventLog
from .lane_arithmetic import (
    align_stack,
    bits_of,
    exp2_of,
    log2_of,
    pointer,
    pointer_to,
    rough_log2_of,
    select,
    trailing_zeros,
)
from .lane_bodies import outlined
from .lane_parameters import Parameters
from .lane_sources import begin_source, run_source


def kernel(name, layout, order, sources, fillings, identity, events_on_dense=False, functions=()):
    """Address of the kernel ``lanes(addresses, control, w, settings) -> finished``.

    Parameters
    ----------
    name : str
        Of the method.
    layout : Layout
    order : int
        Of the error estimate, for the first step.
    sources : dict
        Source of ``sweep`` and, for outputs, of ``dense``.
    fillings : dict
        Functions of the user that they call, from `odekit._lane_field`; one of them is ``field``.
    identity : str
        Fingerprint of these functions.
    events_on_dense : bool
        See `odekit.solvers.fused_events`.
    functions : tuple of (str, callable)
        Further functions that they call.

    Returns
    -------
    int
    """
    fillings = {**fillings, "load_parameters": Parameters(layout.n_params)}
    run = run_source(layout, "dense" in sources, events_on_dense)
    sources = {"begin": begin_source(layout, order), **sources, **run}
    places = {called: filling.placeholder(called) for called, filling in fillings.items()}
    function = _template(name, tuple(sources.items()), (*places.items(), *functions))
    return linked_address(function, _jit.STEP_SIGNATURE, fillings, identity)


@functools.lru_cache(maxsize=8)
def _template(name, sources, places):
    """The template of these sources, of which ``lanes`` is what calls the others."""
    scope = {
        f.__name__: f
        for f in (
            math,
            align_stack,
            bits_of,
            pointer,
            pointer_to,
            select,
            log2_of,
            rough_log2_of,
            exp2_of,
            trailing_zeros,
        )
    }
    scope |= dict(places)
    sources = dict(sources)
    main = sources.pop("lanes")
    for part_name, source in sources.items():
        rest, around = outlined(source, scope)
        part = _jit.exec_source(f"# {_jit.digest(source)}\n{rest}", part_name, around)
        scope[part_name] = _jit.core_apart(part)
    everything = "".join(f"# {part_name} {_jit.digest(source)}\n" for part_name, source in sources.items())
    return _jit.exec_source(everything + main, f"lanes_{name}", scope, defined="lanes")


#: How many times as many trajectories of an automatic pair as there are lanes may wait for the other method.
QUEUE_LANES = 4
_NO_QUEUE = np.empty(0)
#: A kernel of `odekit._jit.STEP_SIGNATURE` as a Python function of four addresses, which releases Python's lock.
STEP_FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 4)


class LaneLoop:
    """The loop of one thread over ranges of trajectories.

    Parameters
    ----------
    batch : Batch
    address : int
        Of the kernel.
    layout : Layout
    queues : tuple of ndarray, optional
        Of an automatic pair: the trajectories that wait for this kernel, and for the other one.
    log : EventLog, optional
        Of an automatic pair: that of the other kernel.
    """

    def __init__(self, batch, address, layout, queues=(), log=None):
        m = fused_events.count(layout)
        self.log = log or (EventLog(batch, fused_events.room(layout)) if m else None)
        log_and_counts = (self.log.buffer, batch.event_counts.reshape(-1)) if m else ()
        self.keep = [*batch.flat(), batch.rtol, batch.atol, *(queues or (_NO_QUEUE, _NO_QUEUE)), *log_and_counts]
        self.addresses = np.array([array.ctypes.data for array in self.keep], dtype=np.int64)
        self.control = np.zeros(L.CONTROL_SIZE, dtype=np.int64)
        self.control[L.SAVE], self.control[L.ROWS] = batch.save, batch.y.shape[1]
        self.control[L.SHARED_TIMES], self.control[L.STEP_LIMIT] = batch.t_eval.shape[0] == 1, batch.max_steps
        self.control[L.N_PARAMS] = layout.n_params
        if m:
            self.control[L.ROOM], self.control[L.MAX_EVENTS] = self.log.room, batch.max_events
        self.settings = np.array([batch.first_step, batch.max_step, *batch.wanted])
        self.memory = aligned(layout.rows * layout.stride)
        self.memory[:] = 0.0
        self.status = self.memory[L.STATUS * layout.stride :][: layout.lanes]
        self.function, self.lanes = STEP_FUNCTION(address), layout.lanes
        self.sweeps = 256

    def start(self, first, last):
        """Take up trajectories `first` to ``last - 1``."""
        self.control[L.NEXT], self.control[L.LAST], self.control[L.ACTIVE] = first, last, 0
        self.control[L.MORE] = 0
        self.status[:] = L.IDLE

    def feed(self, waiting):
        """Take up the next range where all trajectories of the last one have been begun, so that no lane runs empty.

        Parameters
        ----------
        waiting : collections.deque of (int, int)
            Ranges, which other threads take from, too.

        Returns
        -------
        (int, int) or None
            The range taken up.
        """
        control, taken = self.control, None
        if control[L.NEXT] == control[L.LAST]:
            with contextlib.suppress(IndexError):  # nothing is left
                taken = control[L.NEXT], control[L.LAST] = waiting.popleft()
        control[L.MORE] = len(waiting) > 0
        return taken

    def advance(self):
        """Go on for a while.

        Returns
        -------
        bool
            Whether the range is finished.
        """
        self.control[L.SWEEPS] = self.sweeps
        arrays = (self.addresses, self.control, self.memory, self.settings)
        finished = self.function(*(array.ctypes.data for array in arrays)) == 1
        if self.log is not None:
            self.log.take(self.control[L.USED])
            self.control[L.USED] = 0
        return finished

    @property
    def idle(self):
        """Whether there is nothing left to do."""
        return not (self.control[[L.ACTIVE, L.INCOMING]].any() or self.control[L.NEXT] < self.control[L.LAST])


class PairLoop:
    """The loop of one thread over ranges of trajectories with two kernels, between which the trajectories move.

    Parameters
    ----------
    batch : Batch
    explicit : (int, Layout)
        Address and layout of the kernel with which trajectories begin.
    make_implicit : callable
        Returns address and layout of the other one; called when the first trajectory asks for it.
    """

    def __init__(self, batch, explicit, make_implicit):
        layout = explicit[1]
        self.capacity = QUEUE_LANES * layout.lanes
        self.queues = [np.empty(self.capacity * layout.first["record"]) for _ in range(2)]
        self.explicit = LaneLoop(batch, *explicit, self.queues)
        self.explicit.control[L.CAPACITY], self.log = self.capacity, self.explicit.log
        self.batch, self.make_implicit, self.implicit = batch, make_implicit, None

    def start(self, first, last):
        """Take up trajectories `first` to ``last - 1``."""
        self.explicit.start(first, last)
        self.explicit.control[[L.INCOMING, L.OUTGOING]] = 0
        if self.implicit is not None:
            self.implicit.start(0, 0)

    def advance(self):
        """Go on for a while.

        Returns
        -------
        bool
            Whether the range is finished.
        """
        explicit, finished = self.explicit, True
        if not explicit.idle:
            finished = explicit.advance()
        waiting = explicit.control[L.OUTGOING]
        if waiting > 0 and self.implicit is None:
            self.implicit = LaneLoop(self.batch, *self.make_implicit(), self.queues[::-1], self.log)
            self.implicit.start(0, 0)
            self.implicit.control[L.CAPACITY] = self.capacity
        implicit = self.implicit
        if implicit is None:
            return finished
        # full lanes are what makes it fast
        full = waiting > self.capacity - explicit.lanes
        if finished or full or waiting + implicit.control[L.ACTIVE] >= implicit.lanes:
            implicit.control[L.INCOMING], implicit.control[L.OUTGOING] = waiting, explicit.control[L.INCOMING]
            implicit.control[L.LEAST] = 0 if finished else L.BLOCK // 2
            finished &= implicit.advance()
            explicit.control[L.OUTGOING], explicit.control[L.INCOMING] = implicit.control[[L.INCOMING, L.OUTGOING]]
        return finished and explicit.idle and explicit.control[L.OUTGOING] == 0
