"""Radau IIA, three stages, order 5: the stiff partner of the automatic method.

The 3n equations of the stages are transformed so that one real and one complex system of dimension n remain [1]_. Start
values extrapolate the last collocation polynomial, which is also the dense output; the error is estimated by an embedded
formula of order 3, filtered by the real factorisation; the step follows Gustafsson's predictive controller [2]_.

References
----------
.. [1] E. Hairer, G. Wanner, "Solving Ordinary Differential Equations II: Stiff and Differential-Algebraic Problems",
   Sec. IV.8, and the authors' code RADAU5.
.. [2] K. Gustafsson, "Control-theoretic techniques for stepsize selection in implicit Runge-Kutta methods",
   ACM Trans. Math. Softw. 20 (1994) 496-517.
"""

import numpy as np

from .. import _jit
from . import jacobian, newton, state
from .linalg import dense as linalg

ORDER, ERROR_ORDER, DEGREE = 5, 3, 3

_S6 = 6**0.5
C1, C2 = (4 - _S6) / 10, (4 + _S6) / 10
#: Error estimate: ``f0 + (E1 z1 + E2 z2 + E3 z3) / h``, times the filter.
E1, E2, E3 = (-13 - 7 * _S6) / 3, (-13 + 7 * _S6) / 3, -1 / 3
#: Eigenvalues of the inverse of the method's matrix A.
MU = 3 + 3 ** (2 / 3) - 3 ** (1 / 3)
ALPHA, BETA = 3 + (3 ** (1 / 3) - 3 ** (2 / 3)) / 2, (3 ** (5 / 6) + 3 ** (7 / 6)) / 2
#: ``T^-1 A^-1 T`` is block diagonal, with MU and [[ALPHA, -BETA], [BETA, ALPHA]] (RADAU5).
T11, T12, T13 = 0.091232394870892942792, -0.14125529502095420843, -0.030029194105147424492
T21, T22, T23 = 0.24171793270710701896, 0.20412935229379993199, 0.38294211275726193779
T31, T32, T33 = 0.96604818261509293619, 1.0, 0.0
TI11, TI12, TI13 = 4.3255798900631553510, 0.33919925181580986954, 0.54177053993587487119
TI21, TI22, TI23 = -4.1787185915519047273, -0.32768282076106238708, 0.47662355450055045196
TI31, TI32, TI33 = -0.50287263494578687595, 2.5719269498556054292, -0.59603920482822492497
#: Monomial coefficients of the collocation polynomial in terms of z1, z2, z3.
P = (
    (13 / 3 + 7 * _S6 / 3, 13 / 3 - 7 * _S6 / 3, 1 / 3),
    (-23 / 3 - 22 * _S6 / 3, -23 / 3 + 22 * _S6 / 3, -8 / 3),
    (10 / 3 + 5 * _S6, 10 / 3 - 5 * _S6, 10 / 3),
)

#: Largest value of ``|x (x - C1) (x - C2) (x - 1)|`` in the step, see `_interior_error`.
INTERIOR = 0.018254

# The controller is RADAU5's; its constants were measured anew on ROBER, HIRES, OREGO and VDPOL, where these ask for fewer
# factorisations and repeated steps than RADAU5's own (7, 0.9, [1, 1.2], 1e-3, 1e-2).
MAX_ITERATIONS = 10
SAFETY = 0.85
#: The step stays, and with it the factorisation, while it would change by no more than this.
DEADBAND_MIN, DEADBAND_MAX = 0.85, 1.3
#: The Jacobian is kept while two iterations are enough or the iteration converges at least at this rate.
FEW_ITERATIONS, RATE_KEEP = 2, 1e-2
#: A lucky tiny error must not brake the step after the next.
ERR_MIN, ERR_OLD_MIN = 1e-10, 1e-8
FACTOR_MIN, FACTOR_MAX = 0.2, 10.0
LU_SAME_STEP = 1e-6  # steps that differ by less, as rounding of t makes them, share a factorisation

_ERR_OLD = state.FAMILY_FLOAT + 2  # place in w: error norm of the last accepted step

# vectors of the workspace, counted from behind J (n*n), the real (n*n) and the complex factors (2*n*n)
_Z = 0  # stage increments z_i = Y_i - y
_V = 3  # the same in the basis in which the iteration works, T^-1 z
_RATES = 6  # f at the stages, then the right-hand side and the solution of the real system; the error estimate
_COMPLEX = 9  # right-hand side and solution of the complex system
_Q = 11  # collocation polynomial of the last accepted step, without the constant term
_INVERSE = 14  # inverse weights of the norms


def workspace(n):
    """Floats of workspace."""
    return 4 * n * n + 15 * n


@_jit.core
def _place(iw, k):
    """Where the k-th vector of the workspace begins in w."""
    n = iw[state.N]
    return iw[state.O_IMPLICIT] + 4 * n * n + k * n


@_jit.core
def _factorise(fn, iw, w):
    """Factorise ``MU / h I - J`` and ``(ALPHA + i BETA) / h I - J``; 0, or 1 where one is singular."""
    n, h = iw[state.N], w[state.H]
    J = _jit.view2(w, iw[state.O_IMPLICIT], n, n)
    lu = _jit.view2(w, iw[state.O_IMPLICIT] + n * n, n, n)
    pivots = linalg.pivots_view(iw, state.IW_HEADER, n)
    linalg.shifted(J, MU / h, 1.0, lu)
    status = _jit.call_linear(fn[state.FACTOR_REAL], lu, pivots, lu, n)
    lu_c = _jit.view2c(w, iw[state.O_IMPLICIT] + 2 * n * n, n, n)
    pivots_c = linalg.pivots_view(iw, state.IW_HEADER, 2 * n)[n:]
    linalg.shifted(J, complex(ALPHA / h, BETA / h), 1.0, lu_c)
    status |= _jit.call_linear(fn[state.FACTOR_COMPLEX], lu_c, pivots_c, lu_c, n)
    iw[state.NLU] += 2
    newton.record_factors(iw, w, status, h)
    return status


@_jit.core
def _start_values(iw, w):
    """First guess of the stages: the last collocation polynomial, extrapolated; zero if there is none."""
    n = iw[state.N]
    z, q = _jit.view2(w, _place(iw, _Z), 3, n), _jit.view2(w, _place(iw, _Q), 3, n)
    ratio = 0.0 if iw[state.FIRST_STEP] == 1 else w[state.H] / w[state.H_OLD]
    for s in range(3):
        x = 1.0 + (C1, C2, 1.0)[s] * ratio
        a, b, c = x - 1.0, x * x - 1.0, x * x * x - 1.0
        for i in range(n):
            z[s, i] = 0.0 if ratio == 0.0 else a * q[0, i] + b * q[1, i] + c * q[2, i]


@_jit.core
def _iterate(fn, iw, w, p, inverse):
    """Simplified Newton iteration for the stages.

    Returns
    -------
    code : int
        `ACCEPTED` (converged), `NEWTON_FAILED`, `NONFINITE` or `RHS_RAISED`.
    iterations : int
    """
    n = iw[state.N]
    t, h = w[state.T], w[state.H]
    y, argument = state.vector(iw, w, state.Y), state.vector(iw, w, state.Y_NEW)
    z, v = _jit.view2(w, _place(iw, _Z), 3, n), _jit.view2(w, _place(iw, _V), 3, n)
    f, d = _jit.view2(w, _place(iw, _RATES), 3, n), _jit.view1c(w, _place(iw, _COMPLEX), n)
    lu = _jit.view2(w, iw[state.O_IMPLICIT] + n * n, n, n)
    pivots = linalg.pivots_view(iw, state.IW_HEADER, n)
    lu_c = _jit.view2c(w, iw[state.O_IMPLICIT] + 2 * n * n, n, n)
    pivots_c = linalg.pivots_view(iw, state.IW_HEADER, 2 * n)[n:]
    mu, alpha, beta = MU / h, ALPHA / h, BETA / h
    for i in range(n):
        z1, z2, z3 = z[0, i], z[1, i], z[2, i]
        v[0, i] = TI11 * z1 + TI12 * z2 + TI13 * z3
        v[1, i] = TI21 * z1 + TI22 * z2 + TI23 * z3
        v[2, i] = TI31 * z1 + TI32 * z2 + TI33 * z3
    tol = newton.tolerance(state.vector(iw, w, state.RTOL))
    factor = newton.first_factor(w[newton.FACTOR], 0.0)
    size_old = 0.0
    for k in range(MAX_ITERATIONS):
        for s in range(3):
            for i in range(n):
                argument[i] = y[i] + z[s, i]
            t_stage = w[state.T_NEW] if s == 2 else t + (C1, C2)[s] * h
            status = _jit.call_scalar(fn[state.F], t_stage, argument, f[s], p)
            iw[state.NFEV] += 1
            if status != 0:
                return state.rhs_raised(w, t_stage, state.vector(iw, w, state.SCRATCH), argument), k + 1
        for i in range(n):
            f1, f2, f3 = f[0, i], f[1, i], f[2, i]
            f[0, i] = TI11 * f1 + TI12 * f2 + TI13 * f3 - mu * v[0, i]
            real = TI21 * f1 + TI22 * f2 + TI23 * f3 - alpha * v[1, i] + beta * v[2, i]
            imaginary = TI31 * f1 + TI32 * f2 + TI33 * f3 - alpha * v[2, i] - beta * v[1, i]
            d[i] = complex(real, imaginary)
        _jit.call_linear(fn[state.SOLVE_REAL], lu, pivots, f[0], n)
        _jit.call_linear(fn[state.SOLVE_COMPLEX], lu_c, pivots_c, d, n)
        total = 0.0
        for i in range(n):
            d1, d2, d3 = f[0, i], d[i].real, d[i].imag
            total += (d1 * d1 + d2 * d2 + d3 * d3) * inverse[i] * inverse[i]
            v[0, i] += d1
            v[1, i] += d2
            v[2, i] += d3
            z[0, i] = T11 * v[0, i] + T12 * v[1, i] + T13 * v[2, i]
            z[1, i] = T21 * v[0, i] + T22 * v[1, i] + T23 * v[2, i]
            z[2, i] = T31 * v[0, i] + T32 * v[1, i]
        size = np.sqrt(total / (3 * n))
        if not np.isfinite(size):
            return state.NONFINITE, k + 1
        verdict, factor = newton.judge(size, size_old, MAX_ITERATIONS - 1 - k, factor, tol)
        if verdict == newton.CONVERGED:
            w[newton.FACTOR] = factor
            return state.ACCEPTED, k + 1
        if verdict == newton.DIVERGED:
            return state.NEWTON_FAILED, k + 1
        size_old = size
    return state.NEWTON_FAILED, MAX_ITERATIONS


@_jit.core
def _solve(fn, iw, w, p, inverse):
    """Iterate, again with a newer Jacobian if that may help; step code and number of iterations."""
    while True:
        if not newton.factors_fit(iw, w, w[state.H], LU_SAME_STEP) and _factorise(fn, iw, w) != 0:
            return state.SINGULAR, 0
        _start_values(iw, w)
        code, iterations = _iterate(fn, iw, w, p, inverse)
        if code == state.ACCEPTED or code == state.RHS_RAISED or jacobian.is_current(iw):
            return code, iterations
        w[newton.FACTOR] = 1.0
        code = jacobian.evaluate(fn, iw, w, p, False, True)
        if code != state.ACCEPTED:
            return code, 0


@_jit.core
def _filtered(fn, iw, w, f, inverse, error):
    """Write the filtered error estimate that starts from the slope `f`; returns its norm."""
    n, h = iw[state.N], w[state.H]
    z = _jit.view2(w, _place(iw, _Z), 3, n)
    lu = _jit.view2(w, iw[state.O_IMPLICIT] + n * n, n, n)
    pivots = linalg.pivots_view(iw, state.IW_HEADER, n)
    for i in range(n):
        error[i] = f[i] + (E1 * z[0, i] + E2 * z[1, i] + E3 * z[2, i]) / h
    _jit.call_linear(fn[state.SOLVE_REAL], lu, pivots, error, n)
    return newton.norm(error, inverse)


@_jit.core
def _estimate_error(fn, iw, w, p, inverse):
    """Write the norm of the error estimate to `w`; step code.

    On a first or a repeated step stiff components may dominate an estimate that is too large: it is filtered once more.
    """
    n, t = iw[state.N], w[state.T]
    y, f0, f1 = state.vector(iw, w, state.Y), state.vector(iw, w, state.F0), state.vector(iw, w, state.F1)
    scratch, error = state.vector(iw, w, state.SCRATCH), _jit.view1(w, _place(iw, _RATES), n)
    err = _filtered(fn, iw, w, f0, inverse, error)
    if err > 1.0 and (iw[state.FIRST_STEP] == 1 or iw[state.REJECTED] == 1):
        for i in range(n):
            f1[i] = y[i] + error[i]
        iw[state.NFEV] += 1
        if _jit.call_scalar(fn[state.F], t, f1, scratch, p) != 0:
            return state.rhs_raised(w, t, scratch, f1)
        err = _filtered(fn, iw, w, scratch, inverse, error)
    if iw[state.FIRST_STEP] == 0:
        err = max(err, _interior_error(iw, w, inverse))
    w[state.ERR_NORM] = err
    return state.ACCEPTED if np.isfinite(err) else state.NONFINITE


@_jit.core
def _interior_error(iw, w, inverse):
    """Norm of the error of the collocation polynomial between its nodes.

    The estimate above knows the end of the step only, and through its filter nothing of a component that stiffness ties to
    a slow solution: that is exact at the nodes, however long the step, and far off between them. The fourth divided
    difference of the nodes and the start of the step before tells.
    """
    n, ratio = iw[state.N], w[state.H_OLD] / w[state.H]
    z, q = _jit.view2(w, _place(iw, _Z), 3, n), _jit.view2(w, _place(iw, _Q), 3, n)
    scale = INTERIOR / (ratio * (ratio + C1) * (ratio + C2) * (ratio + 1.0))
    total = 0.0
    for i in range(n):
        value = 0.0
        for d in range(2, -1, -1):
            value = -(value + P[d][0] * z[0, i] + P[d][1] * z[1, i] + P[d][2] * z[2, i]) * ratio
        e = (value + q[0, i] + q[1, i] + q[2, i]) * scale * inverse[i]
        total += e * e
    return np.sqrt(total / n)


@_jit.core
def _next_factor(iw, w, err, iterations):
    """Step-size factor by Gustafsson's predictive controller, in RADAU5's form."""
    safety = min(SAFETY, SAFETY * (1 + 2 * MAX_ITERATIONS) / (iterations + 2 * MAX_ITERATIONS))
    factor = safety * max(err, ERR_MIN) ** -0.25
    if err <= 1.0 and iw[state.FIRST_STEP] == 0:
        predicted = SAFETY * w[state.H] / w[state.H_OLD] * (w[_ERR_OLD] / max(err, ERR_MIN) ** 2) ** 0.25
        factor = min(factor, predicted)
    return min(FACTOR_MAX, max(FACTOR_MIN, factor))


def step(fn, iw, w, p):
    """Attempt one step, see `odekit.solvers.state`."""
    n, h = iw[state.N], w[state.H]
    y, y_new, f1 = state.vector(iw, w, state.Y), state.vector(iw, w, state.Y_NEW), state.vector(iw, w, state.F1)
    rtol, atol = state.vector(iw, w, state.RTOL), state.vector(iw, w, state.ATOL)
    z, inverse = _jit.view2(w, _place(iw, _Z), 3, n), _jit.view1(w, _place(iw, _INVERSE), n)
    if iw[state.FIRST_STEP] == 1:
        w[newton.FACTOR] = 1.0
    code, iterations = jacobian.prepare(fn, iw, w, p, True), 0
    if code == state.ACCEPTED:
        newton.inverse_weights(y, rtol, atol, inverse)
        code, iterations = _solve(fn, iw, w, p, inverse)
    if code == state.ACCEPTED:
        for i in range(n):
            y_new[i] = y[i] + z[2, i]
            inverse[i] = max(abs(y[i]), abs(y_new[i]))
        newton.inverse_weights(inverse, rtol, atol, inverse)
        code = _estimate_error(fn, iw, w, p, inverse)
    if code != state.ACCEPTED:
        return newton.failed(iw, w, code)

    err = w[state.ERR_NORM]
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
    w[_ERR_OLD] = max(err, ERR_OLD_MIN)
    q = _jit.view2(w, _place(iw, _Q), 3, n)
    for d in range(3):
        for i in range(n):
            q[d, i] = P[d][0] * z[0, i] + P[d][1] * z[1, i] + P[d][2] * z[2, i]
    return state.ACCEPTED


def dense(fn, iw, w, p):
    """Coefficients of the collocation polynomial, see `odekit.solvers.state`."""
    n = iw[state.N]
    out, q = state.dense_coefficients(iw, w), _jit.view2(w, _place(iw, _Q), 3, n)
    for d in range(iw[state.DEGREE]):
        for i in range(n):
            out[d, i] = q[d, i] if d < 3 else 0.0
    return 0
