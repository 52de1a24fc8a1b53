"""Steps of a training on derivatives in one compiled call, for models whose loss is a mean over the samples.

They say so by ``derivative_data(*data)``: the field, its inputs and wanted outputs, a factor of the loss, and
where they have some the times of the samples.
"""

import math

import numpy as np

from .. import _jit
from ..adjoint.tape import parameters_in
from .clipping import norm, shorten
from .derivative import packed, squared_error, work_size
from .updates import apply_update


@_jit.core
def steps(
    record, pull, p, weights, times, x, target, rows, ends, code, settings, rates, done, longest, fixed, last_update, factor, params, good, grad,
    first, second, batch_times, batch_x, batch_target, work, losses, norms, where,
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
    times : ndarray, (N,) or (1,)
        One for each sample, or one for all.
    x, target : ndarray, [d, N]
    rows, ends : ndarray of int
        Samples of one step after the other, and where each ends.
    code, settings, rates, done, first, second
        Of the optimiser, see `apply_update`; updates made before.
    longest : float
        A longer gradient is shortened.
    fixed : ndarray of int
        Parameters that keep their values.
    last_update : bool
        Whether the last step changes the parameters, too.
    factor : float
        Of the loss.
    params, good, grad : ndarray, (n_params,)
        Parameters, those before the last update, memory for the gradient.
    batch_times, batch_x, batch_target, work : ndarray
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
        moments = _jit.view1(batch_times, 0, width)
        for j in range(width):
            moments[j] = times[rows[begin + j] if times.size > 1 else 0]
        begin = ends[s]
        for i in range(params.size):
            weights[i] = params[i]
            grad[i] = 0.0
        loss = factor * squared_error(record, pull, p, moments, inputs, wanted, grad, work)
        for i in range(grad.size):
            grad[i] *= factor
        for i in fixed:
            grad[i] = 0.0
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
        for i in fixed:  # weight decay moves them, too
            params[i] = good[i]


class DerivativeSteps:
    """The kernel with its memory, for one model and its data.

    Parameters
    ----------
    model : object
    data : tuple
        What its `loss_and_grad` takes.
    batch : int
        Most samples in a step.
    """

    one_width = False  # steps of one call may have batches of several sizes

    def __init__(self, model, data, batch):
        field, x, target, self.factor, *times = model.derivative_data(*data)
        self.times = times[0] if times else np.zeros(1)
        self.x, self.target = np.ascontiguousarray(x.T), np.ascontiguousarray(target.T)
        self.model, self.kernels = model, field.kernels
        self.p, self.grad = packed(field, batch, self.times), np.empty(model.params.size)
        self.weights = parameters_in(self.p, field)
        self.batch_times = np.empty(batch)
        self.batch_x, self.batch_target = np.empty((2, self.x.shape[0] * batch))
        self.work = np.empty(work_size(self.p, self.x.shape[0]))

    def draw(self, rng):
        """Nothing is random in a step."""

    def run(self, chosen, optimizer, state, rates, longest, fixed, last_update, good, losses, norms, known):
        """As many steps as there are rows in `chosen`, until one is not finite; see `steps`."""
        if chosen[0] is None:
            chosen = [np.arange(self.x.shape[1])] * len(chosen)
        ends = np.cumsum([rows.size for rows in chosen])
        steps(
            self.kernels.record, self.kernels.pull, self.p, self.weights, self.times, self.x, self.target, np.concatenate(chosen), ends,
            optimizer.code, optimizer.settings(), rates, state.step, longest, fixed, last_update, self.factor, self.model.params, good, self.grad,
            *(state.arrays[name] for name in optimizer.memory), self.batch_times, self.batch_x, self.batch_target, self.work, losses, norms, known,
        )  # fmt: skip
