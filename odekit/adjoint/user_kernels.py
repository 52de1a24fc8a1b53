"""The kernels of a user's function as a differentiable field, see `odekit.adjoint.tape`; one lane.

They call the function, its complex form and its second derivative by their addresses, so that they are compiled once.

For n components and m numbers among the arguments, ``state`` (2 n + 2,) and ``slope`` (2 n,) are (t, y) and dy/dt as complex
numbers, real and imaginary parts in turn, and ``q`` (2 m,) are the arguments. A slot of the tape holds (t, y), n + 1 numbers.
"""

from .. import _jit
from .._wrapper_source import COMPLEX_STEP, RAISED
from .tape import (
    N_PARAMS,
    SCRATCH,
    SLOT,
    SLOT_SIZE,
    TAPE,
    THETA,
    add_time_bar,
    core_address,
    lane_time,
)

view1 = _jit.view1

VALUE, COMPLEX = 3, 4  # addresses of the function and of its complex form
DIM = 5
TIMED = 6  # 1: a complex step in t is taken too
SECOND = 7  # address of the second derivative, see `odekit._second_derivative`


@_jit.core
def _value(t, y, dy, p):
    """The field: dy (n,) at t and y (n,)."""
    return _jit.call_scalar(int(p[VALUE]), lane_time(p, t, 0), y, dy, view1(p, int(p[THETA]), int(p[N_PARAMS])))


@_jit.core
def _record(t, y, dy, p):
    """The same, with t and y put into the slot of the tape."""
    slot = int(p[TAPE]) + int(p[SLOT]) * int(p[SLOT_SIZE])
    p[slot] = lane_time(p, t, 0)
    for i in range(int(p[DIM])):
        p[slot + 1 + i] = y[i]
    return _value(t, y, dy, p)


@_jit.core
def _derivative(p, v, state, slope, q):
    """Inner product of v (n,) with the derivative in the direction that stands in the imaginary parts of `state` and `q`."""
    _jit.call_scalar(int(p[COMPLEX]), 0.0, state, slope, q)
    total = 0.0
    for i in range(int(p[DIM])):
        total += v[i] * slope[2 * i + 1]
    return total / COMPLEX_STEP


@_jit.core
def _pull(t, v, out, p):
    """Transpose of the derivative at the recorded point.

    v (n,); out (n + m,), whose first n numbers are replaced, while the others are added to.
    """
    n, n_params = int(p[DIM]), int(p[N_PARAMS])
    slot, scratch, theta = int(p[TAPE]) + int(p[SLOT]) * int(p[SLOT_SIZE]), int(p[SCRATCH]), int(p[THETA])
    state, slope = view1(p, scratch, 2 * n + 2), view1(p, scratch + 2 * n + 2, 2 * n)
    q = view1(p, scratch + 4 * n + 2, 2 * n_params)
    for i in range(n + 1):
        state[2 * i], state[2 * i + 1] = p[slot + i], 0.0
    for i in range(n_params):
        q[2 * i], q[2 * i + 1] = p[theta + i], 0.0
    for j in range(n):
        state[2 * j + 3] = COMPLEX_STEP
        out[j] = _derivative(p, v, state, slope, q)
        state[2 * j + 3] = 0.0
    if p[TIMED] != 0.0:
        state[1] = COMPLEX_STEP
        add_time_bar(p, 0, _derivative(p, v, state, slope, q))
        state[1] = 0.0
    for j in range(n_params):
        q[2 * j + 1] = COMPLEX_STEP
        out[n + j] += _derivative(p, v, state, slope, q)
        q[2 * j + 1] = 0.0
    return 0


@_jit.core
def _tangents(t, given, out, p):
    """The function and its derivatives along k directions: one complex step for each.

    given (1 + k + (1 + k) n,): k, the directions' parts along t, the state, the directions' parts along y. out ((1 + k) n,): the
    slope, then its derivatives.
    """
    n, n_params, scratch, theta = int(p[DIM]), int(p[N_PARAMS]), int(p[SCRATCH]), int(p[THETA])
    count = int(given[0])
    state, slope = view1(p, scratch, 2 * n + 2), view1(p, scratch + 2 * n + 2, 2 * n)
    q = view1(p, scratch + 4 * n + 2, 2 * n_params)
    for i in range(n_params):
        q[2 * i], q[2 * i + 1] = p[theta + i], 0.0
    for c in range(1, 1 + count):
        state[0], state[1] = t, COMPLEX_STEP * given[c] * p[TIMED]
        for i in range(n):
            state[2 * i + 2] = given[1 + count + i]
            state[2 * i + 3] = COMPLEX_STEP * given[1 + count + c * n + i]
        if _jit.call_scalar(int(p[COMPLEX]), 0.0, state, slope, q) != 0:
            return RAISED
        for i in range(n):
            out[i], out[c * n + i] = slope[2 * i], slope[2 * i + 1] / COMPLEX_STEP
    return 0


@_jit.core
def _pull_tangents(t, given, out, p):
    """Transpose of the derivative of all that: one second derivative for each pair of a direction and a number.

    given (1 + k + 2 (1 + k) n,): as for `_tangents`, and behind it the cotangents of what that gives. out (n + m,): as for
    `_pull`.
    """
    n, n_params, scratch, theta = int(p[DIM]), int(p[N_PARAMS]), int(p[SCRATCH]), int(p[THETA])
    count, cotangents = int(given[0]), 1 + int(given[0]) + (1 + int(given[0])) * n
    x, both = view1(p, scratch, 3 * n + 3), view1(p, scratch + 3 * n + 3, 2 * n)
    q = view1(p, scratch + 5 * n + 3, 2 * n_params)
    x[0], x[2 * n + 2] = t, 0.0
    for i in range(n):
        x[1 + i], x[2 * n + 3 + i], out[i] = given[1 + count + i], 0.0, 0.0
    for i in range(n_params):
        q[i], q[n_params + i] = p[theta + i], 0.0
    for c in range(1, 1 + count):
        x[n + 1] = given[c]
        for i in range(n):
            x[n + 2 + i] = given[1 + count + c * n + i]
        for j in range(n + n_params):
            if j < n:
                x[2 * n + 3 + j] = 1.0
            else:
                q[n_params + j - n] = 1.0
            if _jit.call_scalar(int(p[SECOND]), 0.0, x, both, q) != 0:
                return RAISED
            if j < n:
                x[2 * n + 3 + j] = 0.0
            else:
                q[n_params + j - n] = 0.0
            for i in range(n):
                out[j] += given[cotangents + c * n + i] * both[n + i]
                if c == 1:
                    out[j] += given[cotangents + i] * both[i]
    return 0


class Kernels:
    """Addresses of the kernels; those of second derivatives are compiled when they are first asked for."""

    def __init__(self, field):
        self._field = field

    value = property(lambda self: core_address(_value, "user"))
    record = property(lambda self: core_address(_record, "user"))
    pull = property(lambda self: core_address(_pull, "user"))
    tangents = property(lambda self: core_address(_tangents, "user"))
    pull_tangents = property(lambda self: core_address(_pull_tangents, "user"))
    bends = property(lambda self: self._field.bends, doc="Whether the last two are there.")
