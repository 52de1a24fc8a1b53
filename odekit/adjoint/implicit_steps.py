"""Implicit Runge-Kutta steps solved to rounding, and their exact transpose by the transposed factors.

With given steps the stages Y_i = y + h sum_j a_ij k_j, k_i = f(Y_i) are solved by Newton's method with exact Jacobians, group
by group. The transpose of a group is one linear system,

    u_i - h sum_{j in group} a_ji J_j^T u_j = h b_i lam + h sum_{j behind} a_ji w_j + seeds,    w_i = J_i^T u_i,

after which lam += sum_i w_i, g_theta += sum_i (df/dtheta)_i^T u_i (E. Hairer, G. Wanner, Solving Ordinary Differential
Equations II, IV.8, for the stages; the implicit function theorem for the rest).

One trajectory of d components at a time; s is the number of stages, m that of a group, N that of the steps. The coefficients
``c`` (s,), ``a`` and ``inverse`` (s, s), ``b`` (s,) and ``dense`` (s, degree) are those of
`odekit.adjoint.implicit_scheme.ImplicitScheme`; ``lu`` (m d, m d) holds a matrix column by column, with ``pivots`` int32 (m d,).
"""

import numpy as np

from .. import _jit
from ..solvers.linalg.dense_lu import factor_core, solve
from . import blocks as B

view1, view2 = _jit.view1, _jit.view2
_factor = factor_core(1, False)

MAX_ITERATIONS = 50
#: Relative size of an increment at which the iteration has reached rounding; increments that no longer fall are accepted below
#: the second.
CONVERGED, STALLED = 1e-15, 1e-9
DONE, NOT_CONVERGED, FIELD_RAISED, SINGULAR = range(4)


@_jit.core
def _jacobian(pull, p, d, n_params, slot, t, u, bar, matrix):
    """The Jacobian at a recorded point, row by row, by pulling unit vectors.

    Parameters
    ----------
    pull : int
        Address.
    p : ndarray
    d, n_params, slot : int
    t : float
    u, bar : ndarray, (d,) and (d + n_params,)
        Memory.
    matrix : ndarray, (d, d)
        Receives.
    """
    for i in range(d):
        u[i] = 0.0
    for i in range(d):
        u[i] = 1.0
        for j in range(d + n_params):
            bar[j] = 0.0
        B.pull(pull, p, 1, slot, t, u, bar)
        for j in range(d):
            matrix[i, j] = bar[j]
        u[i] = 0.0


@_jit.core
def _group(record, pull, p, d, n_params, t, h, first, group, c, a, inverse, base, arguments, slopes, work, lu, pivots):
    """Solve a group of stages by Newton's method; their tapes are then in the slots of their numbers.

    Parameters
    ----------
    record, pull : int
        Addresses.
    p : ndarray
    d, n_params : int
    t, h : float
        Start and size of the step.
    first, group : int
        First stage of the group, and stages in it.
    c, a, inverse : ndarray
        Of the method.
    base : ndarray, (m, d)
        The part of Y_i that the state and the stages before give.
    arguments : ndarray, (s, d)
        Those of the group begin with a guess, and receive the solution.
    slopes : ndarray, (s, d)
        Receives the k_i of the group.
    work : ndarray, (2 d + n_params + 2 m d + d d,)
        Memory.
    lu, pivots : ndarray
        Memory.

    Returns
    -------
    int
        One of the codes above.
    """
    size, before = group * d, 0.0
    u, bar, f, rhs = (
        view1(work, 0, d),
        view1(work, d, d + n_params),
        view1(work, 2 * d + n_params, size),
        view1(work, 2 * d + n_params + size, size),
    )
    jacobian = view2(work, 2 * d + n_params + 2 * size, d, d)
    for iteration in range(MAX_ITERATIONS):
        for j in range(group):
            s = first + j
            if B.evaluate(record, p, 1, s, t + c[s] * h, arguments[s], view1(f, j * d, d)) != 0:
                return FIELD_RAISED
            _jacobian(pull, p, d, n_params, s, t + c[s] * h, u, bar, jacobian)
            for i in range(group):
                factor = h * a[first + i, s]
                for row in range(d):
                    for column in range(d):
                        lu[j * d + column, i * d + row] = -factor * jacobian[row, column]
        largest = 0.0
        for i in range(group):
            for row in range(d):
                lu[i * d + row, i * d + row] += 1.0
                total = base[i, row] - arguments[first + i, row]
                for j in range(group):
                    total += h * a[first + i, first + j] * f[j * d + row]
                rhs[i * d + row] = total
        if _factor(lu, pivots) != 0:
            return SINGULAR
        solve(lu, pivots, rhs)
        for i in range(group):
            for row in range(d):
                arguments[first + i, row] += rhs[i * d + row]
                scale = abs(arguments[first + i, row]) + abs(base[i, row]) + 1e-300
                largest = max(largest, abs(rhs[i * d + row]) / scale)
        if not largest < np.inf:
            return NOT_CONVERGED
        if largest <= CONVERGED or (iteration > 2 and largest < STALLED and largest >= 0.5 * before):
            for i in range(group):
                for row in range(d):
                    total = 0.0
                    for j in range(group):
                        total += inverse[first + i, first + j] * (arguments[first + j, row] - base[j, row])
                    slopes[first + i, row] = total / h
            return DONE
        before = largest
    return NOT_CONVERGED


@_jit.kernel
def sweep(
    record,
    pull,
    p,
    n_params,
    c,
    a,
    inverse,
    b,
    dense,
    group,
    carries,
    stiffly_accurate,
    steps,
    states,
    arguments,
    slopes,
    t,
    outputs,
):
    """Solve all stages of given steps for one trajectory.

    Parameters
    ----------
    record, pull : int
    p : ndarray
    n_params : int
    c, a, inverse, b, dense, group, carries, stiffly_accurate
        An `ImplicitScheme`.
    steps : ndarray, (N + 1,)
    states : ndarray, (N + 1, d)
        The first row is the start; the others are first guesses, and on return the solution.
    arguments, slopes : ndarray, (N, s, d)
        Receive the arguments and the values of the stages.
    t : ndarray, (T,)
    outputs : ndarray, (T, d)

    Returns
    -------
    code, n : int
        One of the codes above, and the step.
    """
    d, s = states.shape[1], c.size
    base, work = np.empty((group, d)), np.empty(2 * d + n_params + 2 * group * d + d * d)
    lu, pivots = np.empty((group * d, group * d)), np.empty(group * d, dtype=np.int32)
    outputs[0] = states[0]
    served = 1
    for n in range(steps.size - 1):
        h, y, start = steps[n + 1] - steps[n], states[n], 0
        if carries:
            start = 1
            if n > 0:
                slopes[n, 0] = slopes[n - 1, s - 1]
            elif B.evaluate(record, p, 1, 0, steps[0], y.copy(), slopes[0, 0]) != 0:
                return FIELD_RAISED, n
            arguments[n, 0] = y
        guess = states[n + 1].copy()
        for first in range(start, s, group):
            for i in range(group):
                for row in range(d):
                    total = 0.0
                    for j in range(first):
                        total += a[first + i, j] * slopes[n, j, row]
                    base[i, row] = y[row] + h * total
                    arguments[n, first + i, row] = y[row] + c[first + i] * (guess[row] - y[row])
            code = _group(
                record, pull, p, d, n_params, steps[n], h, first, group, c, a, inverse, base, arguments[n], slopes[n], work, lu, pivots
            )  # fmt: skip
            if code != DONE:
                return code, n
        for row in range(d):
            if stiffly_accurate:
                states[n + 1, row] = arguments[n, s - 1, row]
            else:
                total = 0.0
                for j in range(s):
                    total += b[j] * slopes[n, j, row]
                states[n + 1, row] = y[row] + h * total
        while served < t.size and (steps[n + 1] - t[served]) * h >= 0.0:
            if t[served] == steps[n + 1]:
                outputs[served] = states[n + 1]
            else:
                for row in range(d):
                    total = 0.0
                    for j in range(s):
                        total += B.weight(dense[j], (t[served] - steps[n]) / h) * slopes[n, j, row]
                    outputs[served, row] = y[row] + h * total
            served += 1
    return DONE, 0


@_jit.kernel
def pull_back(
    record, pull, p, n_params, c, a, b, dense, group, carries, steps, arguments, node, first_output, t, seeds, lam, grad
):
    """Pull the cotangents of the outputs back through the steps of `sweep`.

    Parameters
    ----------
    record, pull : int
        Addresses.
    p : ndarray
    n_params : int
    c, a, b, dense, group, carries
        An `ImplicitScheme`.
    steps : ndarray, (N + 1,)
    arguments : ndarray, (N, s, d)
        Of the stages.
    node, first_output : ndarray of int, (N + 1,)
        From `odekit.adjoint.seeding.locate`.
    t : ndarray, (T,)
        Output times.
    seeds : ndarray, (T, d)
        Cotangents of the outputs.
    lam : ndarray, (d,)
        Receives the cotangent of the start.
    grad : ndarray, (n_params,)
        The cotangent of the parameters is added to it.

    Returns
    -------
    int
        `DONE` or `SINGULAR`.
    """
    d, s = lam.size, c.size
    size = group * d
    u, w, carried = np.zeros((s, d)), np.zeros((s, d)), np.zeros(d)
    unit, bar, dummy = np.zeros(d), np.zeros(d + n_params), np.zeros(d)
    jacobian, rhs = np.empty((d, d)), np.empty(size)
    lu, pivots = np.empty((size, size)), np.empty(size, dtype=np.int32)
    lam[:] = seeds[node[steps.size - 1]]
    for n in range(steps.size - 2, -1, -1):
        h, start = steps[n + 1] - steps[n], 1 if carries else 0
        inside = first_output[n + 1] - (1 if node[n + 1] >= 0 else 0)
        for i in range(s):
            for row in range(d):
                u[i, row] = h * b[i] * lam[row]
        for row in range(d):  # what the first stage of the next step has left for the last of this one
            u[s - 1, row] += carried[row]
            carried[row] = 0.0
        for k in range(first_output[n], inside):
            theta = (t[k] - steps[n]) / h
            for i in range(s):
                B.add(h * B.weight(dense[i], theta), seeds[k], u[i])
        for first in range(s - group, start - 1, -group):
            for i in range(group):
                for j in range(first + group, s):
                    if a[j, first + i] != 0.0:
                        B.add(h * a[j, first + i], w[j], u[first + i])
            for j in range(group):
                stage = first + j
                B.evaluate(record, p, 1, stage, steps[n] + c[stage] * h, arguments[n, stage].copy(), dummy)
                _jacobian(pull, p, d, n_params, stage, steps[n] + c[stage] * h, unit, bar, jacobian)
                for i in range(group):
                    factor = h * a[stage, first + i]
                    for row in range(d):
                        for column in range(d):
                            lu[j * d + row, i * d + column] = -factor * jacobian[row, column]
            for i in range(size):
                lu[i, i] += 1.0
                rhs[i] = u[first + i // d, i % d]
            if _factor(lu, pivots) != 0:
                return SINGULAR
            solve(lu, pivots, rhs)
            for i in range(group):
                stage = first + i
                for row in range(d):
                    u[stage, row] = rhs[i * d + row]
                bar[d:] = 0.0
                B.pull(pull, p, 1, stage, steps[n] + c[stage] * h, u[stage], bar)
                w[stage] = bar[:d]
                for j in range(n_params):
                    grad[j] += bar[d + j]
        if carries:
            w[0] = 0.0
            for j in range(1, s):
                if a[j, 0] != 0.0:
                    B.add(h * a[j, 0], w[j], u[0])
            if n > 0:
                carried[:] = u[0]
            else:
                B.evaluate(record, p, 1, 0, steps[0], arguments[0, 0].copy(), dummy)
                bar[d:] = 0.0
                B.pull(pull, p, 1, 0, steps[0], u[0], bar)
                w[0] = bar[:d]
                for j in range(n_params):
                    grad[j] += bar[d + j]
        for i in range(s):
            B.add(1.0, w[i], lam)
        for k in range(first_output[n], inside):
            B.add(1.0, seeds[k], lam)
        if node[n] >= 0:
            B.add(1.0, seeds[node[n]], lam)
    return DONE
