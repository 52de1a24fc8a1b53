"""Dense matrices: their Jacobian, kept row by row, and the kernels of their linear systems.

The methods reach these kernels by their addresses: each is compiled once, and not again inside every stepper.
"""

import functools

import numpy as np

from ... import _jit
from .. import jacobian, state
from . import Structure, factors_place, kernel_address, small
from .dense_lu import eliminate, factor_core, magnitude, pivots_view, shifted, shifted_mass, solve


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
        factor = small.eliminate(known_size, eliminate, magnitude)
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
