"""Zeros of event functions in fused lanes: located lane by lane on the dense output of a step, counted and noted in order of time.

The rules are those of `odekit.solvers.events`; `odekit.solvers.fused_events` says in which steps there is something to locate.
"""

from . import event_log
from . import events as E
from . import lanes as L

#: The range of `lanes`' statuses goes on: a terminal event, and what the single tier is to do.
EVENT, LEFT = 8, 9


def count(layout):
    """Number of event functions of a layout."""
    return layout.first["found"] - layout.first["event"] if "event" in layout.first else 0


def row(layout, name, k=0):
    """Source of a row, the one of event function k."""
    return layout.at(layout.first[name] + k)


def row_of(layout, name, k):
    """Source of the row of event function `k`, a variable."""
    return f"w[({layout.first[name]} + {k}) * {layout.stride} + lane]"


def calls(layout, t, state):
    """Source of all event functions at a state: values ``g0, g1, ...``, and in ``bad`` whether any raised or is NaN."""
    arguments = ", ".join([t, *state, layout.parameters])
    lines = ["bad = 0"]
    for k in range(count(layout)):
        lines += [f"g{k}, raised = event{k}({arguments})", f"bad |= raised | select(g{k} == g{k}, 0, 1)"]
    return lines


def crosses(before, after, direction):
    """Source of `odekit.solvers.events.crosses`."""
    up, down = f"(({before} < 0.0) & ({after} >= 0.0))", f"(({before} > 0.0) & ({after} <= 0.0))"
    return f"({up} | {down})" if direction == 0 else up if direction > 0 else down


def polynomials(layout):
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


def _state(layout, t, indent):
    """Source of the dense output ``z`` at a time."""
    lines = [f"theta = ({t} - {layout.at(L.T_OLD)}) / ({layout.at(L.T)} - {layout.at(L.T_OLD)})", *polynomials(layout)]
    return [" " * indent + line for line in lines]


def note(layout):
    """``note(w, lane, control, log, k, t, z0, ...)``: a zero of function k."""
    at, n = layout.at, layout.n
    return [
        f"def note(w, lane, control, log, k, t, {', '.join(f'z{i}' for i in range(n))}):",
        f"    {row_of(layout, 'found', 'k')} += 1.0",
        f"    if {row(layout, 'kept')} < control[{L.MAX_EVENTS}]:",
        f"        {row(layout, 'kept')} += 1.0",
        f"        place = {event_log.STATE + n} * control[{L.USED}]",
        f"        control[{L.USED}] += 1",
        f"        log[place + {event_log.TRAJECTORY}], log[place + {event_log.FUNCTION}] = {at(L.MEMBER)}, float(k)",
        f"        log[place + {event_log.TIME}] = t",
        *(f"        log[place + {event_log.STATE + i}] = z{i}" for i in range(n)),
    ]


def sample(layout):
    """``sample(w, lane, t) -> bad``: writes the event functions on the dense output to the rows of the part."""
    lines = ["def sample(w, lane, t):", *_state(layout, "t", 4)]
    lines += ["    " + line for line in calls(layout, "t", [f"z{i}" for i in range(layout.n)])]
    return [*lines, *(f"    {row(layout, 'part', k)} = g{k}" for k in range(count(layout))), "    return bad"]


def root(layout):
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
        fx = {row_of(layout, "part", "k")}
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


def locate(layout, directions):
    """``locate(...) -> done``: the zeros in the step, in order of time, until one ends the trajectory."""
    at, n, m = layout.at, layout.n, count(layout)
    state, y = [f"z{i}" for i in range(n)], layout.vector("y")
    before, part, right, zero = (
        [row(layout, name, k) for k in range(m)] for name in ("before", "part", "right", "zero")
    )
    zero_k, zero_j = (row_of(layout, "zero", k) for k in "kj")
    return [
        "def locate(w, lane, control, settings, log):",
        f"    if {at(L.STATUS)} == {L.RAISED}.0 or {at(L.STATUS)} == {LEFT}.0:",
        "        return 1",
        f"    t, t_new, direction = {at(L.T_OLD)}, {at(L.T)}, {at(L.DIRECTION)}",
        f"    for s in range({E.SAMPLES}):",
        f"        b = t + s / {float(E.SAMPLES)!r} * (t_new - t)",
        f"        a = t + (s + 1) / {float(E.SAMPLES)!r} * (t_new - t) if s + 1 < {E.SAMPLES} else t_new",
        f"        if s + 1 == {E.SAMPLES}:",
        *(f"            {right[k]} = {row(layout, 'event', k)}" for k in range(m)),
        "        elif sample(w, lane, a) != 0:",
        f"            {at(L.STATUS)} = {LEFT}.0",
        "            return 1",
        "        else:",
        *(f"            {right[k]} = {part[k]}" for k in range(m)),
        # each function has at most one zero in a part: first where there is one, then which it is
        *(f"        {zero[k]} = 0.0 if {crosses(before[k], right[k], directions[k])} else math.inf" for k in range(m)),
        "        zeros = 0",
        f"        for k in range({m}):",
        f"            if {zero_k} == 0.0:",
        f"                {zero_k} = root(w, lane, k, a, b, {row_of(layout, 'right', 'k')}, {row_of(layout, 'before', 'k')})",
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
        f"            if {row_of(layout, 'found', 'k')} >= settings[{L.WANTED} + k]:",
        *("                " + line for line in _stay_lines(layout)),
        f"                {at(L.STATUS)}, {row(layout, 'stop')} = {EVENT}.0, stop",
        *(f"                {row(layout, 'stop_y', i)} = {z}" for i, z in enumerate(state)),
        "                return 1",
        "    return 0",
    ]


def _stay_lines(layout):
    """Source: a trajectory of an automatic pair that ends does not change its method any more."""
    if "nswitch" not in layout.first:
        return []
    return [f"if {layout.at(L.STATUS)} == {L.SWITCH}.0:", f"    {layout.at(layout.first['nswitch'])} -= 1.0"]


def settle(layout):
    """``settle(w, lane)``: the step ends at the event."""
    lines = ["def settle(w, lane):", f"    {layout.at(L.T)} = {row(layout, 'stop')}"]
    return [*lines, *(f"    {y} = {row(layout, 'stop_y', i)}" for i, y in enumerate(layout.vector("y")))]
