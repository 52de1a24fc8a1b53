"""The reading side of a stored ensemble: trajectories are read from their shards when they are asked for."""

import math

import numpy as np

from .. import _files
from .._file_checks import OdekitFileError
from ..solution import Retcode
from . import manifest as M
from . import shards
from .identity import digest
from .lazy import LazyArray

_COUNTED = {*shards.COUNTERS, "nevents", "events_kept"}  # the arrays of whole numbers
_CODES = np.array([code.value for code in Retcode])


class ShardReader:
    """Reads arrays of trajectories from the shards of an ensemble, or from the one file that they have been merged into.

    Parameters
    ----------
    path : pathlib.Path
        Folder of the shards, or the file.
    manifest : dict
        From `odekit.storage.folder.parse`.
    max_bytes : int
        Refuse to read more than this at a time from a file.

    Raises
    ------
    OdekitFileError
        If the ensemble is said to be complete, and a shard is missing.
    """

    def __init__(self, path, manifest, max_bytes):
        self.path, self.max_bytes, self.layout = path, max_bytes, M.Layout(**manifest["layout"])
        self._complete, self._problem = manifest.get("complete", False), digest(manifest["problem"])
        self.merged, self._width = not path.is_dir(), None
        if self._complete and not self.merged:
            for k in range(self.layout.shards):
                self._existing(k)

    def __len__(self):
        return self.layout.size

    @property
    def complete(self):
        """Whether all trajectories are there."""
        return self._complete or len(self.shards_there()) == self.layout.shards

    def shards_there(self):
        """Numbers of the shards that are there now."""
        if self.merged:
            return list(range(self.layout.shards))
        return [k for k in range(self.layout.shards) if (self.path / shards.file_name(k)).exists()]

    @property
    def done(self):
        """Number of trajectories that are there now."""
        return sum(last - first for first, last in map(self.layout.bounds, self.shards_there()))

    def _existing(self, k):
        path, (first, last) = self.path / shards.file_name(k), self.layout.bounds(k)
        if path.exists():
            return path
        if self._complete:
            raise OdekitFileError(
                f"{path} is missing (trajectories {first} to {last - 1}); resume=True computes it again"
            )
        raise OdekitFileError(f"trajectories {first} to {last - 1} are not computed yet ({path} is not there)")

    def read(self, names, first, last):
        """Read arrays of trajectories `first` to ``last - 1`` of one shard.

        Parameters
        ----------
        names : sequence of str
        first, last : int

        Returns
        -------
        list of ndarray
        """
        (path, *kind), begin = self.source(first)
        arrays, about = _files.read_rows(path, *kind, names, slice(first - begin, last - begin), self.max_bytes)
        if not self.merged:
            end = self.layout.bounds(first // self.layout.shard_size)[1]
            if (about.get("problem"), about.get("first"), about.get("last")) != (self._problem, begin, end):
                raise OdekitFileError(
                    f"{path}: a shard of another ensemble or place, expected that of {begin} to {end - 1}"
                )
        for name, array in zip(names, arrays, strict=True):
            if len(array) != last - first or array.ndim != self._rank(name):
                raise OdekitFileError(f"{path}: {name!r} has shape {array.shape}, which does not fit the layout")
            self._check_numbers(path, name, array, first)
        return arrays

    def _check_numbers(self, path, name, array, first):
        """Refuse return codes that there are not, and counts that cannot be, in an array from trajectory `first` on."""
        if name not in _COUNTED:
            kinds, wrong, expected = "f", np.zeros(0, dtype=bool), "of floating-point numbers"
        elif name == "retcode":
            kinds, wrong, expected = "iu", ~np.isin(array, _CODES), "a code of odekit.Retcode"
        else:
            most = {"nsaved": self.layout.rows, "events_kept": self.layout.max_events}.get(name, np.inf)
            kinds, wrong, expected = "iu", (array < 0) | (array > most), f"a number from 0 to {most:g}"
        if array.dtype.kind not in kinds:
            raise OdekitFileError(f"{path}: {name!r} is of dtype {array.dtype}; expected {expected}")
        if wrong.any():
            place = tuple(np.argwhere(wrong)[0])
            raise OdekitFileError(
                f"{path}: {name!r} of trajectory {first + place[0]} is {array[place]}; expected {expected}"
            )

    def source(self, k):
        """Where trajectory k is: path, kind and version of the file, and the first trajectory in it."""
        if self.merged:
            return (self.path, M.KIND, M.VERSION), 0
        shard = k // self.layout.shard_size
        return (self._existing(shard), shards.KIND, shards.VERSION), self.layout.bounds(shard)[0]

    def _rank(self, name):
        return {"y": 4 if self.layout.complex else 3, "t": 2, "nevents": 2}.get(name, 1)

    def pieces(self, first, last):
        """Cut a range of trajectories at the bounds of the shards."""
        size = self.layout.shard_size
        while first < last:
            end = min(last, (first // size + 1) * size)
            yield first, end
            first = end

    def column(self, name):
        """One array over all trajectories."""
        return np.concatenate([self.read([name], *piece)[0] for piece in self.pieces(0, len(self))])

    def states(self, first, last):
        """States of trajectories of one shard, (k, n, nt)."""
        (y,) = self.read(["y"], first, last)
        if self.layout.complex:
            y = np.ascontiguousarray(y).view(np.complex128)[..., 0] if y.shape[3] == 2 else y[..., 0]
        if y.shape[2] != self.layout.components:
            raise OdekitFileError(
                f"{self.path}: states of shape {y.shape} from trajectory {first} on do not fit the layout"
            )
        return self._widened(y).transpose(0, 2, 1)

    def lazy(self, shape, dtype, read):
        """An array with a row for each trajectory, which ``read(first, last)`` gives of one shard."""
        return LazyArray(str(self.path), (len(self), *shape), dtype, read, self.layout.shard_size)

    @property
    def width(self):
        """Number of columns of `y`."""
        if self.layout.save != "steps":
            return self.layout.rows
        if self._width is None or not self.complete:
            counts = (self.read(["nsaved"], *self.layout.bounds(k))[0] for k in self.shards_there())
            self._width = max((int(count.max()) for count in counts), default=0)
        return self._width

    @property
    def t(self):
        """Times of the states: one row for all trajectories, or one each."""
        if self.layout.shared_times:
            there = self.shards_there()
            first = self.layout.bounds(there[0] if there else 0)[0]
            source = (self.path, M.KIND, M.VERSION)
            if not self.merged:
                source = (self._existing(first // self.layout.shard_size), shards.KIND, shards.VERSION)
            return _files.read_rows(*source, ["time"], max_bytes=self.max_bytes)[0][0]
        return self.lazy((self.width,), np.dtype(float), self.times)

    def times(self, first, last):
        """Times of the states of trajectories of one shard, (k, nt)."""
        if self.layout.save == "end":
            return self.read(["t_end"], first, last)[0][:, None]
        if self.layout.shared_times:
            return np.broadcast_to(self.t, (last - first, self.layout.rows))
        return self._widened(self.read(["t"], first, last)[0])

    def _widened(self, array):
        """With NaN in the columns up to `width` of the second axis."""
        width, kept = self.width, array.shape[1]
        if kept == width:
            return array
        size = array.dtype.itemsize * len(array) * width * math.prod(array.shape[2:])
        if kept > max(width, 1):
            raise OdekitFileError(
                f"{self.path}: a shard has {kept} columns, but no trajectory has more than {width} states"
            )
        if size > self.max_bytes:
            raise OdekitFileError(
                f"{self.path}: {size} bytes for {width} states of {len(array)} trajectories, more than max_bytes = {self.max_bytes}"
            )
        wide = np.full((len(array), width, *array.shape[2:]), np.nan, dtype=array.dtype)
        wide[:, :kept] = array[:, :width]
        return wide
