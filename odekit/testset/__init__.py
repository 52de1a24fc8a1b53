"""Reference problems with published or independently computed reference solutions.

What the methods are tested and compared on: six small stiff problems, two large ones, two nonstiff ones, a chaotic one
and three Hamiltonian ones. Each is a `Problem`; `PROBLEMS` maps names to them. The vector fields are plain SciPy-style functions that Numba
compiles.

Examples
--------
>>> from scipy.integrate import solve_ivp
>>> from odekit.testset import HIRES
>>> sol = solve_ivp(HIRES.fun, HIRES.t_span, HIRES.y0, method="Radau", rtol=1e-8, atol=1e-12)
>>> bool(HIRES.error(sol.y[:, -1]) < 1e-5)
True
"""

from .brusselator import BRUSS1D, BRUSS2D
from .hamiltonian import DOUBLE_PENDULUM, KEPLER, OUTER_SOLAR_SYSTEM, outer_solar_system_energy
from .nonstiff import ARENSTORF, LORENZ, PLEIADES
from .pollution import POLLU
from .problem import Problem
from .stiff import HIRES, OREGO, ROBER, VDPOL, VDPOLM
from .work import work

#: All problems by name.
PROBLEMS = {
    problem.name: problem
    for problem in (
        ROBER,
        HIRES,
        OREGO,
        VDPOL,
        VDPOLM,
        POLLU,
        PLEIADES,
        ARENSTORF,
        LORENZ,
        KEPLER,
        DOUBLE_PENDULUM,
        OUTER_SOLAR_SYSTEM,
        BRUSS1D,
        BRUSS2D,
    )
}

__all__ = [*PROBLEMS, "PROBLEMS", "Problem", "outer_solar_system_energy", "work"]
