"""Runge-Kutta methods as data: frozen, validated tables of coefficients.

A table states a method completely; `odekit.solvers.explicit` and `odekit.solvers.esdirk` generate the code of its step.
What is cheap to check is checked on construction (shapes, row sums, consistency of the parts); the tests check the
rest: order conditions by rooted trees for the solution, the embedded solution and the dense output, and stability.

A new method is one entry of `EXPLICIT` or `ESDIRK`.
"""

import dataclasses
import math

from . import dop853

_TOLERANCE = 1e-15  # of sums, relative to the sum of the absolute values of their terms


@dataclasses.dataclass(frozen=True)
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
        With `extra_c`, the rows of the extra stages follow those of the s stages.
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


@dataclasses.dataclass(frozen=True)
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


def _square(rows, width=None):
    """Fill the rows of a lower triangle with zeros."""
    width = len(rows) if width is None else width
    return tuple((*row, *[0.0] * (width - len(row))) for row in rows)


def _minus(b, b_hat):
    return tuple(x - y for x, y in zip(b, b_hat, strict=True))


def _nested_dense(b, last, D=()):
    """Dense output in Hairer's nested form as weights of the powers of theta.

    ``y + theta (F0 + (1-theta) (F1 + theta (F2 + (1-theta) (F3 + theta (F4 + ...)))))``, where F0 to F2 make the cubic
    Hermite polynomial of both ends and ``F[3 + r] = h sum_i D[r][i] k_i``.

    Parameters
    ----------
    b : tuple of float
        Weights of all stages, extra stages (zero) included.
    last : int
        The stage that is the vector field at the end of the step.
    D : tuple of tuples
    """
    rows = []
    for i, weight in enumerate(b):
        first, end = float(i == 0), float(i == last)
        nested = [weight, first - weight, 2 * weight - first - end, *(row[i] for row in D)]
        total, basis = [0.0] * len(nested), [0.0, 1.0]  # basis: theta, theta (1-theta), theta^2 (1-theta), ...
        for k, value in enumerate(nested):
            total = [a + value * x for a, x in zip(total, basis[1:] + [0.0] * len(nested), strict=False)]
            shifted = [0.0, *basis]
            basis = [a - x for a, x in zip([*basis, 0.0], shifted, strict=True)] if k % 2 == 0 else shifted
        rows.append(tuple(total))
    return tuple(rows)


# ---------------------------------------------------------------------------------------------------------------------
# explicit methods

_HNW = "Hairer, Norsett, Wanner, Solving Ordinary Differential Equations I, 2nd ed., Springer 1993"

_EULER = ExplicitTable("euler", 1, 0, (0.0,), ((0.0,),), (1.0,), None, None, 2.0, f"{_HNW}, II.1")

_MIDPOINT = ExplicitTable(
    "midpoint", 2, 0, (0.0, 1 / 2), _square(((), (1 / 2,))), (0.0, 1.0), None, None, 2.0, f"Runge (1895); {_HNW}, II.1"
)

_HEUN = ExplicitTable(
    "heun", 2, 1, (0.0, 1.0), _square(((), (1.0,))), (1 / 2, 1 / 2), (-1 / 2, 1 / 2), None, 2.0,
    f"Heun (1900), with Euler's method embedded; {_HNW}, II.1",
)  # fmt: skip

_RK4 = ExplicitTable(
    "rk4", 4, 0,
    (0.0, 1 / 2, 1 / 2, 1.0),
    _square(((), (1 / 2,), (0.0, 1 / 2), (0.0, 0.0, 1.0))),
    (1 / 6, 1 / 3, 1 / 3, 1 / 6),
    None, None, 2.785293563405282, f"Kutta (1901); {_HNW}, table II.1.2",
)  # fmt: skip

_B = (2 / 9, 1 / 3, 4 / 9, 0.0)
_BOSH3 = ExplicitTable(
    "bosh3", 3, 2,
    (0.0, 1 / 2, 3 / 4, 1.0),
    _square(((), (1 / 2,), (0.0, 3 / 4), _B[:3])),
    _B,
    (-5 / 72, 1 / 12, 1 / 9, -1 / 8),
    _nested_dense(_B, 3), 2.512745326618328,
    "Bogacki, Shampine, A 3(2) pair of Runge-Kutta formulas, Appl. Math. Lett. 2 (1989) 321-325, "
    "doi:10.1016/0893-9659(89)90079-7",
)  # fmt: skip

_B = (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84, 0.0)
_DOPRI5 = ExplicitTable(
    "dopri5", 5, 4,
    (0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0),
    _square((
        (),
        (1 / 5,),
        (3 / 40, 9 / 40),
        (44 / 45, -56 / 15, 32 / 9),
        (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
        (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
        _B[:6],
    )),
    _B,
    (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40),
    _nested_dense(_B, 6, ((
        -12715105075 / 11282082432, 0.0, 87487479700 / 32700410799, -10690763975 / 1880347072,
        701980252875 / 199316789632, -1453857185 / 822651844, 69997945 / 29380423,
    ),)),
    3.306567892634945,
    "Dormand, Prince, A family of embedded Runge-Kutta formulae, J. Comput. Appl. Math. 6 (1980) 19-26, "
    "doi:10.1016/0771-050X(80)90013-3; dense output: Shampine, Some practical Runge-Kutta formulas, "
    "Math. Comp. 46 (1986) 135-150, doi:10.2307/2008219",
    dense_order=4,
)  # fmt: skip

_B = (0.09646076681806523, 1 / 100, 0.4798896504144996, 1.379008574103742, -3.290069515436081, 2.324710524099774, 0.0)
_TSIT5 = ExplicitTable(
    "tsit5", 5, 4,
    (0.0, 0.161, 0.327, 0.9, 0.9800255409045097, 1.0, 1.0),
    _square((
        (),
        (0.161,),
        (-0.008480655492356989, 0.335480655492357),
        (2.8971530571054935, -6.359448489975075, 4.3622954328695815),
        (5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525),
        (5.86145544294642, -12.92096931784711, 8.159367898576159, -0.071584973281401, -0.028269050394068383),
        _B[:6],
    )),
    _B,
    (
        0.0017800110522257714, 0.0008164344596567469, -0.007880878010261995, 0.1447110071732629,
        -0.5823571654525552, 0.45808210592918697, -1 / 66,
    ),
    # the free interpolant of the paper's end is the cubic Hermite polynomial plus this multiple of theta^2 (1-theta)^2
    _nested_dense(_B, 6, ((
        -1.0530884977290216, 0.1017, 2.4906272856512528, -16.548102889244902, 47.37952196281928, -34.87065786149661,
        2.5,
    ),)),
    3.506846993804955,
    "Tsitouras, Runge-Kutta pairs of order 5(4) satisfying only the first column simplifying assumption, "
    "Comput. Math. Appl. 62 (2011) 770-775, doi:10.1016/j.camwa.2011.06.002",
    dense_order=4,
)  # fmt: skip

_A = _square(dop853.A)
_B = _A[12][:13]
_DOP853 = ExplicitTable(
    "dop853", 8, 7,
    dop853.C[:13],
    tuple(row[:13] for row in _A[:13]),
    _B,
    dop853.E5,
    _nested_dense(_A[12], 12, dop853.D),
    6.3936515228512,
    f"Dormand, Prince; Hairer's code DOP853; {_HNW}, II.5, II.6 and II.10",
    dense_order=7,
    b_err_low=_minus(_B, dop853.B_HAT_3),
    extra_c=dop853.C[13:],
    extra_A=_A[13:],
)  # fmt: skip

EXPLICIT = {table.name: table for table in (_EULER, _MIDPOINT, _HEUN, _RK4, _BOSH3, _DOPRI5, _TSIT5, _DOP853)}

# ---------------------------------------------------------------------------------------------------------------------
# ESDIRK methods

_BACKWARD_EULER = EsdirkTable(
    "backward_euler", 1, 1, (0.0, 1.0), ((0.0, 0.0), (0.0, 1.0)), (0.0, 1.0),
    (-1 / 2, 1 / 2),  # from the trapezoidal rule
    ((0.0, 0.0), (1.0, 0.0)),
    True, "Hairer, Wanner, Solving Ordinary Differential Equations II, 2nd ed., Springer 1996, IV.3",
)  # fmt: skip


def _kvaerno3():
    g = 0.435866521508459  # the middle root of 6 g^3 - 18 g^2 + 9 g - 1, which makes R(infinity) = 0
    a31, a32 = (-4 * g**2 + 6 * g - 1) / (4 * g), (1 - 2 * g) / (4 * g)
    a41, a42, a43 = (6 * g - 1) / (12 * g), -1 / ((24 * g - 12) * g), (-6 * g**2 + 6 * g - 1) / (6 * g - 3)
    b, b_hat = (a41, a42, a43, g), (a31, a32, g, 0.0)
    return EsdirkTable(
        "kvaerno3", 3, 2,
        (0.0, 2 * g, 1.0, 1.0),
        _square(((), (g, g), (a31, a32, g), b)),
        b,
        _minus(b, b_hat),
        (
            (0.0, 0.0, 0.0, 0.0),
            (1.0, 0.0, 0.0, 0.0),
            (1 - 1 / (2 * g), 1 / (2 * g), 0.0, 0.0),  # the line through k_1 and k_2
            # the embedded solution: Newton then starts as near to the solution as the error estimate is small
            ((a31 - a41) / g, (a32 - a42) / g, (g - a43) / g, 0.0),
        ),
        True,  # the embedded solution has R(infinity) = -0.957
        "Kvaerno, Singly diagonally implicit Runge-Kutta methods with an explicit first stage, "
        "BIT 44 (2004) 489-502, doi:10.1023/B:BITN.0000046811.70614.38",
    )  # fmt: skip


ESDIRK = {table.name: table for table in (_BACKWARD_EULER, _kvaerno3())}
