"""Arithmetic on lanes that all have their own time and step: where a block's numbers lie, stages, one lane by itself."""

from .. import _jit
from . import blocks as B
from .tape import LANES, SIZE, SLOT, TIMES

view1, view2 = _jit.view1, _jit.view2

LANE_COUNT = 32  # as in `odekit.adjoint.blocks`
#: A call has a multiple of so many lanes, where there are so many: whole vectors of any machine. Those beyond the active ones
#: are copies of the first.
LANE_MULTIPLE = 8

# rows of d * lanes numbers in the workspace of a group, behind two for each stage
Y, Y_NEW, Z, U, BAR = range(5)
ROWS = 5
# then rows of one number per lane
START, END, SQUARE, SQUARE_LOW, FINITE = range(5)
LANE_ROWS = 5


def work_size(stages, d, lanes):
    """Numbers in the workspace of a group: 2 stages + `ROWS` rows [d, lanes] and `LANE_ROWS` rows of one per lane, in C order."""
    return (2 * stages + ROWS) * d * lanes + LANE_ROWS * lanes


@_jit.core
def padded(active, most):
    """Lanes of a call for so many active ones."""
    return min(most, (active + LANE_MULTIPLE - 1) // LANE_MULTIPLE * LANE_MULTIPLE)


# put into their callers as source, because a function without reference counts returns no array
_view = _jit.njit(**_jit.CORE_OPTIONS, inline="always")


@_view
def vector(work, stages, d, lanes, k):
    """One of the vectors named above.

    Parameters
    ----------
    work : ndarray, (work_size(stages, d, lanes),)
    stages, d, lanes, k : int
        `k` is its name, `Y` for one.

    Returns
    -------
    ndarray, (d * lanes,)
        A view.
    """
    return view1(work, (2 * stages + k) * d * lanes, d * lanes)


@_view
def lane_row(work, stages, d, lanes, k):
    """One of the rows of numbers per lane.

    Parameters
    ----------
    work : ndarray, (work_size(stages, d, lanes),)
    stages, d, lanes, k : int
        `k` is its name, `START` for one.

    Returns
    -------
    ndarray, (lanes,)
        A view.
    """
    return view1(work, (2 * stages + ROWS) * d * lanes + k * lanes, lanes)


@_jit.core
def column(batch, k, d, lanes, lane, x):
    """Column `lane` of x[d, lanes] = batch[k].

    Parameters
    ----------
    batch : ndarray, (B, d)
    k, d, lanes, lane : int
    x : ndarray, (d * lanes,)
    """
    for i in range(d):
        x[i * lanes + lane] = batch[k, i]


@_jit.core
def evaluate(kernel, p, lanes, slot, c, start, end, z, dy):
    """Call `value` or `record` with every lane at its stage time.

    Parameters
    ----------
    kernel : int
        Address.
    p : ndarray
        See `odekit.adjoint.tape`; with room for the lanes' times.
    lanes, slot : int
    c : float
        Of the stage.
    start, end : ndarray, (lanes,)
        Of each lane's step.
    z, dy : ndarray, (d * lanes,)

    Returns
    -------
    int
        Status.
    """
    times = view1(p, int(p[TIMES]), lanes)
    for j in range(lanes):
        times[j] = B.stage_time(start[j], end[j], c)
    return B.evaluate(kernel, p, lanes, slot, start[0], z, dy)


@_jit.core
def combine(y, start, end, row, count, slopes, z):
    """z = y + h sum_j row[j] slopes[j], j < count, with every lane's own h.

    Parameters
    ----------
    y, z : ndarray, (d * lanes,)
    start, end : ndarray, (lanes,)
    row : ndarray, (stages,)
    count : int
    slopes : ndarray, (stages, d * lanes)
    """
    lanes = start.size
    for i in range(z.size):
        z[i] = 0.0
    for j in range(count):
        if row[j] != 0.0:
            B.add(row[j], slopes[j], z)
    for i in range(0, z.size, lanes):
        for j in range(lanes):
            z[i + j] = y[i + j] + (end[j] - start[j]) * z[i + j]


@_jit.core
def stage(kernel, p, method, i, lanes, slot, work, d):
    """Evaluate the i-th stage at the point that the slopes before it give.

    Parameters
    ----------
    kernel : int
        Address of `value` or `record`.
    p : ndarray
    method : tuple
        From `odekit.adjoint.scheme.Scheme.arrays`.
    i, lanes, slot, d : int
    work : ndarray, (work_size(stages, d, lanes),)

    Returns
    -------
    int
        Status.
    """
    c, a = method[0], method[1]
    stages = c.size
    y, z = vector(work, stages, d, lanes, Y), vector(work, stages, d, lanes, Z)
    start, end = lane_row(work, stages, d, lanes, START), lane_row(work, stages, d, lanes, END)
    slopes = view2(work, 0, stages, d * lanes)
    combine(y, start, end, a[i], i, slopes, z)
    return evaluate(kernel, p, lanes, slot, c[i], start, end, z, slopes[i])


@_jit.core
def alone(kernel, p, d, lanes, lane, t, z, dy):
    """Whether the kernel fails for a lane by itself; its column of `dy` is what the kernel gives.

    Parameters
    ----------
    kernel : int
        Address of `value` or `record`.
    p : ndarray
    d, lanes, lane : int
    t : float
        Time of the lane.
    z, dy : ndarray, (d * lanes,)

    Returns
    -------
    bool
    """
    place = int(p[SIZE]) - 2 * d  # the last numbers of p are for this
    one, slope = view1(p, place, d), view1(p, place + d, d)
    for i in range(d):
        one[i] = z[i * lanes + lane]
    p[int(p[TIMES])] = t
    p[LANES], p[SLOT] = 1, 0
    status = _jit.call_scalar(kernel, t, one, slope, p)
    for i in range(d):
        dy[i * lanes + lane] = slope[i]
    return status != 0
