"""`odekit.storage.open`: whatever a store holds."""

import pathlib

from .. import _files
from .._file_checks import MAX_BYTES, check_limit
from . import folder, stream_layout
from . import manifest as M
from .ensemble import StoredEnsemble
from .stored_solution import open_solution


def open_store(path, max_bytes=MAX_BYTES):
    """Open what ``store=path`` of `odekit.solve_ivp` or `odekit.solve_ensemble` has written, or is writing.

    Parameters
    ----------
    path : path-like
        The folder, or the file that `merge` has made of an ensemble. (That of a trajectory is read by `load`.)
    max_bytes : int
        Refuse to read more than this at a time from a file.

    Returns
    -------
    StoredSolution or StoredEnsemble

    Raises
    ------
    FileNotFoundError
    OdekitFileError
        If it is something else, damaged, or unsafe to read; if it is said to be complete and a part is missing.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np, odekit
    >>> def decay(t, y, rate):
    ...     return [-rate * y[0]]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "decays.odekit")
    ...     _ = odekit.solve_ensemble(
    ...         decay, (0, 1), [1.0], args=(np.linspace(1, 2, 50),), t_eval=[0, 0.5, 1], method="dop853", tier="single", store=path
    ...     )
    ...     ensemble = odekit.storage.open(path)
    ...     ensemble.complete, ensemble.y.shape, ensemble.y[10:20, 0].shape, bool(ensemble[7].success)
    (True, (50, 1, 3), (10, 3), True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "decay.odekit")
    ...     _ = odekit.solve_ivp(decay, (0, 1), [1.0], "dop853", args=(2.0,), t_eval=np.linspace(0, 1, 1001), store=path)
    ...     sol = odekit.storage.open(path)
    ...     sol.complete, sol.y.shape, sol.y[0, ::500].round(3)
    (True, (1, 1001), array([1.   , 0.368, 0.135]))
    """
    path = pathlib.Path(path)
    check_limit(max_bytes)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    if path.is_dir():
        manifest = folder.read(path, {**M.KINDS, **stream_layout.KINDS})
        return (
            open_solution(path, max_bytes)
            if manifest["format"] == stream_layout.KIND
            else StoredEnsemble(path, manifest, max_bytes)
        )
    attributes = _files.read_attributes(path, M.KIND, M.VERSION)
    return StoredEnsemble(path, folder.parse(path, attributes.get("manifest", ""), M.KINDS), max_bytes)
