"""Dense LU factorisation with partial pivoting, real and complex, for the matrices of the implicit methods.

Factors are stored the way LAPACK does, column by column: ``lu[j, i]`` holds row i of column j. Elimination and both
triangular solves then work along contiguous memory and vectorise without reordering a sum. The diagonal of U is replaced by
its reciprocal, because a factorisation is used for many solves.

Small matrices are factorised here, large ones by LAPACK's ``getrf``, which Numba carries under a name that survives
the disk cache. Both leave the same factors, so that one solve serves them.
"""

import numpy as np
from numba import types

from .. import _address, _jit

try:
    from numba.np.linalg import _LAPACK, F_INT_nbtype

    HAS_LAPACK = not _jit.JIT_DISABLED and F_INT_nbtype == types.int32
except ImportError:  # a private name of Numba
    HAS_LAPACK = False

#: From this dimension on LAPACK is used. Measured on one core, microseconds, own against LAPACK: real n=16 0.8/1.1,
#: n=32 4.2/4.2, n=64 20/16, n=128 155/76; complex n=16 1.5/2.0, n=24 4.0/4.5, n=32 9.2/7.7, n=64 71/35.
LAPACK_FROM_REAL = 36 if HAS_LAPACK else 2**62
LAPACK_FROM_COMPLEX = 28 if HAS_LAPACK else 2**62

if _jit.JIT_DISABLED:

    def pivots_view(iw, offset, n):
        """View of `n` 32-bit pivots; two sets of them fit into n 64-bit integers."""
        return iw[offset:].view(np.int32)[:n]

else:
    pivots_view = _address.view_intrinsic(types.int32, 1)


@_jit.core
def _size(x):
    """|Re x| + |Im x|, as LAPACK measures complex pivots: no square root."""
    return abs(x.real) + abs(x.imag)


@_jit.core
def _eliminate(lu, pivots):
    """Right-looking elimination; stops at a pivot that is zero or NaN.

    Returns
    -------
    int
        0, or 1 where the matrix is singular.
    """
    n = pivots.size
    for k in range(n):
        best, row = _size(lu[k, k]), k
        for i in range(k + 1, n):
            size = _size(lu[k, i])
            if size > best:
                best, row = size, i
        if not best > 0.0:
            return 1
        pivots[k] = row
        if row != k:
            for j in range(n):
                lu[j, k], lu[j, row] = lu[j, row], lu[j, k]
        inverse = 1.0 / lu[k, k]
        lu[k, k] = inverse
        for i in range(k + 1, n):
            lu[k, i] *= inverse
        column = lu[k, k + 1 :]
        for j in range(k + 1, n):
            factor = lu[j, k]
            target = lu[j, k + 1 :]
            for i in range(n - k - 1):
                target[i] -= factor * column[i]
    return 0


@_jit.core
def _finish_lapack(lu, pivots):
    """From LAPACK's conventions (pivots from 1, U's diagonal as it is) to ours."""
    for k in range(pivots.size):
        if not _size(lu[k, k]) > 0.0:
            return 1
        lu[k, k] = 1.0 / lu[k, k]
        pivots[k] -= 1
    return 0


if HAS_LAPACK:
    _KIND_REAL, _KIND_COMPLEX = ord("d"), ord("z")
    _dgetrf = _LAPACK().numba_xxgetrf(types.float64)
    _zgetrf = _LAPACK().numba_xxgetrf(types.complex128)

    @_jit.core
    def _lapack_real(lu, pivots):
        n = pivots.size
        if _dgetrf(_KIND_REAL, n, n, lu.ctypes, n, pivots.ctypes) != 0:
            return 1
        return _finish_lapack(lu, pivots)

    @_jit.core
    def _lapack_complex(lu, pivots):
        n = pivots.size
        if _zgetrf(_KIND_COMPLEX, n, n, lu.ctypes, n, pivots.ctypes) != 0:
            return 1
        return _finish_lapack(lu, pivots)

else:
    _lapack_real = _lapack_complex = _eliminate


@_jit.core
def factor_real(lu, pivots):
    """Factorise a real matrix in place.

    Parameters
    ----------
    lu : ndarray, shape (n, n)
        The matrix column by column; on return its factors.
    pivots : ndarray of int32, shape (n,)

    Returns
    -------
    int
        0, or 1 where a pivot is zero or not a number.
    """
    if pivots.size < LAPACK_FROM_REAL:
        return _eliminate(lu, pivots)
    return _lapack_real(lu, pivots)


@_jit.core
def factor_complex(lu, pivots):
    """Factorise a complex matrix in place, see `factor_real`."""
    if pivots.size < LAPACK_FROM_COMPLEX:
        return _eliminate(lu, pivots)
    return _lapack_complex(lu, pivots)


@_jit.core
def solve(lu, pivots, b):
    """Solve a factorised system in place.

    Parameters
    ----------
    lu, pivots : ndarray
        From `factor_real` or `factor_complex`.
    b : ndarray, shape (n,)
        Right-hand side; on return the solution.
    """
    n = b.size
    for k in range(n):
        row = pivots[k]
        if row != k:
            b[k], b[row] = b[row], b[k]
    for j in range(n):
        x = b[j]
        for i in range(j + 1, n):
            b[i] -= lu[j, i] * x
    for j in range(n - 1, -1, -1):
        x = b[j] * lu[j, j]
        b[j] = x
        for i in range(j):
            b[i] -= lu[j, i] * x


@_jit.core
def shifted(jacobian, shift, scale, lu):
    """Write ``shift I - scale J`` column by column, ready to be factorised.

    Parameters
    ----------
    jacobian : ndarray, shape (n, n)
        Row by row.
    shift : float or complex
    scale : float
    lu : ndarray, shape (n, n)
    """
    n = jacobian.shape[0]
    for j in range(n):
        for i in range(n):
            lu[j, i] = -scale * jacobian[i, j]
        lu[j, j] += shift
