"""Terminal events in fused lanes: detected in all lanes side by side, located lane by lane on the dense output.

The rules are those of `odekit.solvers.events`: a step is looked at in parts, a sign change is a zero, and a value of zero belongs to
the part that ends with it. Where to look is decided by Hermite's interpolation. A trajectory in which an event function is zero at
the start, raises, or is not a number, is left to the single tier.
"""

from . import events as E
from . import lanes as L

#: The range of `lanes`' statuses goes on: a terminal event, and what the single tier is to do.
EVENT, LEFT = 8, 9


def rows(m, n):
    """Rows for m event functions: their values at both ends of a step and within, and where and with which state it ends."""
    return {"event": m, "before": m, "part": m, "flag": 1, "stop": 1, "stop_y": n} if m else {}


def count(layout):
    """Number of event functions of a layout."""
    return layout.first["before"] - layout.first["event"] if "event" in layout.first else 0


def sources(layout, directions):
    """Sources of the functions that find events.

    Parameters
    ----------
    layout : Layout
        With the rows of the dense output, and those above.
    directions : sequence of float
        Of each event function, as `odekit.solve_ivp` has them.

    Returns
    -------
    dict
        Name: source. ``event0``, ... are to be in their namespace.
    """
    parts = {
        "start_events": _start(layout),
        "detect": _detect(layout, directions),
        "sample": _sample(layout),
        "root": _root(),
        "locate": _locate(layout, directions),
        "settle": _settle(layout),
    }
    return {name: "\n".join([*lines, ""]) for name, lines in parts.items()}


def after_sweep(layout, save_times, save_steps):
    """Source of what follows a sweep, in place of what follows one without events."""
    at, flag = layout.at, layout.at(layout.first["flag"])
    blocks = f"(active + {L.BLOCK - 1}) // {L.BLOCK}"
    emit = f"emit(w, lane, save, rows, control[{L.SHARED_TIMES}], t_eval, y_out, t_out)"
    lines = [
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
        f"if flagged > 0 or (wanted > 0 and save == {save_times}):",
        f"    done += dense(w, {blocks})",
        "if flagged > 0:",
        "    for lane in range(active):",
        f"        if {flag} != 0.0:",
        "            done += locate(w, lane)",
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


def _row(layout, name, k=0):
    return layout.at(layout.first[name] + k)


def _calls(layout, t, state):
    """Source of all event functions at a state: values ``g0, g1, ...``, and in ``bad`` whether any raised or is NaN."""
    arguments = ", ".join([t, *state, *layout.parameters])
    lines = ["bad = 0"]
    for k in range(count(layout)):
        lines += [f"g{k}, raised = event{k}({arguments})", f"bad |= raised | select(g{k} == g{k}, 0, 1)"]
    return lines


def _crosses(before, after, direction):
    """Source of `odekit.solvers.events.crosses`."""
    up, down = f"(({before} < 0.0) & ({after} >= 0.0))", f"(({before} > 0.0) & ({after} <= 0.0))"
    return f"({up} | {down})" if direction == 0 else up if direction > 0 else down


def _start(layout):
    """``start_events(w, lane) -> status``, of a lane that begins."""
    lines = ["def start_events(w, lane):"]
    lines += ["    " + line for line in _calls(layout, layout.at(L.T), layout.vector("y"))]
    for k in range(count(layout)):
        lines += [f"    {_row(layout, 'event', k)} = g{k}", f"    bad |= 1 if g{k} == 0.0 else 0"]
    return [*lines, f"    return {L.RUN}.0 if bad == 0 else {LEFT}.0"]


def _detect(layout, directions):
    """``detect(w, blocks) -> flagged, lost``: marks the accepted steps in which there may be a zero."""
    at, n, m = layout.at, layout.n, count(layout)
    flag, accepted = _row(layout, "flag"), f"({at(L.ACCEPTED)} != 0.0)"
    part, event, before = ([_row(layout, name, k) for k in range(m)] for name in ("part", "event", "before"))
    vectors = [layout.vector(name) for name in ("old", "y", "k", "f")]

    def look(t, state):
        crossed = " | ".join(_crosses(part[k], f"g{k}", directions[k]) for k in range(m))
        return [
            *_calls(layout, t, state),
            f"crossed, status = ({crossed}) & {accepted}, {at(L.STATUS)}",
            f"{flag} = select(crossed, 1.0, {flag})",
            f"{at(L.STATUS)} = select((bad != 0) & {accepted}, {LEFT}.0, status)",
        ]

    begin = [
        f"{flag} = 0.0",
        *(f"{part[k]}, {before[k]} = {event[k]}, {event[k]}" for k in range(m)),
    ]
    within = [f"t, h = {at(L.T_OLD)}, {at(L.T)} - {at(L.T_OLD)}"]
    for i, (old, new, left, right) in enumerate(zip(*vectors, strict=True)):
        within += [f"z{i} = {old} + (a * ({new} - {old}) + h * (b * {left} + c * {right}))"]
    within += look("t + theta * h", [f"z{i}" for i in range(n)])
    within += [f"{part[k]} = g{k}" for k in range(m)]
    end = [
        *look(at(L.T), layout.vector("y")),
        *(f"{event[k]} = select({accepted}, g{k}, {event[k]})" for k in range(m)),
        f"lost = {at(L.STATUS)} == {LEFT}.0",
        f"flagged += select({flag} != 0.0, 1, 0)",
        "left += select(lost, 1, 0)",
    ]
    lines = ["def detect(w, blocks):", "    align_stack()", "    flagged = left = 0", "    for block in range(blocks):"]
    lines += _over_lanes(begin, 8)
    lines += [
        f"        for s in range(1, {E.SAMPLES}):",
        f"            theta = s / {float(E.SAMPLES)!r}",
        "            a, b = theta * theta * (3.0 - 2.0 * theta), theta * (1.0 - theta) * (1.0 - theta)",
        "            c = -theta * theta * (1.0 - theta)",
        *_over_lanes(within, 12),
        *_over_lanes(end, 8),
    ]
    return [*lines, "    return flagged, left"]


def _over_lanes(body, indent):
    lines = [
        f"for inner in range({L.BLOCK}):",
        f"    lane = block * {L.BLOCK} + inner",
        *("    " + line for line in body),
    ]
    return [" " * indent + line for line in lines]


def _state(layout, t, indent):
    """Source of the dense output ``z`` at a time."""
    at, n = layout.at, layout.n
    degree = (layout.first["end"] - layout.first["q"]) // n
    lines = [f"theta = ({t} - {at(L.T_OLD)}) / ({at(L.T)} - {at(L.T_OLD)})"]
    for i, old in enumerate(layout.vector("old")):
        value = ""
        for d in reversed(range(degree)):
            q = at(layout.first["q"] + d * n + i)
            value = f"({value} + {q}) * theta" if value else f"{q} * theta"
        lines += [f"z{i} = {old} + {value}"]
    return [" " * indent + line for line in lines]


def _sample(layout):
    """``sample(w, lane, k, t) -> value, bad``: event function k on the dense output."""
    lines = ["def sample(w, lane, k, t):", *_state(layout, "t", 4)]
    lines += ["    " + line for line in _calls(layout, "t", [f"z{i}" for i in range(layout.n)])]
    value = "g0"
    for k in range(1, count(layout)):
        value = f"(g{k} if k == {k} else {value})"
    return [*lines, f"    return {value}, bad"]


def _root():
    """``root(w, lane, k, a, b, fa, fb) -> time``: Chandrupatla's method, see `odekit.solvers.events`; NaN where it fails."""
    return f"""def root(w, lane, k, a, b, fa, fb):
    best = a
    if fa == 0.0:
        return a
    c, fc, fraction = a, fa, 0.5
    for _ in range({E.MAX_ITERATIONS}):
        x = a + fraction * (b - a)
        fx, bad = sample(w, lane, k, x)
        if bad != 0 or math.isnan(fx):
            return math.nan
        if (fx > 0.0) == (fa > 0.0):
            c, fc = a, fa
        else:
            c, fc, b, fb = b, fb, a, fa
        a, fa = x, fx
        best = a if abs(fa) < abs(fb) else b
        tolerance, width = {0.5 * E.ROOT_ULPS * E.EPS!r} * max(abs(a), abs(b)), abs(b - a)
        if fa == 0.0 or fb == 0.0 or width <= 2.0 * tolerance:
            return best
        xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
        fraction = 0.5
        if phi * phi < xi and (1.0 - phi) * (1.0 - phi) < 1.0 - xi:
            fraction = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
        margin = tolerance / width
        fraction = min(1.0 - margin, max(margin, fraction))
    return best""".splitlines()


def _locate(layout, directions):
    """``locate(w, lane) -> done``: the first zero in the step, if there is one on the dense output."""
    at, m = layout.at, count(layout)
    lines = [
        "def locate(w, lane):",
        f"    if {at(L.STATUS)} == {L.RAISED}.0 or {at(L.STATUS)} == {LEFT}.0:",
        "        return 1",
        f"    t, t_new, direction, stop = {at(L.T_OLD)}, {at(L.T)}, {at(L.DIRECTION)}, math.inf",
        *(f"    left{k} = {_row(layout, 'before', k)}" for k in range(m)),
        f"    for s in range({E.SAMPLES}):",
        f"        b = t + s / {float(E.SAMPLES)!r} * (t_new - t)",
        f"        a = t + (s + 1) / {float(E.SAMPLES)!r} * (t_new - t) if s + 1 < {E.SAMPLES} else t_new",
        f"        if s + 1 == {E.SAMPLES}:",
        *(f"            right{k}, bad{k} = {_row(layout, 'event', k)}, 0" for k in range(m)),
        "        else:",
        *(f"            right{k}, bad{k} = sample(w, lane, {k}, a)" for k in range(m)),
    ]
    for k in range(m):
        lines += [
            f"        zero = math.nan if bad{k} != 0 else math.inf",
            f"        if bad{k} == 0 and {_crosses(f'left{k}', f'right{k}', directions[k])}:",
            f"            zero = root(w, lane, {k}, a, b, right{k}, left{k})",
            "        if math.isnan(zero):",
            f"            {at(L.STATUS)} = {LEFT}.0",
            "            return 1",
            "        if not math.isinf(zero) and (math.isinf(stop) or (zero - stop) * direction < 0.0):",
            "            stop = zero",
            f"        left{k} = right{k}",
        ]
    lines += [
        "        if not math.isinf(stop):",
        f"            {at(L.STATUS)}, {_row(layout, 'stop')} = {EVENT}.0, stop",
        *_state(layout, "stop", 12),
        *(
            f"            {_row(layout, 'stop_y', i)} = {y} if stop == t_new else z{i}"
            for i, y in enumerate(layout.vector("y"))
        ),
        "            return 1",
        "    return 0",
    ]
    return lines


def _settle(layout):
    """``settle(w, lane)``: the step ends at the event."""
    lines = ["def settle(w, lane):", f"    {layout.at(L.T)} = {_row(layout, 'stop')}"]
    return [*lines, *(f"    {y} = {_row(layout, 'stop_y', i)}" for i, y in enumerate(layout.vector("y")))]
