"""Stabilised explicit Runge-Kutta methods for large systems whose Jacobian has a nearly real, negative spectrum.

Diffusion on a grid is the case in point. The stability region is a strip along the negative real axis whose length grows
with the square of the number of stages, which is chosen anew in each step from the spectral radius of the Jacobian: no
matrix, no linear system, a handful of vectors.

What many stages cost is rounding: the finishing stages undo what the recurrence has damped too much, and multiply rounding
errors of fast modes by up to 1e8 (rock2, 200 stages) and 4e13 (rock4, 152 stages). The error estimate sees them, and so the steps
of rock4 stay near a hundred stages at a tolerance of 1e-3, near fifty at 1e-6; rock2 has the longer steps from 1e-4 up. See `odekit.solvers.stabilised_tables` for the methods.
"""

import functools
import math
import re

from .. import _jit
from . import control, spectral_radius, state

RADIUS = state.FAMILY_FLOAT  # bound of the spectral radius in use
RADIUS_AGE = state.FAMILY_INT  # accepted steps since it was estimated
LARGEST_AGE = 25  # rock4.f
#: Of the step that the most stages reach, taken where the one wished for is too long.
REACH_SAFETY = 0.999999

_STATE_NAMES = (
    "ACCEPTED ATOL COEFFICIENTS ERR_NORM F F0 F1 FIRST_STEP H H_NEXT N NFEV NONFINITE O_FIRST REJECTED REJECTED_ERROR RTOL "
    "SCRATCH T T_NEW Y Y_NEW rhs_raised vector"
).split()
_NAMESPACE = {name: getattr(state, name) for name in _STATE_NAMES} | {
    "LARGEST_AGE": LARGEST_AGE,
    "NONFINITE_FACTOR": control.NONFINITE_FACTOR,
    "RADIUS": RADIUS,
    "RADIUS_AGE": RADIUS_AGE,
    "REACH_SAFETY": REACH_SAFETY,
    "call_scalar": _jit.call_scalar,
    "estimate": spectral_radius.estimate,
    "factor_rejected": control.factor_rejected,
    "math": math,
    "memory_float": _jit.memory_float,
    "pi_factor_accepted": control.pi_factor_accepted,
    "view1": _jit.view1,
}


def workspace(table, n):
    """Floats of workspace: two vectors of the recurrence, the slopes, the direction of the power method."""
    return (table.finishing + 3) * n


def addresses(table):
    """Address of the coefficients, which the table keeps alive."""
    return {state.COEFFICIENTS: table.packed.ctypes.data}


_BEGIN = """
    n, t, t_new, h = iw[N], w[T], w[T_NEW], w[H]
    y, y_new, f0, f1 = vector(iw, w, Y), vector(iw, w, Y_NEW), vector(iw, w, F0), vector(iw, w, F1)
    rtol, atol, scratch = vector(iw, w, RTOL), vector(iw, w, ATOL), vector(iw, w, SCRATCH)
    direction, g, g_old = view1(w, iw[O_FIRST], n), view1(w, iw[O_FIRST] + n, n), view1(w, iw[O_FIRST] + 2 * n, n)
    # the spectral radius: anew at a start, after a rejection, and every so often
    if iw[FIRST_STEP] != 0 or iw[RADIUS_AGE] >= LARGEST_AGE or (iw[REJECTED] != 0 and iw[RADIUS_AGE] > 0):
        code = estimate(fn, iw, w, p, direction, g, k1, RADIUS)
        if code != ACCEPTED:
            w[H_NEXT] = h * NONFINITE_FACTOR
            return code
        iw[RADIUS_AGE] = 0
    # the fewest stages whose stability region reaches as far, or the step that the most stages allow
    head = memory_float(fn[COEFFICIENTS], 3 * DEGREES)
    degree, wanted = 0, abs(h) * w[RADIUS]
    while degree < DEGREES - 1 and head[degree] < wanted:
        degree += 1
    if head[degree] < wanted:
        t_new = t + h * (REACH_SAFETY * head[degree] / wanted)
        w[T_NEW], w[H] = t_new, t_new - t
        h = w[H]
    m, place = int(head[DEGREES + degree]), int(head[2 * DEGREES + degree])
    own = view1(memory_float(fn[COEFFICIENTS], SIZE), place, FINISHING + 2 * m - 1)
    mu = view1(own, FINISHING, 2 * m - 1)
    first, c, c_old = h * mu[0], mu[0], 0.0
    for i in range(n):
        g_old[i] = y[i]
        g[i] = y[i] + first * f0[i]
    for j in range(1, m):
        if call_scalar(fn[F], t + c * h, g, k1, p) != 0:
            return rhs_raised(w, t + c * h, scratch, g)
        kappa = mu[2 * j]
        weight, weight_1 = h * mu[2 * j - 1], 1.0 + kappa
        for i in range(n):
            g_old[i] = weight * k1[i] + weight_1 * g[i] - kappa * g_old[i]
        g, g_old = g_old, g
        c, c_old = mu[2 * j - 1] + weight_1 * c - kappa * c_old, c
    iw[NFEV] += m - 1 + STAGES
"""

_FIELD_AT_END = """
    if call_scalar(fn[F], t_new, y_new, f1, p) != 0:
        return rhs_raised(w, t_new, scratch, y_new)
    iw[NFEV] += 1
"""

_JUDGE = """
    err_square = total / n if n > 0 else 0.0
    w[ERR_NORM] = math.sqrt(err_square)
    if not err_square < math.inf:
        w[H_NEXT] = h * NONFINITE_FACTOR
        return NONFINITE
    if err_square > 1.0:
        w[H_NEXT] = h * factor_rejected(err_square, EXPONENT)
        return REJECTED_ERROR
"""

# The predictive controller of rock4.f rejects fewer steps and takes more of them: on both Brusselators as many evaluations at
# equal error, within a tenth, as this one.
_ACCEPT = """
    w[H_NEXT] = h * pi_factor_accepted(w, err_square, EXPONENT, iw[REJECTED] != 0)
    iw[RADIUS_AGE] += 1
    return ACCEPTED
"""

_FINITE_END = """
    total = 0.0
    for i in range(n):
        total += 0.0 * f1[i]
    if not total == 0.0:
        w[H_NEXT] = h * NONFINITE_FACTOR
        return NONFINITE
"""


def _sum(weights, names):
    return " + ".join(f"{weight} * {name}[i]" for weight, name in zip(weights, names, strict=True))


def _finishing(p):
    """Source of the Runge-Kutta method behind the recurrence: its slopes k1 ... kp, then y_new."""
    slopes = [f"k{j}" for j in range(1, p + 1)]
    lines = [
        "    if call_scalar(fn[F], t + c * h, g, k1, p) != 0:",
        "        return rhs_raised(w, t + c * h, scratch, g)",
    ]
    place = 0
    for j in range(2, p + 1):
        row = [f"a{j}{k}" for k in range(1, j)]
        lines += [f"    {weight} = h * own[{place + k}]" for k, weight in enumerate(row)]
        place += len(row)
        lines += [
            f"    time = t + c * h + {' + '.join(row)}",
            "    for i in range(n):",
            f"        g_old[i] = g[i] + {_sum(row, slopes[: j - 1])}",
            f"    if call_scalar(fn[F], time, g_old, k{j}, p) != 0:",
            "        return rhs_raised(w, time, scratch, g_old)",
        ]
    row = [f"b{j}" for j in range(1, p + 1)]
    lines += [f"    {weight} = h * own[{place + j}]" for j, weight in enumerate(row)]
    lines += ["    for i in range(n):", f"        y_new[i] = g[i] + {_sum(row, slopes)}"]
    return lines


def _error(p, with_end):
    """Source of the sum of the squares of the weighted error estimate."""
    place = p * (p - 1) // 2 + p
    row = [f"e{j}" for j in range(1, p + 1 + with_end)]
    names = [f"k{j}" for j in range(1, p + 1)] + ["f1"] * with_end
    return [
        *(f"    {weight} = h * own[{place + j}]" for j, weight in enumerate(row)),
        "    total = 0.0",
        "    for i in range(n):",
        f"        e = ({_sum(row, names)}) / (atol[i] + rtol[i] * max(abs(y[i]), abs(y_new[i])))",
        "        total += e * e",
    ]


@functools.cache
def step(table):
    """Stepper of a stabilised method.

    Parameters
    ----------
    table : StabilisedTable

    Returns
    -------
    function
        ``step(fn, iw, w, p) -> code``, see `odekit.solvers.state`. It shortens a step that even the most stages do not reach.
    """
    p, name = table.finishing, f"step_{table.name}"
    with_end = table.degrees[0].b_err[-1] != 0.0  # whether the estimate looks at f(t_new, y_new)
    lines = [f"def {name}(fn, iw, w, p):"]
    lines += [f"    k{j} = view1(w, iw[O_FIRST] + {2 + j} * iw[N], iw[N])" for j in range(1, p + 1)]
    lines += [_BEGIN, *_finishing(p)]
    lines += [_FIELD_AT_END] if with_end else []
    lines += [*_error(p, with_end), _JUDGE]
    lines += [] if with_end else [_FIELD_AT_END, _FINITE_END]
    lines += [_ACCEPT]
    constants = {
        "DEGREES": len(table.degrees),
        "EXPONENT": 1.0 / (table.embedded_order + 1),
        "FINISHING": p * (p - 1) // 2 + 2 * p + 1,
        "SIZE": table.packed.size,
        "STAGES": p,
    }
    # as literals: what a cached kernel takes from its globals is not part of its fingerprint
    source = "\n".join(lines) + "\n"
    for constant, value in constants.items():
        source = re.sub(rf"\b{constant}\b", repr(value), source)
    return _jit.exec_source(source, name, _NAMESPACE)
