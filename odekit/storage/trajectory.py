"""One trajectory in a netCDF4-compatible HDF5 file that says how it was computed."""

import dataclasses
import datetime
import json

import numpy as np

from .._file_checks import MAX_BYTES, OdekitFileError
from .._files import Variable, read, with_coordinates, write
from .._provenance import flatten, right_hand_side, unflatten, versions
from ..ensemble_solution import EnsembleSolution
from ..solution import Retcode, Solution, Switch
from .lazy import LazyArray, LazyColumns

KIND, VERSION = "odekit-trajectory", "1.0"
_COUNTS = ("nfev", "njev", "nlu", "naccept", "nreject")
_TEXTS = ("method", "retcode", "message")
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
    labels = _Labels(sol, names, units, time_unit)
    for name, variable in _variables(sol, labels).items():
        variables[name] = _split_complex(variable) if variable.data.dtype.kind == "c" else variable
    if any("part" in variable.dims for variable in variables.values()):
        variables["part"] = Variable(("part",), _PARTS)
    write(path, KIND, VERSION, variables, _attributes(sol, labels), overwrite, compression)


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
        return _solution(arrays, attributes)
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

    labels = _Labels(sol, names, units, time_unit)
    content = {
        name: (
            variable.dims,
            variable.data.chunked() if isinstance(variable.data, LazyArray) else variable.data,
            variable.attrs,
        )
        for name, variable in with_coordinates(_variables(sol, labels)).items()
    }
    coordinates = {name: value for name, value in content.items() if value[0] == (name,)}
    data = {name: value for name, value in content.items() if name not in coordinates}
    return xarray.Dataset(data, coordinates, {"format": KIND, "format_version": VERSION, **_attributes(sol, labels)})


# ---------------------------------------------------------------------------------------------------------------------
# Solution -> variables and attributes


class _Labels:
    """Names and units of the components, checked."""

    def __init__(self, sol, names, units, time_unit):
        if not all(hasattr(sol, name) for name in ("t", "y", "steps", "switches")):
            raise TypeError(
                f"sol must be an odekit.Solution, but it is a {type(sol).__name__}"
                + ("; solve_ensemble(..., store=path) writes ensembles" if isinstance(sol, EnsembleSolution) else "")
            )
        n = len(sol.y)
        self.names, self.units, self.time_unit = names, units, time_unit
        if not isinstance(time_unit, str):
            raise ValueError(f"time_unit={time_unit!r}; expected a string such as 's'")
        for what, values in (("names", names), ("units", units)):
            if values is None or (what == "units" and isinstance(values, str)):
                continue
            strings = isinstance(values, (list, tuple, np.ndarray)) and all(isinstance(value, str) for value in values)
            if not strings or len(values) != n:
                raise ValueError(f"{what}={values!r}; expected {n} strings, one for each component")
        if names is not None and len(set(names)) != n:
            raise ValueError(f"names={names!r}; expected {n} different ones")

    @property
    def state_unit(self):
        """Attribute of the state: the unit that all components share, or where to find those of each."""
        return {"units": self.units if isinstance(self.units, str) else "1" if self.units is None else "component_unit"}

    def variables(self):
        """Coordinates along the components."""
        found = {}
        if self.names is not None:
            found["component"] = Variable(("component",), np.array(self.names))
        if self.units is not None and not isinstance(self.units, str):
            found["component_unit"] = Variable(("component",), np.array(self.units))
        return found

    def attributes(self):
        """What `metadata` gives back."""
        names, units = (None if v is None else [v] if isinstance(v, str) else list(v) for v in (self.names, self.units))
        return {"names": json.dumps(names), "units": json.dumps(units), "time_unit": self.time_unit}


def _variables(sol, labels):
    """What a file has of a solution: name to Variable."""
    number, state_unit = {"units": labels.time_unit}, labels.state_unit
    y = sol.y if isinstance(sol.y, LazyColumns) else np.asarray(sol.y)  # on disk, or in memory
    variables = labels.variables() | {
        "time": Variable(("time",), np.asarray(sol.t, dtype=float), {**number, "long_name": "independent variable"}),
        "y": Variable(
            ("time", "component"),
            y.T if isinstance(y, LazyColumns) else np.ascontiguousarray(y.T),
            {**state_unit, "long_name": "state"},
        ),
        "step": Variable(
            ("step",), np.asarray(sol.steps, dtype=float), {**number, "long_name": "times of accepted steps"}
        ),
    }
    for name in ("rtol", "atol"):
        if np.ndim(getattr(sol, name)):
            variables[name] = Variable(
                ("component",), np.broadcast_to(getattr(sol, name), len(y)).astype(float), {"units": "1"}
            )
    for k, times in enumerate(sol.t_events or ()):
        times, dim = np.asarray(times, dtype=float), f"event_{k}"
        states = np.asarray(sol.y_events[k], dtype=y.dtype).reshape(times.size, len(y))
        variables[dim] = Variable((dim,), times, {**number, "long_name": f"times of event {k}"})
        variables[f"y_{dim}"] = Variable((dim, "component"), states, {**state_unit, "long_name": f"state at event {k}"})
    if sol.switches:
        variables["switch"] = Variable(
            ("switch",), np.array([s.t for s in sol.switches]), {**number, "long_name": "times of changes of method"}
        )
        for name in ("source", "target", "reason"):
            variables[f"switch_{name}"] = Variable(
                ("switch",), np.array([getattr(s, name) for s in sol.switches], dtype=str)
            )
    parameters = flatten(sol.args)[0]
    if parameters.size:
        variables["parameters"] = Variable(
            ("parameter",), parameters, {"long_name": "arguments of the right-hand side"}
        )
    return variables


def _split_complex(variable):
    """A variable of complex numbers as one of real ones, with the dimension "part" behind the others."""
    lazy = isinstance(variable.data, LazyArray)
    parts = variable.data.parts() if lazy else np.stack([variable.data.real, variable.data.imag], axis=-1)
    return Variable((*variable.dims, "part"), parts, variable.attrs)


def _origin(sol):
    """The function and the software, where a stored solution tells them; else nothing."""
    about = getattr(sol, "about", {})
    return {name: value for name, value in about.items() if name not in _TEXTS and name != "method_reason"}


def _attributes(sol, labels):
    """What a file says of a solution: name to text or numbers."""
    retcode = Retcode(sol.retcode)
    attributes = {
        "Conventions": "CF-1.11",
        "title": f"Solution of an ordinary differential equation by {sol.method}",
        "created_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "method": sol.method,
        "retcode": retcode.name,
        "message": sol.message,
        "t_span": np.array(sol.t_span, dtype=float),
        "args": json.dumps(flatten(sol.args)[1]),
        "switches": json.dumps([dataclasses.astuple(switch) for switch in sol.switches]),
        "n_events": -1 if sol.t_events is None else len(sol.t_events),
        **{name: int(getattr(sol, name)) for name in _COUNTS},
        **{name: float(getattr(sol, name)) for name in ("rtol", "atol") if not np.ndim(getattr(sol, name))},
        **labels.attributes(),
        **(_origin(sol) or {**right_hand_side(sol.fun), **versions()}),
    }
    return {name: value.replace("\0", "") if isinstance(value, str) else value for name, value in attributes.items()}


# ---------------------------------------------------------------------------------------------------------------------
# variables and attributes -> Solution


def _solution(arrays, attributes):
    """The solution of a file, from its arrays and attributes by name; what does not fit together is a ValueError."""

    def state(name):
        data = arrays[name].astype(float, copy=False)
        return (data[..., 0] + 1j * data[..., 1]) if data.ndim == 3 else data

    def tolerance(name):
        return arrays[name] if name in arrays else float(attributes[name])

    t, y = arrays["time"], np.ascontiguousarray(state("y").T)
    forward = attributes["t_span"][1] >= attributes["t_span"][0]
    _require(t.ndim == 1 and y.ndim == 2 and y.shape[1] == t.size, "y has another number of times than time")
    for times, name in ((t, "time"), (arrays["step"], "step")):
        _require(np.all(np.isfinite(times)), f"{name} is not finite")
        _require(np.all(np.diff(times) >= 0 if forward else np.diff(times) <= 0), f"{name} is not monotone")
    events = range(int(attributes["n_events"]))
    for k in events:
        _require(
            len(arrays[f"event_{k}"]) == len(arrays[f"y_event_{k}"]),
            f"event {k} has another number of states than times",
        )
    _require(all(attributes[name] >= 0 for name in _COUNTS), "a count is negative")
    return Solution(
        t=t,
        y=y,
        sol=None,
        t_events=None if attributes["n_events"] < 0 else [arrays[f"event_{k}"] for k in events],
        y_events=None if attributes["n_events"] < 0 else [state(f"y_event_{k}") for k in events],
        **{name: int(attributes[name]) for name in _COUNTS},
        retcode=Retcode[attributes["retcode"]],
        message=attributes["message"],
        steps=arrays["step"],
        switches=[Switch(float(t), *map(str, texts)) for t, *texts in json.loads(attributes["switches"])],
        method=attributes["method"],
        rtol=tolerance("rtol"),
        atol=tolerance("atol"),
        t_span=tuple(map(float, attributes["t_span"])),
        args=unflatten(arrays.get("parameters", np.empty(0)), json.loads(attributes["args"])),
    )


def _require(condition, message):
    """Raise a ValueError with this message unless the condition holds."""
    if not condition:
        raise ValueError(message)
