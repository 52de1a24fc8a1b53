"""Checks of what the user gives to an ensemble: one clear sentence before the first step."""

import numpy as np

from . import _checks, _threads
from ._arguments import pack
from .solvers.batch import alike


def options(unknown):
    """Refuse unknown options."""
    if unknown:
        names = ", ".join(sorted(unknown))
        raise TypeError(f"solve_ensemble got unknown options: {names}; see its docstring for those it knows")


def size(y0, t_span, args):
    """Number of trajectories, from whatever has one row per trajectory.

    Parameters
    ----------
    y0, t_span : array_like
        As given.
    args : tuple

    Returns
    -------
    int

    Raises
    ------
    ValueError
        Where nothing tells the number, or where two things tell different ones.
    """
    found = {}
    if np.ndim(y0) == 2:
        found["y0"] = len(y0)
    if np.ndim(t_span) == 2:
        found["t_span"] = len(t_span)
    for k, value in enumerate(args):
        try:
            axes = np.ndim(value)
        except ValueError:
            raise ValueError(
                f"args[{k}]={value!r:.80}; expected a number or an array whose rows have the same length"
            ) from None
        if axes > 0:
            found[f"args[{k}]"] = len(value)
    if not found:
        raise ValueError(
            "nothing tells how many trajectories there are: expected y0 of shape (N, n), t_span of shape (N, 2) or an array "
            "of length N among args"
        )
    if len(set(found.values())) > 1:
        lengths = ", ".join(f"{name} has {length}" for name, length in found.items())
        raise ValueError(
            f"the numbers of trajectories disagree: {lengths}; an array that all trajectories share is given once for each, "
            "np.broadcast_to(a, (N, *a.shape)), or as a global of fun"
        )
    count = next(iter(found.values()))
    if count == 0:
        raise ValueError(f"{next(iter(found))} is empty; expected at least one trajectory")
    return count


def states(y0, count):
    """Initial states, (N, n), float64 or complex128, as a new array."""
    try:
        y = np.array(y0)
        if y.dtype.kind not in "biufc":
            raise TypeError
        y = y.astype(np.complex128 if y.dtype.kind == "c" else np.float64, copy=False)
    except (TypeError, ValueError):
        raise ValueError(f"y0={y0!r:.80}; expected numbers, of shape (n,) or (N, n)") from None
    if y.ndim not in (1, 2):
        raise ValueError(f"y0 has shape {y.shape}; expected (n,) or (N, n)")
    if y.shape[-1] == 0:
        raise ValueError(f"y0 has shape {y.shape}; expected at least one component")
    bad = np.argwhere(~np.isfinite(y))
    if bad.size:
        where = tuple(int(i) for i in bad[0])
        raise ValueError(f"all initial states must be finite, but y0[{', '.join(map(str, where))}] is {y[where]}")
    return alike(y, count, y.dtype) if y.ndim == 1 else np.ascontiguousarray(y)


def spans(t_span, count):
    """Start and end of each trajectory, (N, 2)."""
    if np.ndim(t_span) != 2:
        return alike(_checks.span(t_span), count)
    try:
        given = np.array(t_span, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"t_span={t_span!r:.80}; expected two numbers, or an array of shape (N, 2)") from None
    if given.shape != (count, 2):
        raise ValueError(f"t_span has shape {given.shape}; expected ({count}, 2)")
    bad = np.flatnonzero(~np.isfinite(given[:, 0]) | np.isnan(given[:, 1]))
    if bad.size:
        raise ValueError(f"t_span[{bad[0]}] is {given[bad[0]]}; expected a finite start and an end that is a number")
    return given


def parameters(args, count):
    """The arguments of each trajectory as one row of numbers.

    Parameters
    ----------
    args : tuple
    count : int

    Returns
    -------
    first : tuple
        The arguments of the first trajectory.
    values : ndarray, (N, n_params)
        Packed as by `odekit._arguments.pack`.
    """
    arrays = [np.asarray(value) if np.ndim(value) > 0 else None for value in args]
    first = tuple(value if array is None else array[0] for value, array in zip(args, arrays, strict=True))
    first = tuple(value.item() if isinstance(value, np.generic) else value for value in first)
    try:
        pack(first)
        columns = []
        for value, array in zip(args, arrays, strict=True):
            if array is None:
                columns.append(np.broadcast_to(pack((value,))[1], (count, pack((value,))[1].size)))
            else:
                whole = array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
                columns.append(np.ascontiguousarray(whole.reshape(count, -1)).view(np.float64))
        rows = np.concatenate(columns, axis=1) if columns else np.empty((count, 0))
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{error}; the arguments of an ensemble are numbers, or numeric arrays of leading length N"
        ) from None
    return first, np.ascontiguousarray(rows)


def absolute(atol, states):
    """Refuse an error relative to zero: atol (n,) and states (N, n)."""
    if np.all(atol > 0.0):
        return
    bad = np.argwhere((atol == 0.0) & (states == 0.0))
    if bad.size:
        k, i = (int(j) for j in bad[0])
        raise ValueError(
            f"atol is 0 for component {i} and y0[{k}, {i}] = 0: an error relative to zero cannot be controlled; give that "
            "component an atol > 0"
        )


def output_times(t_eval, spans, count):
    """Output times, (1, m) where all share them, else (N, m); None where none are given. `spans` is (N, 2)."""
    if t_eval is None:
        return None
    if np.ndim(t_eval) == 2:
        if len(t_eval) != count:
            raise ValueError(f"t_eval has shape {np.shape(t_eval)}; expected (m,) or ({count}, m)")
        rows = [_times_of(k, row, span) for k, (row, span) in enumerate(zip(t_eval, spans, strict=True))]
        return np.ascontiguousarray(np.stack(rows))
    times = _times_of(0, t_eval, spans[0])
    # the others: as many as there are, all at once
    start, end = spans.T
    low, high, backward = np.minimum(start, end), np.maximum(start, end), end < start
    outside = (times.min(initial=np.inf) < low) | (times.max(initial=-np.inf) > high)
    bad = np.flatnonzero(outside | ((backward != backward[0]) & (times.size > 1)))
    if bad.size:
        _times_of(int(bad[0]), t_eval, spans[bad[0]])
    return np.ascontiguousarray(times[None])


def _times_of(k, t_eval, span):
    """Output times of trajectory k, whose number an error tells."""
    try:
        return _checks.output_times(t_eval, *span)
    except ValueError as error:
        raise ValueError(f"{error} (trajectory {k})") from None


def saving(save, max_saved, t_eval):
    """Check what is to be kept of the steps."""
    if save not in ("end", "steps"):
        raise ValueError(f'save={save!r}; expected "end" or "steps"')
    if save == "steps" and t_eval is not None:
        raise ValueError('save="steps" keeps every step, t_eval the states at given times: expected one of them')
    if isinstance(max_saved, bool) or not isinstance(max_saved, (int, np.integer)) or max_saved < 2:
        raise ValueError(f"max_saved={max_saved!r}; expected an integer of at least 2")


def events_kept(max_events):
    """Check the bound on the zeros of event functions that are kept."""
    if isinstance(max_events, bool) or not isinstance(max_events, (int, np.integer)) or max_events < 0:
        raise ValueError(f"max_events={max_events!r:.80}; expected an integer of at least 0")
    return int(max_events)


def chunks(chunksize):
    """Check the number of trajectories in a chunk."""
    if chunksize is not None and (
        isinstance(chunksize, bool) or not isinstance(chunksize, (int, np.integer)) or chunksize < 1
    ):
        raise ValueError(f"chunksize={chunksize!r}; expected a positive integer")


def threads(executor):
    """Number of threads."""
    if executor is None:
        return _threads.available()
    if isinstance(executor, type):
        raise TypeError(f"executor={executor!r:.80} is a class; expected an object of it, {executor.__name__}(...)")
    if isinstance(executor, bool) or not isinstance(executor, (int, np.integer)):
        raise TypeError(
            f"executor={executor!r:.80}; expected None, a number of threads, an executor with submit, or an object with map"
        )
    if executor < 1:
        raise ValueError(f"executor={executor!r}; expected at least one thread")
    return int(executor)


def tiers(tier):
    """Check the name of a tier."""
    if tier not in (None, "fused", "single"):
        raise ValueError(f'tier={tier!r}; expected None, "fused" or "single"')
