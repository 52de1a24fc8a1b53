"""Trajectories of learned systems by methods that ask for more than a vector field: a form that the system must have."""

import dataclasses
import json
from collections.abc import Callable

import numpy as np

from .. import _checks, _chunk, _progress
from ..adjoint import coupled
from ..solvers import batch as B
from ..solvers.methods import METHODS
from ..solvers.tables import EXPLICIT
from . import checks, files

MAX_STEPS = 10_000_000
#: Trajectories that are computed together, at least: as many as fill the lanes several times.
TOGETHER = 256
#: Numbers that a trajectory counts, and where a store has them.
COUNTS = {"nfev": B.NFEV, "naccept": B.NACCEPT, "nreject": B.NREJECT}


def needs_form(method):
    """Whether a method needs a separable or a Hamiltonian system."""
    name = method.lower() if isinstance(method, str) else ""
    return name in METHODS and (METHODS[name].separable or name.startswith("tao"))


def symplectic(field, y0, t, method, first_step, omega):
    """Trajectories by a symplectic method of fixed step, all of a batch as one system.

    Parameters
    ----------
    field : NetworkField
    y0 : array_like, (d,) or (B, d)
    t : array_like, (T,)
    method : str
        A splitting method, or one of Tao's.
    first_step, omega : float or None

    Returns
    -------
    ndarray, (T, d) or (T, B, d)

    Raises
    ------
    ValueError
        If the system has not the form that the method needs, or a number is missing.
    SolveError
    """
    splitting = METHODS[method].separable
    if splitting and field.halves is None:
        raise ValueError(
            f"method={method!r} needs a separable system, dq/dt of p alone and dp/dt of q alone, which a "
            f"{type(field).__name__} is not; take implicit_midpoint, gauss4 or gauss6"
            + (", tao4 with omega, or a SeparableHNN" if field.hamiltonian else ", or an adaptive method")
        )
    if not splitting and not field.hamiltonian:
        raise ValueError(f"method={method!r} needs a Hamiltonian system, which a {type(field).__name__} is not")
    if first_step is None:
        raise ValueError(
            f"method={method!r} takes steps of fixed size: give it as first_step, for example first_step=0.01"
        )
    first_step = checks.positive("first_step", first_step)
    if splitting:
        form = dict(zip(("velocity", "force"), field.halves, strict=True))
    else:
        if omega is None:
            raise ValueError(f"method={method!r} needs omega, its binding frequency, see odekit.hamiltonian")
        form = {"binding": checks.positive("omega", omega)}
    y0, batched = checks.batch("y0", y0, field.dim)
    y0, t = checks.finite_array("y0", y0), checks.times(t)
    width, d = y0.shape
    start = y0.T.ravel().copy()
    trajectory = coupled.solve(
        field.kernels.value, field.pack(width), (t[0], t[-1]), start, method, 1.0, 1.0, form=form, t_eval=t[1:],
        max_steps=MAX_STEPS, first_step=first_step,
    )  # fmt: skip
    outputs = np.concatenate((start[None], trajectory.outputs))
    ys = np.ascontiguousarray(outputs.reshape(-1, d, width).transpose(0, 2, 1))
    return ys if batched else ys[:, 0]


@dataclasses.dataclass(frozen=True)
class _Learned:
    """What tells a learned system from others: its class and settings, its parameters."""

    settings: np.ndarray
    params: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Driven(_Learned):
    """The same, with the forces on it as a function of time."""

    force: Callable


def _learned(field, omega):
    force = getattr(field, "force_in_time", None)
    model = field if force is None else field.model
    settings = {name: np.asarray(value).tolist() for name, value in files.settings_of(model).items()}
    text = json.dumps({**settings, "omega": omega}, sort_keys=True)
    system = np.frombuffer(text.encode(), dtype=np.uint8), np.array(field.params)
    return _Learned(*system) if force is None else _Driven(*system, force)


def _pieces(model, y0, t, forces):
    """`NeuralODE.trajectories` of (y, F), whose F changes at the output times: states (T, B, d), and what each trajectory took."""
    d = y0.shape[1]
    ys, codes, counts = [y0], np.zeros(len(y0), dtype=np.int64), np.zeros((3, len(y0)), dtype=np.int64)
    for n, force in enumerate(forces):
        alive = np.isfinite(ys[-1]).all(axis=1)
        end = np.full_like(y0, np.nan)
        if alive.any():
            run = model.trajectories(np.concatenate((ys[-1], force), axis=1)[alive], t[n : n + 2], MAX_STEPS)
            end[alive], codes[alive] = run.y[1, :, :d], run.retcode
            counts[:, alive] += [getattr(run, name) for name in COUNTS]
        ys.append(end)
    return np.array(ys), codes, counts


def stored(field, y0, t, store, resume, method, rtol, atol, first_step, omega, progress, forces=None):
    """Trajectories of a learned system in a store, see `NetworkField.solve`; each has its own steps.

    The groups that are computed together depend on the problem alone, and so do the bits. With `forces` (T - 1, B, k) they are a part
    of the state of the field, behind that of the system.

    Returns
    -------
    odekit.storage.StoredEnsemble
    """
    from ..storage import shards  # imports h5py
    from .neural_ode import NeuralODE

    _checks.storing(store, resume)
    y0, _ = checks.batch("y0", y0, field.dim if forces is None else field.model.dim)
    y0, t = checks.finite_array("y0", y0), checks.times(t)
    size, d = y0.shape
    given = np.empty((size, 0)) if forces is None else forces.transpose(1, 0, 2).reshape(size, -1)
    symplectic_ = needs_form(method)
    model = None
    if not symplectic_ and method.lower() not in EXPLICIT:
        raise ValueError(
            f"method={method!r} takes all trajectories of a batch in the same steps; with store take dop853 or another explicit method, "
            "or an explicit symplectic one where the model has its form"
        )
    if not symplectic_:
        model = NeuralODE(
            field, method, rtol, atol, adjoint="discrete", step_control="per_sample", first_step=first_step
        )
    setup = _chunk.Setup(
        _learned(field, omega), None, (), np.empty(0), float(t[0]), y0[0], (), method.lower(), float(rtol), "network", True,
        np.full(d, float(rtol)), np.full(d, float(atol)), B.SAVE_TIMES, t.size, first_step or 0.0, np.inf, MAX_STEPS,
    )  # fmt: skip
    spans = np.tile([t[0], t[-1]], (size, 1))
    about = {
        "tier_reason": "networks in lanes",
        "rtol": float(rtol),
        "atol": float(atol),
        "max_steps": MAX_STEPS,
        "model": repr(field),
    }
    sink = shards.Store(store, setup, _chunk.Trajectories(spans, y0, given, t[None]), about, resume)
    with _progress.counter(progress, size) as show, sink:
        missing = set(sink.wanted())
        together = sink.layout.shard_size * max(1, TOGETHER // sink.layout.shard_size)
        for first in range(0, size, together):
            last = min(first + together, size)
            bounds = [part for part in missing if first <= part[0] < last]
            if not bounds:
                continue
            counters, ends = np.zeros((last - first, B.N_COUNTERS)), np.full((last - first, 2), t[-1])
            counters[:, B.NSAVED] = t.size
            if symplectic_:
                ys = symplectic(field, y0[first:last], t, method.lower(), first_step, omega)
                ends[:, 1] = first_step
            elif forces is None:
                run = model.trajectories(y0[first:last], t, MAX_STEPS)
                ys, ends[:, 1], counters[:, B.RETCODE] = run.y, np.nan, run.retcode
                for name, column in COUNTS.items():
                    counters[:, column] = getattr(run, name)
            else:
                ys, counters[:, B.RETCODE], counts = _pieces(model, y0[first:last], t, forces[:, first:last])
                ends[:, 1] = np.nan
                for column, values in zip(COUNTS.values(), counts, strict=True):
                    counters[:, column] = values
            ys = np.ascontiguousarray(ys.transpose(1, 0, 2))
            reached = np.isfinite(ys).all(axis=2).sum(axis=1)  # a trajectory that fails is NaN from there on
            counters[:, B.NSAVED] = reached
            ends[:, 0] = t[np.maximum(reached - 1, 0)]
            for begin, end in sorted(bounds):
                rows = slice(begin - first, end - first)
                sink.take(begin, end, _chunk.Results(ys[rows], np.empty((end - begin, 0)), counters[rows], ends[rows]))
            if show is not None:
                show(sink.done())
    return sink.solution()
