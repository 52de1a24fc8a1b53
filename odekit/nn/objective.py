"""What is asked of trajectories: where they start, what their loss is, and how they are computed."""

import dataclasses
import functools
from typing import Any

import numpy as np

from ..adjoint import DiscreteAdjoint
from . import checks
from .losses import SQUARED_ERROR, Loss
from .trajectory_steps import TrajectorySteps


@dataclasses.dataclass(slots=True)
class Objective:
    """A loss of the trajectories of some data.

    Attributes
    ----------
    solver : NeuralODE
        Gives method, tolerances and adjoint.
    field : object
        Of the trajectories: that of the solver, or one of which it is a part.
    y0 : ndarray, (B, d)
    t : ndarray, (T,)
        Output times, before any of them is drawn at random.
    target : ndarray, (S, B, k)
        Wanted first components at the last S times.
    loss : Loss
    share : float
        Share of the field's components that count for the error.
    """

    solver: Any
    field: Any
    y0: np.ndarray
    t: np.ndarray
    target: np.ndarray
    loss: Loss
    share: float = 1.0

    @property
    def settings(self):
        """rtol, atol, and the first step or None."""
        return *self.solver._tolerances(self.share), self.solver.first_step

    def steps(self, width):
        """New compiled steps for batches of `width` trajectories."""
        sweeps = self.solver._adjoint.sweeps(self.field, self.solver.method, width)
        return TrajectorySteps(self.field, sweeps, self.t.size, *self.target.shape[::2])

    def evaluate(self, t):
        """The loss and its derivatives with output times t (T,), in one compiled call.

        Returns
        -------
        loss : float
        params_bar : ndarray, (n_params,)
        y0_bar : ndarray, (B, d)

        Raises
        ------
        SolveError
        """
        idle, key = self.solver._idle, (len(self.y0), t.size, *self.target.shape[::2])
        steps = idle.pop(key, None)  # so that no other thread uses them
        if steps is None or steps.field is not self.field:
            steps = self.steps(len(self.y0))
        found = steps.evaluate(self, t, self.solver.params)
        idle.clear()
        idle[key] = steps
        return found


def squared_error(model, y0, t, target):
    """The objective of a `NeuralODE`: the mean squared error of training data, and the energies of its terms."""
    target = checks.shaped("target", target, (np.size(t), *np.shape(y0)))
    target = target if target.ndim == 3 else target[:, None]
    start, t = checks.finite_array("y0", model._padded(y0)[0]), checks.times(t)
    field, terms = model.field, model._terms
    if not terms.energies:
        return Objective(model, field, start, t, target, SQUARED_ERROR)
    traced = terms.traced(field)
    return Objective(
        model, traced, terms.start(traced, start), t, target, terms.loss(traced), traced.counted / traced.dim
    )


def is_compiled(model):
    """Whether objectives of a `NeuralODE` can be evaluated: for shared explicit steps, without anything of somebody's own."""
    adjoint = model._adjoint
    return (
        not _has_own_gradient(type(model)) and type(adjoint) is DiscreteAdjoint and adjoint.checkpoints is None
        and model.step_control == "shared"
    )  # fmt: skip


@functools.cache
def _has_own_gradient(cls):
    """Whether a class has changed gradients otherwise than for the sake of its initial states."""
    definers = {
        name: [base for base in cls.__mro__ if name in vars(base)]
        for name in ("gradient", "_padded", "_regularised", "regularised_gradient")
    }
    if len(definers.pop("regularised_gradient")) > 1:
        return True
    return len({bases[0] for bases in definers.values()}) > 1
