"""Many steps of a training in one compiled call: a step costs what its kernels cost.

A model gives the steps by `compiled_steps`, or None where it has none for its settings.
"""

import math
import time

import numpy as np

from .optimizers import Optimizer

#: Seconds of a compiled call: Ctrl-C is heard, and the progress bar moves, that often.
SECONDS = 0.05


def steps_of(model, data, optimizer, batch):
    """The compiled steps of a model, or None: no part of the training may be somebody's own.

    Parameters
    ----------
    model : object
    data : tuple
        What its `loss_and_grad` takes.
    optimizer : Optimizer
    batch : int
        Most samples in a step.

    Returns
    -------
    DerivativeSteps or TrajectoryTraining or None
    """
    if type(optimizer).update is not Optimizer.update:
        return None
    own = [
        next((cls for cls in type(model).__mro__ if name in vars(cls)), None)
        for name in ("loss_and_grad", "derivative_data")
    ]
    if own[1] is not None and own[0] is own[1] and not hasattr(model, "draw"):
        from .derivative_steps import DerivativeSteps

        return DerivativeSteps(model, data, batch)
    return model.compiled_steps(*data) if hasattr(model, "compiled_steps") else None


class InnerLoop:
    """The loop over the calls.

    Parameters
    ----------
    steps : object
        From `steps_of`.
    optimizer : Optimizer
    clip_norm : float or None
    fixed : ndarray of bool, (n_params,)
    """

    def __init__(self, steps, optimizer, clip_norm, fixed):
        self.steps, self.optimizer = steps, optimizer
        self.longest = math.inf if clip_norm is None else float(clip_norm)
        self.fixed = np.flatnonzero(fixed)
        self.length = 1  # steps of the next call
        self.chosen = []  # rows of its first ones
        self.interrupted = False

    def choose(self, batches):
        """Choose the batch of the next step, and draw what is random in it."""
        self.chosen.append(batches.next())
        self.steps.draw(batches.rng)

    def run(self, batches, limit, state, good, last_update=True):
        """At most `limit` steps, after `choose` for the first one; fewer if they would take long.

        Parameters
        ----------
        batches : odekit.nn.batches.Batches
        limit : int
        state : OptimizerState
        good : ndarray, (n_params,)
            Receives the parameters before the last update.
        last_update : bool

        Returns
        -------
        losses, norms, rates : ndarray
            Of each step; they end where something has failed.
        rows : ndarray of int or None
            Samples of the step that failed, or None for all.
        failed : bool
        """
        n, first = min(limit, self.length), self.chosen[0]
        size = batches.total if first is None else first.size
        while len(self.chosen) < n and not (self.steps.one_width and batches.next_size() != size):
            self.choose(batches)
        n, chosen, self.chosen = len(self.chosen), self.chosen, []
        rates = np.array([self.optimizer.rate(state.step + i) for i in range(n)])
        losses, norms, known = np.empty(n), np.empty(n), np.zeros(1, dtype=np.int64)
        begin = time.perf_counter()
        try:
            self.steps.run(
                chosen, self.optimizer, state, rates, self.longest, self.fixed, last_update, good, losses, norms, known
            )  # fmt: skip
        except KeyboardInterrupt:  # it arrives when the call is over: what was done has to be told first
            self.interrupted = True
        each = (time.perf_counter() - begin) / n
        self.length = max(1, min(2 * self.length, int(SECONDS / max(each, 1e-9))))
        done = int(known[0])
        state.step += done - (1 if done == n and not last_update else 0)
        failed = done < n and not self.interrupted
        return losses[:done], norms[:done], rates[:done], chosen[done] if failed else None, failed
