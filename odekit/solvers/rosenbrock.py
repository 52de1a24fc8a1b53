"""Rosenbrock methods: the one stepper of the family, its code generated from a table.

No iteration: each stage is one linear system with the matrix ``I / (h gamma) - J``, which is factorised once in a step.
The Jacobian must be that of the start of the step, and so must the derivative with respect to t [1]_. The step follows
Gustafsson's predictive controller in the form of the code RODAS.

References
----------
.. [1] E. Hairer, G. Wanner, "Solving Ordinary Differential Equations II: Stiff and Differential-Algebraic Problems",
   Sec. IV.7, and the authors' code RODAS.
"""

import functools
import math

import numpy as np

from .. import _jit
from . import control, jacobian, linalg, newton, state
from .explicit import weighted_sum

EPS = np.finfo(float).eps
# RODAS
SAFETY = 0.9
FACTOR_MIN, FACTOR_MAX = 0.2, 6.0
#: A lucky tiny error must not brake the step after the next.
LOG_ERR_MIN, LOG_ERR_OLD_MIN = math.log(1e-10), math.log(1e-2)
#: Steps of a constant Jacobian that differ by no more, as rounding of t makes them, share a factorisation.
LU_SAME_STEP = 1e-12

_LOG_ERR_OLD = state.FAMILY_FLOAT + 2  # place in w: logarithm of the error norm of the last accepted step


# The workspace behind the matrices: the stages u_i.


def workspace(table, n):
    """Floats of workspace for n components, besides the matrices."""
    return table.stages * n


@_jit.core
def _rate(iw):
    """Where df/dt begins in w: behind the Jacobian, whose kernel may write both."""
    return iw[state.O_IMPLICIT] + iw[state.J_SIZE]


@_jit.core
def _stage(iw, i):
    """Where the unknown of stage i begins in w."""
    return iw[state.O_VECTORS] + i * iw[state.N]


@_jit.core
def _rate_by_differences(fn, iw, w, p):
    """Derivative with respect to t by a difference quotient of order 2 that stays inside the step; step code.

    The field varies on a scale of no less than the step, and rounding of t moves it by t / scale roundings: the
    increment balances that noise and the remainder, which is of third order.
    """
    n, t, h = iw[state.N], w[state.T], w[state.H]
    y, f0 = state.vector(iw, w, state.Y), state.vector(iw, w, state.F0)
    rate, scratch = _jit.view1(w, _rate(iw), n), _jit.view1(w, _stage(iw, 0), n)
    reach = max(abs(h), abs(t), abs(w[state.T_NEW]))
    increment = math.copysign(min((EPS * h * h * reach) ** (1 / 3), 0.5 * abs(h)), h)
    near, far = t + increment, t + 2.0 * increment
    d1, d2 = near - t, far - t  # as represented
    iw[state.NFEV] += 2
    if _jit.call_scalar(fn[state.F], near, y, rate, p) != 0:
        return state.rhs_raised(w, near, state.vector(iw, w, state.SCRATCH), y)
    if _jit.call_scalar(fn[state.F], far, y, scratch, p) != 0:
        return state.rhs_raised(w, far, state.vector(iw, w, state.SCRATCH), y)
    for i in range(n):
        rate[i] = (d2 / d1 * (rate[i] - f0[i]) - d1 / d2 * (scratch[i] - f0[i])) / (d2 - d1)
    return state.ACCEPTED


@_jit.core
def _begin(fn, iw, w, p, gamma):
    """Derivatives at the start of the step, and the factorisation; step code."""
    h = w[state.H]
    iw[jacobian.JAC_WANTED] = 1  # in every step; after a rejection the one at hand is still the right one
    code = jacobian.prepare(fn, iw, w, p, True)
    again = iw[state.REJECTED] == 1 and iw[state.FIRST_STEP] == 0
    if code == state.ACCEPTED and iw[state.TIME_KIND] == state.TIME_DIFFERENCE and not again:
        code = _rate_by_differences(fn, iw, w, p)
    if code != state.ACCEPTED or newton.factors_fit(iw, w, h, LU_SAME_STEP):
        return code
    code = linalg.factorise(fn, iw, w, p, 0, 1.0 / (h * gamma), 1.0)
    newton.record_factors(iw, w, code, h)
    return code


@_jit.core
def _next_factor(iw, w, log_err, exponent):
    """Step-size factor by Gustafsson's predictive controller, in RODAS's form; takes the logarithm of the error norm.

    One logarithm and two exponential functions instead of two powers, which cost as much as two stages of a small system.
    """
    bounded = max(log_err, LOG_ERR_MIN)
    factor = SAFETY * math.exp(-exponent * bounded)
    if log_err <= 0.0 and iw[state.FIRST_STEP] == 0:
        change = math.exp(exponent * (w[_LOG_ERR_OLD] - 2.0 * bounded))
        factor = min(factor, SAFETY * w[state.H] / w[state.H_OLD] * change)
    return min(FACTOR_MAX, max(FACTOR_MIN, factor))


@_jit.core
def _finish(fn, iw, w, p, exponent, f1_known):
    """Judge the error estimate, which lies in the scratch vector, and choose the next step; step code."""
    y, y_new, f1 = state.vector(iw, w, state.Y), state.vector(iw, w, state.Y_NEW), state.vector(iw, w, state.F1)
    rtol, atol, error = (
        state.vector(iw, w, state.RTOL),
        state.vector(iw, w, state.ATOL),
        state.vector(iw, w, state.SCRATCH),
    )
    total = finite = 0.0
    for i in range(y.size):
        weight = atol[i] + rtol[i] * max(abs(y[i]), abs(y_new[i]))
        e = error[i] / weight if weight != 0.0 else 0.0
        total += e * e
        finite += 0.0 * y_new[i] + 0.0 * error[i]
    err_square = total / y.size
    err = w[state.ERR_NORM] = math.sqrt(err_square)
    if not np.isfinite(err + finite):
        return newton.failed(iw, w, state.NONFINITE)
    log_err = 0.5 * math.log(max(err_square, control.ERR_SQUARE_MIN))
    factor = _next_factor(iw, w, log_err, exponent)
    if err > 1.0:
        w[state.H_NEXT] = factor * w[state.H]
        return state.REJECTED_ERROR
    if not f1_known:
        iw[state.NFEV] += 1
        if _jit.call_scalar(fn[state.F], w[state.T_NEW], y_new, f1, p) != 0:
            return state.rhs_raised(w, w[state.T_NEW], error, y_new)
    for i in range(y.size):
        if not np.isfinite(f1[i]):
            return newton.failed(iw, w, state.NONFINITE)
    if iw[state.REJECTED] == 1:
        factor = min(factor, 1.0)
    w[state.H_NEXT] = factor * w[state.H]
    w[_LOG_ERR_OLD] = max(log_err, LOG_ERR_OLD_MIN)
    return state.ACCEPTED


_NAMES = "N NFEV O_MASS T H T_NEW Y Y_NEW F0 F1 F SCRATCH DEGREE ACCEPTED dense_coefficients rhs_raised vector"
_NAMESPACE = {
    "call_scalar": _jit.call_scalar,
    "view1": _jit.view1,
    "view2": _jit.view2,
    **{name: getattr(state, name) for name in _NAMES.split()},
    **{f.__name__: f for f in (_rate, _stage, _begin, _finish, linalg.solve, newton.failed)},
}


def _stage_views(table):
    return [f"    u{i} = view1(w, _stage(iw, {i}), n)" for i in range(table.stages)]


def _solve(i):
    """Source of the linear system of a stage."""
    return [
        f"    code = solve(fn, iw, w, p, 0, u{i})",
        "    if code != ACCEPTED:",
        "        return failed(iw, w, code)",
    ]


def _stage_source(table, i, unknowns, mass):
    """Source of one stage after the first: argument, field, right-hand side, solution."""
    end = table.end_stage == i
    argument, slope = ("y_new", "f1") if end else ("z", f"u{i}")
    time = "t_new" if table.c[i] == 1.0 else f"t + {float(table.c[i])!r} * h"
    rate = f" + {float(table.d[i])!r} * h * rate[i]" if table.d[i] else ""
    others = f"per_h * ({weighted_sum(table.C[i], unknowns)})"
    if mass:  # the scratch vector has held the argument, which has served
        right_side = [
            "    for i in range(n):",
            f"        z[i] = {others}",
            "    for i in range(n):",
            f"        total = {slope}[i]{rate}",
            "        for j in range(n):",
            "            total += mass[i, j] * z[j]",
            f"        u{i}[i] = total",
        ]
    else:
        right_side = ["    for i in range(n):", f"        u{i}[i] = {slope}[i] + {others}{rate}"]
    return [
        "    for i in range(n):",
        f"        {argument}[i] = y[i] + {weighted_sum(table.A[i], unknowns)}",
        f"    if call_scalar(fn[F], {time}, {argument}, {slope}, p) != 0:",
        f"        return rhs_raised(w, {time}, z, {argument})",
        *right_side,
        *_solve(i),
    ]


@functools.cache
def step(table, mass=False):
    """Stepper of a Rosenbrock method.

    Parameters
    ----------
    table : RosenbrockTable
    mass : bool
        For ``M dy/dt = f``, with the mass matrix in ``w``.

    Returns
    -------
    function
        ``step(fn, iw, w, p) -> code``, see `odekit.solvers.state`.
    """
    unknowns, name = [f"u{i}" for i in range(table.stages)], f"step_{table.name}" + mass * "_mass"
    lines = [
        f"def {name}(fn, iw, w, p):",
        "    n, t, h, t_new = iw[N], w[T], w[H], w[T_NEW]",
        "    y, y_new, f0, f1 = vector(iw, w, Y), vector(iw, w, Y_NEW), vector(iw, w, F0), vector(iw, w, F1)",
        "    z, rate, per_h = vector(iw, w, SCRATCH), view1(w, _rate(iw), n), 1.0 / h",
        *_stage_views(table),
        *(["    mass = view2(w, iw[O_MASS], n, n)"] if mass else []),
        f"    code = _begin(fn, iw, w, p, {float(table.gamma)!r})",
        "    if code != ACCEPTED:",
        "        return failed(iw, w, code)",
        f"    iw[NFEV] += {table.stages - 1}",
        "    for i in range(n):",
        f"        u0[i] = f0[i] + {float(table.d[0])!r} * h * rate[i]",
        *_solve(0),
    ]
    for i in range(1, table.stages):
        lines += _stage_source(table, i, unknowns, mass)
    lines += ["    for i in range(n):"]
    if table.end_stage is None:
        lines += [f"        y_new[i] = y[i] + {weighted_sum(table.b, unknowns)}"]
    lines += [
        f"        z[i] = {weighted_sum(table.b_err, unknowns)}",
        f"    return _finish(fn, iw, w, p, {1.0 / (table.embedded_order + 1)!r}, {table.end_stage is not None})",
    ]
    return _jit.exec_source("\n".join(lines) + "\n", name, _NAMESPACE)


@functools.cache
def dense(table):
    """Dense-output kernel of a Rosenbrock method.

    Parameters
    ----------
    table : RosenbrockTable

    Returns
    -------
    function
        ``dense(fn, iw, w, p) -> code``, see `odekit.solvers.state`.
    """
    unknowns, powers = [f"u{i}" for i in range(table.stages)], list(zip(*table.dense, strict=True))
    lines = [
        f"def dense_{table.name}(fn, iw, w, p):",
        "    n, q = iw[N], dense_coefficients(iw, w)",
        *_stage_views(table),
        "    for i in range(n):",
        *[f"        q[{k}, i] = {weighted_sum(weights, unknowns)}" for k, weights in enumerate(powers)],
        f"        for k in range({len(powers)}, iw[DEGREE]):",
        "            q[k, i] = 0.0",
        "    return 0",
    ]
    return _jit.exec_source("\n".join(lines) + "\n", f"dense_{table.name}", _NAMESPACE)
