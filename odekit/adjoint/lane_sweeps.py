"""Memory and threads of the lanes: groups of trajectories, forward and back."""

import itertools

import numpy as np

from .._memory import aligned
from ..solution import Retcode, describe
from ..solvers import driver as D
from ..solvers import state as S
from . import barrier, lane_start, lanes, lanes_back
from .lane_blocks import LANE_COUNT, work_size
from .sweeps import MAX_STEPS, SolveError, attempts_per_call, reason_code, sentence, worker_count
from .tape import N_PARAMS, SIZE, TIMES, parameters_in, prefix_of

#: Trajectories of a group: twice as many as lanes, so that lanes are refilled and groups are many enough to share.
GROUP = 2 * LANE_COUNT
MOST_GROUPS = 16
FIRST_CAPACITY = 16  # rows of the log for each trajectory
#: Counts of a trajectory by their names.
COLUMNS = {"naccept": lanes.NACCEPT, "nreject": lanes.NREJECT, "nfev": lanes.NFEV}


def partition(width):
    """Bounds of the groups of a batch; they depend on nothing else, and so do the bits of a gradient."""
    count = max(1, min(MOST_GROUPS, width // GROUP, width // LANE_COUNT))
    if count == 1 and width > LANE_COUNT:
        count = 2
    return [width * k // count for k in range(count + 1)]


class Group:
    """What one thread needs for a range of trajectories.

    Parameters
    ----------
    field : object
        See `odekit.adjoint.tape`.
    scheme : odekit.adjoint.scheme.Scheme
    first, last : int
        Trajectories `first` to ``last - 1``.

    Attributes
    ----------
    forward, back : tuple of ndarray
        The ``memory`` of `odekit.adjoint.lanes` and of `odekit.adjoint.lanes_back`.
    log : tuple of ndarray
        See `odekit.adjoint.lanes`.
    bars : ndarray, (d * lanes + n_params,)
        The cotangent of the parameters stands behind d * lanes numbers.
    times, penalties : ndarray, (2,)
        Cotangents of t0 and t1; values of the penalties.
    """

    def __init__(self, field, scheme, first, last):
        self.first, self.last, self.d = first, last, field.dim
        self.lanes = min(LANE_COUNT, last - first)
        stages, d, most = scheme.slots, self.d, self.lanes
        packed = field.pack(most, stages)
        self.p = aligned(packed.size + 2 * most + 2 * d)
        self.p[:] = 0.0
        self.prefix = prefix_of(packed, field).copy()
        self.prefix[TIMES], self.prefix[SIZE] = packed.size, self.p.size
        self.work = np.zeros(work_size(stages, d, most))
        self.control = np.zeros(lanes.CONTROL_SIZE, dtype=np.int64)
        integers = np.zeros((3, most), dtype=np.int64)
        self.ends = np.zeros((2, most), dtype=np.int64)
        states = np.zeros((2, most, d))
        self.forward = (
            np.zeros((most, S.W_HEADER)), np.zeros((most, S.IW_HEADER), dtype=np.int64), integers[0], integers[1], states[0], states[1],
            self.work, self.control,
        )  # fmt: skip
        self.back = (integers[0], integers[1], integers[2], states[0], self.work, self.control)
        self.log = self._log(0)
        self.bars = np.zeros(d * most + int(packed[N_PARAMS]))
        self.times, self.penalties = np.zeros(2), np.zeros(2)

    def _log(self, rows):
        return np.empty(rows), np.empty((rows, self.d)), np.empty(rows, dtype=np.int64)

    def load(self, field, logged):
        """Take up the parameters of the field and an empty log, or none."""
        self.p[: self.prefix.size] = self.prefix
        parameters_in(self.p, field)[...] = field.params
        self.control[:] = self.first, self.last, 0, 0
        rows = FIRST_CAPACITY * (self.last - self.first) + 2 * self.lanes
        if not logged:
            self.log = self._log(0)
        elif self.log[0].size < rows:
            self.log = self._log(rows)

    def grow(self):
        """Twice the room in the log."""
        self.log = tuple(np.concatenate((array, np.empty_like(array))) for array in self.log)


class LaneSweeps:
    """Forward and backward sweeps of a batch whose trajectories have their own steps; keeps its memory from call to call.

    Parameters
    ----------
    field : object
        See `odekit.adjoint.tape`.
    scheme : odekit.adjoint.scheme.Scheme
    width : int
        Trajectories.
    threads : int or None
        At most so many; None: as many as this process may use, where the batch is large enough. The results are the same bits.
    """

    def __init__(self, field, scheme, width, threads=None):
        self.scheme, self.width, self.d = scheme, width, field.dim
        self.groups = [Group(field, scheme, *bounds) for bounds in itertools.pairwise(partition(width))]
        self.workers = worker_count(field, width, len(self.groups), threads)
        self.barrier = np.zeros(2, dtype=np.int64)
        self.f0, self.h0 = np.empty((width, self.d)), np.empty(width)
        self.counts, self.ends = np.zeros((width, lanes.N_COUNTS), dtype=np.int64), np.zeros((width, 2))
        self.heads = np.zeros(width, dtype=np.int64)
        self.attempts = attempts_per_call(field, LANE_COUNT, scheme.slots)

    def _share(self, work):
        """Call ``work(group)`` for each group, on all threads."""
        groups = iter(self.groups)  # its next is atomic

        def run(_worker):
            for group in groups:
                work(group)

        barrier.together(self.workers, self.barrier, run)

    def forward(self, field, y0, t, rtol, atol, first_step=None, *, logged=True, with_rates=False, max_steps=MAX_STEPS):
        """Integrate all trajectories; what becomes of them is in `counts`.

        Parameters
        ----------
        field : object
            The field of the constructor.
        y0 : ndarray, (B, d)
        t : ndarray, (T,)
            Output times; the first is the start.
        rtol, atol : float
        first_step : float or None
        logged : bool
            Whether the steps are kept, for `backward`.
        with_rates : bool
            Whether the derivatives of the outputs in time are wanted.
        max_steps : int

        Returns
        -------
        outputs : ndarray, (T, B, d)
            NaN where a trajectory has not come.
        rates : ndarray, (T, B, d) or (0, B, d)
        """
        outputs = np.full((t.size, *y0.shape), np.nan)
        rates = np.full(outputs.shape, np.nan) if with_rates else np.empty((0, *y0.shape))
        step = 0.0 if first_step is None else float(first_step)
        value, method = field.kernels.value, self.scheme.arrays
        self.counts[:], self.ends[:] = 0, 0.0
        self.ends[:, 0] = t[0]

        def work(group):
            group.load(field, logged)
            lane_start.begin(
                value, group.p, method, group.first, group.last, group.lanes, t[0], t[-1], step, rtol, atol, y0, self.f0, self.h0,
                self.counts, group.work,
            )  # fmt: skip
            while self.barrier[1] == 0:
                reason = lanes.advance(
                    value, group.p, method, group.forward, group.log, rtol, atol, y0, self.f0, self.h0, t, max_steps, step, outputs,
                    rates, self.counts, self.ends, self.heads, self.attempts,
                )  # fmt: skip
                if reason == D.DONE:
                    break
                if reason == D.BUFFER_FULL:
                    group.grow()

        self._share(work)
        return outputs, rates

    def message(self, m, max_steps):
        """Sentence on what has become of a trajectory."""
        if self.counts[m, lanes.REASON] == D.DONE:
            return describe(Retcode.SUCCESS)
        reason, t, h, code = self.counts[m, lanes.REASON], *self.ends[m], self.counts[m, lanes.LAST_CODE]
        return sentence(reason, t, h, code, max_steps)

    def check(self, max_steps):
        """Raise a `SolveError` if a trajectory has not come to its end."""
        wrong = np.flatnonzero(self.counts[:, lanes.REASON] != D.DONE)
        if wrong.size:
            where = "" if self.width == 1 else f"Trajectory {wrong[0]}"
            where += f" (and {wrong.size - 1} more of {self.width})" if wrong.size > 1 else ""
            raise SolveError(f"{where}{': ' if where else ''}{self.message(wrong[0], max_steps)}")

    def retcodes(self):
        """A `Retcode` for each trajectory, ndarray of int64, (B,)."""
        codes = [
            Retcode.SUCCESS if row[lanes.REASON] == D.DONE else reason_code(row[lanes.REASON], row[lanes.LAST_CODE])
            for row in self.counts
        ]
        return np.array(codes, dtype=np.int64)

    def backward(self, field, t, seeds, with_times=False, penalties=None):
        """Pull the cotangents of the outputs of the last forward sweep back.

        Parameters
        ----------
        field : object
        t : ndarray, (T,)
        seeds : ndarray, (T, B, d)
        with_times : bool
            Whether the cotangents of t0 and t1 are wanted.
        penalties : sequence of float, optional
            Weights of the sums, over trajectories and steps, of the error estimate and of the stiffness estimate in the loss:
            ``Gradient.penalties`` and the cotangents then have them.

        Returns
        -------
        params_bar : ndarray, (n_params,)
        y0_bar : ndarray, (B, d)
        ends_bar : ndarray, (2,)
            Cotangents of t0 and t1, if they are wanted.
        """
        record, pull, y0_bar = field.kernels.record, field.kernels.pull, np.empty((self.width, self.d))

        weights = None if penalties is None else np.array(penalties, dtype=np.float64)
        other = self.scheme.stiffness_stage

        def work(group):
            group.control[:] = group.first, group.last, 0, 0
            group.bars[:], group.times[:], group.penalties[:] = 0.0, 0.0, 0.0
            extra = None if weights is None else (max(other, 0), weights, group.penalties)
            while self.barrier[1] == 0:
                if lanes_back.pull_back(
                    record, pull, group.p, self.scheme.arrays, group.back, group.log, self.heads, t, seeds, y0_bar,
                    group.bars, with_times, group.times, group.ends, extra, self.attempts,
                ):  # fmt: skip
                    break

        self._share(work)
        params_bar, ends_bar = np.zeros(field.params.size), np.zeros(2)
        for group in self.groups:
            params_bar += group.bars[self.d * group.lanes :]
            ends_bar += group.times
        self.penalties = sum(group.penalties for group in self.groups)
        return params_bar, y0_bar, ends_bar
