"""Lanes: trajectories side by side, each with its own t, h, error, status and counters.

The memory of a thread is a matrix of rows by lanes. A *sweep* attempts one step in every lane; its code is generated for the
method and the system (see `odekit.solvers.fused`). What is here surrounds it: a lane that has finished takes the next
trajectory at once; when none is left, the last active lane moves into the gap, so that the active lanes stay together.

Every lane runs through the same instructions, in whole blocks of lanes with no remainder, whatever its neighbours do: that is
why results do not depend on them.
"""

import ctypes
import functools
import math

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from .. import _jit
from ..solution import Retcode
from . import batch as B
from . import control as C

BLOCK = 64  # lanes that a sweep takes at a time: whole vectors of any machine, several of them
#: Lanes, so that the rows that a sweep touches stay in the cache: (rows, lanes).
LANES = ((40, 256), (90, 128), (10**9, 64))

# rows that every kernel has; then y, f(t, y) and the parameters, then what a method adds
T, T_END, DIRECTION, H, LOG_ERR, REJECTED, NACCEPT, NREJECT, STATUS, MEMBER, NFEV, NEXT_OUT, SERVED, WANTS, T_OLD = (
    range(15)
)
H_TRIED, ERR_SQUARE, ACCEPTED = range(15, 18)  # of the attempt just made
HEADER = 18

# status of a lane
RUN, DONE, MAX_STEPS, TOO_SMALL, NONFINITE, RAISED, SWITCH = range(7)
IDLE = -1

# control, int64: the next trajectory to take up, the first that is not ours, how many lanes are active, and settings
NEXT, LAST, ACTIVE, SWEEPS, SAVE, ROWS, SHARED_TIMES, STEP_LIMIT = range(8)
CONTROL_SIZE = 8
# settings, float64
FIRST_STEP, MAX_STEP = range(2)
# addresses
SPANS, Y0, PARAMS, T_EVAL, Y_OUT, T_OUT, COUNTERS, ENDS, RTOL, ATOL = range(10)

_RETCODES = {DONE: Retcode.SUCCESS, MAX_STEPS: Retcode.MAX_STEPS, TOO_SMALL: Retcode.STEP_TOO_SMALL,
             NONFINITE: Retcode.NONFINITE, RAISED: Retcode.RHS_RAISED}  # fmt: skip

#: Parts of a kernel: compiled into it, not cached by themselves.
part = functools.partial(njit, **{**_jit.CORE_OPTIONS, "cache": False})


@intrinsic
def pointer(typingctx, address):
    """The address of a float64 array as a pointer, which is indexed without bounds."""

    def codegen(context, builder, signature, args):
        return builder.inttoptr(args[0], ir.DoubleType().as_pointer())

    return types.CPointer(types.float64)(types.int64), codegen


@intrinsic
def bits_of(typingctx, x):
    """The bits of a float64."""
    return types.int64(types.float64), lambda context, builder, signature, args: builder.bitcast(
        args[0], ir.IntType(64)
    )


@intrinsic
def float_of(typingctx, bits):
    """The float64 of given bits."""
    return types.float64(types.int64), lambda context, builder, signature, args: builder.bitcast(
        args[0], ir.DoubleType()
    )


@intrinsic
def select(typingctx, condition, a, b):
    """``a if condition else b`` of two numbers, both of which are computed: no branch."""

    def codegen(context, builder, signature, args):
        return builder.select(context.cast(builder, args[0], types.boolean, types.boolean), args[1], args[2])

    kind = types.float64 if types.float64 in (a, b) else types.int64
    return kind(types.boolean, kind, kind), codegen


_MANTISSA, _HALF_BITS, _SHIFT = 0x000FFFFFFFFFFFFF, 0x3FE6A09E667F3BCD, 0x3FF0000000000000 - 0x3FE6A09E667F3BCD


@part(forceinline=True)
def log2_of(x):
    """Logarithm of a normal positive number to 1e-9, below what rounding leaves of an error estimate; it vectorises."""
    bits = bits_of(x) + _SHIFT  # x = 2^k m with sqrt(1/2) <= m < sqrt(2)
    f = float_of((bits & _MANTISSA) + _HALF_BITS) - 1.0
    u = f / (2.0 + f)
    z = u * u
    w = z * z
    low, high = 2.8853900817779268 + z * 0.9617966939259756, 0.5770780163555854 + z * 0.4121985831111324
    return float((bits >> 52) - 1023) + u * (low + w * (high + w * 0.3205988979753252))


@part(forceinline=True)
def exp2_of(x):
    """Power of two to 1e-9, for |x| <= 100."""
    whole = math.floor(x + 0.5)
    r = (x - whole) * 0.6931471805599453
    z = r * r
    w = z * z
    low = (1.0 + r) + z * (0.5 + r * (1.0 / 6.0))
    high = (1.0 / 24.0 + r * (1.0 / 120.0)) + z * (1.0 / 720.0 + r * (1.0 / 5040.0))
    return (low + w * (high + w * (1.0 / 40320.0))) * float_of((int(whole) + 1023) << 52)


class Layout:
    """Where a kernel keeps what: numbers of rows.

    Parameters
    ----------
    n, n_params : int
    extra : dict
        Name: number of rows, of what a method adds.
    """

    def __init__(self, n, n_params, extra):
        self.n, self.n_params = n, n_params
        self.y, self.f = HEADER, HEADER + n
        self.p = HEADER + 2 * n
        self.rows = self.p + n_params
        self.first = {}
        for name, count in extra.items():
            self.first[name] = self.rows
            self.rows += count
        self.lanes = next(lanes for rows, lanes in LANES if self.rows <= rows)

    def at(self, row, lane="lane"):
        """Source of an element."""
        return f"w[{row * self.lanes} + {lane}]"

    def vector(self, name, index=0):
        """Sources of the n elements of a vector of rows."""
        first = {"y": self.y, "f": self.f}.get(name, self.first.get(name, 0)) + index * self.n
        return [self.at(first + i) for i in range(self.n)]

    @property
    def parameters(self):
        """Sources of the parameters."""
        return [self.at(self.p + k) for k in range(self.n_params)]


def call(t, state, slopes, parameters, flag="raised"):
    """Source of an evaluation of the field; counts in `flag` whether it raised."""
    return [f"{', '.join(slopes)}, bad = field({', '.join([t, *state, *parameters])})", f"{flag} |= bad"]


def begin_source(layout, order, identity):
    """Source of ``begin``: put trajectory k into a lane, evaluate the field, choose the first step; the lane's status."""
    n, at = layout.n, layout.at
    y, f = [f"y{i}" for i in range(n)], [f"f{i}" for i in range(n)]
    g, z, p = [f"g{i}" for i in range(n)], [f"z{i}" for i in range(n)], [f"p{i}" for i in range(layout.n_params)]

    def norm(values):
        squares = " + ".join(f"({v} * v{i}) * ({v} * v{i})" for i, v in enumerate(values))
        return f"math.sqrt(({squares}) / {n})"

    body = [
        "t, t_end = spans[2 * k], spans[2 * k + 1]",
        "direction, span, raised = 1.0 if t_end >= t else -1.0, abs(t_end - t), 0",
        *(f"{a} = starts[{n} * k + {i}]" for i, a in enumerate(y)),
        *(f"{a} = params[{layout.n_params} * k + {i}]" for i, a in enumerate(p)),
        *(f"{element} = {a}" for element, a in zip(layout.vector("y") + layout.parameters, y + p, strict=True)),
        f"{at(T)}, {at(T_END)}, {at(DIRECTION)}, {at(MEMBER)} = t, t_end, direction, float(k)",
        *(f"{at(row)} = 0.0" for row in (H, LOG_ERR, REJECTED, NACCEPT, NREJECT, WANTS, SERVED)),
        f"{at(T_OLD)}, {at(NEXT_OUT)}, {at(NFEV)} = t, math.inf * direction, 1.0",
        *call("t", y, f, p),
        *(f"{element} = {a}" for element, a in zip(layout.vector("f"), f, strict=True)),
        "if raised != 0:",
        f"    return {RAISED}.0",
        f"if not abs({' + '.join(f'0.0 * {a}' for a in f)}) == 0.0:",
        f"    return {NONFINITE}.0",
        "h = first_step",
        "if h == 0.0:",
        *(f"    v{i} = 1.0 / (atol[{i}] + rtol[{i}] * abs({a}))" for i, a in enumerate(y)),
        f"    d0, d1 = {norm(y)}, {norm(f)}",
        f"    h0 = {C.TINY_STEP!r} if d0 < {C.TINY_NORM!r} or d1 < {C.TINY_NORM!r} else 0.01 * d0 / d1",
        "    h0 = min(h0, span, max_step)",
        "    signed = math.copysign(h0, direction)",
        *(f"    {c} = {a} + signed * {b}" for a, b, c in zip(y, f, z, strict=True)),
        *("    " + line for line in call("t + signed", z, g, p)),
        f"    {at(NFEV)} = 2.0",
        "    if raised != 0:",
        f"        return {RAISED}.0",
        *(f"    {c} -= {b}" for b, c in zip(f, g, strict=True)),
        f"    d2 = {norm(g)} / h0",
        f"    if d1 <= {C.TINY_SLOPE!r} and d2 <= {C.TINY_SLOPE!r}:",
        f"        h = max({C.TINY_STEP!r}, h0 * 1e-3)",
        "    else:",
        f"        h = (0.01 / max(d1, d2)) ** {1.0 / (order + 1)!r}",
        "    h = min(100.0 * h0, h, span, max_step)",
        "    if not h < math.inf:",
        f"        h = {C.TINY_STEP!r} * span",
        f"{at(H)} = h",
        f"return {DONE}.0 if t == t_end else {RUN}.0",
    ]
    head = "def begin(w, lane, k, spans, starts, params, rtol, atol, first_step, max_step):"
    return f"# {identity}\n{head}\n" + "".join(f"    {line}\n" for line in body)


def _run_source(layout, has_dense, identity):
    """Source of the kernel: sweeps, outputs, and lanes that finish and take up the next trajectory."""
    at, n, lanes = layout.at, layout.n, layout.lanes
    y = layout.vector("y")
    lines = [
        "def lanes(addresses, control, w, settings):",
        "    spans, starts, params = pointer(addresses[0]), pointer(addresses[1]), pointer(addresses[2])",
        "    t_eval, y_out, t_out = pointer(addresses[3]), pointer(addresses[4]), pointer(addresses[5])",
        "    counters, ends = pointer(addresses[6]), pointer(addresses[7])",
        "    rtol, atol = pointer(addresses[8]), pointer(addresses[9])",
        "    first_step, max_step = settings[0], settings[1]",
        f"    save, rows, step_limit = control[{SAVE}], control[{ROWS}], float(control[{STEP_LIMIT}])",
        "    done = 1",
        f"    for _ in range(control[{SWEEPS}]):",
        f"        active = control[{ACTIVE}]",
        "        if done > 0:",
        # lanes from the last one down: what moves into a gap has been looked at already
        "            for lane in range(active - 1, -1, -1):",
        f"                if {at(STATUS)} > 0.5:",
        "                    finish(w, lane, save, rows, y_out, t_out, counters, ends)",
        f"                    if not take(w, lane, control, {', '.join(_TAKE)}):",
        "                        active -= 1",
        "                        if lane != active:",
        f"                            for row in range({layout.rows}):",
        f"                                w[row * {lanes} + lane] = w[row * {lanes} + active]",
        f"                        {at(STATUS, 'active')} = {IDLE}.0",
        f"            while active < {lanes} and take(w, active, control, {', '.join(_TAKE)}):",
        "                active += 1",
        f"            control[{ACTIVE}] = active",
        "        if active == 0:",
        "            return 1",
        f"        done, wanted = sweep(w, (active + {BLOCK - 1}) // {BLOCK}, rtol, atol, max_step, step_limit)",
    ]
    if has_dense:
        lines += [
            "        if wanted > 0:",
            f"            if save == {B.SAVE_TIMES}:",
            f"                done += dense(w, (active + {BLOCK - 1}) // {BLOCK})",
            "            for lane in range(active):",
            f"                if {at(WANTS)} != 0.0:",
            f"                    emit(w, lane, save, rows, control[{SHARED_TIMES}], t_eval, y_out, t_out)",
        ]
    lines += ["    return 0", ""]
    take = [
        f"def take(w, lane, control, {', '.join(_TAKE)}):",
        f"    while control[{NEXT}] < control[{LAST}]:",
        f"        k = control[{NEXT}]",
        f"        control[{NEXT}] = k + 1",
        "        status = begin(w, lane, k, spans, starts, params, rtol, atol, first_step, max_step)",
        f"        {at(STATUS)} = status",
    ]
    if has_dense:
        take += [
            f"        if save == {B.SAVE_STEPS}:",
            f"            t_out[k * rows] = {at(T)}",
            *(f"            y_out[k * rows * {n} + {i}] = {a}" for i, a in enumerate(y)),
            f"            {at(SERVED)}, {at(NEXT_OUT)} = 1.0, -math.inf * {at(DIRECTION)}",
            f"        elif save == {B.SAVE_TIMES}:",
            f"            first = 0 if control[{SHARED_TIMES}] == 1 else k * rows",
            f"            if rows > 0 and t_eval[first] == {at(T)}:",
            *(f"                y_out[k * rows * {n} + {i}] = {a}" for i, a in enumerate(y)),
            f"                {at(SERVED)} = 1.0",
            f"            served = int({at(SERVED)})",
            "            if served < rows:",
            f"                {at(NEXT_OUT)} = t_eval[first + served]",
        ]
    take += [
        f"        if status == {RUN}.0:",
        "            return True",
        "        finish(w, lane, save, rows, y_out, t_out, counters, ends)",
        "    return False",
        "",
    ]
    finish = [
        "def finish(w, lane, save, rows, y_out, t_out, counters, ends):",
        f"    k, status = int({at(MEMBER)}), {at(STATUS)}",
        f"    code = {_choice(_RETCODES)}",
        f"    saved = {at(SERVED)}",
        f"    if save == {B.SAVE_END} and status == {DONE}.0:",
        "        saved = 1.0",
        *(f"        y_out[k * {n} + {i}] = {a}" for i, a in enumerate(y)),
        f"    c = k * {B.N_COUNTERS}",
        f"    counters[c + {B.RETCODE}], counters[c + {B.NFEV}] = code, {at(NFEV)}",
        f"    counters[c + {B.NACCEPT}], counters[c + {B.NREJECT}] = {at(NACCEPT)}, {at(NREJECT)}",
        f"    counters[c + {B.NSAVED}] = saved",
        f"    ends[2 * k], ends[2 * k + 1] = {at(T)}, {at(H)} * {at(DIRECTION)}",
        "",
    ]
    mark = f"# {identity}\n"
    sources = {"finish": finish, "take": take, "lanes": lines}
    if has_dense:
        sources = {"emit": _emit_lines(layout), **sources}
    return {name: mark + "\n".join(source) for name, source in sources.items()}


def _emit_lines(layout):
    """Source of ``emit``: write the states that are kept of the step just accepted."""
    at, n = layout.at, layout.n
    y, old = layout.vector("y"), layout.vector("old")
    return [
        "def emit(w, lane, save, rows, shared, t_eval, y_out, t_out):",
        f"    k, served, t_new = int({at(MEMBER)}), int({at(SERVED)}), {at(T)}",
        f"    if save == {B.SAVE_STEPS}:",
        "        t_out[k * rows + served] = t_new",
        *(f"        y_out[(k * rows + served) * {n} + {i}] = {a}" for i, a in enumerate(y)),
        "        served += 1",
        "        if served == rows:",
        f"            {at(NEXT_OUT)} = math.inf * {at(DIRECTION)}",
        f"        {at(SERVED)} = float(served)",
        "        return",
        "    first = 0 if shared == 1 else k * rows",
        f"    t, direction = {at(T_OLD)}, {at(DIRECTION)}",
        "    while served < rows and (t_new - t_eval[first + served]) * direction >= 0.0:",
        "        out = (k * rows + served) * " + str(n),
        "        if t_eval[first + served] == t_new:",
        *(f"            y_out[out + {i}] = {a}" for i, a in enumerate(y)),
        "        else:",
        "            theta = (t_eval[first + served] - t) / (t_new - t)",
        *_horner(layout, old),
        "        served += 1",
        f"    {at(SERVED)} = float(served)",
        f"    {at(NEXT_OUT)} = t_eval[first + served] if served < rows else math.inf * direction",
        "",
    ]


_TAKE = ("spans starts params t_eval y_out t_out counters ends rtol atol first_step max_step save rows").split()


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


def kernel(name, layout, order, sources, namespace, identity):
    """Address of the kernel ``lanes(addresses, control, w, settings) -> finished``.

    Parameters
    ----------
    name : str
        Of the method.
    layout : Layout
    order : int
        Of the error estimate, for the first step.
    sources : dict
        Source of ``sweep`` and, for outputs, of ``dense``.
    namespace : dict
        What they need; ``field`` is the user's function.
    identity : str
        Fingerprint of the user's function: it is in every name.

    Returns
    -------
    int
    """
    scope = {"math": math, "pointer": pointer, "select": select, "log2_of": log2_of, "exp2_of": exp2_of, **namespace}
    has_dense = "dense" in sources
    run = _run_source(layout, has_dense, identity)
    sources = {
        "begin": begin_source(layout, order, identity),
        **{k: f"# {identity}\n{v}" for k, v in sources.items()},
        **run,
    }
    main = sources.pop("lanes")
    for part_name, source in sources.items():
        scope[part_name] = part(_jit.exec_source(source, part_name, scope))
    everything = "".join(f"# {part_name} {_jit.digest(source)}\n" for part_name, source in sources.items())
    function = _jit.exec_source(everything + main, f"lanes_{name}", scope, defined="lanes")
    return _jit.cfunc_address(function, _jit.STEP_SIGNATURE, **_jit.CORE_OPTIONS)


#: A kernel of `odekit._jit.STEP_SIGNATURE` as a Python function of four addresses, which releases Python's lock.
STEP_FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 4)


class LaneLoop:
    """The loop of one thread over ranges of trajectories.

    Parameters
    ----------
    batch : Batch
    address : int
        Of the kernel.
    layout : Layout
    """

    def __init__(self, batch, address, layout):
        self.keep = [*batch.flat(), batch.rtol, batch.atol]
        self.addresses = np.array([array.ctypes.data for array in self.keep], dtype=np.int64)
        self.control = np.zeros(CONTROL_SIZE, dtype=np.int64)
        self.control[SAVE], self.control[ROWS] = batch.save, batch.y.shape[1]
        self.control[SHARED_TIMES], self.control[STEP_LIMIT] = batch.t_eval.shape[0] == 1, batch.max_steps
        self.settings = np.array([batch.first_step, batch.max_step])
        self.memory = np.zeros(layout.rows * layout.lanes)
        self.status = self.memory[STATUS * layout.lanes : (STATUS + 1) * layout.lanes]
        self.function = STEP_FUNCTION(address)
        self.sweeps = 256

    def start(self, first, last):
        """Take up trajectories `first` to ``last - 1``."""
        self.control[NEXT], self.control[LAST], self.control[ACTIVE] = first, last, 0
        self.status[:] = IDLE

    def advance(self):
        """Go on for a while.

        Returns
        -------
        bool
            Whether the range is finished.
        """
        self.control[SWEEPS] = self.sweeps
        arrays = (self.addresses, self.control, self.memory, self.settings)
        return self.function(*(array.ctypes.data for array in arrays)) == 1
