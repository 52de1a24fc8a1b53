"""Losses of trajectories with their gradients, and many steps of a training on them: the kernel.

Each thread goes through all steps: it takes its lanes of the batch, integrates them, compares them with what is wanted, and pulls
the differences back; the first one then updates the parameters, and the others wait for it. The two sweeps are called by their
addresses, so that the kernel here is a small one.
"""

import math

from .. import _jit
from ..adjoint import blocks as B
from ..adjoint.barrier import wait
from ..adjoint.forward import ABORTED
from ..solvers import driver as D
from ..solvers import state as S
from .clipping import norm, shorten
from .losses import compare

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
def _locate(steps, t, node, first):
    """`odekit.adjoint.seeding.locate`, compiled: steps (N + 1,), t (T,); node and first, at least (N + 1,), receive."""
    k, direction = 0, 1.0 if t[t.size - 1] >= t[0] else -1.0
    for n in range(steps.size):
        while k < t.size and (t[k] - steps[n]) * direction <= 0.0:
            k += 1
        first[n] = k
        node[n] = k - 1 if t[k - 1] == steps[n] else -1


@_jit.kernel
def train(
    team, sweep, pull_back, update, record, pull, p, weights, place, work, slots, method, w, iw, w_start, iw_start, norms, steps, states, stored,
    attempts, node, first, lam, bars, held, counts, rtol, atol, times, rates, y0_all, target_all, rows, noise, y0, target, outputs, loss, seeds,
    parts, code, settings, lrs, done, longest, fixed, last_update, params, good, grad, memory, other_memory, losses, lengths, begin, going_on,
    where,
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
    times : ndarray, (steps, T) or (1, T)
        Output times of each step, or of all.
    y0_all, target_all : ndarray, (N, d) and (S, N, k)
        All data.
    rows : ndarray of int, (steps, B) or (steps, 0)
        Rows of the batch of each step; none: `y0` and `target` are the data.
    noise : ndarray, (steps, B, m) or (1, B, m)
        The last components of the initial states of each step, or of all, if any are drawn at random.
    y0, target, outputs, seeds : ndarray, (B, d), (S, B, k), (T, B, d), (T, B, d)
        The batch and its trajectories.
    loss : tuple
        See `odekit.nn.losses.compare`.
    parts : ndarray, (n_blocks,)
        Memory for the losses of the blocks.
    code, settings, lrs, done, memory, other_memory
        Of the optimiser, see `odekit.nn.updates.apply_update`; rates of all steps, updates made before.
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
    drawn = noise.shape[2]
    for s in range(begin, lrs.size):
        own = min(s, times.shape[0] - 1)  # what is random in this step
        t = times[own]
        if s > begin or not going_on:
            start = worker * (weights.size // workers) + place
            for i in range(params.size):
                weights[start + i] = params[i]
            for i in range(w_start.size):
                w[worker, i] = w_start[i]
            w[worker, S.T_END] = t[t.size - 1]
            for i in range(iw_start.size):
                iw[worker, i] = iw_start[i]
            for group in range(worker, groups, workers):
                for i in range(params.size):
                    bars[group, d * block + i] = 0.0
                for k in range(group, n_blocks, groups):
                    lanes = B.block_lanes(k, block, y0.shape[0])
                    if rows.shape[1] > 0:
                        _gather(rows[s], k * block, lanes, y0_all, y0)
                        for m in range(target.shape[0]):
                            _gather(rows[s], k * block, lanes, target_all[m], target[m])
                    for j in range(k * block, k * block + lanes):
                        for i in range(drawn):
                            y0[j, d - drawn + i] = noise[own, j, i]
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
                parts[k] = compare(k * block, B.block_lanes(k, block, y0.shape[0]), outputs, target, loss, seeds)
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
            value = 0.0
            for k in range(n_blocks):
                value += parts[k]
            length = norm(grad)
            losses[s], lengths[s] = value, length
            if not (math.isfinite(value) and math.isfinite(length)):
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
