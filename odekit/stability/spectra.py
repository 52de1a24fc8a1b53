"""Eigenvalues of the Jacobian and what they tell about stiffness."""

import numpy as np

from .._numbers import complex_array, finite_array, number
from .jacobians import jacobians

#: Real parts smaller than this fraction of the largest eigenvalue are rounding, not decay.
NEGLIGIBLE = 1e-12


def spectrum(fun, t, y, args=None, jac=None):
    """Eigenvalues of the Jacobian along a trajectory.

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
    ndarray of complex, (m, n)
        Per time, by falling real part; unit 1 / time.

    Raises
    ------
    TypeError, ValueError
        For what are no real numbers, shapes that do not fit, or where `fun` has no exact Jacobian and none is given.

    Examples
    --------
    >>> import odekit
    >>> sol = odekit.solve_ivp(lambda t, y: [-y[0], -1000 * y[1]], (0, 1), [1.0, 1.0])
    >>> odekit.stability.spectrum(sol.fun, sol.t[:1], sol.y[:, :1]).real
    array([[   -1., -1000.]])
    """
    values = np.linalg.eigvals(jacobians(fun, t, y, args, jac)).astype(complex)
    order = np.lexsort((-values.imag, -values.real), axis=-1)
    return np.take_along_axis(values, order, axis=-1)


def stiffness_ratio(eigenvalues):
    """Ratio of the fastest decay to the slowest.

    Parameters
    ----------
    eigenvalues : array_like of complex, (..., n)

    Returns
    -------
    ndarray, (...)
        1 where nothing decays.

    Raises
    ------
    TypeError, ValueError
        For what are no numbers in at least one dimension.

    Examples
    --------
    >>> import odekit
    >>> float(odekit.stability.stiffness_ratio([-1000.0, -1.0 + 2.0j, -1.0 - 2.0j]))
    1000.0
    """
    values = _eigenvalues(eigenvalues)
    floor = NEGLIGIBLE * np.max(np.abs(values), axis=-1, keepdims=True)
    decay = np.where(-values.real > floor, -values.real, np.nan)
    with np.errstate(invalid="ignore"):
        ratio = np.fmax.reduce(decay, axis=-1) / np.fmin.reduce(decay, axis=-1)
    return np.where(np.isnan(ratio), 1.0, ratio)


def stiffness_index(eigenvalues, span):
    """How many times its fastest decay the system decays within a span of time.

    An explicit method needs a step for about every two or three of them, however smooth the solution is: a hundred or more
    make a problem stiff. (The ratio of the eigenvalues says less: a slow one costs nothing.)

    Parameters
    ----------
    eigenvalues : array_like of complex, (..., n)
    span : float
        Length of the integration, or the time in which the solution changes.

    Returns
    -------
    ndarray, (...)

    Raises
    ------
    TypeError, ValueError
        For eigenvalues that are no numbers in at least one dimension, or a span that is no finite number.

    References
    ----------
    J. D. Lambert, "Numerical Methods for Ordinary Differential Systems", Sec. 6.2, on definitions of stiffness.

    Examples
    --------
    >>> import odekit
    >>> float(odekit.stability.stiffness_index([-1000.0, -1.0], span=10.0))
    10000.0
    """
    return np.max(np.maximum(-_eigenvalues(eigenvalues).real, 0.0), axis=-1) * abs(number("span", span))


def _eigenvalues(values):
    """Eigenvalues (..., n) as complex numbers."""
    values = complex_array("eigenvalues", values)
    if values.ndim == 0 or values.shape[-1] == 0:
        raise ValueError(f"eigenvalues must have shape (..., n), but their shape is {values.shape}")
    return values


def logarithmic_norm(matrix, norm=2):
    """Logarithmic norm of a matrix: the largest rate at which a perturbation can grow at once.

    Where it is negative along all trajectories the system is contracting: any two solutions approach each other.

    Parameters
    ----------
    matrix : array_like, (..., n, n)
    norm : {1, 2, inf}

    Returns
    -------
    ndarray, (...)

    Raises
    ------
    ValueError
        For another norm, or a matrix that is not square.

    References
    ----------
    G. Soederlind, "The logarithmic norm. History and modern theory", BIT 46 (2006) 631-652.

    Examples
    --------
    >>> import odekit
    >>> float(odekit.stability.logarithmic_norm([[-1.0, 4.0], [0.0, -1.0]]))
    1.0
    """
    a = finite_array("matrix", matrix)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ValueError(f"matrix must have shape (..., n, n), but its shape is {a.shape}")
    if norm == 2:
        return np.linalg.eigvalsh((a + np.swapaxes(a, -1, -2)) / 2)[..., -1]
    if norm not in (1, np.inf):
        raise ValueError(f"norm={norm!r}; expected 1, 2 or infinity")
    diagonal = np.diagonal(a, axis1=-2, axis2=-1)
    sums = np.sum(np.abs(a), axis=-2 if norm == 1 else -1)
    return np.max(diagonal + (sums - np.abs(diagonal)), axis=-1)
