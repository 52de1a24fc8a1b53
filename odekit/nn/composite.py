"""Fields made of networks: how their vectors `p` lie inside one another, and their kernels.

The vector `p` of a composite field holds its own header, the headers of its parts, all parameters (those of the parts, then
its own), the tapes, slot by slot, and scratch memory. A part's kernels see `p` from the header of the part on, so they need
not know that they are parts.
"""

import functools

from .. import _jit
from .._memory import LINE, aligned, rounded_up
from .field_kernels import FieldKernels, gradient_pull_into, in_precision
from .header import (
    BLOCK,
    LANE_BLOCK,
    LANES,
    N_PARAMS,
    SCRATCH,
    SIZE,
    SLOT,
    SLOT_SIZE,
    TAPE,
    THETA,
    TIME_BAR,
    TIMES,
    numbers_per_double,
    scalar_address,
)

view1, tail = _jit.view1, _jit.tail

# places of the header of a composite field, beside those that the adjoints know
DIM = 3  # of the state
FIRST, SECOND = 4, 5  # offsets of the headers of its parts
OWN_THETA = 6  # offset of its own parameters
OPTION = 7  # what the field makes of it; 14 and 15 too
OWN = 16  # offset in a slot of the tape of what the field itself keeps there
OWN_SCRATCH = 17  # offset of its own scratch memory
OWN_HEADER = 24  # whole lines of the cache: what begins at lines in the vector of a part does so here


@_jit.core
def enter(p, place):
    """Offset of the vector of the part that `place` names, after telling it which lanes and which slot are in use."""
    offset = int(p[place])
    p[offset + LANES], p[offset + SLOT], p[offset + TIME_BAR] = p[LANES], p[SLOT], 0.0
    p[offset + TIMES] = p[TIMES] - offset if p[TIMES] != 0.0 else 0.0
    return offset


@_jit.view_maker
def part(p, place):
    """The vector of the part that `place` names, after telling it which lanes and which slot are in use."""
    at = enter(p, place)
    return tail(p, at)


@_jit.core
def shift_of(p, network):
    """What is added to an offset in p for that of the same number in the vector of a part."""
    return int(network[SCRATCH]) - int(p[SCRATCH])  # the same memory


@_jit.core
def pull_gradient(t, v, out, g, place, p):
    """Transpose of the derivative of the gradient of the scalar part that `place` names.

    Parameters
    ----------
    t : float
    v, out : ndarray, (d * lanes,)
        Cotangent of the gradient; receives that of the state.
    g : ndarray
        That of the part's parameters is added to it.
    place : int
    p : ndarray
    """
    network = part(p, place)
    gradient_pull_into(t, v, out, g, network)
    p[TIME_BAR] += network[TIME_BAR]


@_jit.core
def pull_part(address, t, given, out, p, field, size):
    """Transpose for a field whose state begins with the one of a part; the cotangents of all that stands behind are zero.

    Parameters
    ----------
    address : int
        Of the kernel of the part.
    t : float
    given : ndarray
        What the kernel takes.
    out : ndarray, (dim * lanes + n_params,)
    p, field : ndarray
        Vectors of the field and of the part.
    size : int
        Numbers of the part's state, d * lanes.

    Returns
    -------
    int
        Status.
    """
    total = int(p[DIM]) * int(p[LANES])
    behind = total - size
    # the cotangent of the state right before that of the parameters, which it belongs to
    status = _jit.call_scalar(address, t, given, view1(out, behind, size + int(p[N_PARAMS])), field)
    p[TIME_BAR] += field[TIME_BAR]
    for i in range(size):
        out[i] = out[behind + i]
    for i in range(size, total):
        out[i] = 0.0
    return status


@_jit.core
def own_tape(p):
    """Offset of what the field itself keeps in the slot in use."""
    return int(p[TAPE]) + int(p[SLOT]) * int(p[SLOT_SIZE]) + int(p[OWN])


def pack(dim, parts, lanes, slots, params=(), slot=0, scratch=0, fixed=0, dtype="float64"):
    """Build the vector `p` of a composite field.

    Parameters
    ----------
    dim : int
        Of the state.
    parts : sequence of callable
        ``part(lanes)`` returns the vector of a part with one slot.
    lanes, slots : int
        See `odekit.nn.header.pack`.
    params : array_like
        The field's own parameters.
    slot, scratch : int
        Numbers per lane that the field itself keeps in a slot, and that it needs as scratch memory.
    fixed : int
        Further numbers of scratch memory, whatever the lanes.
    dtype : str
        That of the parts.

    Returns
    -------
    ndarray
    """
    block, ratio = min(lanes, LANE_BLOCK), numbers_per_double(dtype)
    inner = [make(block) for make in parts]
    prefixes = [int(q[THETA]) // ratio for q in inner]
    counts = [int(q[N_PARAMS]) for q in inner]
    tapes = [int(q[SLOT_SIZE]) for q in inner]
    theta = ratio * (OWN_HEADER + sum(prefixes))
    tape = rounded_up(theta + sum(counts) + len(params), LINE * ratio)
    slot_size = rounded_up(sum(tapes) + slot * block, LINE * ratio)
    own = tape + slots * slot_size
    own_scratch = own + 2 * dim * block * ratio  # two states in double precision first
    shared = rounded_up(own_scratch + scratch * block + fixed, LINE * ratio)
    size = shared + max((ratio * q.size - int(q[SCRATCH]) for q in inner), default=0)
    p = aligned(rounded_up(size, LINE * ratio) // ratio)
    numbers = p.view(dtype)
    p[:OWN_HEADER] = 0.0
    p[LANES], p[BLOCK], p[DIM], p[N_PARAMS] = lanes, block, dim, sum(counts) + len(params)
    p[THETA], p[TAPE], p[SLOT_SIZE], p[SCRATCH], p[SIZE] = theta, tape, slot_size, shared, p.size
    p[OWN], p[OWN_SCRATCH], p[OWN_THETA] = sum(tapes), own_scratch, theta + sum(counts)
    numbers[theta + sum(counts) : theta + sum(counts) + len(params)] = params
    offset, at, kept = OWN_HEADER, theta, tape
    for i, q in enumerate(inner):
        p[FIRST + i] = offset
        header = p[offset : offset + prefixes[i]]
        header[:] = q[: prefixes[i]]
        shift = ratio * offset
        header[THETA], header[TAPE], header[SCRATCH] = at - shift, kept - shift, shared - shift
        header[SLOT_SIZE], header[SIZE] = slot_size, p.size - offset
        numbers[at : at + counts[i]] = q.view(dtype)[int(q[THETA]) : int(q[THETA]) + counts[i]]
        offset, at, kept = offset + prefixes[i], at + counts[i], kept + tapes[i]
    return p


@_jit.core
def gather(y, rows, width, start, lanes, out):
    """out[rows, lanes] = columns ``start : start + lanes`` of y[rows, width]; both flat."""
    for i in range(rows):
        for j in range(lanes):
            out[i * lanes + j] = y[i * width + start + j]


@_jit.core
def scatter(x, rows, width, start, lanes, out):
    """Columns ``start : start + lanes`` of out[rows, width] = x[rows, lanes]; both flat."""
    for i in range(rows):
        for j in range(lanes):
            out[i * width + start + j] = x[i * lanes + j]


_VALUE = """\
def {name}(t, y, dy, p):
    {line}
    y, dy = view1(y, 0, SOME), view1(dy, 0, SOME)
    width, block, d = int(p[LANES]), int(p[BLOCK]), int(p[DIM])
    if width <= block:
        return core(t, y, dy, p, False)
    place = int(p[OWN_SCRATCH]) // RATIO - 2 * d * block
    x, f = view1d(p, place, d * block), view1d(p, place + d * block, d * block)
    status = 0
    for start in range(0, width, block):
        lanes = min(block, width - start)
        p[LANES] = lanes
        gather(y, d, width, start, lanes, x)
        status = max(status, core(t, x, f, p, False))
        scatter(f, d, width, start, lanes, dy)
    p[LANES] = width
    return status
"""
_RECORD = """\
def {name}(t, y, dy, p):
    {line}
    return core(t, view1(y, 0, SOME), view1(dy, 0, SOME), p, True)
"""
_PULL = """\
def {name}(t, v, out, p):
    {line}
    return core(t, view1(v, 0, SOME), view1(out, 0, SOME), p)
"""


@functools.cache
def field_kernels(evaluate, pull, tangents=None, pull_tangents=None, *, dtype="float64"):
    """Kernels of a field from its functions for one block of lanes.

    Vectors are flat, of float64 and in C order: states, slopes and their cotangents [d, W] for the W = ``p[LANES]`` lanes of the
    call.

    Parameters
    ----------
    evaluate : compiled kernel
        ``evaluate(t, y, dy, p, keep) -> status``: y and dy (d * W,); with `keep` it writes the slot of the tape in use.
    pull : compiled kernel
        ``pull(t, v, out, p) -> status``, see `odekit.adjoint.tape`: v (d * W,); out (d * W + n_params,), whose first part is
        replaced and whose second is added to.
    tangents, pull_tangents : compiled kernel, optional
        ``(t, given, out, p) -> status``, likewise: for k directions `given` is (1 + k + (1 + k) * d * W,), and as many numbers
        more for the cotangents as `out` of `tangents` has, ((1 + k) * d * W,).
    dtype : str
        That of the parts.

    Returns
    -------
    FieldKernels
    """

    def find(template, core, kind):
        name, line = in_precision(f"{kind}_{core.__name__}", dtype)
        namespace = {
            "core": core, "view1": view1, "view1d": _jit.view1d, "single": _jit.single, "gather": gather, "scatter": scatter,
            "LANES": LANES, "BLOCK": BLOCK, "DIM": DIM, "OWN_SCRATCH": OWN_SCRATCH, "RATIO": numbers_per_double(dtype), "SOME": 2**40,
        }  # fmt: skip
        return scalar_address(_jit.exec_source(template.format(name=name, line=line), name, namespace, True))

    parts = (_VALUE, evaluate, "value"), (_RECORD, evaluate, "record"), (_PULL, pull, "pull")
    parts += tuple((_PULL, core, core.__name__) for core in (tangents, pull_tangents) if core is not None)
    return FieldKernels(*(functools.partial(find, *part) for part in parts))
