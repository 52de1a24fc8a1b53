"""Tables of the ESDIRK methods.

The first guesses of the slopes were chosen by the number of iterations that they leave on ROBER, HIRES, OREGO and VDPOL
at tolerances from 1e-4 to 1e-8. Dense output is cubic Hermite from both ends for all of them: the polynomial published
with kencarp4 has the same order and, on the problem of Prothero and Robinson, five times the error.
"""

import math

from .tableau import EsdirkTable, minus, square

EMBEDDED = None  # for `_predictor`: the guess that makes the last stage equal to the one before


def _predictor(c, A, *rows):
    """Weights of the slopes in the first guesses.

    A row is a list of stages, whose slopes the polynomial goes through that is extrapolated, or `EMBEDDED`: where the
    stage before is the embedded solution, the iteration then starts as near to the solution as the error estimate is
    small.
    """
    weights = []
    for i, nodes in enumerate(rows):
        if nodes is EMBEDDED:
            row = [(x - y) / A[i][i] for x, y in zip(A[i - 1][:i], A[i][:i], strict=True)]
        else:
            row = [_lagrange(c, nodes, j, c[i]) if j in nodes else 0.0 for j in range(i)]
        weights.append(row)
    return square(weights)


def _lagrange(c, nodes, j, x):
    return math.prod(((x - c[m]) / (c[j] - c[m]) for m in nodes if m != j), start=1.0)


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
    c, A = (0.0, 2 * g, 1.0, 1.0), square(((), (g, g), (a31, a32, g), b))
    return EsdirkTable(
        "kvaerno3", 3, 2, c, A, b, minus(b, b_hat),
        _predictor(c, A, [], [0], [0, 1], EMBEDDED),
        True,  # the embedded solution has R(infinity) = -0.957
        "Kvaerno, Singly diagonally implicit Runge-Kutta methods with an explicit first stage, "
        "BIT 44 (2004) 489-502, doi:10.1023/B:BITN.0000046811.70614.38",
    )  # fmt: skip


def _trbdf2():
    d, w = 1 - 2**0.5 / 2, 2**0.5 / 4
    b, c = (w, w, d), (0.0, 2 * d, 1.0)
    A = square(((), (d, d), b))
    return EsdirkTable(
        "trbdf2", 2, 2, c, A, b,
        minus(b, ((1 - w) / 3, (1 + 3 * w) / 3, d / 3)),  # the embedded formula has order 3
        _predictor(c, A, [], [0], [0, 1]),
        True,
        "Hosea, Shampine, Analysis and implementation of TR-BDF2, Appl. Numer. Math. 20 (1996) 21-37, "
        "doi:10.1016/0168-9274(95)00115-8",
    )  # fmt: skip


def _kvaerno5():
    g = 0.26
    A = square((
        (),
        (g, g),
        (0.13, 0.84033320996790809, g),
        (0.22371961478320505, 0.47675532319799699, -0.06470895363112615, g),
        (0.16648564323248321, 0.10450018841591720, 0.03631482272098715, -0.13090704451073998, g),
        (0.13855640231268224, 0.0, -0.04245337201752043, 0.02446657898003141, 0.61943039072480676, g),
        (0.13659751177640291, 0.0, -0.05496908796538376, -0.04118626728321046, 0.62993304899016403,
         0.06962479448202728, g),
    ))  # fmt: skip
    # the third stage lies beyond the end of the step: the field is evaluated up to 0.23 h outside the span
    c = (0.0, 0.52, 1.230333209967908, 0.8957659843500759, 0.43639360985864756, 1.0, 1.0)
    return EsdirkTable(
        "kvaerno5", 5, 4, c, A, A[6], minus(A[6], A[5]),
        _predictor(c, A, [], [0], [0, 1], [0, 1, 2], [0, 1, 3], [0, 3, 4], EMBEDDED),
        True,
        "Kvaerno (see kvaerno3), ESDIRK 5/4 with seven stages",
    )  # fmt: skip


def _kencarp4():
    g = 1 / 4
    b = (82889 / 524892, 0.0, 15625 / 83664, 69875 / 102672, -2260 / 8211, g)
    b_hat = (
        4586570599 / 29645900160, 0.0, 178811875 / 945068544, 814220225 / 1159782912, -3700637 / 11593932,
        61727 / 225920,
    )  # fmt: skip
    c = (0.0, 1 / 2, 83 / 250, 31 / 50, 17 / 20, 1.0)
    A = square((
        (),
        (g, g),
        (8611 / 62500, -1743 / 31250, g),
        (5012029 / 34652500, -654441 / 2922500, 174375 / 388108, g),
        (15267082809 / 155376265600, -71443401 / 120774400, 730878875 / 902184768, 2285395 / 8070912, g),
        b,
    ))  # fmt: skip
    return EsdirkTable(
        "kencarp4", 4, 3, c, A, b, minus(b, b_hat),
        _predictor(c, A, [], [0], [0, 1], [0, 1, 2], [0, 1, 3], [0, 3, 4]),
        True,
        "Kennedy, Carpenter, Additive Runge-Kutta schemes for convection-diffusion-reaction equations, "
        "Appl. Numer. Math. 44 (2003) 139-181, doi:10.1016/S0168-9274(02)00138-1: implicit part of ARK4(3)6L[2]SA",
    )  # fmt: skip


ESDIRK = {table.name: table for table in (_BACKWARD_EULER, _trbdf2(), _kvaerno3(), _kencarp4(), _kvaerno5())}
