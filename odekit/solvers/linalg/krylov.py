"""Matrix-free linear systems: restarted GMRES with derivatives of the field along directions.

What takes the place of the Jacobian is the point at which the field is linearised. The norm is that of the tolerances: with W
the weights, ``W^-1 M^-1 (I - gamma J) W`` is the operator, M being the user's preconditioner [1]_. The iteration ends where
the preconditioned residual is a small fraction of what the Newton iteration tolerates [2]_.

References
----------
.. [1] Y. Saad, M. H. Schultz, "GMRES: a generalized minimal residual algorithm for solving nonsymmetric linear systems",
   SIAM J. Sci. Stat. Comput. 7 (1986) 856-869.
.. [2] P. N. Brown, A. C. Hindmarsh, "Reduced storage matrix methods in stiff ODE systems", Appl. Math. Comput. 31 (1989)
   40-91, and the authors' code CVODE.
"""

import numpy as np

from ... import _jit
from .. import jacobian, state
from . import Structure, columns, kernel_address

#: Vectors before a restart, and restarts (CVODE's 5 and 0 are for good preconditioners).
SUBSPACE, RESTARTS = 30, 3

# The numbers of the Jacobian: t, y and f where the field is linearised. The factors, from w[O_FACTORS] on: what the
# preconditioner gets (y, gamma, r: 2 n + 1 numbers), the weights, the preconditioned vector and the solution (n each), the
# basis (m + 1 vectors), then the Hessenberg matrix (column by column, m + 1 numbers each), the rotations and the residual.


def jacobian_free(fn, iw, w, p):
    """Note where the field is linearised, see `odekit.solvers.jacobian.evaluate`."""
    code = jacobian.begin(fn, iw, w, p)
    if code != state.ACCEPTED:
        return code
    t, y, f = jacobian.point(iw, w)
    n, start, place = iw[state.N], iw[state.O_IMPLICIT], iw[state.O_FACTORS]
    rtol, atol = state.vector(iw, w, state.RTOL), state.vector(iw, w, state.ATOL)
    w[start] = t
    for i in range(n):
        weight = rtol[i] * abs(y[i]) + atol[i]
        w[start + 1 + i], w[start + 1 + n + i] = y[i], f[i]
        w[place + i], w[iw[state.O_DERIVATIVE] + i] = y[i], y[i]
        w[place + 2 * n + 1 + i] = weight if weight > 0.0 else jacobian.SQRT_EPS
    w[iw[state.O_DERIVATIVE] + 2 * n] = 0.0  # the direction has no part in t
    return jacobian.finish(iw, w, 0.0)


def factor_free(fn, iw, w, p, b, matrix):
    """Note the shift; there is nothing to factorise."""
    iw[state.NLU] -= 1
    w[iw[state.O_FACTORS] + iw[state.N]] = w[state.SHIFTS + 2] / w[state.SHIFTS]
    return state.ACCEPTED


@_jit.core
def _raised(iw, w):
    """Note that the field or the preconditioner raised; step code."""
    start = iw[state.O_IMPLICIT]
    y = _jit.view1(w, start + 1, iw[state.N])
    return state.rhs_raised(w, w[start], state.vector(iw, w, state.SCRATCH), y)


@_jit.core
def _operate(fn, iw, w, p, out):
    """Write ``v - gamma J v`` for the direction v in the scratch memory to out (n,); step code."""
    n, start, place = iw[state.N], iw[state.O_IMPLICIT], iw[state.O_DERIVATIVE]
    t, gamma = w[start], w[iw[state.O_FACTORS] + n]
    y, f = _jit.view1(w, start + 1, n), _jit.view1(w, start + 1 + n, n)
    x, v = _jit.view1(w, place, n), _jit.view1(w, place + n, n)
    iw[state.NFEV] += 1
    if iw[state.JAC_KIND] == state.JAC_DIRECTION:
        if _jit.call_scalar(fn[state.JAC], t, x, out, p) != 0:
            return _raised(iw, w)
        for i in range(n):
            out[i] = v[i] - gamma * out[i]
        return state.ACCEPTED
    # the direction is as long as the tolerance: no other increment is needed (CVODE)
    for i in range(n):
        x[i] = y[i] + v[i]
    if _jit.call_scalar(fn[state.F], t, x, out, p) != 0:
        return state.rhs_raised(w, t, state.vector(iw, w, state.SCRATCH), x)
    for i in range(n):
        out[i] = v[i] - gamma * (out[i] - f[i])
    return state.ACCEPTED


@_jit.core
def _precondition(fn, iw, w, p, r, out):
    """Write ``W^-1 M^-1 r`` to `out`, both (n,); step code."""
    n, place = iw[state.N], iw[state.O_FACTORS]
    weights = _jit.view1(w, place + 2 * n + 1, n)
    z = _jit.view1(w, place + 3 * n + 1, n)
    if fn[state.PRECONDITIONER] == 0:
        for i in range(n):
            z[i] = r[i]
    else:
        given = _jit.view1(w, place + n + 1, n)
        for i in range(n):
            given[i] = r[i]
        if _jit.call_scalar(fn[state.PRECONDITIONER], w[iw[state.O_IMPLICIT]], _jit.view1(w, place, n), z, p) != 0:
            return _raised(iw, w)
    for i in range(n):
        out[i] = z[i] / weights[i]
    return state.ACCEPTED


@_jit.njit(**{**_jit.CORE_OPTIONS, "fastmath": _jit.FASTMATH | {"reassoc"}})  # the sum in vector registers
def _dot(a, b):
    """Mean of the products of a and b (n,): the square of the norm that the tolerances define."""
    total = 0.0
    for i in range(a.size):
        total += a[i] * b[i]
    return total / a.size


@_jit.core
def _rotate(h, rotations, g, j):
    """Bring column j of the Hessenberg matrix to upper triangular form; returns the norm of the residual.

    Parameters
    ----------
    h : ndarray, (m + 1,)
        The column.
    rotations : ndarray, (2 * m,)
        Cosine and sine of each; the first j are known.
    g : ndarray, (m + 1,)
        The residual in that basis.
    j : int
    """
    for i in range(j):
        c, s = rotations[2 * i], rotations[2 * i + 1]
        h[i], h[i + 1] = c * h[i] + s * h[i + 1], c * h[i + 1] - s * h[i]
    length = np.sqrt(h[j] * h[j] + h[j + 1] * h[j + 1])
    if length == 0.0:
        return abs(g[j])
    c, s = h[j] / length, h[j + 1] / length
    rotations[2 * j], rotations[2 * j + 1] = c, s
    h[j], h[j + 1] = length, 0.0
    g[j], g[j + 1] = c * g[j], -s * g[j]
    return abs(g[j + 1])


@_jit.core
def _extend(fn, iw, w, p, V, h, j):
    """The next vector of the basis and its column of the Hessenberg matrix, by modified Gram and Schmidt; step code.

    V (m + 1, n), of which row j + 1 receives; h (m + 1,), of which j + 2 numbers receive.
    """
    n, place = iw[state.N], iw[state.O_FACTORS]
    weights, v = _jit.view1(w, place + 2 * n + 1, n), _jit.view1(w, iw[state.O_DERIVATIVE] + n, n)
    out = _jit.view1(w, columns.derivative(iw), n)
    for i in range(n):
        v[i] = V[j, i] * weights[i]
    code = _operate(fn, iw, w, p, out)
    if code == state.ACCEPTED:
        code = _precondition(fn, iw, w, p, out, V[j + 1])
    if code != state.ACCEPTED:
        return code
    for k in range(j + 1):
        h[k] = _dot(V[j + 1], V[k])
        for i in range(n):
            V[j + 1, i] -= h[k] * V[k, i]
    h[j + 1] = np.sqrt(_dot(V[j + 1], V[j + 1]))
    if h[j + 1] > 0.0:
        for i in range(n):
            V[j + 1, i] /= h[j + 1]
    return state.ACCEPTED if np.isfinite(h[j + 1]) else state.NONFINITE


@_jit.core
def _residual(fn, iw, w, p, b, x, V, first):
    """Write the preconditioned residual of x (n,) to the first row of V (m + 1, n); `first` says that x is zero. Step code."""
    n = iw[state.N]
    out, v = _jit.view1(w, columns.derivative(iw), n), _jit.view1(w, iw[state.O_DERIVATIVE] + n, n)
    code, shift = state.ACCEPTED, w[state.SHIFTS]
    if not first:
        size, weights = 0.0, _jit.view1(w, iw[state.O_FACTORS] + 2 * n + 1, n)
        for i in range(n):
            size += (x[i] / weights[i]) ** 2
        size = max(np.sqrt(size / n), 1e-300)
        for i in range(n):  # a direction of length 1, see `_operate`
            v[i] = x[i] / size
        code = _operate(fn, iw, w, p, out)
        for i in range(n):
            out[i] *= size
    for i in range(n):
        out[i] = b[i] / shift - (0.0 if first else out[i])
    return _precondition(fn, iw, w, p, out, V[0]) if code == state.ACCEPTED else code


def solve_free(fn, iw, w, p, b_, matrix):
    """Solve by GMRES from zero: b_ (n,) receives the solution; step code."""
    n, m, place = iw[state.N], iw[iw[state.O_STRUCTURE]], iw[state.O_FACTORS]
    b, x = _jit.view1(b_, 0, n), _jit.view1(w, place + 4 * n + 1, n)
    weights = _jit.view1(w, place + 2 * n + 1, n)
    V = _jit.view2(w, place + 5 * n + 1, m + 1, n)
    small = place + 5 * n + 1 + (m + 1) * n
    H, rotations = _jit.view2(w, small, m, m + 1), _jit.view1(w, small + m * (m + 1), 2 * m)
    g = _jit.view1(w, small + m * (m + 1) + 2 * m, m + 1)
    tolerance = w[state.LINEAR_TOLERANCE]
    for i in range(n):
        x[i] = 0.0
    for restart in range(RESTARTS + 1):
        code = _residual(fn, iw, w, p, b, x, V, restart == 0)
        if code != state.ACCEPTED:
            return code
        size = np.sqrt(_dot(V[0], V[0]))
        if not np.isfinite(size):
            return state.NONFINITE
        if size <= tolerance:
            for i in range(n):  # one more improvement, for nothing
                b[i] = x[i] + V[0, i] * weights[i]
            return state.ACCEPTED
        for i in range(n):
            V[0, i] /= size
        g[0], used = size, 0
        while used < m and size > tolerance:
            code = _extend(fn, iw, w, p, V, H[used], used)
            if code != state.ACCEPTED:
                return code
            independent = H[used, used + 1] > 0.0
            size = _rotate(H[used], rotations, g, used)
            used += 1
            if not independent:
                break
        for k in range(used - 1, -1, -1):
            for j in range(k + 1, used):
                g[k] -= H[j, k] * g[j]
            g[k] = g[k] / H[k, k] if H[k, k] != 0.0 else 0.0
        for k in range(used):
            for i in range(n):
                x[i] += g[k] * V[k, i] * weights[i]
        if size <= tolerance:
            for i in range(n):
                b[i] = x[i]
            return state.ACCEPTED
    return state.NEWTON_FAILED


class Krylov(Structure):
    """No matrix at all: derivatives along directions.

    Parameters
    ----------
    n : int
    preconditioner : int
        Address of a scalar kernel that gets t and ``y, gamma, r``, and writes an approximate solution z of
        ``(I - gamma J) z = r``; 0: none.
    """

    name = "matrix-free"
    matrix_free = True

    def __init__(self, n, preconditioner=0):
        super().__init__(n)
        self.preconditioner = preconditioner
        self.subspace = max(1, min(SUBSPACE, n))
        self.scratch_size = columns.scratch_size(n)

    @property
    def jacobian_size(self):
        """Floats of what takes the place of the Jacobian."""
        return 2 * self.n + 1

    @property
    def factor_size(self):
        """Floats of the workspace of GMRES."""
        m = self.subspace
        return 5 * self.n + 1 + (m + 1) * self.n + m * (m + 1) + 2 * m + m + 1

    @property
    def integers(self):
        """The largest number of vectors."""
        return np.array([self.subspace])

    def jacobian_kernel(self):
        """Core that notes the point."""
        return jacobian_free

    def addresses(self, complex_matrices):
        """Addresses of the kernels, by their places in ``fn``."""
        return {
            state.FACTOR: kernel_address(factor_free),
            state.SOLVE: kernel_address(solve_free),
            state.PRECONDITIONER: self.preconditioner,
        }
