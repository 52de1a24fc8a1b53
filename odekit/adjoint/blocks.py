"""Arithmetic on the blocks of lanes that a sweep is cut into: stages, outputs, their transposes.

A block's workspace has rows of d * lanes numbers: the slopes k_i of a step, then the rows named below. The partition into
blocks and groups depends on the batch alone, never on the number of threads, and so do the bits of every result.
"""

from .. import _jit
from .tape import FIRST_SLOT, LANES, SLOT, TIME_BAR

LANE_BLOCK = (
    32  #: Lanes of a block: two blocks of a batch of 64 keep two cores busy; larger ones gain nothing. Measured.
)
GROUPS = 16  #: Gradients are summed in so many groups of blocks, then in order.

view1 = _jit.view1

# rows of the workspace behind the slopes and their cotangents
Y, Y_NEW, Z, LAM, U, TOTAL = range(6)
ROWS = 6


@_jit.core
def block_lanes(k, block, width):
    """Lanes of the k-th block.

    Parameters
    ----------
    k, block, width : int
        Number of the block, lanes of a full block, lanes of the batch.

    Returns
    -------
    int
    """
    return min(block, width - k * block)


@_jit.core_apart
def copy(x, out):
    """out = x, as far as `out` reaches.

    Parameters
    ----------
    x : ndarray, (m,), m >= k
    out : ndarray, (k,)
    """
    for i in range(out.size):
        out[i] = x[i]


@_jit.core_apart
def add(factor, x, out):
    """out += factor x, as far as `out` reaches.

    Parameters
    ----------
    factor : float
    x : ndarray, (m,), m >= k
    out : ndarray, (k,)
    """
    for i in range(out.size):
        out[i] += factor * x[i]


@_jit.core_apart
def combine(y, h, row, count, slopes, z):
    """z = y + h sum_j row[j] slopes[j], j < count.

    Parameters
    ----------
    y, z : ndarray, (d * lanes,)
        States of a block, [d, lanes]; `z` receives.
    h : float
    row : ndarray, (stages,)
        Coefficients, of which the first `count` are used.
    count : int
    slopes : ndarray, (stages, d * lanes)
    """
    for i in range(z.size):
        z[i] = y[i]
    for j in range(count):
        if row[j] != 0.0:
            add(h * row[j], slopes[j], z)


@_jit.core_apart
def weight(row, theta):
    """Dense-output weight sum_d row[d - 1] theta^d of a stage.

    Parameters
    ----------
    row : ndarray, (degree,)
    theta : float
        Place in the step, from 0 to 1.

    Returns
    -------
    float
    """
    value = 0.0
    for d in range(row.size - 1, -1, -1):
        value = (value + row[d]) * theta
    return value


@_jit.core_apart
def weight_rate(row, theta):
    """Derivative of `weight` with respect to theta; arguments as there."""
    value = 0.0
    for d in range(row.size - 1, -1, -1):
        value = value * theta + (d + 1) * row[d]
    return value


@_jit.core_apart
def load(batch, begin, lanes, out):
    """out[d, lanes] = rows begin : begin + lanes of batch[B, d].

    Parameters
    ----------
    batch : ndarray, (B, d)
    begin, lanes : int
    out : ndarray, (d * lanes,)
    """
    d = batch.shape[1]
    for i in range(d):
        for j in range(lanes):
            out[i * lanes + j] = batch[begin + j, i]


@_jit.core_apart
def store(x, begin, lanes, batch):
    """Rows begin : begin + lanes of batch[B, d] = x[d, lanes].

    Parameters
    ----------
    x : ndarray, (d * lanes,)
    begin, lanes : int
    batch : ndarray, (B, d)
    """
    d = batch.shape[1]
    for i in range(d):
        for j in range(lanes):
            batch[begin + j, i] = x[i * lanes + j]


@_jit.core_apart
def add_batch(factor, batch, begin, lanes, out):
    """out[d, lanes] += factor * rows begin : begin + lanes of batch[B, d].

    Parameters
    ----------
    factor : float
    batch : ndarray, (B, d)
    begin, lanes : int
    out : ndarray, (d * lanes,)
    """
    d = batch.shape[1]
    for i in range(d):
        for j in range(lanes):
            out[i * lanes + j] += factor * batch[begin + j, i]


@_jit.core_apart
def dot_batch(batch, begin, lanes, x):
    """Inner product of x[d, lanes] with rows begin : begin + lanes of batch[B, d].

    Parameters
    ----------
    batch : ndarray, (B, d)
    begin, lanes : int
    x : ndarray, (d * lanes,)

    Returns
    -------
    float
    """
    total, d = 0.0, batch.shape[1]
    for i in range(d):
        for j in range(lanes):
            total += batch[begin + j, i] * x[i * lanes + j]
    return total


@_jit.core_apart
def dot(x, y):
    """Inner product.

    Parameters
    ----------
    x, y : ndarray, (m,)

    Returns
    -------
    float
    """
    total = 0.0
    for i in range(x.size):
        total += x[i] * y[i]
    return total


@_jit.core
def slot_of(n, stage, stored, last, stages):
    """Slot of the tape for a stage of step n: the stage at the new solution shares it with the first of the next step.

    Steps from `stored` on share the slots of one step.

    Parameters
    ----------
    n, stage, stored, last, stages : int
        Step, stage, steps with slots of their own, stage at the new solution, number of stages.

    Returns
    -------
    int
    """
    base = min(n, stored) * (stages - 1)
    if stage < last:
        return base + stage
    return base + (stages - 1 if stage == last else stage - 1)


@_jit.core
def evaluate(kernel, p, lanes, slot, t, z, dy):
    """Call `value` or `record` for one block.

    Parameters
    ----------
    kernel : int
        Address.
    p : ndarray
        See `odekit.adjoint.tape`.
    lanes, slot : int
        Lanes of the block, and which of its places for tapes.
    t : float
    z, dy : ndarray, (d * lanes,)
        States, and their derivatives, [d, lanes].

    Returns
    -------
    int
        Status.
    """
    p[LANES], p[SLOT] = lanes, p[FIRST_SLOT] + slot
    return _jit.call_scalar(kernel, t, z, dy, p)


@_jit.core
def pull(kernel, p, lanes, slot, t, u, bar):
    """Call `pull` for one block.

    Parameters
    ----------
    kernel : int
        Address.
    p : ndarray
    lanes, slot : int
    t : float
    u : ndarray, (d * lanes,)
        Cotangents of the derivatives, [d, lanes].
    bar : ndarray, (d * lanes + n_params,)
        Receives those of the states; those of the parameters are added behind them.

    Returns
    -------
    float
        Cotangent of t.
    """
    p[LANES], p[SLOT], p[TIME_BAR] = lanes, p[FIRST_SLOT] + slot, 0.0
    _jit.call_scalar(kernel, t, u, bar, p)
    return p[TIME_BAR]


@_jit.core
def stage_time(t, t_new, c):
    """Time of a stage; at c = 1 it is t_new itself: t + h may round to a point outside the span."""
    return t_new if c == 1.0 else t + c * (t_new - t)


@_jit.core_apart
def take_step(kernel, p, lanes, n, stored, t, t_new, c, a, b, last, y, y_new, z, slopes):
    """Stages 1 to `last` of a step whose first slope is known, and the new solution.

    Parameters
    ----------
    kernel : int
        Address of `value` or `record`.
    p : ndarray
    lanes, n, stored : int
        Lanes of the block, number of the step, and steps that have places of their own for tapes.
    t, t_new : float
        Start and end of the step.
    c, a, b : ndarray, (stages,), (stages, stages), (last,)
        Of the method.
    last : int
        Stage at the new solution.
    y, y_new, z : ndarray, (d * lanes,)
        States at the start and the end, [d, lanes], and memory for those of a stage.
    slopes : ndarray, (stages, d * lanes)

    Returns
    -------
    int
        Status of the kernel.
    """
    h, stages = t_new - t, c.size
    for i in range(1, last):
        combine(y, h, a[i], i, slopes, z)
        slot = slot_of(n, i, stored, last, stages)
        status = evaluate(kernel, p, lanes, slot, stage_time(t, t_new, c[i]), z, slopes[i])
        if status != 0:
            return status
    combine(y, h, b, last, slopes, y_new)
    slot = slot_of(n, last, stored, last, stages)
    for i in range(z.size):
        z[i] = y_new[i]
    return evaluate(kernel, p, lanes, slot, t_new, z, slopes[last])


@_jit.core_apart
def extra_stages(kernel, p, lanes, n, stored, t, t_new, c, a, last, y, z, slopes):
    """The stages behind `last`, which the dense output needs; arguments as for `take_step`.

    Parameters
    ----------
    slopes : ndarray, (stages, d * lanes)
        Those up to `last` are known.

    Returns
    -------
    int
        Status of the kernel.
    """
    for i in range(last + 1, c.size):
        combine(y, t_new - t, a[i], i, slopes, z)
        slot = slot_of(n, i, stored, last, c.size)
        status = evaluate(kernel, p, lanes, slot, stage_time(t, t_new, c[i]), z, slopes[i])
        if status != 0:
            return status
    return 0
