"""Separable systems, for the symplectic methods: positions and momenta that drive each other.

``dq/dt = velocity(t, p)`` and ``dp/dt = force(t, q)``, as of a Hamiltonian ``H = T(p) + V(q)``. The state is
``y = (q, p)``, positions first. Every method integrates such a system; the symplectic splitting methods need it.
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from . import _callback, _checks, _jit
from ._structure import UNKNOWN
from ._wrapper_source import Shape
from .field import UserField


@dataclasses.dataclass(frozen=True)
class Separable:
    """A separable system, made by `separable` or `second_order`.

    Attributes
    ----------
    velocity : callable or None
        ``velocity(t, p, *args)``, or None for the identity.
    force : callable
        ``force(t, q, *args)``.
    """

    velocity: Callable | None
    force: Callable


def separable(velocity, force):
    """A separable system ``dq/dt = velocity(t, p, *args)``, ``dp/dt = force(t, q, *args)``.

    Parameters
    ----------
    velocity, force : callable
        Each returns m numbers for a state ``y = (q, p)`` of 2 m; compiled as any right-hand side. Both get all of `args`.
        The symplectic methods keep their order where `force` depends on t, not where `velocity` does.

    Returns
    -------
    Separable
        To be given to `odekit.solve_ivp` as `fun`.

    Raises
    ------
    TypeError
        For what cannot be called.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> pendulum = odekit.separable(lambda t, p: 2 * p, lambda t, q: -3 * np.sin(q))
    >>> sol = odekit.solve_ivp(pendulum, (0, 100), [1.0, 0.0], method="yoshida6", first_step=0.1)
    >>> q, p = sol.y
    >>> energy = 3 * (1 - np.cos(q)) + p**2
    >>> bool(np.abs(energy - energy[0]).max() < 1e-4)
    True
    """
    for name, function in (("velocity", velocity), ("force", force)):
        if not callable(function):
            raise TypeError(f"{name} is a {type(function).__name__}; expected a function {name}(t, x, *args)")
    return Separable(velocity, force)


def second_order(acceleration):
    """A system of second order ``q'' = acceleration(t, q, *args)``; the state is ``y = (q, q')``.

    Parameters
    ----------
    acceleration : callable
        Returns m numbers for a state of 2 m.

    Returns
    -------
    Separable
        To be given to `odekit.solve_ivp` as `fun`.

    Examples
    --------
    >>> import odekit
    >>> oscillator = odekit.second_order(lambda t, q: -q)
    >>> sol = odekit.solve_ivp(oscillator, (0, 10), [1.0, 0.0], method="kahanli8", first_step=0.1)
    >>> round(float(sol.y[0, -1]), 6)  # cos(10)
    -0.839072
    """
    if not callable(acceleration):
        raise TypeError(
            f"acceleration is a {type(acceleration).__name__}; expected a function acceleration(t, q, *args)"
        )
    return Separable(None, acceleration)


class SeparableField(UserField):
    """A separable system with its event functions, see `odekit.field.UserField`.

    Parameters
    ----------
    fun : Separable
    t0, y0, args, jac, events, vectorized, isoutofdomain, must_compile, said
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
        _checks.positions_and_momenta("separable", y0, vectorized)
        self.system = fun
        m = y0.size // 2

        def full(t, y, *args):
            velocity = y[m:] if fun.velocity is None else fun.velocity(t, y[m:], *args)
            part = Shape(m)
            return np.concatenate([_callback.as_numbers(v, part) for v in (velocity, fun.force(t, y[:m], *args))])

        super().__init__(full, t0, y0, args, jac, events, False, isoutofdomain, must_compile, said)

    def _known(self):
        """None: the halves are looked up one by one."""

    def _compile(self):
        """Kernels of both halves, and one that calls them in turn."""
        m = self.y0.size // 2
        part = Shape(m)
        velocity, force = self.system.velocity, self.system.force
        self.velocity = 0 if velocity is None else self.kernel_of(velocity, part, self.y0[m:]).address
        self.force = self.kernel_of(force, part, self.y0[:m]).address
        if _jit.JIT_DISABLED:
            kernel = self.python_kernel(self.function, self.shape)
            self.kernels_used.append(kernel)
            return kernel
        address = _halves_together(self.velocity, self.force, m)
        return dataclasses.replace(self.kernels_used[-1], address=address, compiled=False)

    @property
    def traceable(self):
        """Both halves as one function, without checks."""
        m, velocity, force = self.y0.size // 2, self.system.velocity, self.system.force

        def whole(t, y, *args):
            slopes = y[m:] if velocity is None else velocity(t, y[m:], *args)
            return [*np.ravel(slopes), *np.ravel(force(t, y[:m], *args))]

        return whole

    def kernels(self):
        """What the integrators need, the two halves included.

        Returns
        -------
        odekit.solvers.problem.Kernels
        """
        return dataclasses.replace(super().kernels(), velocity=self.velocity, force=self.force)


@functools.cache
def _halves_together(velocity, force, m):
    """Address of a scalar kernel that calls the kernels of both halves; a velocity of 0 is the identity."""
    copy = [f"    for i in range({m}):", f"        view1(dy, 0, {m})[i] = view1(y, {m}, {m})[i]"]
    call = [
        f"    if call_scalar({velocity}, t, view1(y, {m}, {m}), view1(dy, 0, {m}), p) != 0:",
        "        return 1",
    ]
    lines = ["def separable_field(t, y, dy, p):", *(call if velocity else copy)]
    lines += [f"    return call_scalar({force}, t, view1(y, 0, {m}), view1(dy, {m}, {m}), p)"]
    namespace = {"call_scalar": _jit.call_scalar, "view1": _jit.view1}
    function = _jit.exec_source("\n".join(lines) + "\n", "separable_field", namespace)
    return _jit.cfunc_address(function, _jit.SCALAR_SIGNATURE, cache=False)
