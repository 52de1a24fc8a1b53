"""The problems of the comparison: what every peer integrates, from where to where, against which reference."""

import dataclasses
import math
import types

import numpy as np
from numba import njit

import odekit
from odekit.testset import PROBLEMS


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """One problem in the forms that the adapters need.

    Attributes
    ----------
    name : str
    fun : callable
        ``fun(t, y, *args)``, of the test set: plain Python, so that it can be traced with symbols.
    field : callable
        What odekit gets: `fun`, or an in-place form where `fun` makes an array.
    jac : callable or None
    t_span, y0, args : tuple
    reference : ndarray, (n,)
    digits : int
        Of the reference that can be trusted.
    atol_scale : float
        Absolute tolerance divided by the relative one.
    stiff : bool
    sparsity : sparse matrix or None
        Pattern of the Jacobian, where it has mostly zeros.
    bandwidths : tuple of int
        Lower and upper, where the Jacobian is banded; else empty.
    """

    name: str
    fun: object
    field: object
    jac: object
    t_span: tuple
    y0: np.ndarray
    args: tuple
    reference: np.ndarray
    digits: int
    atol_scale: float
    stiff: bool
    sparsity: object = None
    bandwidths: tuple = ()

    def error(self, y):
        """Largest relative error of a component at the end; a component whose reference is 0 counts in the largest."""
        scale = np.where(self.reference == 0, np.max(np.abs(self.reference)), np.abs(self.reference))
        return float(np.max(np.abs(np.asarray(y) - self.reference) / scale))

    @property
    def large(self):
        """Whether the structure of the Jacobian counts."""
        return self.y0.size > LARGE

    def in_place(self):
        """Compiled ``f(t, y, dy)`` with the parameters bound in."""
        args = self.args
        if isinstance(self.field, odekit.field.InPlace):
            function = njit(self.field.function)

            @njit(error_model="numpy")
            def field(t, y, dy):
                function(t, y, dy, *args)
        else:
            function, n = njit(self.fun), self.y0.size

            @njit(error_model="numpy")
            def field(t, y, dy):
                slope = function(t, y, *args)
                for i in range(n):
                    dy[i] = slope[i]

        return field

    def traced(self, t, y, functions):
        """Components of the field on symbols: the same source, with elementary functions and ``np.zeros`` of their kind.

        Parameters
        ----------
        t : symbol
        y : sequence of symbols
        functions : dict
            What ``sqrt``, ``sin`` and ``cos`` are for these symbols.
        """
        space = types.SimpleNamespace(zeros=lambda n: [0.0] * n, empty=lambda n: [0.0] * n, **functions)
        return list(
            types.FunctionType(self.fun.__code__, {**self.fun.__globals__, "math": space, "np": space})(
                t, list(y), *self.args
            )
        )


@odekit.inplace
def pleiades(t, y, dy):
    """Seven bodies in the plane; the test set's, without an array of its own."""
    for i in range(14):
        dy[i] = y[14 + i]
        dy[14 + i] = 0.0
    for i in range(7):
        for j in range(i):
            dx, dz = y[j] - y[i], y[7 + j] - y[7 + i]
            r2 = dx * dx + dz * dz
            pull = 1.0 / (r2 * math.sqrt(r2))
            dy[14 + i] += (j + 1) * pull * dx
            dy[21 + i] += (j + 1) * pull * dz
            dy[14 + j] -= (i + 1) * pull * dx
            dy[21 + j] -= (i + 1) * pull * dz


@odekit.inplace
def outer_solar_system(t, y, dy, masses, G):
    """Six bodies in space; the test set's, without an array of its own."""
    n = masses.size
    for i in range(3 * n):
        dy[i] = y[3 * n + i]
        dy[3 * n + i] = 0.0
    for i in range(n):
        for j in range(i):
            dx, dz, dw = y[3 * j] - y[3 * i], y[3 * j + 1] - y[3 * i + 1], y[3 * j + 2] - y[3 * i + 2]
            r2 = dx * dx + dz * dz + dw * dw
            pull = G / (r2 * math.sqrt(r2))
            at, other = 3 * n + 3 * i, 3 * n + 3 * j
            dy[at] += masses[j] * pull * dx
            dy[at + 1] += masses[j] * pull * dz
            dy[at + 2] += masses[j] * pull * dw
            dy[other] -= masses[i] * pull * dx
            dy[other + 1] -= masses[i] * pull * dz
            dy[other + 2] -= masses[i] * pull * dw


IN_PLACE = {"PLEIADES": pleiades, "OUTER_SOLAR_SYSTEM": outer_solar_system}
LARGE = 100  # components from which on the structure of the Jacobian counts
STIFF = ("ROBER", "HIRES", "OREGO", "VDPOL", "VDPOLM", "POLLU", "BRUSS1D", "BRUSS2D")

#: Absolute tolerance against the relative one: about the size of the smallest component that counts.
ATOL_SCALES = {
    "ROBER": 1e-12, "ROBER_1E5": 1e-6, "HIRES": 1e-4, "OREGO": 1e-3, "VDPOL": 1e-3, "VDPOLM": 1e-3, "POLLU": 1e-8,
}  # fmt: skip

#: Robertson's reaction where most comparisons end it: odekit's radau, rodas5p and kvaerno5 and SciPy's Radau, at relative
#: tolerances of 1e-13, agree on these digits.
ROBER_1E5_END = (0.0178659211421000, 7.27475146843650e-08, 0.982134006110390)

NAMES = tuple(name for known in PROBLEMS for name in (("ROBER_1E5", known) if known == "ROBER" else (known,)))


def case(name):
    """The case of a problem of the test set; ``ROBER_1E5`` is Robertson's reaction to 1e5 s instead of 1e11 s."""
    problem = PROBLEMS["ROBER" if name == "ROBER_1E5" else name]
    t_span, reference, digits = problem.t_span, problem.y_end, problem.digits
    if name == "ROBER_1E5":
        t_span, reference, digits = (0.0, 1e5), ROBER_1E5_END, 12
    return Case(
        name, problem.fun, IN_PLACE.get(problem.name, problem.fun), problem.jac, t_span,
        np.array(problem.y0), problem.args, np.array(reference), digits, ATOL_SCALES.get(name, 1.0),
        problem.name in STIFF, problem.jac_sparsity if len(problem.y0) > LARGE else None,
        () if problem.lband is None else (problem.lband, problem.uband),
    )  # fmt: skip
