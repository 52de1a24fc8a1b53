"""Trajectories on disk: netCDF4-compatible HDF5 files that say how they were computed.

`save` writes a `Solution`, `load` reads it back, `metadata` reads what the file says about itself, and
``xarray.open_dataset(path, engine="h5netcdf")`` opens the same file with named dimensions. `open` opens what ``store=path`` of
`odekit.solve_ivp` or `odekit.solve_ensemble` has written, or is writing; `merge` makes one file of it.

Examples
--------
>>> import os, tempfile
>>> from odekit import solve_ivp
>>> from odekit.storage import load, save
>>> sol = solve_ivp(lambda t, y, k: [-k * y[0]], (0, 1), [1.0], args=(2.0,))
>>> with tempfile.TemporaryDirectory() as folder:
...     path = os.path.join(folder, "decay.h5")
...     save(path, sol)
...     again = load(path)
>>> bool((again.y == sol.y).all()), again.args
(True, (2.0,))
"""

from .._file_checks import OdekitFileError
from .ensemble import StoredEnsemble, StoredTrajectory
from .merged import merge
from .opening import open_store
from .stored_solution import StoredSolution
from .trajectory import KIND, load, metadata, save, to_xarray

open = open_store
__all__ = [
    "KIND", "OdekitFileError", "StoredEnsemble", "StoredSolution", "StoredTrajectory", "load", "merge", "metadata", "open", "save",
    "to_xarray",
]  # fmt: skip
