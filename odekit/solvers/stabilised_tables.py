"""Coefficients of the stabilised explicit methods ``rock2`` and ``rock4``, read from the text files beside this module.

A method of s stages takes m = s - p of them by a three-term recurrence, ``g_j = mu_j h f(g_{j-1}) + (1 + kappa_j) g_{j-1} -
kappa_j g_{j-2}``, and the others by a Runge-Kutta method of p stages that begins at g_m and gives the method its order
[1]_ [2]_. The coefficients depend on s throughout; there are those of some fifty numbers of stages.

References
----------
.. [1] A. Abdulle, A. Medovikov, "Second order Chebyshev methods based on orthogonal polynomials", Numer. Math. 90 (2001) 1.
.. [2] A. Abdulle, "Fourth order Chebyshev methods with recurrence relation", SIAM J. Sci. Comput. 23 (2002) 2041.
"""

import dataclasses
import functools
import pathlib

import numpy as np


@dataclasses.dataclass(frozen=True)
class Degree:
    """The method with one number of stages.

    Attributes
    ----------
    reach : float
        Of the stability region along the negative real axis.
    a : tuple of float, length p (p - 1) / 2
        Of the finishing method, row by row.
    b : tuple of float, length p
    b_err : tuple of float, length p + 1
        Weights of the error estimate; the last is that of f(t_new, y_new).
    recurrence : tuple of float, length 2 m - 1
        mu_1, then mu_j and kappa_j for j = 2 ... m.
    """

    reach: float
    a: tuple
    b: tuple
    b_err: tuple
    recurrence: tuple

    @property
    def stages(self):
        """Evaluations of the field in a step."""
        return (len(self.recurrence) + 1) // 2 + len(self.b)


@dataclasses.dataclass(frozen=True, eq=False)
class StabilisedTable:
    """A family of methods of the same order, with more and more stages.

    Attributes
    ----------
    name : str
    order : int
    embedded_order : int
    finishing : int
        Number p of the stages behind the recurrence.
    """

    name: str
    order: int
    embedded_order: int
    finishing: int

    @functools.cached_property
    def degrees(self):
        """The methods, by rising number of stages: tuple of Degree."""
        lines = pathlib.Path(__file__).with_name(f"{self.name}.txt").read_text("ascii").splitlines()
        rows = [tuple(float(x) for x in line.split()) for line in lines if not line.startswith("#")]
        return tuple(self._degree(int(row[0]), row[1], row[2:]) for row in rows)

    def _degree(self, m, reach, numbers):
        """From the numbers as they were published."""
        finishing, recurrence = numbers[: 1 - 2 * m], numbers[1 - 2 * m :]
        if (
            self.finishing == 2
        ):  # g + d1 k1, then y_new = g + d1 (k1 + k2) + d2 (k2 - k1), whose last term is the estimate
            d1, d2 = finishing
            return Degree(reach, (d1,), (d1 - d2, d1 + d2), (-d2, d2, 0.0), recurrence)
        a, b, embedded = finishing[:6], finishing[6:10], finishing[10:]
        return Degree(reach, a, b, tuple(e - w for e, w in zip(embedded, (*b, 0.0), strict=True)), recurrence)

    @functools.cached_property
    def packed(self):
        """All numbers in one array for the stepper, which gets its address.

        First the reach of each method, then its m, then the place where its own numbers begin: a, b, b_err, recurrence.
        """
        degrees = self.degrees
        own = [(*d.a, *d.b, *d.b_err, *d.recurrence) for d in degrees]
        places = 3 * len(degrees) + np.cumsum([0, *(len(numbers) for numbers in own[:-1])])
        head = [[d.reach for d in degrees], [d.stages - self.finishing for d in degrees], places]
        return np.concatenate([*head, *own]).astype(np.float64)


STABILISED = {table.name: table for table in (StabilisedTable("rock2", 2, 1, 2), StabilisedTable("rock4", 4, 3, 4))}
