"""A series of rows, a time and numbers each, that grows without end: full chunks in files, the rest in memory.

A chunk has a number of rows that depends on the problem alone. It is written beside its name, brought to disk and renamed;
what has not filled a chunk yet is for the file of the checkpoint, see `odekit.storage.stream`.
"""

import dataclasses

import numpy as np

from .. import _files
from .._file_checks import OdekitFileError
from .._files import Variable
from . import folder
from .lazy import LazyArray

KIND, VERSION = "odekit-series", "1.0"


@dataclasses.dataclass(frozen=True)
class Kind:
    """What a row is.

    Attributes
    ----------
    times : str
        Name of the first number of each row, in files.
    states : str
        Name of the others; empty if there are none.
    dims : tuple of str
        Their dimensions behind that of the rows.
    shape : tuple of int
        Their shape.
    chunk_bytes : int
        Bytes of a chunk, at most (but for a single row).
    """

    times: str
    states: str = ""
    dims: tuple = ()
    shape: tuple = ()
    chunk_bytes: int = 0

    @property
    def numbers(self):
        """How many numbers there are behind the time."""
        return int(np.prod(self.shape)) if self.states else 0

    @property
    def rows(self):
        """Rows of a chunk."""
        return max(1, self.chunk_bytes // (8 * (1 + self.numbers)))

    @property
    def names(self):
        """Names of the arrays in a file."""
        return [self.times, self.states] if self.states else [self.times]

    def variables(self, times, states):
        """The arrays of a file, by name."""
        found = {self.times: Variable((self.times,), times)}
        if self.states:
            found[self.states] = Variable((self.times, *self.dims), states.reshape(-1, *self.shape))
        return found

    def file_name(self, k):
        """Name of chunk k."""
        return f"{self.times}-{k:06d}.h5"


class Series:
    """The writing side of a series.

    Parameters
    ----------
    path : pathlib.Path
        Folder.
    kind : Kind
    problem : str
        Digest of the problem.
    chunks : int
        Number of chunks that are in files already.
    times, states : ndarray
        Rows behind them.
    """

    def __init__(self, path, kind, problem, chunks=0, times=(), states=()):
        self.path, self.kind, self.problem, self.chunks, self._used = path, kind, problem, chunks, 0
        self._times, self._states = np.empty(kind.rows), np.empty((kind.rows, kind.numbers))
        self.append(np.asarray(times, dtype=float), np.asarray(states, dtype=float).reshape(len(times), kind.numbers))

    def __len__(self):
        return self.chunks * self.kind.rows + self._used

    def append(self, times, states=None):
        """Add rows.

        Parameters
        ----------
        times : ndarray, (m,)
        states : ndarray, (m, numbers), optional
        """
        done = 0
        while done < times.size:
            count = min(times.size - done, self.kind.rows - self._used)
            rows = slice(self._used, self._used + count)
            self._times[rows] = times[done : done + count]
            if self.kind.numbers:
                self._states[rows] = states[done : done + count]
            self._used, done = self._used + count, done + count
            if self._used == self.kind.rows:
                self._write()

    def rest(self):
        """Arrays of the rows that are in no file, as they go into that of the checkpoint."""
        return self.kind.variables(self._times[: self._used], self._states[: self._used])

    def _write(self):
        """Write the rows at hand, which fill a chunk."""
        attributes = {"problem": self.problem, "chunk": self.chunks}
        _files.write(
            self.path / self.kind.file_name(self.chunks), KIND, VERSION, self.rest(), attributes, overwrite=True, compression=None
        )  # fmt: skip
        folder.sync(self.path)
        self.chunks, self._used = self.chunks + 1, 0


class StoredSeries:
    """The reading side of a series, as it was at one moment.

    Parameters
    ----------
    path : pathlib.Path
        Folder.
    kind : Kind
    problem : str
        Digest of the problem.
    chunks : int
        Number of full chunks.
    rest : list of ndarray
        The arrays of the rows behind them.
    max_bytes : int
        Refuse to read more than this at a time.
    """

    def __init__(self, path, kind, problem, chunks, rest, max_bytes):
        self.path, self.kind, self.problem, self.chunks, self.max_bytes = path, kind, problem, chunks, max_bytes
        self._rest = rest

    def __len__(self):
        return self.chunks * self.kind.rows + len(self._rest[0])

    def _read(self, which, first, last):
        """Rows `first` to ``last - 1`` of one chunk, or of the rest, of an array."""
        k = first // self.kind.rows
        rows = slice(first - k * self.kind.rows, last - k * self.kind.rows)
        if k == self.chunks:
            return self._rest[which][rows]
        path, name = self.path / self.kind.file_name(k), self.kind.names[which]
        if not path.exists():
            raise OdekitFileError(f"{path} is missing (rows {k * self.kind.rows} to {(k + 1) * self.kind.rows - 1})")
        (found,), about = _files.read_rows(path, KIND, VERSION, [name], rows, self.max_bytes)
        if (about.get("problem"), about.get("chunk")) != (self.problem, k):
            raise OdekitFileError(f"{path}: a chunk of another trajectory or place")
        if found.shape != (last - first, *self._rest[which].shape[1:]) or found.dtype.kind != "f":
            raise OdekitFileError(f"{path}: {name!r} has shape {found.shape}, which does not fit the layout")
        return found

    def _read_times(self, first, last):
        """The first numbers of rows of one chunk, (rows,)."""
        return self._read(0, first, last)

    def _read_states(self, first, last):
        """The others, (rows, numbers)."""
        return self._read(1, first, last)

    def _read_complex(self, first, last):
        """The others as complex numbers, (rows, n)."""
        return np.ascontiguousarray(self._read(1, first, last)).view(np.complex128)[..., 0]

    def times(self):
        """The first numbers of the rows."""
        return LazyArray(f"{self.path}: {self.kind.times}", (len(self),), float, self._read_times, self.kind.rows)

    def states(self):
        """The others; pairs of real numbers in the dimension ``part`` are complex numbers."""
        shape, read, dtype = self.kind.shape, self._read_states, float
        if self.kind.dims[-1] == "part":
            shape, read, dtype = shape[:-1], self._read_complex, complex
        return LazyArray(f"{self.path}: {self.kind.states}", (len(self), *shape), dtype, read, self.kind.rows)
