"""Integrations of the systems that adjoints solve: how they are called, and what went wrong, in sentences."""

import numpy as np

from ..solution import Retcode, describe
from ..solvers.integrate import integrate
from ..solvers.methods import METHODS
from ..solvers.problem import Kernels
from . import blocks as B
from .coupled_equations import batch_value, pack
from .coupled_jacobian import batch_jacobian
from .sweeps import SolveError


def require_plain(method):
    """Refuse the name of a method for special systems: it would look for kernels that others do not have."""
    if METHODS[method].expansion:
        raise ValueError(
            f"method={method!r} is for the solution alone: its series follows from the formula of a Python function, and there is none "
            "of a network or of an adjoint; vern9 and dop853 are explicit methods of high order for all"
        )
    if METHODS[method].separable or METHODS[method].hamiltonian:
        raise ValueError(
            f"method={method!r} is for systems of positions and momenta only, see odekit.second_order and odekit.hamiltonian; "
            "implicit_midpoint, gauss4 and gauss6 are symplectic for all"
        )


def solve(address, p, span, start, method, rtol, atol, jacobian=None, form=None, **options):
    """Integrate one of the systems of `odekit.adjoint.coupled_equations`.

    Parameters
    ----------
    address : int
        Of its kernel.
    p : ndarray
        Its vector.
    span : (float, float)
    start : ndarray, (m,)
    method : str
    rtol, atol : float or ndarray, (m,)
    jacobian : callable, optional
        As in `odekit.solvers.problem.Kernels`.
    form : dict, optional
        What else the system is: ``velocity`` and ``force``, or ``binding``, of `odekit.solvers.problem.Kernels`.
    **options
        See `odekit.solvers.integrate.integrate`.

    Returns
    -------
    odekit.solvers.trajectory.Trajectory

    Raises
    ------
    ValueError
        For a method that needs a `form` which is not given.
    SolveError
        If the end is not reached.
    KeyboardInterrupt
    """
    if form is None:
        require_plain(method)
    kernels = Kernels(address, p, **(form or {}))
    if jacobian is not None:
        kernels.jacobian = jacobian
    tolerances = (np.broadcast_to(np.asarray(x, dtype=float), start.shape).copy() for x in (rtol, atol))
    trajectory = integrate(kernels, span, start, (METHODS[method],), *tolerances, **options)
    if trajectory.retcode == Retcode.INTERRUPTED:
        raise KeyboardInterrupt
    if trajectory.retcode < 0:
        place = {"t": trajectory.t, "h": trajectory.h, "component": ""}
        what = {"culprit": "vector field", "error": "an exception", "max_steps": options.get("max_steps")}
        raise SolveError(describe(trajectory.retcode, **place, **what))
    return trajectory


def without(size, part, rtol, atol):
    """Tolerances under which only the first `part` of `size` numbers counts in the error: the seminorm of Kidger et al. (2021).

    The norm is a mean over all components: those that do not count make it smaller, which is undone here.

    Returns
    -------
    rtol, atol : ndarray, (size,)
    """
    scale = np.sqrt(part / size)
    return np.full(size, rtol * scale), np.concatenate((np.full(part, atol * scale), np.full(size - part, np.inf)))


def _block(field, width, method):
    """States that a call of the field's kernels takes: one, where the derivatives in time of several would be one sum."""
    one = METHODS[method].time_derivative and not getattr(field, "lane_times", False)
    return 1 if one else min(width, B.LANE_BLOCK)


def trajectories(field, y0, t, method, rtol, atol, first_step=None, max_steps=100_000, **options):
    """A batch as one system, by any method that needs no separable system.

    Parameters
    ----------
    field : object
        See `odekit.adjoint.tape`.
    y0 : ndarray, (B, d)
    t : ndarray, (T,)
        Output times, the start first.
    method : str
    rtol, atol : float
    first_step : float or None
    max_steps : int
    **options
        See `odekit.solvers.integrate.integrate`.

    Returns
    -------
    y : ndarray, (T, B, d)
    trajectory : odekit.solvers.trajectory.Trajectory

    Raises
    ------
    SolveError
        If the end is not reached.
    """
    width, d = y0.shape
    p, _ = pack(field, width, _block(field, width, method))
    start = y0.ravel().copy()
    trajectory = solve(
        batch_value(), p, (t[0], t[-1]), start, method, rtol, atol, batch_jacobian(field, width), t_eval=t[1:], max_steps=max_steps,
        first_step=first_step or 0.0, **options,
    )  # fmt: skip
    outputs = np.concatenate((start[None], trajectory.outputs))
    return outputs.reshape(-1, width, d), trajectory
