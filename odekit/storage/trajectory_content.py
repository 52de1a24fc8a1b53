"""What a file has of a solution: a solution as variables and attributes, and back."""

import dataclasses
import datetime
import json

import numpy as np

from .._files import Variable
from .._provenance import flatten, right_hand_side, unflatten, versions
from ..ensemble_solution import EnsembleSolution
from ..solution import Retcode, Solution, Switch
from .lazy import LazyArray, LazyColumns

_COUNTS = ("nfev", "njev", "nlu", "naccept", "nreject")
_TEXTS = ("method", "retcode", "message")


class Labels:
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


def variables_of(sol, labels):
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


def split_complex(variable):
    """A variable of complex numbers as one of real ones, with the dimension "part" behind the others."""
    lazy = isinstance(variable.data, LazyArray)
    parts = variable.data.parts() if lazy else np.stack([variable.data.real, variable.data.imag], axis=-1)
    return Variable((*variable.dims, "part"), parts, variable.attrs)


def _origin(sol):
    """The function and the software, where a stored solution tells them; else nothing."""
    about = getattr(sol, "about", {})
    return {name: value for name, value in about.items() if name not in _TEXTS and name != "method_reason"}


def attributes_of(sol, labels):
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


def solution_of(arrays, attributes):
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
