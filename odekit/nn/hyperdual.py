"""Compiled passes through second directional derivatives of a scalar network L, and their transposes: third derivatives.

At x + a e1 + b e2 + c e1 e2 with e1^2 = e2^2 = 0, the part of L with e1 e2 is grad L . c + a^T (Hess L) b. All four parts of
a layer stand side by side, ``[features, 4 lanes]``, so that a layer is one matrix product:

y = phi(z), y_a = phi' z_a, y_b = phi' z_b, y_c = phi' z_c + phi'' z_a z_b.

The reverse sweep of that is exact, and gives the derivatives with respect to x, a, b, c and the parameters at once.
"""

from .. import _jit
from .header import ACTIVATION, LAYERS, ORDER, SIZES, THETA, WIDEST
from .matmul import add_matmul_transposed, add_outer, matmul, matmul_transposed
from .network import add_numbers, skips, view1, view2


@_jit.core
def up(p, tape, lanes, third):
    """From the input [n_in, 4 lanes] at `tape`, which holds x, a, b and c side by side, through all hidden layers.

    Behind the input, each layer leaves z [n, 4 lanes], y [n, 4 lanes], and phi and its three derivatives, [4, n lanes].

    Parameters
    ----------
    p : ndarray
    tape, lanes : int
    third : int
        Address from `odekit.nn.third_derivatives`.
    """
    theta, below, place = int(p[THETA]), tape, tape + 4 * lanes * int(p[SIZES])
    p[ORDER] = 2
    for k in range(1, int(p[LAYERS])):
        n, n_below = int(p[SIZES + k]), int(p[SIZES + k - 1])
        size = n * lanes
        z, y = view2(p, place, n, 4 * lanes), view2(p, place + 4 * size, n, 4 * lanes)
        matmul(view2(p, theta, n, n_below), view2(p, below, n_below, 4 * lanes), z)
        phi, bias = view2(p, place + 8 * size, n, lanes), view1(p, theta + n * n_below, n)
        for i in range(n):
            for j in range(lanes):
                z[i, j] += bias[i]
                phi[i, j] = z[i, j]
        flat, rest = view1(p, place + 8 * size, size), view1(p, place + 9 * size, 2 * size)
        _jit.call_scalar(int(p[ACTIVATION]), size, flat, rest, p)
        _jit.call_scalar(third, size, flat, view1(p, place + 11 * size, size), p)
        first, second = view2(p, place + 9 * size, n, lanes), view2(p, place + 10 * size, n, lanes)
        for i in range(n):
            for j in range(lanes):
                za, zb = z[i, lanes + j], z[i, 2 * lanes + j]
                y[i, j] = phi[i, j]
                y[i, lanes + j] = first[i, j] * za
                y[i, 2 * lanes + j] = first[i, j] * zb
                y[i, 3 * lanes + j] = first[i, j] * z[i, 3 * lanes + j] + second[i, j] * za * zb
        if skips(p, k):
            add_numbers(view1(p, below, 4 * size), view1(p, place + 4 * size, 4 * size))
        theta += n * (n_below + 1)
        below, place = place + 4 * size, place + 12 * size


@_jit.core
def down(p, tape, lanes, scratch, x_bar, g):
    """Reverse sweep of the sum over lanes of the part with e1 e2, after `up`.

    Parameters
    ----------
    p : ndarray
    tape, lanes : int
    scratch : int
        Offset of 8 lanes numbers for each feature of the widest layer.
    x_bar : ndarray, [n_in, 4 lanes]
        Receives the derivatives with respect to x, a, b and c.
    g : ndarray, (n_params,)
        Those with respect to the parameters are added to it.
    """
    layers, widest = int(p[LAYERS]), int(p[WIDEST])
    theta, place = 0, tape + 4 * lanes * int(p[SIZES])
    for k in range(1, layers):
        theta += int(p[SIZES + k]) * (int(p[SIZES + k - 1]) + 1)
        place += 12 * lanes * int(p[SIZES + k])
    parameters = int(p[THETA])
    for k in range(layers - 1, 0, -1):
        n, n_below = int(p[SIZES + k]), int(p[SIZES + k - 1])
        size = n * lanes
        place -= 12 * size
        z, y = view2(p, place, n, 4 * lanes), view2(p, place + 4 * size, n, 4 * lanes)
        first, second = view2(p, place + 9 * size, n, lanes), view2(p, place + 10 * size, n, lanes)
        third = view2(p, place + 11 * size, n, lanes)
        y_bar, z_bar = view2(p, scratch, n, 4 * lanes), view2(p, scratch + 4 * widest * lanes, n, 4 * lanes)
        if k == layers - 1:
            weight_bar, weights = view1(g, theta, n), view1(p, parameters + theta, n)
            for i in range(n):
                for j in range(lanes):
                    weight_bar[i] += y[i, 3 * lanes + j]
                    y_bar[i, j], y_bar[i, lanes + j], y_bar[i, 2 * lanes + j] = 0.0, 0.0, 0.0
                    y_bar[i, 3 * lanes + j] = weights[i]
        for i in range(n):
            for j in range(lanes):
                za, zb, zc = z[i, lanes + j], z[i, 2 * lanes + j], z[i, 3 * lanes + j]
                ba, bb, bc = y_bar[i, lanes + j], y_bar[i, 2 * lanes + j], y_bar[i, 3 * lanes + j]
                z_bar[i, 3 * lanes + j] = first[i, j] * bc
                z_bar[i, lanes + j] = first[i, j] * ba + second[i, j] * zb * bc
                z_bar[i, 2 * lanes + j] = first[i, j] * bb + second[i, j] * za * bc
                curved = second[i, j] * (za * ba + zb * bb + zc * bc)
                z_bar[i, j] = first[i, j] * y_bar[i, j] + curved + third[i, j] * za * zb * bc
        theta -= n * (n_below + 1)
        below = tape if k == 1 else place - 8 * n_below * lanes
        add_outer(z_bar, view2(p, below, n_below, 4 * lanes), view2(g, theta, n, n_below))
        for i in range(n):
            total = 0.0
            for j in range(lanes):
                total += z_bar[i, j]
            g[theta + n * n_below + i] += total
        weight = view2(p, parameters + theta, n, n_below)
        if skips(p, k):  # what went past the layer stands there already
            add_matmul_transposed(weight, z_bar, y_bar)
        else:
            matmul_transposed(weight, z_bar, x_bar if k == 1 else view2(p, scratch, n_below, 4 * lanes))
