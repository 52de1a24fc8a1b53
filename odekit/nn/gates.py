"""Gates of time between the layers of a network, in the passes of `odekit.nn.tangents`: those of `odekit.nn.ConcatSquash`.

With a = W x + b and its derivatives a_c along directions whose parts along t are tau_c, a gated layer is

    z = s a + c t,    z_c = s a_c + tau_c (s' a + c),    s = sigmoid(g t + h),    s' = g s (1 - s).

All lanes have the same time.
"""

from .. import _jit, vmath
from .header import LAYERS, N_PARAMS, SIZES, THETA, TIME_BAR

view1, view2 = _jit.view1, _jit.view2


@_jit.core
def _before(p, k):
    """Features of the layers before the k-th, without the input."""
    total = 0
    for i in range(1, k):
        total += int(p[SIZES + i])
    return total


def count(sizes):
    """Numbers of g, h and c of a network with `sizes` features."""
    return 3 * sum(sizes[1:])


@_jit.core
def parameters(p):
    """The same for the network of a vector p; they stand right behind W and b."""
    return 3 * _before(p, int(p[LAYERS]) + 1)


@_jit.core
def open_gates(p, k, y, lanes, gates):
    """From a and its derivatives to z and its, in place; a stays in the memory of the gates.

    Parameters
    ----------
    p : ndarray
        Of the network.
    k : int
        Layer, from 1.
    y : ndarray, [n, (1 + directions) lanes]
    lanes : int
    gates : tuple
        The time, the parts of the directions along it (a vector, from 1 on), and the offset of memory for all a.
    """
    t, along, memory = gates
    n, columns = y.shape
    passed = _before(p, k)
    raw = view2(p, memory + passed * columns, n, columns)
    q = view1(p, int(p[THETA]) + int(p[N_PARAMS]) + 3 * passed, 3 * n)
    for i in range(n):
        s = vmath.sigmoid(q[i] * t + q[n + i])
        rate, shift = q[i] * s * (1.0 - s), q[2 * n + i]
        for j in range(columns):
            raw[i, j] = y[i, j]
            y[i, j] *= s
        for j in range(lanes):
            y[i, j] += shift * t
        for c in range(1, columns // lanes):
            for j in range(lanes):
                y[i, c * lanes + j] += along[c] * (rate * raw[i, j] + shift)


@_jit.core
def pull_gates(p, k, z_bar, lanes, gates, g):
    """Transpose of the derivative of `open_gates`, in place.

    Parameters
    ----------
    p, k, lanes, gates
        As there; the cotangent of t is added to ``p[TIME_BAR]``.
    z_bar : ndarray, [n, (1 + directions) lanes]
        On return the cotangents of a and its derivatives.
    g : ndarray
        The cotangents of g, h and c are added to those behind W and b.
    """
    t, along, memory = gates
    n, columns = z_bar.shape
    passed = _before(p, k)
    raw = view2(p, memory + passed * columns, n, columns)
    q = view1(p, int(p[THETA]) + int(p[N_PARAMS]) + 3 * passed, 3 * n)
    bar = view1(g, int(p[N_PARAMS]) + 3 * passed, 3 * n)
    for i in range(n):
        s = vmath.sigmoid(q[i] * t + q[n + i])
        slope = s * (1.0 - s)
        s_bar = rate_bar = shift_bar = 0.0
        for j in range(lanes):
            timed = 0.0
            for c in range(1, columns // lanes):
                timed += along[c] * z_bar[i, c * lanes + j]
            s_bar += raw[i, j] * z_bar[i, j]
            rate_bar += raw[i, j] * timed
            shift_bar += t * z_bar[i, j] + timed
            p[TIME_BAR] += q[2 * n + i] * z_bar[i, j]
            z_bar[i, j] = s * z_bar[i, j] + q[i] * slope * timed
        for j in range(lanes, columns):
            s_bar += raw[i, j] * z_bar[i, j]
            z_bar[i, j] *= s
        u_bar = slope * (s_bar + rate_bar * q[i] * (1.0 - 2.0 * s))
        bar[i] += t * u_bar + slope * rate_bar
        bar[n + i] += u_bar
        bar[2 * n + i] += shift_bar
        p[TIME_BAR] += q[i] * u_bar
