"""A problem as the integrators see it: addresses of kernels, and parameters."""

import dataclasses
from collections.abc import Callable

import numpy as np

from . import state as S
from .linalg import Structure

#: Scratch floats behind the parameters, in multiples of n: what a complex-step Jacobian needs (a complex state and slope).
SCRATCH_VECTORS = 4


@dataclasses.dataclass
class Jacobian:
    """Where an implicit method gets its Jacobian.

    Attributes
    ----------
    kind : int
        One of `state.JAC_DIFFERENCE`, `state.JAC_KERNEL`, `state.JAC_CONSTANT` and `state.JAC_DIRECTION`.
    address : int
        Of the kernel.
    matrix : ndarray or None
        The numbers of a constant Jacobian, as the structure packs them.
    time : int
        Where df/dt comes from: `state.TIME_DIFFERENCE`, `state.TIME_KERNEL` or `state.TIME_NONE`.
    structure : odekit.solvers.linalg.Structure or None
        None: dense.
    """

    kind: int = S.JAC_DIFFERENCE
    address: int = 0
    matrix: np.ndarray | None = None
    time: int = S.TIME_DIFFERENCE
    structure: Structure | None = None


def _by_differences(time_derivative=False):
    return Jacobian()


def _no_formula(order):
    raise ValueError(
        f"method='taylor{order}' takes derivatives of all orders from the formula of a Python function fun(t, y, *args), and fun "
        "is none; vern9 is an explicit method of high order for all systems"
    )


@dataclasses.dataclass
class Kernels:
    """A problem as the integrators see it.

    Attributes
    ----------
    field : int
        Address of the vector field, a scalar kernel (see `odekit._jit`).
    parameters : ndarray
        What the kernels get as `p`.
    jacobian : callable
        Called when an implicit method is first needed, with True where the method needs df/dt too; returns a
        `Jacobian`.
    events : int
        Address of the event functions, a scalar kernel that writes `n_events` numbers.
    directions : ndarray, (n_events,)
        See `odekit.solvers.driver.advance`.
    domain : int
        Address of ``isoutofdomain``, a scalar kernel that writes one number, not 0 outside the domain; 0: no such limit.
    velocity, force : int
        Addresses of the two halves of a separable system, scalar kernels for m = n / 2 numbers; a velocity of 0 is the
        identity, a force of 0 means that the system is not given as a separable one.
    expansion : callable
        ``expansion(order)``: address of the Taylor coefficients of a solution, see `odekit.solvers.expansion`.
    binding : float
        Binding frequency of `odekit.solvers.tao`; 0: the system is not given as a Hamiltonian one.
    """

    field: int
    parameters: np.ndarray = dataclasses.field(default_factory=lambda: np.empty(0))
    jacobian: Callable[[bool], Jacobian] = _by_differences
    events: int = 0
    directions: np.ndarray = dataclasses.field(default_factory=lambda: np.empty(0))
    domain: int = 0
    velocity: int = 0
    force: int = 0
    binding: float = 0.0
    expansion: Callable[[int], int] = _no_formula
