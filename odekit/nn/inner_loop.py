"""Many steps of a training in one compiled call: a step of a small model costs what its kernels cost.

For models that are fitted to derivatives, whose loss is a mean over the samples. They say so by ``derivative_data(*data)``: the field,
its inputs and wanted outputs, a factor of the loss.
"""

import math
import time

import numpy as np

from .. import _jit
from ..adjoint.tape import parameters_in
from .derivative import squared_error, work_size
from .optimizers import Optimizer, apply_update

#: Seconds of a compiled call: Ctrl-C is heard, and the progress bar moves, that often.
SECONDS = 0.05


@_jit.core
def norm(x):
    """Euclidean norm."""
    total = 0.0
    for i in range(x.size):
        total += x[i] * x[i]
    return math.sqrt(total)


@_jit.core
def shorten(grad, longest):
    """Shorten a gradient to a length, in place, if it is longer; the norm that it had."""
    length = norm(grad)
    if length > longest:
        factor = longest / length
        for i in range(grad.size):
            grad[i] *= factor
    return length


@_jit.kernel
def clipped_norm(grad, longest):
    """`shorten`, from Python."""
    return shorten(grad, longest)


@_jit.core
def steps(
    record, pull, p, weights, x, target, rows, ends, code, settings, rates, done, longest, last_update, factor, params, good, grad, first,
    second, batch_x, batch_target, work, losses, norms, where,
):  # fmt: skip
    """Steps of a training, until a loss or a gradient is not finite.

    Parameters
    ----------
    record, pull : int
        Addresses of the kernels of the field.
    p : ndarray
        Its vector for a batch.
    weights : ndarray, (n_params,)
        The parameters in it, in the field's precision.
    x, target : ndarray, [d, N]
    rows, ends : ndarray of int
        Samples of one step after the other, and where each ends.
    code, settings, rates, done, first, second
        Of the optimiser, see `apply_update`; updates made before.
    longest : float
        A longer gradient is shortened.
    last_update : bool
        Whether the last step changes the parameters, too.
    factor : float
        Of the loss.
    params, good, grad : ndarray, (n_params,)
        Parameters, those before the last update, memory for the gradient.
    batch_x, batch_target, work : ndarray
        Memory.
    losses, norms : ndarray
        Of each step.
    where : ndarray of int, (1,)
        Receives the number of losses that are known; fewer than steps where one is not finite.

    """
    d, begin = x.shape[0], 0
    for s in range(ends.size):
        width = ends[s] - begin
        inputs, wanted = _jit.view2(batch_x, 0, d, width), _jit.view2(batch_target, 0, d, width)
        for i in range(d):
            for j in range(width):
                inputs[i, j], wanted[i, j] = x[i, rows[begin + j]], target[i, rows[begin + j]]
        begin = ends[s]
        for i in range(params.size):
            weights[i] = params[i]
            grad[i] = 0.0
        loss = factor * squared_error(record, pull, p, 0.0, inputs, wanted, grad, work)
        for i in range(grad.size):
            grad[i] *= factor
        length = norm(grad)
        if not (math.isfinite(loss) and math.isfinite(length)):
            return
        losses[s], norms[s] = loss, length
        where[0] = s + 1
        if s == ends.size - 1 and not last_update:
            return
        shorten(grad, longest)
        for i in range(params.size):
            good[i] = params[i]
        apply_update(code, params, grad, first, second, done + s + 1, rates[s], settings)


def applies(model, optimizer):
    """Whether a training can take this loop: no part of it may be somebody's own."""
    owners = [
        next((cls for cls in type(model).__mro__ if name in vars(cls)), None)
        for name in ("loss_and_grad", "derivative_data")
    ]
    own_update = type(optimizer).update is not Optimizer.update
    return owners[1] is not None and owners[0] is owners[1] and not own_update and not hasattr(model, "draw")


class InnerLoop:
    """The loop for one model, its data and its optimiser; keeps its memory from call to call.

    Parameters
    ----------
    model : object
    data : tuple
        What its `loss_and_grad` takes.
    optimizer : Optimizer
    batch : int
        Most samples in a step.
    clip_norm : float or None
    """

    def __init__(self, model, data, optimizer, batch, clip_norm):
        field, x, target, self.factor = model.derivative_data(*data)
        self.x, self.target = np.ascontiguousarray(x.T), np.ascontiguousarray(target.T)
        self.model, self.optimizer, self.kernels = model, optimizer, field.kernels
        self.longest = math.inf if clip_norm is None else float(clip_norm)
        self.p, self.grad = field.pack(batch), np.empty(model.params.size)
        self.weights = parameters_in(self.p, field)
        self.batch_x, self.batch_target = np.empty((2, self.x.shape[0] * batch))
        self.work = np.empty(work_size(self.p, self.x.shape[0]))
        self.length = 1  # steps of the next call
        self.interrupted = False

    def run(self, batches, limit, state, good, last_update=True):
        """At most `limit` steps; fewer if they would take long.

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
            Of each step; they end where something is not finite.
        rows : ndarray of int or None
            Samples of the step that failed; None if none has.
        """
        n = min(limit, self.length)
        chosen = [batches.next() for _ in range(n)]
        if batches.size is None:
            chosen = [np.arange(batches.total)] * n
        ends = np.cumsum([rows.size for rows in chosen])
        rates = np.array([self.optimizer.rate(state.step + i) for i in range(n)])
        losses, norms, where = np.empty(n), np.empty(n), np.zeros(1, dtype=np.int64)
        begin = time.perf_counter()
        try:
            steps(
                self.kernels.record, self.kernels.pull, self.p, self.weights, self.x, self.target, np.concatenate(chosen), ends, self.optimizer.code,
                self.optimizer.settings(), rates, state.step, self.longest, last_update, self.factor, self.model.params, good, self.grad,
                *(state.arrays[name] for name in self.optimizer.memory), self.batch_x, self.batch_target, self.work, losses, norms,
                where,
            )  # fmt: skip
        except KeyboardInterrupt:  # it arrives when the call is over: what was done has to be told first
            self.interrupted = True
        each = (time.perf_counter() - begin) / n
        self.length = max(1, min(2 * n, int(SECONDS / max(each, 1e-9))))
        known = int(where[0])
        state.step += known - (1 if known == n and not last_update else 0)
        failed = chosen[known] if known < n else None
        return losses[:known], norms[:known], rates[:known], failed
