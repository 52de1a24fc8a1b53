"""Runge-Kutta methods as data: frozen, validated tables of coefficients.

A table states a method completely; `odekit.solvers.explicit` and `odekit.solvers.esdirk` generate the code of its step.
A new method is one entry of `EXPLICIT` or of `ESDIRK` (in `odekit.solvers.esdirk_tables`); the tests pick it up.
"""

from fractions import Fraction

from . import dop853, verner
from .esdirk_tables import ESDIRK
from .tableau import EsdirkTable, ExplicitTable
from .tableau import minus as _minus
from .tableau import square as _square

__all__ = ["ESDIRK", "EXPLICIT", "EsdirkTable", "ExplicitTable"]


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
        weight, first, end = Fraction(weight), int(i == 0), int(i == last)  # exact: the powers cancel
        nested = [weight, first - weight, 2 * weight - first - end, *(Fraction(row[i]) for row in D)]
        total, basis = [0] * len(nested), [0, 1]  # basis: theta, theta (1-theta), theta^2 (1-theta), ...
        for k, value in enumerate(nested):
            total = [a + value * x for a, x in zip(total, basis[1:] + [0] * len(nested), strict=False)]
            shifted = [0, *basis]
            basis = [a - x for a, x in zip([*basis, 0], shifted, strict=True)] if k % 2 == 0 else shifted
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


def _verner(name, order, last, c, A, b_err, dense, stability_size):
    A = _square(A)
    inner = last + 1
    return ExplicitTable(
        name, order, order - 1, c[:inner], tuple(row[:inner] for row in A[:inner]), A[last][:inner], b_err, dense,
        stability_size,
        "Verner, Numerically optimal Runge-Kutta pairs with interpolants, Numer. Algorithms 53 (2010) 383-396, "
        f"doi:10.1007/s11075-009-9290-3; the 'most efficient' pair of orders {order}({order - 1})",
        dense_order=order, extra_c=c[inner:], extra_A=A[inner:],
    )  # fmt: skip


_VERN7 = _verner("vern7", 7, 10, verner.C7, verner.A7, verner.E7, verner.DENSE7, 4.640024335337547)
_VERN9 = _verner("vern9", 9, 16, verner.C9, verner.A9, verner.E9, verner.DENSE9, 4.476172722561911)

EXPLICIT = {
    table.name: table for table in (_EULER, _MIDPOINT, _HEUN, _RK4, _BOSH3, _DOPRI5, _TSIT5, _VERN7, _DOP853, _VERN9)
}
