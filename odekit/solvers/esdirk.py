"""ESDIRK methods: the one stepper of the family, its code generated from a table.

The stages are solved one after the other by a simplified Newton iteration for ``z = h gamma k`` with the matrix
``I - h gamma J``, which all stages share; the last stage is the solution and its slope begins the next step [1]_.

References
----------
.. [1] E. Hairer, G. Wanner, "Solving Ordinary Differential Equations II: Stiff and Differential-Algebraic Problems",
   Sec. IV.6 and IV.8.
"""

import functools

import numpy as np

from .. import _jit
from . import jacobian, linalg, newton, state
from .explicit import weighted_sum
from .hermite import hermite, line

MAX_ITERATIONS = 10  # OrdinaryDiffEq.jl, diffrax
#: The Jacobian is kept while few iterations are enough or the rate is at most this (measured as for Radau).
FEW_ITERATIONS, RATE_KEEP = 2, 3e-2
SAFETY = 0.9
#: The step stays, and with it the factorisation, while it would change by no more than this.
DEADBAND_MIN, DEADBAND_MAX = 0.9, 1.2
FACTOR_MIN, FACTOR_MAX = 0.2, 10.0
LU_SAME_STEP = 1e-6  # steps that differ by less, as rounding of t makes them, share a factorisation

# vectors of the workspace, behind the matrices
_Z = 0  # the stage's unknown
_INCREMENT = 1  # right-hand side and solution of the linear system; the error estimate
_INVERSE = 2  # inverse weights of the norms
_SLOPES = 3  # k_2, ..., k_{s-1}; k_1 is f0 and k_s is f1

_ITERATIONS = state.FAMILY_INT + 1  # place in iw: most iterations that a stage of this attempt took


def degree(table):
    """Degree of the dense output: the line for a method of order 1, else cubic Hermite from both ends."""
    return 1 if table.order == 1 else 3


def workspace(table, n):
    """Floats of workspace for n components, besides the matrices."""
    return (_SLOPES + table.stages - 2) * n


@_jit.core
def _place(iw, k):
    """Where the k-th vector of the workspace begins in w."""
    return iw[state.O_VECTORS] + k * iw[state.N]


@_jit.core
def _begin(fn, iw, w, p):
    """Jacobian and weights before the first stage; step code."""
    if iw[state.FIRST_STEP] == 1:
        w[newton.FACTOR] = 1.0
    y, rtol, atol = state.vector(iw, w, state.Y), state.vector(iw, w, state.RTOL), state.vector(iw, w, state.ATOL)
    newton.inverse_weights(y, rtol, atol, _jit.view1(w, _place(iw, _INVERSE), y.size))
    return jacobian.prepare(fn, iw, w, p, False)


@_jit.core
def _factorise(fn, iw, w, p, gamma):
    """Factorise ``I - h gamma J`` unless the factors at hand are those of this step; step code."""
    h = w[state.H]
    iw[_ITERATIONS] = 0
    if newton.factors_fit(iw, w, h, LU_SAME_STEP):
        return state.ACCEPTED
    code = linalg.factorise(fn, iw, w, p, 0, 1.0, h * gamma)
    newton.record_factors(iw, w, code, h)
    return code


@_jit.core
def _solve_stage(fn, iw, w, p, t, gamma, k):
    """Solve ``z = h gamma f(t, base + z)``, z from its first guess on and base in y_new; writes k = z / (h gamma).

    z, the increments and the inverse weights are vectors of the workspace; k (n,) is where the slope of the stage is kept.

    Returns
    -------
    int
        Step code: `ACCEPTED` (converged), `NEWTON_FAILED`, `NONFINITE` or `RHS_RAISED`.
    """
    n, h_gamma = iw[state.N], w[state.H] * gamma
    base, argument = state.vector(iw, w, state.Y_NEW), state.vector(iw, w, state.SCRATCH)
    z, d = _jit.view1(w, _place(iw, _Z), n), _jit.view1(w, _place(iw, _INCREMENT), n)
    inverse = _jit.view1(w, _place(iw, _INVERSE), n)
    tol = newton.tolerance(state.vector(iw, w, state.RTOL))
    w[state.LINEAR_TOLERANCE] = linalg.LINEAR_FRACTION * tol
    factor = newton.first_factor(w[newton.FACTOR], 0.0)
    size_old = 0.0
    for iteration in range(1, MAX_ITERATIONS + 1):
        for i in range(n):
            argument[i] = base[i] + z[i]
        iw[state.NFEV] += 1
        if _jit.call_scalar(fn[state.F], t, argument, d, p) != 0:
            return state.rhs_raised(w, t, argument, argument)
        for i in range(n):
            d[i] = h_gamma * d[i] - z[i]
        code = linalg.solve(fn, iw, w, p, 0, d)
        if code != state.ACCEPTED:
            return code
        size = newton.norm(d, inverse)
        if not np.isfinite(size):
            return state.NONFINITE
        for i in range(n):
            z[i] += d[i]
        verdict, factor = newton.judge(size, size_old, MAX_ITERATIONS - iteration, factor, tol)
        if verdict == newton.CONVERGED:
            for i in range(n):
                k[i] = z[i] / h_gamma
            w[newton.FACTOR] = factor
            iw[_ITERATIONS] = max(iw[_ITERATIONS], iteration)
            return state.ACCEPTED
        if verdict == newton.DIVERGED:
            break
        size_old = size
    return state.NEWTON_FAILED


@_jit.core
def _try_again(fn, iw, w, p, code):
    """After a failed iteration: whether a newer Jacobian makes a second try worth it, and the step code."""
    if code == state.RHS_RAISED or code == state.SINGULAR or jacobian.is_current(iw):
        return False, code
    w[newton.FACTOR] = 1.0
    code = jacobian.evaluate(fn, iw, w, p, False, iw[state.FIRST_STEP] == 1)
    return code == state.ACCEPTED, code


@_jit.core
def _finish(fn, iw, w, p, filtered, exponent):
    """Judge the error estimate and choose the next step; step code."""
    n, h = iw[state.N], w[state.H]
    y, y_new, f1 = state.vector(iw, w, state.Y), state.vector(iw, w, state.Y_NEW), state.vector(iw, w, state.F1)
    rtol, atol = state.vector(iw, w, state.RTOL), state.vector(iw, w, state.ATOL)
    error, inverse = _jit.view1(w, _place(iw, _INCREMENT), n), _jit.view1(w, _place(iw, _INVERSE), n)
    if filtered:
        code = linalg.solve(fn, iw, w, p, 0, error)
        if code != state.ACCEPTED:
            return newton.failed(iw, w, code)
    finite = 0.0
    for i in range(n):
        inverse[i] = max(abs(y[i]), abs(y_new[i]))
        finite += 0.0 * y_new[i] + 0.0 * f1[i]
    newton.inverse_weights(inverse, rtol, atol, inverse)
    err = newton.norm(error, inverse)
    w[state.ERR_NORM] = err
    if not np.isfinite(err + finite):
        return newton.failed(iw, w, state.NONFINITE)
    iterations = iw[_ITERATIONS]
    constant = iw[state.JAC_KIND] == state.JAC_CONSTANT
    slow = not constant and iterations > FEW_ITERATIONS and newton.rate(w[newton.FACTOR]) > RATE_KEEP
    iw[jacobian.JAC_WANTED] = slow
    safety = SAFETY * (1 + 2 * MAX_ITERATIONS) / (iterations + 2 * MAX_ITERATIONS)
    if err > 1.0:
        w[state.H_NEXT] = h * max(FACTOR_MIN, safety * err**-exponent)
        return state.REJECTED_ERROR
    factor = FACTOR_MAX if err == 0.0 else min(FACTOR_MAX, max(FACTOR_MIN, safety * err**-exponent))
    if iw[state.REJECTED] == 1:
        factor = min(1.0, factor)
    if not slow and DEADBAND_MIN <= factor <= DEADBAND_MAX:
        factor = 1.0
    w[state.H_NEXT] = factor * h
    return state.ACCEPTED


_NAMESPACE = {
    "view1": _jit.view1,
    "vector": state.vector,
    **{name: getattr(state, name) for name in ["N", "T", "H", "T_NEW", "Y", "Y_NEW", "F0", "F1", "ACCEPTED"]},
    **{f.__name__: f for f in (_place, _begin, _factorise, _solve_stage, _try_again, newton.failed, _finish)},
}


@functools.cache
def step(table):
    """Stepper of an ESDIRK method.

    Parameters
    ----------
    table : EsdirkTable

    Returns
    -------
    function
        ``step(fn, iw, w, p) -> code``, see `odekit.solvers.state`.
    """
    gamma, last = float(table.gamma), table.stages - 1
    slopes = ["f0", *[f"k{s}" for s in range(1, last)], "f1"]
    lines = [
        f"def step_{table.name}(fn, iw, w, p):",
        "    n, t, h = iw[N], w[T], w[H]",
        "    y, y_new, f0, f1 = vector(iw, w, Y), vector(iw, w, Y_NEW), vector(iw, w, F0), vector(iw, w, F1)",
        f"    z, error = view1(w, _place(iw, {_Z}), n), view1(w, _place(iw, {_INCREMENT}), n)",
        *[f"    k{s} = view1(w, _place(iw, {_SLOPES + s - 1}), n)" for s in range(1, last)],
        "    code = _begin(fn, iw, w, p)",
        "    again = code == ACCEPTED",
        "    while again:",
        f"        code = _factorise(fn, iw, w, p, {gamma!r})",
    ]
    for s in range(1, table.stages):
        known = f" + h * ({weighted_sum(table.A[s][:s], slopes)})" if any(table.A[s][:s]) else ""
        time = "w[T_NEW]" if table.c[s] == 1.0 else f"t + {float(table.c[s])!r} * h"
        lines += [
            "        if code == ACCEPTED:",
            "            for i in range(n):",
            f"                y_new[i] = y[i]{known}",
            f"                z[i] = {gamma!r} * h * ({weighted_sum(table.predictor[s][:s], slopes)})",
            f"            code = _solve_stage(fn, iw, w, p, {time}, {gamma!r}, {slopes[s]})",
        ]
    lines += [
        "        again = False",
        "        if code != ACCEPTED:",
        "            again, code = _try_again(fn, iw, w, p, code)",
        "    if code != ACCEPTED:",
        "        return failed(iw, w, code)",
        "    for i in range(n):",
        "        y_new[i] += z[i]",
        f"        error[i] = h * ({weighted_sum(table.b_err, slopes)})",
        f"    return _finish(fn, iw, w, p, {table.filter_error}, {1.0 / (table.embedded_order + 1)!r})",
    ]
    return _jit.exec_source("\n".join(lines) + "\n", f"step_{table.name}", _NAMESPACE)


def dense(table):
    """Dense-output kernel of an ESDIRK method.

    Parameters
    ----------
    table : EsdirkTable

    Returns
    -------
    function
        ``dense(fn, iw, w, p) -> code``, see `odekit.solvers.state`.
    """
    return line if degree(table) == 1 else hermite
