"""Dense matrices: LU factorisation with partial pivoting, real and complex. The Jacobian is kept row by row.

Factors are stored the way LAPACK does, column by column: ``lu[j, i]`` holds row i of column j. Elimination and both
triangular solves then work along contiguous memory and vectorise without reordering a sum. The diagonal of U is replaced by
its reciprocal, because a factorisation is used for many solves.

Small matrices are factorised here, large ones by LAPACK's ``getrf``, which Numba carries under a name that survives
the disk cache. Both leave the same factors, so that one solve serves them.

The methods reach these kernels by their addresses: each is compiled once, and not again inside every stepper.
"""

import functools

import numpy as np
from numba import types

from ... import _address, _jit
from .. import jacobian, state
from . import Structure, factors_place, kernel_address, small

#: From this dimension on LAPACK is used. Measured on one core, microseconds, own against LAPACK: real n=16 0.8/1.1,
#: n=32 4.2/4.2, n=64 20/16, n=128 155/76; complex n=16 1.5/2.0, n=24 4.0/4.5, n=32 9.2/7.7, n=64 71/35.
LAPACK_FROM_REAL, LAPACK_FROM_COMPLEX = 36, 28

if _jit.JIT_DISABLED:

    def pivots_view(iw, offset, n):
        """View of `n` 32-bit pivots; two sets of them fit into n 64-bit integers."""
        return iw[offset:].view(np.int32)[:n]

else:
    pivots_view = _address.view_intrinsic(types.int32, 1)


@_jit.core
def magnitude(x):
    """|Re x| + |Im x|, as LAPACK measures complex pivots: no square root."""
    return abs(x.real) + abs(x.imag)


@_jit.core
def _eliminate(lu, pivots):
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
    return (large and _lapack_core(is_complex)) or _eliminate


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


# ---------------------------------------------------------------------------------------------------------------------
# the structure


@_jit.core
def spectral_bound(J):
    """Upper bound of the spectral radius of J (n, n): the smaller of the row-sum and the column-sum norm."""
    n = J.shape[0]
    by_rows = by_columns = 0.0
    for i in range(n):
        row = column = 0.0
        for j in range(n):
            row += abs(J[i, j])
            column += abs(J[j, i])
        by_rows, by_columns = max(by_rows, row), max(by_columns, column)
    return min(by_rows, by_columns)


@_jit.core
def _differences(fn, iw, w, p, J):
    """Forward differences, one call of the field per column of J (n, n); step code."""
    t, y, f = jacobian.point(iw, w)
    h, out = w[state.H], state.vector(iw, w, state.SCRATCH)
    rtol, atol = state.vector(iw, w, state.RTOL), state.vector(iw, w, state.ATOL)
    least, floor = jacobian.least_increment(iw, w, y, f), jacobian.least_weight(iw, y)
    for j in range(y.size):
        kept = y[j]
        y[j] = kept + jacobian.increment(kept, h * f[j], max(rtol[j] * abs(kept) + atol[j], floor), least)
        increment = y[j] - kept  # as represented
        status = _jit.call_scalar(fn[state.F], t, y, out, p)
        iw[state.NFEV] += 1
        if status != 0:
            code = state.rhs_raised(w, t, out, y)
            y[j] = kept
            return code
        y[j] = kept
        for i in range(y.size):
            J[i, j] = (out[i] - f[i]) / increment
    return state.ACCEPTED


def jacobian_dense(fn, iw, w, p):
    """Evaluate the Jacobian, see `odekit.solvers.jacobian.evaluate`."""
    J = _jit.view2(w, iw[state.O_IMPLICIT], iw[state.N], iw[state.N])
    code = jacobian.begin(fn, iw, w, p)
    if code == state.ACCEPTED and iw[state.JAC_KIND] == state.JAC_DIFFERENCE:
        code = _differences(fn, iw, w, p, J)
    return jacobian.finish(iw, w, spectral_bound(J)) if code == state.ACCEPTED else code


_FACTOR = """
def {name}(fn, iw, w, p, b, matrix):
    n, place = {size}, factors_place(iw, matrix)
    J, pivots = view2(w, iw[O_IMPLICIT], n, n), pivots_view(iw, IW_HEADER, n * (matrix + 1))[n * matrix :]
    shift, imaginary, scale = w[SHIFTS + 3 * matrix], w[SHIFTS + 3 * matrix + 1], w[SHIFTS + 3 * matrix + 2]
    if {has_complex} and matrix > 0:
        {shifted}, complex(shift, imaginary), scale, view2c(w, place, n, n))
        status = factor_complex(view2c(w, place, n, n), pivots)
    else:
        {shifted}, shift, scale, view2(w, place, n, n))
        status = factor_real(view2(w, place, n, n), pivots)
    return ACCEPTED if status == 0 else SINGULAR
"""
_SOLVE = """
def {name}(fn, iw, w, p, b, matrix):
    n, place = {size}, factors_place(iw, matrix)
    pivots = pivots_view(iw, IW_HEADER, n * (matrix + 1))[n * matrix :]
    if {has_complex} and matrix > 0:
        solve(view2c(w, place, n, n), pivots, view1c(b, 0, n))
    else:
        solve(view2(w, place, n, n), pivots, view1(b, 0, n))
    return ACCEPTED
"""
_NAMES = "N O_IMPLICIT O_MASS IW_HEADER SHIFTS ACCEPTED SINGULAR"
_NAMESPACE = {
    **{name: getattr(state, name) for name in _NAMES.split()},
    **{view: getattr(_jit, view) for view in ("view1", "view1c", "view2", "view2c")},
    "factors_place": factors_place,
    "pivots_view": pivots_view,
    "shifted": shifted,
    "shifted_mass": shifted_mass,
    "solve": solve,
}


@functools.cache
def _kernels(factor_real, factor_complex, mass, known_size):
    """Cores of the factorisation and of the solve; without complex matrices nothing is compiled for them."""
    has_complex = factor_complex is not None
    parts = [f.__name__.strip("_") for f in (factor_real, factor_complex) if f is not None]
    namespace = {**_NAMESPACE, "factor_real": factor_real, "factor_complex": factor_complex or factor_real}
    if known_size:
        factor = small.eliminate(known_size, _eliminate, magnitude)
        namespace |= {"factor_real": factor, "factor_complex": factor, "solve": small.solve(known_size)}
    names = "_".join(["factor_dense", *parts, *["mass"] * mass]), "solve_dense" + has_complex * "_complex"
    matrix = "shifted_mass(J, view2(w, iw[O_MASS], n, n)" if mass else "shifted(J"
    size = known_size or "iw[N]"
    return [
        _jit.exec_source(source.format(name=name, size=size, has_complex=has_complex, shifted=matrix), name, namespace)
        for source, name in zip((_FACTOR, _SOLVE), names, strict=True)
    ]


class Dense(Structure):
    """A Jacobian of n by n numbers.

    Parameters
    ----------
    n : int
    mass : bool
        Whether there is a mass matrix M: it is ``shift M - scale J`` that is factorised.
    """

    def __init__(self, n, mass=False):
        super().__init__(n)
        self.mass = mass

    @property
    def jacobian_size(self):
        """Floats of the Jacobian."""
        return self.n**2

    @property
    def factor_size(self):
        """Floats of the factors of one real matrix."""
        return self.n**2

    def pack(self, matrix):
        """The numbers of a Jacobian, (n, n)."""
        matrix = matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix)
        return np.ascontiguousarray(matrix, dtype=np.float64)

    def jacobian_kernel(self):
        """Core that evaluates the Jacobian."""
        return jacobian_dense

    def addresses(self, complex_matrices):
        """Addresses of the kernels, by their places in ``fn``."""
        complex_core = factor_core(self.n, True) if complex_matrices else None
        known_size = self.n if self.n <= small.LARGEST else 0
        factor, solve_core = _kernels(factor_core(self.n, False), complex_core, self.mass, known_size)
        return {state.FACTOR: kernel_address(factor), state.SOLVE: kernel_address(solve_core)}
