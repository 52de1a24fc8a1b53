"""A stored ensemble, with the attributes of one in memory."""

import dataclasses

import numpy as np

from .._file_checks import MAX_BYTES
from ..ensemble_solution import STATES, TIMES, EnsembleSolution, MemberEvents, by_function, check_member, summary
from ..solution import Retcode
from . import manifest as M
from .shard_reader import ShardReader
from .stored_events import StoredZeros

_COUNTERS = ("nfev", "njev", "nlu", "naccept", "nreject", "nswitch", "nsaved")


@dataclasses.dataclass
class StoredTrajectory:
    """One trajectory of a stored ensemble.

    Attributes
    ----------
    t : ndarray, (nt,)
    y : ndarray, (n, nt)
        As many states as were kept.
    t_end, h_end : float
        Where it ended, and its step size there.
    retcode : Retcode
    nfev, njev, nlu, naccept, nreject, nswitch, nsaved : int
        See `odekit.EnsembleSolution`.
    t_events, y_events : list of ndarray, or None
        As `odekit.solve_ivp` gives them.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np, odekit
    >>> def decay(t, y, rate):
    ...     return [-rate * y[0]]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ens = odekit.solve_ensemble(
    ...         decay, (0, 1), [1.0], args=(np.linspace(1, 2, 50),), method="dop853", tier="single", store=os.path.join(folder, "decays")
    ...     )
    ...     one = ens[7]
    >>> one.y.shape, one.retcode.name
    ((1, 1), 'SUCCESS')
    """

    t: np.ndarray
    y: np.ndarray
    t_end: float
    h_end: float
    retcode: Retcode
    nfev: int
    njev: int
    nlu: int
    naccept: int
    nreject: int
    nswitch: int
    nsaved: int
    t_events: list | None = None
    y_events: list | None = None

    @property
    def success(self):
        """Whether its end or a terminal event was reached."""
        return self.retcode >= 0


class StoredEnsemble(ShardReader):
    """An ensemble on disk, with the attributes of `odekit.EnsembleSolution`; made by `odekit.storage.open`.

    ``ensemble[7]`` is a trajectory, ``ensemble[10:20]`` an `EnsembleSolution` in memory; ``ensemble.y[10:20, 0]`` reads these
    trajectories only, ``ensemble.t_events[7]`` the events of one.

    Attributes
    ----------
    path : pathlib.Path
    y : LazyArray, (N, n, nt)
    t : ndarray (nt,) or LazyArray (N, nt)
    method, tier, tier_reason : str
    about : dict
        How it was computed: the source text of the right-hand side and the versions of the software among it.

    Raises
    ------
    OdekitFileError
        Where something is read that is missing, damaged or unsafe; the file is named.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np, odekit
    >>> def decay(t, y, rate):
    ...     return [-rate * y[0]]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ens = odekit.solve_ensemble(
    ...         decay, (0, 1), [1.0], args=(np.linspace(1, 2, 50),), method="dop853", tier="single", store=os.path.join(folder, "decays")
    ...     )
    ...     print(len(ens), ens.y[10:20, 0].shape, bool(ens.success.all()), ens.message)
    50 (10, 1) True 50 trajectories: 50 SUCCESS.
    """

    def __init__(self, path, manifest, max_bytes=MAX_BYTES):
        super().__init__(path, manifest, max_bytes)
        self.about = manifest["about"]
        self._zeros = StoredZeros(self) if self.layout.events else None
        self.method, self.tier = str(manifest["problem"].get("method")), str(manifest["problem"].get("tier"))
        self.tier_reason = str(self.about.get("tier_reason"))

    def __repr__(self):
        return f"<StoredEnsemble {str(self.path)!r} of {self.method}: {self.message}>"

    @property
    def y(self):
        """States, read when they are indexed."""
        layout = self.layout
        return self.lazy((layout.components, self.width), layout.dtype, self.states)

    @property
    def t_events(self):
        """Times of the zeros of the event functions, ``t_events[k]`` as in `odekit.EnsembleSolution`, read then."""
        return None if self._zeros is None else MemberEvents(self._zeros, TIMES)

    @property
    def y_events(self):
        """States at the zeros, ``y_events[k]`` likewise."""
        return None if self._zeros is None else MemberEvents(self._zeros, STATES)

    @property
    def nevents(self):
        """How many zeros each event function had in each trajectory, kept or not, (N, number of event functions)."""
        return None if self._zeros is None else self.column("nevents")

    def __getattr__(self, name):
        if name in (*_COUNTERS, "t_end", "h_end", "retcode"):
            values = self.column(name)
            return values if values.dtype.kind == "f" else values.astype(np.int64)
        raise AttributeError(f"StoredEnsemble has no attribute {name!r}")

    @property
    def success(self):
        """Per trajectory, whether its end or a terminal event was reached, (N,)."""
        return self.retcode >= 0

    @property
    def message(self):
        """How many trajectories ended how; while some are missing, how many are there."""
        if not self.complete:  # told at once, after Ctrl-C for one: no shard is read
            return f"{self.done} of {len(self)} trajectories are there."
        left_out = None if self._zeros is None else self.nevents.sum(axis=1) - self.column("events_kept")
        return summary(self.retcode, left_out, self.layout.max_events)

    def __getitem__(self, key):
        if isinstance(key, (int, np.integer)):
            check_member(key, len(self))
            return self._trajectory(range(len(self))[key])
        if isinstance(key, slice):
            return self._solution(range(len(self))[key])
        raise TypeError(f"index {key!r:.80}; expected a number or a slice of trajectories")

    def _trajectory(self, k):
        values = self.read((*_COUNTERS, "retcode", "t_end", "h_end"), k, k + 1)
        *counts, retcode, t_end, h_end = (value[0].item() for value in values)
        counts = dict(zip(_COUNTERS, counts, strict=True))
        kept, events = counts["nsaved"], {}
        if self._zeros is not None:
            zeros = self._zeros.of(k)
            events = {
                name: by_function(zeros, self.layout.events, part)
                for name, part in (("t_events", TIMES), ("y_events", STATES))
            }
        return StoredTrajectory(
            self.times(k, k + 1)[0, :kept].copy(), self.states(k, k + 1)[0, :, :kept].copy(), t_end, h_end, Retcode(retcode), **counts, **events
        )  # fmt: skip

    def _solution(self, members):
        """An `EnsembleSolution` of some trajectories."""
        index = np.array(members, dtype=np.int64)

        def column(name):
            return self.lazy((), float, lambda a, b: self.read([name], a, b)[0])[index]

        retcode = column("retcode").astype(np.int64)
        t, zeros = self.t, None if self._zeros is None else self._zeros.chosen(index)
        t, left_out = t if isinstance(t, np.ndarray) else t[index], None if zeros is None else zeros.left_out
        return EnsembleSolution(
            t, self.y[index], column("t_end"), column("h_end"), retcode, *map(column, _COUNTERS),
            summary(retcode, left_out, self.layout.max_events), self.method, self.tier, self.tier_reason, self.about.get("rtol"),
            self.about.get("atol"), (), None, int(self.about.get("max_steps", 0)), zeros, self.layout.max_events,
        )  # fmt: skip

    def load(self):
        """All trajectories in memory.

        Returns
        -------
        EnsembleSolution

        Examples
        --------
        >>> import os, tempfile
        >>> import numpy as np, odekit
        >>> def decay(t, y, rate):
        ...     return [-rate * y[0]]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ens = odekit.solve_ensemble(
        ...         decay, (0, 1), [1.0], args=(np.linspace(1, 2, 50),), method="dop853", tier="single", store=os.path.join(folder, "decays")
        ...     )
        ...     print(type(ens.load()).__name__, ens.load().y.shape)
        EnsembleSolution (50, 1, 1)
        """
        return self[:]

    def to_xarray(self):
        """As an `xarray.Dataset` with the dimensions ``trajectory``, ``component`` and ``time`` (``row`` where each has its own).

        Returns
        -------
        xarray.Dataset
            The states are Dask arrays, one chunk per shard, where Dask is installed; else they are read at once. So are ``t_events``
            and ``y_events``, with the dimensions ``event_function`` and ``event``: NaN stands behind the last event of each function.
        """
        import xarray

        layout, y = self.layout, self.y
        column = "time" if layout.shared_times else "row"
        data = {name: ("trajectory", getattr(self, name)) for name in (*_COUNTERS, "t_end", "h_end", "retcode")}
        data["y"] = (("trajectory", "component", column), y.chunked())
        coordinates = {"trajectory": np.arange(len(self)), "component": np.arange(layout.components)}
        if layout.shared_times:
            coordinates["time"] = self.t
        else:
            data["t"] = (("trajectory", column), self.t.chunked())
        if self._zeros is not None:
            counts, dims = self.nevents, ("trajectory", "event_function", "event")
            times, states = self._zeros.padded(counts)
            data["nevents"] = (dims[:2], counts)
            data["t_events"], data["y_events"] = (dims, times.chunked()), ((*dims, "component"), states.chunked())
        about = {name: value for name, value in self.about.items() if isinstance(value, (str, int, float))}
        return xarray.Dataset(data, coordinates, {"format": M.KIND, **about})
