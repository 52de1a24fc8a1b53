"""Kernels of Lagrangian neural networks, see `odekit.nn.lnn`: accelerations and their gradients.

The state (q, v) is [d, lanes] in C order, d = 2 k; `t`, `y`, `dy`, `v`, `out` and `p` are as `odekit.nn.composite.field_kernels` says.
A slot of the tape holds the state as the network sees it, M [k * k, lanes], one row per entry, and the accelerations [k, lanes].
"""

import math

from .. import _jit
from ..adjoint.tape import add_time_bar, lane_time
from . import hyperdual
from .composite import DIM, FIRST, OPTION, OWN_SCRATCH, own_tape, part
from .field_kernels import gradient_record, tile
from .header import HIDDEN, LANES, N_PARAMS, SCRATCH, SIZES
from .input_gradient import gradient_backward
from .network import tape_of

view1, view2 = _jit.view1, _jit.view2

THIRD, RIDGE = 14, 15  # places of the header: address of the third derivatives; the ridge
#: A pivot that is smaller, relative to the largest entry of its matrix, is taken for zero.
SMALLEST_PIVOT = 1e-14


@_jit.core
def _solve(a, b):
    """b = a^-1 b by LU factorisation with partial pivoting, in place, for a (k, k) and b (k,); NaN where a is singular."""
    k = b.size
    largest = 0.0
    for i in range(k):
        for j in range(k):
            largest = max(largest, abs(a[i, j]))
    for c in range(k):
        best = c
        for i in range(c + 1, k):
            best = i if abs(a[i, c]) > abs(a[best, c]) else best
        if not abs(a[best, c]) > SMALLEST_PIVOT * largest:
            for i in range(k):
                b[i] = math.nan
            return
        for j in range(k):
            a[c, j], a[best, j] = a[best, j], a[c, j]
        b[c], b[best] = b[best], b[c]
        for i in range(c + 1, k):
            factor = a[i, c] / a[c, c]
            for j in range(c + 1, k):
                a[i, j] -= factor * a[c, j]
            b[i] -= factor * b[c]
    for c in range(k - 1, -1, -1):
        for j in range(c + 1, k):
            b[c] -= a[c, j] * b[j]
        b[c] /= a[c, c]


@_jit.core
def _solve_lanes(p, place, mass, x, k, lanes):
    """x = M^-1 x in each lane.

    Parameters
    ----------
    p : ndarray
    place : int
        Offset of memory for one matrix and one vector.
    mass : ndarray, [k * k, lanes]
        M, one row per entry.
    x : ndarray, [k, lanes]
    k, lanes : int
    """
    a, b = view2(p, place, k, k), view1(p, place + k * k, k)
    for lane in range(lanes):
        for i in range(k):
            b[i] = x[i, lane]
            for j in range(k):
                a[i, j] = mass[i * k + j, lane]
        _solve(a, b)
        for i in range(k):
            x[i, lane] = b[i]


@_jit.view_maker
def _opened(p):
    """The network's vector; on the tape x, M (one row per entry) and the acceleration; where the scratch memory begins."""
    d, lanes, tape, network = int(p[DIM]), int(p[LANES]), own_tape(p), part(p, FIRST)
    k, size = d // 2, d * lanes
    x, mass = view2(p, tape, d, lanes), view2(p, tape + size, k * k, lanes)
    return network, x, mass, view2(p, tape + size + k * k * lanes, k, lanes), int(p[OWN_SCRATCH])


@_jit.core
def lagrangian(t, y, dy, p, keep):
    """dy = (v, M^-1 (dL/dq - (d2L/dv dq) v)) with M = d2L/dv2 + ridge I; M and the acceleration stay on the tape."""
    network, x, mass, q_dotdot, small = _opened(p)
    d, lanes = x.shape
    k, size, n_in = d // 2, d * lanes, int(network[SIZES])
    slope = view2(p, small + k * (k + 1), d, lanes)
    for i in range(d):
        for j in range(lanes):
            x[i, j] = y[i * lanes + j]
            if p[OPTION] != 0.0 and i < k:
                x[i, j] -= 2.0 * math.pi * math.floor(x[i, j] / (2.0 * math.pi))
    gradient_record(t, view1(p, own_tape(p), size), view1(p, small + k * (k + 1), size), network)
    for i in range(k):
        for j in range(lanes):
            q_dotdot[i, j] = slope[i, j]
    u = view2(network, tile(network, 0, lanes), n_in, lanes)
    column = view2(network, tile(network, 1, lanes), n_in, lanes)
    for c in range(k):
        for i in range(n_in):
            for j in range(lanes):
                u[i, j] = 1.0 if i == k + c else 0.0
        gradient_backward(network, tape_of(network), lanes, u, column, int(network[SCRATCH]), network, False)
        for j in range(lanes):
            for i in range(k):
                mass[i * k + c, j] = column[k + i, j] + (p[RIDGE] if i == c else 0.0)
                q_dotdot[c, j] -= column[i, j] * x[k + i, j]
    _solve_lanes(p, small, mass, q_dotdot, k, lanes)
    for i in range(k):
        for j in range(lanes):
            dy[i * lanes + j], dy[(k + i) * lanes + j] = x[k + i, j], q_dotdot[i, j]
    return 0


@_jit.core
def lagrangian_pull(t, v, out, p):
    """Transpose of its derivative.

    With s = M^-1 w for the cotangent w of the acceleration a, that of everything else is the derivative of
    ``s . dL/dq - s^T (d2L/dv dq) v - s^T (d2L/dv2) a`` with s and a held: one pass of `hyperdual`.
    """
    network, x, mass, q_dotdot, small = _opened(p)
    d, lanes = x.shape
    k, size, n_in, at = d // 2, d * lanes, int(network[SIZES]), int(p[FIRST])
    s = view2(p, small + k * (k + 1), k, lanes)
    for i in range(k):
        for j in range(lanes):
            s[i, j] = v[(k + i) * lanes + j]
    _solve_lanes(p, small, mass, s, k, lanes)
    start = small + k * (k + 1) + size - at  # as the network sees it
    bars = start + 4 * n_in * lanes
    scratch = bars + (4 * n_in + 12 * int(network[HIDDEN])) * lanes
    x_bar, inputs = view2(network, start, n_in, 4 * lanes), view2(network, bars, n_in, 4 * lanes)
    for i in range(n_in):
        for j in range(lanes):
            inputs[i, j] = x[i, j] if i < d else lane_time(p, t, j)
            inputs[i, lanes + j] = -s[i - k, j] if k <= i < d else 0.0
            inputs[i, 2 * lanes + j] = x[k + i, j] if i < k else (q_dotdot[i - k, j] if i < d else 0.0)
            inputs[i, 3 * lanes + j] = s[i, j] if i < k else 0.0
    hyperdual.up(network, bars, lanes, int(p[THIRD]))
    hyperdual.down(network, bars, lanes, scratch, x_bar, view1(out, size, int(p[N_PARAMS])))
    for i in range(k):
        for j in range(lanes):
            out[i * lanes + j] = x_bar[i, j]
            out[(k + i) * lanes + j] = x_bar[k + i, j] + x_bar[i, 2 * lanes + j] + v[i * lanes + j]
    for i in range(d, n_in):
        for j in range(lanes):
            add_time_bar(p, j, x_bar[i, j])
    return 0
