"""Radau IIA of order 5, 9 and 13: the stiff partner of the automatic method.

The equations of the s stages are transformed so that one real and (s - 1) / 2 complex systems of dimension n remain [1]_.
Start values extrapolate the last collocation polynomial, which is also the dense output; the error is estimated by an
embedded formula of order s, filtered by the real factorisation; the step follows Gustafsson's predictive controller [2]_.
The number of stages rises where the Newton iteration converges so fast that larger steps would do it no harm, and falls
where it hardly converges [3]_.

References
----------
.. [1] E. Hairer, G. Wanner, "Solving Ordinary Differential Equations II: Stiff and Differential-Algebraic Problems",
   Sec. IV.8, and the authors' code RADAU5.
.. [2] K. Gustafsson, "Control-theoretic techniques for stepsize selection in implicit Runge-Kutta methods",
   ACM Trans. Math. Softw. 20 (1994) 496-517.
.. [3] E. Hairer, G. Wanner, "Stiff differential equations solved by Radau methods", J. Comput. Appl. Math. 111 (1999)
   93-111, and the authors' code RADAU.
"""

import numpy as np

from .. import _jit
from . import jacobian, linalg, newton, state
from .radau_stages import MAX_ITERATIONS, MORE_ITERATIONS, SAME_STEP
from .radau_workspace import (
    DEFECT,
    ERR_OLD,
    ERROR,
    INTERIOR,
    INVERSE,
    ITERATIONS,
    LARGEST,
    MAX_STAGES,
    MIN_STAGES,
    NODES,
    OLD_STAGES,
    RATE,
    SIDE,
    SINCE,
    STAGES,
    accepted,
    attempt,
    by_stages,
    place,
)

_MU, _PAIRS = by_stages(lambda table: table.mu), by_stages(lambda table: table.pairs)

# The controller is RADAU's; its constants were measured anew on ROBER, HIRES, OREGO and VDPOL, where these ask for fewer
# factorisations and repeated steps than RADAU's own (0.9, [1, 1.2], 1e-3, 1e-2).
SAFETY = 0.85
#: The step stays, and with it the factorisation, while it would change by no more than this.
DEADBAND_MIN, DEADBAND_MAX = 0.85, 1.4
#: The Jacobian is kept while two iterations are enough or the iteration converges at least at this rate.
FEW_ITERATIONS, RATE_KEEP = 2, 3e-2
#: A lucky tiny error must not brake the step after the next.
ERR_MIN, ERR_OLD_MIN = 1e-10, 1e-8
FACTOR_MIN, FACTOR_MAX = 0.2, 10.0
#: The order rises to 9, and to 13, where the iteration converges at these rates, and falls where it converges only at that
#: one, but not in the first steps after a change (RADAU: VITU = 2e-3, VITD, ICHAN).
RATE_UP_9, RATE_UP_13, RATE_DOWN, STEPS_BETWEEN = 1e-2, 5e-3, 0.8, 10
RATE_MEMORY = 0.5  # how much of the rate of the step before counts (RADAU)


@_jit.core
def _factorise(fn, iw, w, p):
    """Factorise ``mu / h I - J`` and ``(alpha + i beta) / h I - J`` for each pair; step code."""
    h, s = w[state.H], iw[STAGES]
    code = linalg.factorise(fn, iw, w, p, 0, _MU[s] / h, 1.0)
    for q in range(s // 2):
        if code == state.ACCEPTED:
            code = linalg.factorise(fn, iw, w, p, 1 + q, complex(_PAIRS[s, q, 0] / h, _PAIRS[s, q, 1] / h), 1.0)
    newton.record_factors(iw, w, code, h)
    return code


@_jit.core
def _solve(fn, iw, w, p):
    """Solve the equations of the stages, again with a newer Jacobian if that may help; step code."""
    while True:
        code = state.ACCEPTED
        if not newton.factors_fit(iw, w, w[state.H], SAME_STEP):
            code = _factorise(fn, iw, w, p)
        if code != state.ACCEPTED:
            return code
        code = _jit.call_step(fn[state.STAGES + iw[STAGES] // 2 - 1], fn, iw, w, p)
        if code == state.ACCEPTED or code == state.RHS_RAISED or jacobian.is_current(iw):
            return code
        w[newton.FACTOR] = 1.0
        code = jacobian.evaluate(fn, iw, w, p, False, True)
        if code != state.ACCEPTED:
            return code


@_jit.core
def _estimate_error(fn, iw, w, p, inverse):
    """Write the norm of the error estimate to `w`; step code.

    On a first or a repeated step stiff components may dominate an estimate that is too large: it is filtered once more.

    The estimate knows the end of the step only, and through its filter nothing of a component that stiffness ties to a
    slow solution: that is exact at the nodes, however long the step, and far off between them. The divided difference of
    the nodes, the start of the step and the start of the step before tells the error of the polynomial there.
    """
    n, t = iw[state.N], w[state.T]
    y, slope, f1 = state.vector(iw, w, state.Y), state.vector(iw, w, state.F0), state.vector(iw, w, state.F1)
    error, defect = _jit.view1(w, place(iw, ERROR), n), _jit.view1(w, place(iw, DEFECT), n)
    again = iw[state.FIRST_STEP] == 1 or iw[state.REJECTED] == 1
    while True:
        for i in range(n):
            error[i] = slope[i] + defect[i]
        code = linalg.solve(fn, iw, w, p, 0, error)
        if code != state.ACCEPTED:
            return code
        err = newton.norm(error, inverse)
        if not (again and err > 1.0):
            break
        again = False
        for i in range(n):
            f1[i] = y[i] + error[i]
        iw[state.NFEV] += 1
        slope = state.vector(iw, w, state.SCRATCH)
        if _jit.call_scalar(fn[state.F], t, f1, slope, p) != 0:
            return state.rhs_raised(w, t, slope, f1)
    if iw[state.FIRST_STEP] == 0:
        err = max(err, newton.norm(_jit.view1(w, place(iw, INTERIOR), n), inverse))
    w[state.ERR_NORM] = err
    return state.ACCEPTED if np.isfinite(err) else state.NONFINITE


@_jit.core
def _next_factor(iw, w, err, iterations):
    """Step-size factor by Gustafsson's predictive controller, in RADAU's form."""
    allowed, exponent = MAX_ITERATIONS + MORE_ITERATIONS * (iw[STAGES] - 3), 1.0 / (iw[STAGES] + 1)
    safety = min(SAFETY, SAFETY * (1 + 2 * allowed) / (iterations + 2 * allowed))
    factor = safety * max(err, ERR_MIN) ** -exponent
    if err <= 1.0 and iw[state.FIRST_STEP] == 0:
        predicted = SAFETY * w[state.H] / w[state.H_OLD] * (w[ERR_OLD] / max(err, ERR_MIN) ** 2) ** exponent
        factor = min(factor, predicted)
    return min(FACTOR_MAX, max(FACTOR_MIN, factor))


@_jit.core
def _set_stages(iw, w, stages):
    """Go on with so many stages."""
    iw[STAGES] = stages
    iw[state.LU_VALID] = iw[SINCE] = 0
    w[RATE] = w[newton.FACTOR] = 1.0


@_jit.core
def _choose_order(iw, w, iterations):
    """After an accepted step: more stages, or fewer, or as many in the next."""
    iw[SINCE] += 1
    if iterations > 1:
        w[RATE] = max(newton.rate(w[newton.FACTOR]), RATE_MEMORY * w[RATE])
    s = iw[STAGES]
    if iw[SINCE] >= STEPS_BETWEEN:
        if s < iw[MAX_STAGES] and iterations > 1 and w[RATE] <= (RATE_UP_9 if s == 3 else RATE_UP_13):
            _set_stages(iw, w, s + 2)
        elif s > iw[MIN_STAGES] and w[RATE] >= RATE_DOWN:
            _set_stages(iw, w, s - 2)


def step(fn, iw, w, p):
    """Attempt one step, see `odekit.solvers.state`."""
    n, h = iw[state.N], w[state.H]
    y, y_new, f1 = state.vector(iw, w, state.Y), state.vector(iw, w, state.Y_NEW), state.vector(iw, w, state.F1)
    rtol, atol = state.vector(iw, w, state.RTOL), state.vector(iw, w, state.ATOL)
    inverse = _jit.view1(w, place(iw, INVERSE), n)
    if iw[state.FIRST_STEP] == 1:
        _set_stages(iw, w, iw[MIN_STAGES])
    code = jacobian.prepare(fn, iw, w, p, True)
    if code == state.ACCEPTED:
        newton.inverse_weights(y, rtol, atol, inverse)
        code = _solve(fn, iw, w, p)
    if code == state.ACCEPTED:
        z_end = _jit.view1(w, attempt(iw) + (iw[STAGES] - 1) * n, n)
        for i in range(n):
            y_new[i] = y[i] + z_end[i]
            inverse[i] = max(abs(y[i]), abs(y_new[i]))
        newton.inverse_weights(inverse, rtol, atol, inverse)
        code = _estimate_error(fn, iw, w, p, inverse)
    if code != state.ACCEPTED:
        if code == state.NEWTON_FAILED and iw[STAGES] > iw[MIN_STAGES]:
            _set_stages(iw, w, iw[STAGES] - 2)
        return newton.failed(iw, w, code)

    err, iterations = w[state.ERR_NORM], iw[ITERATIONS]
    factor = _next_factor(iw, w, err, iterations)
    constant = iw[state.JAC_KIND] == state.JAC_CONSTANT
    slow = not constant and iterations > FEW_ITERATIONS and newton.rate(w[newton.FACTOR]) > RATE_KEEP
    iw[jacobian.JAC_WANTED] = slow
    if err > 1.0:
        w[state.H_NEXT] = factor * h
        return state.REJECTED_ERROR

    iw[state.NFEV] += 1
    if _jit.call_scalar(fn[state.F], w[state.T_NEW], y_new, f1, p) != 0:
        return state.rhs_raised(w, w[state.T_NEW], state.vector(iw, w, state.SCRATCH), y_new)
    for i in range(n):
        if not np.isfinite(f1[i]):
            return newton.failed(iw, w, state.NONFINITE)
    if iw[state.REJECTED] == 1:
        factor = min(factor, 1.0)
    if not slow and DEADBAND_MIN <= factor <= DEADBAND_MAX:
        factor = 1.0
    w[state.H_NEXT] = factor * h
    w[ERR_OLD] = max(err, ERR_OLD_MIN)
    iw[OLD_STAGES] = iw[STAGES]
    iw[SIDE] = 1 - iw[SIDE]
    _choose_order(iw, w, iterations)
    return state.ACCEPTED


def dense(fn, iw, w, p):
    """Coefficients of the collocation polynomial, see `odekit.solvers.state`.

    By way of Newton's divided differences: the powers straight from the increments would lose four digits to cancellation.
    """
    n, s = iw[state.N], iw[OLD_STAGES]
    q, z = state.dense_coefficients(iw, w), _jit.view2(w, accepted(iw), LARGEST, n)
    for i in range(n):
        for k in range(iw[state.DEGREE]):
            q[k, i] = z[k, i] if k < s else 0.0
        for m in range(s):
            for k in range(s - 1, m - 1, -1):
                below = q[k - 1, i] if k > 0 else 0.0
                far = NODES[s, k - m - 1] if k > m else 0.0
                q[k, i] = (q[k, i] - below) / (NODES[s, k] - far)
        for k in range(s - 1, 0, -1):
            for j in range(k - 1, s - 1):
                q[j, i] -= NODES[s, k - 1] * q[j + 1, i]
    return 0
