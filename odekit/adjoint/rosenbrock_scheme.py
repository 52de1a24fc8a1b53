"""A Rosenbrock method as its adjoint sees it: the coefficients of the stages that the solution and the dense output need."""

import dataclasses
import functools

import numpy as np

from ..solvers.rosenbrock_tables import ROSENBROCK


@dataclasses.dataclass(frozen=True)
class RosenbrockScheme:
    """A Rosenbrock method in the form of `odekit.solvers.rosenbrock_tables.RosenbrockTable`.

    Attributes
    ----------
    gamma : float
    c, d, b : ndarray, (s,)
    a, between : ndarray, (s, s)
        The table's A and C.
    dense : ndarray, (s, degree)
    """

    gamma: float
    c: np.ndarray
    d: np.ndarray
    b: np.ndarray
    a: np.ndarray
    between: np.ndarray
    dense: np.ndarray

    @functools.cached_property
    def arrays(self):
        """What kernels get: (gamma, c, d, b, a, between, dense)."""
        return (self.gamma, self.c, self.d, self.b, self.a, self.between, self.dense)


@functools.cache
def rosenbrock_scheme(method):
    """The scheme of a method.

    Parameters
    ----------
    method : str
        A key of `odekit.solvers.rosenbrock_tables.ROSENBROCK`.

    Returns
    -------
    RosenbrockScheme
        Without stages at the end that only the error estimate needs.
    """
    table = ROSENBROCK[method]
    s = 1 + max(i for i in range(table.stages) if table.b[i] != 0.0 or any(table.dense[i]))
    rows = (table.c[:s], table.d[:s], table.b[:s])
    squares = (np.array(rows)[:s, :s] for rows in (table.A, table.C))
    return RosenbrockScheme(
        table.gamma, *map(np.array, rows), *map(np.ascontiguousarray, squares), np.array(table.dense[:s])
    )
