"""Directional derivatives of a network and their transpose: the kernels `tangents` and `pull_tangents` of `odekit.adjoint.tape`.

For k directions and W lanes, flat and in C order: `given` holds k, the directions' parts along t, (k,), then the state and the
directions, [d, W] each; for the transpose also the cotangents of the value and of its k derivatives, [n_out, W] each.
"""

from .. import _jit
from ..adjoint.tape import add_time_bar, lane_time
from .gates import parameters
from .header import LANES, LAYERS, N_PARAMS, SCRATCH, SIZES, TIMED, WIDEST
from .network import view1, view2
from .tangents import down, output, up


@_jit.core
def network_tangents(t, given, out, p, gates=None):
    """The network and its derivatives along directions of state and time; with `gates`, see `odekit.nn.gates`.

    Parameters
    ----------
    t : float
    given : ndarray, (1 + k + (1 + k) * d * W,)
    out : ndarray, ((1 + k) * n_out * W,)
        Receives the value and its derivatives, [n_out, W] each.
    p : ndarray
    gates : tuple or None

    Returns
    -------
    int
        0.
    """
    directions, lanes, n_in = int(given[0]), int(p[LANES]), int(p[SIZES])
    d, columns, tape = n_in - int(p[TIMED]), (1 + int(given[0])) * int(p[LANES]), int(p[SCRATCH])
    x = view2(p, tape, n_in, columns)
    for c in range(1 + directions):
        place = 1 + directions + c * d * lanes
        for i in range(d):
            for j in range(lanes):
                x[i, c * lanes + j] = given[place + i * lanes + j]
        for i in range(d, n_in):
            for j in range(lanes):
                x[i, c * lanes + j] = lane_time(p, t, j) if c == 0 else given[c]
    up(p, tape, lanes, directions, gates)
    n_out = int(p[SIZES + int(p[LAYERS])])
    y = view2(p, output(p, tape, lanes, directions), n_out, columns)
    for c in range(1 + directions):
        for i in range(n_out):
            for j in range(lanes):
                out[(c * n_out + i) * lanes + j] = y[i, c * lanes + j]
    return 0


@_jit.core
def network_pull_tangents(t, given, out, p, gates=None):
    """Transpose of the derivative of the network and of its derivatives along directions.

    Parameters
    ----------
    t : float
    given : ndarray, (1 + k + (1 + k) * (d + n_out) * W,)
    out : ndarray, (d * W + n_params,)
        Receives the cotangent of the state, [d, W]; that of the parameters (and of the gates) is added behind it.
    p : ndarray
    gates : tuple or None

    Returns
    -------
    int
        0.
    """
    directions, lanes, n_in, n_out = int(given[0]), int(p[LANES]), int(p[SIZES]), int(p[SIZES + int(p[LAYERS])])
    d, columns, tape = n_in - int(p[TIMED]), (1 + int(given[0])) * int(p[LANES]), int(p[SCRATCH])
    scratch = output(p, tape, lanes, directions) + n_out * columns
    z_bar, cotangents = view2(p, scratch, n_out, columns), 1 + directions + (1 + directions) * d * lanes
    for c in range(1 + directions):
        for i in range(n_out):
            for j in range(lanes):
                z_bar[i, c * lanes + j] = given[cotangents + (c * n_out + i) * lanes + j]
    x_bar = view2(p, scratch + 2 * int(p[WIDEST]) * columns, n_in, columns)
    count = int(p[N_PARAMS])
    if gates is not None:
        count += parameters(p)
    down(p, tape, lanes, directions, scratch, x_bar, view1(out, d * lanes, count), gates)
    for i in range(d):
        for j in range(lanes):
            out[i * lanes + j] = x_bar[i, j]
    for i in range(d, n_in):
        for j in range(lanes):
            add_time_bar(p, j, x_bar[i, j])
    return 0
