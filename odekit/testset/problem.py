"""What a reference problem is."""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from .._numbers import real_array


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """An initial value problem and its solution at the end.

    Attributes
    ----------
    name : str
    fun : callable
        Vector field ``fun(t, y, *args)``.
    jac : callable or None
        Its Jacobian ``jac(t, y, *args)``: an (n, n) array, for Numba too; where `lband` and `uband` are given, packed as
        SciPy's LSODA wants it, ``packed[uband + i - j, j]`` with shape (lband + uband + 1, n); a SciPy sparse matrix
        where n is large and there is no band.
    t_span : tuple of float
    y0 : tuple of float
    args : tuple
    y_end : tuple of float
        Reference solution at ``t_span[1]``.
    digits : int
        Digits of `y_end` that can be trusted.
    source : str
        Where the problem and the reference come from.
    energy : callable or None
        A conserved quantity ``energy(y, *args)``.
    lband, uband : int or None
        Numbers of diagonals of the Jacobian below and above the main one, if it is banded.
    pattern : callable or None
        ``pattern(n)``: where the Jacobian may differ from zero, as a SciPy sparse matrix; see `jac_sparsity`.
    acceleration : callable or None
        ``acceleration(t, q, *args)``, if the problem is ``q'' = acceleration`` with ``y = (q, q')`` (for
        `odekit.second_order`).
    jumps : tuple of float
        Times at which the vector field jumps (for `tstops`).

    Examples
    --------
    >>> import odekit
    >>> lorenz = odekit.testset.LORENZ
    >>> sol = odekit.solve_ivp(lorenz.fun, lorenz.t_span, lorenz.y0, "vern9", args=lorenz.args, rtol=1e-12, atol=1e-12)
    >>> bool(lorenz.error(sol.y[:, -1]) < 1e-6)
    True
    """

    name: str
    fun: Callable
    jac: Callable | None
    t_span: tuple
    y0: tuple
    args: tuple
    y_end: tuple
    digits: int
    source: str
    energy: Callable | None = None
    lband: int | None = None
    uband: int | None = None
    pattern: Callable | None = None
    acceleration: Callable | None = None
    jumps: tuple = ()

    @property
    def n(self):
        """Dimension of the state."""
        return len(self.y0)

    @functools.cached_property
    def jac_sparsity(self):
        """Where the Jacobian may differ from zero: a SciPy sparse matrix of ones, shape (n, n).

        Without a `pattern` it is read off the Jacobian at two states without symmetry.
        """
        import scipy.sparse

        if self.pattern is not None:
            return self.pattern(self.n)
        states = np.array(self.y0) + np.random.default_rng(0).uniform(0.1, 0.2, (2, self.n))
        return scipy.sparse.csc_matrix(
            sum((self.jac(self.t_span[0], y, *self.args) != 0).astype(float) for y in states).clip(max=1)
        )

    def error(self, y):
        """Largest relative error of `y` against the reference at the end.

        Parameters
        ----------
        y : array_like, shape (n,)

        Returns
        -------
        float
            Largest ``|y_i - y_end_i| / |y_end_i|``; a component whose reference is 0 is compared with the largest one.

        Raises
        ------
        TypeError, ValueError
            For what are no real numbers, or another shape.

        Examples
        --------
        >>> import odekit
        >>> float(odekit.testset.LORENZ.error(odekit.testset.LORENZ.y_end))
        0.0
        """
        y, reference = real_array("y", y), np.array(self.y_end)
        if y.shape != reference.shape:
            raise ValueError(f"y must have shape {reference.shape}, but its shape is {y.shape}")
        scale = np.where(reference == 0, np.max(np.abs(reference)), np.abs(reference))
        return np.max(np.abs(y - reference) / scale)
