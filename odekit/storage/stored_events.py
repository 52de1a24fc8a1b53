"""The zeros of event functions in a stored ensemble, read from their shards when they are asked for."""

import numpy as np

from .. import _files
from .._file_checks import OdekitFileError
from ..solvers import event_log

_KEPT, _FUNCTION, _TIMES, _STATES = "events_kept", "event_function_of_zero", "t_events", "y_events"


class StoredZeros:
    """What `odekit.solvers.event_log.Zeros` is in memory, of a stored ensemble.

    Parameters
    ----------
    ensemble : odekit.storage.shard_reader.ShardReader
    """

    def __init__(self, ensemble):
        self.ensemble, self.functions = ensemble, ensemble.layout.events
        self._merged_ends = None

    def __len__(self):
        return len(self.ensemble)

    def of(self, k):
        """Functions, times and states of the zeros of trajectory k."""
        zeros = self._piece(k, k + 1)
        return zeros.function, zeros.t, zeros.y

    def chosen(self, index):
        """The zeros of some trajectories in memory.

        Parameters
        ----------
        index : ndarray of int
            Ascending, or descending.

        Returns
        -------
        odekit.solvers.event_log.Zeros
        """
        ensemble = self.ensemble
        parts = [event_log.nothing(0, self.functions, ensemble.layout.components)]
        ascending = np.sort(index)
        for first, last in ensemble.pieces(int(ascending[0]), int(ascending[-1]) + 1) if index.size else ():
            inside = ascending[(ascending >= first) & (ascending < last)]
            if inside.size:
                low = int(inside[0])
                parts.append(self._piece(low, int(inside[-1]) + 1).chosen(inside - low))
        zeros = event_log.joined(parts)
        return zeros if index.size < 2 or index[0] < index[1] else zeros.chosen(np.arange(index.size)[::-1])

    def padded(self, counts):
        """Times and states of all zeros, with NaN behind the last one of each trajectory and function, read when they are indexed.

        Parameters
        ----------
        counts : ndarray of int, (N, m)
            How many zeros there are, kept or not.

        Returns
        -------
        t : LazyArray, (N, m, width)
        y : LazyArray, (N, m, width, n)
            `width` is the most that one function has in a trajectory.
        """
        layout = self.ensemble.layout
        width = min(int(counts.max(initial=0)), layout.max_events)
        shape = self.functions, width
        t = self.ensemble.lazy(shape, float, lambda first, last: self._piece(first, last).padded(width)[0])
        return t, self.ensemble.lazy(
            (*shape, layout.components), layout.dtype, lambda first, last: self._piece(first, last).padded(width)[1]
        )

    def _piece(self, first, last):
        """Zeros of the trajectories `first` to ``last - 1`` of one shard."""
        ensemble = self.ensemble
        source, begin = ensemble.source(first)
        counts, kept = ensemble.read(["nevents", _KEPT], first, last)
        before = self._before(begin, first)
        rows = slice(before, before + int(kept.sum()))
        (function, t, y), _ = _files.read_rows(*source, [_FUNCTION, _TIMES, _STATES], rows, ensemble.max_bytes)
        fits = (kept >= 0).all() and len(t) == len(function) == len(y) == rows.stop - rows.start
        if ensemble.layout.complex:
            fits = fits and y.ndim == 3 and y.shape[2] == 2
            y = np.ascontiguousarray(y).view(np.complex128)[..., 0] if fits else y
        if not fits or y.shape[1:] != (ensemble.layout.components,) or counts.shape[1:] != (self.functions,):
            raise OdekitFileError(
                f"{source[0]}: the events of trajectories {first} to {last - 1} do not fit the layout"
            )
        return event_log.Zeros(counts, kept, function, t, y)

    def _before(self, begin, first):
        """How many zeros there are of the trajectories before one in the same file, which begins with trajectory `begin`."""
        ensemble = self.ensemble
        if not ensemble.merged:
            return int(ensemble.read([_KEPT], begin, first)[0].sum()) if first > begin else 0
        if self._merged_ends is None:
            self._merged_ends = np.cumsum(ensemble.read([_KEPT], 0, len(ensemble))[0])
        return int(self._merged_ends[first - 1]) if first > 0 else 0
