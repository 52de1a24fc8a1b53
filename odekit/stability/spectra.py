"""Eigenvalues of the Jacobian and what they tell about stiffness."""

import numpy as np

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
    """
    values = np.asarray(eigenvalues, dtype=complex)
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

    References
    ----------
    J. D. Lambert, "Numerical Methods for Ordinary Differential Systems", Sec. 6.2, on definitions of stiffness.
    """
    return np.max(np.maximum(-np.asarray(eigenvalues, dtype=complex).real, 0.0), axis=-1) * abs(span)


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
        For another norm.

    References
    ----------
    G. Soederlind, "The logarithmic norm. History and modern theory", BIT 46 (2006) 631-652.

    Examples
    --------
    >>> import odekit
    >>> float(odekit.stability.logarithmic_norm([[-1.0, 4.0], [0.0, -1.0]]))
    1.0
    """
    a = np.asarray(matrix, dtype=float)
    if norm == 2:
        return np.linalg.eigvalsh((a + np.swapaxes(a, -1, -2)) / 2)[..., -1]
    if norm not in (1, np.inf):
        raise ValueError(f"norm={norm!r}; expected 1, 2 or infinity")
    diagonal = np.diagonal(a, axis1=-2, axis2=-1)
    sums = np.sum(np.abs(a), axis=-2 if norm == 1 else -1)
    return np.max(diagonal + (sums - np.abs(diagonal)), axis=-1)
