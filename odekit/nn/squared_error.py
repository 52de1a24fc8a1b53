"""The mean squared error of trajectories and its gradient: compiled as a whole where nothing of somebody's own is in it."""

import numpy as np

from ..adjoint import DiscreteAdjoint
from . import checks


def checked(model, y0, t, target):
    """Training data as arrays (B, d), (T,) and (T, B, d)."""
    target = checks.shaped("target", target, (np.size(t), *np.shape(y0)))
    return (
        checks.finite_array("y0", model._padded(y0)[0]),
        checks.times(t),
        target if target.ndim == 3 else target[:, None],
    )


def is_compiled(model):
    """Whether the loss and its gradient are one compiled call: for shared explicit steps, without anything of somebody's own."""
    own = [next(cls for cls in type(model).__mro__ if name in vars(cls)) for name in ("gradient", "_padded")]
    adjoint = model._adjoint
    return (
        own[0] is own[1] and type(adjoint) is DiscreteAdjoint and adjoint.checkpoints is None and not model._terms.by_kind
        and model.step_control == "shared"
    )  # fmt: skip


def gradient(model, y0, t, target, idle):
    """The loss of a model, with its regularisers, and its derivatives with respect to the parameters and to the initial states.

    Parameters
    ----------
    model : NeuralODE
    y0 : array_like, (d,) or (B, d)
    t : array_like, (T,)
    target : array_like, (T, d) or (T, B, d)
    idle : dict
        Compiled steps that nobody uses at the moment: the last ones, which threads take from each other.

    Returns
    -------
    loss : float
    params_bar : ndarray, (n_params,)
    y0_bar : ndarray, (B, d)
    """
    start, t, wanted = checked(model, y0, t, target)
    if not is_compiled(model):
        return _composed(model, y0, t, wanted)
    key = len(start), t.size, wanted.shape[2]
    steps = idle.pop(key, None)
    if steps is None or steps.field is not model.field:
        steps = model.trajectory_steps(*key)
    loss, params, y0_bar = steps.evaluate((model.rtol, model.atol, model.first_step), t, start, wanted, model.params)
    idle.clear()
    idle[key] = steps
    return loss, params, y0_bar[:, : key[2]]


def _composed(model, y0, t, target):
    """The same from the trajectories of any adjoint."""
    loss = 0.0

    def cotangent(ys):
        nonlocal loss
        residual = ys - target
        loss = float(np.square(residual).sum()) / residual.size
        residual *= 2.0 / residual.size
        return residual

    g, penalty = model.regularised_gradient(y0, t, cotangent)
    return loss + penalty, g.params, g.y0
