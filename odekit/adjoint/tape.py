"""What an adjoint knows of a differentiable field: its kernels, and a header in front of the vector `p` that they take.

A *field* has ``dim``, ``params``, ``kernels`` and ``pack(lanes, slots)``. Its kernels have the signature of
`odekit._jit.SCALAR_SIGNATURE`; the state is y[d, W] in C order, one column per lane.

* ``value(t, y, dy, p)``: the field, for any number of lanes.
* ``record(t, y, dy, p)``: the same for one block, and slot ``p[SLOT]`` of the tape holds what `pull` needs.
* ``pull(t, v, out, p)``: transpose of the derivative at the recorded point. `v` is the cotangent of dy; ``out`` receives the
  cotangent of y, then that of the parameters, which is added to what stands there; that of t is added to ``p[TIME_BAR]``.

The exact adjoint of Rosenbrock steps, which contain the Jacobian, needs two more kernels, and a field that has them takes
``pack(lanes, slots, directions=most)``. Their argument begins with the number k of directions, the parts of these along t, the state
y[d, W], and the parts of the directions along y, k times [d, W]:

* ``tangents(t, given, out, p)``: `out` receives the field and its derivatives along the directions, each [d, W].
* ``pull_tangents(t, given, out, p)``: transpose of the derivative of all that, right after `tangents` with the same argument,
  which has left in the scratch memory what it needs. Behind the directions stand the cotangents of the field and of its k
  derivatives; `out` is as for `pull`, and so is that of t, which a user's function leaves out.

In a call with ``p[TIMES]`` every lane has a time of its own, and `t` means nothing; it has at most ``p[BLOCK]`` lanes then. A kernel
that depends on the time asks `lane_time` for it and gives its cotangent to `add_time_bar`; its field then has ``lane_times = True``.

A field may compute in single precision: its ``dtype`` is then float32, and THETA, TAPE, SLOT_SIZE and SCRATCH count float32 numbers.
State, slopes and cotangents stay float64.

Neither the integrators nor the adjoints know what is behind them: a network, or a user's function.
"""

import ctypes
import functools

import numpy as np

from .. import _jit

SLOT = 0  # slot of the tape that `record` writes and `pull` reads
LANES = 1  # lanes in a call
BLOCK = 2  # lanes that the field kernel treats at once, so that their activations stay in the cache
# 3 to 7 belong to the field
N_PARAMS = 8
THETA = 9  # offset of the parameters
TAPE = 10  # offset of the first slot
SLOT_SIZE = 11
SCRATCH = 12  # offset of memory that no call leaves anything in
SIZE = 13  # of p
# 14 to 17 belong to the field
TIME_BAR = 18  # the cotangent of t is added to it
TIMES = 19  # 0, or the offset of two rows of p[LANES] numbers: the lanes' times, and their cotangents
FIRST_SLOT = 20  # of the block of lanes at hand; the adjoints count their slots from it
HEADER = 21  # then what belongs to the field, and the parameters


@_jit.core
def lane_time(p, t, lane):
    """Time of a lane, in a call for the time t."""
    return t if p[TIMES] == 0.0 else p[int(p[TIMES]) + lane]


@_jit.core
def add_time_bar(p, lane, value):
    """Add to the cotangent of a lane's time."""
    p[TIME_BAR] += value
    if p[TIMES] != 0.0:
        p[int(p[TIMES]) + int(p[LANES]) + lane] += value


def precision(field):
    """Type of the numbers that a field computes with."""
    return np.dtype(getattr(field, "dtype", "float64"))


def parameters_in(p, field):
    """The parameters in the vector p (size,) of a field, or in several (k, size), as a view (n_params,) or (k, n_params)."""
    theta = int(p[..., THETA].flat[0])
    return p.view(precision(field))[..., theta : theta + field.params.size]


def prefix_of(packed, field):
    """What stands before the tape in the vector that a field has packed: header and parameters."""
    return packed[: int(packed[TAPE]) * precision(field).itemsize // packed.itemsize]


def scalar_address(function):
    """Address of a kernel of this package over the pointers (t, y, dy, p), with a header in p.

    Parameters
    ----------
    function : function
        Plain Python function.

    Returns
    -------
    int
    """
    if not _jit.JIT_DISABLED:
        return _jit.cfunc_address(function, _jit.SCALAR_SIGNATURE)

    def callback(t, y, dy, p):
        p = _jit._pointer_to_array(p, int(_jit._pointer_to_array(p, SIZE + 1)[SIZE]))
        # more than any kernel reads or writes through the other pointers, also in a call for many blocks of lanes
        longest = p.size * (1 + int(p[LANES] / max(1.0, p[BLOCK])))
        with np.errstate(all="ignore"):
            return function(t, _jit._pointer_to_array(y, longest), _jit._pointer_to_array(dy, longest), p)

    trampoline = _jit.SCALAR_CTYPE(callback)
    _jit.functions[id(trampoline)] = trampoline
    return ctypes.cast(trampoline, ctypes.c_void_p).value


_LENGTH = 2**40  # of views whose length nothing looks at


@functools.cache
def core_address(core, prefix):
    """Address of a scalar kernel that is one compiled function of views.

    Parameters
    ----------
    core : compiled function
        ``core(t, y, dy, p) -> status`` of a number and three vectors.
    prefix : str
        Of the kernel's name, before that of `core`.

    Returns
    -------
    int
    """
    name = f"{prefix}{core.__name__}"
    source = f"def {name}(t, y, dy, p):\n    return core(t, view1(y, 0, LENGTH), view1(dy, 0, LENGTH), view1(p, 0, LENGTH))\n"
    function = _jit.exec_source(source, name, {"core": core, "view1": _jit.view1, "LENGTH": _LENGTH}, True)
    return scalar_address(function)
