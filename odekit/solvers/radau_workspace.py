"""Where a Radau step keeps what, and the numbers of its methods, row by row for each number of stages."""

import numpy as np

from .. import _jit
from . import state
from .radau_tables import TABLES

LARGEST = max(table.stages for table in TABLES)

# places in iw
MIN_STAGES, MAX_STAGES = state.FAMILY_INT + 1, state.FAMILY_INT + 2  # set when the method is made ready
STAGES = state.FAMILY_INT + 3  # of the step being attempted
OLD_STAGES = state.FAMILY_INT + 4  # of the last accepted step
SIDE = state.FAMILY_INT + 5  # which of the two places for increments the attempt fills, 0 or 1
SINCE = state.FAMILY_INT + 6  # steps since the order changed
ITERATIONS = state.FAMILY_INT + 7  # of the last solve
WEIGHTS_OF = state.FAMILY_INT + 8  # the pair of orders to which the weights of the start values belong
# places in w
ERR_OLD = state.FAMILY_FLOAT + 2  # error norm of the last accepted step
RATE = state.FAMILY_FLOAT + 3  # of convergence
RATIO = state.FAMILY_FLOAT + 4  # of the steps to which the weights of the start values belong

# vectors of the workspace, behind the matrices
PAIRS = LARGEST // 2
_Z = 0  # stage increments z_i = Y_i - y, of this attempt and of the last accepted step
MODES = 2 * LARGEST  # the modes, T^-1 z
RATES = 3 * LARGEST  # f at the stages, then right-hand side and solution of the real system
COMPLEX = 4 * LARGEST  # right-hand sides and solutions of the complex systems
INVERSE = COMPLEX + 2 * PAIRS  # inverse weights of the norms
DEFECT = INVERSE + 1  # the error estimate without f0
INTERIOR = INVERSE + 2  # error of the collocation polynomial between its nodes
ERROR = INVERSE + 3
EXTRAPOLATION = INVERSE + 4  # then the weights of the start values: LARGEST rows of as many numbers


def workspace(n):
    """Floats of workspace for n components."""
    return EXTRAPOLATION * n + LARGEST * LARGEST


def by_stages(numbers):
    """Array whose row s holds ``numbers(table)`` of the method of s stages, zero behind.

    Parameters
    ----------
    numbers : callable
        Returns a float, or up to `LARGEST` numbers or pairs of them.

    Returns
    -------
    ndarray
    """
    rows = {table.stages: np.array(numbers(table), dtype=np.float64) for table in TABLES}
    shape = np.max([row.shape for row in rows.values()], axis=0).astype(int)
    array = np.zeros((LARGEST + 1, *shape))
    for s, row in rows.items():
        array[(s, *map(slice, row.shape))] = row
    return array


NODES = by_stages(lambda table: table.c)
#: Barycentric weights of the nodes together with the start of the step, ``1 / (c_j prod_{m != j} (c_j - c_m))``.
WEIGHTS = by_stages(lambda t: [1 / (a * np.prod([a - b for b in t.c if b != a])) for a in t.c])


@_jit.core
def place(iw, k):
    """Where the k-th vector of the workspace begins in w."""
    return iw[state.O_VECTORS] + k * iw[state.N]


@_jit.core
def attempt(iw):
    """Where the increments of the attempt begin in w, one row for each stage."""
    return place(iw, _Z + LARGEST * iw[SIDE])


@_jit.core
def accepted(iw):
    """Where the increments of the last accepted step begin in w."""
    return place(iw, _Z + LARGEST * (1 - iw[SIDE]))
