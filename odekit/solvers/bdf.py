"""Backward differentiation in the form of Shampine and Reichelt's NDF, orders 1 to 5.

The step is kept for order + 1 steps at least; the history is a table of backward differences, which is rescaled where the
step changes [1]_. The matrix ``I - c J`` is kept while c changes little, as in CVODE.

References
----------
.. [1] L. F. Shampine, M. W. Reichelt, "The MATLAB ODE suite", SIAM J. Sci. Comput. 18 (1997) 1-22.
"""

import math

import numpy as np

from .. import _jit
from . import jacobian, linalg, newton, state

ORDER, ERROR_ORDER, DEGREE = 5, 1, 5  # the error order is that of the first step

MAX_ORDER = 5
#: What the NDF adds to the BDF of orders 0 to 5 (paper, table 2.1; 0 at order 5, which is the plain BDF).
KAPPA = (0.0, -0.1850, -1 / 9, -0.0823, -0.0415, 0.0)
GAMMA = tuple(sum((1 / j for j in range(1, k + 1)), 0.0) for k in range(MAX_ORDER + 1))
ALPHA = tuple((1 - kappa) * gamma for kappa, gamma in zip(KAPPA, GAMMA, strict=True))
#: The error of order k is this constant times the (k+1)-st difference.
ERROR = tuple(KAPPA[k] * GAMMA[k] + 1 / (k + 1) for k in range(MAX_ORDER + 1))
#: ``(-1)^m C(j, m)``: the change of grid in `_rescale`.
BINOMIALS = tuple(tuple(float((-1) ** m * math.comb(j, m)) for m in range(MAX_ORDER + 1)) for j in range(MAX_ORDER + 1))


def _newton_basis():
    """Coefficients of theta^1..theta^5 in ``prod_{m<j} (theta - 1 + m) / (m + 1)`` for j = 1..5, row by row."""
    rows, basis = [], np.poly1d([1.0])
    for m in range(MAX_ORDER):
        basis = basis * np.poly1d([1.0, m - 1.0]) / (m + 1)
        coefficients = basis.coeffs[::-1][1:]
        rows.append(tuple(float(c) for c in coefficients) + (0.0,) * (MAX_ORDER - coefficients.size))
    return tuple(rows)


BASIS = _newton_basis()

MAX_ITERATIONS = 5  # one more than ode15s: a third fewer Jacobians and factorisations on HIRES, OREGO and VDPOL
#: What the iteration may leave of the error that is allowed (CVODE: 0.1). Against the square root of rtol, RADAU5's rule, it
#: saves 15 to 60 % of the evaluations on ROBER, HIRES, OREGO, VDPOL and BRUSS1D, at mostly equal errors.
NEWTON_TOLERANCE = 0.01
SAFETY = 0.9
FACTOR_MIN, FACTOR_MAX = 0.2, 10.0
#: The step is left alone unless it can grow by this (OrdinaryDiffEq.jl's QNDF) or has to shrink.
DEADBAND_MIN, DEADBAND_MAX = 0.9, 1.2
#: A factorisation serves while c has changed by no more than this (CVODE, DGMAX).
LU_CHANGE = 0.3
#: Where the iteration fails, a larger change is blamed for it, before the Jacobian is.
LU_BLAMED = 0.05
#: Steps that differ by less are equal to the table of differences ...
SAME_GRID = 1e-12
#: ... and by less than this to the rule that counts equal steps: t + h rounds.
EQUAL_STEP = 1e-6

# vectors of the workspace, behind the matrices
_D = 0  # backward differences; row j - 1 holds the j-th, up to order + 2
_CORRECTION = 7  # y_new - prediction, in the end the (order + 1)-st difference
_PSI = 8  # what the history contributes to the equation
_INCREMENT = 9  # right-hand side and solution of the linear system
_INVERSE = 10  # inverse weights of the norms

# places in iw and w
_ORDER = state.FAMILY_INT + 1  # of the step that is being attempted
_ORDER_NEXT = state.FAMILY_INT + 2
_EQUAL_STEPS = state.FAMILY_INT + 3
_H_GRID = state.FAMILY_FLOAT + 2  # step that the differences belong to
_C_LU = newton.H_LU  # c of the factorisation in use


def workspace(n):
    """Floats of workspace, besides the matrices."""
    return 11 * n


@_jit.core
def _place(iw, k):
    """Where the k-th vector of the workspace begins in w."""
    return iw[state.O_VECTORS] + k * iw[state.N]


@_jit.core
def _rescale(D, order, ratio):
    """Change the differences 1..order to a grid whose step is `ratio` times the old one; D (MAX_ORDER + 2, n), j-th in row j - 1.

    The j-th new difference is a sum over the old ones from the j-th on, so that it can be written in place.
    """
    n = D.shape[1]
    for j in range(1, order + 1):
        for i in range(j, order + 1):
            weight = 0.0
            for m in range(1, j + 1):
                product = BINOMIALS[j][m]
                for k in range(1, i + 1):
                    product *= (k - 1 - ratio * m) / k
                weight += product
            if i == j:
                for c in range(n):
                    D[j - 1, c] *= weight
            else:
                for c in range(n):
                    D[j - 1, c] += weight * D[i - 1, c]


@_jit.core
def _set_grid(iw, w):
    """Bring order and differences to the step that is to be attempted."""
    n, h = iw[state.N], w[state.H]
    D = _jit.view2(w, _place(iw, _D), MAX_ORDER + 2, n)
    if iw[state.FIRST_STEP] == 1:
        f0 = state.vector(iw, w, state.F0)
        for i in range(n):
            D[0, i], D[1, i], D[2, i] = h * f0[i], 0.0, 0.0
        iw[_ORDER], iw[_ORDER_NEXT], iw[_EQUAL_STEPS], w[_H_GRID] = 1, 1, 0, h
        return
    if iw[_ORDER_NEXT] != iw[_ORDER]:
        iw[_ORDER], iw[_EQUAL_STEPS] = iw[_ORDER_NEXT], 0
    change = abs(h / w[_H_GRID] - 1.0)
    if change > SAME_GRID:
        _rescale(D, iw[_ORDER], h / w[_H_GRID])
        w[_H_GRID] = h
    if change > EQUAL_STEP:
        iw[_EQUAL_STEPS] = 0


@_jit.core
def _factorise(fn, iw, w, p):
    """Factorise ``I - c J`` unless the factors at hand are near enough; step code."""
    c = w[state.H] / ALPHA[iw[_ORDER]]
    if newton.factors_fit(iw, w, c, LU_CHANGE):
        return state.ACCEPTED
    code = linalg.factorise(fn, iw, w, p, 0, 1.0, c)
    newton.record_factors(iw, w, code, c)
    return code


@_jit.core
def _predict(iw, w):
    """Write the prediction for the new state: the polynomial through the history, extrapolated."""
    n = iw[state.N]
    y, y_new = state.vector(iw, w, state.Y), state.vector(iw, w, state.Y_NEW)
    D = _jit.view2(w, _place(iw, _D), MAX_ORDER + 2, n)
    for i in range(n):
        y_new[i] = y[i] + D[0, i]
    for j in range(1, iw[_ORDER]):  # row by row, as all loops over the differences: along contiguous memory
        for i in range(n):
            y_new[i] += D[j, i]


@_jit.core
def _iterate(fn, iw, w, p):
    """Predict, then solve ``c f(t_new, y_new) = psi + y_new - prediction``.

    Returns
    -------
    code : int
        `ACCEPTED` (converged), `NEWTON_FAILED`, `NONFINITE` or `RHS_RAISED`.
    iterations : int
    """
    n, order, t = iw[state.N], iw[_ORDER], w[state.T_NEW]
    c = w[state.H] / ALPHA[order]
    y_new = state.vector(iw, w, state.Y_NEW)
    rtol, atol = state.vector(iw, w, state.RTOL), state.vector(iw, w, state.ATOL)
    D, d = _jit.view2(w, _place(iw, _D), MAX_ORDER + 2, n), _jit.view1(w, _place(iw, _CORRECTION), n)
    psi, increment = _jit.view1(w, _place(iw, _PSI), n), _jit.view1(w, _place(iw, _INCREMENT), n)
    inverse = _jit.view1(w, _place(iw, _INVERSE), n)
    _predict(iw, w)
    for j in range(order):
        weight = GAMMA[j + 1] / ALPHA[order]
        for i in range(n):
            psi[i] = weight * D[0, i] if j == 0 else psi[i] + weight * D[j, i]
    for i in range(n):
        d[i] = 0.0
    newton.inverse_weights(y_new, rtol, atol, inverse)
    # damps the stiff components, in which factors of another c are off by the ratio (CVODE)
    damping = 2.0 / (1.0 + c / w[_C_LU])
    tol = max(newton.rounding(rtol), NEWTON_TOLERANCE / abs(ERROR[order]))
    w[state.LINEAR_TOLERANCE] = linalg.LINEAR_FRACTION * tol
    factor = newton.first_factor(w[newton.FACTOR], abs(c / w[_C_LU] - 1.0))
    size_old = 0.0
    for k in range(1, MAX_ITERATIONS + 1):
        iw[state.NFEV] += 1
        if _jit.call_scalar(fn[state.F], t, y_new, increment, p) != 0:
            return state.rhs_raised(w, t, state.vector(iw, w, state.SCRATCH), y_new), k
        for i in range(n):
            increment[i] = damping * (c * increment[i] - psi[i] - d[i])
        code = linalg.solve(fn, iw, w, p, 0, increment)
        if code != state.ACCEPTED:
            return code, k
        size = newton.norm(increment, inverse)
        if not np.isfinite(size):
            return state.NONFINITE, k
        for i in range(n):
            d[i] += increment[i]
            y_new[i] += increment[i]
        verdict, factor = newton.judge(size, size_old, MAX_ITERATIONS - k, factor, tol)
        if verdict == newton.CONVERGED:
            w[newton.FACTOR] = factor
            return state.ACCEPTED, k
        if verdict == newton.DIVERGED:
            return state.NEWTON_FAILED, k
        size_old = size
    return state.NEWTON_FAILED, MAX_ITERATIONS


@_jit.core
def _factor(err, order, safety):
    """By how much the step could change at an order, from its error norm at the present step."""
    return FACTOR_MAX if err == 0.0 else safety * err ** (-1.0 / (order + 1))


@_jit.core
def _choose(iw, w, err, safety):
    """After order + 1 equal steps: the order, one more or one less, that allows the largest step, and that step."""
    n, order = iw[state.N], iw[_ORDER]
    D, inverse = _jit.view2(w, _place(iw, _D), MAX_ORDER + 2, n), _jit.view1(w, _place(iw, _INVERSE), n)
    best, factor = order, _factor(err, order, safety)
    if order > 1:
        lower = _factor(abs(ERROR[order - 1]) * newton.norm(D[order - 1], inverse), order - 1, safety)
        if lower > factor:
            best, factor = order - 1, lower
    if order < MAX_ORDER:
        higher = _factor(abs(ERROR[order + 1]) * newton.norm(D[order + 1], inverse), order + 1, safety)
        if higher > factor:
            best, factor = order + 1, higher
    factor = min(FACTOR_MAX, max(FACTOR_MIN, factor))
    if best == order and DEADBAND_MIN <= factor <= DEADBAND_MAX:
        factor = 1.0
    iw[_ORDER_NEXT] = best
    w[state.H_NEXT] = factor * w[state.H]


def step(fn, iw, w, p):
    """Attempt one step, see `odekit.solvers.state`."""
    n, h = iw[state.N], w[state.H]
    y_new, f1 = state.vector(iw, w, state.Y_NEW), state.vector(iw, w, state.F1)
    if iw[state.FIRST_STEP] == 1:
        w[newton.FACTOR] = 1.0
    _set_grid(iw, w)
    code, iterations = jacobian.prepare(fn, iw, w, p, False), 0
    again = code == state.ACCEPTED
    while again:
        again = False
        code = _factorise(fn, iw, w, p)
        if code != state.ACCEPTED:
            return newton.failed(iw, w, code)
        code, iterations = _iterate(fn, iw, w, p)
        if code == state.NEWTON_FAILED or code == state.NONFINITE:
            w[newton.FACTOR] = 1.0
            if abs(h / ALPHA[iw[_ORDER]] / w[_C_LU] - 1.0) > LU_BLAMED:
                iw[state.LU_VALID] = 0
                again = True
            elif not jacobian.is_current(iw):
                _predict(iw, w)
                code = jacobian.evaluate(fn, iw, w, p, True, False)
                again = code == state.ACCEPTED
    if code != state.ACCEPTED:
        return newton.failed(iw, w, code)

    order = iw[_ORDER]
    D, d = _jit.view2(w, _place(iw, _D), MAX_ORDER + 2, n), _jit.view1(w, _place(iw, _CORRECTION), n)
    psi, inverse = _jit.view1(w, _place(iw, _PSI), n), _jit.view1(w, _place(iw, _INVERSE), n)
    newton.inverse_weights(y_new, state.vector(iw, w, state.RTOL), state.vector(iw, w, state.ATOL), inverse)
    err = abs(ERROR[order]) * newton.norm(d, inverse)
    w[state.ERR_NORM] = err
    if not np.isfinite(err):
        return newton.failed(iw, w, state.NONFINITE)
    iw[jacobian.JAC_WANTED] = 0
    safety = SAFETY * (1 + 2 * MAX_ITERATIONS) / (iterations + 2 * MAX_ITERATIONS)
    if err > 1.0:
        w[state.H_NEXT] = h * max(FACTOR_MIN, _factor(err, order, safety))
        return state.REJECTED_ERROR

    for i in range(n):
        f1[i] = (psi[i] + d[i]) * ALPHA[order] / h
        D[order + 1, i] = d[i] - D[order, i]
        D[order, i] = d[i]
    for j in range(order - 1, -1, -1):
        for i in range(n):
            D[j, i] += D[j + 1, i]
    iw[_EQUAL_STEPS] += 1
    w[state.H_NEXT] = h
    if iw[_EQUAL_STEPS] > order:
        _choose(iw, w, err, safety)
    return state.ACCEPTED


def dense(fn, iw, w, p):
    """The polynomial through the points of the history, in powers of theta, see `odekit.solvers.state`."""
    n, order = iw[state.N], iw[_ORDER]
    out, D = state.dense_coefficients(iw, w), _jit.view2(w, _place(iw, _D), MAX_ORDER + 2, n)
    for d in range(iw[state.DEGREE]):
        for i in range(n):
            value = 0.0
            for j in range(order):
                value += BASIS[j][d] * D[j, i] if d < MAX_ORDER else 0.0
            out[d, i] = value
    return 0
