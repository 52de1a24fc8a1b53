"""Trajectories of a field for a batch of initial states, with odekit's own integrators and shared steps."""

import numpy as np

from ..solution import Retcode, describe
from ..solvers.integrate import integrate
from ..solvers.methods import METHODS
from ..solvers.problem import Kernels
from ..solvers.tables import EXPLICIT

MAX_STEPS = 100_000


class SolveError(RuntimeError):
    """A rollout did not reach its end; the message says where and why."""


def integrate_lanes(field, y0, t, method, rtol, atol, first_step=None, keep_states=False):
    """Integrate a batch as one system with y[d, B], the error measured over all of it.

    Parameters
    ----------
    field : object
        With `kernels` and `pack`, see `odekit.nn.field_kernels`.
    y0 : ndarray, (B, d)
    t : ndarray, (T,)
        Output times; the first is the start.
    method : str
        An explicit method.
    rtol, atol : float
    first_step : float or None
    keep_states : bool
        Whether the states at all steps are wanted.

    Returns
    -------
    outputs : ndarray, (T, d * B)
        States at `t`, each [d, B] in C order.
    trajectory : odekit.solvers.trajectory.Trajectory

    Raises
    ------
    SolveError
        If the integration stops before the last time.
    """
    start = np.ascontiguousarray(y0.T).ravel()
    kernels = Kernels(field.kernels.value, field.pack(len(y0)))
    trajectory = integrate(
        kernels, (t[0], t[-1]), start, (METHODS[method],), np.full(start.size, rtol), np.full(start.size, atol),
        t_eval=t[1:], keep_states=keep_states, max_steps=MAX_STEPS, first_step=0.0 if first_step is None else first_step,
    )  # fmt: skip
    if trajectory.retcode == Retcode.INTERRUPTED:
        raise KeyboardInterrupt
    if trajectory.retcode < 0:
        place = {"t": trajectory.t, "h": trajectory.h, "component": trajectory.component}
        message = describe(
            trajectory.retcode, max_steps=MAX_STEPS, culprit="vector field", error="an exception", **place
        )
        raise SolveError(message)
    return np.concatenate((start[None], trajectory.outputs)), trajectory


def explicit_methods():
    """Names of the methods that `integrate_lanes` takes."""
    return list(EXPLICIT)
