"""Arrays on disk of which only what is indexed is read."""

import numpy as np


class LazyArray:
    """An array whose rows are read from disk, piece by piece, when they are indexed.

    The index of the first axis is a number, a slice, or a vector of numbers or of booleans; the others are what NumPy allows
    after a slice.

    Parameters
    ----------
    name : str
        What it is, for `repr`.
    shape : tuple of int
    dtype : numpy dtype
    read : callable
        ``read(first, last)`` gives the rows `first` to ``last - 1`` of one piece.
    piece : int
        Rows of a piece.
    """

    def __init__(self, name, shape, dtype, read, piece):
        self.name, self.shape, self.dtype, self._read, self._piece = name, shape, np.dtype(dtype), read, piece
        self.ndim = len(shape)

    def __len__(self):
        return self.shape[0]

    @property
    def size(self):
        """Number of its elements."""
        return int(np.prod(self.shape, dtype=object))

    def __repr__(self):
        return f"<LazyArray {self.shape} {self.dtype} of {self.name!r}>"

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError("the array is on disk and must be read: expected copy=None or copy=True")
        return self[:].astype(dtype or self.dtype, copy=False)

    def __getitem__(self, key):
        key = key if isinstance(key, tuple) else (key,)
        if any(part is Ellipsis for part in key):
            at = next(i for i, part in enumerate(key) if part is Ellipsis)
            key = (*key[:at], *[slice(None)] * (self.ndim - len(key) + 1), *key[at + 1 :])
        first, rest = (key[0], key[1:]) if key else (slice(None), ())
        if isinstance(first, (int, np.integer)) and not isinstance(first, bool):
            if not -len(self) <= first < len(self):
                raise IndexError(f"index {first} is out of range: there are {len(self)} rows")
            k = range(len(self))[first]
            return self._read(k, k + 1)[0][rest]
        index = _numbers(first, len(self))
        rest = (slice(None), *rest)
        if index.size == 0:
            return np.empty((0, *self.shape[1:]), self.dtype)[rest]
        order = np.argsort(index, kind="stable")
        parts, piece = [], index[order] // self._piece
        for group in np.split(order, np.flatnonzero(np.diff(piece)) + 1):
            low, high = int(index[group[0]]), int(index[group[-1]]) + 1
            parts.append(self._read(low, high)[index[group] - low][rest])
        joined, back = np.concatenate(parts), np.empty_like(order)
        back[order] = np.arange(order.size)
        return joined if (back[:-1] < back[1:]).all() else joined[back]

    @property
    def T(self):
        """An array of two axes with the first one last."""
        return LazyColumns(self)

    def pieces(self):
        """The whole array in parts, one behind the other along the first axis."""
        for first in range(0, len(self), self._piece):
            yield self._read(first, min(first + self._piece, len(self)))

    def parts(self):
        """Complex numbers as pairs of real ones, along an axis behind the others.

        Returns
        -------
        LazyArray
        """
        return LazyArray(self.name, (*self.shape, 2), float, self._read_parts, self._piece)

    def _read_parts(self, first, last):
        return np.ascontiguousarray(self._read(first, last))[..., None].view(np.float64)

    def chunked(self):
        """As a Dask array, one chunk for each piece, where Dask is installed; else in memory.

        Returns
        -------
        dask.array.Array or ndarray
        """
        try:
            import dask.array
        except ImportError:
            return self[:]
        read = dask.delayed(_rows)
        bounds = [(first, min(first + self._piece, len(self))) for first in range(0, len(self), self._piece)]
        parts = [
            dask.array.from_delayed(read(self, first, last), (last - first, *self.shape[1:]), self.dtype)
            for first, last in bounds
        ]
        return dask.array.concatenate(parts) if parts else self[:]


class LazyColumns:
    """A `LazyArray` of two axes, seen with its rows as columns: the second index tells what is read.

    Not both indices may be vectors.

    Parameters
    ----------
    rows : LazyArray, (m, n)
    """

    ndim = 2

    def __init__(self, rows):
        self.T, self.shape, self.dtype, self.size = rows, rows.shape[::-1], rows.dtype, rows.size

    def __len__(self):
        return self.shape[0]

    def __repr__(self):
        return repr(self.T).replace(str(self.T.shape), str(self.shape), 1)

    def __array__(self, dtype=None, copy=None):
        return np.ascontiguousarray(self.T.__array__(dtype, copy).T)

    def __getitem__(self, key):
        key = key if isinstance(key, tuple) else (key,)
        if any(part is Ellipsis for part in key):
            key = (slice(None), key[1]) if key[0] is Ellipsis and len(key) == 2 else key[: -1 if len(key) > 1 else 0]
        first, second, *more = (*key, slice(None), slice(None))[: max(2, len(key))]
        vectors = [part for part in (first, second) if np.ndim(part) > 0]
        if more or len(vectors) > 1:
            raise IndexError("two indices are expected, of which not both are vectors")
        if np.ndim(second) == 0 and not isinstance(second, slice):
            return self.T[second][first]
        if np.ndim(first) == 0 and not isinstance(first, slice):
            return self.T[second, first]
        return np.ascontiguousarray(self.T[second].T[first])


def _rows(lazy, first, last):
    return lazy[first:last]


def _numbers(index, length):
    """The numbers that an index of an axis stands for."""
    if isinstance(index, slice):
        wanted = range(length)[index]
        return np.arange(wanted.start, wanted.stop, wanted.step)
    index = np.asarray(index)
    if index.size == 0 and index.dtype.kind == "f":
        index = index.astype(np.int64)
    if index.ndim != 1 or index.dtype.kind not in "biu":
        raise IndexError("the first index is a number, a slice, or a vector of numbers or of booleans")
    if index.dtype.kind == "b":
        if index.size != length:
            raise IndexError(f"the index has {index.size} booleans, but there are {length} rows")
        return np.flatnonzero(index)
    index = index.astype(np.int64)
    if index.size and not -length <= index.min() <= index.max() < length:
        raise IndexError(f"an index is out of range: there are {length} rows")
    return np.where(index < 0, index + length, index)
