"""Compiled passes through a network: value, and the transpose of its derivative, for one block of lanes.

Everything is laid out ``[features, lanes]`` in C order. The *tape* of a block holds its input (the time row included), then for
each hidden layer the activations and as many of their derivatives as the pass was asked for. `p` is what `odekit.nn.header.pack`
builds; tape and scratch memory are offsets into it.
"""

from .. import _jit
from ..adjoint.tape import lane_time
from .header import (
    ACTIVATION,
    FINAL_BIAS,
    KEEPS,
    LAYERS,
    N_PARAMS,
    ORDER,
    RESIDUAL,
    SIZES,
    SLOPE,
    SLOT,
    SLOT_SIZE,
    TAPE,
    THETA,
    TIMED,
    WIDEST,
)
from .matmul import add_matmul, add_matmul_transposed, add_outer, add_row_sums, affine, matmul_transposed, transpose

view1, view2 = _jit.view1, _jit.view2

#: Features from which on a b^T is faster as a product with a transposed copy of b: 5 against 10 us at 64 x 64 x 32. Measured.
WIDE = 8


@_jit.core
def tape_of(p):
    """Offset of the slot in use."""
    return int(p[TAPE]) + int(p[SLOT]) * int(p[SLOT_SIZE])


@_jit.core
def skips(p, k):
    """Whether layer k is a hidden one that adds its input, of the same size, to its output."""
    return p[RESIDUAL] != 0.0 and k > 1 and k < int(p[LAYERS]) and p[SIZES + k] == p[SIZES + k - 1]


@_jit.core_apart
def add_numbers(x, out):
    """out += x, as far as `out` reaches; flat."""
    for i in range(out.size):
        out[i] += x[i]


@_jit.core_apart
def load(p, tape, y, start, width, lanes, t, timed=True):
    """Copy columns ``start : start + lanes`` of y[d, width] to the input [n_in, lanes] at `tape`, with the time, or with 0."""
    n_in = int(p[SIZES])
    x = view2(p, tape, n_in, lanes)
    d = n_in - int(p[TIMED])
    for i in range(d):
        for j in range(lanes):
            x[i, j] = y[i * width + start + j]
    for i in range(d, n_in):
        for j in range(lanes):
            x[i, j] = lane_time(p, t, j) if timed else 0.0


@_jit.core_apart
def store(x, rows, y, start, width):
    """Copy the first rows of x [n, lanes] to columns ``start : start + lanes`` of y[rows, width], flat."""
    lanes = x.shape[1]
    for i in range(rows):
        for j in range(lanes):
            y[i * width + start + j] = x[i, j]


@_jit.core
def forward(p, tape, lanes, order, out, n_out):
    """Evaluate the network at the input on the tape.

    Parameters
    ----------
    p : ndarray
    tape : int
        Offset of the tape.
    lanes : int
    order : int
        How many derivatives of the activations go to the tape: 0, 1 or 2.
    out : ndarray
        Receives [n_out, lanes]; not touched if `n_out` is 0, the last layer is then left out.
    n_out : int
    """
    layers = int(p[LAYERS])
    p[ORDER] = order
    theta = int(p[THETA])
    below = view2(p, tape, int(p[SIZES]), lanes)
    place = tape + below.size
    for k in range(1, layers):
        n = int(p[SIZES + k])
        n_below = below.shape[0]
        z = view2(p, place, n, lanes)
        affine(view2(p, theta, n, n_below), below, view1(p, theta + n * n_below, n), z)
        values, derivatives = view1(p, place, z.size), view1(p, place + z.size, z.size)
        _jit.call_scalar(int(p[ACTIVATION]), z.size, values, derivatives, p)
        if skips(p, k):
            add_numbers(view1(p, place - (1 + order) * z.size, z.size), values)
        below = z
        theta += n * (n_below + 1)
        place += (1 + order) * z.size
    if n_out > 0:
        last, bias = view2(out, 0, n_out, lanes), view1(p, theta + n_out * below.shape[0], n_out)
        for i in range(n_out):
            start = bias[i] if p[FINAL_BIAS] != 0.0 else 0.0
            for j in range(lanes):
                last[i, j] = start
        add_matmul(view2(p, theta, n_out, below.shape[0]), below, last)


@_jit.core
def multiply_by_slope(p, place, size, delta):
    """delta (size,) *= slope of the activation whose values stand at `place` on the tape."""
    _jit.call_scalar(int(p[SLOPE]), size, view1(p, place, int(p[KEEPS]) * size), delta, p)


@_jit.core
def backward(p, tape, lanes, v, x_bar, scratch, g):
    """Transpose of the derivative at the point whose tape `forward` has written with order ``p[KEEPS] - 1``.

    Parameters
    ----------
    p : ndarray
    tape, lanes : int
    v : ndarray, [n_out, lanes]
        Cotangent of the output.
    x_bar : ndarray, [n_in, lanes]
        Receives the cotangent of the input.
    scratch : int
        Offset of two layers of cotangents and one of activations.
    g : ndarray, (n_params,)
        The cotangent of the parameters is added to it.
    """
    layers, keeps = int(p[LAYERS]), int(p[KEEPS])
    parameters = int(p[THETA])
    theta = int(p[N_PARAMS])
    place = tape + int(p[SIZES]) * lanes
    for k in range(1, layers):
        place += keeps * int(p[SIZES + k]) * lanes
    delta = v
    for k in range(layers, 0, -1):
        n, n_below = int(p[SIZES + k]), int(p[SIZES + k - 1])
        bias = n if k < layers or p[FINAL_BIAS] != 0.0 else 0
        theta -= n * n_below + bias
        if bias > 0:
            add_row_sums(delta, view1(g, theta + n * n_below, n))
        weight = view2(p, parameters + theta, n, n_below)
        if k == 1:
            add_outer(delta, view2(p, tape, n_below, lanes), view2(g, theta, n, n_below))
            matmul_transposed(weight, delta, x_bar)
            return
        size = n_below * lanes
        place -= keeps * size
        activations = view2(p, place, n_below, lanes)
        if n_below >= WIDE:
            transposed = view2(p, scratch + 2 * int(p[WIDEST]) * lanes, lanes, n_below)
            transpose(activations, transposed)
            add_matmul(delta, transposed, view2(g, theta, n, n_below))
        else:
            add_outer(delta, activations, view2(g, theta, n, n_below))
        # the two layers of scratch take turns; the widest layer bounds both
        turn = scratch + (k % 2) * int(p[WIDEST]) * lanes
        below = view2(p, turn, n_below, lanes)
        if skips(p, k):  # what went past the layer stands there already
            add_matmul_transposed(weight, delta, below)
        else:
            matmul_transposed(weight, delta, below)
        if skips(p, k - 1):
            above, past = view1(p, turn, size), view1(p, scratch + ((k - 1) % 2) * int(p[WIDEST]) * lanes, size)
            for i in range(size):
                past[i] = above[i]
        multiply_by_slope(p, place, size, view1(p, turn, size))
        delta = below
