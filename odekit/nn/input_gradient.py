"""Compiled passes through the input gradient of a scalar network H(x), and the transpose of *its* derivative.

With z_k = W_k a_{k-1} + b_k and a_k = phi(z_k), the gradient is one backward sweep:
e_k = W_{k+1}^T delta_{k+1}, delta_k = phi'(z_k) e_k, grad H = W_1^T delta_1. A cotangent u of it is pulled back by
differentiating u . grad H, which is the directional derivative of H along u: the tangents tau_k = W_k T_{k-1},
T_k = phi'(z_k) tau_k go up, and their reverse sweep comes down. Its cotangents of T_k are the e_k again, so only one more
recursion is needed: zbar_k = phi'(z_k) W_{k+1}^T zbar_{k+1} + phi''(z_k) tau_k e_k (exact, no differences).
"""

from .. import _jit
from .header import FINAL_BIAS, HIDDEN, LAYERS, N_PARAMS, SIZES, THETA, WIDEST
from .matmul import add_matmul_transposed, add_outer, add_row_sums, matmul, matmul_transposed
from .network import add_numbers, skips, view1, view2


@_jit.core
def gradient(p, tape, lanes, order, g):
    """grad H at the point whose tape of this order (1 or 2) is given; e_k and delta_k go behind it on the tape.

    Parameters
    ----------
    p : ndarray
    tape, lanes, order : int
    g : ndarray, [n_in, lanes]
        Receives the gradient.
    """
    layers = int(p[LAYERS])
    theta = int(p[THETA]) + int(p[N_PARAMS]) - int(p[FINAL_BIAS]) - int(p[SIZES + layers - 1])
    n_in, hidden = int(p[SIZES]), int(p[HIDDEN])
    slopes = tape + (n_in + (1 + order) * hidden) * lanes
    errors = tape + (n_in + 5 * hidden) * lanes
    for k in range(layers, 0, -1):
        n = int(p[SIZES + k - 1])
        size = n * lanes
        errors -= 0 if k == 1 else 2 * size
        e = g if k == 1 else view2(p, errors, n, lanes)
        if k == layers:
            weight = view1(p, theta, n)
            for i in range(n):
                for j in range(lanes):
                    e[i, j] = weight[i]
        else:
            n_above = int(p[SIZES + k])
            theta -= n_above * (n + 1)
            above = errors + (0 if k == 1 else 2 * size) + n_above * lanes
            matmul_transposed(view2(p, theta, n_above, n), view2(p, above, n_above, lanes), e)
            if skips(p, k):
                add_numbers(view1(p, above - size, size), view1(p, errors, size))
        if k > 1:
            slopes -= (1 + order) * size
            slope = view1(p, slopes + size, size)
            flat, delta = view1(p, errors, size), view1(p, errors + size, size)
            for i in range(size):
                delta[i] = flat[i] * slope[i]


@_jit.core
def gradient_backward(p, tape, lanes, u, x_bar, scratch, g, with_params=True):
    """Transpose of the derivative of grad H at the point whose order-2 tape `gradient` has completed.

    Parameters
    ----------
    p : ndarray
    tape, lanes : int
    u : ndarray, [n_in, lanes]
        Cotangent of the gradient.
    x_bar : ndarray, [n_in, lanes]
        Receives the Hessian times u.
    scratch : int
        Offset of one layer of cotangents of every width, then of two numbers per hidden feature.
    g : ndarray, (n_params,)
        The cotangent of the parameters is added to it.
    with_params : bool
        Whether that is wanted.
    """
    layers = int(p[LAYERS])
    n_in, hidden = int(p[SIZES]), int(p[HIDDEN])
    parameters = int(p[THETA])
    tangents = scratch + 2 * int(p[WIDEST]) * lanes
    # up: the tangents T_k, and phi'' tau_k e_k
    theta, place, errors = 0, tape + n_in * lanes, tape + (n_in + 3 * hidden) * lanes
    tangent = u
    for k in range(1, layers):
        n, n_below = int(p[SIZES + k]), int(p[SIZES + k - 1])
        size = n * lanes
        above = view2(p, tangents, n, lanes)
        matmul(view2(p, parameters + theta, n, n_below), tangent, above)
        flat, bend = view1(p, tangents, size), view1(p, tangents + size, size)
        slope, curvature, error = view1(p, place + size, size), view1(p, place + 2 * size, size), view1(p, errors, size)
        for i in range(size):
            bend[i] = curvature[i] * flat[i] * error[i]
            flat[i] *= slope[i]
        if skips(p, k):
            add_numbers(view1(p, tangents - 2 * size, size), flat)
        tangent = above
        theta += n * (n_below + 1)
        tangents, place, errors = tangents + 2 * size, place + 3 * size, errors + 2 * size
    if with_params:
        add_row_sums(tangent, view1(g, theta, tangent.shape[0]))
    # down: zbar_k takes the place of phi'' tau_k e_k
    for i in range(n_in):
        for j in range(lanes):
            x_bar[i, j] = 0.0
    for k in range(layers - 1, 0, -1):
        n, n_below = int(p[SIZES + k]), int(p[SIZES + k - 1])
        size = n * lanes
        theta -= n * (n_below + 1)
        tangents, place, errors = tangents - 2 * size, place - 3 * size, errors - 2 * size
        z_bar, flat = view2(p, tangents + size, n, lanes), view1(p, tangents + size, size)
        if k == layers - 1 and skips(p, k):
            past = view1(p, scratch, size)
            for i in range(size):
                past[i] = 0.0
        if k < layers - 1:
            slope, a_bar = view1(p, place + size, size), view1(p, scratch, size)
            for i in range(size):
                flat[i] += slope[i] * a_bar[i]
        below = n_below * lanes
        activations = view2(p, tape if k == 1 else place - 3 * below, n_below, lanes)
        tangent = u if k == 1 else view2(p, tangents - 2 * below, n_below, lanes)
        if with_params:
            weight_bar = view2(g, theta, n, n_below)
            add_outer(z_bar, activations, weight_bar)
            add_outer(view2(p, errors + size, n, lanes), tangent, weight_bar)
            add_row_sums(z_bar, view1(g, theta + n * n_below, n))
        weight = view2(p, parameters + theta, n, n_below)
        if skips(p, k):  # what went past the layer stands there already
            add_matmul_transposed(weight, z_bar, view2(p, scratch, n_below, lanes))
        else:
            matmul_transposed(weight, z_bar, x_bar if k == 1 else view2(p, scratch, n_below, lanes))
