"""Events in fused lanes: detected in all lanes side by side, located lane by lane on the dense output, counted and noted in order.

The rules are those of `odekit.solvers.events`: a step is looked at in parts, a sign change is a zero, and a value of zero belongs to
the part that ends with it. Where to look is decided by Hermite's interpolation, or by the dense output itself where the steps are
stiff: there the slopes at both ends may have little to do with what lies between. A trajectory in which an event function raises,
or is not a number, is left to the single tier.
"""

from . import event_log
from . import events as E
from . import lanes as L

#: The range of `lanes`' statuses goes on: a terminal event, and what the single tier is to do.
EVENT, LEFT = 8, 9


def lasting(m):
    """Rows for m event functions that go with a trajectory: their values, how many zeros each has had, how many are kept."""
    return {"event": m, "found": m, "kept": 1} if m else {}


def rows(m, n):
    """Rows of a step: the values before it, at both ends of a part of it, zeros, and where and with which state the step ends."""
    return {"before": m, "part": m, "right": m, "zero": m, "flag": 1, "stop": 1, "stop_y": n} if m else {}


def count(layout):
    """Number of event functions of a layout."""
    return layout.first["found"] - layout.first["event"] if "event" in layout.first else 0


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
        "note": _note(layout),
        "start_events": _start(layout, directions),
        "detect": _detect(layout, directions, on_dense),
        "sample": _sample(layout),
        "root": _root(layout),
        "locate": _locate(layout, directions),
        "settle": _settle(layout),
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
    lines = [f"{_row(layout, 'found', k)} = 0.0" for k in range(count(layout))] + [f"{_row(layout, 'kept')} = 0.0"]
    lines += [
        f"if status == {L.RUN}.0 or status == {L.DONE}.0:",
        "    status = start_events(w, lane, status, control, settings, log)",
    ]
    return lines


def finish_lines(layout):
    """Source that tells how many zeros there were."""
    m = count(layout)
    return [f"event_counts[{m} * k + {j}] = {_row(layout, 'found', j)}" for j in range(m)]


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


def _row(layout, name, k=0):
    return layout.at(layout.first[name] + k)


def _row_of(layout, name, k):
    """Source of the row of event function `k`, a variable."""
    return f"w[({layout.first[name]} + {k}) * {layout.stride} + lane]"


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


def _note(layout):
    """``note(w, lane, control, log, k, t, z0, ...)``: a zero of function k."""
    at, n = layout.at, layout.n
    return [
        f"def note(w, lane, control, log, k, t, {', '.join(f'z{i}' for i in range(n))}):",
        f"    {_row_of(layout, 'found', 'k')} += 1.0",
        f"    if {_row(layout, 'kept')} < control[{L.MAX_EVENTS}]:",
        f"        {_row(layout, 'kept')} += 1.0",
        f"        place = {event_log.STATE + n} * control[{L.USED}]",
        f"        control[{L.USED}] += 1",
        f"        log[place + {event_log.TRAJECTORY}], log[place + {event_log.FUNCTION}] = {at(L.MEMBER)}, float(k)",
        f"        log[place + {event_log.TIME}] = t",
        *(f"        log[place + {event_log.STATE + i}] = z{i}" for i in range(n)),
    ]


def _start(layout, directions):
    """``start_events(...) -> status``, of a lane that begins; what is zero there is looked at a moment later, see `events.arm`."""
    at, n, m = layout.at, layout.n, count(layout)
    y, f, event = layout.vector("y"), layout.vector("f"), [_row(layout, "event", k) for k in range(m)]
    lines = [
        "def start_events(w, lane, status, control, settings, log):",
        f"    t, moment = {at(L.T)}, 0.0",
        "    for later in range(2):",  # the functions are compiled into the kernel as few times as possible
        *(f"        z{i} = {y[i]} + moment * {f[i]}" for i in range(n)),
        *("        " + line for line in _calls(layout, "t + moment", [f"z{i}" for i in range(n)])),
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
    flag, accepted = _row(layout, "flag"), f"({at(L.ACCEPTED)} != 0.0)"
    part, event, before = ([_row(layout, name, k) for k in range(m)] for name in ("part", "event", "before"))
    vectors = [layout.vector(name) for name in ("old", "y", "k", "f")]
    begin = [
        f"{flag} = 0.0",
        *(f"{part[k]}, {before[k]} = {event[k]}, {event[k]}" for k in range(m)),
    ]
    look = [f"t, h = {at(L.T_OLD)}, {at(L.T)} - {at(L.T_OLD)}"]
    if on_dense:
        look += _polynomials(layout)
    else:
        for i, (old, new, left, right) in enumerate(zip(*vectors, strict=True)):
            look += [f"z{i} = {old} + (a * ({new} - {old}) + h * (b * {left} + c * {right}))"]
    look += [f"z{i} = select(last, {y}, z{i})" for i, y in enumerate(layout.vector("y"))]
    look += _calls(layout, f"select(last, {at(L.T)}, t + theta * h)", [f"z{i}" for i in range(n)])
    crossed = " | ".join(_crosses(part[k], f"g{k}", directions[k]) for k in range(m))
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


def _state(layout, t, indent):
    """Source of the dense output ``z`` at a time."""
    lines = [f"theta = ({t} - {layout.at(L.T_OLD)}) / ({layout.at(L.T)} - {layout.at(L.T_OLD)})", *_polynomials(layout)]
    return [" " * indent + line for line in lines]


def _polynomials(layout):
    """Source of the dense output ``z`` at ``theta``."""
    n, lines = layout.n, []
    degree = (layout.first["end"] - layout.first["q"]) // n
    for i, old in enumerate(layout.vector("old")):
        value = ""
        for d in reversed(range(degree)):
            q = layout.at(layout.first["q"] + d * n + i)
            value = f"({value} + {q}) * theta" if value else f"{q} * theta"
        lines += [f"z{i} = {old} + {value}"]
    return lines


def _sample(layout):
    """``sample(w, lane, t) -> bad``: writes the event functions on the dense output to the rows of the part."""
    lines = ["def sample(w, lane, t):", *_state(layout, "t", 4)]
    lines += ["    " + line for line in _calls(layout, "t", [f"z{i}" for i in range(layout.n)])]
    return [*lines, *(f"    {_row(layout, 'part', k)} = g{k}" for k in range(count(layout))), "    return bad"]


def _root(layout):
    """``root(w, lane, k, a, b, fa, fb) -> time``: Chandrupatla's method, see `odekit.solvers.events`; NaN where it fails."""
    return f"""def root(w, lane, k, a, b, fa, fb):
    best = a
    if fa == 0.0:
        return a
    c, fc, fraction = a, fa, 0.5
    for _ in range({E.MAX_ITERATIONS}):
        x = a + fraction * (b - a)
        if sample(w, lane, x) != 0:
            return math.nan
        fx = {_row_of(layout, "part", "k")}
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
    """``locate(...) -> done``: the zeros in the step, in order of time, until one ends the trajectory."""
    at, n, m = layout.at, layout.n, count(layout)
    state, y = [f"z{i}" for i in range(n)], layout.vector("y")
    before, part, right, zero = (
        [_row(layout, name, k) for k in range(m)] for name in ("before", "part", "right", "zero")
    )
    zero_k, zero_j = (_row_of(layout, "zero", k) for k in "kj")
    return [
        "def locate(w, lane, control, settings, log):",
        f"    if {at(L.STATUS)} == {L.RAISED}.0 or {at(L.STATUS)} == {LEFT}.0:",
        "        return 1",
        f"    t, t_new, direction = {at(L.T_OLD)}, {at(L.T)}, {at(L.DIRECTION)}",
        f"    for s in range({E.SAMPLES}):",
        f"        b = t + s / {float(E.SAMPLES)!r} * (t_new - t)",
        f"        a = t + (s + 1) / {float(E.SAMPLES)!r} * (t_new - t) if s + 1 < {E.SAMPLES} else t_new",
        f"        if s + 1 == {E.SAMPLES}:",
        *(f"            {right[k]} = {_row(layout, 'event', k)}" for k in range(m)),
        "        elif sample(w, lane, a) != 0:",
        f"            {at(L.STATUS)} = {LEFT}.0",
        "            return 1",
        "        else:",
        *(f"            {right[k]} = {part[k]}" for k in range(m)),
        # each function has at most one zero in a part: first where there is one, then which it is
        *(f"        {zero[k]} = 0.0 if {_crosses(before[k], right[k], directions[k])} else math.inf" for k in range(m)),
        "        zeros = 0",
        f"        for k in range({m}):",
        f"            if {zero_k} == 0.0:",
        f"                {zero_k} = root(w, lane, k, a, b, {_row_of(layout, 'right', 'k')}, {_row_of(layout, 'before', 'k')})",
        "                zeros += 1",
        f"                if math.isnan({zero_k}):",
        f"                    {at(L.STATUS)} = {LEFT}.0",
        "                    return 1",
        *(f"        {before[k]} = {right[k]}" for k in range(m)),
        "        for _ in range(zeros):",
        "            k, stop = -1, math.inf",
        f"            for j in range({m}):",
        f"                if not math.isinf({zero_j}) and (k < 0 or ({zero_j} - stop) * direction < 0.0):",
        f"                    k, stop = j, {zero_j}",
        f"            {zero_k} = math.inf",
        *_state(layout, "stop", 12),
        "            if stop == t_new:",
        *(f"                {z} = {element}" for z, element in zip(state, y, strict=True)),
        f"            note(w, lane, control, log, k, stop, {', '.join(state)})",
        f"            if {_row_of(layout, 'found', 'k')} >= settings[{L.WANTED} + k]:",
        *("                " + line for line in _stay_lines(layout)),
        f"                {at(L.STATUS)}, {_row(layout, 'stop')} = {EVENT}.0, stop",
        *(f"                {_row(layout, 'stop_y', i)} = {z}" for i, z in enumerate(state)),
        "                return 1",
        "    return 0",
    ]


def _stay_lines(layout):
    """Source: a trajectory of an automatic pair that ends does not change its method any more."""
    if "nswitch" not in layout.first:
        return []
    return [f"if {layout.at(L.STATUS)} == {L.SWITCH}.0:", f"    {layout.at(layout.first['nswitch'])} -= 1.0"]


def _settle(layout):
    """``settle(w, lane)``: the step ends at the event."""
    lines = ["def settle(w, lane):", f"    {layout.at(L.T)} = {_row(layout, 'stop')}"]
    return [*lines, *(f"    {y} = {_row(layout, 'stop_y', i)}" for i, y in enumerate(layout.vector("y")))]
