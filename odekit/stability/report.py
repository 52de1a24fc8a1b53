"""A report on a system along a trajectory: whether it is stiff, contracting, conservative."""

import dataclasses

import numpy as np

from .._numbers import finite_array
from .jacobians import jacobians
from .spectra import logarithmic_norm, stiffness_index, stiffness_ratio

#: From this many fastest decays in the span on a problem counts as stiff (see `stiffness_index`).
STIFF_FROM = 1000.0
#: A divergence below this fraction of the Jacobian's size counts as zero.
VOLUME_TOLERANCE = 1e-6


@dataclasses.dataclass(frozen=True)
class StabilityReport:
    """Result of `report`.

    Attributes
    ----------
    t : ndarray, (m,)
    eigenvalues : ndarray of complex, (m, n)
        Unordered.
    stiffness_ratio, stiffness_index, logarithmic_norm : ndarray, (m,)
        See the functions of these names; the index is for the span of `t`.
    divergence : ndarray, (m,)
        Trace of the Jacobian, the rate at which volume in phase space grows.

    Examples
    --------
    >>> import odekit
    >>> sol = odekit.solve_ivp(lambda t, y: [-y[0], -1000 * y[1]], (0, 10), [1.0, 1.0], t_eval=[0.0, 5.0, 10.0])
    >>> report = odekit.stability.report(sol.fun, sol.t, sol.y)
    >>> report.stiff, report.contracting, report.stiffness_ratio
    (True, True, array([1000., 1000., 1000.]))
    """

    t: np.ndarray
    eigenvalues: np.ndarray
    stiffness_ratio: np.ndarray
    stiffness_index: np.ndarray
    logarithmic_norm: np.ndarray
    divergence: np.ndarray

    @property
    def stiff(self):
        """Whether an explicit method would have to take steps that the solution does not ask for."""
        return bool(np.median(self.stiffness_index) >= STIFF_FROM)

    @property
    def contracting(self):
        """Whether any two neighbouring solutions approach each other, all along the trajectory."""
        return bool(np.max(self.logarithmic_norm) < 0.0)

    @property
    def conservative(self):
        """Whether volume in phase space is conserved along the trajectory, as in every Hamiltonian system."""
        size = np.max(np.abs(self.eigenvalues), axis=-1)
        return bool(np.all(np.abs(self.divergence) <= VOLUME_TOLERANCE * size + np.finfo(float).tiny))

    @property
    def unstable(self):
        """Whether some perturbation grows, at some time."""
        return bool(np.max(self.eigenvalues.real) > VOLUME_TOLERANCE * np.max(np.abs(self.eigenvalues)))

    def __str__(self):
        """The report in sentences."""
        yes = {True: "yes", False: "no"}
        fastest = float(np.max(np.abs(self.eigenvalues)))
        growth = float(np.max(self.eigenvalues.real))
        lines = [
            f"{self.eigenvalues.shape[1]} components at {self.t.size} times in [{self.t[0]:g}, {self.t[-1]:g}]",
            f"stiff: {yes[self.stiff]} (fastest decay times span {np.median(self.stiffness_index):.3g}, ratio of decays "
            f"{np.median(self.stiffness_ratio):.3g}, medians; fastest rate {fastest:.3g})",
            f"contracting: {yes[self.contracting]} (logarithmic norm at most {np.max(self.logarithmic_norm):.3g})",
            f"conservative: {yes[self.conservative]} (divergence from {np.min(self.divergence):.3g} to "
            f"{np.max(self.divergence):.3g})",
            f"unstable: {yes[self.unstable]} (largest real part of an eigenvalue {growth:.3g})",
        ]
        return "\n".join(lines)


def report(fun, t, y, args=None, jac=None):
    """Look at a system along a trajectory.

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
    StabilityReport
        ``print`` shows it in sentences.

    Raises
    ------
    TypeError, ValueError
        For what are no real numbers, shapes that do not fit, or where `fun` has no exact Jacobian and none is given.

    Examples
    --------
    >>> import odekit
    >>> sol = odekit.solve_ivp(lambda t, y: [y[1], -y[0]], (0, 6), [1.0, 0.0])
    >>> report = odekit.stability.report(sol.fun, sol.t, sol.y)
    >>> report.stiff, report.conservative
    (False, True)
    """
    t = np.atleast_1d(finite_array("t", t))
    matrices = jacobians(fun, t, y, args, jac)
    values = np.linalg.eigvals(matrices).astype(complex)
    return StabilityReport(
        t,
        values,
        stiffness_ratio(values),
        stiffness_index(values, t[-1] - t[0]),
        logarithmic_norm(matrices),
        np.trace(matrices, axis1=-2, axis2=-1),
    )
