"""Trajectories of learned systems by methods that ask for more than a vector field: a form that the system must have."""

import numpy as np

from ..adjoint import coupled
from ..solvers.methods import METHODS
from . import checks

MAX_STEPS = 10_000_000


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
    y0, batched = checks.batch("y0", y0, field.dim)
    y0, t = checks.finite_array("y0", y0), checks.times(t)
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
    width, d = y0.shape
    start = y0.T.ravel().copy()
    trajectory = coupled.solve(
        field.kernels.value, field.pack(width), (t[0], t[-1]), start, method, 1.0, 1.0, form=form, t_eval=t[1:],
        max_steps=MAX_STEPS, first_step=first_step,
    )  # fmt: skip
    outputs = np.concatenate((start[None], trajectory.outputs))
    ys = np.ascontiguousarray(outputs.reshape(-1, d, width).transpose(0, 2, 1))
    return ys if batched else ys[:, 0]
