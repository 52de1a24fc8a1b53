"""Explicit Runge-Kutta methods in fused lanes: the step of one lane as straight-line code over numbers, from the table.

No branches: a step is accepted by selection, the step size comes from polynomials, and the user's function is inlined, so
that LLVM vectorises the loop over lanes. The rules are those of `odekit.solvers.explicit`, `odekit.solvers.control` and
`odekit.solvers.driver`, number by number.
"""

import itertools
import math

from . import control as C
from . import explicit, fused_auto, interpolant, lanes
from .fused_sweep import (
    ABREAST,
    ABREAST_DIMENSION,
    FIXED,
    accept_source,
    attempt_source,
    control_source,
    dense_source,
    keep_source,
    sweep_source,
    weighted,
)
from .hermite import HERMITE
from .lanes import call

#: Components whose sums over the slopes are formed together: with a second sum or a second lane beside them, they fill the registers.
SUMS_AT_A_TIME = 6
_LOG2_ERR_OLD_MIN = C.LOG_ERR_OLD_MIN / math.log(2.0)


def layout(table, n, n_params, outputs, paired=False, events=0):
    """Rows of the kernel of a table, with dense output and event functions or without, alone or in an automatic pair."""
    extra = {}
    if outputs or events:
        stages = len(_stages(table)) + len(table.extra_c)
        extra = {"old": n, "k": stages * n, "q": _degree(table) * n, "end": 0}
    return fused_auto.layout(n, n_params, extra, paired, events=events)


def _degree(table):
    return len(HERMITE[0]) if table.dense is None else len(table.dense[0])


def _stages(table):
    """Numbers of the slopes that a step has: those of the table, and f(t_new, y_new) where it is not among them."""
    return range(table.stages + (0 if table.fsal else 1))


def _slopes(k, n):
    return [f"k{k}_{i}" for i in range(n)]


def _evaluation(layout, k, row, c, meanwhile=()):
    """Source of stage k, argument and slope; `meanwhile` does not need that slope.

    The slopes before the last one are summed already, see `_early`.
    """
    n = layout.n
    time = "t_new" if c == 1.0 else f"t + {float(c)!r} * h"
    lines = [f"scale = {leading(row)!r} * h"]
    lines += [f"sum{i} = {_late(row, k, i)}" for i in range(n)]
    lines += [f"z{i} = y{i} + scale * sum{i}" for i in range(n)]
    lines += meanwhile
    return lines + call(time, [f"z{i}" for i in range(n)], _slopes(k, n))


def _early(layout, k, row):
    """Source of the sum in the argument of stage k but for the last slope.

    It stands before the evaluation that gives that slope: while the processor waits for it, it has something to do, and the
    slope is still in a register when it is needed.
    """
    return _sums(layout.n, early=_ratios(row)[: k - 1])


def _late(row, k, i):
    """Source of the whole sum."""
    *before, weight = _ratios(row)[:k]
    terms = [f"early{i}"] if any(before) else []
    if weight != 0:
        terms += [f"k{k - 1}_{i}" if weight == 1 else f"{weight!r} * k{k - 1}_{i}"]
    return " + ".join(terms)


def _ratios(weights):
    """Weights in units of the first one that is not zero, which saves a multiplication."""
    first = leading(weights)
    return [float(weight / first) for weight in weights]


def _sums(n, **weights):
    """Source of weighted sums of the slopes, each of n components: ``name0, name1, ...``.

    They grow slope by slope: the sums stay in registers, and a weight is loaded once for all of them.
    """
    lines = []
    for first in range(0, n, SUMS_AT_A_TIME):
        begun = set()
        for j in range(max(map(len, weights.values()))):
            for i in range(first, min(first + SUMS_AT_A_TIME, n)):
                for name, row in weights.items():
                    if row[j] != 0:
                        term = f"k{j}_{i}" if row[j] == 1 else f"{float(row[j])!r} * k{j}_{i}"
                        lines.append(f"{name}{i} {'+=' if (name, i) in begun else '='} {term}")
                        begun.add((name, i))
    return lines


def leading(weights):
    """The first weight that is not zero."""
    return next(weight for weight in weights if weight != 0)


def pi_controller(exponent):
    """Source of the step size after an attempt, see `odekit.solvers.control`."""
    alpha = exponent - C.PI_ALPHA_LOSS * C.PI_BETA
    return [
        f"log_err = 0.5 * log2_of(select(err_square < {C.ERR_SQUARE_MIN!r}, {C.ERR_SQUARE_MIN!r}, err_square))",
        f"power = select(err_square <= 1.0, {C.PI_BETA!r} * log_err_old - {alpha!r} * log_err, {-exponent!r} * log_err)",
        "power = select(power > 20.0, 20.0, power)",
        "power = select(power > -20.0, power, -20.0)",
        f"factor = {C.SAFETY!r} * exp2_of(power)",
        f"largest = select(rejected, 1.0, {C.FACTOR_MAX!r})",
        "factor = select(factor > largest, largest, factor)",
        f"factor = select(factor < {C.FACTOR_MIN!r}, {C.FACTOR_MIN!r}, factor)",
        f"log_err = select(log_err < {_LOG2_ERR_OLD_MIN!r}, {_LOG2_ERR_OLD_MIN!r}, log_err)",
        f"h_next = h * select(finite, factor, {C.NONFINITE_FACTOR!r})",
    ]


def sweep(table, layout, outputs):
    """Source of ``sweep(w, blocks, rtol, atol, max_step, step_limit) -> done, wanted``: one attempt in every lane.

    Parameters
    ----------
    table : ExplicitTable
    layout : Layout
    outputs : bool
        Whether to keep the stages for the dense output.

    Returns
    -------
    str
    """
    n, s = layout.n, table.stages
    adaptive = table.b_err is not None
    estimates = [row for row in (table.b_err, table.b_err_low) if row is not None]
    late = not table.fsal or not any(row[-1] for row in estimates)
    body = attempt_source(layout)
    inner = s - (1 if table.fsal else 0)
    last = s - 1 if table.fsal else s
    stages = [*((k, table.A[k], table.c[k]) for k in range(1, inner)), (last, table.b, 1.0)]
    for (k, row, c), (following, next_row, _) in itertools.pairwise([*stages, (None, None, None)]):
        if k != last:
            meanwhile = _early(layout, following, next_row)
        else:
            meanwhile = _error(table, n) if adaptive and late else []
        body += _evaluation(layout, k, row, c, meanwhile)
    body += [f"g{i} = k{last}_{i}" for i in range(n)]
    body += [f"unusable = {' + '.join(f'(g{i} - g{i})' for i in range(n))}"]
    if adaptive:
        body += [] if late else _error(table, n)
        # the estimate may not have seen f(t_new, y_new)
        body += ["err_square = select((err_square <= 1.0) & (not (unusable == 0.0)), math.inf, err_square)"]
    else:
        body += [f"unusable += {' + '.join(f'(z{i} - z{i})' for i in range(n))}"]
        body += ["err_square = select(unusable == 0.0, 0.0, math.inf)"]
    body += accept_source(layout)
    paired = fused_auto.is_pair(layout)
    if paired:
        body += _stiffness_source(table, layout)
    if outputs:
        body += keep_source(layout, [_slopes(k, n) for k in _stages(table)])
    factor = pi_controller(1.0 / (table.embedded_order + 1)) if adaptive else FIXED
    work = f"{float(inner - 1 if late else inner)!r}"
    if late:
        work += " + select(err_square <= 1.0, 1.0, 0.0)" if adaptive else " + 1.0"
    after = control_source(layout, factor, work, more=fused_auto.leave_explicit(layout, table) if paired else ())
    abreast = ABREAST if n <= ABREAST_DIMENSION and not (outputs or paired) else None
    return sweep_source(n, [body, after], abreast)


def _error(table, n):
    """Source of the squared norm of the error estimate; ``sum`` is the sum of the slopes that led to ``z``, see `_ratios`."""
    sums = {"e": table.b_err}
    if table.b_err_low is not None:
        # b less the estimate has fewer terms than the estimate itself
        sums["l"] = [(b - low) / leading(table.b) for b, low in zip(table.b, table.b_err_low, strict=True)]
    lines = _sums(n, **sums)
    for i in range(n):
        lines += [
            f"a, b = abs(y{i}), abs(z{i})",
            f"weight{i} = 1.0 / (atol{i} + rtol{i} * select(a > b, a, b))",
            f"e{i} *= weight{i}",
        ]
        if table.b_err_low is not None:
            lines += [f"l{i} = (sum{i} - l{i}) * weight{i}"]
    lines += [f"total = {' + '.join(f'e{i} * e{i}' for i in range(n))}"]
    if table.b_err_low is None:
        return [*lines, f"err_square = h * h * total * {1.0 / n!r}"]
    # Hairer's DOP853: the fifth-order estimate, corrected by the third-order one
    return [
        *lines,
        f"low = {' + '.join(f'l{i} * l{i}' for i in range(n))}",
        f"denominator = {float(n)!r} * total + {0.01 * n * leading(table.b) ** 2!r} * low",
        "err_square = select(denominator != 0.0, h * h * total * (total / denominator), 0.0)",
    ]


def _stiffness_source(table, layout):
    """Source of the stiffness estimate of `odekit.solvers.explicit`, from the last two arguments at the end of the step."""
    first, last, difference = explicit.stiffness_pair(table)
    n, lines = layout.n, []
    for i in range(n):
        slopes = [f"k{k}_{i}" for k in range(len(difference))]
        lines += [f"df{i} = (k{last}_{i} - k{first}_{i}) * weight{i}"]
        lines += [f"dg{i} = h * ({weighted(difference, slopes)}) * weight{i}"]
    top, bottom = (" + ".join(f"{d}{i} * {d}{i}" for i in range(n)) for d in ("df", "dg"))
    return [*lines, f"top, bottom = {top}, {bottom}", *fused_auto.estimate_source(layout, "top", "bottom")]


def dense(table, layout):
    """Source of ``dense(w, blocks) -> done``: the coefficients of the dense output in the lanes that want it, and those beside them.

    Parameters
    ----------
    table : ExplicitTable
    layout : Layout

    Returns
    -------
    str
    """
    at, n = layout.at, layout.n
    count = len(_stages(table))
    body = [f"t, t_new, status, raised = {at(lanes.T_OLD)}, {at(lanes.T)}, {at(lanes.STATUS)}, 0", "h = t_new - t"]
    body += [f"y{i} = {element}" for i, element in enumerate(layout.vector("old"))]
    body += [f"end{i} = {element}" for i, element in enumerate(layout.vector("y"))]
    body += [layout.load]
    for k in range(count):
        body += [f"k{k}_{i} = {element}" for i, element in enumerate(layout.vector("k", k))]
    for j, (c, row) in enumerate(zip(table.extra_c, table.extra_A, strict=True)):
        k = table.stages + j
        body += _early(layout, k, row) + _evaluation(layout, k, row, c)
    rows = _hermite_rows(table, count) if table.dense is None else table.dense
    weights, functions = interpolant.weights(rows), interpolant.basis(len(rows[0]))
    used = [k for k in range(1, len(weights)) if any(weights[k][1:])]
    for i in range(n):
        body += [f"b0 = end{i} - y{i}", *(f"d{k} = k{k}_{i} - k0_{i}" for k in used)]
        for j in range(1, len(rows[0])):
            body += [f"b{j} = h * ({weighted([weights[k][j] for k in used], [f'd{k}' for k in used])})"]
        for d in range(len(rows[0])):
            terms = weighted([function[d] for function in functions], [f"b{j}" for j in range(len(functions))])
            body += [f"{at(layout.first['q'] + d * n + i)} = {terms}"]
    body += [
        f"wants = {at(lanes.WANTS)} != 0.0",
        f"nfev = {at(lanes.NFEV)}",
        f"{at(lanes.NFEV)} = nfev + select(wants, {float(len(table.extra_c))!r}, 0.0)",
        "failed = wants & (raised != 0)",
        f"{at(lanes.STATUS)} = select(failed, {lanes.RAISED}.0, status)",
        "done += select(failed, 1, 0)",
    ]
    return dense_source(layout, body)


def _hermite_rows(table, count):
    """Cubic Hermite interpolation as weights of the stages, the last of which is f(t_new, y_new)."""
    weights = [*table.b, *[0.0] * (count - table.stages)]
    rows = []
    for k, weight in enumerate(weights):
        parts = (weight, float(k == 0), float(k == count - 1))
        rows.append(tuple(sum(part * HERMITE[m][d] for m, part in enumerate(parts)) for d in range(len(HERMITE[0]))))
    return rows
