"""An implicit Runge-Kutta method as its adjoint sees it: coefficients, and groups of stages that are solved together."""

import dataclasses
import functools
from fractions import Fraction

import numpy as np

from ..solvers import gauss
from ..solvers.hermite import HERMITE
from ..solvers.radau_tables import TABLES
from ..solvers.tables import ESDIRK

#: Nodes of the collocation methods.
NODES = {**{f"radau{table.order}": table.c for table in TABLES}, **gauss.NODES}
METHODS = (*ESDIRK, "radau", *NODES)
#: Radau of variable order is differentiated at its lowest.
FIXED_ORDER = {"radau": "radau5"}


def collocation(nodes):
    """Integrals from 0 of the Lagrange polynomials of some nodes, as powers x, x^2, ...; computed in fractions.

    Parameters
    ----------
    nodes : sequence of float

    Returns
    -------
    ndarray, (s, s)
    """
    rows, nodes = [], [Fraction(x) for x in nodes]
    for j, own in enumerate(nodes):
        row = [Fraction(1)]
        for m, other in enumerate(nodes):
            if m != j:
                shifted, scaled = [Fraction(0), *row], [other * x for x in row] + [Fraction(0)]
                row = [(a - b) / (own - other) for a, b in zip(shifted, scaled, strict=True)]
        rows.append([float(x / (power + 1)) for power, x in enumerate(row)])
    return np.array(rows)


@dataclasses.dataclass(frozen=True)
class ImplicitScheme:
    """An implicit method.

    Attributes
    ----------
    c : ndarray, (s,)
    a : ndarray, (s, s)
    inverse : ndarray, (s, s)
        The inverse of each group's diagonal block of `a`; zero for an explicit first stage.
    b : ndarray, (s,)
    dense : ndarray, (s, degree)
        Weights of the dense output.
    group : int
        Stages that are solved together.
    carries : bool
        Whether the first stage is the last one of the step before.
    stiffly_accurate : bool
        Whether the last stage is the new solution.
    """

    c: np.ndarray
    a: np.ndarray
    inverse: np.ndarray
    b: np.ndarray
    dense: np.ndarray
    group: int
    carries: bool
    stiffly_accurate: bool


@functools.cache
def implicit_scheme(method):
    """The scheme of an ESDIRK method, of Radau IIA or of a Gauss method.

    Parameters
    ----------
    method : str

    Returns
    -------
    ImplicitScheme
    """
    if method in ESDIRK:
        table = ESDIRK[method]
        a, b, c = np.array(table.A), np.array(table.b), np.array(table.c)
        change, start, end = HERMITE
        dense = np.outer(b, change)
        if table.order == 1:
            dense = b[:, None].copy()
        else:
            dense[0] += start
            dense[-1] += end
        inverse = np.diag([0.0, *[1.0 / table.gamma] * (len(c) - 1)])
        return ImplicitScheme(c, a, inverse, b, dense, 1, True, True)
    c = np.array(NODES[method])
    integrals = collocation(NODES[method])
    a = np.array([[np.polyval([*row[::-1], 0.0], x) for row in integrals] for x in c])
    return ImplicitScheme(
        c, a, np.linalg.inv(a), integrals.sum(axis=1), integrals, c.size, False, method.startswith("radau")
    )
