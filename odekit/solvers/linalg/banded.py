"""Banded matrices: their Jacobian, and the kernels of their linear systems.

A matrix whose band is narrow only after its rows and columns have been put into another order is solved in that order.
"""

import functools

import numpy as np

from ... import _jit
from .. import jacobian, state
from . import MAX_MATRICES, Structure, band_lu, columns, factors_place, kernel_address, narrow
from .dense_lu import pivots_view


@_jit.core
def _bound(J, uband, by_rows, by_columns):
    """Upper bound of the spectral radius: the smaller of the row-sum and the column-sum norm.

    J (lband + uband + 1, n) as in `odekit.solvers.linalg.band_lu`; by_rows and by_columns (n,) are scratch.
    """
    n = J.shape[1]
    for i in range(n):
        by_rows[i] = by_columns[i] = 0.0
    for d in range(J.shape[0]):
        diagonal, below = J[d], d - uband
        for j in range(max(0, -below), min(n, n - below)):
            by_columns[j] += abs(diagonal[j])
        for i in range(max(0, below), min(n, n + below)):
            by_rows[i] += abs(diagonal[i - below])
    rows = columns_ = 0.0
    for i in range(n):
        rows, columns_ = max(rows, by_rows[i]), max(columns_, by_columns[i])
    return min(rows, columns_)


@_jit.core
def _evaluate(fn, iw, w, p, J):
    """Evaluate the band J (lband + uband + 1, n): columns that are its width apart share no row; step code."""
    n, uband, colours = iw[state.N], iw[state.UBAND], iw[state.N_COLOURS]
    _, y, _ = jacobian.point(iw, w)
    columns.begin(iw, w)
    step, out = _jit.view1(w, columns.increments(iw), n), _jit.view1(w, columns.derivative(iw), n)
    for colour in range(colours):
        columns.vary_every(iw, w, y, colour, colours, True)
        code = columns.evaluate(fn, iw, w, p)
        if code != state.ACCEPTED:
            return code
        columns.vary_every(iw, w, y, colour, colours, False)
        for d in range(J.shape[0]):
            diagonal, below = J[d], d - uband
            for j in range(colour, n, colours):
                if 0 <= j + below < n:
                    diagonal[j] = out[j + below] / step[j]
    return columns.evaluate_rate(fn, iw, w, p)


def jacobian_banded(fn, iw, w, p):
    """Evaluate the Jacobian, see `odekit.solvers.jacobian.evaluate`."""
    n, uband = iw[state.N], iw[state.UBAND]
    J = _jit.view2(w, iw[state.O_IMPLICIT], iw[state.LBAND] + uband + 1, n)
    code = jacobian.begin(fn, iw, w, p)
    if code == state.ACCEPTED and columns.wanted(iw):
        code = _evaluate(fn, iw, w, p, J)
    if code != state.ACCEPTED:
        return code
    by_rows, by_columns = _jit.view1(w, columns.derivative(iw), n), _jit.view1(w, columns.increments(iw), n)
    return jacobian.finish(iw, w, _bound(J, uband, by_rows, by_columns))


# The integers behind the pivots: for a band in another order first its pattern; then how far U reaches for each matrix
# and, in another order, the component at each place of it.

_FACTOR = """
def {name}(fn, iw, w, p, b, matrix):
    n, place, lband, uband = iw[N], factors_place(iw, matrix), iw[LBAND], iw[UBAND]
    J = view2(w, iw[O_IMPLICIT], lband + uband + 1, n)
    pivots = pivots_view(iw, IW_HEADER, n * (matrix + 1))[n * matrix :]
    shift, imaginary, scale = w[SHIFTS + 3 * matrix], w[SHIFTS + 3 * matrix + 1], w[SHIFTS + 3 * matrix + 2]
    if {has_complex} and matrix > 0:
        lu_c = view2c(w, place, n, 2 * lband + uband + 1)
        reach = factor_complex(J, lband, uband, complex(shift, imaginary), scale, lu_c, pivots)
    else:
        lu = view2(w, place, n, 2 * lband + uband + 1)
        reach = factor(J, lband, uband, shift, scale, lu, pivots)
    iw[iw[O_BAND] + matrix] = reach
    return ACCEPTED if reach >= 0 else SINGULAR
"""
_SOLVE = """
def {name}(fn, iw, w, p, b, matrix):
    n, place, lband, uband = iw[N], factors_place(iw, matrix), iw[LBAND], iw[UBAND]
    pivots = pivots_view(iw, IW_HEADER, n * (matrix + 1))[n * matrix :]
    reach = iw[iw[O_BAND] + matrix]
    order, reordered = iw[O_BAND] + MAX_MATRICES, w
    if {has_complex} and matrix > 0:
        lu_c, b_c = view2c(w, place, n, 2 * lband + uband + 1), view1c(b, 0, n)
        if {reordered}:
            x_c = view1c(w, iw[O_DERIVATIVE], n)
            for i in range(n):
                x_c[i] = b_c[iw[order + i]]
            solve_complex(lu_c, pivots, lband, uband, reach, x_c)
            for i in range(n):
                b_c[iw[order + i]] = x_c[i]
        else:
            solve_complex(lu_c, pivots, lband, uband, reach, b_c)
    else:
        lu, b_r = view2(w, place, n, 2 * lband + uband + 1), view1(b, 0, n)
        if {reordered}:
            x = view1(w, iw[O_DERIVATIVE], n)
            for i in range(n):
                x[i] = b_r[iw[order + i]]
            solve(lu, pivots, lband, uband, reach, x)
            for i in range(n):
                b_r[iw[order + i]] = x[i]
        else:
            solve(lu, pivots, lband, uband, reach, b_r)
    return ACCEPTED
"""
_NAMES = "N LBAND UBAND O_BAND O_IMPLICIT O_DERIVATIVE IW_HEADER SHIFTS ACCEPTED SINGULAR"
_NAMESPACE = {
    **{name: getattr(state, name) for name in _NAMES.split()},
    **{view: getattr(_jit, view) for view in ("view1", "view1c", "view2", "view2c")},
    "factors_place": factors_place,
    "pivots_view": pivots_view,
    "MAX_MATRICES": MAX_MATRICES,
}


@functools.cache
def _kernels(has_complex, reordered, widths):
    """Cores of the factorisation and of the solve; without complex matrices nothing is compiled for them.

    `widths` are those of a narrow band, else empty.
    """
    ending = "_complex" * has_complex
    numbers = "".join(f"_{width}" for width in widths)
    names = f"factor_banded{ending}{numbers}", f"solve_banded{ending}{'_reordered' * reordered}{numbers}"
    namespace = {**_NAMESPACE}
    for kind in ("", "_complex"):
        narrow_ones = (narrow.factor(*widths, bool(kind)), narrow.solve(*widths, bool(kind))) if widths else None
        namespace["factor" + kind], namespace["solve" + kind] = narrow_ones or (band_lu.factor, band_lu.solve)
    return [
        _jit.exec_source(source.format(name=name, has_complex=has_complex, reordered=reordered), name, namespace)
        for source, name in zip((_FACTOR, _SOLVE), names, strict=True)
    ]


class Banded(Structure):
    """A Jacobian with `lband` diagonals below the main one and `uband` above it.

    Parameters
    ----------
    n, lband, uband : int
    pattern : sparse matrix, (n, n), optional
        Places that need not be zero, in the order of the state.
    order : ndarray, (n,), optional
        Component at each place of the order in which the matrix is a band; needs the pattern.
    """

    name = "banded"
    source = "the band"

    def __init__(self, n, lband, uband, pattern=None, order=None):
        self.n = n
        self.lband, self.uband = min(lband, max(n - 1, 0)), min(uband, max(n - 1, 0))
        self.order, self.pattern = order, None
        self.scratch_size = columns.scratch_size(n)
        self.n_colours = min(self.lband + self.uband + 1, n)
        if order is not None:
            place = np.empty(n, dtype=np.int64)
            place[order] = np.arange(n)
            self.pattern = columns.Pattern(
                pattern, lambda rows, columns_: (self.uband + place[rows] - place[columns_]) * n + place[columns_]
            )
            self.n_colours, self.source = self.pattern.n_colours, "jac_sparsity"

    @property
    def jacobian_size(self):
        """Floats of the Jacobian."""
        return (self.lband + self.uband + 1) * self.n

    @property
    def factor_size(self):
        """Floats of the factors of one real matrix."""
        return (2 * self.lband + self.uband + 1) * self.n

    @property
    def integers(self):
        """The pattern if there is one, room for `reach`, the order."""
        parts = [] if self.pattern is None else [self.pattern.integers]
        parts += [np.zeros(MAX_MATRICES, dtype=np.int64), [] if self.order is None else self.order]
        return np.concatenate(parts).astype(np.int64)

    def places(self):
        """Rows and columns of the places that need not be zero, and the colour of each column."""
        if self.pattern is not None:
            return self.pattern.rows, self.pattern.columns, self.pattern.groups
        j = np.tile(np.arange(self.n), self.lband + self.uband + 1)
        i = j + np.repeat(np.arange(-self.uband, self.lband + 1), self.n)
        inside = (i >= 0) & (i < self.n)
        return i[inside], j[inside], np.arange(self.n) % max(self.n_colours, 1)

    def key(self):
        """What tells the structure from others."""
        return (self.n, self.lband, self.uband) if self.pattern is None else self.pattern.key()

    def offset(self):
        """Where the integers after the pattern begin."""
        return 0 if self.pattern is None else self.pattern.integers.size

    def pack(self, matrix):
        """The numbers of a Jacobian: packed as SciPy wants it, (lband + uband + 1, n), or of shape (n, n).

        Raises
        ------
        ValueError
            If there is a number outside of the band.
        """
        rows = self.lband + self.uband + 1
        if self.pattern is not None:
            return self.pattern.pack(matrix, self.jacobian_size)
        if matrix.shape == (rows, self.n):
            return np.ascontiguousarray(matrix, dtype=np.float64).ravel()
        from scipy import sparse

        matrix = sparse.coo_array(matrix)
        i, j = matrix.coords
        lost = np.flatnonzero(((i - j > self.lband) | (j - i > self.uband)) & (matrix.data != 0))
        if lost.size:
            raise ValueError(
                f"jac has an entry in row {i[lost[0]]}, column {j[lost[0]]}, outside of the band of "
                f"lband={self.lband}, uband={self.uband}"
            )
        inside = (i - j <= self.lband) & (j - i <= self.uband)
        values = np.zeros((rows, self.n))
        np.add.at(values, ((self.uband + i - j)[inside], j[inside]), matrix.data[inside])
        return values.ravel()

    def jacobian_kernel(self):
        """Core that evaluates the Jacobian."""
        return jacobian_banded if self.order is None else columns.jacobian_on_pattern

    def addresses(self, complex_matrices):
        """Addresses of the kernels, by their places in ``fn``."""
        widths = (self.lband, self.uband) if narrow.suits(self.n, self.lband, self.uband) else ()
        factor, solve = _kernels(complex_matrices > 0, self.order is not None, widths)
        return {state.FACTOR: kernel_address(factor), state.SOLVE: kernel_address(solve)}
