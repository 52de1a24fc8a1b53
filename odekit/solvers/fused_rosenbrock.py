"""Rosenbrock methods in fused lanes: the step of one lane as straight-line code over numbers, from the table.

The matrices of all lanes are factorised side by side: each lane finds its own pivots, and rows change places by selection, so
that there are no branches. The rules are those of `odekit.solvers.rosenbrock`, number by number.
"""

import math

from . import control, fused_auto, lanes, newton, rosenbrock
from .fused_sweep import (
    TOO_SMALL,
    accept_source,
    attempt_source,
    control_source,
    keep_source,
    loop_source,
    sweep_source,
    weighted,
)
from .lanes import call

_LOG2 = math.log(2.0)
_LOG2_MIN, _LOG2_OLD_MIN = rosenbrock.LOG_ERR_MIN / _LOG2, rosenbrock.LOG_ERR_OLD_MIN / _LOG2


def layout(table, n, n_params, outputs, paired=False, events=0):
    """Rows of the kernel of a table, with dense output and event functions or without, alone or in an automatic pair."""
    extra = {"singular": 1}
    if outputs or events:
        extra |= {"old": n, "k": table.stages * n, "q": len(table.dense[0]) * n, "end": 0}
    return fused_auto.layout(n, n_params, extra, paired, ("njev", "h_old", "settled"), events)


# ---------------------------------------------------------------------------------------------------------------------
# linear systems: the matrix is a0_0, a0_1, ...; its factors take its place


def _swap(condition, a, b):
    """Source that exchanges two numbers under a condition."""
    return f"{a}, {b} = select({condition}, {b}, {a}), select({condition}, {a}, {b})"


def factor_source(n):
    """Source of the factorisation with partial pivoting; ``singular`` becomes 1 where a pivot is zero.

    The largest element of a column comes to the top by comparing rows with the top one, one after the other; ``s0_1`` and so
    on remember which of them changed places. The diagonal is replaced by its reciprocal.
    """
    lines = ["singular = 0"]
    for k in range(n):
        for i in range(k + 1, n):
            lines += [f"s{k}_{i} = abs(a{i}_{k}) > abs(a{k}_{k})"]
            lines += [_swap(f"s{k}_{i}", f"a{k}_{j}", f"a{i}_{j}") for j in range(k, n)]
        lines += [f"singular |= select(a{k}_{k} == 0.0, 1, 0)", f"a{k}_{k} = 1.0 / a{k}_{k}"]
        for i in range(k + 1, n):
            lines += [f"a{i}_{k} *= a{k}_{k}"]
            lines += [f"a{i}_{j} -= a{i}_{k} * a{k}_{j}" for j in range(k + 1, n)]
    return lines


def solve_source(n, b):
    """Source of the solution of a factorised system, in place; `b`: name of the right-hand side, ``b_0`` and so on."""
    lines = []
    for k in range(n):
        for i in range(k + 1, n):
            lines += [_swap(f"s{k}_{i}", f"{b}_{k}", f"{b}_{i}")]
        lines += [f"{b}_{i} -= a{i}_{k} * {b}_{k}" for i in range(k + 1, n)]
    for k in reversed(range(n)):
        lines += [f"{b}_{k} *= a{k}_{k}"]
        lines += [f"{b}_{i} -= a{i}_{k} * {b}_{k}" for i in range(k)]
    return lines


# ---------------------------------------------------------------------------------------------------------------------
# the step


def _matrix_source(table, layout, timed):
    """Source of the Jacobian ``d0_0`` ..., the rate ``r0`` ..., and the factorised matrix ``I / (h gamma) - J``."""
    n = layout.n
    rows = [[*(f"d{i}_{j}" for j in range(n)), *([f"r{i}"] if timed else [])] for i in range(n)]
    names, targets = [name for row in rows for name in row], [f"({', '.join(row)},)" for row in rows]
    return [
        *call("t", [f"y{i}" for i in range(n)], targets, "jacobian"),
        f"unusable = {' + '.join(f'0.0 * {name}' for name in names)}",
        f"diagonal, per_h = 1.0 / (h * {float(table.gamma)!r}), 1.0 / h",
        *(f"a{i}_{j} = {'diagonal - ' if i == j else '-'}d{i}_{j}" for i in range(n) for j in range(n)),
        *factor_source(n),
    ]


def _stage_source(table, layout, i, timed):
    """Source of stage i: its unknown ``u{i}_0`` and so on."""
    n = layout.n
    lines, slopes = [], [f"g{j}" for j in range(n)]
    before = [[f"u{k}_{j}" for k in range(i)] for j in range(n)]
    if i == 0:
        slopes = [f"k0_{j}" for j in range(n)]
    else:
        moment = "t_new" if table.c[i] == 1.0 else f"t + {float(table.c[i])!r} * h"
        lines += [f"z{j} = y{j} + ({weighted(table.A[i], before[j])})" for j in range(n)]
        lines += call(moment, [f"z{j}" for j in range(n)], slopes)
    for j in range(n):
        others = f" + per_h * ({weighted(table.C[i], before[j])})" if i > 0 else ""
        rate = f" + {float(table.d[i])!r} * h * r{j}" if timed and table.d[i] else ""
        lines += [f"u{i}_{j} = {slopes[j]}{others}{rate}"]
    return lines + solve_source(n, f"u{i}")


def _error_source(table, n):
    """Source of the squared norm of the error estimate, not finite where the step cannot be used."""
    lines = []
    for j in range(n):
        unknowns = [f"u{i}_{j}" for i in range(table.stages)]
        lines += [
            f"error = {weighted(table.b_err, unknowns)}",
            f"a, b = abs(y{j}), abs(z{j})",
            f"weight = atol{j} + rtol{j} * select(a > b, a, b)",
            f"e{j} = select(weight != 0.0, error / weight, 0.0)",
            f"unusable += 0.0 * z{j} + 0.0 * error",
        ]
    return [
        *lines,
        f"err_square = ({' + '.join(f'e{j} * e{j}' for j in range(n))}) * {1.0 / n!r}",
        "err_square = select((unusable == 0.0) & (singular == 0), err_square, math.inf)",
    ]


def _end_source(table, layout):
    """Source of the new state ``z``, the error and the slope ``g`` there, which may be known already."""
    n, lines = layout.n, []
    known = table.end_stage is not None
    if not known:
        lines += [f"z{j} = y{j} + ({weighted(table.b, [f'u{i}_{j}' for i in range(table.stages)])})" for j in range(n)]
    lines += _error_source(table, n)
    if not known:
        names = [f"{letter}{j}" for letter in "zg" for j in range(n)]
        lines += ["late = 0", *call("t_new", names[:n], names[n:], flag="late")]
        lines += ["raised |= select(err_square <= 1.0, late, 0)"]  # a step that is rejected does not get there
    return [
        *lines,
        f"unusable = {' + '.join(f'0.0 * g{j}' for j in range(n))}",
        "err_square = select((err_square <= 1.0) & (not (unusable == 0.0)), math.inf, err_square)",
    ]


def _predictive_controller(layout, exponent):
    """Source of the step size after an attempt, as `odekit.solvers.rosenbrock` has it."""
    at, first = layout.at, layout.first
    return [
        f"log_err = 0.5 * log2_of(select(err_square < {control.ERR_SQUARE_MIN!r}, {control.ERR_SQUARE_MIN!r}, err_square))",
        f"bounded = select(log_err < {_LOG2_MIN!r}, {_LOG2_MIN!r}, log_err)",
        f"power = -{exponent!r} * bounded",
        f"factor = {rosenbrock.SAFETY!r} * exp2_of(select(power > -20.0, power, -20.0))",
        f"h_old, has_old = {at(first['h_old'])}, {at(first['settled'])} != 0.0",
        f"change = exp2_of({exponent!r} * (log_err_old - 2.0 * select(bounded > 0.0, 0.0, bounded)))",
        f"predicted = {rosenbrock.SAFETY!r} * h / h_old * change",
        "factor = select((log_err <= 0.0) & has_old & (predicted < factor), predicted, factor)",
        f"largest = select(accepted & rejected, 1.0, {rosenbrock.FACTOR_MAX!r})",
        f"factor = select(factor < {rosenbrock.FACTOR_MIN!r}, {rosenbrock.FACTOR_MIN!r}, factor)",
        "factor = select(factor > largest, largest, factor)",
        f"log_err = select(log_err < {_LOG2_OLD_MIN!r}, {_LOG2_OLD_MIN!r}, log_err)",
        f"singular = {at(first['singular'])} != 0.0",
        f"failed = select(singular, {newton.FAILED_FACTOR!r}, {control.NONFINITE_FACTOR!r})",
        "h_next = h * select(finite, factor, failed)",
    ]


def sweep(table, layout, outputs, timed, partner=None):
    """Source of ``sweep(w, blocks, rtol, atol, max_step, step_limit) -> done, wanted``: one attempt in every lane.

    Parameters
    ----------
    table : RosenbrockTable
    layout : Layout
    outputs : bool
        Whether to keep the stages for the dense output.
    timed : bool
        Whether the field depends on t.
    partner : ExplicitTable, optional
        Of the explicit method of an automatic pair.

    Returns
    -------
    str
        It calls ``jacobian``, see `odekit._lane_derivative.lane_jacobian`.
    """
    n, at, first = layout.n, layout.at, layout.first
    stages = range(table.stages)
    body = attempt_source(layout) + _matrix_source(table, layout, timed)
    for i in stages:
        body += _stage_source(table, layout, i, timed)
    body += _end_source(table, layout) + accept_source(layout)
    body += [f"{at(first['singular'])} = select(singular != 0, 1.0, 0.0)"]
    decisions = []
    if partner is not None:
        body += fused_auto.bound_source(layout)
        decisions = fused_auto.leave_implicit(layout, partner)
    if outputs:
        body += keep_source(layout, [[f"u{i}_{j}" for j in range(n)] for i in stages])
    after = control_source(
        layout,
        _predictive_controller(layout, 1.0 / (table.embedded_order + 1)),
        f"{table.stages - 1.0!r} + select(err_square <= 1.0, {float(table.end_stage is None)!r}, 0.0)",
        f"select(singular, {lanes.SINGULAR}.0, {TOO_SMALL})",
        [f"{at(first['njev'])} += select(running, 1.0, 0.0)", *fused_auto.steps_source(layout), *decisions],
    )
    return sweep_source(n, [body, after])


def dense(table, layout):
    """Source of ``dense(w, blocks) -> done``: the coefficients of the dense output in every lane.

    Parameters
    ----------
    table : RosenbrockTable
    layout : Layout

    Returns
    -------
    str
    """
    at, n, body = layout.at, layout.n, []
    for j in range(n):
        body += [f"u{i} = {at(layout.first['k'] + i * n + j)}" for i in range(table.stages)]
        for d in range(len(table.dense[0])):
            weights = [row[d] for row in table.dense]
            body += [
                f"{at(layout.first['q'] + d * n + j)} = {weighted(weights, [f'u{i}' for i in range(table.stages)])}"
            ]
    return loop_source("def dense(w, blocks):", [], [body], ["done"])
