"""Symplectic splitting methods in fused lanes: the step of one lane as straight-line code, from the weights.

The rules are those of `odekit.solvers.symplectic`, number by number: fixed steps, one force for each leapfrog, compensated sums,
whose carries are rows of the lane; Hermite's interpolation in between.
"""

from . import fused_events, fused_sweep, lanes, symplectic
from .hermite import HERMITE
from .lanes import Layout, call


def layout(n, n_params, outputs, events=0):
    """Rows of the kernel, with dense output and event functions or without."""
    carries = [f"carry{i}" for i in range(n)]
    extra = {**dict.fromkeys(carries, 1), **fused_events.lasting(events)}
    if outputs or events:
        extra |= {"old": n, "k": n, "q": len(HERMITE[0]) * n, "end": 0}
    return Layout(n, n_params, {**extra, **fused_events.rows(events, n)}, dict.fromkeys(carries, 0.0))


def _add(i, increment):
    """Source of a compensated sum: ``z += increment``, and what rounding took."""
    return [f"total = {increment} + c{i}", f"new = z{i} + total", f"c{i} = total - (new - z{i})", f"z{i} = new"]


def sweep(table, layout, outputs):
    """Source of ``sweep(w, blocks, rtol, atol, max_step, step_limit) -> done, wanted``: one attempt in every lane.

    Parameters
    ----------
    table : SplittingTable
    layout : Layout
    outputs : bool
        Whether to keep the old state for the dense output.

    Returns
    -------
    str
    """
    n, m, at = layout.n, layout.n // 2, layout.at
    q, p = [f"z{i}" for i in range(m)], [f"z{m + i}" for i in range(m)]
    velocity, force = [f"g{i}" for i in range(m)], [f"g{m + i}" for i in range(m)]
    carries = [at(layout.first[f"carry{i}"]) for i in range(n)]
    body = fused_sweep.attempt_source(layout)
    body += [f"z{i}, g{i}, c{i} = y{i}, k0_{i}, {carries[i]}" for i in range(n)]
    passed = 0.0
    for number, kick in enumerate(symplectic.kicks(table)):
        last = number == len(table.weights)
        for i, slope in enumerate(force):
            body += _add(m + i, f"{kick!r} * h * {slope}")
        time = "t_new" if number >= len(table.weights) - 1 else f"t + {passed!r} * h"
        body += call(time, p, velocity, "velocity")
        if last:
            break
        drift = table.weights[number]
        passed += drift
        for i, slope in enumerate(velocity):
            body += _add(i, f"{drift!r} * h * {slope}")
        time = "t_new" if number == len(table.weights) - 1 else f"t + {passed!r} * h"
        body += call(time, q, force, "force")
    body += [f"unusable = {' + '.join(f'(z{i} - z{i}) + (g{i} - g{i})' for i in range(n))}"]
    body += ["err_square = select(unusable == 0.0, 0.0, math.inf)"]
    body += fused_sweep.accept_source(layout)
    body += [f"{carry} = select(accepted, c{i}, {carry})" for i, carry in enumerate(carries)]
    if outputs:
        body += fused_sweep.keep_source(layout, [[f"k0_{i}" for i in range(n)]])
    control = fused_sweep.control_source(layout, fused_sweep.FIXED, f"{float(len(table.weights))!r}")
    head = "def sweep(w, blocks, rtol, atol, max_step, step_limit):"
    return fused_sweep.loop_source(head, [], [body, control], ["done", "wanted"])


def dense(layout):
    """Source of ``dense(w, blocks) -> done``: the coefficients of Hermite's interpolation in every lane."""
    at, n = layout.at, layout.n
    body = [f"h = {at(lanes.T)} - {at(lanes.T_OLD)}"]
    vectors = [layout.vector(name) for name in ("old", "y", "k", "f")]
    for i, (old, new, left, right) in enumerate(zip(*vectors, strict=True)):
        body += [f"b0, b1, b2 = {new} - {old}, h * {left}, h * {right}"]
        for d in range(len(HERMITE[0])):
            terms = fused_sweep.weighted([row[d] for row in HERMITE], ["b0", "b1", "b2"])
            body += [f"{at(layout.first['q'] + d * n + i)} = {terms}"]
    return fused_sweep.loop_source("def dense(w, blocks):", [], [body], ["done"])
