"""Linear stability of the methods: what one step does to ``y' = lambda y``.

References
----------
.. [1] E. Hairer, G. Wanner, "Solving Ordinary Differential Equations II: Stiff and Differential-Algebraic Problems",
   Sec. IV.3 (Runge-Kutta), IV.7 (Rosenbrock), V.1 (multistep).
"""

import math

import numpy as np

from .._numbers import complex_array
from ..solvers import bdf, gauss
from ..solvers.methods import METHODS, resolve
from ..solvers.rosenbrock_tables import ROSENBROCK
from ..solvers.stabilised_tables import STABILISED
from ..solvers.tables import ESDIRK, EXPLICIT

#: Orders of the methods whose order varies: all of them, and the one that is meant by default.
ORDERS = {"radau": ((5, 9, 13), 5), "bdf": ((1, 2, 3, 4, 5), 5)}


def amplification(method, z, order=None):
    """Factor by which a step multiplies the solution of ``y' = lambda y``.

    Parameters
    ----------
    method : str
        Any one-step method but the splitting ones, or ``"bdf"``.
    z : array_like
        ``h lambda``, real or complex numbers.
    order : int, optional
        Of a method of variable order: 5, 9 or 13 for radau (default: 5), 1 to 5 for bdf (default: 5).

    Returns
    -------
    ndarray, shape of `z`
        For bdf, whose steps depend on several old values: the factor of largest modulus. For rock2 and rock4: that of the
        fewest stages whose region reaches to ``-abs(z)``, as for a spectrum on the negative real axis.

    Raises
    ------
    ValueError
        For ``"auto"``, a splitting method, or an order that the method does not have.

    Examples
    --------
    >>> import odekit
    >>> odekit.stability.amplification("rk4", -1.0).round(3)
    np.complex128(0.375+0j)
    >>> abs(odekit.stability.amplification("radau", -1e9)) < 1e-8
    np.True_
    """
    name = resolve(method)[0]
    orders, default = ORDERS.get(name, ((None,), None))
    order = default if order is None else order
    if order not in orders:
        known = f"one of {', '.join(map(str, orders))}" if name in ORDERS else "none: its order is fixed"
        raise ValueError(f"order={order!r} for {name}; expected {known}")
    z = complex_array("z", z)
    if name in EXPLICIT or name in ESDIRK:
        table = EXPLICIT.get(name) or ESDIRK[name]
        # the stages solve (I - z A) k = y (1, ..., 1)
        return 1.0 + z * _sum_of_stages(z, np.ones(table.stages), table.A, table.b, np.zeros(table.stages), 0.0)
    if name in ROSENBROCK:
        table = ROSENBROCK[name]
        # (1 / gamma - z) u_i = z (y + sum A_ij u_j) + sum C_ij u_j
        return 1.0 + z * _sum_of_stages(z, np.ones(table.stages), table.A, table.b, table.C, 1.0 / table.gamma)
    if name in STABILISED:
        return _stabilised(STABILISED[name].degrees, z)
    if name.startswith("radau"):
        stages = ((order or METHODS[name].order) + 1) // 2
        return _pade(stages - 1, stages, z)
    if name in METHODS and METHODS[name].expansion:
        return np.polynomial.Polynomial([1.0 / math.factorial(k) for k in range(METHODS[name].order + 1)])(z)
    if name in gauss.NODES:
        return _pade(len(gauss.NODES[name]), len(gauss.NODES[name]), z)
    if name == "bdf":
        return _largest_root(z, order)
    raise ValueError(
        f"method={method!r} has no stability function; expected a Runge-Kutta, Rosenbrock, Taylor or BDF method"
    )


def _sum_of_stages(z, start, A, b, C, inverse_gamma):
    """``sum_i b_i u_i`` of the stages in turn; with ``inverse_gamma = 0`` those of a Runge-Kutta method, over y."""
    A = np.array(A)
    stages = []
    for i in range(len(b)):
        inner = sum((A[i, j] * stages[j] for j in range(i)), np.zeros_like(z))
        if inverse_gamma:  # both sides divided by z
            coupling = sum((C[i][j] * stages[j] for j in range(i)), np.zeros_like(z))
            stages.append((start[i] + z * inner + coupling) / (inverse_gamma - z))
        else:
            stages.append((start[i] + z * inner) / (1.0 - z * A[i, i]))
    return sum(weight * stage for weight, stage in zip(b, stages, strict=True))


def _stabilised(degrees, z):
    """The recurrence, then the finishing method, with the number of stages that each z asks for."""
    chosen = np.searchsorted([degree.reach for degree in degrees[:-1]], np.abs(z))
    factors = np.empty_like(z)
    for k in np.unique(chosen):
        degree, part = degrees[k], z[chosen == k]
        mu = degree.recurrence
        old, new = np.ones_like(part), 1.0 + mu[0] * part
        for j in range(1, len(mu), 2):
            old, new = new, (mu[j] * part + 1.0 + mu[j + 1]) * new - mu[j + 1] * old
        rows = np.zeros((len(degree.b), len(degree.b)))
        rows[np.tril_indices(len(degree.b), -1)] = degree.a
        finish = _sum_of_stages(part, np.ones(len(degree.b)), rows, degree.b, np.zeros(len(degree.b)), 0.0)
        factors[chosen == k] = new * (1.0 + part * finish)
    return factors


def _pade(top, bottom, z):
    """Padé approximation of the exponential function, degrees `top` over `bottom`."""

    def polynomial(degree, other, sign):
        f = math.factorial
        weights = [
            sign**j * f(degree) * f(degree + other - j) / (f(j) * f(degree - j) * f(degree + other))
            for j in range(degree + 1)
        ]
        return np.polynomial.polynomial.polyval(z, weights)

    return polynomial(top, bottom, 1.0) / polynomial(bottom, top, -1.0)


def _largest_root(z, order):
    """Root of largest modulus of the characteristic polynomial of the numerical differentiation formula of an order."""
    # in the shift x = y_n / y_{n+1}: sum_m (1 - x)^m / m - kappa gamma (1 - x)^(k + 1) - z = 0
    nabla = np.polynomial.Polynomial([1.0, -1.0])
    formula = sum(nabla**m / m for m in range(1, order + 1)) - bdf.KAPPA[order] * bdf.GAMMA[order] * nabla ** (
        order + 1
    )
    coefficients = np.trim_zeros(formula.coef, "b")
    degree = coefficients.size - 1
    companion = np.zeros((*z.shape, degree, degree), dtype=complex)
    companion[..., range(1, degree), range(degree - 1)] = 1.0
    # as a polynomial in 1 / x the constant coefficient leads
    companion[..., 0, :] = -coefficients[1:]
    companion[..., 0, :] /= (coefficients[0] - z)[..., None]
    roots = np.linalg.eigvals(companion)
    return np.take_along_axis(roots, np.argmax(np.abs(roots), axis=-1)[..., None], axis=-1)[..., 0]
