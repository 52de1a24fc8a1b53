"""Derivatives along directions that touch many columns of the Jacobian at once.

Columns that share no row are evaluated together (Curtis, Powell, Reid 1974): a *colour* is such a group. The derivatives
are exact, by one complex step, where the field has a kernel for that; else forward differences.
"""

import numpy as np

from ... import _jit
from .. import jacobian, state

# The scratch memory from w[O_DERIVATIVE] on: the state, the direction and its part in t, as the kernel of directional
# derivatives wants them in a row; then the increments and the derivative.


def scratch_size(n):
    """Floats of scratch memory for n components."""
    return 4 * n + 1


@_jit.core
def _direction(iw):
    """Where the direction begins in w; its part in t is the last of n + 1 numbers. The state is before it."""
    return iw[state.O_DERIVATIVE] + iw[state.N]


@_jit.core
def increments(iw):
    """Where the increments of the components begin in w, 1 where derivatives are exact."""
    return iw[state.O_DERIVATIVE] + 2 * iw[state.N] + 1


@_jit.core
def derivative(iw):
    """Where `evaluate` writes what it finds."""
    return iw[state.O_DERIVATIVE] + 3 * iw[state.N] + 1


@_jit.core
def begin(iw, w):
    """Prepare the evaluation of columns."""
    _t, y, f = jacobian.point(iw, w)
    n = y.size
    x, v = _jit.view1(w, iw[state.O_DERIVATIVE], n), _jit.view1(w, _direction(iw), n + 1)
    step = _jit.view1(w, increments(iw), n)
    rtol, atol = state.vector(iw, w, state.RTOL), state.vector(iw, w, state.ATOL)
    for j in range(n):
        x[j], v[j], step[j] = y[j], 0.0, 1.0
    v[n] = 0.0
    if iw[state.JAC_KIND] != state.JAC_DIRECTION:
        least = jacobian.least_increment(iw, w, y, f)
        for j in range(n):
            weight = rtol[j] * abs(y[j]) + atol[j]
            step[j] = (y[j] + jacobian.increment(y[j], w[state.H] * f[j], weight, least)) - y[j]  # as represented


@_jit.core
def vary_every(iw, w, y, first, stride, on):
    """Include columns, from the first on, in the next evaluation, or no longer; y (n,) is the state at the point."""
    n, place = y.size, increments(iw)
    if iw[state.JAC_KIND] == state.JAC_DIRECTION:
        v, value = _jit.view1(w, _direction(iw), n), 1.0 if on else 0.0
        for j in range(first, n, stride):
            v[j] = value
    else:
        x, step = _jit.view1(w, iw[state.O_DERIVATIVE], n), _jit.view1(w, place, n)
        for j in range(first, n, stride):
            x[j] = y[j] + step[j] if on else y[j]


@_jit.core
def vary(iw, w, y, j, on):
    """Include column j in the next evaluation, or no longer; y (n,) is the state at the point."""
    if iw[state.JAC_KIND] == state.JAC_DIRECTION:
        w[_direction(iw) + j] = 1.0 if on else 0.0
    else:
        w[iw[state.O_DERIVATIVE] + j] = y[j] + w[increments(iw) + j] if on else y[j]


@_jit.core
def evaluate(fn, iw, w, p):
    """Write the sum of the included columns, each times its increment; step code."""
    t, _, f = jacobian.point(iw, w)
    x, out = _jit.view1(w, iw[state.O_DERIVATIVE], iw[state.N]), _jit.view1(w, derivative(iw), iw[state.N])
    if iw[state.JAC_KIND] == state.JAC_DIRECTION:
        status = _jit.call_scalar(fn[state.JAC], t, x, out, p)
    else:
        iw[state.NFEV] += 1
        status = _jit.call_scalar(fn[state.F], t, x, out, p)
        for i in range(out.size):
            out[i] -= f[i]
    return state.ACCEPTED if status == 0 else state.rhs_raised(w, t, state.vector(iw, w, state.SCRATCH), x)


@_jit.core
def evaluate_rate(fn, iw, w, p):
    """Write df/dt behind the Jacobian, where the kernel of directional derivatives knows it; step code."""
    if iw[state.JAC_KIND] != state.JAC_DIRECTION or iw[state.TIME_KIND] != state.TIME_KERNEL:
        return state.ACCEPTED
    n = iw[state.N]
    w[_direction(iw) + n] = 1.0
    code = evaluate(fn, iw, w, p)
    w[_direction(iw) + n] = 0.0
    rate, out = _jit.view1(w, iw[state.O_IMPLICIT] + iw[state.J_SIZE], n), _jit.view1(w, derivative(iw), iw[state.N])
    for i in range(n):
        rate[i] = out[i]
    return code


@_jit.core
def wanted(iw):
    """Whether the Jacobian is to be found column by column."""
    return iw[state.JAC_KIND] == state.JAC_DIFFERENCE or iw[state.JAC_KIND] == state.JAC_DIRECTION


# ---------------------------------------------------------------------------------------------------------------------
# a Jacobian on a pattern


class Pattern:
    """Places of a matrix that need not be zero, and its colours.

    Parameters
    ----------
    matrix : sparse matrix, (n, n)
    targets : callable, optional
        ``targets(rows, columns)``: where each number is kept; default: in the order of the pattern, column by column.
    """

    def __init__(self, matrix, targets=None):
        n = matrix.shape[0]
        self.n = n
        self.starts, self.rows = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64)
        self.columns = np.repeat(np.arange(n), np.diff(self.starts))
        self.targets = np.arange(self.rows.size) if targets is None else targets(self.rows, self.columns)
        self.groups = _groups(matrix)
        self.n_colours = int(self.groups.max(initial=-1)) + 1

    def key(self):
        """What tells the pattern from others."""
        return self.n, self.starts.tobytes(), self.rows.tobytes()

    @property
    def integers(self):
        """For `evaluate_pattern`: starts of the columns, columns by colour, starts of the colours, rows, targets."""
        order = np.argsort(self.groups, kind="stable")
        colours = np.searchsorted(self.groups[order], np.arange(self.n_colours + 1))
        return np.concatenate((self.starts, order, colours, self.rows, self.targets)).astype(np.int64)

    def pack(self, matrix, size):
        """The numbers of a matrix in their places; entries outside of the pattern must be zero.

        Raises
        ------
        ValueError
            If one is not.
        """
        from scipy import sparse

        matrix = sparse.coo_array(matrix)
        rows, columns = matrix.coords
        keys = self.columns * self.n + self.rows  # sorted
        wanted_keys = columns.astype(np.int64) * self.n + rows
        places = np.minimum(np.searchsorted(keys, wanted_keys), max(keys.size - 1, 0))
        found = keys[places] == wanted_keys if keys.size else np.zeros(wanted_keys.size, dtype=bool)
        lost = np.flatnonzero(~found & (matrix.data != 0))
        if lost.size:
            raise ValueError(
                f"jac has an entry in row {rows[lost[0]]}, column {columns[lost[0]]}, where the structure that is given "
                "for it has none"
            )
        values = np.zeros(size)
        np.add.at(values, self.targets[places[found]], matrix.data[found])
        return values


def _groups(matrix):
    """Colour of each column: no two columns of a colour share a row."""
    from scipy.optimize._numdiff import group_columns

    return group_columns(matrix) if matrix.shape[0] else np.empty(0, dtype=np.int64)


@_jit.core
def evaluate_pattern(fn, iw, w, p, values):
    """Evaluate a Jacobian on a pattern, colour by colour; values (iw[J_SIZE],) in the order of `Pattern.targets`. Step code."""
    n, place = iw[state.N], iw[state.O_STRUCTURE]
    order, colours = place + n + 1, place + 2 * n + 1
    rows = colours + iw[state.N_COLOURS] + 1
    targets = rows + iw[place + n]
    _, y, _ = jacobian.point(iw, w)
    begin(iw, w)
    step, out = _jit.view1(w, increments(iw), iw[state.N]), _jit.view1(w, derivative(iw), iw[state.N])
    for colour in range(iw[state.N_COLOURS]):
        first, last = order + iw[colours + colour], order + iw[colours + colour + 1]
        for k in range(first, last):
            vary(iw, w, y, iw[k], True)
        code = evaluate(fn, iw, w, p)
        if code != state.ACCEPTED:
            return code
        for k in range(first, last):
            j = iw[k]
            vary(iw, w, y, j, False)
            inverse = 1.0 / step[j]
            for m in range(iw[place + j], iw[place + j + 1]):
                values[iw[targets + m]] = out[iw[rows + m]] * inverse
    return evaluate_rate(fn, iw, w, p)


@_jit.core
def bound_pattern(iw, w, values):
    """Upper bound of the spectral radius: the smaller of the row-sum and the column-sum norm; values as in `evaluate_pattern`."""
    n, place = iw[state.N], iw[state.O_STRUCTURE]
    rows = place + 2 * n + 1 + iw[state.N_COLOURS] + 1
    targets = rows + iw[place + n]
    sums, by_columns = _jit.view1(w, derivative(iw), iw[state.N]), 0.0
    for i in range(n):
        sums[i] = 0.0
    for j in range(n):
        column = 0.0
        for m in range(iw[place + j], iw[place + j + 1]):
            size = abs(values[iw[targets + m]])
            column += size
            sums[iw[rows + m]] += size
        by_columns = max(by_columns, column)
    by_rows = 0.0
    for i in range(n):
        by_rows = max(by_rows, sums[i])
    return min(by_rows, by_columns)


def jacobian_on_pattern(fn, iw, w, p):
    """Evaluate the Jacobian, see `odekit.solvers.jacobian.evaluate`, of a sparse matrix or of a band in another order."""
    values = _jit.view1(w, iw[state.O_IMPLICIT], iw[state.J_SIZE])
    code = jacobian.begin(fn, iw, w, p)
    if code == state.ACCEPTED and wanted(iw):
        code = evaluate_pattern(fn, iw, w, p, values)
    return jacobian.finish(iw, w, bound_pattern(iw, w, values)) if code == state.ACCEPTED else code
