"""Explicit Runge-Kutta methods: the one stepper of the family, its code generated from a table.

Zero coefficients cost nothing, the sums over stages are unrolled, the loops run over components.
"""

import functools
import math

from .. import _jit
from . import control, interpolant, state
from .hermite import hermite

_STATE_NAMES = (
    "ACCEPTED ATOL EIGENVALUE ERR_NORM F F0 F1 H H_FIXED H_NEXT N NFEV NONFINITE O_FIRST REJECTED REJECTED_ERROR RTOL SCRATCH "
    "STEP T T_NEW Y Y_NEW dense_coefficients rhs_raised vector"
).split()
_NAMESPACE = {name: getattr(state, name) for name in _STATE_NAMES} | {
    "math": math,
    "call_scalar": _jit.call_scalar,
    "view1": _jit.view1,
    "pi_factor_accepted": control.pi_factor_accepted,
    "factor_rejected": control.factor_rejected,
    "NONFINITE_FACTOR": control.NONFINITE_FACTOR,
}


def weighted_sum(weights, names):
    """Source of ``sum_j weights[j] * names[j][i]`` without the terms whose weight is zero.

    Parameters
    ----------
    weights : sequence of float
    names : sequence of str
        At least as many as there are weights that are not zero, in the same order.
    """
    terms = [f"{float(weight)!r} * {name}[i]" for weight, name in zip(weights, names, strict=False) if weight != 0]
    return " + ".join(terms) if terms else "0.0"


def workspace(table, n):
    """Floats of workspace that the stepper of `table` needs for n components."""
    return (len(_stage_names(table)) + len(table.extra_c)) * n


def _stage_names(table):
    """Names of the slopes k_i in the generated code: the first is f0, a first-same-as-last one is f1."""
    inner = table.stages - (1 if table.fsal else 0)
    return ["f0"] + [f"k{i}" for i in range(1, inner)] + (["f1"] if table.fsal else [])


def _views(table):
    """Source lines that name n and the vectors of the stepper, the slopes among them."""
    lines = ["    n = iw[N]", "    y, y_new = vector(iw, w, Y), vector(iw, w, Y_NEW)"]
    lines += ["    f0, f1, z = vector(iw, w, F0), vector(iw, w, F1), vector(iw, w, SCRATCH)"]
    own = [name for name in _stage_names(table) if name.startswith("k")]
    own += [f"x{i}" for i in range(len(table.extra_c))]
    lines += [f"    {name} = view1(w, iw[O_FIRST] + {i} * n, n)" for i, name in enumerate(own)]
    return lines


def _stage(target, t, argument, row, names):
    """Source of one evaluation: argument = y + h sum_j row[j] k_j; target = f(t, argument)."""
    return [
        "    for i in range(n):",
        f"        {argument}[i] = y[i] + h * ({weighted_sum(row, names)})",
        f"    if call_scalar(fn[F], {t}, {argument}, {target}, p) != 0:",
        f"        return rhs_raised(w, {t}, z, {argument})",
    ]


@functools.cache
def step(table):
    """Stepper of an explicit method.

    Parameters
    ----------
    table : ExplicitTable

    Returns
    -------
    function
        ``step(fn, iw, w, p) -> code``, see `odekit.solvers.state`.
    """
    names = _stage_names(table)
    lines = [f"def step_{table.name}(fn, iw, w, p):"] + _views(table)
    lines += ["    h, t, t_new = w[H], w[T], w[T_NEW]"]
    inner = table.stages - (1 if table.fsal and _ends_late(table) else 0)
    for s in range(1, inner):
        # a stage at c = 1 is evaluated at t_new itself: t + h may round to a point outside the span
        t = "t_new" if table.c[s] == 1.0 else f"t + {float(table.c[s])!r} * h"
        last = table.fsal and s == table.stages - 1
        lines += _stage(names[s], t, "y_new" if last else "z", table.A[s], names)
    lines += [f"    iw[NFEV] += {inner - 1}"]
    if _ends_late(table):
        lines += ["    for i in range(n):", f"        y_new[i] = y[i] + h * ({weighted_sum(table.b, names)})"]
    lines += _fixed_step(table) if table.b_err is None else _adaptive_step(table, names)
    return _jit.exec_source("\n".join(lines) + "\n", f"step_{table.name}", _NAMESPACE)


def _ends_late(table):
    """Whether f(t_new, y_new) is needed only once the step is accepted."""
    estimates = [row for row in (table.b_err, table.b_err_low) if row is not None]
    return not table.fsal or not any(row[-1] for row in estimates)


def _evaluate_end(table):
    """Source of f(t_new, y_new), where the stages have not given it."""
    if not _ends_late(table):
        return []
    return [
        "    if call_scalar(fn[F], t_new, y_new, f1, p) != 0:",
        "        return rhs_raised(w, t_new, z, y_new)",
        "    iw[NFEV] += 1",
    ]


def _fixed_step(table):
    """Source of the end of a step without an error estimate."""
    return [
        *_evaluate_end(table),
        "    w[ERR_NORM] = 0.0",
        "    w[H_NEXT] = math.copysign(w[H_FIXED], h)",
        "    total = 0.0",
        "    for i in range(n):",
        "        total += 0.0 * y_new[i] + 0.0 * f1[i]",
        "    if not total == 0.0:",
        "        return NONFINITE",
        "    return ACCEPTED",
    ]


def _adaptive_step(table, names):
    """Source of the end of a step with one: the weighted norm, the verdict, the next size."""
    exponent = 1.0 / (table.embedded_order + 1)
    b_err_low = table.b_err_low
    lines = [
        "    rtol, atol = vector(iw, w, RTOL), vector(iw, w, ATOL)",
        "    total = 0.0",
        "    total_low = 0.0",
        "    for i in range(n):",
        "        weight = 1.0 / (atol[i] + rtol[i] * max(abs(y[i]), abs(y_new[i])))",
        f"        e = h * ({weighted_sum(table.b_err, names)}) * weight",
        "        total += e * e",
    ]
    if b_err_low is None:
        lines += ["    err_square = total / n if n > 0 else 0.0"]
    else:
        # Hairer's DOP853: the fifth-order estimate, corrected by the third-order one
        lines += [
            f"        e = h * ({weighted_sum(b_err_low, names)}) * weight",
            "        total_low += e * e",
            "    denominator = (total + 0.01 * total_low) * n",
            "    err_square = total * (total / denominator) if denominator != 0.0 else 0.0",
        ]
    lines += [
        "    w[ERR_NORM] = math.sqrt(err_square)",
        "    if not err_square < math.inf:",
        "        w[H_NEXT] = h * NONFINITE_FACTOR",
        "        return NONFINITE",
        "    if err_square > 1.0:",
        f"        w[H_NEXT] = h * factor_rejected(err_square, {exponent!r})",
        "        return REJECTED_ERROR",
        *_evaluate_end(table),
    ]
    if _ends_late(table):  # the error estimate has not seen f1
        lines += [
            "    total = 0.0",
            "    for i in range(n):",
            "        total += 0.0 * f1[i]",
            "    if not total == 0.0:",
            "        w[H_NEXT] = h * NONFINITE_FACTOR",
            "        return NONFINITE",
        ]
    lines += _eigenvalue(table, names)
    lines += [
        f"    w[H_NEXT] = h * pi_factor_accepted(w, err_square, {exponent!r}, iw[REJECTED] != 0)",
        "    return ACCEPTED",
    ]
    return lines


def stiffness_pair(table):
    """The two arguments at the end of the step that tell how stiff the problem is there.

    Parameters
    ----------
    table : ExplicitTable

    Returns
    -------
    first, last : int
        Numbers of the slopes there; one beyond the stages is f(t_new, y_new).
    difference : list of float
        Weights of the slopes in the difference of the arguments.
        None in place of all this if there are no two such arguments.
    """
    at_end = [(k, row) for k, (row, c) in enumerate(zip(table.A, table.c, strict=True)) if c == 1.0]
    if not table.fsal:
        at_end.append((table.stages, table.b))
    if len(at_end) < 2:
        return None
    (first, first_row), (last, last_row) = at_end[-2:]
    difference = [a - b for a, b in zip(last_row, first_row, strict=True)]
    return (first, last, difference) if any(difference) else None


def _eigenvalue(table, names):
    """Stiffness estimate |f(g) - f(g')| / |g - g'| from the last two arguments at c = 1 (Hairer & Wanner II, IV.2).

    y_new is such an argument. Weighted norms over all components: a maximum over components explodes where g and g' nearly
    agree.
    """
    found = stiffness_pair(table)
    if found is None:
        return []
    first, last, difference = found
    names_and_end = [*names, "f1"]
    return [
        "    if fn[STEP + 1] != 0:",
        "        top, bottom = 0.0, 0.0",
        "        for i in range(n):",
        "            weight = 1.0 / (atol[i] + rtol[i] * max(abs(y[i]), abs(y_new[i])))",
        f"            df = ({names_and_end[last]}[i] - {names_and_end[first]}[i]) * weight",
        f"            dg = h * ({weighted_sum(difference, names)}) * weight",
        "            top += df * df",
        "            bottom += dg * dg",
        "        w[EIGENVALUE] = math.sqrt(top / bottom) if bottom > 0.0 else 0.0",
    ]


def _polynomial(rows, names):
    """Source that writes Q from the stages: first the coefficients b0, b1, ... of `interpolant.basis`, then powers.

    b0 = y_new - y makes the polynomial end exactly at y_new. The other weights sum to zero, so that differences from f0
    may stand for the stages: short steps leave little to round.
    """
    degree = len(rows[0])
    weights, functions = interpolant.weights(rows), interpolant.basis(degree)
    used = [
        (f"d{k}", name, row) for k, (name, row) in enumerate(zip(names, weights, strict=True)) if k and any(row[1:])
    ]
    lines = ["        b0 = y_new[i] - y[i]", *(f"        {d} = {name}[i] - f0[i]" for d, name, _ in used)]
    for j in range(1, degree):
        terms = [f"{row[j]!r} * {d}" for d, _, row in used if row[j]]
        lines += [f"        b{j} = h * ({' + '.join(terms)})"]
    for d in range(degree):
        terms = [f"{float(function[d])!r} * b{j}" for j, function in enumerate(functions) if function[d]]
        lines += [f"        Q[{d}, i] = {' + '.join(terms)}"]
    return lines


@functools.cache
def dense(table):
    """Dense-output kernel of an explicit method.

    Parameters
    ----------
    table : ExplicitTable

    Returns
    -------
    function
        ``dense(fn, iw, w, p) -> code``: writes the coefficients Q of the step just accepted.
    """
    if table.dense is None:
        return hermite
    lines = [f"def dense_{table.name}(fn, iw, w, p):"] + _views(table)
    lines += ["    h, t, t_new = w[H], w[T], w[T_NEW]", "    Q = dense_coefficients(iw, w)"]
    names = _stage_names(table)
    for j, (c, row) in enumerate(zip(table.extra_c, table.extra_A, strict=True)):
        lines += _stage(f"x{j}", f"t + {float(c)!r} * h", "z", row, names)
        names = names + [f"x{j}"]
        lines += ["    iw[NFEV] += 1"]
    degree = len(table.dense[0])
    lines += ["    for i in range(n):"] + _polynomial(table.dense, names)
    lines += [f"    for d in range({degree}, Q.shape[0]):", "        for i in range(n):", "            Q[d, i] = 0.0"]
    lines += ["    return ACCEPTED"]
    return _jit.exec_source("\n".join(lines) + "\n", f"dense_{table.name}", _NAMESPACE)
