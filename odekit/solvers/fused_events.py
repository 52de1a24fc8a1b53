"""Events in fused lanes: detected in all lanes side by side, located lane by lane on the dense output, counted and noted in order.

The rules are those of `odekit.solvers.events`: a step is looked at in parts, a sign change is a zero, and a value of zero belongs to
the part that ends with it. Where to look is decided by Hermite's interpolation, or by the dense output itself where the steps are
stiff: there the slopes at both ends may have little to do with what lies between. A trajectory in which an event function raises,
or is not a number, is left to the single tier.
"""

from . import events as E
from . import fused_zeros
from . import lanes as L
from .fused_zeros import EVENT, LEFT, calls, count, crosses, polynomials, row


def lasting(m):
    """Rows for m event functions that go with a trajectory: their values, how many zeros each has had, how many are kept."""
    return {"event": m, "found": m, "kept": 1} if m else {}


def rows(m, n):
    """Rows of a step: the values before it, at both ends of a part of it, zeros, and where and with which state the step ends."""
    return {"before": m, "part": m, "right": m, "zero": m, "flag": 1, "stop": 1, "stop_y": n} if m else {}


def room(layout):
    """Zeros that the log of a thread has room for: those of a step in as many lanes as any kernel has, twice."""
    return 2 * max(lanes for _, lanes in L.LANES) * E.SAMPLES * count(layout)


def sources(layout, directions, on_dense=False):
    """Sources of the functions that find events.

    Parameters
    ----------
    layout : Layout
        With the rows of the dense output, and those above.
    directions : sequence of float
        Of each event function, as `odekit.solve_ivp` has them.
    on_dense : bool
        Whether the dense output, and not Hermite's interpolation, tells where to look: see `after_sweep`.

    Returns
    -------
    dict
        Name: source. ``event0``, ... are to be in their namespace.
    """
    parts = {
        "note": fused_zeros.note(layout),
        "start_events": _start(layout, directions),
        "detect": _detect(layout, directions, on_dense),
        "sample": fused_zeros.sample(layout),
        "root": fused_zeros.root(layout),
        "locate": fused_zeros.locate(layout, directions),
        "settle": fused_zeros.settle(layout),
    }
    return {name: "\n".join([*lines, ""]) for name, lines in parts.items()}


def room_lines(layout):
    """Source that returns where a sweep could find more zeros than the log has room for."""
    return [
        f"        if control[{L.USED}] + active * {E.SAMPLES * count(layout)} > control[{L.ROOM}]:",
        "            return 0",
    ]


def room_at_start(layout):
    """Source of a condition: there is room in the log for the zeros at a start."""
    return f" and control[{L.USED}] + {count(layout)} <= control[{L.ROOM}]"


def begin_lines(layout):
    """Source of what a trajectory that has been begun finds at its start, where `status` becomes what it is then."""
    lines = [f"{row(layout, 'found', k)} = 0.0" for k in range(count(layout))] + [f"{row(layout, 'kept')} = 0.0"]
    lines += [
        f"if status == {L.RUN}.0 or status == {L.DONE}.0:",
        "    status = start_events(w, lane, status, control, settings, log)",
    ]
    return lines


def finish_lines(layout):
    """Source that tells how many zeros there were."""
    m = count(layout)
    return [f"event_counts[{m} * k + {j}] = {row(layout, 'found', j)}" for j in range(m)]


def after_sweep(layout, save_times, save_steps, on_dense):
    """Source of what follows a sweep, in place of what follows one without events."""
    at, flag = layout.at, layout.at(layout.first["flag"])
    blocks = f"(active + {L.BLOCK - 1}) // {L.BLOCK}"
    emit = f"emit(w, lane, save, rows, control[{L.SHARED_TIMES}], t_eval, y_out, t_out)"
    lines = [
        *([f"done += dense(w, {blocks})"] if on_dense else []),
        f"flagged, lost = detect(w, {blocks})",
        "done += lost",
        f"if wanted > 0 and save == {save_steps}:",
        "    for lane in range(active):",
        f"        if {at(L.WANTS)} != 0.0 and {flag} == 0.0:",
        f"            {emit}",
        f"            {at(L.WANTS)} = 0.0",
        "if flagged > 0:",
        "    for lane in range(active):",  # 2: the dense output is needed, but nothing is to be written
        f"        if {flag} != 0.0 and {at(L.WANTS)} == 0.0:",
        f"            {at(L.WANTS)} = 2.0",
        *(
            []
            if on_dense
            else [f"if flagged > 0 or (wanted > 0 and save == {save_times}):", f"    done += dense(w, {blocks})"]
        ),
        "if flagged > 0:",
        "    for lane in range(active):",
        f"        if {flag} != 0.0:",
        "            done += locate(w, lane, control, settings, log)",
        "if wanted > 0:",
        "    for lane in range(active):",
        f"        if {at(L.WANTS)} == 1.0:",
        f"            {emit}",
        "if flagged > 0:",
        "    for lane in range(active):",
        f"        if {at(L.STATUS)} == {EVENT}.0:",
        "            settle(w, lane)",
    ]
    return ["        " + line for line in lines]


def _start(layout, directions):
    """``start_events(...) -> status``, of a lane that begins; what is zero there is looked at a moment later, see `events.arm`."""
    at, n, m = layout.at, layout.n, count(layout)
    y, f, event = layout.vector("y"), layout.vector("f"), [row(layout, "event", k) for k in range(m)]
    lines = [
        "def start_events(w, lane, status, control, settings, log):",
        f"    t, moment = {at(L.T)}, 0.0",
        "    for later in range(2):",  # the functions are compiled into the kernel as few times as possible
        *(f"        z{i} = {y[i]} + moment * {f[i]}" for i in range(n)),
        *("        " + line for line in calls(layout, "t + moment", [f"z{i}" for i in range(n)])),
        "        if bad != 0:",
        f"            return {LEFT}.0",
        "        if later == 0:",
        *(f"            {event[k]} = g{k}" for k in range(m)),
        f"            if not ({' or '.join(f'g{k} == 0.0' for k in range(m))}):",
        "                return status",
        f"            far = abs({at(L.T_END)} - t) / {E.ARM_ULPS * E.EPS!r}",
        f"            moment = {E.ARM_ULPS * E.EPS!r} * min(max(abs(t), {at(L.H)}), far) * {at(L.DIRECTION)}",
    ]
    for k, direction in enumerate(directions):
        lines += [
            f"    if {event[k]} == 0.0:",
            f"        {event[k]} = g{k}",
            f"        if math.isinf(settings[{L.WANTED + k}]) and g{k} * {float(direction)!r} >= 0.0:",
            f"            note(w, lane, control, log, {k}, t, {', '.join(y)})",
        ]
    return [*lines, "    return status"]


def _detect(layout, directions, on_dense):
    """``detect(w, blocks) -> flagged, lost``: marks the accepted steps in which there may be a zero."""
    at, n, m = layout.at, layout.n, count(layout)
    flag, accepted = row(layout, "flag"), f"({at(L.ACCEPTED)} != 0.0)"
    part, event, before = ([row(layout, name, k) for k in range(m)] for name in ("part", "event", "before"))
    vectors = [layout.vector(name) for name in ("old", "y", "k", "f")]
    begin = [
        f"{flag} = 0.0",
        *(f"{part[k]}, {before[k]} = {event[k]}, {event[k]}" for k in range(m)),
    ]
    look = [f"t, h = {at(L.T_OLD)}, {at(L.T)} - {at(L.T_OLD)}"]
    if on_dense:
        look += polynomials(layout)
    else:
        for i, (old, new, left, right) in enumerate(zip(*vectors, strict=True)):
            look += [f"z{i} = {old} + (a * ({new} - {old}) + h * (b * {left} + c * {right}))"]
    look += [f"z{i} = select(last, {y}, z{i})" for i, y in enumerate(layout.vector("y"))]
    look += calls(layout, f"select(last, {at(L.T)}, t + theta * h)", [f"z{i}" for i in range(n)])
    crossed = " | ".join(crosses(part[k], f"g{k}", directions[k]) for k in range(m))
    look += [
        f"crossed, status = ({crossed}) & {accepted}, {at(L.STATUS)}",
        f"{flag} = select(crossed, 1.0, {flag})",
        f"{at(L.STATUS)} = select((bad != 0) & {accepted}, {LEFT}.0, status)",
        *(f"{part[k]} = g{k}" for k in range(m)),
    ]
    end = [
        *(f"{event[k]} = select({accepted}, {part[k]}, {event[k]})" for k in range(m)),
        f"flagged += select({flag} != 0.0, 1, 0)",
        f"left += select({at(L.STATUS)} == {LEFT}.0, 1, 0)",
    ]
    lines = ["def detect(w, blocks):", "    align_stack()", "    flagged = left = 0", "    for block in range(blocks):"]
    lines += _over_lanes(begin, 8)
    lines += [
        f"        for s in range(1, {E.SAMPLES + 1}):",
        f"            theta, last = s / {float(E.SAMPLES)!r}, s == {E.SAMPLES}",
        "            a, b = theta * theta * (3.0 - 2.0 * theta), theta * (1.0 - theta) * (1.0 - theta)",
        "            c = -theta * theta * (1.0 - theta)",
        *_over_lanes(look, 12),
    ]
    return [*lines, *_over_lanes(end, 8), "    return flagged, left"]


def _over_lanes(body, indent):
    lines = [
        f"for inner in range({L.BLOCK}):",
        f"    lane = block * {L.BLOCK} + inner",
        *("    " + line for line in body),
    ]
    return [" " * indent + line for line in lines]
