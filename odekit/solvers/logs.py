"""The log of an integration: times, states and dense output of its steps, in buffers that the driver fills."""

import numpy as np

from . import state as S

FIRST_CAPACITY = 256  # steps in the first buffer; each further one is twice as large, up to
LARGEST_BUFFER = 2**22  # floats


class StepLog:
    """Buffers for the accepted steps; the first row is the start.

    Parameters
    ----------
    run : odekit.solvers.integrate.Integration
        Its array ``iw`` counts the rows of the present buffer.
    t0 : float
    y0 : ndarray, (n,)
    degree : int
        Of the dense output.
    keep_states, keep_dense : bool
        Whether to keep the state, and the dense output, of every step.
    capacity : int
        Rows of the first buffer.

    Attributes
    ----------
    buffer : tuple of ndarray
        Times (rows,), states (rows, n), coefficients (rows, degree, n); the latter two have no rows if they are not kept.
    """

    def __init__(self, run, t0, y0, degree, keep_states, keep_dense, capacity=FIRST_CAPACITY):
        self._run, self._n, self._degree = run, y0.size, degree
        self._keep_states, self._keep_dense, self._capacity = keep_states, keep_dense, capacity
        self._full = []
        self._open()
        self.buffer[0][0] = t0
        run.iw[S.N_LOG] = 1
        if keep_states:
            self.buffer[1][0] = y0
        else:  # the start is known in any case
            self._start = y0.copy()
        if keep_dense:
            self.buffer[2][0] = 0.0

    def _open(self):
        rows, n = self._capacity, self._n
        self.buffer = (
            np.empty(rows),
            np.empty((rows if self._keep_states else 0, n)),
            np.empty((rows if self._keep_dense else 0, self._degree, n)),
        )
        self._run.iw[S.N_LOG] = 0
        width = 1 + n * (self._keep_states + self._degree * self._keep_dense)
        self._capacity = max(min(2 * rows, LARGEST_BUFFER // width), 16)

    def next_buffer(self):
        """Put the present buffer aside and open a new one."""
        used = int(self._run.iw[S.N_LOG])
        self._full.append(tuple(part[:used] for part in self.buffer))
        self._open()

    def clear(self):
        """Forget all rows."""
        self._full.clear()
        self._run.iw[S.N_LOG] = 0

    def append(self, t, y):
        """Add a row that is not a step: the start, or a state that has changed at the time of the last row."""
        if self._run.iw[S.N_LOG] >= self.buffer[0].size:
            self.next_buffer()
        row = int(self._run.iw[S.N_LOG])
        times, states, coefficients = self.buffer
        times[row] = t
        if self._keep_states:
            states[row] = y
        if self._keep_dense:
            coefficients[row] = 0.0
        self._run.iw[S.N_LOG] = row + 1

    def correct_last(self, y):
        """Correct the state of the last row, which is a start."""
        row = int(self._run.iw[S.N_LOG]) - 1
        if self._keep_states:
            self.buffer[1][row] = y
        elif row == 0 and not self._full:
            self._start = y.copy()

    def move_last(self, t):
        """Correct the time of the last row."""
        self.buffer[0][self._run.iw[S.N_LOG] - 1] = t

    def cut_last(self, t, y, fraction):
        """Let the last step end at t, where the state is y: after this fraction of it."""
        row = int(self._run.iw[S.N_LOG]) - 1
        times, states, coefficients = self.buffer
        times[row], states[row : row + 1] = t, y
        if self._keep_dense:
            coefficients[row] *= (fraction ** np.arange(1, self._degree + 1))[:, None]

    def joined(self):
        """All rows: times, states (only the start, if they are not kept), coefficients of the steps.

        Returns
        -------
        times : ndarray, (m + 1,)
        states : ndarray, (m + 1, n) or (1, n)
        coefficients : ndarray, (m, degree, n) or (0, degree, n)
        """
        used = int(self._run.iw[S.N_LOG])
        times, states, coefficients = self.buffer
        if self._full:
            parts = zip(*self._full, (times[:used], states[:used], coefficients[:used]), strict=True)
            times, states, coefficients = (np.concatenate(columns) for columns in parts)
        else:
            times, states = times[:used].copy(), states[:used].copy()
            coefficients = coefficients[:used].copy() if self._keep_dense else coefficients
        return times, states if self._keep_states else self._start[None], coefficients[1:]
