"""What the user says of the structure of the Jacobian, and the structure that is used."""

import dataclasses
import operator
from typing import Any

import numpy as np

from .solvers.linalg.banded import Banded
from .solvers.linalg.dense import Dense
from .solvers.linalg.krylov import Krylov
from .solvers.linalg.sparse import Analysis, Sparse

SOLVERS = ("auto", "dense", "banded", "sparse", "gmres")
#: Up to this dimension a pattern is ignored: the dense factorisation is as fast.
DENSE_UP_TO = 24
#: A band of fewer diagonals is never worth a look for something better.
NARROW = 24
MOST_KNOWN = 16  # patterns whose analysis is kept
# Nanoseconds on one core, for a choice between a band and SuperLU: per multiplication of a band's factorisation, per number
# of the band in a solve, per number of sparse factors in a factorisation and in a solve, and for a call of Python; and how
# many solves there are for each factorisation (BDF on the Brusselators of the test set).
BAND_FACTOR, BAND_SOLVE, SPARSE_FACTOR, SPARSE_SOLVE, CALL = 0.25, 0.8, 55.0, 0.75, 3e4
SOLVES = 25


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What the user says of the structure of the Jacobian.

    Attributes
    ----------
    lband, uband : int or None
        Widths of the band.
    pattern : scipy.sparse.csc_array or None
        Places that need not be zero.
    solver : str
        One of `SOLVERS`.
    preconditioner : callable or None
    """

    lband: int | None = None
    uband: int | None = None
    pattern: Any = None
    solver: str = "auto"
    preconditioner: Any = None

    @property
    def may_call_python(self):
        """Whether the linear algebra may call Python back from compiled code."""
        return self.pattern is not None or self.solver in ("sparse", "gmres")

    @property
    def words(self):
        """By which argument the structure is given, as a message names it; empty where there is none."""
        if self.lband is not None:
            return f"lband = {self.lband}, uband = {self.uband}"
        if self.pattern is not None:
            return "jac_sparsity"
        return f"linear_solver = {self.solver!r}" if self.given else ""

    @property
    def given(self):
        """Whether the Jacobian has a structure."""
        return self.lband is not None or self.pattern is not None or self.solver in ("sparse", "gmres")


#: Nothing is said; and a matrix of n by n numbers, whatever the user's Jacobian may be.
UNKNOWN, DENSE = Wanted(), Wanted(solver="dense")


def wanted(n, jac_sparsity=None, lband=None, uband=None, linear_solver="auto", preconditioner=None):
    """Check what the user says of the structure.

    Parameters
    ----------
    n : int
        Dimension of the state.
    jac_sparsity, lband, uband, linear_solver, preconditioner
        As for `odekit.solve_ivp`.

    Returns
    -------
    Wanted

    Raises
    ------
    ValueError, TypeError
        In one sentence.
    """
    if jac_sparsity is lband is uband is preconditioner is None and linear_solver == "auto":
        return UNKNOWN
    lband, uband = (_band(name, value, n) for name, value in (("lband", lband), ("uband", uband)))
    if lband is not None or uband is not None:
        lband, uband = lband or 0, uband or 0
    if linear_solver not in SOLVERS:
        raise ValueError(f"linear_solver={linear_solver!r} is unknown; expected one of {', '.join(SOLVERS)}")
    pattern = None if jac_sparsity is None else _pattern(jac_sparsity, n)
    if pattern is not None and lband is not None:
        raise ValueError("jac_sparsity and lband, uband both tell the structure of the Jacobian; give one of them")
    if linear_solver == "gmres" and (pattern is not None or lband is not None):
        raise ValueError("linear_solver='gmres' forms no matrix; leave out jac_sparsity, lband and uband")
    if linear_solver == "banded" and lband is None and pattern is None:
        raise ValueError("linear_solver='banded' needs lband and uband, or a jac_sparsity whose band is looked for")
    if preconditioner is not None:
        if linear_solver != "gmres":
            raise ValueError(f"preconditioner is given, but linear_solver={linear_solver!r}; only 'gmres' uses one")
        if not callable(preconditioner):
            raise TypeError(
                f"preconditioner is a {type(preconditioner).__name__}; expected a function "
                "preconditioner(t, y, gamma, r, out, *args) that writes an approximate solution of (I - gamma J) out = r"
            )
    return Wanted(lband, uband, pattern, linear_solver, preconditioner)


def _band(name, value, n):
    if value is None:
        return None
    try:
        width = operator.index(value)
    except TypeError:
        width = -1
    if width < 0:
        raise ValueError(f"{name}={value!r}; expected the number of diagonals on that side of the main one, 0 or more")
    return min(width, max(n - 1, 0))


def _pattern(given, n):
    """A Jacobian structure as a sparse matrix of ones in canonical form."""
    from scipy import sparse

    shape = getattr(given, "shape", None) or np.asarray(given).shape
    if shape != (n, n):
        raise ValueError(f"`jac_sparsity` has shape {shape}; expected ({n}, {n})")
    return pattern_of(sparse.csc_array(given) if sparse.issparse(given) else sparse.csc_array(np.asarray(given) != 0))


def pattern_of(matrix):
    """The places of the entries that a sparse matrix has, and the diagonal; ones in canonical CSC form."""
    from scipy import sparse

    matrix = sparse.coo_array(matrix)
    diagonal = np.arange(matrix.shape[0])
    rows, columns = (np.concatenate((part, diagonal)) for part in matrix.coords)
    pattern = sparse.csc_array((np.ones(rows.size), (rows, columns)), shape=matrix.shape)
    pattern.sum_duplicates()
    pattern.data[:] = 1.0
    return pattern


def choose(n, said, pattern, complex_state, preconditioner=0):
    """The structure that is used.

    Parameters
    ----------
    n : int
        Dimension of the state (complex numbers count once).
    said : Wanted
    pattern : scipy.sparse.csc_array or None
        That of `said`, or of the user's Jacobian.
    complex_state : bool
    preconditioner : int
        Address of its kernel, 0: none.

    Returns
    -------
    odekit.solvers.linalg.Structure
        Of the real system.
    """
    from scipy import sparse

    real = 2 * n if complex_state else n
    if said.solver == "dense":
        return Dense(real)
    if said.solver == "gmres":
        return Krylov(real, preconditioner)
    if said.lband is not None:
        # a complex number and its neighbour become two by two real ones
        lband, uband = (2 * b + 1 if complex_state else b for b in (said.lband, said.uband))
        return Banded(real, lband, uband)
    if pattern is None or (real <= DENSE_UP_TO and said.solver == "auto"):
        return Dense(real)
    if complex_state:
        pattern = sparse.csc_array(sparse.kron(pattern, np.ones((2, 2))))
        pattern.sort_indices()
    return _of_pattern(pattern, said.solver)


_known = {}  # pattern and solver -> structure, or what is shared by all structures of the pattern


def _of_pattern(pattern, solver):
    """Band or sparse matrix, whichever is solved in less time."""
    key = (solver, pattern.shape[0], pattern.indptr.tobytes(), pattern.indices.tobytes())
    found = _known.get(key)
    if found is None:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        found = _known[key] = _analyse(pattern, solver)
    return Sparse(found) if isinstance(found, Analysis) else found


def _analyse(pattern, solver):
    if solver == "sparse":
        return Analysis(pattern)
    band = _band_of(pattern)
    if solver == "banded" or band.lband + band.uband < NARROW:
        return band
    analysis = Analysis(pattern)
    n, lband, uband = band.n, band.lband, band.uband
    band_time = n * (lband * (uband + 1) * BAND_FACTOR + SOLVES * (lband + uband + 1) * BAND_SOLVE)
    sparse_time = analysis.fill * (SPARSE_FACTOR + SOLVES * SPARSE_SOLVE) + SOLVES * CALL
    return band if band_time < sparse_time else analysis


def _band_of(pattern):
    """A band, in the order of the state or, where that is narrower, in the order of Cuthill and McKee (reversed)."""
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    n = pattern.shape[0]
    rows, columns = pattern.indices.astype(np.int64), np.repeat(np.arange(n), np.diff(pattern.indptr))
    natural = np.arange(n)
    width = np.abs(rows - columns).max(initial=0)
    if width >= NARROW:
        order = reverse_cuthill_mckee((pattern + pattern.T).tocsr(), symmetric_mode=True).astype(np.int64)
        place = np.empty(n, dtype=np.int64)
        place[order] = natural
        if np.abs(place[rows] - place[columns]).max() < width:
            distance = place[rows] - place[columns]
            return Banded(n, int(distance.max(initial=0)), int(-distance.min(initial=0)), pattern, order)
    distance = rows - columns
    return Banded(n, int(distance.max(initial=0)), int(-distance.min(initial=0)), pattern, natural)
