"""Many trajectories of one system: what they start from and what becomes of them, as arrays that kernels fill."""

import dataclasses

import numpy as np

#: What is kept of a trajectory: its end, its states at given times, or every step up to a bound.
SAVE_END, SAVE_TIMES, SAVE_STEPS = range(3)

#: Columns of `Batch.counters`.
RETCODE, NFEV, NJEV, NLU, NACCEPT, NREJECT, NSWITCH, NSAVED = range(8)
N_COUNTERS = 8
#: In the column `RETCODE`: the trajectory has not ended yet.
RUNNING = -100
#: Likewise: it is left to the single tier.
LEFT = -101

_BYTES_AT_ONCE = 2**22  # some milliseconds; Ctrl-C arrives between two parts


@dataclasses.dataclass
class Batch:
    """N trajectories; every array is C-contiguous, and each trajectory writes into its own rows only.

    Attributes
    ----------
    spans : ndarray, (N, 2)
        Start and end.
    y0 : ndarray, (N, n), float64
    params : ndarray, (N, n_params)
    rtol, atol : ndarray, (n,)
    t_eval : ndarray, (1, m) or (N, m)
        Output times in the direction of integration; m is 0 unless `save` is `SAVE_TIMES`.
    save : int
        One of the constants above.
    y : ndarray, (N, rows, n)
        States that are kept, NaN where there are none; `rows` is 1, m, or the bound.
    t : ndarray, (N, rows)
        Times of the states that are kept, with `SAVE_STEPS`; else (N, 0).
    counters : ndarray, (N, N_COUNTERS)
        Whole numbers
    ends : ndarray, (N, 2)
        Time and signed step size where each ended.
    first_step, max_step : float
        A `first_step` of 0 is chosen by the method.
    max_steps : int
    event_counts : ndarray, (N, m)
        Whole numbers: how many zeros each of m event functions has had.
    wanted : ndarray, (m,)
        After how many zeros each event function ends a trajectory; infinity: never.
    max_events : int
        Bound on the zeros that are kept of a trajectory.
    logs : list of odekit.solvers.event_log.EventLog
        The zeros that are kept.
    """

    spans: np.ndarray
    y0: np.ndarray
    params: np.ndarray
    rtol: np.ndarray
    atol: np.ndarray
    t_eval: np.ndarray
    save: int
    y: np.ndarray
    t: np.ndarray
    counters: np.ndarray
    ends: np.ndarray
    first_step: float
    max_step: float
    max_steps: int
    event_counts: np.ndarray
    wanted: np.ndarray
    max_events: int
    logs: list

    @property
    def size(self):
        """Number of trajectories."""
        return self.y0.shape[0]

    def done(self):
        """Number of trajectories that have ended."""
        return int(np.count_nonzero(self.counters[:, RETCODE] != RUNNING))

    def flat(self):
        """The arrays as kernels get them, flat: spans, y0, params, t_eval, y, t, counters, ends."""
        arrays = (self.spans, self.y0, self.params, self.t_eval, self.y, self.t, self.counters, self.ends)
        return [array.reshape(-1) for array in arrays]


def alike(row, count, dtype=np.float64):
    """Many equal rows, (count, *row.shape), as an array of its own.

    In one go, a new array of a gigabyte would hold Ctrl-C off for half a second.

    Parameters
    ----------
    row : array_like
    count : int
    dtype : dtype

    Returns
    -------
    ndarray
    """
    rows = np.empty((count, *np.shape(row)), dtype=dtype)
    at_once = max(1, _BYTES_AT_ONCE // max(1, rows[:1].nbytes))
    rows[:1], done = row, 1
    while done < count:  # copies of what is there: NumPy takes four times as long to write short rows one by one
        more = min(done, at_once, count - done)
        rows[done : done + more] = rows[:more]
        done += more
    return rows


def allocate(
    spans, y0, params, rtol, atol, t_eval, save, max_saved, first_step, max_step, max_steps, wanted=(), max_events=0
):  # fmt: skip
    """A batch with room for its results.

    Parameters
    ----------
    spans, y0, params, rtol, atol, t_eval, save, first_step, max_step, max_steps, max_events
        See `Batch`.
    max_saved : int
        Bound on the steps that are kept of a trajectory, its start included.
    wanted : sequence of float
        See `Batch`.

    Returns
    -------
    Batch
    """
    size, n = y0.shape
    rows = {SAVE_END: 1, SAVE_TIMES: t_eval.shape[1], SAVE_STEPS: max_saved}[save]
    counters = np.zeros(N_COUNTERS)
    counters[RETCODE] = RUNNING
    states, times = np.full((rows, n), np.nan), np.full(rows if save == SAVE_STEPS else 0, np.nan)
    return Batch(
        spans, y0, params, rtol, atol, t_eval, save, alike(states, size), alike(times, size), alike(counters, size),
        alike((np.nan, np.nan), size), first_step, max_step, max_steps, np.zeros((size, len(wanted))),
        np.array(wanted, dtype=np.float64), max_events, [],
    )  # fmt: skip
