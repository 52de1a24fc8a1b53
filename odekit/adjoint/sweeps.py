"""Memory and threads of the compiled sweeps; what went wrong, in sentences."""

import numpy as np

from .._memory import LINE, aligned, rounded_up
from ..solution import Retcode, describe
from ..solvers import driver as D
from ..solvers import state as S
from . import backward, barrier, blocks, forward
from .seeding import locate
from .tape import N_PARAMS, SLOT_SIZE, parameters_in, precision, prefix_of

MAX_STEPS = 100_000
FIRST_CAPACITY = 64  # steps
#: Below so many multiplications per evaluation a second thread costs more (some 30 us to wake it up) than it gives.
WORTH_A_THREAD = 100_000
ATTEMPT_WORK = 4e8  # multiplications after which a call returns to Python, so that Ctrl-C works


class SolveError(RuntimeError):
    """A trajectory did not reach its end; the message says where and why."""


def reason_code(reason, last_code):
    """What went wrong, from the driver's reason and the code of the last attempt."""
    return {
        D.STEPS_EXHAUSTED: Retcode.MAX_STEPS,
        D.START_NOT_FINITE: Retcode.NONFINITE,
        D.FIELD_RAISED: Retcode.RHS_RAISED,
    }.get(reason, Retcode.NONFINITE if last_code == S.NONFINITE else Retcode.STEP_TOO_SMALL)


def sentence(reason, t, h, last_code, max_steps):
    """The same in words, with the time and the step of the last attempt."""
    return describe(
        reason_code(reason, last_code), max_steps=max_steps, t=float(t), h=float(h), component="", culprit="vector field",
        error="an exception",
    )  # fmt: skip


def worker_count(field, width, groups, threads):
    """How many threads work on groups of lanes.

    Parameters
    ----------
    field : object
        See `odekit.adjoint.tape`.
    width, groups : int
        Trajectories, and groups of them.
    threads : int or None
        At most so many; None: as many as this process may use, where the batch is large enough.

    Returns
    -------
    int
    """
    worth = width * field.params.size >= WORTH_A_THREAD
    most = threads if threads is not None else barrier.available() if worth else 1
    return max(1, min(most, groups, barrier.available()))


def attempts_per_call(field, lanes, stages):
    """Attempted steps after which a call returns to Python.

    Parameters
    ----------
    field : object
    lanes : int
        That make a step together.
    stages : int

    Returns
    -------
    int
    """
    return int(max(1, min(1000, ATTEMPT_WORK // max(1, lanes * field.params.size * stages))))


class Sweeps:
    """Forward and backward sweeps of a batch of one field with one method; keeps its memory from call to call.

    Parameters
    ----------
    field : object
        See `odekit.adjoint.tape`.
    scheme : odekit.adjoint.scheme.Scheme
    width : int
        Lanes.
    budget : int
        Bytes for the tapes of steps.
    threads : int or None
        At most so many; None: as many as this process may use, where the batch is large enough. The results are the same bits.
    recorded : bool
        Whether tapes are kept, for `backward`.

    Attributes
    ----------
    p : ndarray, (workers, size)
        The vector of each thread, see `odekit.adjoint.tape`.
    work : ndarray, (n_blocks, (2 * stages + `blocks.ROWS`) * d * lanes)
    steps : ndarray, (capacity,)
        Start and ends of the accepted steps, ``naccept + 1`` of them.
    states : ndarray, (capacity, n_blocks, d * lanes) or (1, ...)
        Each block [d, lanes]; its numbers stand at the front where it has fewer lanes than the first.
    counts : ndarray of int, (groups, `backward.N_COUNTS`)
        Of the last backward sweep.
    """

    def __init__(self, field, scheme, width, budget=0, threads=None, recorded=True):
        self.scheme, self.width, self.d, self.recorded = scheme, width, field.dim, recorded
        block = min(width, blocks.LANE_BLOCK)
        self.n_blocks = (width + block - 1) // block
        self.groups = min(self.n_blocks, blocks.GROUPS)
        self.workers = worker_count(field, width, self.groups, threads)
        header, stages = field.pack(block, 1), scheme.slots
        per_step = (stages - 1) * int(header[SLOT_SIZE])
        self.stored = min(int(budget // (precision(field).itemsize * per_step * self.n_blocks)), MAX_STEPS)
        self.prefix = prefix_of(header, field)
        per_block = self.stored * (stages - 1) + stages
        # the blocks of a thread share its vector, so that it has the parameters but once; each has its own slots there
        threads_blocks = [
            [k for k in range(self.n_blocks) if k % self.groups % self.workers == n] for n in range(self.workers)
        ]
        self.slots = np.empty(self.n_blocks, dtype=np.int64)
        for own in threads_blocks:
            self.slots[own] = per_block * np.arange(len(own)) if recorded else 0
        packed = field.pack(block, per_block * max(map(len, threads_blocks)) if recorded else stages)
        self.p = aligned(self.workers, packed.size)
        self.p[:, : self.prefix.size] = packed[: self.prefix.size]
        self.size = self.d * block
        self.work = aligned(self.n_blocks, (2 * stages + blocks.ROWS) * self.size)
        self.work[:] = 0.0
        self.norms = np.zeros((forward.BUFFERS, self.n_blocks, 4))
        self.w = np.zeros((self.workers, S.W_HEADER))
        self.iw = np.zeros((self.workers, S.IW_HEADER), dtype=np.int64)
        self.barrier = np.zeros(2, dtype=np.int64)
        self.steps, self.states = np.empty(FIRST_CAPACITY), np.empty((1, self.n_blocks, self.size))
        self.n_params = int(header[N_PARAMS])
        self.bars = aligned(self.groups, rounded_up(self.size + self.n_params, LINE))
        self.times = np.zeros((self.groups, 2))
        self.counts = np.zeros((self.groups, backward.N_COUNTS), dtype=np.int64)
        self.attempts = attempts_per_call(field, width, stages)

    def forward(
        self,
        field,
        y0,
        t,
        rtol,
        atol,
        first_step=None,
        *,
        keep_states=True,
        with_rates=False,
        max_steps=MAX_STEPS,
    ):
        """Integrate.

        Parameters
        ----------
        field : object
            The field of the constructor.
        y0 : ndarray, (B, d)
        t : ndarray, (T,)
            Output times; the first is the start.
        rtol, atol : float
        first_step : float or None
        keep_states : bool
            Whether the states at all steps are kept.
        with_rates : bool
            Whether the derivatives of the outputs in time are wanted.
        max_steps : int

        Returns
        -------
        outputs : ndarray, (T, B, d)
        rates : ndarray, (T, B, d) or (0, B, d)

        Raises
        ------
        SolveError
        """
        kernels = field.kernels
        parameters_in(self.p, field)[...] = field.params
        outputs = np.empty((t.size, *y0.shape))
        outputs[0] = y0
        rates = np.empty(outputs.shape) if with_rates else np.empty((0, *y0.shape))
        self.begin(t, first_step, max_steps)
        first = kernels.record if self.recorded else kernels.value
        stored = self.stored if self.recorded else 0

        def run(worker):
            return forward.sweep(
                *self.forward_arguments(worker, first, rtol, atol, y0, t, outputs, rates, stored, keep_states)
            )  # fmt: skip

        while True:
            if keep_states:
                self.reserve()
            reason = barrier.together(self.workers, self.barrier, run)
            if reason == D.BUFFER_FULL:
                self.steps = np.concatenate((self.steps, np.empty(self.steps.size)))
            elif reason != D.CONTINUE:
                break
        self.check(reason, max_steps)
        return outputs, rates

    def begin(self, t, first_step, max_steps):
        """Scalars before a forward sweep over the output times t, (T,)."""
        w, iw = self.w, self.iw
        w[:], iw[:] = 0.0, 0
        w[:, S.T], w[:, S.T_END] = t[0], t[-1]
        w[:, S.DIRECTION] = 1.0 if t[-1] >= t[0] else -1.0
        w[:, S.MAX_STEP] = np.inf
        w[:, S.H_FIXED] = 0.0 if first_step is None else first_step
        iw[:, S.MAX_STEPS], iw[:, S.FIRST_STEP] = max_steps, 1

    def reserve(self):
        """Memory for the states at as many steps as there is room for; what is in it stays."""
        if self.states.shape[0] < self.steps.size:
            more = np.empty((self.steps.size - self.states.shape[0], *self.states.shape[1:]))
            self.states = np.concatenate((self.states, more))

    def check(self, reason, max_steps):
        """Raise an error that says why a forward sweep has not reached its end, if so."""
        if reason != D.DONE:
            h = self.w[0, S.H] or self.w[0, S.H_NEXT]
            raise SolveError(sentence(reason, self.w[0, S.T], h, self.iw[0, S.LAST_CODE], max_steps))

    def forward_arguments(self, worker, first, rtol, atol, y0, t, outputs, rates, stored, keep_states=True):
        """Arguments of `forward.sweep` for one thread; `first` is the address of `record` or `value`."""
        return (
            (worker, self.workers, self.barrier, self.groups), (first, first), self.p, self.work, self.slots, self.scheme.arrays, self.w,
            self.iw, rtol, atol, y0, t, outputs, rates, self.steps, self.states if keep_states else self.states[:1], stored,
            self.attempts, self.norms,
        )  # fmt: skip

    def backward_arguments(self, worker, field, steps, node, first, t, seeds, stored, lam, times, held, places):
        """Arguments of `backward.pull_back` for one thread."""
        return (
            worker, self.workers, self.groups, field.kernels.record, field.kernels.pull, self.p, self.work, self.slots, self.scheme.arrays,
            steps, self.states, node, first, t, seeds, stored, lam, self.bars, times, held, places, self.counts,
        )  # fmt: skip

    @property
    def naccept(self):
        """Accepted steps of the last forward sweep."""
        return int(self.iw[0, S.NACCEPT])

    @property
    def nreject(self):
        """Rejected steps of the last forward sweep."""
        return int(self.iw[0, S.NREJECT])

    @property
    def nfev(self):
        """Evaluations of the field, for every lane, in the last forward sweep."""
        return int(self.iw[0, S.NFEV])

    def backward(self, field, t, seeds, with_times=False, checkpoints=0):
        """Pull the cotangents of the outputs of the last forward sweep back.

        Parameters
        ----------
        field : object
        t : ndarray, (T,)
        seeds : ndarray, (T, B, d)
        with_times : bool
            Whether the cotangents of t0 and t1 are wanted.
        checkpoints : int
            States kept at a time; 0: all of them stand in memory.

        Returns
        -------
        params_bar : ndarray, (n_params,)
        y0_bar : ndarray, (B, d)
        ends_bar : ndarray, (2,)
            Cotangents of t0 and t1, if they are wanted.
        """
        steps = self.steps[: self.naccept + 1]
        node, first = locate(steps, t)
        lam = np.empty((self.width, self.d))
        bars, times, counts = self.bars, self.times, self.counts
        bars[:, self.size :], times[:], counts[:] = 0.0, 0.0, 0
        held = np.empty((self.groups, checkpoints * self.size))
        places = np.empty((self.groups, checkpoints), dtype=np.int64) if checkpoints else None
        stored = 0 if checkpoints else self.stored

        def run(worker):
            ends = times if with_times else None
            backward.pull_back(
                *self.backward_arguments(worker, field, steps, node, first, t, seeds, stored, lam, ends, held, places)
            )

        barrier.together(self.workers, self.barrier, run)
        ours = slice(self.size, self.size + self.n_params)
        params_bar = bars[0, ours].copy()
        for group in range(1, self.groups):
            params_bar += bars[group, ours]
        return params_bar, lam, times.sum(axis=0)
