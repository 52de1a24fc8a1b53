"""A user's function as a differentiable field: exact derivatives by complex steps in the state, the time and the arguments.

Compiled for complex numbers, ``f(x + i eps)`` has the derivative in its imaginary part, without cancellation: with
eps = 1e-40 to the last digit. A pull costs one complex evaluation per number that the function depends on, which is little
for the systems that people write down by hand.
"""

import functools
import warnings

import numpy as np

from .. import _jit, _wrap
from .._capture import ignores_first_argument, names_used
from .._jacobian import NOT_HOLOMORPHIC
from .._second_derivative import second_derivative
from .._wrapper_source import COMPLEX_STEP, OK
from ..field import UserField
from .complex_form import call, complex_kernel, python_complex_kernel
from .tape import BLOCK, HEADER, LANES, N_PARAMS, SCRATCH, SIZE, SLOT_SIZE, TAPE, THETA
from .user_kernels import COMPLEX, DIM, SECOND, TIMED, VALUE, Kernels


class DifferentiableFunction:
    """A right-hand side ``fun(t, y, *args)`` as a field, see `odekit.adjoint.tape`; one lane.

    Parameters
    ----------
    fun : callable
        As for `odekit.solve_ivp`; it must be made of functions that have a derivative everywhere (no abs, max, where, ...),
        because they are continued to complex numbers.
    t0 : float
    y0 : ndarray, (n,)
    args : tuple
        Numbers and arrays; integers and booleans are constants.

    Raises
    ------
    TypeError
        If the function cannot be differentiated.
    """

    def __init__(self, fun, t0, y0, args=()):
        user = UserField(fun, t0, y0, args)
        self.user, self.dim, self.params, self.structure = user, y0.size, user.parameters, user.structure
        name = self.name = getattr(user.function, "__qualname__", "fun")
        if user.structure is None or any(kind[0].startswith("complex") for kind in user.structure):
            raise TypeError("args must be real numbers and real arrays, to be differentiated")
        if user.native is not None:
            raise TypeError(
                "fun is an address of compiled code, which cannot be continued to complex numbers; give its source"
            )
        bent = sorted(names_used(user.function) & NOT_HOLOMORPHIC)
        if bent:
            raise TypeError(
                f"{name} uses {', '.join(bent)}, through which no complex step passes; its derivative is not known exactly"
            )
        self.autonomous = ignores_first_argument(user.function)
        known = user.kernel.derivatives if user.kernel.compiled else {}  # a new value of an argument recompiles nothing
        if "complex" not in known:
            known["complex"] = _complex_form(user, name)
        self._known, (self.complex_kernel, self.timed) = known, known["complex"]
        self._check()

    @property
    def kernels(self):
        """Addresses of the kernels."""
        return Kernels(self)

    @property
    def _second(self):
        """Kernel of its second derivatives."""
        if "second" not in self._known:
            self._known["second"] = self._find_second()
        return self._known["second"]

    def _find_second(self):
        user = self.user
        kernel = second_derivative(user.function, self.dim, self.structure, user.shape.in_place, user.kernel.kept)
        if not kernel.compiled and user.kernel.compiled and not _jit.JIT_DISABLED:
            warnings.warn(
                f"{self.name} does not compile for dual numbers, so that its second derivatives are taken by Python, about a thousand "
                "times slower; write it component by component",
                _wrap.OdekitPerformanceWarning, stacklevel=_wrap.stack_level(),
            )  # fmt: skip
        return kernel

    @functools.cached_property
    def bends(self):
        """Whether it has second derivatives: where its first are known in t too, and both ways to them agree at the start."""
        if not (self.timed or self.autonomous):
            return False
        n, m = self.dim, self.params.size
        along = 1.0 / np.arange(2.0, n + 3.0)
        state = np.stack((np.append(self.user.t0, self.user.y0), COMPLEX_STEP * along), axis=1).ravel()
        if not self.timed:
            state[1] = 0.0
        slope, both = np.zeros(2 * n), np.full(2 * n, np.nan)
        q = np.stack((self.params, np.zeros(m)), axis=1).ravel()
        status = call(self.complex_kernel.address, 0.0, state, slope, q)
        x = np.concatenate((state[::2], np.zeros(n + 1), along))
        status = status or call(self._second.address, 0.0, x, both, np.concatenate((self.params, np.zeros(m))))
        return status == OK and np.allclose(both[:n], slope[1::2] / COMPLEX_STEP, rtol=1e-6, atol=1e-12, equal_nan=True)

    def pack(self, lanes, slots=1, directions=0):
        """The vector `p` of the kernels; one lane only."""
        n, n_params = self.dim, self.params.size
        slot_size = n + 1
        tape = HEADER + n_params
        scratch = tape + slots * slot_size
        p = np.empty(scratch + 5 * n + 3 + 2 * n_params)
        p[:HEADER] = 0.0
        p[LANES], p[BLOCK], p[DIM], p[N_PARAMS] = lanes, lanes, n, n_params
        p[VALUE], p[COMPLEX] = self.user.kernel.address, self.complex_kernel.address
        p[TIMED] = self.timed and not self.autonomous
        if directions:
            p[SECOND] = self._second.address
        p[THETA], p[TAPE], p[SLOT_SIZE], p[SCRATCH], p[SIZE] = HEADER, tape, slot_size, scratch, p.size
        p[HEADER:tape] = self.params
        return p

    def _check(self):
        """The complex form must give the numbers of the real one at the start."""
        user, n = self.user, self.dim
        state, q = np.zeros(2 * n + 2), np.zeros(2 * self.params.size)
        state[0], state[2::2], q[::2] = user.t0, user.y0, self.params
        slope, value = np.zeros(2 * n), np.zeros(n)
        status = call(self.complex_kernel.address, 0.0, state, slope, q)
        call(user.kernel.address, user.t0, user.y0.copy(), value, np.append(self.params, 0.0))
        if status != OK or not np.allclose(slope[::2], value, rtol=1e-6, atol=1e-12, equal_nan=True):
            raise TypeError(
                "fun gives other numbers for complex arguments than for real ones; it cannot be differentiated"
            )

    def arguments(self, bar):
        """The cotangent of the parameters in the form of the user's arguments; None for those that are constants."""
        values, k = [], 0
        for kind, *shape in self.structure:
            size = int(np.prod(shape[0])) if shape else 1
            part = bar[k : k + size]
            values.append(None if kind in ("int", "bool") else part.reshape(shape[0]) if shape else float(part[0]))
            k += size
        return tuple(values)


def _complex_form(user, name):
    """The function over complex numbers, and whether t may be complex, too."""
    if not user.kernel.compiled:
        return python_complex_kernel(user), True
    for timed in (True, False):
        try:
            return complex_kernel(user, timed), timed
        except Exception as error:  # whatever Numba raises for odd code
            reason = error
    raise TypeError(f"{name} does not compile for complex numbers, which its derivative needs: {reason}")
