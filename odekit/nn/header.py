"""How a network travels as the flat vector `p` of a vector field: header, parameters, workspace.

Sizes stand in the header as floats (exact up to 2**53), so that one compiled kernel serves every architecture. All offsets
are into `p`; matrices are in C order with one column per lane.

The header is float64 always. Behind it, a network in single precision has float32 numbers, and the offsets count these; kernels see
`p` as memory of that kind (`odekit._jit.single`), whose views are float32.
"""

import itertools

import numpy as np

from .._memory import LINE, aligned, rounded_up
from ..adjoint.tape import (
    BLOCK,
    HEADER,
    LANES,
    N_PARAMS,
    SCRATCH,
    SIZE,
    SLOT,
    SLOT_SIZE,
    TAPE,
    THETA,
    TIME_BAR,
    TIMES,
    scalar_address,
)

__all__ = [
    "BLOCK",
    "LANES",
    "N_PARAMS",
    "SCRATCH",
    "SIZE",
    "SLOT",
    "SLOT_SIZE",
    "TAPE",
    "THETA",
    "TIMES",
    "TIME_BAR",
    "scalar_address",
]  # fmt: skip

# places of the header beside those that the adjoints know, see `odekit.adjoint.tape`
LAYERS = 3  # weight matrices
ACTIVATION = 4  # address of the activation's kernel (an address has at most 48 bits); valid in this process only
FINAL_BIAS = 5  # 1: the last layer has a bias
TIMED = 6  # 1: t is appended to the features
SYMPLECTIC = 7  # 1: the gradient of a scalar network is turned by J = ((0, 1), (-1, 0))
TANGENT_PARAMS = 14  # 0, or the offset of the vector of a network whose parameters are the direction of a derivative
WIDEST = 15  # features of the widest layer
HIDDEN = 16  # features of all hidden layers together
ORDER = 17  # derivatives that the activation's kernel writes
KEEPS = (
    HEADER  # numbers per hidden feature on the tape of a value: 1 where the slope follows from the activation, else 2
)
SLOPE = HEADER + 1  # address of the kernel that multiplies by the slope
THIRD = HEADER + 2  # 0, or the address of the kernel of its third derivatives
RESIDUAL = HEADER + 3  # 1: hidden layers add their input, see `odekit.nn.network.skips`
SIZES = HEADER + 4  # features of each layer, the time row of the first included

#: Lanes treated at once: the tape of a block of a 64-64 network is then about as large as a second-level cache. Measured.
LANE_BLOCK = 64


def parameter_count(sizes, final_bias):
    """Numbers of weights and biases of a network with `sizes` features."""
    return sum(b * (a + 1) for a, b in itertools.pairwise(sizes)) - (0 if final_bias else sizes[-1])


def tangents_room(sizes, directions):
    """Numbers per lane that the passes of `odekit.nn.tangents` need: the tape of `up`, then the scratch memory of `down`.

    Parameters
    ----------
    sizes : sequence of int
        Of the layers.
    directions : int

    Returns
    -------
    tape, scratch : int
    """
    columns = 1 + directions
    tape = columns * (sizes[0] + sizes[-1]) + (columns + directions + 3) * sum(sizes[1:-1])
    return tape, 2 * columns * max(sizes)


def hyperdual_room(sizes):
    """Numbers per lane that a pass of `odekit.nn.hyperdual` needs: the tape of `up`, then the scratch memory of `down`.

    Parameters
    ----------
    sizes : sequence of int
        Of the layers.

    Returns
    -------
    tape, scratch : int
    """
    return 4 * sizes[0] + 12 * sum(sizes[1:-1]), 8 * max(sizes)


def numbers_per_double(dtype):
    """Numbers of a precision in the room of one float64 number."""
    return 8 // np.dtype(dtype).itemsize


def pack(
    sizes, activation, final_bias, timed, params, lanes, slots=1, gradient=False, symplectic=False, directions=0, *, slope, keeps,
    third=0, residual=False, dtype="float64",
):  # fmt: skip
    """Build the vector `p` of a network.

    Parameters
    ----------
    sizes : sequence of int
        Features of each layer, the time row of the first included.
    activation : int
        Address of its kernel.
    final_bias, timed : bool
    params : ndarray
    lanes : int
        Lanes of a call of the field kernel.
    slots : int
        Slots of the tape; `record` and `pull` see at most `LANE_BLOCK` lanes.
    gradient : bool
        Whether the tape must hold what the kernels of the input gradient store.
    symplectic : bool
    directions : int
        Most directions of a call of the kernels `tangents` and `pull_tangents`.
    slope, keeps : int
        Address of the kernel of its slope, and what that needs on the tape, see `KEEPS`.
    third : int
        Address of the kernel of its third derivatives, which `pull_tangents` of an input gradient needs.
    residual : bool
        Whether hidden layers add their input, see `odekit.nn.network.skips`.
    dtype : str
        float64 or float32.

    Returns
    -------
    ndarray
    """
    block = min(lanes, LANE_BLOCK)
    hidden = sum(sizes[1:-1])
    widest = max(sizes)
    ratio = numbers_per_double(dtype)
    slot_size = rounded_up(block * (sizes[0] + (5 if gradient else keeps) * hidden), LINE * ratio)
    theta = ratio * (SIZES + len(sizes))
    tape = rounded_up(theta + params.size, LINE * ratio)  # a slot begins at a line of the cache
    scratch = tape + slots * slot_size
    # two layers of cotangents, two numbers per hidden feature, two input tiles, an output tile
    room = 2 * widest + 2 * hidden + 2 * sizes[0] + sizes[-1]
    if directions and gradient:
        room = max(room, 4 * sizes[0] + sum(hyperdual_room(sizes)))
    elif directions:
        room = max(room, sum(tangents_room(sizes, directions)) + (1 + directions) * sizes[0])
    size = scratch + block * room
    p = aligned(rounded_up(size, LINE * ratio) // ratio)
    p[:SIZES] = 0.0
    p[LANES], p[BLOCK] = lanes, block
    p[LAYERS], p[ACTIVATION], p[FINAL_BIAS], p[TIMED] = len(sizes) - 1, activation, final_bias, timed
    p[SYMPLECTIC], p[N_PARAMS] = symplectic, params.size
    p[SLOPE], p[KEEPS], p[THIRD], p[RESIDUAL] = slope, keeps, third, residual
    p[THETA], p[TAPE], p[SLOT_SIZE], p[SCRATCH], p[SIZE] = theta, tape, slot_size, scratch, p.size
    p[SIZES : SIZES + len(sizes)] = sizes
    p[WIDEST], p[HIDDEN] = widest, hidden
    p.view(dtype)[theta : theta + params.size] = params
    return p
