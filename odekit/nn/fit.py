"""The training loop, the same for every model."""

import dataclasses
import time
from typing import Any

import numpy as np

from ..adjoint import SolveError
from . import checkpoint, checks
from .batches import Batches
from .inner_loop import InnerLoop, applies, clipped_norm
from .lbfgs import minimise
from .optimizers import LBFGS, Adam
from .training_bar import training_bar

#: Loss of a trial of L-BFGS at which there is none, relative to the last one.
FAILED_TRIAL = 10.0
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


def fit(
    model, *data, optimizer=None, steps=1000, batch_size=None, rng=None, clip_norm=None, validation=None,
    validate_every=10, patience=None, checkpoint_path=None, checkpoint_every=100, resume=False, progress=False,
    callback=None, state=None, **named,
):  # fmt: skip
    """Train a model by a gradient method.

    Parameters
    ----------
    model : NeuralODE, HNN or DerivativeModel
        Anything with `params`, ``loss_and_grad(*data)``, ``samples(*data)`` and ``select(rows, *data)``. Its parameters
        are changed in place. A model with a method ``draw(rng)`` gets the generator before each step.
    *data, **named
        What the model's `loss_and_grad` takes: (y0, t, target) or (x, dxdt).
    optimizer : Adam, AdamW, Adamax, RMSprop or LBFGS, optional
        ``Adam(1e-3)`` by default. `LBFGS` takes all data in each step.
    steps : int
        Updates.
    batch_size : int, optional
        Trajectories, or samples, per step: every epoch goes once through all of them in random order. All by default.
    rng : None, int or numpy.random.Generator
        Source of that order; the same seed gives the same bits.
    clip_norm : float, optional
        A gradient that is longer is shortened to this length.
    validation : tuple, optional
        Data like `data` on which the loss is computed, too; at the end the model has the parameters that were best there.
    validate_every : int
        Steps between two validations.
    patience : int, optional
        Training ends after so many validations in a row without a lower loss.
    checkpoint_path : path-like, optional
        An HDF5 file that the state of the training is written to, every `checkpoint_every` steps and at the end.
    checkpoint_every : int
    resume : bool
        Whether to go on from that file, if it exists, to the same bits as without an interruption.
    progress : bool
        Show a progress bar.
    callback : callable, optional
        ``callback(step, loss, model)`` before each update; training ends early if it returns True.
    state : object, optional
        `History.state` of an earlier training, to go on from there.

    Returns
    -------
    History
        After Ctrl-C too: the parameters are then those of the last complete update.

    Raises
    ------
    TrainingError
        If a loss or gradient is not finite, or a trajectory fails; the parameters are then those of the last good step. `LBFGS`
        shortens its step there, and fails only at the start.
    OdekitFileError
        If the file to go on from is damaged, or of another training.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> x = np.random.default_rng(0).uniform(-1, 1, (64, 2))
    >>> model = odekit.nn.HNN(odekit.nn.MLP([2, 16, 1], rng=0))
    >>> history = odekit.nn.fit(model, x, x[:, ::-1] * [1, -1], optimizer=odekit.nn.Adam(1e-2), steps=200, rng=0)
    >>> bool(history.loss[-1] < 0.1 * history.loss[0])
    True
    """
    data = _in_order(model, data, named)
    optimizer = Adam() if optimizer is None else optimizer
    steps = checks.count("steps", steps)
    total = model.samples(*data)
    if batch_size is not None and not checks.count("batch_size", batch_size) <= total:
        raise ValueError(f"batch_size must be at most {total}, the number of samples, but it is {batch_size}")
    if clip_norm is not None:
        checks.positive("clip_norm", clip_norm)
    if patience is not None:
        checks.count("patience", patience)
        if validation is None:
            raise ValueError("patience needs validation=(...): data on which to look for a lower loss")
    checks.count("validate_every", validate_every)
    checks.count("checkpoint_every", checkpoint_every)
    if resume and checkpoint_path is None:
        raise ValueError("resume=True needs checkpoint_path=...: the file to go on from")
    if isinstance(optimizer, LBFGS):
        if batch_size is not None or checkpoint_path is not None or validation is not None:
            raise ValueError("LBFGS takes all data in each step: without batch_size, validation and checkpoint_path")
        return _fit_lbfgs(model, data, optimizer, steps, progress, callback)
    batches = Batches(total, batch_size, np.random.default_rng(rng))
    watch = None if validation is None else _Validation(model, tuple(validation), validate_every, patience)
    state = optimizer.init(model.params) if state is None else state
    training = _Training(model, data, optimizer, state, batches, clip_norm, watch)
    if checkpoint_path is not None:
        training.keep_in(checkpoint_path, checkpoint_every, resume)
    return training.run(steps, progress, callback)


class _Training:
    """One training: everything that a checkpoint has to hold, and the loop."""

    def __init__(self, model, data, optimizer, state, batches, clip_norm, watch):
        self.model, self.data, self.optimizer, self.state = model, data, optimizer, state
        self.batches, self.clip_norm, self.watch = batches, clip_norm, watch
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
                if callback is None and not done and applies(self.model, self.optimizer):
                    self._run_compiled(steps, show, start)
                    done = True
                for step in range(len(self.losses), 0 if done else steps):
                    loss, grad = self._evaluate(step)
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

    def _run_compiled(self, steps, show, start):
        """The same by the compiled loop, which stops where something has to be done in Python; to the same bits."""
        loop = InnerLoop(self.model, self.data, self.optimizer, self.batches.size or self.batches.total, self.clip_norm)
        while len(self.losses) < steps:
            step = len(self.losses)
            ends = [steps]
            if self.path is not None:
                ends.append(self.every * (step // self.every + 1))
            if self.watch is not None:
                ends.append(self.watch.every * (step // self.watch.every + 1))
            last = self.watch is not None and self.watch.look(step)
            losses, norms, rates, failed = loop.run(
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
            if failed is not None:  # evaluated once more, for the sentence that belongs to it
                batch = self.data if self.batches.size is None else self.model.select(failed, *self.data)
                _loss_and_grad(self.model, batch, step + losses.size, self.good, REMEDY)
            if loop.interrupted:
                raise KeyboardInterrupt
            if last:
                return
            if self.path is not None and len(self.losses) % self.every == 0:
                self.write()

    def _evaluate(self, step):
        """Loss and gradient, or a clear end with the last good parameters."""
        model = self.model
        rows = self.batches.next()
        batch = self.data if rows is None else model.select(rows, *self.data)
        if hasattr(model, "draw"):
            model.draw(self.batches.rng)
        return _loss_and_grad(model, batch, step, self.good, REMEDY)

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


class _Validation:
    """Losses on other data, and the parameters that were best there."""

    def __init__(self, model, data, every, patience):
        self.model, self.data, self.every, self.patience = model, data, every, patience
        self.seen, self.best = [], model.params.copy()

    @property
    def exhausted(self):
        """Whether patience is at its end."""
        losses = [loss for _, loss in self.seen]
        return self.patience is not None and bool(losses) and len(losses) - 1 - int(np.argmin(losses)) >= self.patience

    def look(self, step):
        """Validate if it is time; whether to end."""
        if step % self.every:
            return False
        loss = float(self.model.loss_and_grad(*self.data)[0])
        if not self.seen or loss < min(other for _, other in self.seen):
            self.best[:] = self.model.params
        self.seen.append((step, loss if np.isfinite(loss) else np.inf))
        return self.exhausted

    def restore(self, seen, best):
        """Go back to what a checkpoint holds."""
        self.seen = [(int(step), float(loss)) for step, loss in seen.reshape(-1, 2)]
        self.best[:] = best

    def finish(self, interrupted):
        """All losses and the best step; the model gets the best parameters."""
        if not self.seen:
            return np.empty((0, 2)), None
        if not interrupted:
            self.model.params[:] = self.best
        return np.array(self.seen), int(min(self.seen, key=lambda entry: entry[1])[0])


def _loss_and_grad(model, batch, step, good, remedy):
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


def _fit_lbfgs(model, data, optimizer, steps, progress, callback):
    start, good = time.perf_counter(), model.params.copy()
    losses, seconds, interrupted = [], [], False

    last = None

    def evaluate(params):
        nonlocal last
        model.params[:] = params
        try:
            last = _loss_and_grad(model, data, len(losses), good, "scale the data")
        except TrainingError:
            if last is None:
                raise
            # a trial of the line search, not a step: a high loss there makes it try a shorter one
            return abs(last[0]) * FAILED_TRIAL + 1.0, last[1]
        return last

    with training_bar(progress, steps) as show:

        def report(params, loss):
            good[:] = model.params[:] = params
            losses.append(loss)
            seconds.append(time.perf_counter() - start)
            show(len(losses) - 1, loss)
            return callback is not None and callback(len(losses) - 1, loss, model)

        try:
            minimise(evaluate, model.params.copy(), optimizer, steps, report)
        except KeyboardInterrupt:
            interrupted = True
    model.params[:] = good
    return History(np.arange(len(losses)), np.array(losses), np.array(seconds), None, interrupted)


def _in_order(model, data, named):
    """Positional and named data as the positional arguments of `loss_and_grad`."""
    if not named:
        return data
    import inspect

    try:
        return inspect.signature(model.loss_and_grad).bind(*data, **named).args
    except TypeError as error:
        raise TypeError(f"the data of {type(model).__name__}: {error}") from None
