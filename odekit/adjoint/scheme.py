"""An explicit Runge-Kutta method as the adjoints see it: arrays, and the vector field at the new solution as a stage."""

import dataclasses
import functools

import numpy as np

from ..solvers.hermite import HERMITE
from ..solvers.tables import EXPLICIT


@dataclasses.dataclass(frozen=True)
class Scheme:
    """An explicit method; its last regular stage is the vector field at the new solution.

    Attributes
    ----------
    c : ndarray, (S,)
    a : ndarray, (S, S)
    b : ndarray, (S,)
        Zero for stages that only the dense output needs.
    error : ndarray, (2, S)
        Weights of the error estimate and of a second one; zeros where there is none.
    dense : ndarray, (S, degree)
    last : int
        Number of the stage at the new solution; the stages behind it serve the dense output only.
    exponent : float
        1 / (order of the error estimate + 1); 0: steps of fixed size.
    two_estimates : bool
    """

    c: np.ndarray
    a: np.ndarray
    b: np.ndarray
    error: np.ndarray
    dense: np.ndarray
    last: int
    exponent: float
    two_estimates: bool

    @property
    def slots(self):
        """Evaluations whose tapes are needed at once."""
        return self.c.size

    @property
    def stiffness_stage(self):
        """The stage before `last` that is at the end of the step, too, but at another point; -1: there is none."""
        ends = [i for i in range(self.last) if self.c[i] == 1.0 and (self.a[i] != self.a[self.last]).any()]
        return ends[-1] if ends else -1

    @functools.cached_property
    def arrays(self):
        """What kernels get: (c, a, b, error, dense, last, exponent, two_estimates)."""
        return (self.c, self.a, self.b, self.error, self.dense, self.last, self.exponent, self.two_estimates)


@functools.cache
def scheme(method):
    """Bring a method into that form.

    Parameters
    ----------
    method : str
        A key of `odekit.solvers.tables.EXPLICIT`.

    Returns
    -------
    Scheme
    """
    table = EXPLICIT[method]
    s, m = table.stages, len(table.extra_c)
    appended = 0 if table.fsal else 1
    size = s + appended + m
    # the extra stages come last, behind the appended one
    places = np.array([*range(s), *range(s + appended, size)])
    a, b, c, error = np.zeros((size, size)), np.zeros(size), np.zeros(size), np.zeros((2, size))
    a[:s, :s], b[:s], c[:s] = table.A, table.b, table.c
    for row, weights in zip(error, (table.b_err, table.b_err_low), strict=True):
        row[:s] = 0.0 if weights is None else weights
    if appended:
        a[s, :s], c[s] = table.b, 1.0
    if m:
        a[np.ix_(places[s:], places)], c[places[s:]] = table.extra_A, table.extra_c
    last = s + appended - 1
    if table.dense is None:
        change, start, end = HERMITE
        dense = np.outer(b, change)
        dense[0] += start
        dense[last] += end
    else:
        dense = np.zeros((size, len(table.dense[0])))
        dense[places] = table.dense
    exponent = 0.0 if table.b_err is None else 1.0 / (table.embedded_order + 1)
    return Scheme(c, a, b, error, dense, last, exponent, table.b_err_low is not None)
