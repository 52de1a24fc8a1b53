"""The trace of a network's derivative, exact or estimated (Hutchinson, 1990), along a trajectory.

The network and its derivative along m directions go up side by side, ``[features, (1 + m) lanes]``: a layer is one matrix
product. For the exact trace the directions are the units; else they are random vectors e of mean 0 and covariance I, whose mean
of e . J e over the directions has the trace as its expectation. They are part of the state, with derivative zero, so that they
stay the same within a solve.

The state `s` is [dim, lanes] in C order: z, d rows; the integral of the trace; with ``p[OPTION]`` those of |f|^2 and |J|^2; the
context; the random directions, d rows each. A slot of the tape holds the input [n_in, (1 + m) lanes]; of each hidden layer z and
y, [n, (1 + m) lanes], then phi, phi' and phi'', [3, n lanes]; and the output [d, (1 + m) lanes].
"""

from .. import _jit
from ..adjoint.tape import add_time_bar, lane_time
from .composite import DIM, FIRST, OPTION, OWN_SCRATCH, own_tape, part, shift_of
from .concatsquash import clear, make_weights, pull_weights
from .header import ACTIVATION, FINAL_BIAS, LANES, LAYERS, N_PARAMS, ORDER, SIZES, THETA, TIMED, WIDEST
from .matmul import add_outer, matmul, matmul_transposed

view1, view2 = _jit.view1, _jit.view2

PROBES = 14  # place of the header: number of random directions; 0: all units
GATED = 15  # 0, or the offset of memory for the weights of a `ConcatSquash` at one time, and for their cotangents


@_jit.core
def _context(network, d):
    """Features of the context: the inputs of the network that are neither z nor the time."""
    return int(network[SIZES]) - int(network[TIMED]) - d


@_jit.core
def _direction(s, p, probe, i, j, d, context, lanes):
    """Component i of a direction in lane j."""
    if p[PROBES] == 0.0:
        return 1.0 if i == probe else 0.0
    first = d + 1 + 2 * int(p[OPTION]) + context
    return s[(first + probe * d + i) * lanes + j]


@_jit.core
def _weights(t, p, network):
    """Offset of the weights at time t, in the numbers of `p`; those of a `ConcatSquash` are made there first."""
    if p[GATED] == 0.0:
        return int(network[THETA]) - shift_of(p, network)
    make_weights(t, p, network, int(p[GATED]))
    return int(p[GATED])


@_jit.core
def traced(t, s, ds, p, keep):
    """(z, trace, and with p[OPTION] also |f|^2 and |J|^2)' along the network f; directions are constant.

    s and ds (dim * lanes,).
    """
    lanes, q, place = int(p[LANES]), part(p, FIRST), own_tape(p)
    layers, n_in = int(q[LAYERS]), int(q[SIZES])
    d = int(q[SIZES + layers])
    probes = d if p[PROBES] == 0.0 else int(p[PROBES])
    width, context = (1 + probes) * lanes, _context(q, d)
    first = d + 1 + 2 * int(p[OPTION])
    below = view2(p, place, n_in, width)
    for i in range(n_in):
        row = (i if i < d else first + i - d) * lanes
        for j in range(lanes):
            below[i, j] = s[row + j] if i < d + context else lane_time(p, t, j)
            for c in range(probes):
                below[i, (c + 1) * lanes + j] = _direction(s, p, c, i, j, d, context, lanes) if i < d else 0.0
    place += n_in * width
    theta = _weights(t, p, q)
    q[ORDER] = 2
    for k in range(1, layers + 1):
        n, n_below = int(q[SIZES + k]), below.shape[0]
        z = view2(p, place, n, width)
        matmul(view2(p, theta, n, n_below), below, z)
        if k < layers or q[FINAL_BIAS] != 0.0:
            bias = view1(p, theta + n * n_below, n)
            for i in range(n):
                for j in range(lanes):
                    z[i, j] += bias[i]
        theta += n * (n_below + 1)
        place += n * width
        if k < layers:
            size = n * lanes
            above, phi = view2(p, place, n, width), view2(p, place + n * width, n, lanes)
            slopes = place + n * width + size
            for i in range(n):
                for j in range(lanes):
                    phi[i, j] = z[i, j]
            _jit.call_scalar(int(q[ACTIVATION]), size, view1(p, slopes - size, size), view1(p, slopes, 2 * size), q)
            slope = view2(p, slopes, n, lanes)
            for i in range(n):
                for j in range(lanes):
                    above[i, j] = phi[i, j]
                for c in range(1, probes + 1):
                    for j in range(lanes):
                        above[i, c * lanes + j] = slope[i, j] * z[i, c * lanes + j]
            place += n * width + 3 * size
        below = view2(p, place - n * width - 3 * n * lanes, n, width) if k < layers else z
    scale = 1.0 if p[PROBES] == 0.0 else 1.0 / probes
    for j in range(lanes):
        trace, kinetic, size = 0.0, 0.0, 0.0
        for i in range(d):
            ds[i * lanes + j] = below[i, j]
            kinetic += below[i, j] * below[i, j]
            for c in range(probes):
                value = below[i, (c + 1) * lanes + j]
                trace += scale * value * _direction(s, p, c, i, j, d, context, lanes)
                size += scale * value * value
        ds[d * lanes + j] = trace
        if p[OPTION] != 0.0:
            ds[(d + 1) * lanes + j], ds[(d + 2) * lanes + j] = kinetic, size
    for i in range(first * lanes, int(p[DIM]) * lanes):
        ds[i] = 0.0
    return 0


@_jit.core
def traced_pull(t, v, out, p):
    """Transpose of its derivative; the directions are held. v (dim * lanes,), out (dim * lanes + n_params,)."""
    network, states = part(p, FIRST), int(p[DIM]) * int(p[LANES])
    parameters, count = _weights(t, p, network), int(network[N_PARAMS])
    if p[GATED] == 0.0:
        _pull_along(t, v, out, p, parameters, view1(out, states, count))
        return 0
    bar = parameters + count
    clear(p, bar, count)
    _pull_along(t, v, out, p, parameters, view1(p, bar, count))
    pull_weights(t, p, network, bar, view1(out, states, int(p[N_PARAMS])))
    return 0


@_jit.core
def _pull_along(t, v, out, p, parameters, grad):
    """The same for the weights at the offset `parameters`; their cotangents are added to `grad`, those of a plain network."""
    lanes, q, start = int(p[LANES]), part(p, FIRST), own_tape(p)
    layers, n_in, widest = int(q[LAYERS]), int(q[SIZES]), int(q[WIDEST])
    d = int(q[SIZES + layers])
    probes = d if p[PROBES] == 0.0 else int(p[PROBES])
    width, states = (1 + probes) * lanes, int(p[DIM]) * lanes
    theta, place = 0, start + n_in * width
    for k in range(1, layers + 1):
        theta += int(q[SIZES + k]) * (int(q[SIZES + k - 1]) + 1)
        place += int(q[SIZES + k]) * (2 * width + 3 * lanes if k < layers else width)
    theta -= 0 if q[FINAL_BIAS] != 0.0 else d
    scratch, first = int(p[OWN_SCRATCH]), d + 1 + 2 * int(p[OPTION])
    scale = 1.0 if p[PROBES] == 0.0 else 1.0 / probes
    place -= d * width
    value, inputs = view2(p, place, d, width), view2(p, start, n_in, width)
    bar = view2(p, scratch, d, width)
    for i in range(d):
        for j in range(lanes):
            bar[i, j] = v[i * lanes + j]
            if p[OPTION] != 0.0:
                bar[i, j] += 2.0 * v[(d + 1) * lanes + j] * value[i, j]
            for c in range(1, probes + 1):
                bar[i, c * lanes + j] = scale * v[d * lanes + j] * inputs[i, c * lanes + j]
                if p[OPTION] != 0.0:
                    bar[i, c * lanes + j] += 2.0 * scale * v[(d + 2) * lanes + j] * value[i, c * lanes + j]
    for k in range(layers, 0, -1):
        n, n_below = int(q[SIZES + k]), int(q[SIZES + k - 1])
        biased = k < layers or q[FINAL_BIAS] != 0.0
        theta -= n * n_below + (n if biased else 0)
        if biased:
            for i in range(n):
                total = bar.dtype.type(0.0)
                for j in range(lanes):
                    total += bar[i, j]
                grad[theta + n * n_below + i] += total
        below = start if k == 1 else place - n_below * (width + 3 * lanes)
        add_outer(bar, view2(p, below, n_below, width), view2(grad, theta, n, n_below))
        turn = scratch + (1 + (layers - k) % 2) * widest * width
        next_bar = view2(p, turn, n_below, width)
        matmul_transposed(view2(p, parameters + theta, n, n_below), bar, next_bar)
        if k > 1:
            place -= n_below * (2 * width + 3 * lanes)
            z = view2(p, place, n_below, width)
            slope = view2(p, place + 2 * n_below * width + n_below * lanes, n_below, lanes)
            curvature = view2(p, place + 2 * n_below * width + 2 * n_below * lanes, n_below, lanes)
            for i in range(n_below):
                for j in range(lanes):
                    next_bar[i, j] *= slope[i, j]
                for c in range(1, probes + 1):
                    for j in range(lanes):
                        y_bar = next_bar[i, c * lanes + j]
                        next_bar[i, j] += curvature[i, j] * z[i, c * lanes + j] * y_bar
                        next_bar[i, c * lanes + j] = slope[i, j] * y_bar
        bar = next_bar
    for i in range(d * lanes, states):
        out[i] = 0.0
    for i in range(n_in):
        row = (i if i < d else first + i - d) * lanes
        for j in range(lanes):
            if i < d + _context(q, d):
                out[row + j] = bar[i, j]
            else:
                add_time_bar(p, j, bar[i, j])
