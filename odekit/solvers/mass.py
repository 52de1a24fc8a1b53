"""Systems ``M dy/dt = f(t, y)`` with a constant matrix M that may be singular: the start.

The steps are the business of the methods, see `odekit.solvers.methods.WITH_MASS`. A singular M makes some of the equations
algebraic: ``u f(t, y) = 0`` for every u with ``u M = 0``. Differentiated once they tell, together with the others, what
dy/dt is, provided that the system has index 1 [1]_:

    (P M) dy/dt = P f,    (U J) dy/dt = -U df/dt,

with the rows of U a basis of those u, and P of the complement. The same matrix, on the left, gives the Newton correction
of a start that does not satisfy the algebraic equations; that it is singular means a higher index.

References
----------
.. [1] E. Hairer, G. Wanner, "Solving Ordinary Differential Equations II: Stiff and Differential-Algebraic Problems",
   Sec. VI.1.
"""

import ctypes
import math

import numpy as np

from .. import _jit
from . import control, driver, jacobian
from . import state as S

EPS = np.finfo(float).eps
#: A start is taken as it is if its algebraic equations are solved to this fraction of the tolerances: what is left of them
#: counts in full in the error estimate of the first step.
CONSISTENT = 0.1
#: Otherwise it is corrected until a correction is no larger than this, after which the next, of a quadratic iteration, would be
#: negligible.
CORRECTED = 1e-3
MAX_CORRECTIONS = 10


class InconsistentStart(ValueError):
    """The algebraic equations have no solution that could be found, or a higher index than 1."""


class MassMatrix:
    """A mass matrix, and what follows from it for the start.

    Parameters
    ----------
    matrix : ndarray, (n, n), float64
        Finite.

    Attributes
    ----------
    matrix : ndarray
    singular : bool
    """

    def __init__(self, matrix):
        self.matrix = np.ascontiguousarray(matrix)
        scale = np.abs(matrix).max(axis=1)
        scale[scale == 0.0] = 1.0
        u, sizes, _ = np.linalg.svd(matrix / scale[:, None])
        rank = int(np.count_nonzero(sizes > sizes[0] * sizes.size * EPS))
        left = (u / scale[:, None]).T
        self._differential, self._algebraic = left[:rank], left[rank:]
        # in the units of f, in which a residual is told
        self._algebraic /= np.abs(self._algebraic).max(axis=1, keepdims=True)
        self.singular = rank < sizes.size
        free = np.flatnonzero(~matrix.any(axis=0))
        #: Components whose derivative occurs nowhere, if they are as many as there are algebraic equations.
        self._free = free if free.size == sizes.size - rank else None
        self._system, self._algebraic_rate = None, np.zeros(sizes.size - rank)

    def install(self, iw, w, place):
        """Put the matrix into the state arrays.

        Parameters
        ----------
        iw, w : ndarray
        place : int
            Where in `w` there are n^2 + n numbers for it.
        """
        iw[S.O_MASS] = place
        w[place : place + self.matrix.size] = self.matrix.ravel()

    def begin(self, run, error_order):
        """Make the present state of an integration consistent, find dy/dt there and the size of the first step.

        Parameters
        ----------
        run : odekit.solvers.integrate.Integration
            The corrected state, if it needs a correction, becomes its present one.
        error_order : int
            Of the method.

        Returns
        -------
        reason : int or None
            Of the driver, if there is no start.
        first_step : float
            Positive.

        Raises
        ------
        InconsistentStart
        """
        reason, f = self._look(run)
        if reason is None and self.singular:
            reason, f = self._correct(run, f)
        if reason is not None:
            return reason, 0.0
        return self._first_step(run, f, error_order)

    def write_slope(self, run, t, y):
        """Write dy/dt at a point not far from the last start where the kernels look for it; False where `fun` raised."""
        f = _field(run, t, y)
        if f is not None:
            self._keep(run, self._slope(f))
        return f is not None

    # -----------------------------------------------------------------------------------------------------------------

    def _look(self, run):
        """Evaluate the field and, if M is singular, the Jacobian at the present state; reason and field."""
        iw, w, y = run.iw, run.w, run.vectors[S.Y]
        f = _field(run, float(w[S.T]), y)
        if f is None:
            return driver.FIELD_RAISED, None
        run.vectors[S.F0] = f
        if not np.isfinite(f).all():
            return driver.START_NOT_FINITE, None
        system = self._differential @ self.matrix
        if self.singular:
            code = _evaluate_jacobian(run)
            if code != S.ACCEPTED:
                return driver.FIELD_RAISED if code == S.RHS_RAISED else driver.START_NOT_FINITE, None
            place, n = int(iw[S.O_IMPLICIT]), y.size
            J = w[place : place + n * n].reshape(n, n)
            system = np.concatenate((system, self._algebraic @ J))
        # rows, then columns of comparable size: units are no reason to call it singular
        self._rows = _largest(system, 1)
        system = system / self._rows[:, None]
        self._columns = _largest(system, 0)
        system = system / self._columns
        if np.linalg.cond(system, 1) * EPS > 1.0 / y.size:
            raise InconsistentStart(
                f"the mass matrix is singular, and at t = {float(w[S.T])!r} the algebraic equations do not determine the "
                f"{len(self._algebraic)} components (or combinations of them) whose derivatives it leaves out: the system has an "
                "index higher than 1; differentiate its constraints until it has index 1"
            )
        self._system = system
        return None, f

    def _solve(self, differential, algebraic):
        """dy/dt, or a correction of y, (n,), from right-hand sides: differential equations (r,), algebraic ones (n - r,)."""
        return np.linalg.solve(self._system, np.concatenate((differential, algebraic)) / self._rows) / self._columns

    def _slope(self, f):
        """dy/dt (n,) where the field is f (n,)."""
        return self._solve(self._differential @ f, -self._algebraic_rate)

    def _correct(self, run, f):
        """Newton's iteration for the components whose derivative occurs nowhere; reason and field."""
        y, largest = run.vectors[S.Y], CONSISTENT
        for count in range(MAX_CORRECTIONS + 1):
            rest = self._algebraic @ f
            correction = self._solve(np.zeros(len(self._differential)), -rest)
            if _norm(run, correction) <= largest:
                if count:
                    run.correct_start()
                return None, f
            if count == 0:
                residual, largest = float(np.abs(rest).max()), CORRECTED
                if self._free is None:
                    raise InconsistentStart(
                        f"the state at t = {float(run.w[S.T])!r} is not consistent: the algebraic equations of the singular mass "
                        f"matrix have a residual of {residual:.3g}, and it is not clear which components to change, because the "
                        "matrix has fewer columns of zeros than algebraic equations; expected a state that satisfies them"
                    )
            if count < MAX_CORRECTIONS:
                y[self._free] += correction[self._free]
                reason, f = self._look(run)
                if reason is not None:
                    return reason, None
        raise InconsistentStart(
            f"the state at t = {float(run.w[S.T])!r} is not consistent: the algebraic equations of the singular mass matrix have a "
            f"residual of {residual:.3g}, and {MAX_CORRECTIONS} Newton iterations found no solution for components "
            f"{', '.join(map(str, self._free))}; expected a state that satisfies them, or one nearer to it"
        )

    def _first_step(self, run, f, error_order):
        """Size of the first step by the algorithm of `control.initial_step`, with the true dy/dt; reason and size.

        What the end of an Euler step leaves of the algebraic equations stands for the second derivatives that they ask for.
        """
        w, y, t = run.w, run.vectors[S.Y], float(run.w[S.T])
        span = min(abs(w[S.T_END] - t), w[S.MAX_STEP])
        self._algebraic_rate[:] = 0.0
        step = min(run.first_step or _probe(_norm(run, y), _norm(run, self._slope(f))), span)
        if self.singular:
            ahead = t + math.copysign(min(math.sqrt(EPS) * max(abs(t), step), step), w[S.DIRECTION])
            later = _field(run, ahead, y)
            if later is None:
                return driver.FIELD_RAISED, 0.0
            if ahead != t and np.isfinite(later).all():
                self._algebraic_rate[:] = self._algebraic @ (later - f) / (ahead - t)
        slope = self._slope(f)
        self._keep(run, slope)
        if run.first_step > 0.0:
            return None, run.first_step
        d1 = _norm(run, slope)
        h0 = min(_probe(_norm(run, y), d1), span)
        if h0 == 0.0:
            return None, 0.0
        signed = math.copysign(h0, w[S.DIRECTION])
        end = _field(run, t + signed, y + signed * slope)
        if end is None:
            return driver.FIELD_RAISED, 0.0
        if not np.isfinite(end).all():
            return None, control.TINY_STEP * span
        change = self._solve(signed * (self._differential @ (end - f)), -(self._algebraic @ end))
        d2 = _norm(run, change) / h0 / h0
        if max(d1, d2) <= control.TINY_SLOPE:
            h1 = max(control.TINY_STEP, h0 * 1e-3)
        else:
            h1 = (0.01 / max(d1, d2)) ** (1.0 / (error_order + 1))
        return None, float(min(100.0 * h0, h1, span))

    def _keep(self, run, slope):
        """Put dy/dt (n,) where the kernels look for it, behind the matrix."""
        place = int(run.iw[S.O_MASS]) + slope.size**2
        run.w[place : place + slope.size] = slope


def _largest(matrix, axis):
    """The largest size along an axis of a matrix; 1 where all is zero."""
    sizes = np.abs(matrix).max(axis=axis)
    return np.where(sizes > 0.0, sizes, 1.0)


def _probe(d0, d1):
    """Length of the Euler step with which the initial step is found."""
    return control.TINY_STEP if min(d0, d1) < control.TINY_NORM else 0.01 * d0 / d1


def _norm(run, v):
    """Root mean square of v (n,) in units of the tolerances; a tolerance of zero counts in no norm."""
    weight = run.vectors[S.ATOL] + run.vectors[S.RTOL] * np.abs(run.vectors[S.Y])
    return float(np.sqrt(np.mean(np.divide(v, weight, out=np.zeros_like(v), where=weight > 0.0) ** 2)))


def _pointer(array):
    """Pointer to a contiguous array of float64 or int64."""
    kind = ctypes.c_double if array.dtype == np.float64 else ctypes.c_int64
    return array.ctypes.data_as(ctypes.POINTER(kind))


def _field(run, t, y):
    """The field at y (n,), or None where it raised, which is noted."""
    y, f = np.array(y), np.empty(len(y))
    run.iw[S.NFEV] += 1
    if _jit.SCALAR_CTYPE(int(run.fn[S.F]))(t, _pointer(y), _pointer(f), _pointer(run.p)) != 0:
        run.w[S.T_FAIL], run.vectors[S.SCRATCH] = t, y
        return None
    return f


def _evaluate_jacobian(run):
    """Evaluate the Jacobian at the present state, where `F0` is the field; step code."""
    arrays = run.fn, run.iw, run.w, run.p
    run.iw[jacobian.AT_END], run.iw[jacobian.BASE_EXACT] = 0, 1
    if _jit.JIT_DISABLED:
        return _jit.call_step(run.fn[S.JACOBIAN], *arrays)
    return _jit.STEP_CTYPE(int(run.fn[S.JACOBIAN]))(*map(_pointer, arrays))
