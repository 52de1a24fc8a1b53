"""Dense matrices: LU factorisation with partial pivoting, and the solves with its factors; real and complex.

Factors are stored the way LAPACK does, column by column: ``lu[j, i]`` holds row i of column j. Elimination and both
triangular solves then work along contiguous memory and vectorise without reordering a sum. The diagonal of U is replaced by
its reciprocal, because a factorisation is used for many solves.

Small matrices are factorised here, large ones by LAPACK's ``getrf``, which Numba carries under a name that survives
the disk cache. Both leave the same factors, so that one solve serves them.
"""

import functools

import numpy as np
from numba import types

from ... import _jit, _views

#: From this dimension on LAPACK is used. Measured on one core, microseconds, own against LAPACK: real n=16 0.8/1.1,
#: n=32 4.2/4.2, n=64 20/16, n=128 155/76; complex n=16 1.5/2.0, n=24 4.0/4.5, n=32 9.2/7.7, n=64 71/35.
LAPACK_FROM_REAL, LAPACK_FROM_COMPLEX = 36, 28

if _jit.JIT_DISABLED:

    def pivots_view(iw, offset, n):
        """View of `n` 32-bit pivots; two sets of them fit into n 64-bit integers."""
        return iw[offset:].view(np.int32)[:n]

else:
    pivots_view = _views.view_intrinsic(types.int32, 1)


@_jit.core
def magnitude(x):
    """|Re x| + |Im x|, as LAPACK measures complex pivots: no square root."""
    return abs(x.real) + abs(x.imag)


@_jit.core
def eliminate(lu, pivots):
    """Right-looking elimination; stops at a pivot that is zero or NaN.

    Parameters
    ----------
    lu : ndarray, (n, n)
        The matrix, column by column; on return its factors.
    pivots : ndarray of int32, (n,)

    Returns
    -------
    int
        0, or 1 where the matrix is singular.
    """
    n = pivots.size
    for k in range(n):
        best, row = magnitude(lu[k, k]), k
        for i in range(k + 1, n):
            size = magnitude(lu[k, i])
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
    """From LAPACK's conventions (pivots from 1, U's diagonal as it is) to ours; 1 where the matrix is singular, else 0."""
    for k in range(pivots.size):
        if not magnitude(lu[k, k]) > 0.0:
            return 1
        lu[k, k] = 1.0 / lu[k, k]
        pivots[k] -= 1
    return 0


@functools.cache
def _lapack_core(is_complex):
    """Core that factorises by LAPACK, or None where Numba does not carry a LAPACK with 32-bit integers."""
    try:
        from numba.np.linalg import _LAPACK, F_INT_nbtype  # a private name, and half of the time of `import odekit`
    except ImportError:
        return None
    if F_INT_nbtype != types.int32 or _jit.JIT_DISABLED:
        return None
    name, kind, element = ("zgetrf", "z", types.complex128) if is_complex else ("dgetrf", "d", types.float64)
    source = (
        f"def {name}(lu, pivots):\n"
        f"    n = pivots.size\n"
        f"    status = getrf({ord(kind)}, n, n, lu.ctypes, n, pivots.ctypes)\n"
        f"    return 1 if status != 0 else finish(lu, pivots)\n"
    )
    namespace = {"getrf": _LAPACK().numba_xxgetrf(element), "finish": _finish_lapack}
    return _jit.core(_jit.exec_source(source, name, namespace))


def factor_core(n, is_complex):
    """The core that factorises matrices of a dimension.

    Parameters
    ----------
    n : int
    is_complex : bool

    Returns
    -------
    function
        ``factor(lu, pivots) -> int``, in place: `lu` (n, n) holds the matrix column by column, on return its factors; `pivots`
        are n 32-bit integers. Returns 0, or 1 where a pivot is zero or not a number.
    """
    large = n >= (LAPACK_FROM_COMPLEX if is_complex else LAPACK_FROM_REAL)
    return (large and _lapack_core(is_complex)) or eliminate


@_jit.core
def solve(lu, pivots, b):
    """Solve a factorised system in place.

    Parameters
    ----------
    lu, pivots : ndarray
        From a core of `factor_core`.
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


@_jit.core
def shifted_mass(jacobian, mass, shift, scale, lu):
    """Write ``shift M - scale J`` column by column, for a mass matrix (n, n) row by row; else as `shifted`."""
    n = jacobian.shape[0]
    for j in range(n):
        for i in range(n):
            lu[j, i] = shift * mass[i, j] - scale * jacobian[i, j]
