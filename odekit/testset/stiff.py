"""Stiff problems."""

import numpy as np

from .problem import Problem


def _rober(t, y, k1, k2, k3):
    slow, fast, back = k1 * y[0], k2 * y[1] * y[1], k3 * y[1] * y[2]
    return [back - slow, slow - back - fast, fast]


def _rober_jac(t, y, k1, k2, k3):
    return np.array(
        [
            [-k1, k3 * y[2], k3 * y[1]],
            [k1, -k3 * y[2] - 2 * k2 * y[1], -k3 * y[1]],
            [0.0, 2 * k2 * y[1], 0.0],
        ]
    )


ROBER = Problem(
    "ROBER", _rober, _rober_jac, (0.0, 1e11), (1.0, 0.0, 0.0), (0.04, 3e7, 1e4),
    (2.083340149701255e-08, 8.333360770334713e-14, 0.999999979166505), 14,
    "Robertson's chemical reaction (1966); reference: IVP Test Set (Bari), as in cran/deTestSet R/ex_reference.R",
)  # fmt: skip


def _hires(t, y):
    binding = 280.0 * y[5] * y[7]
    return [
        -1.71 * y[0] + 0.43 * y[1] + 8.32 * y[2] + 0.0007,
        1.71 * y[0] - 8.75 * y[1],
        -10.03 * y[2] + 0.43 * y[3] + 0.035 * y[4],
        8.32 * y[1] + 1.71 * y[2] - 1.12 * y[3],
        -1.745 * y[4] + 0.43 * y[5] + 0.43 * y[6],
        -binding + 0.69 * y[3] + 1.71 * y[4] - 0.43 * y[5] + 0.69 * y[6],
        binding - 1.81 * y[6],
        -binding + 1.81 * y[6],
    ]


def _hires_jac(t, y):
    a, b = 280.0 * y[7], 280.0 * y[5]
    return np.array(
        [
            [-1.71, 0.43, 8.32, 0.0, 0.0, 0.0, 0.0, 0.0],
            [1.71, -8.75, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, -10.03, 0.43, 0.035, 0.0, 0.0, 0.0],
            [0.0, 8.32, 1.71, -1.12, 0.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, 0.0, 0.0, -1.745, 0.43, 0.43, 0.0],
            [0.0, 0.0, 0.0, 0.69, 1.71, -a - 0.43, 0.69, -b],
            [0.0, 0.0, 0.0, 0.0, 0.0, a, -1.81, b],
            [0.0, 0.0, 0.0, 0.0, 0.0, -a, 1.81, -b],
        ]
    )


HIRES = Problem(
    "HIRES", _hires, _hires_jac, (0.0, 321.8122), (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0057), (),
    (
        0.0007371312573325668, 0.0001442485726316185, 5.888729740967575e-05, 0.001175651343283149,
        0.002386356198831331, 0.006238968252742796, 0.002849998395185769, 0.002850001604814231,
    ), 14,
    "Schaefer's high irradiance responses (1975); reference: IVP Test Set (Bari), as in cran/deTestSet src/Ex_hires.f",
)  # fmt: skip


def _orego(t, y, s, q, w):
    return [s * (y[1] + y[0] * (1.0 - q * y[0] - y[1])), (y[2] - (1.0 + y[0]) * y[1]) / s, w * (y[0] - y[2])]


def _orego_jac(t, y, s, q, w):
    return np.array(
        [
            [s * (1.0 - 2 * q * y[0] - y[1]), s * (1.0 - y[0]), 0.0],
            [-y[1] / s, -(1.0 + y[0]) / s, 1.0 / s],
            [w, 0.0, -w],
        ]
    )


OREGO = Problem(
    "OREGO", _orego, _orego_jac, (0.0, 360.0), (1.0, 2.0, 3.0), (77.27, 8.375e-6, 0.161),
    # the published solutions of Hairer and of the Bari set differ in the 14th digit
    (1.000814870318523, 1228.178521549917, 132.0554942846706), 13,
    "Field and Noyes' Oregonator (1974); reference: IVP Test Set (Bari), as in cran/deTestSet R/ex_reference.R",
)  # fmt: skip


def _vdpol(t, y, eps):
    return [y[1], ((1.0 - y[0] * y[0]) * y[1] - y[0]) / eps]


def _vdpol_jac(t, y, eps):
    return np.array([[0.0, 1.0], [(-2.0 * y[0] * y[1] - 1.0) / eps, (1.0 - y[0] * y[0]) / eps]])


VDPOL = Problem(
    "VDPOL", _vdpol, _vdpol_jac, (0.0, 2.0), (2.0, 0.0), (1e-6,),
    (1.706167732170483, -0.8928097010247975), 13,
    "Van der Pol's oscillator (1926), in units of its period; reference: IVP Test Set (Bari), as in "
    "mikael-s-persson/ReaK integrators_test_problems.h and mauro3/IVPTestSuite.jl src/testcases/vdpol.jl",
)  # fmt: skip


def _vdpolm(t, y, mu):
    return [y[1], mu * (1.0 - y[0] * y[0]) * y[1] - y[0]]


def _vdpolm_jac(t, y, mu):
    return np.array([[0.0, 1.0], [-2.0 * mu * y[0] * y[1] - 1.0, mu * (1.0 - y[0] * y[0])]])


VDPOLM = Problem(
    "VDPOLM", _vdpolm, _vdpolm_jac, (0.0, 2000.0), (2.0, 0.0), (1000.0,),
    (1.706167732170469, -0.0008928097010248125), 13,
    "Van der Pol's oscillator (1926), unscaled; reference: IVP Test Set (Bari), as in cran/deTestSet R/ex_reference.R",
)  # fmt: skip
