"""What a user waits for: importing, and the first solve of a process, with and without compiled solvers on disk."""

FIRST_SOLVE = """
import odekit
odekit.solve_ivp(lambda t, y: [y[1], -y[0]], (0, 10), [1.0, 0.0], method="tsit5", rtol=1e-6, atol=1e-9)
"""
FIRST_GRADIENT = """
import numpy as np
from odekit import nn
model = nn.NeuralODE(nn.MLP([2, 64, 64, 2], rng=0), "dopri5")
model.loss_and_grad(np.ones((64, 2)), np.linspace(0, 1, 20), np.zeros((20, 64, 2)))
"""
EMPTY_CACHE = "import os, tempfile; os.environ['NUMBA_CACHE_DIR'] = tempfile.mkdtemp()"


def timeraw_import():
    return "import odekit"


def timeraw_first_solve_warm_cache():
    return FIRST_SOLVE


def timeraw_first_solve_cold_cache():
    return FIRST_SOLVE, EMPTY_CACHE


def timeraw_first_gradient_warm_cache():
    return FIRST_GRADIENT


def timeraw_first_gradient_cold_cache():
    return FIRST_GRADIENT, EMPTY_CACHE


timeraw_import.number = timeraw_first_solve_warm_cache.number = timeraw_first_solve_cold_cache.number = 1
timeraw_import.repeat = timeraw_first_solve_warm_cache.repeat = (3, 5, 20.0)
timeraw_first_gradient_warm_cache.number, timeraw_first_gradient_warm_cache.repeat = 1, (3, 5, 20.0)
for cold in (timeraw_first_solve_cold_cache, timeraw_first_gradient_cold_cache):
    cold.number = cold.repeat = cold.rounds = 1
