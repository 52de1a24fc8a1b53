"""LU factorisation of a band with partial pivoting, and the solves with its factors, for any widths; real and complex.

The Jacobian is kept as SciPy and LAPACK do: number ``uband + i - j`` of row i and column j is ``J[uband + i - j, j]``. The
factors are kept column by column, with room for the lband further diagonals that pivoting fills: row i of column j is
``lu[j, lband + uband + i - j]``. Elimination and both triangular solves then work along contiguous memory. The diagonal of U
is replaced by its reciprocal.
"""

from ... import _jit
from .dense_lu import magnitude

#: The band is turned over in blocks of so many columns: a cache line of the Jacobian.
BLOCK = 8


@_jit.core
def shifted(J, lband, uband, shift, scale, lu):
    """Write ``shift I - scale J`` into the room of its factors.

    Parameters
    ----------
    J : ndarray, (lband + uband + 1, n)
    lband, uband : int
    shift : float or complex
    scale : float
    lu : ndarray, (n, 2 * lband + uband + 1)
    """
    n = J.shape[1]
    width = lband + uband
    for first in range(0, n, BLOCK):
        last = min(first + BLOCK, n)
        for j in range(first, last):
            for d in range(lband):
                lu[j, d] = 0.0
        for d in range(width + 1):
            for j in range(max(first, uband - d), min(last, n + uband - d)):
                lu[j, lband + d] = -scale * J[d, j]
        for j in range(first, last):
            lu[j, width] += shift


@_jit.core
def eliminate(lu, pivots, lband, uband, first, last):
    """Right-looking elimination; stops at a pivot that is zero or NaN.

    Parameters
    ----------
    lu : ndarray, shape (n, 2 * lband + uband + 1)
        The matrix, on return its factors.
    pivots : ndarray of int32, shape (n,)
    lband, uband : int
    first : int
        Columns that have been eliminated.
    last : int
        Columns up to this one are touched by the rows that have been pivots.

    Returns
    -------
    int
        Diagonals of U above the main one, or -1 where the matrix is singular.
    """
    n, d, reach = lu.shape[0], lband + uband, uband
    for k in range(first, n):
        below, pivot_column = min(lband, n - 1 - k), lu[k]
        best, row = magnitude(pivot_column[d]), 0
        for i in range(1, below + 1):
            size = magnitude(pivot_column[d + i])
            if size > best:
                best, row = size, i
        if not best > 0.0:
            return -1
        pivots[k] = k + row
        last = max(last, min(k + row + uband, n - 1))
        reach = max(reach, last - k)
        if row != 0:
            for j in range(k, last + 1):
                column = lu[j]
                at = d + k - j
                column[at], column[at + row] = column[at + row], column[at]
        inverse = 1.0 / pivot_column[d]
        pivot_column[d] = inverse
        multipliers = pivot_column[d + 1 :]
        for i in range(below):
            multipliers[i] *= inverse
        for j in range(k + 1, last + 1):
            at = d + k - j
            factor, target = lu[j, at], lu[j, at + 1 :]
            for i in range(below):
                target[i] -= factor * multipliers[i]
    return reach


@_jit.core
def factor(J, lband, uband, shift, scale, lu, pivots):
    """Factorise ``shift I - scale J``; arguments as for `shifted` and `eliminate`, and what that returns."""
    shifted(J, lband, uband, shift, scale, lu)
    return eliminate(lu, pivots, lband, uband, 0, 0)


@_jit.core
def solve(lu, pivots, lband, uband, reach, b):
    """Solve a factorised system in place.

    Parameters
    ----------
    lu, pivots, lband, uband
        As for `eliminate`.
    reach : int
        From `eliminate`.
    b : ndarray, shape (n,)
        Right-hand side; on return the solution.
    """
    n, d = lu.shape[0], lband + uband
    for k in range(n):
        row = pivots[k]
        x = b[row]
        if row != k:
            b[row] = b[k]
            b[k] = x
        column = lu[k]
        for i in range(1, min(lband, n - 1 - k) + 1):
            b[k + i] -= column[d + i] * x
    for j in range(n - 1, -1, -1):
        column = lu[j]
        x = b[j] * column[d]
        b[j] = x
        for i in range(max(0, j - reach), j):
            b[i] -= column[d + i - j] * x
