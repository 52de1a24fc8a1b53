"""One trajectory in a netCDF4-compatible HDF5 file that says how it was computed."""

import numpy as np

from .._file_checks import MAX_BYTES, OdekitFileError
from .._files import Variable, read, with_coordinates, write
from .lazy import LazyArray
from .trajectory_content import Labels, attributes_of, solution_of, split_complex, variables_of

KIND, VERSION = "odekit-trajectory", "1.0"
_PARTS = np.array(["re", "im"])


def save(path, sol, overwrite=False, compression=1, *, names=None, units=None, time_unit="1"):
    """Write a solution to a file.

    Stored are the trajectory, events, step times, changes of method, tolerances, counts, how it ended, the parameters,
    the source text of the right-hand side (for people; it is never executed) and the versions of the software. The
    dense output ``sol.sol`` is not stored.

    Parameters
    ----------
    path : path-like
        ``path + ".part"`` is written first and moved to `path` when it is complete.
    sol : Solution
    overwrite : bool
        Whether an existing file may be replaced.
    compression : int or None
        Level of gzip (0 to 9), or None for no compression.
    names : sequence of str, length n, optional
        Names of the components, as labels of the dimension ``component``.
    units : str or sequence of str, length n, optional
        Unit of all components, or of each: an attribute of ``y``, or the coordinate ``component_unit``.
    time_unit : str
        Unit of the independent variable, such as ``"s"``.

    Raises
    ------
    FileExistsError
        If `path` exists and `overwrite` is False.
    TypeError
        If `sol` is no solution.
    ValueError
        If there are not n names or units.

    Examples
    --------
    >>> import os, tempfile
    >>> import odekit
    >>> sol = odekit.solve_ivp(lambda t, y: [y[1], -y[0]], (0, 6), [1.0, 0.0])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "swing.h5")
    ...     odekit.storage.save(path, sol, names=["q", "p"], units=["m", "m/s"], time_unit="s")
    ...     os.listdir(folder)
    ['swing.h5']
    """
    variables = {}
    labels = Labels(sol, names, units, time_unit)
    for name, variable in variables_of(sol, labels).items():
        variables[name] = split_complex(variable) if variable.data.dtype.kind == "c" else variable
    if any("part" in variable.dims for variable in variables.values()):
        variables["part"] = Variable(("part",), _PARTS)
    write(path, KIND, VERSION, variables, attributes_of(sol, labels), overwrite, compression)


def load(path, max_bytes=MAX_BYTES):
    """Read a solution from a file.

    Parameters
    ----------
    path : path-like
    max_bytes : int
        Refuse files with more data than this.

    Returns
    -------
    Solution
        Without ``fun`` (its source text is in `metadata`) and without dense output.

    Raises
    ------
    FileNotFoundError
    OdekitFileError
        If the file is of another kind, damaged, truncated, or unsafe to read.

    Examples
    --------
    >>> import os, tempfile
    >>> import odekit
    >>> sol = odekit.solve_ivp(lambda t, y: [y[1], -y[0]], (0, 6), [1.0, 0.0])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "swing.h5")
    ...     odekit.storage.save(path, sol, names=["q", "p"], units=["m", "m/s"], time_unit="s")
    ...     again = odekit.storage.load(path)
    >>> bool((again.y == sol.y).all()), again.retcode.name
    (True, 'SUCCESS')
    """
    arrays, attributes = read(path, KIND, VERSION, max_bytes)
    try:
        return solution_of(arrays, attributes)
    except OdekitFileError:
        raise
    except Exception as error:  # a valid file of ours whose content is not: hand-made, or of a later version
        raise OdekitFileError(f"{path}: incomplete or inconsistent ({type(error).__name__}: {error})") from error


def metadata(path, max_bytes=MAX_BYTES):
    """What a file says about itself.

    Parameters
    ----------
    path : path-like
    max_bytes : int
        Refuse files with more data than this.

    Returns
    -------
    dict
        Method, tolerances, counts, how the integration ended, ``rhs_name``, ``rhs_source`` and ``rhs_sha256``,
        ``created_at`` (UTC, ISO 8601), versions (``odekit``, ``numba``, ``numpy``, ``h5py``, ``hdf5``, ``python``),
        ``platform``; ``names`` and ``units`` (JSON lists, or null), ``time_unit``.

    Raises
    ------
    FileNotFoundError
    OdekitFileError

    Examples
    --------
    >>> import os, tempfile
    >>> import odekit
    >>> sol = odekit.solve_ivp(lambda t, y: [y[1], -y[0]], (0, 6), [1.0, 0.0])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "swing.h5")
    ...     odekit.storage.save(path, sol, names=["q", "p"], units=["m", "m/s"], time_unit="s")
    ...     about = odekit.storage.metadata(path)
    >>> about["method"], about["names"], about["time_unit"]
    ('auto', '["q", "p"]', 's')
    """
    return read(path, KIND, VERSION, max_bytes)[1]


def to_xarray(sol, *, names=None, units=None, time_unit="1"):
    """A solution as an `xarray.Dataset`, as if it had been saved and opened by xarray (complex states stay complex).

    Parameters
    ----------
    sol : Solution
    names, units, time_unit
        As for `save`.

    Returns
    -------
    xarray.Dataset
        With dimensions ``time`` and ``component``; ``step`` (ends of the accepted steps), ``event_k``, ``switch`` and
        ``parameter`` where there are any.

    Raises
    ------
    ImportError
        If xarray is not there.
    TypeError, ValueError
        For what is no solution, or labels that do not fit.

    Examples
    --------
    >>> import odekit
    >>> sol = odekit.solve_ivp(lambda t, y: [y[1], -y[0]], (0, 6), [1.0, 0.0], t_eval=[0.0, 3.0, 6.0])
    >>> data = odekit.storage.to_xarray(sol, names=["q", "p"])
    >>> dict(data["y"].sizes)
    {'time': 3, 'component': 2}
    """
    import xarray

    labels = Labels(sol, names, units, time_unit)
    content = {
        name: (
            variable.dims,
            variable.data.chunked() if isinstance(variable.data, LazyArray) else variable.data,
            variable.attrs,
        )
        for name, variable in with_coordinates(variables_of(sol, labels)).items()
    }
    coordinates = {name: value for name, value in content.items() if value[0] == (name,)}
    data = {name: value for name, value in content.items() if name not in coordinates}
    return xarray.Dataset(data, coordinates, {"format": KIND, "format_version": VERSION, **attributes_of(sol, labels)})
