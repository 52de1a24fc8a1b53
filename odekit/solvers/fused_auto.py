"""``auto`` in fused lanes: in every lane, after every attempt, whether its trajectory goes over to the other method.

The rules are those of `odekit.solvers.auto`, by selection. A lane that changes its method gets the status `lanes.SWITCH`; what
its trajectory has been through stands in rows that both kernels have at the same places, so that it is handed over exactly.
"""

import math

from . import auto, fused_events, lanes
from .lanes import Layout

# rows of a pair: what `auto` remembers, and what only one of the methods looks at
_MEMORY = ("stiff", "smooth", "patience", "switched_at", "reason")
_ROWS = ("njev", "h_old", "settled", "eigenvalue", *_MEMORY, "nswitch")


def layout(n, n_params, extra, paired, own=(), events=0):
    """Rows of a kernel.

    Parameters
    ----------
    n, n_params : int
    extra : dict
        Name: number of rows, of what the method adds.
    paired : bool
        Whether it belongs to an automatic pair; its first ``layout.first["record"]`` rows are then handed over.
    own : tuple of str
        Rows, zero at the start, that the method needs although it stands alone.
    events : int
        Number of event functions.

    Returns
    -------
    Layout
    """
    names = _ROWS if paired else own
    starts = dict.fromkeys(names, 0.0)
    if paired:
        starts["patience"] = float(auto.FIRST_PATIENCE)
    lasting = {**dict.fromkeys(names, 1), **fused_events.lasting(events), "record": 0}
    return Layout(n, n_params, {**lasting, **extra, **fused_events.rows(events, n)}, starts)


def is_pair(layout):
    """Whether a kernel belongs to an automatic pair."""
    return "nswitch" in layout.first


def steps_source(layout):
    """Source that keeps the size of the step accepted last, and that there was one, where the kernel has rows for it."""
    at, first = layout.at, layout.first
    if "settled" not in first:
        return []
    return [
        f"h_old, settled = {at(first['h_old'])}, {at(first['settled'])}",
        f"{at(first['h_old'])} = select(accepted, h, h_old)",
        "settled = select(accepted, 1.0, settled)",
        f"{at(first['settled'])} = settled",
    ]


def estimate_source(layout, top, bottom):
    """Source that keeps the square of the estimated eigenvalue, from squared norms."""
    row = layout.at(layout.first["eigenvalue"])
    return [f"{row} = select(accepted, select({bottom} > 0.0, {top} / {bottom}, 0.0), {row})"]


def bound_source(layout):
    """Source that keeps the square of a bound of the spectral radius: the smaller of row-sum and column-sum norm."""
    n = layout.n
    lines = []
    for name, entry in (("row", "d{i}_{j}"), ("column", "d{j}_{i}")):
        sums = [" + ".join(f"abs({entry.format(i=i, j=j)})" for j in range(n)) for i in range(n)]
        lines += [f"{name} = {sums[0]}"]
        for total in sums[1:]:
            lines += [f"other = {total}", f"{name} = select({name} > other, {name}, other)"]
    return [
        *lines,
        "bound = select(row < column, row, column)",
        f"{layout.at(layout.first['eigenvalue'])} = bound * bound",
    ]


def _verdict(layout, table, otherwise=""):
    """Source of the verdict on the step, `otherwise` included, and of the number of like ones in a row that it makes."""
    at, first = layout.at, layout.first
    limit = (auto.STIFF_TOLERANCE * table.stability_size) ** 2
    return [
        f"{', '.join(_MEMORY)} = {', '.join(at(first[name]) for name in _MEMORY)}",
        f"z_square = {at(first['eigenvalue'])} * h_next * h_next",
        f"is_stiff = (not (z_square <= {limit!r})){otherwise}",
        "again = select(is_stiff, select(stiff > 0.0, stiff, 0.0) + 1.0, select(stiff < 0.0, stiff, 0.0) - 1.0)",
    ]


def _change(layout, factor):
    """Source that stores all this, where ``change`` says that the method changes, for `why` it does."""
    at, first = layout.at, layout.first
    return [
        f"h_next = select(change, {factor!r} * h_next, h_next)",
        "log_err, switched_at = select(change, 0.0, log_err), select(change, naccept, switched_at)",
        "stiff, smooth, reason = select(change, 0.0, stiff), select(change, 0.0, smooth), select(change, why, reason)",
        f"{at(first['settled'])} = select(change, 0.0, settled)",
        *(f"{at(first[name])} = {name}" for name in _MEMORY),
        f"{at(first['nswitch'])} += select(change, 1.0, 0.0)",
        f"now = select(change, {lanes.SWITCH}.0, now)",
    ]


def leave_explicit(layout, table):
    """Source of the decisions while the explicit method is in use, for the end of `fused_sweep.control_source`.

    Parameters
    ----------
    layout : Layout
    table : ExplicitTable

    Returns
    -------
    list of str
    """
    exponent = 1.0 / (table.embedded_order + 1)
    least = 2.0 * math.log2(auto.SMOOTHNESS)
    scaled = [f"v{i}" for i in range(layout.n)]
    lines = [*steps_source(layout), *_verdict(layout, table, " | (not finite)")]
    lines += ["judged = accepted | (running & (not finite))"]
    for i, y in enumerate(layout.vector("y")):
        lines += [f"v = {y}", f"v{i} = select(v != 0.0, v / (atol{i} + rtol{i} * abs(v)), 0.0)"]
    return [
        *lines,
        f"total = {' + '.join(f'{v} * {v}' for v in scaled)}",
        # |h lambda| > c tol^exponent, in logarithms
        "size = select(z_square > 1e-200, z_square, 1e-200)",
        f"relative = log2_of({float(layout.n)!r} / select(total > 1e-200, total, 1e-200))",
        f"is_long = (total > 0.0) & (log2_of(size) > {least!r} + {exponent!r} * relative)",
        "stiff = select(judged, again, stiff)",
        "smooth = select(judged, select(is_long, smooth + 1.0, 0.0), smooth)",
        f"limited = judged & (stiff > {float(auto.MAX_STIFF_STEPS)!r})",
        "bored = judged & (smooth > patience)",
        f"failed = (now == {lanes.TOO_SMALL}.0) | (now == {lanes.NONFINITE}.0)",
        f"change = running & (((now == {lanes.RUN}.0) & (limited | bored)) | failed)",
        "last_chance = failed & (not limited) & (not bored)",
        f"h_rescue = select(h_old > 0.0, h_old, {auto.LAST_CHANCE_FACTOR!r} * h)",
        "h_next = select(last_chance, h_rescue, h_next)",
        "rejected = select(change & last_chance, 0.0, rejected)",
        f"why = select(finite, {float(auto.STEP_UNDERFLOW)!r}, {float(auto.NOT_FINITE)!r})",
        f"why = select(bored, {float(auto.SMOOTH)!r}, why)",
        f"why = select(limited, select(finite, {float(auto.STABILITY_LIMITED)!r}, {float(auto.NOT_FINITE)!r}), why)",
        *_change(layout, auto.STEP_FACTOR),
    ]


def leave_implicit(layout, table):
    """Source of the decisions while the implicit method is in use.

    Parameters
    ----------
    layout : Layout
    table : ExplicitTable
        Of the partner.

    Returns
    -------
    list of str
    """
    return [
        *_verdict(layout, table),
        # a trial that is still growing its steps is not judged yet
        f"is_growing = (not is_stiff) & (reason == {float(auto.SMOOTH)!r}) & (h_next > {auto.GROWING!r} * h)",
        "stiff = select(accepted & (not is_growing), again, stiff)",
        f"change = (now == {lanes.RUN}.0) & accepted & (not is_growing) & (stiff < {-float(auto.MAX_NONSTIFF_STEPS)!r})",
        f"longer = select(naccept - switched_at < patience, 2.0 * patience, {float(auto.FIRST_PATIENCE)!r})",
        "patience = select(change, longer, patience)",
        f"why = {float(auto.NOT_STIFF)!r}",
        *_change(layout, 1.0 / auto.STEP_FACTOR),
    ]
