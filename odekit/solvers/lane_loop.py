"""The kernel of a method in lanes, compiled, and the loop of one thread over it."""

import ctypes
import math

import numpy as np

from .. import _jit
from . import lanes as L
from .lane_arithmetic import align_stack, exp2_of, log2_of, part, pointer, select
from .lane_sources import begin_source, run_source


def kernel(name, layout, order, sources, namespace, identity):
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
    namespace : dict
        What they need; ``field`` is the user's function.
    identity : str
        Fingerprint of the user's function: it is in every name.

    Returns
    -------
    int
    """
    scope = {f.__name__: f for f in (math, align_stack, pointer, select, log2_of, exp2_of)} | namespace
    has_dense = "dense" in sources
    run = run_source(layout, has_dense, identity)
    sources = {
        "begin": begin_source(layout, order, identity),
        **{k: f"# {identity}\n{v}" for k, v in sources.items()},
        **run,
    }
    main = sources.pop("lanes")
    for part_name, source in sources.items():
        scope[part_name] = part(_jit.exec_source(source, part_name, scope))
    everything = "".join(f"# {part_name} {_jit.digest(source)}\n" for part_name, source in sources.items())
    function = _jit.exec_source(everything + main, f"lanes_{name}", scope, defined="lanes")
    return _jit.cfunc_address(function, _jit.STEP_SIGNATURE, **_jit.CORE_OPTIONS)


def _aligned(size):
    """Zeros that begin at a line of the cache: vectors that lie across two lines take twice as long."""
    memory = np.zeros(size + L.LINE)
    return memory[-memory.ctypes.data // memory.itemsize % L.LINE :][:size]


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
    """

    def __init__(self, batch, address, layout):
        self.keep = [*batch.flat(), batch.rtol, batch.atol]
        self.addresses = np.array([array.ctypes.data for array in self.keep], dtype=np.int64)
        self.control = np.zeros(L.CONTROL_SIZE, dtype=np.int64)
        self.control[L.SAVE], self.control[L.ROWS] = batch.save, batch.y.shape[1]
        self.control[L.SHARED_TIMES], self.control[L.STEP_LIMIT] = batch.t_eval.shape[0] == 1, batch.max_steps
        self.settings = np.array([batch.first_step, batch.max_step])
        self.memory = _aligned(layout.rows * layout.stride)
        self.status = self.memory[L.STATUS * layout.stride :][: layout.lanes]
        self.function = STEP_FUNCTION(address)
        self.sweeps = 256

    def start(self, first, last):
        """Take up trajectories `first` to ``last - 1``."""
        self.control[L.NEXT], self.control[L.LAST], self.control[L.ACTIVE] = first, last, 0
        self.status[:] = L.IDLE

    def advance(self):
        """Go on for a while.

        Returns
        -------
        bool
            Whether the range is finished.
        """
        self.control[L.SWEEPS] = self.sweeps
        arrays = (self.addresses, self.control, self.memory, self.settings)
        return self.function(*(array.ctypes.data for array in arrays)) == 1
