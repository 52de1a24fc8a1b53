"""What the event functions of many trajectories have found: kernels fill a buffer, Python empties it; the zeros in order.

Zeros are as many as they are, so that no matrix holds them. A kernel writes one behind the other into the buffer of its thread and
returns before that could overflow: memory is that of the zeros that there are, and no trajectory has more than a stated number.
"""

import dataclasses
import functools

import numpy as np

#: A zero in the buffer: trajectory, event function, time, and behind them the state.
TRAJECTORY, FUNCTION, TIME, STATE = range(4)


class EventLog:
    """The buffer of one thread, and what has been taken from it.

    Parameters
    ----------
    batch : odekit.solvers.batch.Batch
        The log becomes one of its ``logs``.
    room : int
        Zeros that there is room for.
    """

    def __init__(self, batch, room):
        self.room, self.width = room, STATE + batch.y0.shape[1]
        self.buffer, self.parts = np.empty(room * self.width), []
        batch.logs.append(self)

    def take(self, used):
        """Empty the buffer, in which there are so many zeros."""
        if used > 0:
            self.parts.append(self.buffer[: used * self.width].reshape(used, self.width).copy())

    def forget(self, trajectories):
        """Drop the zeros of trajectories that begin anew elsewhere."""
        self.parts = [part[~np.isin(part[:, TRAJECTORY], trajectories)] for part in self.parts]


@dataclasses.dataclass(frozen=True, eq=False)
class Zeros:
    """Zeros of the event functions of N trajectories, those of the first one first, each trajectory's in order of time.

    Attributes
    ----------
    counts : ndarray of int, (N, m)
        How many zeros each event function has had in each trajectory, whether they are kept or not.
    kept : ndarray of int, (N,)
        How many zeros of each trajectory follow.
    function : ndarray of int, (total,)
        Number of the event function.
    t : ndarray, (total,)
    y : ndarray, (total, n)
    """

    counts: np.ndarray
    kept: np.ndarray
    function: np.ndarray
    t: np.ndarray
    y: np.ndarray

    def __len__(self):
        return self.kept.size

    @property
    def functions(self):
        """Number of event functions."""
        return self.counts.shape[1]

    @property
    def trajectory(self):
        """Whose each zero is, (total,)."""
        return np.repeat(np.arange(self.kept.size), self.kept)

    @functools.cached_property
    def _ends(self):
        """Behind the last row of each trajectory."""
        return np.cumsum(self.kept)

    def of(self, k):
        """Functions, times and states of the zeros of trajectory k."""
        last = int(self._ends[k])
        rows = slice(last - int(self.kept[k]), last)
        return self.function[rows], self.t[rows], self.y[rows]

    def chosen(self, index):
        """The zeros of some of the trajectories, by their numbers."""
        kept = self.kept[index]
        # the first row of each trajectory, and how far behind it
        rows = (
            np.repeat(self._ends[index] - kept, kept) + np.arange(kept.sum()) - np.repeat(np.cumsum(kept) - kept, kept)
        )
        return Zeros(self.counts[index], kept, self.function[rows], self.t[rows], self.y[rows])

    def padded(self, width):
        """The zeros of each function beside each other, with NaN behind the last.

        Parameters
        ----------
        width : int
            At least as many as one function has in a trajectory.

        Returns
        -------
        t : ndarray, (N, m, width)
        y : ndarray, (N, m, width, n)
        """
        t = np.full((*self.counts.shape, width), np.nan)
        y = np.full((*t.shape, self.y.shape[1]), np.nan, dtype=self.y.dtype)
        owner = self.trajectory * self.functions + self.function
        order = np.argsort(owner, kind="stable")
        owner = owner[order]
        place = np.arange(owner.size) - np.searchsorted(owner, owner)  # how many of the same stand before it
        rows = owner // max(1, self.functions), owner % max(1, self.functions), place
        t[rows], y[rows] = self.t[order], self.y[order]
        return t, y

    def with_states_of(self, dtype):
        """The same with states of a type: complex numbers are pairs of real ones until then."""
        return dataclasses.replace(self, y=self.y.view(dtype))

    @property
    def left_out(self):
        """How many zeros of each trajectory are not kept, (N,)."""
        return self.counts.sum(axis=1) - self.kept


def collected(batch):
    """The zeros of a batch.

    Parameters
    ----------
    batch : odekit.solvers.batch.Batch

    Returns
    -------
    Zeros or None
        None where there are no event functions.
    """
    size, m = batch.event_counts.shape
    if m == 0:
        return None
    parts = [part for log in batch.logs for part in log.parts]
    rows = np.concatenate(parts) if parts else np.empty((0, STATE + batch.y0.shape[1]))
    rows = rows[np.argsort(rows[:, TRAJECTORY], kind="stable")]
    owner = rows[:, TRAJECTORY].astype(np.int64)
    function = rows[:, FUNCTION].astype(np.int64)
    found = np.bincount(m * owner + function, minlength=size * m).reshape(size, m)
    # a trajectory that was interrupted has not told its counts
    counts = np.maximum(batch.event_counts.astype(np.int64), found)
    return Zeros(counts, found.sum(axis=1), function, rows[:, TIME].copy(), rows[:, STATE:].copy())


def nothing(size, m, n):
    """No zeros of m event functions along so many trajectories of n components."""
    return Zeros(
        np.zeros((size, m), np.int64), np.zeros(size, np.int64), np.empty(0, np.int64), np.empty(0), np.empty((0, n))
    )


def most_bytes(n, m, max_events):
    """Bytes of the zeros of one trajectory, of n components, at most."""
    return 8 * (max_events * (n + 2) + m + 1) if m else 0


def joined(parts):
    """Zeros of several ranges of trajectories, one behind the other.

    Parameters
    ----------
    parts : sequence of (Zeros or None)

    Returns
    -------
    Zeros or None
    """
    if parts[0] is None:
        return None
    return Zeros(
        *(np.concatenate([getattr(part, field.name) for part in parts]) for field in dataclasses.fields(Zeros))
    )
