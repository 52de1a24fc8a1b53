"""The loop of a training, what it leaves, and how it fails."""

import dataclasses
import time
from typing import Any

import numpy as np

from ..adjoint import SolveError
from . import checkpoint
from .clipping import clipped_norm
from .inner_loop import InnerLoop, steps_of
from .training_bar import training_bar

REMEDY = "lower the learning rate, or scale the data"


class TrainingError(FloatingPointError):
    """Training cannot go on: the loss, or a gradient, is not finite, or a trajectory cannot be computed."""


@dataclasses.dataclass
class History:
    """How a training went.

    Attributes
    ----------
    step : ndarray of int, (n,)
    loss : ndarray, (n,)
        Loss of each step's batch before its update.
    time : ndarray, (n,)
        Seconds since the start.
    state : object
        State of the optimiser after the last update; give it to `fit` to go on.
    interrupted : bool
        Whether Ctrl-C ended the training.
    validation : ndarray, (m, 2)
        Step and loss of each validation.
    best_step : int or None
        Step of the validation with the lowest loss, whose parameters the model has.
    lr : ndarray, (n,)
        Learning rate of each step; empty with `LBFGS`.
    grad_norm : ndarray, (n,)
        Euclidean norm of each step's gradient, before it is shortened; empty with `LBFGS`.
    """

    step: np.ndarray
    loss: np.ndarray
    time: np.ndarray
    state: Any = None
    interrupted: bool = False
    validation: np.ndarray = dataclasses.field(default_factory=lambda: np.empty((0, 2)))
    best_step: int | None = None
    lr: np.ndarray = dataclasses.field(default_factory=lambda: np.empty(0))
    grad_norm: np.ndarray = dataclasses.field(default_factory=lambda: np.empty(0))

    def __repr__(self):
        if not self.loss.size:
            return "<History: no steps>"
        ending = ", interrupted" if self.interrupted else ""
        best = "" if self.best_step is None else f", best validation at step {self.best_step}"
        return (
            f"<History: {self.loss.size} steps, loss {self.loss[0]:.3e} to {self.loss[-1]:.3e} in {self.time[-1]:.1f} s"
            f"{best}{ending}>"
        )


class Training:
    """One training: everything that a checkpoint has to hold, and the loop."""

    def __init__(self, model, data, optimizer, state, batches, clip_norm, fixed, watch):
        self.model, self.data, self.optimizer, self.state = model, data, optimizer, state
        self.batches, self.clip_norm, self.fixed, self.watch = batches, clip_norm, fixed, watch
        self.good = model.params.copy()
        self.losses, self.seconds, self.rates, self.norms = [], [], [], []
        self.path, self.every = None, 0

    def run(self, steps, progress, callback):
        """Train until so many steps are made, all in all."""
        params, interrupted = self.model.params, False
        start = time.perf_counter() - (self.seconds[-1] if self.seconds else 0.0)
        done = self.watch is not None and self.watch.exhausted
        with training_bar(progress, steps) as show:
            try:
                compiled = None
                if callback is None and not done and len(self.losses) < steps:
                    size = self.batches.size or self.batches.total
                    compiled = steps_of(self.model, self.data, self.optimizer, size)
                if compiled is not None:
                    loop = InnerLoop(compiled, self.optimizer, self.clip_norm, self.fixed)
                    self._run_compiled(loop, steps, show, start)
                    done = True
                for step in range(len(self.losses), 0 if done else steps):
                    loss, grad = self._evaluate(step)
                    grad[self.fixed] = 0.0
                    self.norms.append(clipped_norm(grad, np.inf))
                    self.rates.append(self.optimizer.rate(self.state.step))
                    self.losses.append(loss)
                    self.seconds.append(time.perf_counter() - start)
                    show(step, loss)
                    if callback is not None and callback(step, loss, self.model):
                        break
                    if self.watch is not None and self.watch.look(step):
                        break
                    self.good[:] = params
                    if self.clip_norm is not None:
                        clipped_norm(grad, self.clip_norm)
                    self.optimizer.update(params, grad, self.state)
                    params[self.fixed] = self.good[self.fixed]  # weight decay moves them, too
                    if self.path is not None and (step + 1) % self.every == 0:
                        self.write()
            except KeyboardInterrupt:
                interrupted = True
                del self.losses[len(self.seconds) :]
        if self.path is not None and not interrupted and len(self.losses) % self.every:
            self.write()
        validation, best_step = np.empty((0, 2)), None
        if self.watch is not None:
            validation, best_step = self.watch.finish(interrupted)
        return History(
            np.arange(len(self.losses)), np.array(self.losses), np.array(self.seconds), self.state, interrupted,
            validation, best_step, np.array(self.rates[: len(self.losses)]), np.array(self.norms[: len(self.losses)]),
        )  # fmt: skip

    def _run_compiled(self, loop, steps, show, start):
        """The same by the compiled loop, which stops where something has to be done in Python; to the same bits."""
        while len(self.losses) < steps:
            step = len(self.losses)
            ends = [steps]
            if self.path is not None:
                ends.append(self.every * (step // self.every + 1))
            if self.watch is not None:
                ends.append(self.watch.every * (step // self.watch.every + 1))
            loop.choose(self.batches)  # the validation is one with the random numbers of its step
            last = self.watch is not None and self.watch.look(step)
            losses, norms, rates, rows, failed = loop.run(
                self.batches, 1 if last else min(ends) - step, self.state, self.good, not last
            )
            now = time.perf_counter() - start
            before = self.seconds[-1] if self.seconds else 0.0
            self.losses += losses.tolist()
            self.norms += norms.tolist()
            self.rates += rates.tolist()
            self.seconds += np.linspace(before, now, losses.size + 1)[1:].tolist()
            for i, loss in enumerate(losses):
                show(step + i, loss)
            if failed:  # evaluated once more, for the sentence that belongs to it
                step += losses.size
                loss_and_grad(self.model, self._batch(rows), step, self.good, REMEDY)
                self.model.params[:] = self.good
                raise TrainingError(
                    f"step {step}: the gradient is longer than any number. The parameters are those of the last good step; {REMEDY}."
                )
            if loop.interrupted:
                raise KeyboardInterrupt
            if last:
                return
            if self.path is not None and len(self.losses) % self.every == 0:
                self.write()

    def _batch(self, rows):
        """The data of some rows, or all."""
        return self.data if rows is None else self.model.select(rows, *self.data)

    def _evaluate(self, step):
        """Loss and gradient, or a clear end with the last good parameters."""
        model = self.model
        batch = self._batch(self.batches.next())
        if hasattr(model, "draw"):
            model.draw(self.batches.rng)
        return loss_and_grad(model, batch, step, self.good, REMEDY)

    # on disk -----------------------------------------------------------------------------------------------------------

    def keep_in(self, path, every, resume):
        """Write checkpoints to a file; first go on from it, if wanted."""
        self.path, self.every = path, every
        self.identity = {
            "model": repr(self.model),
            "optimizer": repr(self.optimizer),
            "n_params": int(self.model.params.size),
            "samples": int(self.batches.total),
            "batch_size": int(self.batches.size or 0),
        }
        if self.fixed.any():
            self.identity["fixed"] = int(self.fixed.sum())
        arrays = checkpoint.load(path, self.identity, self.batches) if resume else None
        if arrays is None:
            return
        self.model.params[:] = arrays["params"]
        self.good[:] = arrays["params"]
        self.losses, self.seconds = arrays["loss"].tolist(), arrays["seconds"].tolist()
        self.rates, self.norms = arrays["lr"].tolist(), arrays["grad_norm"].tolist()
        self.state.step = len(self.losses)
        for name in self.state.arrays:
            self.state.arrays[name][:] = arrays[f"state_{name}"]
        if self.watch is not None and "validation" in arrays:
            self.watch.restore(arrays["validation"], arrays["best"])

    def write(self):
        """Write the checkpoint."""
        arrays = {"params": self.model.params, "loss": np.array(self.losses), "seconds": np.array(self.seconds)}
        arrays |= {"lr": np.array(self.rates), "grad_norm": np.array(self.norms)}
        arrays |= {f"state_{name}": array for name, array in self.state.arrays.items()}
        if self.watch is not None and self.watch.seen:
            arrays |= {"validation": np.array(self.watch.seen).ravel(), "best": self.watch.best}
        checkpoint.save(self.path, self.identity, arrays, self.batches)


def loss_and_grad(model, batch, step, good, remedy):
    """Loss and gradient; where there is none, a clear end, with the last good parameters."""
    try:
        loss, grad = model.loss_and_grad(*batch)
    except SolveError as error:
        model.params[:] = good
        raise TrainingError(f"step {step}: {error} The parameters are those of the last good step.") from error
    if not (np.isfinite(loss) and np.all(np.isfinite(grad))):
        model.params[:] = good
        what = f"the loss is {loss}" if not np.isfinite(loss) else "the gradient is not finite"
        raise TrainingError(f"step {step}: {what}. The parameters are those of the last good step; {remedy}.")
    return loss, grad
