"""A stiff problem of chemistry, POLLU, given as a table of reactions."""

import numpy as np

from .problem import Problem

#: Rate constant, reactants, products; species are counted from 1, as in the source.
_REACTIONS = (
    (0.35, (1,), (2, 3)),
    (0.266e2, (2, 4), (1,)),
    (0.123e5, (5, 2), (1, 6)),
    (0.86e-3, (7,), (5, 5, 8)),
    (0.82e-3, (7,), (8,)),
    (0.15e5, (7, 6), (5, 8)),
    (0.13e-3, (9,), (5, 8, 10)),
    (0.24e5, (9, 6), (11,)),
    (0.165e5, (11, 2), (1, 10, 12)),
    (0.9e4, (11, 1), (13,)),
    (0.22e-1, (13,), (1, 11)),
    (0.12e5, (10, 2), (1, 14)),
    (0.188e1, (14,), (5, 7)),
    (0.163e5, (1, 6), (15,)),
    (0.48e7, (3,), (4,)),
    (0.35e-3, (4,), (16,)),
    (0.175e-1, (4,), (3,)),
    (0.1e9, (16,), (6, 6)),
    (0.444e12, (16,), (3,)),
    (0.124e4, (17, 6), (5, 18)),
    (0.21e1, (19,), (2,)),
    (0.578e1, (19,), (1, 3)),
    (0.474e-1, (1, 4), (19,)),
    (0.178e4, (19, 1), (20,)),
    (0.312e1, (20,), (1, 19)),
)


def _columns(lists, width):
    """Indices from 0 on, one reaction a row, filled up with -1."""
    return np.array([[i - 1 for i in items] + [-1] * (width - len(items)) for items in lists])


_REACTANTS = _columns([reactants for _, reactants, _ in _REACTIONS], 2)
_PRODUCTS = _columns([products for _, _, products in _REACTIONS], 3)


def _pollu(t, y, rates):
    """Twenty concentrations by the law of mass action."""
    dy = np.zeros(20)
    for r in range(25):
        first, second = _REACTANTS[r, 0], _REACTANTS[r, 1]
        speed = rates[r] * y[first] * (y[second] if second >= 0 else 1.0)
        dy[first] -= speed
        if second >= 0:
            dy[second] -= speed
        for k in range(3):
            if _PRODUCTS[r, k] >= 0:
                dy[_PRODUCTS[r, k]] += speed
    return dy


def _pollu_jac(t, y, rates):
    jacobian = np.zeros((20, 20))
    for r in range(25):
        for by in range(2):
            j, other = _REACTANTS[r, by], _REACTANTS[r, 1 - by]
            if j < 0:
                continue
            slope = rates[r] * (y[other] if other >= 0 else 1.0)
            jacobian[j, j] -= slope
            if other >= 0:
                jacobian[other, j] -= slope
            for k in range(3):
                if _PRODUCTS[r, k] >= 0:
                    jacobian[_PRODUCTS[r, k], j] += slope
    return jacobian


POLLU = Problem(
    "POLLU", _pollu, _pollu_jac, (0.0, 60.0),
    (
        0.0, 0.2, 0.0, 0.04, 0.0, 0.0, 0.1, 0.3, 0.01, 0.0,
        0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.007, 0.0, 0.0, 0.0,
    ),
    (np.array([rate for rate, _, _ in _REACTIONS]),),
    (
        0.05646255480022769, 0.1342484130422339, 4.139734331099427e-09, 0.005523140207484359,
        2.018977262302196e-07, 1.464541863493966e-07, 0.07784249118997964, 0.3245075353396018,
        0.007494013383880406, 1.622293157301561e-08, 1.135863833257075e-08, 0.002230505975721359,
        0.000208716288279863, 1.396921016840158e-05, 0.008964884856898295, 4.352846369330103e-18,
        0.006899219696263405, 0.0001007803037365946, 1.772146513969984e-06, 5.682943292316392e-05,
    ), 14,
    "Verwer's model of air pollution, SIAM J. Sci. Comput. 15 (1994) 1243; reference: IVP Test Set (Bari), as in "
    "cran/deTestSet src/Ex_pollution.f",
)  # fmt: skip
