"""Directional derivatives of the input gradient of a scalar network and their transpose: third derivatives, exactly.

They are the kernels `tangents` and `pull_tangents` of `odekit.adjoint.tape` for fields made of grad H. A derivative of grad H
along a direction is the Hessian times that direction; the transpose of it is a pass of `odekit.nn.hyperdual` for each direction.

The arguments are those of `odekit.nn.network_tangents`, with n_out = d.
"""

import functools

from .. import _jit
from ..adjoint.tape import add_time_bar, lane_time
from . import hyperdual
from .field_kernels import FieldKernels, address, gradient_pull, gradient_record, gradient_value, store_turned, tile
from .header import HIDDEN, LANES, N_PARAMS, SCRATCH, SIZES, SYMPLECTIC, THIRD, TIMED
from .input_gradient import gradient, gradient_backward
from .network import forward, load, tape_of
from .third_derivatives import THIRD as ACTIVATIONS

view1, view2 = _jit.view1, _jit.view2


def known(*networks):
    """Whether networks have the third derivatives that all this needs."""
    return all(network.activation in ACTIVATIONS and len(network.sizes) > 2 for network in networks)


@_jit.core
def gradient_tangents(t, given, out, p):
    """grad H, or J grad H, and its derivatives along k directions of state and time; out ((1 + k) * d * W,)."""
    count, lanes, n_in, tape = int(given[0]), int(p[LANES]), int(p[SIZES]), tape_of(p)
    d = n_in - int(p[TIMED])
    size = d * lanes
    load(p, tape, view1(given, 1 + count, size), 0, lanes, lanes, t)
    forward(p, tape, lanes, 2, p, 0)
    along, column = view2(p, tile(p, 0, lanes), n_in, lanes), view2(p, tile(p, 1, lanes), n_in, lanes)
    gradient(p, tape, lanes, 2, column)
    store_turned(p, column, d, out, 0, lanes)
    for c in range(1, 1 + count):
        load(p, tile(p, 0, lanes), view1(given, 1 + count + c * size, size), 0, lanes, lanes, t, False)
        for i in range(d, n_in):
            for j in range(lanes):
                along[i, j] = given[c]
        gradient_backward(p, tape, lanes, along, column, int(p[SCRATCH]), p, False)
        store_turned(p, column, d, view1(out, c * size, size), 0, lanes)
    return 0


@_jit.core
def _cotangent(p, given, place, d, lanes, i, j):
    """Entry (i, j) of a cotangent [d, lanes] of grad H; where the field is J grad H, of J^T times that of the field."""
    half = d // 2
    if p[SYMPLECTIC] == 0.0:
        return given[place + i * lanes + j]
    return -given[place + (half + i) * lanes + j] if i < half else given[place + (i - half) * lanes + j]


@_jit.core
def gradient_pull_tangents_into(t, given, out, g, p):
    """Transpose of the derivative of all that; out (d * W,), and g (n_params,), to which that of the parameters is added."""
    count, lanes, n_in = int(given[0]), int(p[LANES]), int(p[SIZES])
    d = n_in - int(p[TIMED])
    size, bars = d * lanes, 1 + count + (1 + count) * d * lanes
    start = int(p[SCRATCH])
    tape = start + 4 * n_in * lanes
    scratch = tape + (4 * n_in + 12 * int(p[HIDDEN])) * lanes
    x_bar, inputs = view2(p, start, n_in, 4 * lanes), view2(p, tape, n_in, 4 * lanes)
    for i in range(size):
        out[i] = 0.0
    for c in range(1, 1 + max(count, 1)):  # without a direction, the value alone
        for i in range(n_in):
            for j in range(lanes):
                inputs[i, j] = given[1 + count + i * lanes + j] if i < d else lane_time(p, t, j)
                inputs[i, lanes + j] = inputs[i, 2 * lanes + j] = inputs[i, 3 * lanes + j] = 0.0
                if count > 0:
                    inputs[i, 2 * lanes + j] = given[1 + count + c * size + i * lanes + j] if i < d else given[c]
                if count > 0 and i < d:
                    inputs[i, lanes + j] = _cotangent(p, given, bars + c * size, d, lanes, i, j)
                if c == 1 and i < d:
                    inputs[i, 3 * lanes + j] = _cotangent(p, given, bars, d, lanes, i, j)
        hyperdual.up(p, tape, lanes, int(p[THIRD]))
        hyperdual.down(p, tape, lanes, scratch, x_bar, g)
        for i in range(n_in):
            for j in range(lanes):
                if i < d:
                    out[i * lanes + j] += x_bar[i, j]
                else:
                    add_time_bar(p, j, x_bar[i, j])
    return 0


@_jit.core
def gradient_pull_tangents(t, given, out, p):
    """Transpose of the derivative of all that; out (d * W + n_params,)."""
    states = (int(p[SIZES]) - int(p[TIMED])) * int(p[LANES])
    return gradient_pull_tangents_into(t, given, out, view1(out, states, int(p[N_PARAMS])), p)


@functools.cache
def bending_kernels(dtype):
    """Kernels of the input gradient of a scalar network with third derivatives."""
    cores = gradient_value, gradient_record, gradient_pull, gradient_tangents, gradient_pull_tangents
    return FieldKernels(*(functools.partial(address, core, dtype) for core in cores))
