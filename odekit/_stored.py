"""What `solve_ivp` needs to write a trajectory to disk while it is computed."""

import numpy as np

from ._chunk import refuse_addresses


def opened(
    store, resume, fun, state, method, methods, reason, args, t_eval, tolerances, events, dense_output, on_step, options
):
    """The stream of a trajectory, not yet entered.

    Parameters
    ----------
    store : path-like
    resume : bool
    fun : callable
    state : ndarray, (n,)
        Initial state, before it is taken apart into real numbers.
    method : str
    methods : tuple of Method
    reason : str
        Why the method was taken.
    args : tuple
    t_eval : ndarray or None
    tolerances : tuple
        ``rtol`` and ``atol`` as given, and as vectors.
    events : list of callable
    dense_output, on_step
        As given: they cannot be stored.
    options : dict
        Whatever else the steps depend on, by name: functions, matrices, numbers.

    Returns
    -------
    odekit.storage.stream.Stream

    Raises
    ------
    ValueError, TypeError
        For what cannot be stored, or is not what the store holds.
    FileExistsError, odekit.storage.OdekitFileError
        See `odekit.storage.stream.Stream`.
    """
    if dense_output:
        raise ValueError("dense_output cannot be stored; give the times that are wanted as t_eval, or leave out store")
    if on_step is not None:
        raise ValueError(
            "on_step does not go with store, as it could not know what was before a crash; give a terminal event"
        )
    if any(hasattr(event, "affect") for event in events):
        raise ValueError(
            "an event with affect does not go with store; record its zeros, or go step by step with odekit.Integrator"
        )
    if state.size == 0:
        raise ValueError("y0 is empty; store needs at least one component")
    refuse_addresses((fun, *events), "in another process it is not known again; give store a Python function")
    from .storage import stream, stream_layout  # which import h5py

    span = options["t_span"]
    rtol, atol, rtol_vector, atol_vector = tolerances
    layout = stream_layout.Layout(
        state.size, state.dtype.kind == "c", t_eval is not None, len(events), stream_layout.CHUNK_BYTES
    )
    about = {
        "method": method, "methods": [one.name for one in methods], "method_reason": reason, "t_span": list(map(repr, span)),
        "rtol": np.asarray(rtol).tolist(), "atol": np.asarray(atol).tolist(),
    }  # fmt: skip
    given = {**options, "events": events, "t_eval": t_eval, "method": method, "rtol": rtol_vector, "atol": atol_vector}
    return stream.Stream(store, stream_layout.problem(fun, state, args, given), layout, about, fun, args, resume)
