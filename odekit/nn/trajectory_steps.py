"""Losses of trajectories with their gradients, and many steps of a training on them, in one compiled call.

The kernel is that of `odekit.nn.trajectory_kernel`; here is its memory.
"""

import math

import numpy as np

from .. import _jit
from ..adjoint import barrier as threads
from ..adjoint.backward import pull_back as backward_sweep
from ..adjoint.forward import sweep as forward_sweep
from ..adjoint.sweeps import MAX_STEPS
from ..adjoint.tape import THETA, precision
from ..solvers import driver as D
from .optimizers import Adam
from .trajectory_kernel import KNOWN, NOT_FINITE, train
from .updates import update_address

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
