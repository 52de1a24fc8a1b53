"""The training loop, the same for every model."""

import contextlib
import dataclasses
import sys
import time
from typing import Any

import numpy as np

from . import checks
from .optimizers import Adam
from .rollout import SolveError


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
    """

    step: np.ndarray
    loss: np.ndarray
    time: np.ndarray
    state: Any = None
    interrupted: bool = False

    def __repr__(self):
        if not self.loss.size:
            return "<History: no steps>"
        ending = ", interrupted" if self.interrupted else ""
        return f"<History: {self.loss.size} steps, loss {self.loss[0]:.3e} to {self.loss[-1]:.3e} in {self.time[-1]:.1f} s{ending}>"


def fit(
    model, *data, optimizer=None, steps=1000, batch_size=None, rng=None, progress=False, callback=None, state=None, **named
):  # fmt: skip
    """Train a model by a stochastic gradient method.

    Parameters
    ----------
    model : NeuralODE, HNN or DerivativeModel
        Anything with `params`, ``loss_and_grad(*data)``, ``samples(*data)`` and ``select(rows, *data)``. Its parameters
        are changed in place.
    *data, **named
        What the model's `loss_and_grad` takes: (y0, t, target) or (x, dxdt).
    optimizer : Adam, optional
        ``Adam(1e-3)`` by default.
    steps : int
        Updates.
    batch_size : int, optional
        Trajectories, or samples, per step: every epoch goes once through all of them in random order. All by default.
    rng : None, int or numpy.random.Generator
        Source of that order; the same seed gives the same bits.
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
        If a loss or gradient is not finite, or a trajectory fails; the parameters are then those of the last good step.

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
    batches = _batches(total, batch_size, np.random.default_rng(rng))
    params = model.params
    state = optimizer.init(params) if state is None else state
    good = params.copy()
    losses, seconds, interrupted = [], [], False
    start = time.perf_counter()
    with _bar(progress, steps) as show:
        try:
            for step in range(steps):
                rows = next(batches)
                loss, grad = _evaluate(model, data if rows is None else model.select(rows, *data), step, good)
                losses.append(loss)
                seconds.append(time.perf_counter() - start)
                show(step, loss)
                if callback is not None and callback(step, loss, model):
                    break
                good[:] = params
                optimizer.update(params, grad, state)
        except KeyboardInterrupt:
            interrupted = True
    return History(np.arange(len(losses)), np.array(losses), np.array(seconds[: len(losses)]), state, interrupted)


def _in_order(model, data, named):
    """Positional and named data as the positional arguments of `loss_and_grad`."""
    if not named:
        return data
    import inspect

    try:
        return inspect.signature(model.loss_and_grad).bind(*data, **named).args
    except TypeError as error:
        raise TypeError(f"the data of {type(model).__name__}: {error}") from None


def _batches(total, size, rng):
    """Rows of one batch after the other, without end; None: all rows."""
    if size is None:
        while True:
            yield None
    while True:
        order = rng.permutation(total)
        for start in range(0, total, size):
            yield np.sort(order[start : start + size])


def _evaluate(model, batch, step, good):
    """Loss and gradient, or a clear end with the last good parameters."""
    try:
        loss, grad = model.loss_and_grad(*batch)
    except SolveError as error:
        model.params[:] = good
        raise TrainingError(f"step {step}: {error} The parameters are those of the last good step.") from error
    if not (np.isfinite(loss) and np.all(np.isfinite(grad))):
        model.params[:] = good
        what = f"the loss is {loss}" if not np.isfinite(loss) else "the gradient is not finite"
        raise TrainingError(
            f"step {step}: {what}. The parameters are those of the last good step; lower the learning rate, or scale the data."
        )
    return loss, grad


@contextlib.contextmanager
def _bar(wanted, steps):
    """``show(step, loss)``: by tqdm if it is installed, else on a plain line."""
    if not wanted:
        yield lambda step, loss: None
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:

        def line(step, loss):
            if step % max(1, steps // 100) == 0 or step == steps - 1:
                print(f"\rstep {step + 1} of {steps}, loss {loss:.3e}", end="", file=sys.stderr, flush=True)

        yield line
        print(file=sys.stderr)
        return
    with tqdm(total=steps, unit="step") as display:

        def show(step, loss):
            display.set_postfix_str(f"loss {loss:.3e}", refresh=False)
            display.update()

        yield show
