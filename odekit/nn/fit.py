"""`fit`: training, the same for every model."""

import inspect
import time

import numpy as np

from .. import _signatures
from . import checks
from .batches import Batches
from .lbfgs import minimise
from .optimizers import LBFGS, Adam, OptimizerState
from .training import History, Training, TrainingError, loss_and_grad
from .training_bar import training_bar
from .validation import Validation

#: Loss of a trial of L-BFGS at which there is none, relative to the last one.
FAILED_TRIAL = 10.0


def fit(
    model, *data, optimizer=None, steps=1000, batch_size=None, rng=None, clip_norm=None, fixed=None,
    validation=None, validate_every=10, patience=None, checkpoint_path=None, checkpoint_every=100, resume=False, progress=False,
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
    fixed : array_like of bool, (n_params,), optional
        Parameters that keep their values, such as the frequencies of a first layer of sines, or a network that another training has
        made; ``model.field.named(fixed)`` has views of it by layer.
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
    _check_model(model)
    data = _in_order(model, data, named, "")
    optimizer = Adam() if optimizer is None else _checked_optimizer(optimizer)
    steps = checks.count("steps", steps)
    total = model.samples(*data)
    if batch_size is not None and not checks.count("batch_size", batch_size) <= total:
        raise ValueError(f"batch_size must be at most {total}, the number of samples, but it is {batch_size}")
    if clip_norm is not None:
        checks.positive("clip_norm", clip_norm)
    fixed = _fixed(fixed, model.params.size)
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
        return _fit_lbfgs(model, data, optimizer, steps, fixed, progress, callback)
    if callback is not None:
        _check_callback(callback)
    if state is not None and not isinstance(state, OptimizerState):
        raise TypeError(f"state must be the state of the history of another training, but it is {state!r:.80}")
    batches = Batches(total, batch_size, checks.generator(rng))
    watch = None
    if validation is not None:
        if not isinstance(validation, (list, tuple)):
            raise TypeError(f"validation must be a tuple of data, but it is a {type(validation).__name__}")
        watch = Validation(model, _in_order(model, validation, {}, " (as validation)"), validate_every, patience)
    state = optimizer.init(model.params) if state is None else state
    training = Training(model, data, optimizer, state, batches, clip_norm, fixed, watch)
    if checkpoint_path is not None:
        training.keep_in(checkpoint_path, checkpoint_every, resume)
    return training.run(steps, progress, callback)


def _fixed(fixed, size):
    """Which parameters keep their values, as an array of bool."""
    if fixed is None:
        return np.zeros(size, dtype=bool)
    fixed = np.asarray(fixed)
    if fixed.dtype != bool or fixed.shape != (size,):
        raise ValueError(
            f"fixed must be an array of bool with shape ({size},), one for each parameter, but its dtype is {fixed.dtype} and its shape "
            f"{fixed.shape}"
        )
    return fixed


def _fit_lbfgs(model, data, optimizer, steps, fixed, progress, callback):
    start, good = time.perf_counter(), model.params.copy()
    losses, seconds, interrupted = [], [], False

    last = None

    def evaluate(params):
        nonlocal last
        model.params[:] = params
        try:
            last = loss_and_grad(model, data, len(losses), good, "scale the data")
        except TrainingError:
            if last is None:
                raise
            # a trial of the line search, not a step: a high loss there makes it try a shorter one
            return abs(last[0]) * FAILED_TRIAL + 1.0, last[1]
        last[1][fixed] = 0.0
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


def _in_order(model, data, named, where):
    """Positional and named data as the positional arguments of `loss_and_grad`."""
    signature = inspect.signature(model.loss_and_grad)
    try:
        return signature.bind(*data, **named).args
    except TypeError as error:
        positional = [name for name, one in signature.parameters.items() if one.kind is one.POSITIONAL_OR_KEYWORD]
        given = f"{len(data)}{''.join(f' and {name}=...' for name in named)}"
        raise TypeError(
            f"the data of a {type(model).__name__}{where} are ({', '.join(positional)}), but {given} were given: {error}"
        ) from None


def _check_model(model):
    """Refuse what cannot be trained."""
    missing = [name for name in ("params", "loss_and_grad", "samples") if not hasattr(model, name)]
    if isinstance(model, type) or missing:
        what = f"the class {model.__name__}" if isinstance(model, type) else f"a {type(model).__name__}"
        raise TypeError(
            f"model must be one that can be trained, such as an odekit.nn.HNN, odekit.nn.NeuralODE(field) or "
            f"odekit.nn.DerivativeModel(field), but it is {what}"
        )


def _checked_optimizer(optimizer):
    """An optimiser, or an error that says what it must be."""
    if isinstance(optimizer, type) or not all(hasattr(optimizer, name) for name in ("init", "update", "rate")):
        if not isinstance(optimizer, LBFGS):
            raise TypeError(f"optimizer must be an object such as odekit.nn.Adam(1e-3), but it is {optimizer!r:.80}")
    return optimizer


def _check_callback(callback):
    """Refuse what cannot be called after each step."""
    if not callable(callback):
        raise TypeError(f"callback must be a function callback(step, loss, model), but it is {callback!r:.80}")
    _signatures.require("callback", callback, "callback(step, loss, model)", (), 0, 0.0, None)
