"""Compiling every method ahead of time."""

import numpy as np

from .hamiltonian import hamiltonian
from .ivp import solve_ivp
from .separable import second_order
from .solvers.methods import METHODS

_SPAN = (0.0, 1e-3)
_STEP = 5e-4
#: Methods whose kernels another one takes up on the way.
_LATER = {"radau": ("radau9", "radau13"), "auto": ("tsit5", "vern7", "radau", "radau9", "radau13", "bdf")}
#: Structures of the Jacobian, each with linear algebra of its own.
_STRUCTURES = (
    {"lband": 1, "uband": 1},
    {"jac_sparsity": np.ones((3, 3)), "linear_solver": "banded"},
    {"jac_sparsity": np.ones((3, 3)), "linear_solver": "sparse"},
    {"linear_solver": "gmres"},
)


def precompile(methods=None):
    """Compile the solvers and keep them on disk, so that no later process waits for them.

    Of each method its steps, its dense output and what events need; of ``radau`` all orders; of ``auto`` all methods that it
    may take; of the implicit ones the linear algebra for full, banded, sparse and, where it goes with the method, matrix-free
    Jacobians. Not what depends on your right-hand side, which is compiled when it is first used.

    A few seconds for each method on a machine that has never run it, some milliseconds otherwise. The folder is
    ``$NUMBA_CACHE_DIR/odekit``, or ``odekit`` in Numba's user-wide cache folder.

    Parameters
    ----------
    methods : str or list of str, optional
        Names of methods; default: all.

    Raises
    ------
    ValueError
        For an unknown name.

    Examples
    --------
    >>> import odekit
    >>> odekit.precompile(["tsit5"])
    """
    names = [*METHODS, "auto"] if methods is None else [methods] if isinstance(methods, str) else methods
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
        if method is not None and method.implicit:
            for options in _STRUCTURES:
                if method.inexact or options.get("linear_solver") != "gmres":
                    solve_ivp(_chain, _SPAN, np.ones(3), method=name, first_step=first_step, **options)


def _decay(t, y):
    return [-y[0]]


def _chain(t, y):
    return [y[1] - y[0], y[2] - y[1], -y[2]]


def _oscillator(t, y):
    return [y[1], -y[0]]


def _pull(t, q):
    return [-q[0]]


def _never(t, y):
    return 1.0 + y[0] * y[0]


def _jac(t, y):
    return np.array([[-1.0]])
