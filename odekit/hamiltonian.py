"""Hamiltonian systems of any form, for Tao's explicit symplectic methods."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from . import _checks
from ._structure import UNKNOWN
from .field import UserField
from .separable import Separable, SeparableField


@dataclasses.dataclass(frozen=True)
class Hamiltonian:
    """A Hamiltonian system, made by `hamiltonian`.

    Attributes
    ----------
    function : callable
        ``function(t, y, *args)``: dq/dt, then dp/dt.
    omega : float
        Binding frequency.
    """

    function: Callable
    omega: float


def hamiltonian(fun, omega):
    """A Hamiltonian system ``dq/dt = dH/dp``, ``dp/dt = -dH/dq`` that need not be separable.

    Parameters
    ----------
    fun : callable or address
        Right-hand side for the state ``y = (q, p)``, positions first: ``fun(t, y, *args)`` returns dq/dt, then dp/dt. In any of
        the forms that `odekit.solve_ivp` names.
    omega : float
        Frequency, in radians per unit of t, with which Tao's methods bind their two copies of the system to each other:
        begin with ten times the fastest frequency of the motion. Where the energy drifts it is too small, as happens
        first where the motion is chaotic; the error of a step grows with it, so keep ``omega * first_step`` below 0.2. The
        difference of positions is measured against that of momenta: choose units in which both are of similar size.

    Returns
    -------
    Hamiltonian
        To be given to `odekit.solve_ivp` as `fun`, with any method; ``tao2``, ``tao4``, ``tao6`` and ``tao8`` need it.

    Raises
    ------
    TypeError
        If `fun` is a separable or Hamiltonian system already.
    ValueError
        If `omega` is no positive finite number.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> def fun(t, y):  # H = (q^2 + 1) (p^2 + 1) / 2
    ...     q, p = y
    ...     return [p * (q * q + 1), -q * (p * p + 1)]
    >>> sol = odekit.solve_ivp(odekit.hamiltonian(fun, omega=20), (0, 1000), [0.0, -3.0], method="tao4", first_step=0.01)
    >>> q, p = sol.y
    >>> energy = (q**2 + 1) * (p**2 + 1) / 2
    >>> bool(np.abs(energy / energy[0] - 1).max() < 1e-4)
    True
    """
    if isinstance(fun, (Separable, Hamiltonian)):
        raise TypeError(f"fun is a {type(fun).__name__} system already; expected a function fun(t, y, *args)")
    if not (isinstance(omega, (int, float, np.number)) and 0.0 < omega < math.inf):
        raise ValueError(f"omega={omega!r}; expected a positive number, in radians per unit of t")
    return Hamiltonian(fun, float(omega))


class HamiltonianField(UserField):
    """A Hamiltonian system with its event functions, see `odekit.field.UserField`.

    Parameters
    ----------
    fun : Hamiltonian
    t0, y0, args, jac, events, vectorized, isoutofdomain
        As for `UserField`.

    Raises
    ------
    ValueError
        If the state is complex, or has an odd number of components.
    """

    def __init__(
        self, fun, t0, y0, args=(), jac=None, events=(), vectorized=False, isoutofdomain=None, must_compile=False,
        said=UNKNOWN,
    ):  # fmt: skip
        _checks.positions_and_momenta("Hamiltonian", y0)
        super().__init__(fun.function, t0, y0, args, jac, events, vectorized, isoutofdomain, must_compile, said)
        self.omega = fun.omega

    def kernels(self):
        """What the integrators need, the binding frequency included.

        Returns
        -------
        odekit.solvers.problem.Kernels
        """
        return dataclasses.replace(super().kernels(), binding=self.omega)


def field_class(fun):
    """The class of fields that a right-hand side makes: of a plain function, a separable or a Hamiltonian system."""
    if isinstance(fun, Separable):
        return SeparableField
    return HamiltonianField if isinstance(fun, Hamiltonian) else UserField
