"""The kernels that a wheel carries: ``python -m odekit._ship folder``, called by ``hatch_build.py``.

Those of a first solve, nonstiff, stiff or to a tight tolerance, by the methods that are asked for most, of a first gradient and a
first training of a neural ODE, and of a first ensemble of a small system. Whoever asks for another method or another size waits for Numba once.
"""

import concurrent.futures
import functools
import multiprocessing
import os
import pathlib
import sys

import numpy as np

from . import _shipped, nn
from ._precompile import precompile
from ._stamp import level
from .ensemble import solve_ensemble
from .field import inplace
from .ivp import solve_ivp
from .solvers.linalg import small
from .solvers.linalg.dense import Dense


def _automatic():
    precompile(["tsit5", "vern7"])


def _stiff():
    for method in ("auto", "radau", "radau9", "radau13"):  # the last two are orders that radau changes to
        solve_ivp(_relaxation, (0, 10), [1.0, 1.0], method, dense_output=True, events=_half).sol(1.0)


def _by_name():
    precompile(["dop853", "dopri5", "taylor14"])
    for method in ("bdf", "rodas5p"):
        solve_ivp(_relaxation, (0, 10), [1.0, 1.0], method, dense_output=True, events=_half)


def _linear_algebra():
    for n in range(1, small.LARGEST + 2):
        for complex_matrices in (True, False):
            Dense(n).addresses(complex_matrices)


def _training():
    for method in ("tsit5", "dopri5"):
        model = nn.NeuralODE(nn.MLP([2, 16, 2], rng=0), method=method)
        nn.fit(model, np.ones((4, 2)), np.linspace(0, 1, 3), np.zeros((3, 4, 2)), steps=2)


def _ensembles(n):
    for times in (None, np.linspace(0, 1, 3)):
        solve_ensemble(_decay, (0, 1), np.ones((2, n)), method="tsit5", t_eval=times)


@inplace
def _decay(t, y, dydt):
    for i in range(y.size):
        dydt[i] = -y[i]


def _relaxation(t, y):
    return [-1e4 * (y[0] - np.cos(t)), -y[1]]


def _half(t, y):
    return y[1] - 0.5


#: Numbers of components of the ensembles, with any number of parameters.
_SIZES = (1, 2, 3, 4, 6)
_ENSEMBLES = [functools.partial(_ensembles, n) for n in _SIZES]
#: The longest first.
_JOBS = (_stiff, _linear_algebra, _training, _automatic, _by_name, *_ENSEMBLES)


def _run(folder, job):
    with _shipped.recording(folder):
        job()


def main(folder):
    """Compile them, side by side.

    Parameters
    ----------
    folder : pathlib.Path
        Where they are written to.
    """
    os.environ.update(level())  # read by Numba in the processes that compile
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(mp_context=context) as pool:
        for done in [pool.submit(_run, folder, job) for job in _JOBS]:
            done.result()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
