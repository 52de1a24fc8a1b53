"""Ordinary differential equations from Python at compiled speed, and small neural networks as vector fields."""

import importlib

from ._executors import EnsembleError
from ._precompile import precompile
from .compiled import CompiledResult, compiled_solver
from .ensemble import solve_ensemble
from .ensemble_solution import EnsembleSolution
from .field import OdekitPerformanceWarning, inplace
from .hamiltonian import hamiltonian
from .integrator import Integrator
from .ivp import solve_ivp
from .separable import second_order, separable
from .solution import Retcode, Solution, Switch
from .solvers.stops import STOP

__version__ = "0.1.0"
__all__ = [
    "STOP",
    "CompiledResult",
    "EnsembleError",
    "EnsembleSolution",
    "Integrator",
    "OdekitPerformanceWarning",
    "Retcode",
    "Solution",
    "Switch",
    "compiled_solver",
    "hamiltonian",
    "inplace",
    "precompile",
    "second_order",
    "separable",
    "solve_ensemble",
    "solve_ivp",
]

_LAZY = ("adjoint", "nn", "stability", "storage", "plot", "testset", "vmath")


def __getattr__(name):
    if name in _LAZY:  # h5py, matplotlib and the networks' kernels are imported when they are used
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
