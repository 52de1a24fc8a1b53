"""Taylor series in fused lanes: the coefficients of one lane as straight-line code, from the formula of the user's function.

The rules are those of `odekit.solvers.taylor`, number by number. What follows from the coefficients are loops of their own: their
long chains of dependent operations overlap with those of other lanes.
"""

from . import control, fused_auto, fused_events, lanes, taylor
from .driver import END_STRETCH, MIN_STEP, TINY
from .fused_sweep import (
    ABREAST_DIMENSION,
    accept_source,
    attempt_source,
    control_source,
    dense_source,
    keep_source,
    loop_source,
    sweep_source,
)
from .fused_zeros import row
from .lanes import call

#: How many lanes each of the loops takes at a time.
ABREAST = (1, 4, 2, 4)


def layout(order, n, n_params, outputs, events=0):
    """Rows of the kernel of an order, with dense output and event functions or without."""
    extra = {"old": n} if outputs or events else {}
    return fused_auto.layout(
        n,
        n_params,
        {**extra, "reference": 1, "aim": 1, "theta": 1, "weight": n, "q": order * n, "end": 0},
        False,
        events=events,
    )


def sweep(expansion, layout, outputs):
    """Source of ``sweep(w, blocks, rtol, atol, max_step, step_limit) -> done, wanted``: one attempt in every lane.

    Parameters
    ----------
    expansion : odekit.solvers.expansion.Expansion
    layout : Layout
    outputs : bool
        Whether to keep the old state for the dense output.

    Returns
    -------
    str
    """
    rows = _rows(layout)
    series = [*attempt_source(layout), *(f"p{k} = here[{k}]" for k in expansion.numbers), *expansion.source(rows)]
    series += [f"{row(layout, 'reference')}, {row(layout, 'aim')} = h, t_new"]
    end = [*_end(layout, rows), *accept_source(layout, slopes=False)]
    if outputs:
        end += keep_source(layout, [])
    bodies = [series, _step(layout, rows), end, control_source(layout, _factor(), "2.0", remembers=False)]
    return sweep_source(layout.n, bodies, ABREAST if layout.n <= ABREAST_DIMENSION else None)


def _rows(layout):
    """Sources of the coefficients, order by order."""
    order = (layout.first["end"] - layout.first["q"]) // layout.n
    return [layout.vector("q", k) for k in range(order)]


def _start(layout):
    """Source of the state at the start of the step, and of its end."""
    y = [f"y{i} = {element}" for i, element in enumerate(layout.vector("y"))]
    return [f"t, t_new = {layout.at(lanes.T)}, {row(layout, 'aim')}", *y]


def _step(layout, rows):
    """Source of the step that the coefficients allow; ``theta`` is its part of the step that was aimed at."""
    n, order, lines = layout.n, len(rows), _start(layout)
    lines += [f"weight{i} = 1.0 / (atol{i} + rtol{i} * abs(y{i}))" for i in range(n)]
    for k in (order - 1, order):
        lines += [f"v{i} = {element} * weight{i}" for i, element in enumerate(rows[k - 1])]
        lines += [
            f"square{k} = ({' + '.join(f'v{i} * v{i}' for i in range(n))}) * {1.0 / n!r} + {taylor.SMALLEST_SQUARE!r}",
            f"log{k} = {-0.5 / k!r} * rough_log2_of(square{k})",
        ]
    return [
        *lines,
        f"h = {row(layout, 'reference')}",
        f"fraction = exp2_of(select(log{order} < log{order - 1}, log{order}, log{order - 1}))",
        f"shorter = fraction * {END_STRETCH!r} < 1.0",
        "t_new = select(shorter, t + fraction * h, t_new)",
        "theta = select(shorter, (t_new - t) / h, 1.0)",
        f"usable = square{order} + square{order - 1} < math.inf",
        f"{row(layout, 'aim')}, {row(layout, 'theta')} = t_new, select(usable, theta, math.nan)",
        *(f"{element} = weight{i}" for i, element in enumerate(layout.vector("weight"))),
    ]


def _end(layout, rows):
    """Source of the end of the step, of the field there, and of what the defect says."""
    n, order = layout.n, len(rows)
    lines = [
        *_start(layout),
        *(f"weight{i} = {element}" for i, element in enumerate(layout.vector("weight"))),
        layout.load,
        f"theta, h, raised = {row(layout, 'theta')}, t_new - t, 0",
        f"running = {layout.at(lanes.STATUS)} == {lanes.RUN}.0",
    ]
    for i in range(n):
        column = [coefficients[i] for coefficients in rows]
        lines += [f"s{i} = {column[-1]}", f"r{i} = s{i}"]
        for k in range(order - 1, 0, -1):
            # of the polynomial and, by the same rule, of its derivative
            lines += [f"s{i} = s{i} * theta + {column[k - 1]}", f"r{i} = r{i} * theta + s{i}"]
        lines += [f"z{i} = y{i} + s{i} * theta"]
    lines += call("t_new", [f"z{i}" for i in range(n)], [f"g{i}" for i in range(n)])
    lines += [f"e{i} = (h * g{i} - r{i} * theta) * weight{i}" for i in range(n)]
    return [
        *lines,
        f"err_square = ({' + '.join(f'e{i} * e{i}' for i in range(n))}) * {1.0 / (n * (order + 1) ** 2)!r}",
        f"tiny = (abs(h) < {MIN_STEP!r} * abs(t) + {TINY!r}) & (theta == theta)",
        "err_square = select(tiny, 2.0, err_square)",
    ]


def _factor():
    """Source of the size to try next."""
    return [
        f"h_next = h * select(accepted, {control.FACTOR_MAX!r}, select(finite, {taylor.REJECTED_FACTOR!r}, {control.NONFINITE_FACTOR!r}))",
    ]


def dense(layout):
    """Source of ``dense(w, blocks) -> done``: the coefficients in units of the step that was made."""
    body = [f"theta, power = {layout.at(lanes.H_TRIED)} / abs({row(layout, 'reference')}), 1.0"]
    for coefficients in _rows(layout):
        body += ["power = power * theta", *(f"{element} = {element} * power" for element in coefficients)]
    if fused_events.count(layout) > 0:  # they are looked for in all lanes
        return loop_source("def dense(w, blocks):", [], [body], ["done"])
    return dense_source(layout, body)
