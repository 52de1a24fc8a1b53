"""What lanes cannot finish goes through the single tier: angles beyond the range of `odekit.vmath`, odd values of events."""

import math
import types

import numpy as np

from . import vmath
from ._capture import names_used, surroundings
from .field import InPlace
from .separable import Separable
from .solvers import batch as B
from .solvers.lane_loop import LaneLoop

_NAMES = frozenset(("sin", "cos", "tan"))
_LIMITED = [getattr(module, name) for module in (math, np, vmath) for name in _NAMES]


def takes_angles(fun):
    """Whether a right-hand side calls sine, cosine or tangent, which lanes have up to `vmath.ANGLE_LIMIT` only.

    Parameters
    ----------
    fun : callable or Separable
        As the user gave it.

    Returns
    -------
    bool
        True also where a function of such a name means something else.
    """
    if isinstance(fun, Separable):
        return any(takes_angles(half) for half in (fun.velocity, fun.force) if half is not None)
    function = fun.function if isinstance(fun, InPlace) else fun
    function = getattr(function, "py_func", function)
    if not isinstance(function, types.FunctionType):
        return False
    renamed = any(value is limited for value in surroundings(function).values() for limited in _LIMITED)
    return renamed or not _NAMES.isdisjoint(names_used(function))


class RescuedLoop:
    """The loop of one thread in lanes, and after it the single tier for what they leave.

    Parameters
    ----------
    batch : Batch
    lanes : LaneLoop
    make_single : callable
        ``make_single(batch)`` makes a `MemberLoop`; called when the first trajectory needs it.
    codes : tuple of int
        What such a trajectory has as its return code.
    """

    def __init__(self, batch, lanes, make_single, codes):
        self.batch, self.lanes, self.make_single, self.codes = batch, lanes, make_single, codes
        self.single, self.ranges, self.left = None, [], None

    def start(self, first, last):
        """Take up trajectories `first` to ``last - 1``."""
        self.ranges, self.left = [(first, last)], None
        self.lanes.start(first, last)

    def feed(self, waiting):
        """Take up the next range, see `LaneLoop.feed`."""
        taken = self.lanes.feed(waiting) if self.left is None and isinstance(self.lanes, LaneLoop) else None
        if taken is not None:
            self.ranges.append(taken)

    def advance(self):
        """Go on for a while.

        Returns
        -------
        bool
            Whether the range is finished.
        """
        batch = self.batch
        if self.left is None:
            if not self.lanes.advance():
                return False
            codes = batch.counters[:, B.RETCODE]
            self.left = [
                k for first, last in self.ranges for k in first + np.flatnonzero(np.isin(codes[first:last], self.codes))
            ]
            if self.left and self.lanes.log is not None:
                self.lanes.log.forget(self.left)
            self._next()
        elif self.single.advance():
            self.left.pop()
            self._next()
        return not self.left

    def _next(self):
        if not self.left:
            return
        k, batch = self.left[-1], self.batch
        self.single = self.single or self.make_single(batch)
        batch.y[k], batch.t[k], batch.ends[k] = np.nan, np.nan, np.nan
        batch.counters[k], batch.event_counts[k] = 0, 0
        batch.counters[k, B.RETCODE] = B.RUNNING
        self.single.start(k, k + 1)
