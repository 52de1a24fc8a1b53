"""The front door for users' functions: the gradient of any loss on a solution."""

import dataclasses

import numpy as np

from .. import _checks
from .._numbers import finite_array, positive, times
from ..solvers.methods import METHODS
from .choice import choose, one_method
from .result import cotangent_array, given_cotangent
from .user import DifferentiableFunction


@dataclasses.dataclass
class SolutionGradient:
    """A solution, and the derivatives of a loss on it.

    Attributes
    ----------
    t : ndarray, (nt,)
    y : ndarray, (n, nt)
        States at `t`.
    y0 : ndarray, (n,)
        Derivative of the loss with respect to the initial state.
    args : tuple
        With respect to each argument, in its form; None for integers and booleans, which are constants.
    times : ndarray, (nt,), or None
        With respect to the output times: the first is that of the start, the last that of the end. Only ``with_times=True``.
    counts : dict of int
        Steps, evaluations, stored states; what else the adjoint has counted.

    Examples
    --------
    >>> import odekit
    >>> g = odekit.adjoint.gradient(lambda t, y, k: [-k * y[0]], [0.0, 1.0], [2.0], [[0.0, 1.0]], args=(0.5,), with_times=True)
    >>> g.y.round(3), g.y0.round(3), g.times.round(3)
    (array([[2.   , 1.213]]), array([0.607]), array([ 0.607, -0.607]))
    """

    t: np.ndarray
    y: np.ndarray
    y0: np.ndarray
    args: tuple
    times: np.ndarray | None
    counts: dict


def gradient(
    fun, t, y0, cotangent, method="tsit5", args=(), *, rtol=1e-6, atol=1e-9, adjoint="auto", first_step=None, with_times=False,
    max_steps=100_000,
):  # fmt: skip
    """Solve an initial value problem and differentiate a loss on its solution.

    Parameters
    ----------
    fun : callable
        Right-hand side ``fun(t, y, *args)`` as for `odekit.solve_ivp`. Its derivatives are exact, by complex steps: it must
        be made of functions that have a derivative everywhere (no abs, max, where, ...).
    t : array_like, (nt,)
        Output times, strictly increasing or strictly decreasing; the first is the start, the last the end.
    y0 : array_like, (n,)
        Initial state.
    cotangent : array_like, (n, nt), or callable
        Derivative of the loss with respect to the states at `t`; a callable gets them, (n, nt), and returns it.
    method : str
        Exactly differentiated: the explicit methods, and the implicit ones that `odekit.adjoint.ImplicitAdjoint` knows.
    args : tuple
        Further arguments of `fun`: numbers and arrays.
    rtol, atol : float
    adjoint : str or object of `odekit.adjoint`
        "auto": see docs/adjoints.md.
    first_step : float, optional
        First step, or the step of a method without an error estimate.
    with_times : bool
        Whether the derivative with respect to `t` is wanted.
    max_steps : int

    Returns
    -------
    SolutionGradient

    Raises
    ------
    TypeError
        If the function cannot be differentiated.
    ValueError
        For times that are not strictly monotonic, a cotangent of another shape or not finite, an unknown method or adjoint.
    SolveError
        If the end is not reached.

    Examples
    --------
    The derivative of y(1) = y0 exp(-k) with respect to y0 and k:

    >>> import numpy as np, odekit
    >>> def decay(t, y, k):
    ...     return [-k * y[0]]
    >>> g = odekit.adjoint.gradient(decay, [0.0, 1.0], [2.0], [[0.0, 1.0]], args=(0.5,), rtol=1e-10, atol=1e-12)
    >>> g.y0.round(8), round(g.args[0], 8)
    (array([0.60653066]), -1.21306132)
    """
    t, y0 = times(t), finite_array("y0", y0)
    if y0.ndim != 1:
        raise ValueError(f"y0 must be one-dimensional, but its shape is {y0.shape}")
    shape = y0.size, t.size
    cotangent = given_cotangent(cotangent, shape)
    rtol, atol, method = positive("rtol", rtol), positive("atol", atol), one_method(method)
    _checks.steps(first_step, np.inf, max_steps, abs(t[-1] - t[0]), METHODS[method])
    field = DifferentiableFunction(fun, float(t[0]), y0, _checks.arguments(args))
    if with_times and not (field.timed or field.autonomous):
        raise TypeError("fun does not compile for complex t, which the derivative with respect to the times needs")

    def seeds(ys):
        value = cotangent_array(cotangent(ys[:, 0].T), shape) if callable(cotangent) else cotangent
        return np.ascontiguousarray(value.T)[:, None]

    g = choose(adjoint, method, field).gradient(
        field, y0[None], t, seeds, method=method, rtol=rtol, atol=atol, first_step=first_step, with_times=with_times,
        max_steps=max_steps,
    )  # fmt: skip
    return SolutionGradient(t, np.ascontiguousarray(g.y[:, 0].T), g.y0[0], field.arguments(g.params), g.t, g.counts)
