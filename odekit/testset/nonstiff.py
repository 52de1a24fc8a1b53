"""Nonstiff problems, one of them chaotic."""

import math

import numpy as np

from .problem import Problem


def _pleiades(t, y):
    """Seven bodies in the plane, of masses 1 to 7; y = (x, y, x', y')."""
    dy = np.zeros(28)
    for i in range(7):
        dy[i], dy[7 + i] = y[14 + i], y[21 + i]
        for j in range(i):
            dx, dz = y[j] - y[i], y[7 + j] - y[7 + i]
            r2 = dx * dx + dz * dz
            pull = 1.0 / (r2 * math.sqrt(r2))
            dy[14 + i] += (j + 1) * pull * dx
            dy[21 + i] += (j + 1) * pull * dz
            dy[14 + j] -= (i + 1) * pull * dx
            dy[21 + j] -= (i + 1) * pull * dz
    return dy


def _pleiades_jac(t, y):
    jacobian = np.zeros((28, 28))
    for i in range(14):
        jacobian[i, 14 + i] = 1.0
    for i in range(7):
        for j in range(7):
            if i == j:
                continue
            dx, dz = y[j] - y[i], y[7 + j] - y[7 + i]
            r2 = dx * dx + dz * dz
            pull = (j + 1) / (r2 * math.sqrt(r2))
            xx, xz, zz = (
                pull * (1.0 - 3.0 * dx * dx / r2),
                -3.0 * pull * dx * dz / r2,
                pull * (1.0 - 3.0 * dz * dz / r2),
            )
            for k, sign in ((j, 1.0), (i, -1.0)):
                jacobian[14 + i, k] += sign * xx
                jacobian[14 + i, 7 + k] += sign * xz
                jacobian[21 + i, k] += sign * xz
                jacobian[21 + i, 7 + k] += sign * zz
    return jacobian


PLEIADES = Problem(
    "PLEIADES", _pleiades, _pleiades_jac, (0.0, 3.0),
    (
        3.0, 3.0, -1.0, -3.0, 2.0, -2.0, 2.0, 3.0, -3.0, 2.0, 0.0, 0.0, -4.0, 4.0,
        0.0, 0.0, 0.0, 0.0, 0.0, 1.75, -1.5, 0.0, 0.0, 0.0, -1.25, 1.0, 0.0, 0.0,
    ), (),
    (
        0.3706139143970502, 3.237284092057233, -3.222559032418324, 0.659709145577531, 0.3425581707156584,
        1.562172101400631, -0.7003092922212495, -3.943437585517392, -3.27138097397255, 5.225081843456543,
        -2.59061243497747, 1.198213693392275, -0.2429682344935824, 1.09144924042898, 3.417003806314313,
        1.354584501625501, -2.590065597810775, 2.025053734714242, -1.155815100160448, -0.8072988170223021,
        0.595239635420871, -3.74124496123401, 0.377345968575063, 0.9386858869551074, 0.3667922227200571,
        -0.347404635380849, 2.344915448180937, -1.947020434263292,
    ), 15,
    "Celestial mechanics (Hairer, Norsett, Wanner, Solving ODEs I, II.10); reference: IVP Test Set (Bari), as in "
    "cran/deTestSet src/Ex_pleiades.f (a Taylor series in 45-digit arithmetic agrees to 2e-15)",
)  # fmt: skip


def _arenstorf(t, y, mu):
    """Restricted three-body problem in the rotating frame; y = (x, y, x', y')."""
    earth, moon = y[0] + mu, y[0] - (1.0 - mu)
    pull_earth = (1.0 - mu) / (earth * earth + y[1] * y[1]) ** 1.5
    pull_moon = mu / (moon * moon + y[1] * y[1]) ** 1.5
    return [
        y[2],
        y[3],
        y[0] + 2.0 * y[3] - pull_earth * earth - pull_moon * moon,
        y[1] - 2.0 * y[2] - (pull_earth + pull_moon) * y[1],
    ]


def _arenstorf_jac(t, y, mu):
    jacobian = np.zeros((4, 4))
    jacobian[0, 2] = jacobian[1, 3] = jacobian[2, 0] = jacobian[3, 1] = 1.0
    jacobian[2, 3], jacobian[3, 2] = 2.0, -2.0
    for mass, x in ((1.0 - mu, y[0] + mu), (mu, y[0] - (1.0 - mu))):
        r2 = x * x + y[1] * y[1]
        pull = mass * r2**-1.5
        jacobian[2, 0] += pull * (3.0 * x * x / r2 - 1.0)
        jacobian[2, 1] += pull * 3.0 * x * y[1] / r2
        jacobian[3, 0] += pull * 3.0 * x * y[1] / r2
        jacobian[3, 1] += pull * (3.0 * y[1] * y[1] / r2 - 1.0)
    return jacobian


def _arenstorf_jacobi(y, mu):
    """Jacobi's constant of the restricted three-body problem, as an energy."""
    earth = np.hypot(y[0] + mu, y[1])
    moon = np.hypot(y[0] - (1.0 - mu), y[1])
    return 0.5 * (y[2] ** 2 + y[3] ** 2 - y[0] ** 2 - y[1] ** 2) - (1.0 - mu) / earth - mu / moon


ARENSTORF = Problem(
    "ARENSTORF", _arenstorf, _arenstorf_jac, (0.0, 17.0652165601579625), (0.994, 0.0, 0.0, -2.00158510637908252), (0.012277471,),
    # with these constants rounded to doubles the orbit closes to 1.4e-11
    (0.994, 0.0, 0.0, -2.00158510637908252), 10,
    "Arenstorf's periodic orbit (1963; Hairer, Norsett, Wanner, Solving ODEs I, II.0), as in mauro3/IVPTestSuite.jl "
    "src/testcases/threebody.jl. Strongly unstable: errors grow 1e3 to 1e5 times over the period",
    _arenstorf_jacobi,
)  # fmt: skip


def _lorenz(t, y, sigma, rho, beta):
    return [sigma * (y[1] - y[0]), y[0] * (rho - y[2]) - y[1], y[0] * y[1] - beta * y[2]]


def _lorenz_jac(t, y, sigma, rho, beta):
    return np.array([[-sigma, sigma, 0.0], [rho - y[2], -1.0, -y[0]], [y[1], y[0], -beta]])


LORENZ = Problem(
    "LORENZ", _lorenz, _lorenz_jac, (0.0, 10.0), (1.0, 0.0, 0.0), (10.0, 28.0, 8 / 3),
    (-5.857685382424091, -5.831082486426098, 23.93213298702757), 16,
    "Lorenz, Deterministic nonperiodic flow, J. Atmos. Sci. 20 (1963) 130; reference: Taylor series of order 32 in "
    "45-digit arithmetic",
)  # fmt: skip
