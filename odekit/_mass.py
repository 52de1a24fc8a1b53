"""The mass matrix as the user gives it."""

import numpy as np

from ._jacobian import real_form
from ._structure import DENSE
from .solvers.mass import MassMatrix
from .solvers.methods import WITH_MASS


def prepared(given, name, methods, said, y0):
    """The methods, the structure of the Jacobian and the matrix for ``M dy/dt = f``.

    Parameters
    ----------
    given : array_like, sparse matrix or None
        The mass matrix; None: none, and nothing changes.
    name : str
    methods : tuple of Method
        From `odekit.solvers.methods.resolve`.
    said : odekit._structure.Wanted
    y0 : ndarray, (n,), float64 or complex128

    Returns
    -------
    name : str
        ``"radau"`` for ``"auto"``: an explicit method would not do.
    methods : tuple of Method
    said : odekit._structure.Wanted
    mass : MassMatrix or None

    Raises
    ------
    ValueError
        For a method that takes no mass matrix, a structure that does not go with one, and a matrix that makes no sense.
    """
    if given is None:
        return name, methods, said, None
    name = "radau" if name == "auto" else name
    if name not in WITH_MASS:
        raise ValueError(
            f"method={name!r} takes no mass_matrix; expected auto (which then is radau), {', '.join(WITH_MASS)}"
        )
    if said.given:
        raise ValueError(
            "mass_matrix goes with a full Jacobian; leave out jac_sparsity, lband, uband and linear_solver"
        )
    return name, (WITH_MASS[name],), DENSE, _mass_matrix(given, y0)


def _mass_matrix(given, y0):
    """The mass matrix of the real system, checked; None for a state of no components."""
    n = y0.size
    try:
        matrix = np.array(given.toarray() if hasattr(given, "toarray") else given)
        if matrix.dtype.kind not in "biufc":
            raise TypeError
    except (TypeError, ValueError):
        raise ValueError(f"mass_matrix={given!r:.80}; expected a constant matrix of shape ({n}, {n})") from None
    if matrix.shape != (n, n):
        raise ValueError(f"mass_matrix has shape {matrix.shape}; expected ({n}, {n}) for a state of {n}")
    if not np.isfinite(matrix).all():
        i, j = (int(k) for k in np.argwhere(~np.isfinite(matrix))[0])
        raise ValueError(f"mass_matrix[{i}, {j}] is {matrix[i, j]}; expected finite numbers")
    if y0.dtype.kind == "c":
        matrix = real_form(matrix)
    elif matrix.dtype.kind == "c":
        raise ValueError("mass_matrix has complex numbers for a real state; give y0 as complex numbers")
    return MassMatrix(matrix.astype(np.float64)) if n else None
