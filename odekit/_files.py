"""HDF5 files of named arrays: written in one piece, opened with suspicion.

What trajectories and models have in common on disk: one flat group of arrays with named dimensions, attributes, and a
digest over both. The files are valid netCDF4 (dimension scales, creation order tracked), so that xarray opens them.

A file is written beside its final name and moved there when it is complete. Opening follows no link, reads nothing
outside the file, allocates no more than the file declares *and* holds, and executes nothing; what does not fit is
refused with an `OdekitFileError`. The HDF5 library itself has had memory errors on crafted files: files of unknown
origin belong in a sandbox.
"""

import contextlib
import dataclasses
import hashlib
import json
import math
import os
import pathlib

import h5py
import numpy as np
from h5py import h5t

from ._file_checks import MAX_BYTES, OdekitFileError, check_kind, check_limit, check_members, safe_attributes, suspicion

CHUNK_BYTES = 256 << 10


@dataclasses.dataclass(frozen=True)
class Variable:
    """An array with named dimensions.

    Attributes
    ----------
    dims : tuple of str
        A variable whose only dimension has its own name holds the coordinates of that dimension.
    data : ndarray or object with `pieces`
        Real numbers, or text for people and xarray, which `read` does not give back; or what has shape, ndim, size and dtype, and
        ``pieces()`` that gives it in parts, one behind the other along the first axis.
    attrs : dict
        Text for people and xarray (units, long_name, ...); not read back.
    """

    dims: tuple
    data: np.ndarray
    attrs: dict = dataclasses.field(default_factory=dict)


# ---------------------------------------------------------------------------------------------------------------------
# writing


def write(path, kind, version, variables, attributes, overwrite=False, compression=1):
    """Write a file of variables and attributes.

    Parameters
    ----------
    path : path-like
    kind, version : str
        What the file is, and the version "major.minor" of its layout.
    variables : dict of str to Variable
    attributes : dict
        Strings, numbers and short vectors of numbers.
    overwrite : bool
    compression : int or None
        Level of gzip, or no compression.

    Raises
    ------
    FileExistsError
        If `path` exists and may not be overwritten.
    """
    path = pathlib.Path(path)
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; pass overwrite=True to replace it")
    if compression is not None and compression not in range(10):
        raise ValueError(f"compression = {compression!r}: expected a gzip level from 0 to 9, or None")
    attributes = {"format": kind, "format_version": version, **attributes}
    variables = with_coordinates(variables)
    numbers = {name: variable.data for name, variable in variables.items() if variable.data.dtype.kind != "U"}
    attributes["sha256"] = _digest(numbers, attributes)
    with replacing(path) as file:
        _write_variables(file, variables, compression)
        write_attributes(file, attributes)


@contextlib.contextmanager
def replacing(path):
    """A new HDF5 file that is written aside, and takes its place in one piece when it is whole and on disk.

    Parameters
    ----------
    path : pathlib.Path
        A file there is replaced; it stays as it is if anything fails.

    Yields
    ------
    h5py.File
    """
    part = path.with_name(path.name + ".part")
    try:
        # metadata of HDF5 1.8 carries checksums, and every reader of the last fifteen years understands it
        with h5py.File(part, "w", track_order=True, libver=("v108", "v108")) as file:
            yield file
        with open(part, "rb+") as raw:
            os.fsync(raw.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _write_variables(file, variables, compression):
    """Write variables, name to `Variable`, with their dimensions and checksums."""
    scales = {}
    for name, variable in variables.items():
        dtype = h5py.string_dtype() if variable.data.dtype.kind == "U" else None
        options = {}
        if variable.data.ndim and variable.data.size and dtype is None:  # only chunked numbers can have checksums
            options = {"chunks": _chunks(variable.data), "fletcher32": True}
            if compression is not None:
                options |= {"compression": "gzip", "compression_opts": compression, "shuffle": True}
        if hasattr(variable.data, "pieces"):
            dataset = file.create_dataset(name, variable.data.shape, variable.data.dtype, track_order=True, **options)
            first = 0
            for piece in variable.data.pieces():
                dataset[first : first + len(piece)] = piece
                first += len(piece)
        else:
            data = variable.data.astype(object) if dtype else variable.data
            dataset = file.create_dataset(name, data=data, dtype=dtype, track_order=True, **options)
        write_attributes(dataset, variable.attrs)
        if variable.dims == (name,):
            dataset.make_scale(name)
            scales[name] = dataset
        else:
            for axis, dim in enumerate(variable.dims):
                dataset.dims[axis].attach_scale(scales[dim])


def write_attributes(target, attributes):
    """Give attributes, name to text or numbers, to a file or a dataset."""
    for name, value in attributes.items():
        if isinstance(value, str):
            # text of variable length goes to a heap without checksum; a flipped bit there can hang the HDF5 library
            encoded = value.encode() or b"\0"
            value = np.array(encoded, dtype=h5py.string_dtype("utf-8", len(encoded)))
        target.attrs.create(name, value)


def with_coordinates(variables):
    """Coordinates first; dimensions without coordinates are numbered from 0."""
    coordinates = {name: variable for name, variable in variables.items() if variable.dims == (name,)}
    for variable in variables.values():
        for dim, length in zip(variable.dims, variable.data.shape, strict=True):
            coordinates.setdefault(dim, Variable((dim,), np.arange(length)))
    return {**coordinates, **{name: variable for name, variable in variables.items() if name not in coordinates}}


def _chunks(data):
    """Shape of the chunks of an array: whole rows, of about `CHUNK_BYTES`."""
    rows = max(1, CHUNK_BYTES // max(1, math.prod(data.shape[1:]) * data.dtype.itemsize))
    return (min(rows, len(data)), *data.shape[1:])


def _digest(arrays, attributes):
    """SHA-256 of the arrays and attributes that `read` gives back."""
    digest = hashlib.sha256()
    for name, data in sorted(arrays.items()):
        digest.update(f"{name} {data.dtype.str} {data.shape}".encode())
        for piece in data.pieces() if hasattr(data, "pieces") else (data,):
            digest.update(piece.tobytes())
    plain = {name: np.asarray(value).tolist() for name, value in attributes.items() if name != "sha256"}
    digest.update(json.dumps(plain, sort_keys=True).encode())
    return digest.hexdigest()


# ---------------------------------------------------------------------------------------------------------------------
# reading


def read(path, kind, version, max_bytes=MAX_BYTES):
    """Read a file that `write` has written.

    Parameters
    ----------
    path : path-like
    kind, version : str
        What is expected. Another minor version is read, another major version refused.
    max_bytes : int
        Refuse more data than this.

    Returns
    -------
    arrays : dict of str to ndarray
        The coordinates that `write` adds to dimensions without coordinates included.
    attributes : dict

    Raises
    ------
    FileNotFoundError
    OdekitFileError
        If it is anything else, damaged, or unsafe.
    """
    check_limit(max_bytes)
    with _opened(path, kind, version) as (path, file, attributes):
        check_members(path, file, max_bytes)
        arrays = _read_arrays(file, file, ())
        if attributes.pop("sha256", None) != _digest(arrays, attributes):
            raise OdekitFileError(f"{path}: the content does not match its checksum; the file was damaged or edited")
        return arrays, attributes


def read_attributes(path, kind, version):
    """Read the attributes only, as `read` does; they are not compared with the checksum."""
    with _opened(path, kind, version) as (_, _, attributes):
        return attributes


def read_rows(path, kind, version, names, rows=slice(None), max_bytes=MAX_BYTES):
    """Read some rows of some arrays.

    Parameters
    ----------
    path, kind, version
        As for `read`.
    names : sequence of str
    rows : slice
        Of the first dimension.
    max_bytes : int
        Refuse to read more than this.

    Returns
    -------
    arrays : list of ndarray
    attributes : dict
        What is read is checked against the checksums of HDF5's chunks only, not against that of the whole file.

    Raises
    ------
    FileNotFoundError
    OdekitFileError
    """
    check_limit(max_bytes)
    with _opened(path, kind, version) as (path, file, attributes):
        check_members(path, file, None)
        missing = [name for name in names if name not in file or file[name].ndim == 0]
        if missing:
            raise OdekitFileError(f"{path}: there is no array {missing[0]!r}")
        size = sum(
            len(range(*rows.indices(file[name].shape[0]))) * math.prod(map(int, file[name].shape[1:])) * file[name].dtype.itemsize
            for name in names
        )  # fmt: skip
        if size > max_bytes:
            raise OdekitFileError(f"{path}: {size} bytes of {', '.join(names)}, more than max_bytes = {max_bytes}")
        arrays = _read_arrays(file, names, rows)
        return [arrays[name] for name in names], attributes


@contextlib.contextmanager
def _opened(path, kind, version):
    """An HDF5 file of the right kind, with its attributes."""
    path = pathlib.Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    with suspicion(path):
        if not path.is_file():
            hint = "; odekit.storage.open opens the folder of a store" if path.is_dir() else ""
            raise OdekitFileError(f"{path}: not a file{hint}")
        if not h5py.is_hdf5(path):
            raise OdekitFileError(f"{path}: not an HDF5 file (or its beginning is damaged)")
        with h5py.File(path, "r") as file:
            attributes = safe_attributes(path, file)
            check_kind(path, attributes, kind, version)
            yield path, file, attributes


def _read_arrays(file, names, rows):
    """Arrays of numbers by name; `rows` is an index of the first dimension."""
    numbers = [name for name in names if file[name].id.get_type().get_class() != h5t.STRING]
    return {name: np.asarray(file[name][rows]) for name in numbers}
