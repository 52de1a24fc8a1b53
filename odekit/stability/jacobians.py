"""Jacobians of a right-hand side along a trajectory."""

import numpy as np

from .. import _callback, _checks
from .._numbers import finite_array, number
from .._structure import DENSE
from ..field import UserField
from ..solvers import state
from ..solvers.linalg.dense import Dense
from ..solvers.problem import SCRATCH_VECTORS


def field_with_jacobian(fun, t, y, args, jac):
    """The right-hand side as kernels, and its Jacobian from an exact source.

    Parameters
    ----------
    fun, args, jac
        As for `odekit.solve_ivp`.
    t : float
    y : ndarray, (n,)

    Returns
    -------
    field : odekit.field.UserField
    jacobian : odekit.solvers.problem.Jacobian

    Raises
    ------
    ValueError
        For a complex state, or where there is no exact Jacobian.
    """
    if y.dtype.kind == "c":
        raise ValueError("the state is complex; expected a real one (its real and imaginary parts as components)")
    field = UserField(fun, t, y, _checks.arguments(args), jac, said=DENSE)
    found = field.jacobian()
    if found.kind == state.JAC_DIFFERENCE:
        raise ValueError(
            "fun has no exact Jacobian: it does not compile for complex numbers, or is not differentiable; "
            "give jac(t, y, *args)"
        )
    return field, found


def jacobian(fun, t, y, args=None, jac=None):
    """The Jacobian of a right-hand side at one point.

    Parameters
    ----------
    fun : callable
        As for `odekit.solve_ivp`.
    t : float
    y : array_like, (n,)
    args : tuple, optional
    jac : callable or array_like, optional
        ``jac(t, y, *args)``. Default: exact, by complex step.

    Returns
    -------
    ndarray, (n, n)
        ``J[i, j]`` is the derivative of component i with respect to component j.

    Raises
    ------
    ValueError
        For another shape of `y`, or where `fun` has no exact Jacobian and none is given.

    Examples
    --------
    >>> import odekit
    >>> odekit.stability.jacobian(lambda t, y: [y[1], -4 * y[0]], 0.0, [1.0, 0.0])
    array([[ 0.,  1.],
           [-4.,  0.]])
    """
    y = finite_array("y", y)
    if y.ndim != 1:
        raise ValueError(f"y must have shape (n,), but its shape is {y.shape}")
    return jacobians(fun, [number("t", t)], y[:, None], args, jac)[0]


def jacobians(fun, t, y, args=None, jac=None):
    """Jacobians of a right-hand side along a trajectory.

    Parameters
    ----------
    fun : callable
        As for `odekit.solve_ivp`.
    t : array_like, (m,)
    y : array_like, (n, m)
        States in columns, as ``Solution.y`` has them.
    args : tuple, optional
    jac : callable or array_like, optional

    Returns
    -------
    ndarray, (m, n, n)

    Raises
    ------
    ValueError
        For shapes that do not fit, or where `fun` has no exact Jacobian and none is given.

    Examples
    --------
    >>> import odekit
    >>> sol = odekit.solve_ivp(lambda t, y: [y[1], -4 * y[0]], (0, 1), [1.0, 0.0], t_eval=[0.0, 0.5, 1.0])
    >>> odekit.stability.jacobians(sol.fun, sol.t, sol.y).shape
    (3, 2, 2)
    """
    t, y = np.atleast_1d(finite_array("t", t)), finite_array("y", y)
    if y.ndim != 2 or t.ndim != 1 or y.shape[1] != t.size or not t.size:
        raise ValueError(f"t has shape {t.shape} and y {y.shape}; expected (m,) and (n, m), the states in columns")
    start = _checks.state(y[:, 0])
    field, found = field_with_jacobian(fun, float(t[0]), start, args, jac)
    n = start.size
    if found.kind == state.JAC_CONSTANT:
        return np.tile(Dense(n).pack(found.matrix), (t.size, 1, 1))
    p = np.concatenate((field.parameters, np.zeros(SCRATCH_VECTORS * n)))
    states = np.ascontiguousarray(y.T)
    return np.stack(
        [_callback.call(found.address, time, at, n * n, p).reshape(n, n) for time, at in zip(t, states, strict=True)]
    )
