"""Losses of trajectories with their gradients, and many steps of a training on them, in one compiled call.

Each thread goes through all steps: it takes its lanes of the batch, integrates them, compares them with what is wanted, and pulls
the differences back; the first one then updates the parameters, and the others wait for it. The two sweeps are called by their
addresses, so that the kernel here is a small one.
"""

import math

import numpy as np

from .. import _jit
from ..adjoint import barrier as threads
from ..adjoint import blocks as B
from ..adjoint.backward import pull_back as backward_sweep
from ..adjoint.barrier import wait
from ..adjoint.forward import ABORTED
from ..adjoint.forward import sweep as forward_sweep
from ..adjoint.sweeps import MAX_STEPS
from ..adjoint.tape import THETA, precision
from ..solvers import driver as D
from ..solvers import state as S
from .clipping import norm, shorten
from .optimizers import Adam, update_address

NOT_FINITE = -2  # the loss, or the norm of the gradient
#: What stands in `where`: steps that are done, and whether the last one was not finite.
KNOWN, STOPPED = range(2)


@_jit.core_apart
def _gather(rows, begin, lanes, source, out):
    """Rows begin : begin + lanes of a batch out[B, d] from source[N, d], of which they are the rows rows[begin], ..."""
    for j in range(begin, begin + lanes):
        for i in range(source.shape[1]):
            out[j, i] = source[rows[j], i]


@_jit.core_apart
def _compare(begin, lanes, outputs, target, seeds):
    """Sum of the squared differences of some lanes; the derivative of their mean goes to `seeds`.

    Parameters
    ----------
    begin, lanes : int
    outputs, seeds : ndarray, (T, B, d)
    target : ndarray, (T, B, k), k <= d
        The state may have further components, which are in no loss.

    Returns
    -------
    float
    """
    total, scale = 0.0, 2.0 / target.size
    for k in range(target.shape[0]):
        for j in range(begin, begin + lanes):
            for i in range(target.shape[2]):  # the state may have further components, which are in no loss
                residual = outputs[k, j, i] - target[k, j, i]
                total += residual * residual
                seeds[k, j, i] = scale * residual
    return total


@_jit.core_apart
def _locate(steps, t, node, first):
    """`odekit.adjoint.backward.locate`, compiled: steps (N + 1,), t (T,); node and first, at least (N + 1,), receive."""
    k, direction = 0, 1.0 if t[t.size - 1] >= t[0] else -1.0
    for n in range(steps.size):
        while k < t.size and (t[k] - steps[n]) * direction <= 0.0:
            k += 1
        first[n] = k
        node[n] = k - 1 if t[k - 1] == steps[n] else -1


@_jit.kernel
def train(
    team, sweep, pull_back, update, record, pull, p, weights, place, work, slots, method, w, iw, w_start, iw_start, norms, steps, states, stored,
    attempts, node, first, lam, bars, held, counts, rtol, atol, t, rates, y0_all, target_all, rows, y0, target, outputs, seeds, parts, code,
    settings, lrs, done, longest, fixed, last_update, params, good, grad, memory, other_memory, losses, lengths, begin, going_on, where,
):  # fmt: skip
    """One thread's part of steps of a training.

    Parameters
    ----------
    team : tuple
        See `odekit.adjoint.forward.sweep`.
    sweep, pull_back : int
        Addresses of the kernels of `odekit.adjoint.forward` and `odekit.adjoint.backward`, see `odekit._jit.kernel_address`.
    update : int
        That of the kernel of the optimisers; nothing calls it in a single step without `last_update`.
    record, pull : int
        Addresses of the kernels of the field.
    weights, place : ndarray, int
        `p` as numbers of the field's precision, and where the parameters begin in each thread's part.
    w_start, iw_start : ndarray
        Rows of `w` and `iw` before a sweep.
    node, first : ndarray of int, (workers, capacity)
        Memory for where the outputs lie among the steps.
    y0_all, target_all : ndarray, (N, d) and (T, N, k)
        All data.
    rows : ndarray of int, (steps, B) or (steps, 0)
        Rows of the batch of each step; none: `y0` and `target` are the data.
    y0, target, outputs, seeds : ndarray, (B, d), (T, B, k), (T, B, d), (T, B, d)
        The batch and its trajectories.
    parts : ndarray, (n_blocks,)
        Memory for the losses of the blocks.
    code, settings, lrs, done, memory, other_memory
        Of the optimiser, see `odekit.nn.optimizers.apply_update`; rates of all steps, updates made before.
    longest : float
        A longer gradient is shortened.
    fixed : ndarray of int
        Parameters that keep their values.
    last_update : bool
        Whether the last step changes the parameters, too.
    params, good, grad : ndarray, (n_params,)
        Parameters, those before the last update, memory for the gradient.
    losses, lengths : ndarray
        Of each step.
    begin, going_on : int, bool
        First step; whether its forward sweep has begun.
    where : ndarray of int, (2,)
    the others
        As for the two sweeps.

    Returns
    -------
    int
        `DONE`, `NOT_FINITE`, or what the forward sweep returned.
    """
    worker, workers, barrier, groups = team
    d, block, n_blocks = y0.shape[1], states.shape[2] // y0.shape[1], work.shape[0]
    for s in range(begin, lrs.size):
        if s > begin or not going_on:
            start = worker * (weights.size // workers) + place
            for i in range(params.size):
                weights[start + i] = params[i]
            for i in range(w_start.size):
                w[worker, i] = w_start[i]
            for i in range(iw_start.size):
                iw[worker, i] = iw_start[i]
            for group in range(worker, groups, workers):
                for i in range(params.size):
                    bars[group, d * block + i] = 0.0
                for k in range(group, n_blocks, groups):
                    lanes = B.block_lanes(k, block, y0.shape[0])
                    if rows.shape[1] > 0:
                        _gather(rows[s], k * block, lanes, y0_all, y0)
                        for m in range(t.size):
                            _gather(rows[s], k * block, lanes, target_all[m], target[m])
                    for j in range(k * block, k * block + lanes):
                        for i in range(d):
                            outputs[0, j, i] = y0[j, i]
        reason = _jit.call_kernel(
            sweep,
            (
                team, (record, record), p, work, slots, method, w, iw, rtol, atol, y0, t, outputs, rates, steps, states, stored, attempts,
                norms,
            ),
        )  # fmt: skip
        if reason != D.DONE:
            return reason
        for group in range(worker, groups, workers):
            for k in range(group, n_blocks, groups):
                parts[k] = _compare(k * block, B.block_lanes(k, block, y0.shape[0]), outputs, target, seeds)
        if not wait(barrier, workers):  # for the end of the last step, which the first thread has written
            return ABORTED
        taken = _jit.view1(steps, 0, iw[worker, S.NACCEPT] + 1)
        _locate(taken, t, node[worker], first[worker])
        _jit.call_kernel(
            pull_back,
            (
                worker, workers, groups, record, pull, p, work, slots, method, taken, states, node[worker], first[worker], t, seeds, stored,
                lam, bars, None, held, None, counts,
            ),
        )  # fmt: skip
        if not wait(barrier, workers):
            return ABORTED
        if worker == 0:
            for i in range(params.size):
                grad[i] = bars[0, d * block + i]
            for group in range(1, groups):
                for i in range(params.size):
                    grad[i] += bars[group, d * block + i]
            for i in fixed:
                grad[i] = 0.0
            loss = 0.0
            for k in range(n_blocks):
                loss += parts[k]
            loss /= target.size
            length = norm(grad)
            losses[s], lengths[s] = loss, length
            if not (math.isfinite(loss) and math.isfinite(length)):
                where[STOPPED] = 1
            else:
                where[KNOWN] = s + 1
                if s < lrs.size - 1 or last_update:
                    shorten(grad, longest)
                    for i in range(params.size):
                        good[i] = params[i]
                    _jit.call_kernel(update, (code, params, grad, memory, other_memory, done + s + 1, lrs[s], settings))
                    for i in fixed:  # weight decay moves them, too
                        params[i] = good[i]
        if not wait(barrier, workers):
            return ABORTED
        if where[STOPPED] != 0:
            return NOT_FINITE
    return D.DONE


NO_ROWS = np.empty((1, 0), dtype=np.int64)


class TrajectorySteps:
    """The kernel with its memory, for one field and method, one width of a batch, and one number of output times.

    Parameters
    ----------
    field : object
        See `odekit.adjoint.tape`.
    sweeps : odekit.adjoint.sweeps.Sweeps
    size : int
        Output times.
    features : int
        Components of the state that are in the loss: the first ones.
    """

    def __init__(self, field, sweeps, size, features):
        self.field, self.sweeps = field, sweeps
        width, d = sweeps.width, sweeps.d
        self.key = width, size, features
        self.y0, self.target = np.empty((width, d)), np.empty((size, width, features))
        self.outputs, self.seeds = np.empty((size, width, d)), np.zeros((size, width, d))
        self.lam, self.rates, self.held = np.empty((width, d)), np.empty((0, width, d)), np.empty((sweeps.groups, 0))
        self.parts, self.grad, self.good = np.empty(sweeps.n_blocks), *np.empty((2, field.params.size))
        self.known, self.addresses = np.zeros(2, dtype=np.int64), None
        self._make_room()

    def _make_room(self):
        """Memory for as many steps as the sweeps have."""
        self.sweeps.reserve()
        self.located = np.empty((2, self.sweeps.workers, self.sweeps.steps.size), dtype=np.int64)

    def _find(self, t, rtol, atol):
        """Addresses of the kernels of the sweeps."""
        s, (node, first) = self.sweeps, self.located[:, 0]
        forward = s.forward_arguments(
            0, self.field.kernels.record, rtol, atol, self.y0, t, self.outputs, self.rates, s.stored
        )
        backward = s.backward_arguments(
            0, self.field, s.steps, node, first, t, self.seeds, s.stored, self.lam, None, self.held, None
        )  # fmt: skip
        return _jit.kernel_address(forward_sweep, forward), _jit.kernel_address(backward_sweep, backward)

    def run(
        self, settings, t, y0, target, rows, optimizer, arrays, lrs, done, longest, fixed, last_update, params, good, losses, lengths
    ):  # fmt: skip
        """As many steps as there are learning rates, until one fails; see `train`.

        Parameters
        ----------
        settings : tuple
            rtol, atol, first step or None.
        t : ndarray, (T,)
        y0, target : ndarray, (N, d) and (T, N, features)
            All data; the batch itself if `rows` is `NO_ROWS`.
        rows : ndarray of int, (steps, B) or (steps, 0)
        optimizer : Optimizer
        arrays : sequence of ndarray
            Its two memories.

        Returns
        -------
        int
            What `train` returned; ``known[KNOWN]`` steps are done then.
        """
        (rtol, atol, first_step), s, kernels = settings, self.sweeps, self.field.kernels
        s.begin(t, first_step, MAX_STEPS)
        w_start, iw_start = s.w[0].copy(), s.iw[0].copy()
        self.addresses = self.addresses or self._find(t, rtol, atol)
        batch_y0, batch_target = (self.y0, self.target) if rows.shape[1] else (y0, target)
        weights, place = s.p.view(precision(self.field)).ravel(), int(s.p[0, THETA])
        code, numbers, self.known[:], going_on = optimizer.code, optimizer.settings(), 0, False
        update = update_address() if last_update or lrs.size > 1 else 0

        def run(worker):
            return train(
                (worker, s.workers, s.barrier, s.groups), *self.addresses, update, kernels.record, kernels.pull, s.p, weights, place, s.work,
                s.slots, s.scheme.arrays, s.w, s.iw, w_start, iw_start, s.norms, s.steps, s.states, s.stored, s.attempts, *self.located,
                self.lam, s.bars, self.held, s.counts, rtol, atol, t, self.rates, y0, target, rows, batch_y0, batch_target, self.outputs,
                self.seeds, self.parts, code, numbers, lrs, done, longest, fixed, last_update, params, good, self.grad, *arrays, losses, lengths,
                begin, going_on, self.known,
            )  # fmt: skip

        while True:
            begin = int(self.known[KNOWN])
            reason = threads.together(s.workers, s.barrier, run)
            if reason == D.BUFFER_FULL:
                s.steps = np.concatenate((s.steps, np.empty(s.steps.size)))
                self._make_room()
            elif reason != D.CONTINUE:
                return reason
            going_on = True

    def evaluate(self, settings, t, y0, target, params):
        """Mean squared error of the trajectories, its gradient, and that with respect to y0.

        Raises
        ------
        SolveError
        """
        loss, length = np.empty((2, 1))
        reason = self.run(
            settings, t, y0, target, NO_ROWS, ADAM, (self.good, self.good), RATE, 0, math.inf, NONE_FIXED, False, params, self.good, loss, length
        )  # fmt: skip
        if reason != NOT_FINITE:
            self.sweeps.check(reason, MAX_STEPS)
        return float(loss[0]), self.grad.copy(), self.lam.copy()


#: For an evaluation, which makes no update.
ADAM, RATE, NONE_FIXED = Adam(), np.zeros(1), np.empty(0, dtype=np.int64)


class TrajectoryTraining:
    """Steps of a training of one model on its data, for `odekit.nn.inner_loop`.

    Parameters
    ----------
    model : NeuralODE
    y0, t, target : ndarray
        As `TrajectorySteps.run` takes them.
    """

    one_width = True  # the batches of one call have as many rows each

    def __init__(self, model, y0, t, target):
        self.model, self.y0, self.t, self.target = model, y0, t, target
        self.by_width = {}

    def run(self, chosen, optimizer, state, rates, longest, fixed, last_update, good, losses, norms, known):
        """As many steps as there are rows in `chosen`, until one fails."""
        model = self.model
        width = len(self.y0) if chosen[0] is None else len(chosen[0])
        if width not in self.by_width:
            self.by_width[width] = model.trajectory_steps(width, *self.target.shape[::2])
        steps = self.by_width[width]
        rows = np.empty((len(chosen), 0), dtype=np.int64) if chosen[0] is None else np.array(chosen)
        arrays = [state.arrays[name] for name in optimizer.memory]
        try:
            steps.run(
                (model.rtol, model.atol, model.first_step), self.t, self.y0, self.target, rows, optimizer, arrays, rates, state.step, longest,
                fixed, last_update, model.params, good, losses, norms,
            )  # fmt: skip
        finally:
            known[0] = steps.known[KNOWN]
