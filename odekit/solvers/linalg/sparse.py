"""Sparse matrices: SuperLU of SciPy, called back from the kernels.

The Jacobian is its numbers on a fixed pattern, column by column. The order of rows and columns that keeps the factors sparse is
found once; each factorisation then takes the matrix in that order as it is. Pivots stay on the diagonal while they are not
much smaller than the largest number of their column, which keeps the factors as sparse as the order makes them.

The factors live outside of the state arrays. After a checkpoint they are made again, from the Jacobian, the shift and the
scale in the arrays, when they are first needed.
"""

import ctypes

import numpy as np

from ... import _callback, _jit
from .. import state
from . import MAX_MATRICES, Structure, columns

#: A diagonal element is the pivot where it is at least this fraction of the largest in its column (SuperLU's advice for
#: symmetric patterns is a small number; 1 would be partial pivoting).
PIVOT_THRESHOLD = 0.1

_MATRIX_CTYPE = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 5, ctypes.c_int64)


class Analysis:
    """What is known of a pattern before any number: the order of its rows and columns, and what the factors will need.

    Parameters
    ----------
    pattern : scipy.sparse.csc_array, (n, n)
        Ones, the diagonal included, in canonical form.
    """

    def __init__(self, pattern):
        self.pattern = columns.Pattern(pattern)
        self.order, self.fill = _fill_reducing_order(pattern)
        rows, columns_, n = self.pattern.rows, self.pattern.columns, self.pattern.n
        place = np.empty(n, dtype=np.int64)
        place[self.order] = np.arange(n)
        #: The numbers of the Jacobian in that order, and their rows and columns there.
        self.source = np.lexsort((place[rows], place[columns_]))
        self.rows = place[rows][self.source].astype(np.int32)
        sorted_columns = place[columns_][self.source]
        self.starts = np.searchsorted(sorted_columns, np.arange(n + 1)).astype(np.int32)
        self.diagonal = np.flatnonzero(self.rows == sorted_columns)


class Sparse(Structure):
    """A Jacobian on a pattern.

    Parameters
    ----------
    analysis : Analysis
    """

    name = "sparse"
    source = "jac_sparsity"
    compiled = False  # it calls Python back

    def __init__(self, analysis):
        super().__init__(analysis.pattern.n)
        self.analysis, self.pattern = analysis, analysis.pattern
        self.n_colours = self.pattern.n_colours
        self.scratch_size = columns.scratch_size(self.n)
        self.forget()
        self.raised = []
        self._callbacks = []

    def forget(self):
        """Forget the factors."""
        self._factors = [None] * MAX_MATRICES

    @property
    def jacobian_size(self):
        """Floats of the Jacobian."""
        return self.pattern.rows.size

    @property
    def factor_size(self):
        """None: SuperLU keeps its factors."""
        return 0

    @property
    def integers(self):
        """The pattern."""
        return self.pattern.integers

    def places(self):
        """Rows and columns of the places that need not be zero, and the colour of each column."""
        return self.pattern.rows, self.pattern.columns, self.pattern.groups

    def key(self):
        """What tells the structure from others."""
        return self.pattern.key()

    def pack(self, matrix):
        """The numbers of a Jacobian on the pattern.

        Raises
        ------
        ValueError
            If there is a number outside of it.
        """
        return self.pattern.pack(matrix, self.jacobian_size)

    def jacobian_kernel(self):
        """Core that evaluates the Jacobian."""
        return columns.jacobian_on_pattern

    # what compiled code calls ------------------------------------------------------------------------------------------

    def factorise(self, iw, w, matrix):
        """Factorise a matrix; step code."""
        from scipy.sparse import csc_array
        from scipy.sparse.linalg import splu

        self._factors[matrix] = None
        shift, imaginary, scale = w[state.SHIFTS + 3 * matrix : state.SHIFTS + 3 * matrix + 3]
        start = int(iw[state.O_IMPLICIT])
        known = self.analysis
        numbers = -scale * w[start : start + self.jacobian_size][known.source]
        if matrix > 0:
            numbers = numbers.astype(np.complex128)
            shift = complex(shift, imaginary)
        numbers[known.diagonal] += shift
        ordered = csc_array((numbers, known.rows, known.starts), shape=(self.n, self.n))
        ordered.has_sorted_indices = True
        try:
            self._factors[matrix] = splu(
                ordered, permc_spec="NATURAL", diag_pivot_thresh=PIVOT_THRESHOLD, options={"SymmetricMode": True}
            )
        except RuntimeError:  # "Factor is exactly singular"
            return state.SINGULAR
        return state.ACCEPTED

    def solve(self, iw, w, matrix, b):
        """Solve in place; step code."""
        if self._factors[matrix] is None:
            code = self.factorise(iw, w, matrix)
            if code != state.ACCEPTED:
                return code
        order = self.analysis.order
        b[order] = self._factors[matrix].solve(b[order])
        return state.ACCEPTED

    def _factor_python(self, _fn, iw, w, _p, _b, matrix):
        """`factorise` as a kernel of the linear systems, see `odekit.solvers.linalg.kernel_address`."""
        return self._guarded(self.factorise, iw, w, int(matrix))

    def _solve_python(self, _fn, iw, w, _p, b, matrix):
        """`solve` likewise."""
        return self._guarded(self.solve, iw, w, int(matrix), b)

    def _guarded(self, function, iw, w, *rest):
        """Call back into Python; an exception is kept in ``raised`` and becomes a step code."""
        code = _callback.guarded(self.raised, function, iw, w, *rest)
        return state.RHS_RAISED if code is _callback.RAISED else code

    def addresses(self, complex_matrices):
        """Addresses of the kernels, by their places in ``fn``; valid as long as this object lives."""
        if _jit.JIT_DISABLED:
            functions = self._factor_python, self._solve_python
            self._callbacks = list(functions)
            factor, solve = (_jit.python_address(function) for function in functions)
        else:
            arrays = _Arrays()

            def factorise(_fn, iw, w, _p, _b, matrix):
                iw, w = arrays.state(iw, w)
                return self._guarded(self.factorise, iw, w, matrix)

            def solve_(_fn, iw, w, _p, b, matrix):
                iw, w = arrays.state(iw, w)
                return self._guarded(self.solve, iw, w, matrix, arrays.vector(b, self.n, matrix > 0))

            self._callbacks = [_MATRIX_CTYPE(factorise), _MATRIX_CTYPE(solve_)]
            factor, solve = (ctypes.cast(callback, ctypes.c_void_p).value for callback in self._callbacks)
        return {state.FACTOR: factor, state.SOLVE: solve}


class _Arrays:
    """The state arrays behind the pointers that compiled code passes."""

    def __init__(self):
        self.key, self.arrays = None, None

    def state(self, iw, w):
        """The arrays ``iw`` (int64) and ``w`` (float64) behind two addresses."""
        if self.key != (iw, w):
            header = np.ctypeslib.as_array(ctypes.cast(iw, ctypes.POINTER(ctypes.c_int64)), (state.IW_HEADER,))
            sizes = int(header[state.IW_LENGTH]), int(header[state.W_SIZE])
            integers = np.frombuffer((ctypes.c_int64 * sizes[0]).from_address(iw), dtype=np.int64)
            floats = np.frombuffer((ctypes.c_double * sizes[1]).from_address(w))
            self.key, self.arrays = (iw, w), (integers, floats)
        return self.arrays

    @staticmethod
    def vector(address, n, is_complex):
        """The vector (n,) behind an address."""
        numbers = np.frombuffer((ctypes.c_double * (2 * n if is_complex else n)).from_address(address))
        return numbers.view(np.complex128) if is_complex else numbers


def _fill_reducing_order(pattern):
    """Order of rows and columns that keeps the factors sparse: minimum degree on the symmetric pattern (SuperLU's).

    Parameters
    ----------
    pattern : scipy.sparse.csc_array, (n, n)

    Returns
    -------
    order : ndarray, (n,)
    fill : int
        Numbers in the factors.
    """
    from scipy.sparse import csc_array, dia_array
    from scipy.sparse.linalg import splu

    # numbers that need no pivoting: the order depends on the pattern only
    both = csc_array(pattern + pattern.T)
    both.data[:] = -1.0
    degrees = 2.0 * np.diff(both.indptr)
    dominant = csc_array(both + dia_array((degrees[None, :], [0]), shape=both.shape))
    factors = splu(dominant, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    return np.argsort(factors.perm_c).astype(np.int64), int(factors.nnz)
