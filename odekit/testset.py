"""Reference problems with published or independently computed reference solutions.

What the methods are tested and compared on: five stiff problems, two nonstiff ones, a chaotic one and a Hamiltonian
one. Each is a `Problem`; `PROBLEMS` maps names to them. The vector fields are plain SciPy-style functions that Numba
compiles.

Examples
--------
>>> from scipy.integrate import solve_ivp
>>> from odekit.testset import HIRES
>>> sol = solve_ivp(HIRES.fun, HIRES.t_span, HIRES.y0, method="Radau", rtol=1e-8, atol=1e-12)
>>> bool(HIRES.error(sol.y[:, -1]) < 1e-5)
True
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """An initial value problem and its solution at the end.

    Attributes
    ----------
    name : str
    fun : callable
        Vector field ``fun(t, y, *args)``.
    jac : callable or None
        Its Jacobian ``jac(t, y, *args)``.
    t_span : tuple of float
    y0 : tuple of float
    args : tuple
    y_end : tuple of float
        Reference solution at ``t_span[1]``.
    digits : int
        Digits of `y_end` that can be trusted.
    source : str
        Where the problem and the reference come from.
    energy : callable or None
        A conserved quantity ``energy(y, *args)``.
    """

    name: str
    fun: Callable
    jac: Callable | None
    t_span: tuple
    y0: tuple
    args: tuple
    y_end: tuple
    digits: int
    source: str
    energy: Callable | None = None

    def error(self, y):
        """Largest relative error of `y` against the reference at the end.

        Parameters
        ----------
        y : array_like, shape (n,)

        Returns
        -------
        float
            Largest ``|y_i - y_end_i| / |y_end_i|``; a component whose reference is 0 is compared with the largest one.
        """
        reference = np.array(self.y_end)
        scale = np.where(reference == 0, np.max(np.abs(reference)), np.abs(reference))
        return np.max(np.abs(np.asarray(y) - reference) / scale)


# ---------------------------------------------------------------------------------------------------------------------
# stiff


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

# ---------------------------------------------------------------------------------------------------------------------
# nonstiff


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


PLEIADES = Problem(
    "PLEIADES", _pleiades, None, (0.0, 3.0),
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


def _arenstorf_jacobi(y, mu):
    """Jacobi's constant of the restricted three-body problem, as an energy."""
    earth = np.hypot(y[0] + mu, y[1])
    moon = np.hypot(y[0] - (1.0 - mu), y[1])
    return 0.5 * (y[2] ** 2 + y[3] ** 2 - y[0] ** 2 - y[1] ** 2) - (1.0 - mu) / earth - mu / moon


ARENSTORF = Problem(
    "ARENSTORF", _arenstorf, None, (0.0, 17.0652165601579625), (0.994, 0.0, 0.0, -2.00158510637908252), (0.012277471,),
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

# ---------------------------------------------------------------------------------------------------------------------
# Hamiltonian


def _outer_solar_system(t, y, masses, G):
    """Newton's equations of six bodies; y = (positions, velocities), each body by body."""
    n = masses.size
    dy = np.zeros(6 * n)
    dy[: 3 * n] = y[3 * n :]
    for i in range(n):
        for j in range(i):
            dx, dz, dw = y[3 * j] - y[3 * i], y[3 * j + 1] - y[3 * i + 1], y[3 * j + 2] - y[3 * i + 2]
            r2 = dx * dx + dz * dz + dw * dw
            pull = G / (r2 * math.sqrt(r2))
            for k, d in enumerate((dx, dz, dw)):
                dy[3 * n + 3 * i + k] += masses[j] * pull * d
                dy[3 * n + 3 * j + k] -= masses[i] * pull * d
    return dy


def outer_solar_system_energy(y, masses, G):
    """Kinetic plus potential energy of `OUTER_SOLAR_SYSTEM`.

    Parameters
    ----------
    y : ndarray, shape (6 n,) or (6 n, nt)
        Positions in AU, then velocities in AU/day, body by body.
    masses : ndarray, shape (n,)
        In solar masses.
    G : float
        Gravitational constant in AU^3 / (solar mass day^2).

    Returns
    -------
    float or ndarray, shape (nt,)
        In solar masses AU^2 / day^2.
    """
    n = len(masses)
    q, v = np.reshape(y, (2, n, 3, *np.shape(y)[1:]))
    energy = 0.5 * sum(masses[i] * np.sum(v[i] ** 2, axis=0) for i in range(n))
    for i in range(n):
        for j in range(i):
            energy = energy - G * masses[i] * masses[j] / np.sqrt(np.sum((q[i] - q[j]) ** 2, axis=0))
    return energy


OUTER_SOLAR_SYSTEM = Problem(
    "OUTER_SOLAR_SYSTEM", _outer_solar_system, None, (0.0, 200_000.0),
    (
        0.0, 0.0, 0.0,  # Sun
        -3.5023653, -3.8169847, -1.5507963,  # Jupiter
        9.0755314, -3.0458353, -1.6483708,  # Saturn
        8.3101420, -16.2901086, -7.2521278,  # Uranus
        11.4707666, -25.7294829, -10.8169456,  # Neptune
        -15.5387357, -25.2225594, -3.1902382,  # Pluto
        0.0, 0.0, 0.0,
        0.00565429, -0.00412490, -0.00190589,
        0.00168318, 0.00483525, 0.00192462,
        0.00354178, 0.00137102, 0.00055029,
        0.00288930, 0.00114527, 0.00039677,
        0.00276725, -0.00170702, -0.00136504,
    ),
    (
        # the Sun's mass includes the inner planets
        np.array([1.00000597682, 9.54786104043e-4, 2.85583733151e-4, 4.37273164546e-5, 5.17759138449e-5, 1 / 1.3e8]),
        2.95912208286e-4,
    ),
    (
        1.2358425423546087, -0.4899438211442749, -0.24610536181432127, 2.611079570112905,
        -5.079525496787974, -2.244720677853053, -7.669136247391204, -4.052052245488088,
        -1.3311156697114945, -5.824743949847754, 15.337173753572518, 6.782463409917606,
        20.663980247515035, 20.582956042459855, 7.894795414748197, 36.5669506988225,
        -13.767684401259773, -15.043469221823278, -9.134375581608358e-07, -3.237738106094941e-06,
        -1.4020802031268501e-06, 0.007178878928375916, 0.0022335795260703534, 0.0007837483429393356,
        0.001844790956246882, -0.004772806883489126, -0.0020565790499282276, -0.0036589500571615747,
        -0.001554803833696468, -0.0006295145553042205, -0.002392874566072621, 0.0018904696818119067,
        0.0008333213697572184, 0.0016299292484246563, 0.002108011560278226, 0.00016850484299441222,
    ), 15,
    "Sun, Jupiter, Saturn, Uranus, Neptune and Pluto from 5 September 1994 on, in AU, days and solar masses "
    "(Hairer, Lubich, Wanner, Geometric Numerical Integration, 2nd ed., Springer 2006, table I.2.2); reference: "
    "Taylor series of order 32 in 45-digit arithmetic",
    outer_solar_system_energy,
)  # fmt: skip

#: All problems by name.
PROBLEMS = {
    problem.name: problem
    for problem in (ROBER, HIRES, OREGO, VDPOL, VDPOLM, PLEIADES, ARENSTORF, LORENZ, OUTER_SOLAR_SYSTEM)
}
