"""The trajectories of a batch one after the other through the resumable driver, in one compiled loop.

Every method, every form of right-hand side, events and switching: what the driver can do, this can. A call makes a bounded
number of attempts and returns, so that several threads share the machine and Ctrl-C is heard.
"""

import copy
import time

import numpy as np

from . import auto, driver, events, member_events, preparation
from . import state as S
from .event_log import EventLog
from .integrate import CALL_SECONDS, Integration
from .mass import InconsistentStart
from .member_kernel import AHEAD, BEGINNING, FINISHED, PREPARE, SCRATCH_ROWS, START, UNFINISHED, run

LOG_STEPS = 64  # of which all zeros that there can be fit into the log of events
FIRST_ATTEMPTS = 1000  # of the first call; later ones last about `integrate.CALL_SECONDS`


class MemberLoop:
    """The loop over a range of trajectories, with a state of its own: each thread has one.

    Parameters
    ----------
    batch : Batch
    kernels : Kernels
    methods : tuple of Method
    lock : threading.Lock
        Held while kernels are compiled.
    mass : odekit.solvers.mass.MassMatrix, optional
        The start of each trajectory is then found in Python, which takes about half a millisecond.
    """

    def __init__(self, batch, kernels, methods, lock, mass=None):
        self.batch, self.methods, self.lock, m = batch, methods, lock, batch.wanted.size
        self.first_step = batch.first_step
        with lock:
            self.integration = Integration(
                kernels, (0.0, 1.0), batch.y0[0], methods, batch.rtol, batch.atol, keep_states=False,
                max_step=batch.max_step, max_steps=batch.max_steps, first_step=batch.first_step, mass=copy.deepcopy(mass),
            )  # fmt: skip
            preparation.prepare(self.integration, 0)
        n = batch.y0.shape[1]
        self.flat, self.attempts = batch.flat(), FIRST_ATTEMPTS
        self.control = np.zeros(6, dtype=np.int64)
        self.family = np.zeros(S.O_FACTORS - S.FAMILY_INT, dtype=np.int64)
        for place, value in (setting for method in methods for setting in method.settings):
            self.family[place - S.FAMILY_INT] = value
        self.found, self.tally = np.zeros(m, dtype=np.int64), np.zeros(2, dtype=np.int64)
        self.log = EventLog(batch, LOG_STEPS * events.SAMPLES * m)
        most = events.SAMPLES * m
        self.scratch = (
            np.empty(most),
            np.empty(most, dtype=np.int64),
            np.empty(max(SCRATCH_ROWS, m)),
            np.empty((1, n)),
            np.empty((0, 1, n)),
        )

    def start(self, first, last):
        """Take up trajectories `first` to ``last - 1``."""
        self.control[:] = first, last, AHEAD, 0, 0, 0

    def advance(self):
        """Go on for a while.

        Returns
        -------
        bool
            Whether the range is finished.
        """
        b, own = self.batch, self.integration
        started = time.perf_counter()
        status = run(
            own.fn, own.iw, own.w, own.p, self.family, self.control, self.attempts, self.methods[0].error_order, self.first_step, b.save,
            b.y.shape[1], b.params.shape[1], *self.flat, own.kernels.directions, b.wanted, self.found, self.tally, self.log.buffer,
            b.max_events, b.event_counts.reshape(-1), *self.scratch,
        )  # fmt: skip
        self.log.take(self.tally[member_events.USED])
        self.tally[member_events.USED] = 0
        if status == PREPARE:
            with self.lock:
                preparation.prepare(own, auto.IMPLICIT)
        elif status == START:
            self.control[BEGINNING], self.first_step = self._consistent_start()
        elif status == UNFINISHED:
            ratio = CALL_SECONDS / max(time.perf_counter() - started, 1e-6)
            self.attempts = max(1, int(self.attempts * min(ratio, 2.0)))
        return status == FINISHED

    def _consistent_start(self):
        """A driver reason, `driver.CONTINUE` where there is none, and the first step."""
        try:
            reason, first_step = self.integration.mass.begin(self.integration, self.methods[0].error_order)
        except InconsistentStart:
            return driver.START_INCONSISTENT, 0.0
        return (driver.CONTINUE if reason is None else reason), first_step
