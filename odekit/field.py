"""The user's functions as the integrators see them: kernels, a Jacobian, event functions."""

import contextlib
import dataclasses
import math
import warnings
import weakref
from collections.abc import Callable

import numpy as np

from . import _callback, _jacobian, _jit, _native, _series, _signatures, _wrap
from ._arguments import pack
from ._in_turn import in_turn
from ._structure import UNKNOWN
from ._wrap import OdekitPerformanceWarning
from ._wrapper_source import Shape, Unsupported
from .solvers import expansion as taylor_coefficients
from .solvers.problem import Kernels

_NO_DIRECTIONS = np.empty(0)
_warned: weakref.WeakSet = weakref.WeakSet()


@dataclasses.dataclass(frozen=True)
class InPlace:
    """A right-hand side that writes into its third argument, made by `inplace`."""

    function: Callable

    def __call__(self, t, y, dydt, *args):
        """Call the function."""
        return self.function(t, y, dydt, *args)


def inplace(function):
    """Mark a right-hand side ``fun(t, y, dydt, *args)`` that writes the derivative into its third argument.

    Parameters
    ----------
    function : callable
        A Python function or an ``@njit`` function.

    Returns
    -------
    InPlace

    Raises
    ------
    TypeError
        For what cannot be called.

    Examples
    --------
    >>> import odekit
    >>> @odekit.inplace
    ... def decay(t, y, dydt, rate):
    ...     dydt[0] = -rate * y[0]
    >>> sol = odekit.solve_ivp(decay, (0, 1), [1.0], args=(2.0,), rtol=1e-8, atol=1e-10)
    >>> round(float(sol.y[0, -1]), 6)
    0.135335
    """
    if not callable(function):
        raise TypeError(f"inplace marks a function fun(t, y, dydt, *args), but it is given {function!r:.80}")
    return InPlace(function)


class UserField:
    """A right-hand side with its Jacobian and event functions.

    Parameters
    ----------
    fun : callable or address
        In one of the forms that `odekit.solve_ivp` names.
    t0 : float
    y0 : ndarray, (n,), float64 or complex128
    args : tuple
    jac : callable, array_like, sparse matrix or None
    events : list of callable
    vectorized : bool
    isoutofdomain : callable or None
    must_compile : bool
        Whether a function that Numba rejects is an error.
    said : odekit._structure.Wanted
        What the user says of the structure of the Jacobian.

    Raises
    ------
    TypeError, ValueError
        If the function cannot be called, or returns something else than n numbers.
    Exception
        Whatever the function itself raises at the start.
    """

    def __init__(
        self, fun, t0, y0, args=(), jac=None, events=(), vectorized=False, isoutofdomain=None, must_compile=False,
        said=UNKNOWN,
    ):  # fmt: skip
        self.must_compile, self.said = must_compile, said
        self.varying = must_compile  # whether kernels are called with other arguments than `args`
        self.t0, self.y0, self.args = t0, y0, args
        self.complex_state = y0.dtype.kind == "c"
        in_place = isinstance(fun, InPlace)
        self.function = fun.function if in_place else fun
        self.shape = Shape(y0.size, "vector", self.complex_state, in_place, vectorized)
        self.jac, self.event_functions, self.isoutofdomain = jac, list(events), isoutofdomain
        self.kernels_used = []
        self.jacobian_shape = None  # of a compiled jac
        self.blamed = []  # kernels that the integrators do not tell from the right-hand side, and whose they are
        self.raised_between = None  # what a function of the user raised between the steps, and which function
        try:
            self.structure, self.parameters = pack(args)
            self._unpackable = None
        except TypeError as error:
            self.structure, self.parameters, self._unpackable = None, np.empty(0), error
        self.native = _native.native_kernel(self.function)
        if self.native is not None and self._unpackable is not None:
            raise self._unpackable
        self._found = self.native or self._known()
        if self._found is None:
            self._check_call()

    @property
    def kernel(self):
        """The right-hand side as a scalar kernel; a new function is compiled when it is first asked for."""
        if self._found is None:
            self._found = self._compile()
        return self._found

    def _known(self):
        """The kernel of a function that has been checked, compiled and compared with Python before, or None."""
        return None if self._unpackable is not None else _wrap.known_kernel(self.function, self.shape, self.structure)

    def _compile(self):
        return self.kernel_of(self.function, self.shape)

    def _check_call(self):
        """Call the Python function once, so that its errors and shapes are told before anything is compiled."""
        function = getattr(self.function, "py_func", self.function)
        if not callable(function):
            raise TypeError(f"fun is a {type(function).__name__}; expected a function fun(t, y, *args), or an address")
        state_argument = self.y0[:, None].copy() if self.shape.vectorized else self.y0.copy()
        if self.shape.in_place:
            _signatures.require(
                "fun", function, "fun(t, y, dydt, *args)", self.args, self.t0, state_argument, state_argument
            )
        else:
            _signatures.require("fun", function, "fun(t, y, *args)", self.args, self.t0, state_argument)
        if self.shape.in_place:
            slopes = [np.full(self.y0.shape, fill, dtype=self.y0.dtype) for fill in (math.nan, 0.0)]
            for slope in slopes:
                function(self.t0, state_argument.copy(), slope, *self.args)
            unset = np.flatnonzero(np.isnan(slopes[0]) & ~np.isnan(slopes[1]))
            if unset.size:
                raise ValueError(f"fun left dydt[{unset[0]}] unset; expected it to write all {self.y0.size} components")
        else:
            _callback.as_numbers(function(self.t0, state_argument, *self.args), self.shape)

    def kernel_of(self, function, shape, state=None):
        """A compiled kernel, or a call back into Python after one warning; `state` is what it gets first (default: y0)."""
        try:
            if self._unpackable is not None:
                raise Unsupported(str(self._unpackable))
            kernel = _wrap.compile_kernel(function, shape, self.structure)
            if kernel.agrees is None:
                plain = getattr(function, "py_func", function)
                y = self.y0 if state is None else state
                kernel.agrees = _callback.agrees(
                    lambda t, y, size: _callback.call(kernel.address, t, y, size, self.parameters),
                    plain, shape, self.t0, y, self.args,
                )  # fmt: skip
            if not kernel.agrees:
                raise Unsupported("compiled by Numba, it gives other numbers than in Python")
        except Unsupported as error:
            if shape.returns == "number":
                what = "isoutofdomain" if function is self.isoutofdomain else "an event function"
                _signatures.require(what, function, "(t, y, *args)", self.args, self.t0, self.y0)
            self._not_compiled(function, error)
            kernel = self.python_kernel(getattr(function, "py_func", function), shape)
        self.kernels_used.append(kernel)
        return kernel

    def python_kernel(self, function, shape):
        """A call back into Python, with the arguments of now; or with those of each call, where that is compiled code's."""
        return _callback.python_kernel(function, shape, self.args, self.structure if self.varying else None)

    def _not_compiled(self, function, error):
        """Say once that a function runs as Python, or refuse it."""
        name = getattr(function, "__qualname__", type(function).__name__)
        if self.must_compile and not _jit.JIT_DISABLED:
            raise TypeError(f"{name} cannot be compiled, but compiled code is to call it: {error}") from None
        try:
            if function in _warned or _jit.JIT_DISABLED:
                return
            _warned.add(function)
        except TypeError:
            pass
        message = f"{name} cannot be compiled and runs as Python, about a hundred times slower: {error}"
        warnings.warn(message, OdekitPerformanceWarning, stacklevel=_wrap.stack_level())

    def calls_python(self):
        """Whether any of the user's functions is, or may be, called back in Python."""
        sparse = self.said.may_call_python or hasattr(self.jac, "toarray")
        if sparse or callable(self.jac) or not self.kernel.compiled:
            return True
        return bool(self.kernels_used) and not all(kernel.compiled for kernel in self.kernels_used)

    def kernels(self):
        """What the integrators need.

        Returns
        -------
        odekit.solvers.problem.Kernels
        """
        events, directions = self._events()
        domain = 0 if self.isoutofdomain is None else self.kernel_of(self.isoutofdomain, self._number()).address
        return Kernels(
            self.kernel.address, self.parameters, self.jacobian, events, directions, domain, expansion=self.expansion
        )

    def _number(self):
        """What a function of the state that returns one number is like."""
        return self.shape._replace(returns="number", in_place=False, vectorized=False)

    # events ------------------------------------------------------------------------------------------------------------

    def _events(self):
        if not self.event_functions:
            return 0, _NO_DIRECTIONS
        kernels = [self.kernel_of(function, self._number()) for function in self.event_functions]
        directions = np.array([float(getattr(function, "direction", 0)) for function in self.event_functions])
        return in_turn([kernel.address for kernel in kernels], self.kernels_used), directions

    def jacobian(self, time_derivative=False):
        """The Jacobian of the real system, from the best source there is, see `odekit._jacobian`.

        Parameters
        ----------
        time_derivative : bool
            Whether the derivative with respect to t is needed too.

        Returns
        -------
        odekit.solvers.problem.Jacobian
        """
        if self.jac is not None or self.said is not UNKNOWN or not self.kernel.compiled:
            return _jacobian.choose(self, time_derivative)
        known = self.kernel.jacobians
        if time_derivative not in known:
            known[time_derivative] = _jacobian.choose(self, time_derivative)
        return known[time_derivative]

    def expansion(self, order):
        """Address of the Taylor coefficients of a solution, see `odekit.solvers.expansion`."""
        return taylor_coefficients.kernel(_series.expanded(self, order))

    @property
    def traceable(self):
        """The function of which `odekit._series` takes the formula."""
        return self.function

    @contextlib.contextmanager
    def blaming(self, culprit):
        """Note what raised, where a function of the user is called outside of the steps."""
        try:
            yield
        except Exception as error:
            self.raised_between = error, culprit
            raise

    def _call_preconditioner(self, t, y, *args):
        out = np.zeros_like(y)
        self.said.preconditioner(t, y, 0.0, np.ones_like(y), out, *args)
        return out

    # exceptions --------------------------------------------------------------------------------------------------------

    def exception(self, t, y, culprit="right-hand side"):
        """The exception behind a failure: what the user's own function raised.

        Parameters
        ----------
        t : float
        y : ndarray
            Argument with which a compiled function raised, as the integrators know it (real).
        culprit : str
            What raised: ``"event function"``, ``"isoutofdomain"``, else the right-hand side or the Jacobian.

        Returns
        -------
        error : BaseException
        culprit : str
            What raised: also ``"Jacobian"`` and ``"preconditioner"``, which the integrators do not tell from the right-hand side.
        """
        for kernel in self.kernels_used:
            if kernel.raised:
                return kernel.raised.pop(), next((whose for other, whose in self.blamed if other is kernel), culprit)
        y = y.view(self.y0.dtype)
        calls = [(self.function, self.shape, culprit)]
        if culprit == "event function":
            calls = [(function, self._number(), culprit) for function in self.event_functions]
        elif culprit == "isoutofdomain":
            calls = [(self.isoutofdomain, self._number(), culprit)]
        elif self.jacobian_shape is not None:
            calls.append((self.jac, self.jacobian_shape, "Jacobian"))
        if self.said.preconditioner is not None:
            calls.append((self._call_preconditioner, self.shape._replace(in_place=False), "preconditioner"))
        for function, shape, whose in calls:
            try:
                plain = getattr(function, "py_func", function)
                if shape.in_place:
                    plain(t, y.copy(), np.zeros_like(y), *self.args)
                else:
                    _callback.as_numbers(plain(t, y.copy(), *self.args), shape)
            except BaseException as error:
                return error, whose
        error = RuntimeError(
            f"the compiled function failed at t = {t!r}, y = {y!r}, but the same call in Python does not; "
            "run with NUMBA_DISABLE_JIT=1 to look at it"
        )
        return error, culprit
