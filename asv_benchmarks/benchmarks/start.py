"""What a user waits for: importing, and the first solve of a process, with and without compiled solvers on disk."""

FIRST_SOLVE = """
import odekit
odekit.solve_ivp(lambda t, y: [y[1], -y[0]], (0, 10), [1.0, 0.0], method="tsit5", rtol=1e-6, atol=1e-9)
"""


def timeraw_import():
    return "import odekit"


def timeraw_first_solve_warm_cache():
    return FIRST_SOLVE


def timeraw_first_solve_cold_cache():
    return FIRST_SOLVE, "import os, tempfile; os.environ['NUMBA_CACHE_DIR'] = tempfile.mkdtemp()"


timeraw_import.number = timeraw_first_solve_warm_cache.number = timeraw_first_solve_cold_cache.number = 1
timeraw_import.repeat = timeraw_first_solve_warm_cache.repeat = (3, 5, 20.0)
timeraw_first_solve_cold_cache.repeat = 1
timeraw_first_solve_cold_cache.rounds = 1
