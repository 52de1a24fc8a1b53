"""The exact state of an integration between two steps, to go on from later: the steps that follow are the same to the bit."""

import math

import numpy as np

from . import preparation
from . import state as S


def take(run):
    """Take a checkpoint.

    Parameters
    ----------
    run : odekit.solvers.integrate.Integration

    Returns
    -------
    dict of ndarray
        For `restore`; the steps that follow are the same to the last bit.
    """
    fired = np.array([run.fired.get(k, (math.nan, 0)) for k in range(run.kernels.directions.size)])
    return {"iw": run.iw.copy(), "w": run.w.copy(), "stops": np.array(run.stops), "fired": fired.reshape(-1, 2)}


def restore(run, state):
    """Go on from a checkpoint, of this integration or of one made alike.

    Parameters
    ----------
    run : odekit.solvers.integrate.Integration
    state : dict of ndarray

    Raises
    ------
    ValueError
        If it belongs to another kind of problem.
    """
    sizes = [S.N, S.DEGREE, S.P_SIZE]
    alike = set(state) == {"iw", "w", "stops", "fired"} and state["iw"].size >= S.IW_HEADER
    alike = alike and (state["iw"][sizes] == run.iw[sizes]).all()
    if alike:
        preparation.prepare_for(run, state["iw"])
    if not alike or state["iw"].size != run.iw.size:
        raise ValueError("the state is of an integrator with another problem or method")
    if state["iw"][S.W_SIZE] != state["w"].size:
        raise ValueError("the state is damaged: its arrays do not fit together")
    run.iw[:] = state["iw"]
    run.w = state["w"].copy()
    run.view_vectors()
    if run.structure is not None:
        run.structure.forget()
    run.stops = state["stops"].tolist()
    run.fired = {k: (float(t), int(step)) for k, (t, step) in enumerate(state["fired"]) if not math.isnan(t)}
