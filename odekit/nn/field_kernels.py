"""Networks as vector fields: the kernels `value`, `record` and `pull` of `odekit.adjoint.tape`, reached by their addresses.

`p` is what `odekit.nn.header.pack` builds. States and slopes are flat, [d, W] and [n_out, W] in C order with one column per lane:
W is ``p[LANES]``, any number for a value and at most ``p[BLOCK]`` for `record` and `pull`. The time row that a network may have
belongs neither to d nor to them. `out` of a pull holds the cotangent of the state, [d, W], then that of the parameters,
(n_params,), which is added to what stands there. For the input gradient of a scalar network n_out is d.
"""

import functools

import numpy as np

from .. import _jit
from ..adjoint.tape import add_time_bar
from .header import (
    BLOCK,
    HIDDEN,
    KEEPS,
    LANES,
    LAYERS,
    N_PARAMS,
    SCRATCH,
    SIZES,
    SYMPLECTIC,
    TANGENT_PARAMS,
    THETA,
    TIMED,
    WIDEST,
    scalar_address,
)
from .input_gradient import gradient, gradient_backward
from .matmul import add_matmul, matmul
from .network import add_numbers, backward, forward, load, multiply_by_slope, skips, store, tape_of, view1, view2
from .network_tangents import network_pull_tangents, network_tangents


@_jit.core
def tile(p, number, lanes):
    """Offset of an input tile (number 0 or 1) or of the output tile (2) in the scratch memory."""
    return int(p[SCRATCH]) + lanes * (2 * int(p[WIDEST]) + 2 * int(p[HIDDEN]) + number * int(p[SIZES]))


@_jit.core
def network_value(t, y, dy, p):
    """dy = network(y); y (d * W,), dy (n_out * W,)."""
    width, block, tape = int(p[LANES]), int(p[BLOCK]), tape_of(p)
    n_out = int(p[SIZES + int(p[LAYERS])])
    for start in range(0, width, block):
        lanes = min(block, width - start)
        load(p, tape, y, start, width, lanes, t)
        place = tile(p, 2, lanes)
        forward(p, tape, lanes, 0, view1(p, place, n_out * lanes), n_out)
        store(view2(p, place, n_out, lanes), n_out, dy, start, width)
    return 0


@_jit.core
def network_record(t, y, dy, p):
    """dy = network(y) for one block of lanes, with its tape."""
    lanes, tape = int(p[LANES]), tape_of(p)
    load(p, tape, y, 0, lanes, lanes, t)
    forward(p, tape, lanes, int(p[KEEPS]) - 1, dy, int(p[SIZES + int(p[LAYERS])]))
    return 0


@_jit.core
def _add_time_bar(p, x_bar, d):
    """Add the row of the time of x_bar [n_in, lanes], if there is one, to the cotangent of t."""
    for i in range(d, x_bar.shape[0]):
        for j in range(x_bar.shape[1]):
            add_time_bar(p, j, x_bar[i, j])


@_jit.core
def network_pull(t, v, out, p):
    """Transpose of the derivative of the network; v (n_out * W,), out (d * W + n_params,)."""
    lanes = int(p[LANES])
    d = int(p[SIZES]) - int(p[TIMED])
    x_bar = view2(p, tile(p, 0, lanes), int(p[SIZES]), lanes)
    n_out = int(p[SIZES + int(p[LAYERS])])
    cotangent = view2(p, tile(p, 2, lanes), n_out, lanes)
    for i in range(n_out):
        for j in range(lanes):
            cotangent[i, j] = v[i * lanes + j]
    backward(p, tape_of(p), lanes, cotangent, x_bar, int(p[SCRATCH]), view1(out, d * lanes, int(p[N_PARAMS])))
    store(x_bar, d, out, 0, lanes)
    _add_time_bar(p, x_bar, d)
    return 0


@_jit.core
def network_tangent(t, y, out, p):
    """Directional derivative of the network.

    Parameters
    ----------
    t : float
    y : ndarray, (2 * d * W,)
        State and its direction; ``p[TANGENT_PARAMS]`` says where that of the parameters is.
    out : ndarray, (2 * n_out * W,)
        Receives the value and its directional derivative.
    p : ndarray

    Returns
    -------
    int
        0.
    """
    width, block, tape = int(p[LANES]), int(p[BLOCK]), tape_of(p)
    layers, parameters = int(p[LAYERS]), int(p[THETA])
    d, n_out = int(p[SIZES]) - int(p[TIMED]), int(p[SIZES + layers])
    q = _jit.tail(p, int(p[TANGENT_PARAMS]))
    directions = int(q[THETA])
    for start in range(0, width, block):
        lanes = min(block, width - start)
        load(p, tape, y, start, width, lanes, t)
        below = view2(p, tape, int(p[SIZES]), lanes)
        forward(p, tape, lanes, int(p[KEEPS]) - 1, view1(p, tile(p, 2, lanes), n_out * lanes), n_out)
        store(view2(p, tile(p, 2, lanes), n_out, lanes), n_out, out, start, width)
        load(p, tile(p, 0, lanes), view1(y, d * width, d * width), start, width, lanes, t, False)
        tangent = view2(p, tile(p, 0, lanes), int(p[SIZES]), lanes)
        theta, place = 0, tape + below.size
        for k in range(1, layers + 1):
            n, n_below = int(p[SIZES + k]), int(p[SIZES + k - 1])
            turn = int(p[SCRATCH]) + (k % 2) * int(p[WIDEST]) * lanes
            above = view2(p, turn, n, lanes)
            matmul(view2(p, parameters + theta, n, n_below), tangent, above)
            if p[TANGENT_PARAMS] != 0.0:
                add_matmul(view2(q, directions + theta, n, n_below), below, above)
                if theta + n * n_below < int(p[N_PARAMS]):
                    bias = view1(q, directions + theta + n * n_below, n)
                    for i in range(n):
                        for j in range(lanes):
                            above[i, j] += bias[i]
            if k < layers:
                size = n * lanes
                below = view2(p, place, n, lanes)
                multiply_by_slope(p, place, size, view1(p, turn, size))
                place += int(p[KEEPS]) * size
                if skips(p, k):
                    add_numbers(
                        view1(p, int(p[SCRATCH]) + ((k + 1) % 2) * int(p[WIDEST]) * lanes, size), view1(p, turn, size)
                    )
            theta += n * (n_below + 1)
            tangent = above
        store(tangent, n_out, view1(out, n_out * width, n_out * width), start, width)
    return 0


@_jit.core
def store_turned(p, g, d, out, start, width):
    """Store a gradient; for a Hamiltonian as the field (dH/dp, -dH/dq).

    Parameters
    ----------
    p : ndarray
    g : ndarray, [n_in, lanes]
        The gradient.
    d : int
        Rows of it that are stored.
    out : ndarray, (d * width,)
        Receives them in its columns ``start : start + lanes``, of [d, width].
    start, width : int
    """
    half, lanes = d // 2, g.shape[1]
    if p[SYMPLECTIC] == 0.0:
        store(g, d, out, start, width)
        return
    for i in range(half):
        for j in range(lanes):
            out[i * width + start + j] = g[half + i, j]
            out[(half + i) * width + start + j] = -g[i, j]


@_jit.core
def gradient_value(t, y, dy, p):
    """dy = grad H(y), or J grad H(y); both (d * W,)."""
    width, block, tape = int(p[LANES]), int(p[BLOCK]), tape_of(p)
    for start in range(0, width, block):
        lanes = min(block, width - start)
        load(p, tape, y, start, width, lanes, t)
        forward(p, tape, lanes, 1, p, 0)
        g = view2(p, tile(p, 0, lanes), int(p[SIZES]), lanes)
        gradient(p, tape, lanes, 1, g)
        store_turned(p, g, int(p[SIZES]) - int(p[TIMED]), dy, start, width)
    return 0


@_jit.core
def gradient_record(t, y, dy, p):
    """dy = grad H(y), or J grad H(y), for one block of lanes, with its tape."""
    lanes, tape = int(p[LANES]), tape_of(p)
    load(p, tape, y, 0, lanes, lanes, t)
    forward(p, tape, lanes, 2, p, 0)
    g = view2(p, tile(p, 0, lanes), int(p[SIZES]), lanes)
    gradient(p, tape, lanes, 2, g)
    store_turned(p, g, int(p[SIZES]) - int(p[TIMED]), dy, 0, lanes)
    return 0


@_jit.core
def gradient_pull_into(t, v, out, g, p):
    """Transpose of the derivative of grad H, or of J grad H.

    Parameters
    ----------
    t : float
    v : ndarray, (d * W,)
    out : ndarray, (d * W,)
        Receives the cotangent of the state.
    g : ndarray, (n_params,)
        That of the parameters is added to it.
    p : ndarray

    Returns
    -------
    int
        0.
    """
    lanes = int(p[LANES])
    d = int(p[SIZES]) - int(p[TIMED])
    load(p, tile(p, 0, lanes), v, 0, lanes, lanes, t, False)
    u = view2(p, tile(p, 0, lanes), int(p[SIZES]), lanes)
    if p[SYMPLECTIC] != 0.0:
        half = d // 2
        for i in range(half):
            for j in range(lanes):
                u[i, j], u[half + i, j] = -u[half + i, j], u[i, j]
    x_bar = view2(p, tile(p, 1, lanes), int(p[SIZES]), lanes)
    gradient_backward(p, tape_of(p), lanes, u, x_bar, int(p[SCRATCH]), g)
    store(x_bar, d, out, 0, lanes)
    _add_time_bar(p, x_bar, d)
    return 0


@_jit.core
def gradient_pull(t, v, out, p):
    """Transpose of the derivative of grad H, or of J grad H; v (d * W,), out (d * W + n_params,)."""
    states = (int(p[SIZES]) - int(p[TIMED])) * int(p[LANES])
    return gradient_pull_into(t, v, out, view1(out, states, int(p[N_PARAMS])), p)


_UNCHECKED = 2**40  # length of views whose length nothing looks at


def in_precision(name, dtype):
    """Name of a generated kernel for fields of a precision, and the line with which such a kernel begins."""
    return (f"{name}_single", "p = single(p)") if np.dtype(dtype).itemsize == 4 else (name, "p = view1(p, 0, SOME)")


@functools.cache
def address(core, dtype="float64"):
    """Address of one of the kernels above.

    Parameters
    ----------
    core : compiled kernel
    dtype : str
        Of the networks that it sees.

    Returns
    -------
    int
    """
    name, line = in_precision(f"field_{core.__name__}", dtype)
    source = f"def {name}(t, y, dy, p):\n    {line}\n    return core(t, view1(y, 0, SOME), view1(dy, 0, SOME), p)  # {name}\n"
    namespace = {"core": core, "view1": view1, "single": _jit.single, "SOME": _UNCHECKED}
    return scalar_address(_jit.exec_source(source, name, namespace, True))


class FieldKernels:
    """Addresses of the kernels of a field, see `odekit.adjoint.tape`. Each is compiled when it is first asked for.

    Parameters
    ----------
    value, record, pull : callable
        Return the addresses.
    tangents, pull_tangents : callable, optional
        The same; `None` for a field whose second derivatives are not written down.
    """

    def __init__(self, value, record, pull, tangents=None, pull_tangents=None):
        self._find = value, record, pull, tangents, pull_tangents

    value = functools.cached_property(lambda self: self._find[0]())
    record = functools.cached_property(lambda self: self._find[1]())
    pull = functools.cached_property(lambda self: self._find[2]())
    bends = property(lambda self: self._find[4] is not None, doc="Whether the last two are there.")
    tangents = functools.cached_property(lambda self: self._find[3] and self._find[3]())
    pull_tangents = functools.cached_property(lambda self: self._find[4] and self._find[4]())


@functools.cache
def network_kernels(dtype):
    """Kernels of a network as a vector field."""
    cores = network_value, network_record, network_pull, network_tangents, network_pull_tangents
    return FieldKernels(*(functools.partial(address, core, dtype) for core in cores))


@functools.cache
def gradient_kernels(dtype):
    """Kernels of the input gradient of a scalar network."""
    return FieldKernels(
        *(functools.partial(address, core, dtype) for core in (gradient_value, gradient_record, gradient_pull))
    )


@_jit.kernel
def call(address, t, y, dy, p):
    """Call a kernel from Python by its address.

    Parameters
    ----------
    address : int
    t : float
    y, dy, p : ndarray
        As the kernel takes them, flat and contiguous.

    Returns
    -------
    int
        Status.
    """
    return _jit.call_scalar(address, t, y, dy, p)
