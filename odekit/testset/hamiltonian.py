"""A Hamiltonian problem: the outer solar system."""

import math

import numpy as np

from .problem import Problem


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
