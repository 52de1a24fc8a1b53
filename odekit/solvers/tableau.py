"""What a Runge-Kutta table consists of, and what is checked when one is made.

Shapes, row sums, triangularity and the consistency of the parts are checked on construction. The tests check the rest:
order conditions by rooted trees for the solution, the error estimate and the dense output, and stability.
"""

import dataclasses
import math

_TOLERANCE = 1e-15  # of sums, relative to the sum of the absolute values of their terms


@dataclasses.dataclass(frozen=True, eq=False)  # known by identity: to hash all numbers takes longer than a solve
class ExplicitTable:
    """An explicit Runge-Kutta method.

    Attributes
    ----------
    name : str
    order, embedded_order : int
        Of the solution and of the error estimate, which behaves as ``h^(embedded_order + 1)`` (0: there is none, the
        method takes fixed steps).
    c : tuple of float, length s
    A : tuple of s tuples
        Strictly lower triangular; row i has length s.
    b : tuple of float, length s
    b_err : tuple of float or None
        Weights of the error estimate, ``b - b_hat``.
    dense : tuple of s tuples, or None
        ``dense[i][d - 1]``: weight of ``h k_i theta^d`` in ``y(t + theta h) - y``. None: cubic Hermite from both ends.
        With `extra_c`, the rows of the extra stages follow those of the s stages. Fractions where the weights cancel so
        much that doubles would lose digits.
    stability_size : float
        How far the stability region reaches along the negative real axis.
    citation : str
    dense_order : int
        The dense output is accurate to ``O(h^(dense_order + 1))`` within the step.
    b_err_low : tuple of float or None
        Weights of a second error estimate of lower order. With ``e5 = h sum b_err_i k_i``,
        ``e3 = h sum b_err_low_i k_i`` and weighted RMS norms, the norm of the error is then
        ``|e5|^2 / sqrt(|e5|^2 + 0.01 |e3|^2)`` (0 if both are 0): it behaves as ``h^8`` and does not trust an `e5` that
        vanishes by accident.
    extra_c : tuple of float, length m
        Stages that only the dense output needs; computed after a step is accepted, and only if somebody looks.
    extra_A : tuple of m tuples
        Row i has length s + m and is zero from column s + i on.
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
    dense_order: int = 3
    b_err_low: tuple | None = None
    extra_c: tuple = ()
    extra_A: tuple = ()

    def __post_init__(self):
        s, m = len(self.c), len(self.extra_c)
        _check_rows(self.name, self.c, self.A, s, lambda i: i)
        _check_rows(self.name, self.extra_c, self.extra_A, s + m, lambda i: s + i)
        _check_sum(self.name, "b", self.b, s, 1.0)
        for part in ("b_err", "b_err_low"):
            if getattr(self, part) is not None:
                _check_sum(self.name, part, getattr(self, part), s, 0.0)
        _require((self.b_err is None) == (self.embedded_order == 0), self.name, "b_err and embedded_order disagree")
        _require(self.stability_size > 0, self.name, "stability_size must be positive")
        if self.dense is not None:
            _require(len(self.dense) == s + m, self.name, "dense needs one row per stage")
            _require(len({len(row) for row in self.dense}) == 1, self.name, "the rows of dense differ in length")
            for row, weight in zip(self.dense, (*self.b, *[0.0] * m), strict=True):
                _check_sum(self.name, "dense at theta = 1", row, len(row), weight)

    @property
    def stages(self):
        """Number of stages s, the first-same-as-last one included."""
        return len(self.c)

    @property
    def fsal(self):
        """Whether the last stage is the vector field at the new solution."""
        return self.c[-1] == 1.0 and tuple(self.A[-1]) == tuple(self.b)


@dataclasses.dataclass(frozen=True, eq=False)  # known by identity: to hash all numbers takes longer than a solve
class EsdirkTable:
    """A stiffly accurate singly diagonally implicit method with an explicit first stage.

    Attributes
    ----------
    name : str
    order, embedded_order : int
        Of the solution and of the error estimate, which behaves as ``h^(embedded_order + 1)``.
    c : tuple of float, length s
    A : tuple of s tuples
        Lower triangular with ``A[0][0] = 0`` and ``A[i][i] = gamma``; the last row equals `b`.
    b, b_err : tuple of float, length s
    predictor : tuple of s tuples
        ``predictor[i][j]``: weight of ``k_j``, j < i, in the first guess of ``k_i``.
    filter_error : bool
        Whether the error estimate is multiplied by ``(I - h gamma J)^-1`` (needed where the embedded method is not
        L-stable).
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

    def __post_init__(self):
        s = len(self.c)
        _check_rows(self.name, self.c, self.A, s, lambda i: i + 1)
        _check_sum(self.name, "b", self.b, s, 1.0)
        _check_sum(self.name, "b_err", self.b_err, s, 0.0)
        _require(
            self.A[0][0] == 0 and all(self.A[i][i] == self.gamma for i in range(1, s)),
            self.name,
            "A has no single diagonal",
        )
        _require(tuple(self.A[-1]) == tuple(self.b), self.name, "the last row of A is not b")
        _require(len(self.predictor) == s, self.name, "predictor needs one row per stage")
        for i, row in enumerate(self.predictor):
            _require(not any(row[i:]), self.name, f"predictor row {i} uses stages that are not yet known")
            _check_sum(self.name, f"predictor row {i}", row, s, 1.0 if i else 0.0)

    @property
    def stages(self):
        """Number of stages s."""
        return len(self.c)

    @property
    def gamma(self):
        """The diagonal coefficient."""
        return self.A[-1][-1]


def _require(condition, name, message):
    if not condition:
        raise ValueError(f"table {name!r}: {message}")


def _check_rows(name, c, A, length, first_zero):
    """Row sums equal c, and row i is zero from column first_zero(i) on."""
    _require(len(A) == len(c), name, "A needs one row per stage")
    for i, row in enumerate(A):
        _check_sum(name, f"row {i} of A", row, length, c[i])
        _require(not any(row[first_zero(i) :]), name, f"row {i} of A is not lower triangular")


def _check_sum(name, part, weights, length, total):
    _require(len(weights) == length, name, f"{part} has length {len(weights)}, expected {length}")
    scale = max(1.0, math.fsum(map(abs, weights)))
    defect = abs(math.fsum(weights) - total)
    _require(defect <= _TOLERANCE * scale, name, f"the sum of {part} is off by {defect:.1e}")


def square(rows, width=None):
    """Fill the rows of a lower triangle with zeros.

    Parameters
    ----------
    rows : sequence of sequences of float
    width : int, optional
        Default: as many as there are rows.

    Returns
    -------
    tuple of tuples
    """
    width = len(rows) if width is None else width
    return tuple((*row, *[0.0] * (width - len(row))) for row in rows)


def minus(b, b_hat):
    """Difference of two rows of weights.

    Parameters
    ----------
    b, b_hat : tuple of float

    Returns
    -------
    tuple of float
    """
    return tuple(x - y for x, y in zip(b, b_hat, strict=True))
