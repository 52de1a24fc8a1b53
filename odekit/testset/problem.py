"""What a reference problem is."""

import dataclasses
from collections.abc import Callable

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """An initial value problem and its solution at the end.

    Attributes
    ----------
    name : str
    fun : callable
        Vector field ``fun(t, y, *args)``.
    jac : callable or None
        Its Jacobian ``jac(t, y, *args)``.
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

    def error(self, y):
        """Largest relative error of `y` against the reference at the end.

        Parameters
        ----------
        y : array_like, shape (n,)

        Returns
        -------
        float
            Largest ``|y_i - y_end_i| / |y_end_i|``; a component whose reference is 0 is compared with the largest one.
        """
        reference = np.array(self.y_end)
        scale = np.where(reference == 0, np.max(np.abs(reference)), np.abs(reference))
        return np.max(np.abs(np.asarray(y) - reference) / scale)
