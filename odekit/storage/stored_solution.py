"""The reading side of a streamed trajectory."""

import collections.abc
import dataclasses
import pathlib

import numpy as np

from .._file_checks import MAX_BYTES, OdekitFileError, suspicion
from .._provenance import unflatten
from ..solution import Retcode, Solution
from ..solvers.integrate import SWITCH_REASONS, switch
from . import folder, stream, stream_layout
from .identity import digest
from .series import StoredSeries


class _Switches(collections.abc.Sequence):
    """Changes of method, read when they are asked for."""

    def __init__(self, series, names):
        self._times, self._kinds, self._names = series.times(), series.states(), names

    def __len__(self):
        return len(self._times)

    def __getitem__(self, k):
        if isinstance(k, slice):
            return [self[i] for i in range(len(self))[k]]
        mode, reason = (int(value) for value in self._kinds[k])
        if mode not in (0, 1) or reason not in SWITCH_REASONS or len(self._names) != 2:
            raise OdekitFileError("a change of method is to one that is not known")
        return switch(self._names, float(self._times[k]), mode, reason)


@dataclasses.dataclass(repr=False)
class StoredSolution(Solution):
    """A `odekit.Solution` on disk, as it was when it was opened; made by ``solve_ivp(..., store=path)`` and `odekit.storage.open`.

    ``t``, ``y``, ``steps``, ``t_events``, ``y_events`` and ``switches`` are read when they are indexed: ``sol.y[:, -1000:]`` reads
    the last thousand states only, ``np.asarray(sol.y)`` all.

    Attributes
    ----------
    path : pathlib.Path
        Folder.
    complete : bool
        Whether the integration has ended: at its end, at an event, with a failure. If not it is being computed, or
        ``resume=True`` goes on with it.
    about : dict
        How it was computed: the source text of the right-hand side and the versions of the software among it.

    Examples
    --------
    >>> import os, tempfile
    >>> import odekit
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sol = odekit.solve_ivp(lambda t, y: [y[1], -y[0]], (0, 1000), [1.0, 0.0], "dop853", store=os.path.join(folder, "swing"))
    ...     print(sol.complete, sol.y[:, -3:].shape, sol.load().y.shape == sol.y.shape)
    True (2, 3) True
    """

    path: pathlib.Path | None = None
    complete: bool = False
    about: dict = dataclasses.field(default_factory=dict)

    @property
    def h(self):
        """Sizes of the accepted steps, (naccept,), in memory."""
        sizes = np.diff(np.asarray(self.steps))
        return sizes[sizes != 0]

    @property
    def ends(self):
        """Ends of the accepted steps, (naccept,), in memory."""
        steps = np.asarray(self.steps)
        return steps[1:][np.diff(steps) != 0]

    def load(self):
        """The whole trajectory in memory.

        Returns
        -------
        Solution

        Examples
        --------
        >>> import os, tempfile
        >>> import odekit
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     sol = odekit.solve_ivp(lambda t, y: [y[1], -y[0]], (0, 1), [1.0, 0.0], "dop853", store=os.path.join(folder, "swing"))
        ...     print(type(sol.load()).__name__, type(sol.load().y).__name__)
        Solution ndarray
        """
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(Solution)}
        for name in ("t", "y", "steps"):
            values[name] = np.asarray(values[name])
        for name in ("t_events", "y_events"):
            values[name] = values[name] and [np.asarray(part) for part in values[name]]
        return Solution(**{**values, "switches": list(self.switches)})


def open_solution(path, max_bytes=MAX_BYTES, fun=None):
    """Open a streamed trajectory, see `odekit.storage.open`.

    Parameters
    ----------
    path : pathlib.Path
        Folder.
    max_bytes : int
    fun : callable, optional
        The right-hand side.

    Returns
    -------
    StoredSolution
    """
    manifest = folder.read(path, stream_layout.KINDS)
    layout, about = stream_layout.Layout(**manifest["layout"]), manifest["about"]
    problem = digest(manifest["problem"])
    rest = stream.read_rest(path, layout, problem, with_state=False, max_bytes=max_bytes)
    with suspicion(path / folder.FILE):
        series = {}
        for name, kind in layout.kinds().items():
            rows = [np.empty(0), np.empty((0, *kind.shape))] if rest is None else rest.rows[name]
            series[name] = StoredSeries(path, kind, problem, 0 if rest is None else rest.chunks[name], rows, max_bytes)
        ended = "" if rest is None else rest.about["retcode"]
        retcode = Retcode[ended] if ended else Retcode.INTERRUPTED
        t = series["trajectory"].times()
        message = (
            rest.about["message"] if ended else "The trajectory is being computed, or its computation was broken off."
        )
        events = [series[f"event {k}"] for k in range(layout.events)]
        return StoredSolution(
            t=t,
            y=series["trajectory"].states().T,
            sol=None,
            t_events=[one.times() for one in events] or None,
            y_events=[one.states() for one in events] or None,
            **{name: 0 if rest is None else int(rest.about[name]) for name in stream.COUNTS},
            retcode=retcode,
            message=str(message),
            steps=series["steps"].times() if layout.outputs else t,
            switches=_Switches(series["switches"], [str(name) for name in about["methods"]]),
            method=str(about["method"]),
            rtol=_tolerance(about["rtol"]),
            atol=_tolerance(about["atol"]),
            t_span=tuple(float(value) for value in about["t_span"]),
            args=() if rest is None else unflatten(rest.parameters, about["args"]),
            fun=fun,
            method_reason=str(about["method_reason"]),
            path=path,
            complete=bool(ended) and retcode not in stream.FOR_NOW,
            about={name: value for name, value in about.items() if isinstance(value, str)},
        )


def _tolerance(value):
    return np.array(value, dtype=float) if isinstance(value, list) else float(value)
