"""Compiling every method ahead of time."""

import numpy as np

from .hamiltonian import hamiltonian
from .ivp import solve_ivp
from .separable import second_order
from .solvers.methods import METHODS

_SPAN = (0.0, 1e-3)
_STEP = 5e-4
#: Methods whose kernels another method takes up when its order rises.
_LATER = dict.fromkeys(("auto", "radau"), ("radau9", "radau13"))


def precompile(methods=None):
    """Compile the solvers and keep them on disk, so that no later process waits for them.

    A few seconds for each method on a machine that has never run it, some milliseconds otherwise. The folder is
    ``$NUMBA_CACHE_DIR/odekit``, or ``odekit`` in Numba's user-wide cache folder.

    Parameters
    ----------
    methods : list of str, optional
        Names of methods; default: all.

    Examples
    --------
    >>> import odekit
    >>> odekit.precompile(["tsit5"])
    """
    names = [*METHODS, "auto"] if methods is None else methods
    for name in dict.fromkeys(part for given in names for part in (given, *_LATER.get(given, ()))):
        method = METHODS.get(name)
        first_step = _STEP if method is not None and method.error_order == 0 else None
        if method is not None and (method.separable or method.hamiltonian):
            system = second_order(_pull) if method.separable else hamiltonian(_oscillator, omega=1.0)
            solve_ivp(system, _SPAN, [1.0, 0.0], method=name, first_step=first_step, dense_output=True)
        else:
            solve_ivp(
                _decay, _SPAN, [1.0], method=name, first_step=first_step, dense_output=True, events=_never, jac=_jac
            )


def _decay(t, y):
    return [-y[0]]


def _oscillator(t, y):
    return [y[1], -y[0]]


def _pull(t, q):
    return [-q[0]]


def _never(t, y):
    return 1.0 + y[0] * y[0]


def _jac(t, y):
    return np.array([[-1.0]])
