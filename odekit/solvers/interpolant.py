"""A basis in which the weights of a dense output are small.

As powers of theta the weights of a high order reach 1e4 and cancel each other, and so do their rounding errors, but
worse: 1e-12 instead of 1e-16. In the basis theta, theta (1 - theta) P_0(theta), theta (1 - theta) P_1(theta), ... with the
Legendre polynomials P_j of [0, 1] they are of the size of the weights of the method itself. The coefficients of that
basis decay quickly for a smooth solution; powers of theta with coefficients that small lose nothing.
"""

from fractions import Fraction
from math import comb


def basis(degree):
    """The basis as powers of theta.

    Parameters
    ----------
    degree : int

    Returns
    -------
    list of lists of int
        Row j: coefficients of theta, theta^2, ..., theta^degree.
    """
    rows = [[1] + [0] * (degree - 1)]
    for j in range(degree - 1):
        legendre = [(-1) ** (j + k) * comb(j, k) * comb(j + k, k) for k in range(j + 1)]
        bubble = [a - b for a, b in zip([*legendre, 0], [0, *legendre], strict=True)]
        rows.append(bubble + [0] * (degree - len(bubble)))
    return rows


def weights(dense):
    """Weights of the dense output in that basis, exact until they are rounded once at the end.

    Parameters
    ----------
    dense : tuple of tuples
        Row i: weights of stage i times theta, theta^2, ..., see `odekit.solvers.tableau.ExplicitTable`.

    Returns
    -------
    list of lists of float
        Row i: weights of stage i times the basis functions.
    """
    degree = len(dense[0])
    functions, rows = basis(degree), []
    for stage in dense:
        rest, row = [Fraction(value) for value in stage], [Fraction(0)] * degree
        for j in range(degree - 1, -1, -1):
            row[j] = rest[j] / functions[j][j]
            rest = [a - row[j] * b for a, b in zip(rest, functions[j], strict=True)]
        rows.append([float(value) for value in row])
    return rows
