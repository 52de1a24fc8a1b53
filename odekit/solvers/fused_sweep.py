"""The frame of a sweep, the same for all families of methods in fused lanes: an attempt, its acceptance, what follows from it."""

import ast
import re

from .._memory import LINE
from . import driver, lanes
from .lanes import BLOCK

#: Lanes that the attempt and its control take at a time in systems of up to so many components, whose registers they share. It is
#: 4 to 10 % faster (Lorenz system, pendulum), and takes a third longer to compile.
ABREAST, ABREAST_DIMENSION = (2, 4), 3


def weighted(weights, terms):
    """Source of a sum; terms with weight zero are left out."""
    parts = [f"{float(weight)!r} * {term}" for weight, term in zip(weights, terms, strict=False) if weight != 0]
    return " + ".join(parts) if parts else "0.0"


def attempt_source(layout):
    """Source of the beginning of an attempt: what the lane holds, and the step that it tries."""
    at = layout.at
    return [
        f"t, t_end, h_wanted, running = {at(lanes.T)}, {at(lanes.T_END)}, {at(lanes.H)}, {at(lanes.STATUS)} == {lanes.RUN}.0",
        *(f"y{i} = {element}" for i, element in enumerate(layout.vector("y"))),
        *(f"k0_{i} = {element}" for i, element in enumerate(layout.vector("f"))),
        layout.load,
        "raised = 0",
        f"smallest = {driver.MIN_STEP!r} * abs(t) + {driver.TINY!r}",
        "size = select(h_wanted > max_step, max_step, h_wanted)",
        f"size = select(({at(lanes.REJECTED)} == 0.0) & (size < smallest), smallest, size)",
        f"ends = size * {driver.END_STRETCH!r} >= abs(t_end - t)",
        f"t_new = select(ends, t_end, t + {at(lanes.DIRECTION)} * size)",
        "h = t_new - t",
    ]


def accept_source(layout, slopes=True):
    """Source of the end of an attempt: the new state by selection.

    Expects the new state ``z``, its slope ``g`` and ``err_square``, which is not finite where anything else is not.

    Parameters
    ----------
    layout : Layout
    slopes : bool
        Whether the next step begins with the slope.

    Returns
    -------
    list of str
    """
    at = layout.at
    kept = [f"{element} = select(accepted, g{i}, k0_{i})" for i, element in enumerate(layout.vector("f"))]
    return [
        "accepted = (err_square <= 1.0) & (raised == 0) & running",
        f"{at(lanes.ERR_SQUARE)}, {at(lanes.H_TRIED)} = err_square, abs(h)",
        f"{at(lanes.ACCEPTED)}, {at(lanes.T)} = select(accepted, 1.0, 0.0), select(accepted, t_new, t)",
        *(f"{element} = select(accepted, z{i}, y{i})" for i, element in enumerate(layout.vector("y"))),
        *(kept if slopes else []),
        f"{at(lanes.STATUS)} = select((raised != 0) & running, {lanes.RAISED}.0, {at(lanes.STATUS)})",
    ]


#: Status of a lane whose step has become too small to be repeated.
TOO_SMALL = f"select(finite, {lanes.TOO_SMALL}.0, {lanes.NONFINITE}.0)"


def control_source(layout, factor, work, cause=TOO_SMALL, more=(), remembers=True):
    """Source of what follows an attempt: the next step size, the counters, and whether the lane goes on.

    It is a loop of its own: there its long chain of dependent operations overlaps with that of other lanes.

    Parameters
    ----------
    layout : Layout
    factor : list of str
        Source that computes ``h_next`` and ``log_err`` from ``err_square``, ``h``, ``log_err_old`` and ``rejected``.
    work : str
        Source of the evaluations that the attempt has cost.
    cause : str
        Source of the status of a lane whose step has become too small to be repeated.
    more : list of str
        Source of what else there is to do, when the lane's next status ``now`` is known.
    remembers : bool
        Whether the controller needs ``log_err`` of the step before.
    """
    at = layout.at
    rows = (lanes.H, lanes.NACCEPT, lanes.NREJECT, lanes.NFEV, lanes.REJECTED, lanes.STATUS)
    names = ("h_next", "naccept", "nreject", "nfev", "rejected", "now")
    before, after = [], []
    if remembers:
        rows, names = (*rows, lanes.LOG_ERR), (*names, "log_err")
        before, after = [f"log_err_old = {at(lanes.LOG_ERR)}"], ["log_err = select(accepted, log_err, log_err_old)"]
    return [
        f"err_square, h, h_wanted, t = {at(lanes.ERR_SQUARE)}, {at(lanes.H_TRIED)}, {at(lanes.H)}, {at(lanes.T)}",
        f"accepted, rejected, status = {at(lanes.ACCEPTED)} != 0.0, {at(lanes.REJECTED)} != 0.0, {at(lanes.STATUS)}",
        f"running, finite = status == {lanes.RUN}.0, err_square < math.inf",
        *before,
        *factor,
        f"naccept = {at(lanes.NACCEPT)} + select(accepted, 1.0, 0.0)",
        f"nreject = {at(lanes.NREJECT)} + select(running & (not accepted), 1.0, 0.0)",
        f"nfev = {at(lanes.NFEV)} + {work}",
        "h_next = select(running, h_next, h_wanted)",
        *after,
        "rejected = select(accepted, 0.0, 1.0)",
        # the driver's order: the end, the limit of steps, a step that is too small to be repeated
        f"too_small = (not accepted) & (not (h_next >= {driver.MIN_STEP!r} * abs(t) + {driver.TINY!r}))",
        f"now = select(too_small, {cause}, {lanes.RUN}.0)",
        f"now = select(naccept + nreject >= step_limit, {lanes.MAX_STEPS}.0, now)",
        f"now = select(accepted & (t == {at(lanes.T_END)}), {lanes.DONE}.0, now)",
        "now = select(running, now, status)",
        *more,
        *(f"{at(row)} = {name}" for row, name in zip(rows, names, strict=True)),
        f"done += select(now > {lanes.RUN}.0, 1, 0)",
    ]


def keep_source(layout, vectors):
    """Source that keeps what the dense output needs: the old state, and vectors, each given as the names of its components."""
    at = layout.at
    lines = [f"{element} = y{i}" for i, element in enumerate(layout.vector("old"))]
    for k, names in enumerate(vectors):
        lines += [f"{element} = {name}" for element, name in zip(layout.vector("k", k), names, strict=True)]
    return [
        *lines,
        f"wants = accepted & ((t_new - {at(lanes.NEXT_OUT)}) * {at(lanes.DIRECTION)} >= 0.0)",
        f"{at(lanes.WANTS)}, {at(lanes.T_OLD)} = select(wants, 1.0, 0.0), t",
        "wanted += select(wants, 1, 0)",
    ]


def loop_source(head, hoisted, bodies, counters, abreast=None):
    """Source of a function that runs the bodies, one after the other, in every lane of so many blocks.

    Parameters
    ----------
    head : str
    hoisted : list of str
        What comes before the loops.
    bodies : list of list of str
    counters : list of str
        Sums over the lanes, which the function returns.
    abreast : sequence of int, optional
        How many lanes each body takes at a time, see `_side_by_side`.

    Returns
    -------
    str
    """
    lines = [
        head,
        "    align_stack()",
        *("    " + line for line in hoisted),
        f"    {' = '.join(counters)} = 0",
        "    for block in range(blocks):",
    ]
    for body, count in zip(bodies, abreast or [1] * len(bodies), strict=True):
        part = BLOCK // count
        lines += [
            f"        for inner in range({part}):",
            *(f"            lane{_suffix(k)} = block * {BLOCK} + inner + {k * part}" for k in range(count)),
            *("            " + line for line in _side_by_side(body, count, counters)),
        ]
    return "\n".join([*lines, f"    return {', '.join(counters)}"]) + "\n"


def dense_source(layout, body):
    """Source of ``dense(w, blocks) -> done``, which runs the body in the lanes that want the dense output, and in those beside them.

    Neighbouring lines of the cache in which any lane wants it make one loop: where all do, it is as fast as a loop over all lanes.
    LLVM then loads the constants of the body once for all of these loops, as each of them has a first lane.
    """
    wanting = " | ".join(f"bits_of({layout.at(lanes.WANTS, f'k * {LINE} + {lane}')})" for lane in range(LINE))
    lines = [
        "def dense(w, blocks):",
        "    align_stack()",
        "    done = line = chosen = 0",
        f"    for k in range(blocks * {BLOCK // LINE}):",
        f"        chosen |= select({wanting} != 0, 1, 0) << k",
        "    while chosen != 0:",
        "        gap = trailing_zeros(chosen)",
        "        chosen >>= gap",
        "        run = 1 + trailing_zeros(~(chosen >> 1))",
        "        chosen >>= run",
        "        first = line + gap",
        "        line = first + run",
        f"        for inner in range(run * {LINE}):",
        f"            lane = first * {LINE} + inner",
        *("            " + line for line in body),
        "    return done",
    ]
    return "\n".join(lines) + "\n"


def _suffix(k):
    return f"_{'abcdefgh'[k]}" if k else ""


def _side_by_side(body, count, counters):
    """Source of a body for several lanes, statement by statement.

    A long chain of dependent operations leaves the processor idle; those of several lanes fill each other's gaps.
    """
    stored = {node.id for line in body for node in ast.walk(ast.parse(line)) if _is_stored(node)} | {"lane"}
    own = re.compile(rf"\b({'|'.join(sorted(stored - set(counters)))})\b")
    return [own.sub(lambda found, k=k: found[0] + _suffix(k), line) for line in body for k in range(count)]


def _is_stored(node):
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def sweep_source(n, bodies, abreast=None):
    """Source of ``sweep``: an attempt in every lane, and what follows from it.

    Parameters
    ----------
    n : int
    bodies : list of list of str
        One after the other; the last from `control_source`.
    abreast : sequence of int, optional
        How many lanes each of them takes at a time.

    Returns
    -------
    str
    """
    hoisted = [f"rtol{i}, atol{i} = rtol[{i}], atol[{i}]" for i in range(n)]
    head = "def sweep(w, blocks, rtol, atol, max_step, step_limit):"
    return loop_source(head, hoisted, bodies, ["done", "wanted"], abreast)


#: The size of fixed steps stays, though the last one may be cut short by the end; a step that fails fails for good.
FIXED = ["log_err, h_next = 0.0, select(accepted, h_wanted, 0.0)"]
