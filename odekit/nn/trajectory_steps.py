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

NO_ROWS, NO_NOISE = np.empty((1, 0), dtype=np.int64), np.empty((1, 0, 0))


class TrajectorySteps:
    """The kernel with its memory, for one field and method, one width of a batch, and one number of output times.

    Parameters
    ----------
    field : object
        See `odekit.adjoint.tape`.
    sweeps : odekit.adjoint.sweeps.Sweeps
    size, wanted : int
        Output times, and how many of them, the last ones, have wanted states.
    features : int
        Components of the state that are wanted: the first ones.
    """

    def __init__(self, field, sweeps, size, wanted, features):
        self.field, self.sweeps = field, sweeps
        width, d = sweeps.width, sweeps.d
        self.y0, self.target = np.empty((width, d)), np.empty((wanted, width, features))
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
        self, objective, times, rows, noise, optimizer, arrays, lrs, done, longest, fixed, last_update, params, good, losses, lengths
    ):  # fmt: skip
        """As many steps as there are learning rates, until one fails; see `train`.

        Parameters
        ----------
        objective : odekit.nn.objective.Objective
            With all data; those of the batch itself if `rows` is `NO_ROWS`.
        times : ndarray, (steps, T) or (1, T)
        rows : ndarray of int, (steps, B) or (steps, 0)
        noise : ndarray, as many of (B, m)
        optimizer : Optimizer
        arrays : sequence of ndarray
            Its two memories.

        Returns
        -------
        int
            What `train` returned; ``known[KNOWN]`` steps are done then.
        """
        (rtol, atol, first_step), s, kernels = objective.settings, self.sweeps, self.field.kernels
        y0, target, loss = objective.y0, objective.target, objective.loss.numbers
        s.begin(times[0], first_step, MAX_STEPS)
        w_start, iw_start = s.w[0].copy(), s.iw[0].copy()
        self.addresses = self.addresses or self._find(times[0], rtol, atol)
        batch_y0, batch_target = (self.y0, self.target) if rows.shape[1] else (y0, target)
        weights, place = s.p.view(precision(self.field)).ravel(), int(s.p[0, THETA])
        code, numbers, self.known[:], going_on = optimizer.code, optimizer.settings(), 0, False
        update = update_address() if last_update or lrs.size > 1 else 0

        def run(worker):
            return train(
                (worker, s.workers, s.barrier, s.groups), *self.addresses, update, kernels.record, kernels.pull, s.p, weights, place, s.work,
                s.slots, s.scheme.arrays, s.w, s.iw, w_start, iw_start, s.norms, s.steps, s.states, s.stored, s.attempts, *self.located,
                self.lam, s.bars, self.held, s.counts, rtol, atol, times, self.rates, y0, target, rows, noise, batch_y0, batch_target,
                self.outputs, loss, self.seeds, self.parts, code, numbers, lrs, done, longest, fixed, last_update, params, good, self.grad, *arrays,
                losses, lengths, begin, going_on, self.known,
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

    def evaluate(self, objective, t, params):
        """The loss of an `Objective` with the output times t (T,), its gradient, and that with respect to its y0.

        Raises
        ------
        SolveError
        """
        loss, length = np.empty((2, 1))
        reason = self.run(
            objective, t[None], NO_ROWS, NO_NOISE, ADAM, (self.good, self.good), RATE, 0, math.inf, NONE_FIXED, False, params, self.good, loss,
            length,
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
    model : NeuralODE or CNF
    objective : odekit.nn.objective.Objective
        With all data.
    """

    one_width = True  # the batches of one call have as many rows each

    def __init__(self, model, objective):
        self.model, self.objective = model, objective
        self.by_width, self.drawn = {}, []

    def draw(self, rng):
        """Draw what is random in the next step."""
        self.model.draw(rng)
        self.drawn.append(self.model._terms.drawn)

    def run(self, chosen, optimizer, state, rates, longest, fixed, last_update, good, losses, norms, known):
        """As many steps as there are rows in `chosen`, until one fails; the model has what was drawn for the last one then."""
        model, objective, terms = self.model, self.objective, self.model._terms
        drawn, self.drawn = self.drawn, []
        width = len(objective.y0) if chosen[0] is None else len(chosen[0])
        if width not in self.by_width:
            self.by_width[width] = objective.steps(width)
        steps = self.by_width[width]
        rows = np.empty((len(chosen), 0), dtype=np.int64) if chosen[0] is None else np.array(chosen)
        different = drawn if terms.random else drawn[:1]
        times = np.array([terms.times(objective.t, each) for each in different])
        noise = np.array([terms.directions(width, each) for each in different])
        arrays = [state.arrays[name] for name in optimizer.memory]
        steps.known[:] = 0  # before an interrupt can ask for it
        try:
            steps.run(
                objective, times, rows, noise, optimizer, arrays, rates, state.step, longest, fixed, last_update, model.params, good, losses,
                norms,
            )  # fmt: skip
        finally:
            known[0] = steps.known[KNOWN]
            terms.drawn = drawn[min(known[0], len(drawn) - 1)]
