"""An integration whose rows go to disk as they come, and that goes on from a checkpoint."""

import time

import numpy as np

from .. import _callback
from .._callbacks import EventRecorder
from ..solution import Retcode
from ..solvers import checkpoint
from ..solvers import state as S
from ..solvers.integrate import Integration
from ..solvers.logs import StepLog

#: Seconds between checkpoints: what a crash costs at most; ...
CHECKPOINT_SECONDS = 10.0
#: ... but writing them takes no more than this fraction of the time.
CHECKPOINT_SHARE = 0.05
BUFFER_FLOATS = 1 << 16  # of the buffers that the driver fills
_COUNTERS = {"nfev": S.NFEV, "njev": S.NJEV, "nlu": S.NLU, "naccept": S.NACCEPT, "nreject": S.NREJECT}


class _Log(StepLog):
    """A log that is emptied into a stream when it is full."""

    def next_buffer(self):
        used = int(self._run.iw[S.N_LOG])
        times, states, _ = self.buffer
        self._run.stream.series["trajectory" if self._keep_states else "steps"].append(times[:used], states[:used])
        self._run.iw[S.N_LOG] = 0

    def joined(self):
        """The present time and state only: the rest is on disk."""
        return self._run.w[[S.T]], self._run.vectors[S.Y][None].copy(), self.buffer[2]


class StreamedEvents(EventRecorder):
    """Writes the zeros of event functions to a stream.

    Parameters
    ----------
    stream : odekit.storage.stream.Stream
        Entered.
    functions, terminal, dtype, args
        See `EventRecorder`.
    """

    def __init__(self, stream, functions, terminal, dtype, args):
        super().__init__(functions, terminal, dtype, args)
        self._series = [stream.series[f"event {k}"] for k in range(len(functions))]

    def note(self, k, t, left):
        """Keep a zero of event function k."""
        self._series[k].append(np.array([t]), left[None])

    def count(self, k):
        """How many zeros event function k has had."""
        return len(self._series[k])


class StreamedIntegration(Integration):
    """An `Integration` that writes to a stream.

    Parameters
    ----------
    stream : odekit.storage.stream.Stream
        Entered; its state, if it has one, is gone on from.
    kernels, t_span, y0, *args, **options
        See `Integration`.
    """

    make_log = _Log

    def __init__(self, stream, kernels, t_span, y0, *args, **options):
        self.stream, self._settled, self._written, self._cost = stream, False, 0.0, 0.0
        rows = max(16, BUFFER_FLOATS // (1 + y0.size))
        super().__init__(kernels, t_span, y0, *args, **options, capacity=rows, output_rows=rows)
        if stream.state is not None:
            self.iw[S.N_LOG] = self.iw[S.N_EVAL] = 0  # the start is on disk already
            if stream.layout.outputs:
                self.t_eval = self.t_eval[len(stream.series["trajectory"]) :]

    def first_start(self):
        """Start, or go on; a driver reason if that ends the integration, else None."""
        if self.stream.state is None:
            reason = super().first_start()
        else:
            reason, limit = None, self.iw[S.MAX_STEPS]
            checkpoint.restore(self, {**self.stream.state, "fired": np.empty((0, 2))})
            self.iw[S.MAX_STEPS] = limit  # the only thing that may be another than before
        if reason is None:
            self.write(None, "")
            self._settled = True
        return reason

    def advance(self, attempts):
        """Advance, and see to checkpoints and to Ctrl-C, which waits until the arrays stand between two steps."""
        self._settled = False
        reason = super().advance(attempts)
        # at the end of a stretch the last row may still be moved
        if reason is None and self.iw[S.PENDING] == 0 and self.w[S.T] != self.w[S.T_END]:
            if time.monotonic() - self._written > max(CHECKPOINT_SECONDS, self._cost / CHECKPOINT_SHARE):
                self.write(None, "")
            self._settled = True
            _callback.raise_pending()
        return reason

    def pass_outputs(self):
        """Give the outputs away."""
        served = int(self.iw[S.N_EVAL])
        self.stream.series["trajectory"].append(self.t_eval[:served], self.y_eval[:served])
        self.t_eval = self.t_eval[served:]
        self.iw[S.N_EVAL] = 0

    def note_switch(self, t, mode, reason):
        """Write a change of method."""
        self.stream.series["switches"].append(np.array([t]), np.array([[mode, reason]], dtype=float))

    def write(self, trajectory, message):
        """Write a checkpoint; the last one, if the integration has ended.

        Parameters
        ----------
        trajectory : Trajectory or None
            If the integration has ended.
        message : str
        """
        retcode = None if trajectory is None else trajectory.retcode
        if retcode == Retcode.INTERRUPTED and not self._settled:
            return  # in the middle of something: the last checkpoint remains
        begin = time.monotonic()
        if self.stream.layout.outputs:
            self.pass_outputs()
        self.log.next_buffer()
        goes_on = retcode in (None, Retcode.INTERRUPTED, Retcode.MAX_STEPS) or (
            # a step that failed half-way is tried again; what failed after a step, or at a start, is not
            retcode == Retcode.RHS_RAISED and self.iw[S.LAST_CODE] == S.RHS_RAISED and self.iw[S.PENDING] == 0
        )
        state = checkpoint.take(self) if goes_on else None
        about = {
            "retcode": "" if retcode is None else retcode.name, "message": message,
            **{name: int(self.iw[place]) for name, place in _COUNTERS.items()},
        }  # fmt: skip
        self.stream.write_rest(state, about)
        self._written = time.monotonic()
        self._cost = self._written - begin
