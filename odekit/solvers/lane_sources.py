"""What surrounds a sweep of lanes, as source: how trajectories begin and finish, their outputs, the loop over sweeps."""

from ..solution import Retcode
from . import auto, fused_auto, fused_events
from . import batch as B
from . import control as C
from . import lanes as L
from .lanes import call

_RETCODES = {L.DONE: Retcode.SUCCESS, L.MAX_STEPS: Retcode.MAX_STEPS, L.TOO_SMALL: Retcode.STEP_TOO_SMALL,
             L.NONFINITE: Retcode.NONFINITE, L.RAISED: Retcode.RHS_RAISED, L.SINGULAR: Retcode.SINGULAR,
             fused_events.EVENT: Retcode.TERMINATED, fused_events.LEFT: B.LEFT}  # fmt: skip

#: Rows that only some methods have, and where they are told. Lanes factorise once for each Jacobian.
_MORE_COUNTERS = (("njev", B.NJEV), ("njev", B.NLU), ("nswitch", B.NSWITCH))


def begin_source(layout, order):
    """Source of ``begin``: put trajectory k into a lane, evaluate the field, choose the first step; the lane's status."""
    n, at = layout.n, layout.at
    y, f = [f"y{i}" for i in range(n)], [f"f{i}" for i in range(n)]
    g, z = [f"g{i}" for i in range(n)], [f"z{i}" for i in range(n)]

    usual = 2.0 ** min(100 * (order + 1), 1000)  # up to here `exp2_of` is good for the root

    def norm(values):
        squares = " + ".join(f"({v} * v{i}) * ({v} * v{i})" for i, v in enumerate(values))
        return f"math.sqrt(({squares}) / {n})"

    body = [
        "t, t_end = spans[2 * k], spans[2 * k + 1]",
        "direction, span, raised = 1.0 if t_end >= t else -1.0, abs(t_end - t), 0",
        *(f"{a} = starts[{n} * k + {i}]" for i, a in enumerate(y)),
        *(f"{element} = {a}" for element, a in zip(layout.vector("y"), y, strict=True)),
        *_parameter_lines(layout),
        f"{at(L.T)}, {at(L.T_END)}, {at(L.DIRECTION)}, {at(L.MEMBER)} = t, t_end, direction, float(k)",
        *(f"{at(row)} = 0.0" for row in (L.H, L.LOG_ERR, L.REJECTED, L.NACCEPT, L.NREJECT, L.WANTS, L.SERVED)),
        *(f"{at(layout.first[name])} = {value!r}" for name, value in layout.starts.items()),
        f"{at(L.T_OLD)}, {at(L.NEXT_OUT)}, {at(L.NFEV)} = t, math.inf * direction, 1.0",
        *call("t", y, f, parameters=layout.parameters),
        *(f"{element} = {a}" for element, a in zip(layout.vector("f"), f, strict=True)),
        "if raised != 0:",
        f"    return {L.RAISED}.0",
        f"if not abs({' + '.join(f'0.0 * {a}' for a in f)}) == 0.0:",
        f"    return {L.NONFINITE}.0",
        "h = first_step",
        "if h == 0.0:",
        *(f"    v{i} = 1.0 / (atol[{i}] + rtol[{i}] * abs({a}))" for i, a in enumerate(y)),
        f"    d0, d1 = {norm(y)}, {norm(f)}",
        f"    h0 = {C.TINY_STEP!r} if d0 < {C.TINY_NORM!r} or d1 < {C.TINY_NORM!r} else 0.01 * d0 / d1",
        "    h0 = min(h0, span, max_step)",
        "    signed = math.copysign(h0, direction)",
        *(f"    {c} = {a} + signed * {b}" for a, b, c in zip(y, f, z, strict=True)),
        *("    " + line for line in call("t + signed", z, g, parameters=layout.parameters)),
        f"    {at(L.NFEV)} = 2.0",
        "    if raised != 0:",
        f"        return {L.RAISED}.0",
        *(f"    {c} -= {b}" for b, c in zip(f, g, strict=True)),
        f"    d2 = {norm(g)} / h0",
        f"    if d1 <= {C.TINY_SLOPE!r} and d2 <= {C.TINY_SLOPE!r}:",
        f"        h = max({C.TINY_STEP!r}, h0 * 1e-3)",
        "    else:",
        "        h = 0.01 / max(d1, d2)",
        f"        if h > {1.0 / usual!r} and h < {usual!r}:",
        f"            h = exp2_of({1.0 / (order + 1)!r} * log2_of(h))",
        "        else:",
        f"            h = h ** {1.0 / (order + 1)!r}",
        "    h = min(100.0 * h0, h, span, max_step)",
        "    if not h < math.inf:",
        f"        h = {C.TINY_STEP!r} * span",
        f"{at(L.H)} = h",
        f"return {L.DONE}.0 if t == t_end else {L.RUN}.0",
    ]
    head = "def begin(w, lane, k, spans, starts, params, n_params, rtol, atol, first_step, max_step):"
    return f"{head}\n" + "".join(f"    {line}\n" for line in body)


def _parameter_lines(layout):
    """Source that puts the parameters of trajectory k into a lane."""
    return [
        "for j in range(n_params):",
        f"    w[({layout.p} + j) * {layout.stride} + lane] = params[n_params * k + j]",
    ]


def run_source(layout, has_dense, events_on_dense):
    """Source of the kernel: sweeps, outputs, and lanes that finish and take up the next trajectory."""
    at, n, lanes = layout.at, layout.n, layout.lanes
    y, paired = layout.vector("y"), fused_auto.is_pair(layout)
    has_events = fused_events.count(layout) > 0
    arguments = ", ".join(
        [*_TAKE, *(["queue_in"] if paired else []), *(["event_counts", "settings", "log"] if has_events else [])]
    )
    told = ", event_counts" if has_events else ""
    neighbours = [at(L.STATUS, f"first + {k}") for k in range(L.LINE)]
    lines = [
        "def lanes(addresses, control, w, settings):",
        "    spans, starts, params = pointer(addresses[0]), pointer(addresses[1]), pointer(addresses[2])",
        "    t_eval, y_out, t_out = pointer(addresses[3]), pointer(addresses[4]), pointer(addresses[5])",
        "    counters, ends = pointer(addresses[6]), pointer(addresses[7])",
        "    rtol, atol = pointer(addresses[8]), pointer(addresses[9])",
        *(["    queue_in, queue_out = pointer(addresses[10]), pointer(addresses[11])"] if paired else []),
        *(
            [f"    log, event_counts = pointer(addresses[{L.LOG}]), pointer(addresses[{L.COUNTS}])"]
            if has_events
            else []
        ),
        "    first_step, max_step = settings[0], settings[1]",
        f"    n_params = control[{L.N_PARAMS}]",
        f"    save, rows, step_limit = control[{L.SAVE}], control[{L.ROWS}], float(control[{L.STEP_LIMIT}])",
        "    done = 1",
        f"    for _ in range(control[{L.SWEEPS}]):",
        f"        active = control[{L.ACTIVE}]",
        "        if done > 0:",
        # lanes from the last one down: what moves into a gap has been looked at already
        f"            for first in range((active - 1) // {L.LINE} * {L.LINE}, -1, -{L.LINE}):",
        f"                if {' | '.join(f'bits_of({status})' for status in neighbours)} == 0:",
        "                    continue",  # the bits of `RUN`
        f"                for lane in range(min(active, first + {L.LINE}) - 1, first - 1, -1):",
        f"                    if {at(L.STATUS)} > 0.5:",
        *(_hand_over_lines(layout) if paired else []),
        f"                        {'if not handed: ' if paired else ''}finish(w, lane, save, rows, y_out, t_out, counters, ends{told})",
        f"                        if not take(w, lane, control, {arguments}):",
        "                            active -= 1",
        "                            if lane != active:",
        f"                                for row in range({layout.p} + n_params):",
        f"                                    w[row * {layout.stride} + lane] = w[row * {layout.stride} + active]",
        f"                            {at(L.STATUS, 'active')} = {L.IDLE}.0",
        f"            while active < {lanes} and take(w, active, control, {arguments}):",
        "                active += 1",
        f"            control[{L.ACTIVE}] = active",
        f"            if active < {lanes} and control[{L.MORE}] != 0:",
        "                return 0",
        "        if active == 0:",
        # without room for events at their starts, trajectories wait
        f"            return {f'0 if control[{L.NEXT}] < control[{L.LAST}] else 1' if has_events else '1'}",
        *(_pause_lines(lanes) if paired else []),
        *(fused_events.room_lines(layout) if has_events else []),
        f"        done, wanted = sweep(w, (active + {L.BLOCK - 1}) // {L.BLOCK}, rtol, atol, max_step, step_limit)",
    ]
    if has_events:
        lines += fused_events.after_sweep(layout, B.SAVE_TIMES, B.SAVE_STEPS, events_on_dense)
    elif has_dense:
        lines += [
            "        if wanted > 0:",
            f"            if save == {B.SAVE_TIMES}:",
            f"                done += dense(w, (active + {L.BLOCK - 1}) // {L.BLOCK})",
            "            for lane in range(active):",
            f"                if {at(L.WANTS)} != 0.0:",
            f"                    emit(w, lane, save, rows, control[{L.SHARED_TIMES}], t_eval, y_out, t_out)",
        ]
    lines += ["    return 0", ""]
    take = [
        f"def take(w, lane, control, {arguments}):",
        *(_take_over_lines(layout) if paired else []),
        f"    while control[{L.NEXT}] < control[{L.LAST}]{fused_events.room_at_start(layout) if has_events else ''}:",
        f"        k = control[{L.NEXT}]",
        f"        control[{L.NEXT}] = k + 1",
        "        status = begin(w, lane, k, spans, starts, params, n_params, rtol, atol, first_step, max_step)",
        *(["        " + line for line in fused_events.begin_lines(layout)] if has_events else []),
        f"        {at(L.STATUS)} = status",
    ]
    if has_dense:
        take += [
            f"        if save == {B.SAVE_STEPS}:",
            f"            t_out[k * rows] = {at(L.T)}",
            *(f"            y_out[k * rows * {n} + {i}] = {a}" for i, a in enumerate(y)),
            f"            {at(L.SERVED)}, {at(L.NEXT_OUT)} = 1.0, -math.inf * {at(L.DIRECTION)}",
            f"        elif save == {B.SAVE_TIMES}:",
            f"            first = 0 if control[{L.SHARED_TIMES}] == 1 else k * rows",
            f"            if rows > 0 and t_eval[first] == {at(L.T)}:",
            *(f"                y_out[k * rows * {n} + {i}] = {a}" for i, a in enumerate(y)),
            f"                {at(L.SERVED)} = 1.0",
            f"            served = int({at(L.SERVED)})",
            "            if served < rows:",
            f"                {at(L.NEXT_OUT)} = t_eval[first + served]",
        ]
    take += [
        f"        if status == {L.RUN}.0:",
        "            return True",
        f"        finish(w, lane, save, rows, y_out, t_out, counters, ends{told})",
        "    return False",
        "",
    ]
    finish = [
        f"def finish(w, lane, save, rows, y_out, t_out, counters, ends{told}):",
        f"    k, status = int({at(L.MEMBER)}), {at(L.STATUS)}",
        f"    code = {_choice(_RETCODES)}",
        *(_first_failure_lines(layout) if paired else []),
        f"    saved = {at(L.SERVED)}",
        f"    if save == {B.SAVE_END} and (status == {L.DONE}.0 or status == {fused_events.EVENT}.0):",
        "        saved = 1.0",
        *(f"        y_out[k * {n} + {i}] = {a}" for i, a in enumerate(y)),
        f"    c = k * {B.N_COUNTERS}",
        f"    counters[c + {B.RETCODE}], counters[c + {B.NFEV}] = code, {at(L.NFEV)}",
        f"    counters[c + {B.NACCEPT}], counters[c + {B.NREJECT}] = {at(L.NACCEPT)}, {at(L.NREJECT)}",
        f"    counters[c + {B.NSAVED}] = saved",
        *(
            f"    counters[c + {column}] = {at(layout.first[name])}"
            for name, column in _MORE_COUNTERS
            if name in layout.first
        ),
        *(["    " + line for line in fused_events.finish_lines(layout)] if has_events else []),
        f"    ends[2 * k], ends[2 * k + 1] = {at(L.T)}, {at(L.H)} * {at(L.DIRECTION)}",
        "",
    ]
    sources = {"finish": finish, "take": take, "lanes": lines}
    if has_dense:
        sources = {"emit": _emit_lines(layout), **sources}
    return {name: "\n".join(source) for name, source in sources.items()}


# an automatic pair: trajectories wait as columns of the rows that both kernels share, one behind the other


def _hand_over_lines(layout):
    """Source that puts a trajectory that changes its method into the other kernel's queue."""
    record = layout.first["record"]
    return [
        f"                        handed = {layout.at(L.STATUS)} == {L.SWITCH}.0",
        "                        if handed:",
        f"                            place = {record} * control[{L.OUTGOING}]",
        f"                            control[{L.OUTGOING}] += 1",
        f"                            for row in range({record}):",
        f"                                queue_out[place + row] = w[row * {layout.stride} + lane]",
    ]


def _take_over_lines(layout):
    """Source that takes up a trajectory that waits."""
    record = layout.first["record"]
    return [
        f"    if control[{L.INCOMING}] > 0:",
        f"        control[{L.INCOMING}] -= 1",
        f"        place = {record} * control[{L.INCOMING}]",
        f"        for row in range({record}):",
        f"            w[row * {layout.stride} + lane] = queue_in[place + row]",
        f"        k = int({layout.at(L.MEMBER)})",
        *("        " + line for line in _parameter_lines(layout)),
        f"        {layout.at(L.STATUS)} = {L.RUN}.0",
        "        return True",
    ]


def _pause_lines(lanes):
    """Source that returns when the other kernel should run: its queue is nearly full, or there is little left to do here."""
    return [
        f"        if control[{L.OUTGOING}] > control[{L.CAPACITY}] - {lanes} or active < control[{L.LEAST}]:",
        "            return 0",
    ]


def _first_failure_lines(layout):
    """Source: where the implicit method was a last chance and made no step, the first failure is told."""
    at, first = layout.at, layout.first
    underflow, not_finite = float(Retcode.STEP_TOO_SMALL), float(Retcode.NONFINITE)
    failures = " or ".join(f"status == {status}.0" for status in (L.TOO_SMALL, L.NONFINITE, L.SINGULAR))
    return [
        f"    if {at(first['settled'])} == 0.0 and ({failures}):",
        f"        if {at(first['reason'])} == {auto.STEP_UNDERFLOW}.0:",
        f"            code = {underflow!r}",
        f"        if {at(first['reason'])} == {auto.NOT_FINITE}.0:",
        f"            code = {not_finite!r}",
    ]


def _emit_lines(layout):
    """Source of ``emit``: write the states that are kept of the step just accepted."""
    at, n = layout.at, layout.n
    y, old = layout.vector("y"), layout.vector("old")
    until, ends = "t_new", []
    if fused_events.count(layout) > 0:
        until, event = "limit", f"{at(L.STATUS)} == {fused_events.EVENT}.0"
        ends = [
            f"    limit = {at(layout.first['stop'])} if {event} else {at(L.T)}",
            f"    if save == {B.SAVE_STEPS} and {event}:",
            "        settle(w, lane)",
        ]
    return [
        "def emit(w, lane, save, rows, shared, t_eval, y_out, t_out):",
        *ends,
        f"    k, served, t_new = int({at(L.MEMBER)}), int({at(L.SERVED)}), {at(L.T)}",
        f"    if save == {B.SAVE_STEPS}:",
        "        t_out[k * rows + served] = t_new",
        *(f"        y_out[(k * rows + served) * {n} + {i}] = {a}" for i, a in enumerate(y)),
        "        served += 1",
        "        if served == rows:",
        f"            {at(L.NEXT_OUT)} = math.inf * {at(L.DIRECTION)}",
        f"        {at(L.SERVED)} = float(served)",
        "        return",
        "    first = 0 if shared == 1 else k * rows",
        f"    t, direction = {at(L.T_OLD)}, {at(L.DIRECTION)}",
        f"    while served < rows and ({until} - t_eval[first + served]) * direction >= 0.0:",
        "        out = (k * rows + served) * " + str(n),
        "        if t_eval[first + served] == t_new:",
        *(f"            y_out[out + {i}] = {a}" for i, a in enumerate(y)),
        "        else:",
        "            theta = (t_eval[first + served] - t) / (t_new - t)",
        *_horner(layout, old),
        "        served += 1",
        f"    {at(L.SERVED)} = float(served)",
        f"    {at(L.NEXT_OUT)} = t_eval[first + served] if served < rows else math.inf * direction",
        "",
    ]


_TAKE = "spans starts params n_params t_eval y_out t_out counters ends rtol atol first_step max_step save rows".split()


def _choice(table):
    text = "0.0"
    for status, code in table.items():
        text = f"{float(code)!r} if status == {status}.0 else ({text})"
    return text


def _horner(layout, old):
    degree = layout.first["end"] - layout.first["q"]
    lines = []
    for i, start in enumerate(old):
        value = ""
        for d in reversed(range(degree // layout.n)):
            q = layout.at(layout.first["q"] + d * layout.n + i)
            value = f"({value} + {q}) * theta" if value else f"{q} * theta"
        lines.append(f"            y_out[out + {i}] = {start} + {value}")
    return lines
