"""Kernels of deep Lagrangian networks, see `odekit.nn.delan`: forces, accelerations and their gradients, lane by lane.

For k coordinates L is a triangular matrix of e = k (k + 1) / 2 entries, `_entry` says in which order. ``a`` and ``triangle``
[e, columns] hold such matrices one per column, those of all lanes first and then, lane by lane, the derivatives of L along each
coordinate: [e, (1 + k) lanes]. Vectors of one lane are (k,). The states of the fields below are [d, lanes] in C order, and `t`,
`y`, `dy`, `v`, `out` and `p` are as `odekit.nn.composite.field_kernels` says. A slot of the tape holds q, v and a, [3 k, lanes],
the slopes of the diagonal, [k, lanes], and the tape of the network of L.
"""

from .. import _jit, vmath
from ..adjoint.tape import lane_time
from . import tangents
from .composite import (
    DIM,
    FIRST,
    OPTION,
    OWN_SCRATCH,
    SECOND,
    own_tape,
    part,
    pull_gradient,
)
from .field_kernels import gradient_record, gradient_value
from .header import LANES, N_PARAMS, WIDEST

view1, view2 = _jit.view1, _jit.view2

FLOOR = 14  # place of the header: what is added to the diagonal of L
FORCE = 15  # address of the forces as a function of time, for `DRIVEN`
#: What the state is, and what the field: (q, v) and no forces; (q, v, a) and the forces that go with it; (q, v, F), whose forces
#: stay; (q, v), and forces that are a function of time.
FREE, INVERSE, HELD, DRIVEN = range(4)
VECTORS = 10  # of k numbers that one lane needs as scratch memory, beside two triangular matrices
#: Activations with two continuous derivatives.
SMOOTH = ("tanh", "softplus", "sigmoid", "silu", "sin")


@_jit.core
def _entry(i, j, k):
    """Where entry (i, j), j <= i, of a triangular matrix stands: first the diagonal, then row by row what is below it."""
    return i if i == j else k + i * (i - 1) // 2 + j


@_jit.core
def _times(a, column, k, x, out):
    """out = L x, for the triangular matrix in a column of a; x and out (k,)."""
    for i in range(k):
        out[i] = 0.0
        for j in range(i + 1):
            out[i] += a[_entry(i, j, k), column] * x[j]


@_jit.core
def _transposed_times(a, column, k, x, out):
    """out = L^T x, for the triangular matrix in a column of a; x and out (k,)."""
    for j in range(k):
        out[j] = 0.0
        for i in range(j, k):
            out[j] += a[_entry(i, j, k), column] * x[i]


@_jit.core
def _solve(a, column, k, x):
    """x = (L L^T)^-1 x, in place, for the triangular matrix in a column of a; x (k,)."""
    for i in range(k):
        for j in range(i):
            x[i] -= a[_entry(i, j, k), column] * x[j]
        x[i] /= a[i, column]
    for i in range(k - 1, -1, -1):
        for j in range(i + 1, k):
            x[i] -= a[_entry(j, i, k), column] * x[j]
        x[i] /= a[i, column]


@_jit.core
def _along(a, lane, lanes, k, x, out):
    """out (e, 1) = derivative of L in a lane along x (k,)."""
    for e in range(out.shape[0]):
        out[e, 0] = 0.0
        for c in range(k):
            out[e, 0] += a[e, (1 + c) * lanes + lane] * x[c]


@_jit.core
def _tape(p):
    """Offset of the tape of L, behind the state (q, v, a) and the slopes of the diagonal."""
    return own_tape(p) + 4 * int(p[OPTION]) * int(p[LANES])


@_jit.view_maker
def _triangle(network, p):
    """L and its derivatives as `_evaluate` leaves them on the tape, [entries, (1 + k) lanes]; the network's vector is given."""
    k, lanes = int(p[OPTION]), int(p[LANES])
    place = int(p[FIRST])
    return view2(network, tangents.output(network, _tape(p) - place, lanes, k), k * (k + 1) // 2, (1 + k) * lanes)


@_jit.core
def _small(p, network):
    """Scratch memory of one lane, behind that of the passes and two rows of k numbers for each lane."""
    k, lanes = int(p[OPTION]), int(p[LANES])
    return int(p[OWN_SCRATCH]) + (2 * (1 + k) * int(network[WIDEST]) + 2 * k) * lanes


@_jit.core
def _evaluate(t, y, p, keep, slope):
    """L, its derivatives and dV/dq at q, the first k rows of y; slope (k * lanes,), [k, lanes], receives dV/dq. Status."""
    k, lanes, place = int(p[OPTION]), int(p[LANES]), int(p[FIRST])
    network = part(p, FIRST)
    tape = _tape(p) - place
    x = view2(network, tape, k, (1 + k) * lanes)
    for i in range(k):
        for j in range(lanes):
            x[i, j] = y[i * lanes + j]
            for c in range(k):
                x[i, (1 + c) * lanes + j] = 1.0 if i == c else 0.0
    tangents.up(network, tape, lanes, k)
    triangle, slopes = _triangle(network, p), view2(p, own_tape(p) + 3 * k * lanes, k, lanes)
    for i in range(k):
        for j in range(lanes):
            raw = triangle[i, j]
            slopes[i, j], triangle[i, j] = vmath.sigmoid(raw), vmath.softplus(raw) + p[FLOOR]
            for c in range(k):
                triangle[i, (1 + c) * lanes + j] *= slopes[i, j]
    if keep:
        return gradient_record(t, y, slope, part(p, SECOND))
    return gradient_value(t, y, slope, part(p, SECOND))


@_jit.core
def _bias(triangle, lane, lanes, k, v, u, u_dot, along, spare, h):
    """h = (dM/dt) v - d(v^T M v / 2)/dq in a lane, and what leads to it: u = L^T v, dL/dt and u_dot = (dL/dt)^T v.

    All are (k,), but `along` (e, 1), which receives dL/dt; `spare` is memory.
    """
    _transposed_times(triangle, lane, k, v, u)
    _along(triangle, lane, lanes, k, v, along)
    _transposed_times(along, 0, k, v, u_dot)
    _times(along, 0, k, u, h)
    _times(triangle, lane, k, u_dot, spare)
    for c in range(k):
        h[c] += spare[c]
        for i in range(k):
            for j in range(i + 1):
                h[c] -= v[i] * u[j] * triangle[_entry(i, j, k), (1 + c) * lanes + lane]


@_jit.core
def _forces(t, lane, spare, out, p):
    """Forces at the time of a lane, out (k,); `spare` is a state that they do not look at. Status."""
    return _jit.call_scalar(int(p[FORCE]), lane_time(p, t, lane), spare, out, p)


@_jit.core
def _dynamics(t, y, dy, p, keep, kind):
    """The field, from the state that goes with its kind: y and dy (d * lanes,)."""
    k, inverse, lanes = int(p[OPTION]), kind == INVERSE, int(p[LANES])
    network = part(p, FIRST)
    small = _small(p, network)
    slope = view2(p, small - k * lanes, k, lanes)
    status = _evaluate(t, y, p, keep, view1(p, small - k * lanes, k * lanes))
    triangle, state = _triangle(network, p), view2(p, own_tape(p), 3 * k, lanes)
    along, place = view2(p, small, triangle.shape[0], 1), small + 2 * triangle.shape[0]
    v, u, u_dot = view1(p, place, k), view1(p, place + k, k), view1(p, place + 2 * k, k)
    spare, h, a = view1(p, place + 3 * k, k), view1(p, place + 4 * k, k), view1(p, place + 5 * k, k)
    force = view1(p, place + 6 * k, k)
    for lane in range(lanes):
        for i in range(k):
            v[i] = y[(k + i) * lanes + lane]
        _bias(triangle, lane, lanes, k, v, u, u_dot, along, spare, h)
        if kind == DRIVEN:
            status = max(status, _forces(t, lane, spare, force, p))
        for i in range(k):
            h[i] += slope[i, lane]
            a[i] = y[(2 * k + i) * lanes + lane] if inverse or kind == HELD else 0.0
            a[i] = a[i] if inverse else (force[i] if kind == DRIVEN else a[i]) - h[i]
        if inverse:
            _transposed_times(triangle, lane, k, a, u)
            _times(triangle, lane, k, u, spare)
        else:
            _solve(triangle, lane, k, a)
        for i in range(k):
            state[i, lane], state[k + i, lane], state[2 * k + i, lane] = y[i * lanes + lane], v[i], a[i]
            dy[i * lanes + lane] = spare[i] + h[i] if inverse else v[i]
            dy[(k + i) * lanes + lane] = 0.0 if inverse else a[i]
            if inverse or kind == HELD:
                dy[(2 * k + i) * lanes + lane] = 0.0
    return status


@_jit.core
def _pull(t, bar, out, p, kind):
    """Transpose of the derivative: bar (d * lanes,), out (d * lanes + n_params,).

    With s = M^-1 w for the cotangent w of the accelerations, that of all else is the derivative of s . (-h - M a) with s and a
    held; for the forces, s = -w. In terms of L, and of L_s and L_v, its derivatives along s and v, that is

        (L_s^T v) . u - (L_v^T s) . u - (L^T s) . (L_v^T v + L^T a) - s . dV/dq,

    and external forces F add s . F.
    """
    k, inverse, lanes = int(p[OPTION]), kind == INVERSE, int(p[LANES])
    network, first = part(p, FIRST), int(p[FIRST])
    small, count, dim = _small(p, network), int(network[N_PARAMS]), int(p[DIM])
    triangle, state = _triangle(network, p), view2(p, own_tape(p), 3 * k, lanes)
    slopes = view2(p, own_tape(p) + 3 * k * lanes, k, lanes)
    own, entries = int(p[OWN_SCRATCH]), triangle.shape[0]
    cotangent, triangle_bar = view2(p, small - 2 * k * lanes, k, lanes), view2(p, own, entries, (1 + k) * lanes)
    along_v, along_s, place = view2(p, small, entries, 1), view2(p, small + entries, entries, 1), small + 2 * entries
    v, u, s = view1(p, place, k), view1(p, place + k, k), view1(p, place + 2 * k, k)
    a, momentum, turned = view1(p, place + 3 * k, k), view1(p, place + 4 * k, k), view1(p, place + 5 * k, k)
    rest, held, spare = view1(p, place + 6 * k, k), view1(p, place + 7 * k, k), view1(p, place + 8 * k, k)
    for lane in range(lanes):
        for i in range(k):
            v[i], a[i] = state[k + i, lane], state[2 * k + i, lane]
            s[i] = -bar[i * lanes + lane] if inverse else bar[(k + i) * lanes + lane]
        if not inverse:
            _solve(triangle, lane, k, s)
        _along(triangle, lane, lanes, k, v, along_v)
        _along(triangle, lane, lanes, k, s, along_s)
        _transposed_times(triangle, lane, k, v, u)
        _transposed_times(triangle, lane, k, s, momentum)
        _transposed_times(along_s, 0, k, v, turned)
        _transposed_times(along_v, 0, k, s, spare)
        _transposed_times(along_v, 0, k, v, rest)
        _transposed_times(triangle, lane, k, a, held)
        for i in range(k):
            turned[i] -= spare[i]  # what u is multiplied by
            rest[i] += held[i]  # what -L^T s is multiplied by
        for i in range(k):
            cotangent[i, lane] = -s[i]
            v_bar = 0.0 if inverse else bar[i * lanes + lane]
            for j in range(i + 1):
                e = _entry(i, j, k)
                v_bar += triangle[e, lane] * turned[j] + along_s[e, 0] * u[j] - along_v[e, 0] * momentum[j]
                triangle_bar[e, lane] = v[i] * turned[j] - s[i] * rest[j] - a[i] * momentum[j]
                for c in range(k):
                    bar_s, bar_v = v[i] * u[j], -s[i] * u[j] - v[i] * momentum[j]
                    triangle_bar[e, (1 + c) * lanes + lane] = s[c] * bar_s + v[c] * bar_v
            out[(k + i) * lanes + lane] = v_bar
        for c in range(k):
            for i in range(k):
                for j in range(i + 1):
                    bar_v = -s[i] * u[j] - v[i] * momentum[j]
                    out[(k + c) * lanes + lane] += bar_v * triangle[_entry(i, j, k), (1 + c) * lanes + lane]
        if inverse:
            _times(triangle, lane, k, momentum, spare)
            for i in range(k):
                out[(2 * k + i) * lanes + lane] = -spare[i]
        elif kind == HELD:
            for i in range(k):
                out[(2 * k + i) * lanes + lane] = s[i]
        for i in range(k):  # through softplus; its slope is known, and that of the slope follows
            slope, bend = slopes[i, lane], 0.0
            for c in range(k):
                at = (1 + c) * lanes + lane
                bend += triangle[i, at] * triangle_bar[i, at]
                triangle_bar[i, at] *= slope
            triangle_bar[i, lane] = slope * triangle_bar[i, lane] + (1.0 - slope) * bend
    size = dim * lanes
    q_bar = view1(p, small - k * lanes, k * lanes)
    g = view1(out, size + count, int(p[N_PARAMS]) - count)
    pull_gradient(t, view1(p, small - 2 * k * lanes, k * lanes), q_bar, g, SECOND, p)
    x_bar = view2(p, place + VECTORS * k, k, (1 + k) * lanes)
    tangents.down(network, _tape(p) - first, lanes, k, own - first, x_bar, view1(out, size, count))
    for i in range(k):
        for lane in range(lanes):
            out[i * lanes + lane] = q_bar[i * lanes + lane] + x_bar[i, lane]
    return 0


@_jit.core
def forward(t, y, dy, p, keep):
    """dy = (v, a), without external forces."""
    return _dynamics(t, y, dy, p, keep, FREE)


@_jit.core
def forward_pull(t, v, out, p):
    """Transpose of its derivative."""
    return _pull(t, v, out, p, FREE)


@_jit.core
def inverse(t, y, dy, p, keep):
    """dy = (F, 0, 0) from (q, v, a)."""
    return _dynamics(t, y, dy, p, keep, INVERSE)


@_jit.core
def inverse_pull(t, v, out, p):
    """Transpose of its derivative."""
    return _pull(t, v, out, p, INVERSE)


@_jit.core
def held(t, y, dy, p, keep):
    """dy = (v, a, 0) from (q, v, F)."""
    return _dynamics(t, y, dy, p, keep, HELD)


@_jit.core
def held_pull(t, v, out, p):
    """Transpose of its derivative."""
    return _pull(t, v, out, p, HELD)


@_jit.core
def driven(t, y, dy, p, keep):
    """dy = (v, a) from (q, v), with forces at time t."""
    return _dynamics(t, y, dy, p, keep, DRIVEN)


@_jit.core
def driven_pull(t, v, out, p):
    """Transpose of its derivative, but for that in time, which the function of the forces does not tell."""
    return _pull(t, v, out, p, FREE)
