"""Hamiltonian problems: the outer solar system, two bodies, a double pendulum."""

import math

import numpy as np
from numba import njit

from .problem import Problem


def _pull(t, q, masses, G):
    """Newton's accelerations of six bodies, body by body."""
    acceleration = np.zeros(3 * masses.size)
    for i in range(masses.size):
        for j in range(i):
            dx, dy, dz = q[3 * j] - q[3 * i], q[3 * j + 1] - q[3 * i + 1], q[3 * j + 2] - q[3 * i + 2]
            r2 = dx * dx + dy * dy + dz * dz
            pull = G / (r2 * math.sqrt(r2))
            for k, d in enumerate((dx, dy, dz)):
                acceleration[3 * i + k] += masses[j] * pull * d
                acceleration[3 * j + k] -= masses[i] * pull * d
    return acceleration


_compiled_pull = njit(_pull)


def _outer_solar_system(t, y, masses, G):
    """y = (positions, velocities), each body by body."""
    m = 3 * masses.size
    dy = np.empty(2 * m)
    dy[:m] = y[m:]
    dy[m:] = _compiled_pull(t, y[:m], masses, G)
    return dy


def _outer_solar_system_jac(t, y, masses, G):
    m = 3 * masses.size
    jacobian = np.zeros((2 * m, 2 * m))
    for i in range(m):
        jacobian[i, m + i] = 1.0
    d = np.empty(3)
    for i in range(masses.size):
        for j in range(masses.size):
            if i == j:
                continue
            d[:] = y[3 * j : 3 * j + 3] - y[3 * i : 3 * i + 3]
            r2 = d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
            pull = G * masses[j] / (r2 * math.sqrt(r2))
            for a in range(3):
                for b in range(3):
                    slope = pull * ((1.0 if a == b else 0.0) - 3.0 * d[a] * d[b] / r2)
                    jacobian[m + 3 * i + a, 3 * j + b] += slope
                    jacobian[m + 3 * i + a, 3 * i + b] -= slope
    return jacobian


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

    Examples
    --------
    >>> import numpy as np
    >>> from odekit.testset import OUTER_SOLAR_SYSTEM, outer_solar_system_energy
    >>> problem = OUTER_SOLAR_SYSTEM
    >>> energies = [outer_solar_system_energy(np.array(y), *problem.args) for y in (problem.y0, problem.y_end)]
    >>> bool(abs(energies[1] / energies[0] - 1) < 1e-9)
    True
    """
    n = len(masses)
    q, v = np.reshape(y, (2, n, 3, *np.shape(y)[1:]))
    energy = 0.5 * sum(masses[i] * np.sum(v[i] ** 2, axis=0) for i in range(n))
    for i in range(n):
        for j in range(i):
            energy = energy - G * masses[i] * masses[j] / np.sqrt(np.sum((q[i] - q[j]) ** 2, axis=0))
    return energy


OUTER_SOLAR_SYSTEM = Problem(
    "OUTER_SOLAR_SYSTEM", _outer_solar_system, _outer_solar_system_jac, (0.0, 200_000.0),
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
    acceleration=_pull,
)  # fmt: skip


def _kepler_pull(t, q):
    pull = (q[0] * q[0] + q[1] * q[1]) ** -1.5
    return [-pull * q[0], -pull * q[1]]


def _kepler(t, y):
    """y = (position, velocity) in the plane."""
    pull = (y[0] * y[0] + y[1] * y[1]) ** -1.5
    return [y[2], y[3], -pull * y[0], -pull * y[1]]


def _kepler_jac(t, y):
    r2 = y[0] * y[0] + y[1] * y[1]
    pull, mixed = r2**-1.5, 3.0 * y[0] * y[1] * r2**-2.5
    return np.array(
        [
            [0.0, 0.0, 1.0, 0.0],
            [0.0, 0.0, 0.0, 1.0],
            [3.0 * y[0] * y[0] * r2**-2.5 - pull, mixed, 0.0, 0.0],
            [mixed, 3.0 * y[1] * y[1] * r2**-2.5 - pull, 0.0, 0.0],
        ]
    )


def _kepler_energy(y):
    return 0.5 * (y[2] ** 2 + y[3] ** 2) - 1.0 / np.hypot(y[0], y[1])


KEPLER = Problem(
    "KEPLER", _kepler, _kepler_jac, (0.0, 20.0), (0.4, 0.0, 0.0, 2.0), (),
    (-0.7700755784112404, 0.7883448169944244, -0.8941837319886915, -0.12346176415844096), 16,
    "Two bodies, eccentricity 0.6, period 2 pi (Hairer, Lubich, Wanner, Geometric Numerical Integration, I.2.3); reference: "
    "Kepler's equation in 40-digit arithmetic",
    _kepler_energy,
    acceleration=_kepler_pull,
)  # fmt: skip


def _double_pendulum(t, y, m1, m2, l1, l2, g):
    """y = (angle 1, angle 2, momentum 1, momentum 2), the angles from the vertical, the momenta conjugate to them."""
    a, b, p, q = y[0], y[1], y[2], y[3]
    sine, cosine = np.sin(a - b), np.cos(a - b)
    inertia = m1 + m2 * sine * sine
    # the kinetic energy is `kinetic / (2 m2 inertia)`
    kinetic = m2 * (p / l1) ** 2 + (m1 + m2) * (q / l2) ** 2 - 2.0 * m2 * p * q * cosine / (l1 * l2)
    torque = p * q * sine / (l1 * l2 * inertia) - kinetic * sine * cosine / (inertia * inertia)
    return [
        (p / l1 - q * cosine / l2) / (l1 * inertia),
        ((m1 + m2) * q / (m2 * l2) - p * cosine / l1) / (l2 * inertia),
        -(m1 + m2) * g * l1 * np.sin(a) - torque,
        -m2 * g * l2 * np.sin(b) + torque,
    ]


def _double_pendulum_energy(y, m1, m2, l1, l2, g):
    sine, cosine = np.sin(y[0] - y[1]), np.cos(y[0] - y[1])
    p, q = y[2] / l1, y[3] / l2
    kinetic = (m2 * p * p + (m1 + m2) * q * q - 2.0 * m2 * p * q * cosine) / (2.0 * m2 * (m1 + m2 * sine * sine))
    return kinetic - (m1 + m2) * g * l1 * np.cos(y[0]) - m2 * g * l2 * np.cos(y[1])


def _full(n):
    import scipy.sparse

    return scipy.sparse.csc_matrix(np.ones((n, n)))


DOUBLE_PENDULUM = Problem(
    "DOUBLE_PENDULUM", _double_pendulum, None, (0.0, 10.0),
    (3.0 * math.pi / 7.0, 3.0 * math.pi / 4.0, 0.0, 0.0), (1.0, 1.0, 1.0, 1.0, 9.81),
    (-0.674123837924351, 21.034818797866457, 6.987936433168774, -3.1600057879028287), 15,
    "Two rods of one metre with masses of one kilogram at their ends, released at rest (Hill, Learning Scientific "
    "Programming with Python, E8.13, in Hamilton's form, which is not separable); chaotic. Reference: Gragg's extrapolation "
    "of order 24 in 34-digit arithmetic, with 700 and with 900 steps: they agree to 3e-23",
    _double_pendulum_energy,
    pattern=_full,
)  # fmt: skip
