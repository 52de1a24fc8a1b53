"""What a store holds in one file."""

import json
import math
import pathlib

import numpy as np

from .. import _files
from .._chunk import Results
from .._file_checks import OdekitFileError
from .._files import Variable
from ..solvers import batch as B
from ..solvers import event_log
from . import folder, shards, stream_layout
from . import manifest as M
from .identity import digest
from .stored_solution import open_solution
from .trajectory import save


def merge(path, file, overwrite=False):
    """Make one file of the shards of an ensemble, or of the chunks of a trajectory.

    Parameters
    ----------
    path : path-like
        Folder of a complete stored ensemble, or of a stored trajectory.
    file : path-like
        HDF5 file to write; `odekit.storage.open` opens an ensemble, `odekit.storage.load` a trajectory, and xarray both. No more than
        a shard, or a chunk, is in memory.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    FileExistsError
    OdekitFileError
        If a shard is missing or damaged: it is named.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np, odekit
    >>> def decay(t, y, rate):
    ...     return [-rate * y[0]]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store, file = os.path.join(folder, "decays.odekit"), os.path.join(folder, "decays.h5")
    ...     _ = odekit.solve_ensemble(
    ...         decay, (0, 1), [1.0], args=(np.linspace(1, 2, 50),), method="dop853", tier="single", store=store
    ...     )
    ...     odekit.storage.merge(store, file)
    ...     odekit.storage.open(file).y.shape
    (50, 1, 1)
    """
    path, file = pathlib.Path(path), pathlib.Path(file)
    if file.exists() and not overwrite:
        raise FileExistsError(f"{file} exists; pass overwrite=True to replace it")
    manifest = folder.read(path, {**M.KINDS, **stream_layout.KINDS})
    if manifest["format"] == stream_layout.KIND:
        save(file, open_solution(path), overwrite, compression=None)
        return
    layout, problem = M.Layout(**manifest["layout"]), digest(manifest["problem"])
    paths = [path / shards.file_name(k) for k in range(layout.shards)]
    missing = [k for k, shard in enumerate(paths) if not shard.exists()]
    if missing:
        first, last = layout.bounds(missing[0])
        raise OdekitFileError(
            f"{paths[missing[0]]} is missing (trajectories {first} to {last - 1}); resume=True computes it"
        )
    for k, shard in enumerate(paths):
        shards.check(shard, problem, *layout.bounds(k))
    with _files.replacing(file) as target:
        _fill(target, paths, layout)
        # all is checked shard by shard; one checksum over everything would ask for everything in memory
        text = json.dumps({**manifest, "complete": True})
        _files.write_attributes(target, {"format": M.KIND, "format_version": M.VERSION, "manifest": text})


def _fill(target, paths, layout):
    """Create the arrays and copy them shard by shard."""

    def read(k, *names):
        return _files.read_rows(paths[k], shards.KIND, shards.VERSION, names)[0]

    width = layout.rows
    if layout.save == "steps":
        width = max(int(read(k, "nsaved")[0].max()) for k in range(layout.shards))
    times = read(0, "time")[0][None] if layout.shared_times else np.empty((0, width))
    numbers = layout.components * (2 if layout.complex else 1)
    nothing = Results(
        np.empty((0, width, numbers)), np.empty((0, width)), np.empty((0, B.N_COUNTERS)), np.empty((0, 2)),
        event_log.nothing(0, layout.events, numbers) if layout.events else None,
    )  # fmt: skip
    variables = shards.variables(layout, times, 0, nothing)
    sizes = {"trajectory": layout.size}
    if layout.events:
        sizes["zero"] = sum(int(read(k, "events_kept")[0].sum()) for k in range(layout.shards))
    many = {
        dim: [name for name, variable in variables.items() if variable.dims[0] == dim and name != dim] for dim in sizes
    }
    for dim, size in sizes.items():
        variables[dim] = Variable((dim,), np.arange(size))
    for name, variable in _files.with_coordinates(variables).items():
        length = sizes.get(variable.dims[0], variable.data.shape[0])
        shape = (length, *variable.data.shape[1:])
        row_bytes = variable.data.itemsize * math.prod(shape[1:])
        rows = max(1, min(_files.CHUNK_BYTES // max(1, row_bytes), shape[0]))
        options = {"chunks": (rows, *shape[1:]), "fletcher32": True} if math.prod(shape) else {}
        dataset = target.create_dataset(
            name, shape, variable.data.dtype, track_order=True, fillvalue=_blank(variable), **options
        )
        if len(variable.data) == length:
            dataset[:] = variable.data
        if variable.dims == (name,):
            dataset.make_scale(name)
        else:
            for axis, dim in enumerate(variable.dims):
                dataset.dims[axis].attach_scale(target[dim])
    for names in many.values():
        first = 0
        for k in range(layout.shards):
            for name, data in zip(names, read(k, *names), strict=True):
                rows = slice(first, first + len(data))
                if data.ndim > 1:
                    target[name][rows, : data.shape[1]] = data
                else:
                    target[name][rows] = data
            first = rows.stop


def _blank(variable):
    """What a number is that nothing has written."""
    return np.nan if variable.data.dtype.kind == "f" else 0
