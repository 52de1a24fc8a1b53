"""The writing side of a stored ensemble: shards of trajectories, each a file that is either complete or not there.

The trajectories are cut into shards by the problem alone. A shard is written beside its name, brought to disk and renamed
when its last trajectory is finished; a process that is killed leaves complete shards, and the rest is computed again.
"""

import pathlib

import numpy as np

from .. import _files
from .._chunk import Results
from .._file_checks import OdekitFileError
from .._files import Variable
from ..solvers import batch as B
from ..solvers import event_log
from . import folder
from . import manifest as M
from .identity import digest

KIND, VERSION = "odekit-shard", "1.1"  # 1.1: events
#: Names of the counters in a file, and their types.
COUNTERS = {
    "retcode": (B.RETCODE, "int8"), "nfev": (B.NFEV, "int64"), "njev": (B.NJEV, "int64"), "nlu": (B.NLU, "int64"),
    "naccept": (B.NACCEPT, "int64"), "nreject": (B.NREJECT, "int64"), "nswitch": (B.NSWITCH, "int64"),
    "nsaved": (B.NSAVED, "int64"),
}  # fmt: skip


def file_name(k):
    """Name of shard k."""
    return f"shard-{k:06d}.h5"


class Store:
    """Takes results in any order and writes the shards that they complete; a context manager.

    Parameters
    ----------
    path : path-like
        Folder.
    setup : odekit._chunk.Setup
    trajectories : odekit._chunk.Trajectories
    about : dict
        See `manifest.new`.
    resume : bool

    Raises
    ------
    FileExistsError
        If there is something at `path` and `resume` is False.
    ValueError
        If it holds another problem.
    OdekitFileError
        If it holds no stored ensemble, or a damaged one.
    """

    def __init__(self, path, setup, trajectories, about, resume):
        self.path = pathlib.Path(path)
        self.manifest = M.new(setup, trajectories, about)
        self.layout, self.times = M.Layout(**self.manifest["layout"]), trajectories.t_eval
        self.problem = digest(self.manifest["problem"])
        self.manifest = folder.old(self.path, self.manifest, M.KINDS, resume) or self.manifest
        self.buffers, self.finished, self.lock = {}, 0, None
        layout = self.layout
        self.row_bytes = M.row_bytes(layout.rows, trajectories.y0.shape[1], layout.events, layout.max_events)

    def __enter__(self):
        self.path.mkdir(parents=True, exist_ok=True)
        self.lock = folder.locked(self.path)
        try:
            self.there = {k for k in range(self.layout.shards) if (self.path / file_name(k)).exists()}
            for k in self.there:
                check(self.path / file_name(k), self.problem, *self.layout.bounds(k))
            self.finished = sum(last - first for first, last in map(self.layout.bounds, self.there))
            if not (self.path / folder.FILE).exists():
                folder.write(self.path, self.manifest)
        except BaseException:
            self.lock.close()
            raise
        return self

    def __exit__(self, *_):
        try:
            if len(self.there) == self.layout.shards and not self.manifest["complete"]:
                self.manifest["complete"] = True
                folder.write(self.path, self.manifest)
        finally:
            self.buffers.clear()
            self.lock.close()

    def wanted(self):
        """Ranges of trajectories that are to be computed, each within one shard."""
        return [self.layout.bounds(k) for k in range(self.layout.shards) if k not in self.there]

    def done(self):
        """Number of trajectories that have ended."""
        return self.finished

    def take(self, first, last, results):
        """Keep the results of trajectories `first` to ``last - 1`` of one shard."""
        k = first // self.layout.shard_size
        begin, end = self.layout.bounds(k)
        self.finished += last - first
        if (first, last) == (begin, end):
            self._write(k, results)
            return
        if k not in self.buffers:
            self.buffers[k] = [end - begin, []]
        self.buffers[k][0] -= last - first
        self.buffers[k][1].append((first, results))
        if self.buffers[k][0] == 0:
            parts = [part for _, part in sorted(self.buffers.pop(k)[1], key=lambda pair: pair[0])]
            self._write(k, _joined(parts))

    def _write(self, k, results):
        layout, (first, last) = self.layout, self.layout.bounds(k)
        name, attributes = file_name(k), {"problem": self.problem, "first": first, "last": last}
        _files.write(
            self.path / name, KIND, VERSION, variables(layout, self.times, first, results), attributes, overwrite=True, compression=None
        )  # fmt: skip
        folder.sync(self.path)
        self.there.add(k)

    def solution(self, *_):
        """What `solve_ensemble` returns."""
        from .ensemble import StoredEnsemble  # which imports this module

        return StoredEnsemble(self.path, folder.read(self.path, M.KINDS))


def variables(layout, times, first, results):
    """The arrays of a shard, by name.

    Parameters
    ----------
    layout : odekit.storage.manifest.Layout
    times : ndarray, (1, m) or (N, m)
        Output times, if there are any.
    first : int
        Its first trajectory.
    results : odekit._chunk.Results

    Returns
    -------
    dict of str to Variable
    """
    size, kept, _ = results.y.shape
    column = "time" if layout.shared_times else "row"
    y, dims = results.y, ("trajectory", column, "component")
    if layout.complex:
        y, dims = y.reshape(size, kept, layout.components, 2), (*dims, "part")
    content = {"trajectory": Variable(("trajectory",), np.arange(first, first + size)), "y": Variable(dims, y)}
    if layout.shared_times:
        content["time"] = Variable(("time",), times[0])
    elif layout.save == "times":
        content["t"] = Variable(("trajectory", "row"), times[first : first + size])
    elif layout.save == "steps":
        content["t"] = Variable(("trajectory", "row"), results.t)
    for name, (column, dtype) in COUNTERS.items():
        content[name] = Variable(("trajectory",), results.counters[:, column].astype(dtype))
    content["t_end"] = Variable(("trajectory",), np.ascontiguousarray(results.ends[:, 0]))
    content["h_end"] = Variable(("trajectory",), np.ascontiguousarray(results.ends[:, 1]))
    return content if results.zeros is None else content | _zeros(layout, results.zeros)


def _zeros(layout, zeros):
    """Zeros of event functions: a contiguous ragged array, as the CF conventions (9.3.3) have it."""
    counted = {"sample_dimension": "zero", "long_name": "number of zeros that are kept"}
    y, dims = zeros.y, ("zero", "component")
    if layout.complex:
        y, dims = y.reshape(-1, layout.components, 2), (*dims, "part")
    return {
        "nevents": Variable(("trajectory", "event_function"), zeros.counts),
        "events_kept": Variable(("trajectory",), zeros.kept, counted),
        "event_function_of_zero": Variable(("zero",), zeros.function),
        "t_events": Variable(("zero",), zeros.t),
        "y_events": Variable(dims, y),
    }


def check(path, problem, first, last):
    """Read a shard and make sure that it is whole and belongs here.

    Parameters
    ----------
    path : pathlib.Path
    problem : str
        Digest of the problem.
    first, last : int
    """
    try:
        _, attributes = _files.read(path, KIND, VERSION)
    except OdekitFileError as error:
        raise OdekitFileError(f"{error}; delete this shard, and resume=True computes it again") from error
    if (attributes.get("problem"), attributes.get("first"), attributes.get("last")) != (problem, first, last):
        raise OdekitFileError(
            f"{path}: a shard of another ensemble or place; delete it, and resume=True computes it again"
        )


def _joined(parts):
    """Results one behind the other, as wide as the widest."""
    arrays = (_stacked([getattr(part, name) for part in parts]) for name in Results._fields if name != "zeros")
    return Results(*arrays, event_log.joined([part.zeros for part in parts]))


def _stacked(arrays):
    """Arrays (N_i, k_i, ...) one behind the other, with NaN in the columns up to the most."""
    kept = max(array.shape[1] for array in arrays)
    out = np.full((sum(map(len, arrays)), kept, *arrays[0].shape[2:]), np.nan)
    start = 0
    for array in arrays:
        out[start : start + len(array), : array.shape[1]] = array
        start += len(array)
    return out
