"""Runge-Kutta methods as data: frozen, validated tables of coefficients.

A table states a method completely; `odekit.solvers.explicit` and `odekit.solvers.esdirk` generate the code of its step.
Every table is checked in the tests: row sums, order conditions by rooted trees, the embedded order, the measured slope.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class ExplicitTable:
    """An explicit Runge-Kutta method.

    Attributes
    ----------
    name : str
    order, embedded_order : int
        Of the solution and of the embedded solution (0: none, the method takes fixed steps).
    c : tuple of float, length s
    A : tuple of s tuples
        Strictly lower triangular; row i has length s.
    b : tuple of float, length s
    b_err : tuple of float or None
        Weights of the error estimate, ``b - b_hat``.
    dense : tuple of s tuples, or None
        ``dense[i][d - 1]``: weight of ``h k_i theta^d`` in ``y(t + theta h) - y``. None: cubic Hermite from both ends.
    stability_size : float
        How far the stability region reaches along the negative real axis.
    citation : str
    """

    name: str
    order: int
    embedded_order: int
    c: tuple
    A: tuple
    b: tuple
    b_err: tuple | None
    dense: tuple | None
    stability_size: float
    citation: str

    @property
    def stages(self):
        """Number of stages s, the first-same-as-last one included."""
        return len(self.c)

    @property
    def fsal(self):
        """Whether the last stage is the vector field at the new solution."""
        return self.c[-1] == 1.0 and tuple(self.A[-1]) == tuple(self.b)


@dataclasses.dataclass(frozen=True)
class EsdirkTable:
    """A stiffly accurate singly diagonally implicit method with an explicit first stage.

    Attributes
    ----------
    name : str
    order, embedded_order : int
    c : tuple of float, length s
    A : tuple of s tuples
        Lower triangular with ``A[0][0] = 0`` and ``A[i][i] = gamma``; the last row equals `b`.
    b, b_err : tuple of float, length s
    predictor : tuple of s tuples
        ``predictor[i][j]``: weight of ``k_j``, j < i, in the first guess of ``k_i``.
    filter_error : bool
        Whether the error estimate is multiplied by ``(I - h gamma J)^-1`` (needed where the embedded method is not L-stable).
    citation : str
    """

    name: str
    order: int
    embedded_order: int
    c: tuple
    A: tuple
    b: tuple
    b_err: tuple
    predictor: tuple
    filter_error: bool
    citation: str

    @property
    def stages(self):
        """Number of stages s."""
        return len(self.c)

    @property
    def gamma(self):
        """The diagonal coefficient."""
        return self.A[-1][-1]
