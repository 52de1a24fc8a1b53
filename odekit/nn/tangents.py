"""Compiled passes through a network and all its first derivatives, and their transpose: second derivatives, exactly.

Beside the value stand the derivatives along `directions` constant directions of the input, ``[features, (1 + directions)
lanes]`` in C order, so that a layer is one matrix product: y = phi(z), y_c = phi'(z) z_c. The reverse sweep of that gives the
derivatives of any function of the value and the derivatives, with respect to the input and to the parameters.
"""

from .. import _jit
from .gates import open_gates, pull_gates
from .header import ACTIVATION, FINAL_BIAS, LAYERS, ORDER, SIZES, THETA, WIDEST
from .matmul import add_matmul_transposed, add_outer, matmul, matmul_transposed
from .network import add_numbers, skips, view1, view2


@_jit.core
def output(p, tape, lanes, directions):
    """Offset of the output, [n_out, (1 + directions) lanes], that `up` leaves on the tape."""
    place = tape + int(p[SIZES]) * (1 + directions) * lanes
    for k in range(1, int(p[LAYERS])):
        place += int(p[SIZES + k]) * (2 * directions + 4) * lanes
    return place


@_jit.core
def up(p, tape, lanes, directions, gates=None):
    """From the input [n_in, (1 + directions) lanes] at `tape` to the output.

    Each hidden layer leaves y [n, (1 + directions) lanes], the derivatives of z [n, directions lanes], and phi, phi' and phi''
    [3, n lanes]. `gates` are those of `odekit.nn.gates`, or None.
    """
    theta, below, columns, layers = int(p[THETA]), tape, (1 + directions) * lanes, int(p[LAYERS])
    place = tape + int(p[SIZES]) * columns
    p[ORDER] = 2
    for k in range(1, layers + 1):
        n, n_below = int(p[SIZES + k]), int(p[SIZES + k - 1])
        y = view2(p, place, n, columns)
        matmul(view2(p, theta, n, n_below), view2(p, below, n_below, columns), y)
        theta += n * n_below
        if k < layers or p[FINAL_BIAS] != 0.0:
            bias = view1(p, theta, n)
            for i in range(n):
                for j in range(lanes):
                    y[i, j] += bias[i]
        if gates is not None:  # what is None here is not compiled
            open_gates(p, k, y, lanes, gates)
        if k == layers:
            return
        theta += n
        z = view2(p, place + n * columns, n, directions * lanes)
        values, size = place + n * (columns + directions * lanes), n * lanes
        phi, slope = view2(p, values, n, lanes), view2(p, values + size, n, lanes)
        for i in range(n):
            for j in range(lanes):
                phi[i, j] = y[i, j]
        _jit.call_scalar(int(p[ACTIVATION]), size, view1(p, values, size), view1(p, values + size, 2 * size), p)
        for i in range(n):
            for j in range(lanes):
                y[i, j] = phi[i, j]
            for c in range(directions):
                for j in range(lanes):
                    at = c * lanes + j
                    z[i, at] = y[i, lanes + at]
                    y[i, lanes + at] = slope[i, j] * z[i, at]
        if skips(p, k):
            add_numbers(view1(p, below, n * columns), view1(p, place, n * columns))
        below, place = place, values + 3 * size


@_jit.core
def down(p, tape, lanes, directions, scratch, x_bar, g, gates=None):
    """Reverse sweep after `up`.

    Parameters
    ----------
    p : ndarray
    tape, lanes, directions : int
    scratch : int
        Offset of two layers of cotangents; the first holds that of the output, [n_out, (1 + directions) lanes].
    x_bar : ndarray, [n_in, (1 + directions) lanes]
        Receives the derivatives with respect to the input and the directions.
    g : ndarray, (n_params,)
        Those with respect to the parameters are added to it.
    gates : tuple or None
        As for `up`.
    """
    columns, layers, parameters = (1 + directions) * lanes, int(p[LAYERS]), int(p[THETA])
    other = scratch + int(p[WIDEST]) * columns
    theta, place = 0, output(p, tape, lanes, directions)
    for k in range(1, layers + 1):
        theta += int(p[SIZES + k]) * (int(p[SIZES + k - 1]) + 1)
    for k in range(layers, 0, -1):
        n, n_below = int(p[SIZES + k]), int(p[SIZES + k - 1])
        theta -= n * (n_below + 1)
        z_bar = view2(p, scratch, n, columns)
        if gates is not None:
            pull_gates(p, k, z_bar, lanes, gates, g)
        if k < layers or p[FINAL_BIAS] != 0.0:
            for i in range(n):
                for j in range(lanes):
                    g[theta + n * n_below + i] += z_bar[i, j]
        size = n_below * lanes
        place -= n_below * columns if k == 1 else n_below * (2 * directions + 4) * lanes
        add_outer(z_bar, view2(p, place, n_below, columns), view2(g, theta, n, n_below))
        weight = view2(p, parameters + theta, n, n_below)
        if k == 1:
            matmul_transposed(weight, z_bar, x_bar)
            return
        y_bar = view2(p, other, n_below, columns)
        if skips(p, k):  # what went past the layer stands there already
            add_matmul_transposed(weight, z_bar, y_bar)
        else:
            matmul_transposed(weight, z_bar, y_bar)
        z = view2(p, place + n_below * columns, n_below, directions * lanes)
        values = place + n_below * (columns + directions * lanes)
        slope, bend = view2(p, values + size, n_below, lanes), view2(p, values + 2 * size, n_below, lanes)
        z_bar = view2(p, scratch, n_below, columns)
        for i in range(n_below):
            for j in range(lanes):
                z_bar[i, j] = slope[i, j] * y_bar[i, j]
            for c in range(directions):
                for j in range(lanes):
                    at = c * lanes + j
                    z_bar[i, lanes + at] = slope[i, j] * y_bar[i, lanes + at]
                    z_bar[i, j] += bend[i, j] * z[i, at] * y_bar[i, lanes + at]
