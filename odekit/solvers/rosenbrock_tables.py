"""Rosenbrock methods as data: frozen, validated tables of coefficients."""

import dataclasses
import math

from .tableau import square

_TOLERANCE = 4e-15  # of sums, relative to the sum of the absolute values of their terms


@dataclasses.dataclass(frozen=True, eq=False)  # known by identity: to hash all numbers takes longer than a solve
class RosenbrockTable:
    """A Rosenbrock method in the form that multiplies no vector by the Jacobian (Hairer & Wanner II, IV.7).

    ``(I / (h gamma) - J) u_i = f(t + c_i h, y + sum_j A_ij u_j) + sum_j C_ij u_j / h + d_i h df/dt``, and the step
    leads to ``y + sum_i b_i u_i``.

    Attributes
    ----------
    name : str
    order, embedded_order : int
        Of the solution and of the error estimate, which behaves as ``h^(embedded_order + 1)``.
    gamma : float
    c, d : tuple of float, length s
    A, C : tuple of s tuples
        Strictly lower triangular.
    b, b_err : tuple of float, length s
    dense : tuple of s tuples
        ``dense[i][k - 1]``: weight of ``u_i theta^k`` in ``y(t + theta h) - y``.
    dense_order : int
        The dense output is accurate to ``O(h^(dense_order + 1))`` within the step.
    citation : str
    """

    name: str
    order: int
    embedded_order: int
    gamma: float
    c: tuple
    d: tuple
    A: tuple
    C: tuple
    b: tuple
    b_err: tuple
    dense: tuple
    dense_order: int
    citation: str

    def __post_init__(self):
        s = self.stages
        for part in ("d", "b", "b_err", "A", "C", "dense"):
            self._require(len(getattr(self, part)) == s, f"{part} has length {len(getattr(self, part))}, expected {s}")
        for part in ("A", "C"):
            for i, row in enumerate(getattr(self, part)):
                self._require(len(row) == s and not any(row[i:]), f"row {i} of {part} is not strictly lower triangular")
        # the sums over the rows of the untransformed method: its stages are consistent
        for i in range(s):
            self._check_sum(f"row {i} of C", [self.d[i] / self.gamma, *self._times_d(self.C[i], -1.0)], 1.0)
            self._check_sum(f"row {i} of A", self._times_d(self.A[i]), self.c[i])
        self._check_sum("b", self._times_d(self.b), 1.0)
        self._check_sum("b_err", self._times_d(self.b_err), 0.0)
        self._require(len({len(row) for row in self.dense}) == 1, "the rows of dense differ in length")
        for row, weight in zip(self.dense, self.b, strict=True):
            self._check_sum("dense at theta = 1", row, weight)

    @property
    def stages(self):
        """Number of stages s."""
        return len(self.c)

    @property
    def end_stage(self):
        """The stage whose argument is the new solution, so that it evaluates the field there; None if there is none."""
        for i in range(1, self.stages):
            if self.c[i] == 1.0 and tuple(self.A[i]) == tuple(self.b):
                return i
        return None

    def _times_d(self, row, sign=1.0):
        return [sign * x * y for x, y in zip(row, self.d, strict=True)]

    def _require(self, condition, message):
        if not condition:
            raise ValueError(f"table {self.name!r}: {message}")

    def _check_sum(self, part, terms, total):
        defect = abs(math.fsum(terms) - total)
        scale = max(1.0, math.fsum(map(abs, terms)))
        self._require(defect <= _TOLERANCE * scale, f"the sum of {part} is off by {defect:.1e}")


def _inverse(rows):
    """Inverse of a lower triangular matrix."""
    inverse = []
    for i, row in enumerate(rows):
        found = [-sum(row[k] * inverse[k][j] for k in range(j, i)) / row[i] for j in range(i)]
        inverse.append([*found, 1.0 / row[i], *[0.0] * (len(rows) - i - 1)])
    return inverse


def _rosenbrock23():
    """The method of MATLAB's ode23s: its third stage, for the estimate, evaluates the field at the new solution."""
    g, e = 1 / (2 + 2**0.5), 6 + 2**0.5
    # untransformed: (I - h g J) k_i = f(t + c_i h, y + h sum_j alpha_ij k_j) + h J sum_j gamma_ij k_j + h gamma_i df/dt
    gamma = square(((g,), (-g, g), ((e - 2) * g, -e * g, g)))
    alpha = square(((), (1 / 2,), (0.0, 1.0)))
    inverse = _inverse(gamma)

    def transformed(row):
        return tuple(sum(row[k] * inverse[k][j] for k in range(3)) for j in range(3))

    A = tuple(transformed(row) for row in alpha)
    C = square([[-x for x in inverse[i][:i]] for i in range(3)])
    powers = [(1 / (1 - 2 * g), -2 * g / (1 - 2 * g), 0.0), (-1 / (1 - 2 * g), 1 / (1 - 2 * g), 0.0)]
    return RosenbrockTable(
        "rosenbrock23", 2, 2, g, (0.0, 1 / 2, 1.0), tuple(map(sum, gamma)), A, C, transformed((0.0, 1.0, 0.0)),
        transformed((1 / 6, -1 / 3, 1 / 6)), tuple(zip(*map(transformed, powers), strict=True)), 2,
        "Shampine, Reichelt, The MATLAB ODE suite, SIAM J. Sci. Comput. 18 (1997) 1-22, doi:10.1137/S1064827594276424",
    )  # fmt: skip


def _rodas5p():
    g = 0.21193756319429014
    a = (-7.502846399306121, 2.561846144803919, -11.627539656261098, -0.18268767659942256, 0.030198172008377946)
    A = square((
        (),
        (3.0,),
        (2.849394379747939, 0.45842242204463923),
        (-6.954028509809101, 2.489845061869568, -10.358996098473584),
        (2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641),
        a,
        (*a, 1.0),
        (*a, 1.0, 1.0),
    ))  # fmt: skip
    C = square((
        (),
        (-14.155112264123755,),
        (-17.97296035885952, -2.859693295451294),
        (147.12150275711716, -1.41221402718213, 71.68940251302358),
        (165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306),
        (24.854864614690072, -3.0009227002832186, 47.4931110020768, 5.5814197821558125, -0.6610691825249471),
        (30.91273214028599, -3.1208243349937974, 77.79954646070892, 34.28646028294783, -19.097331116725623,
         -28.087943162872662),
        (37.80277123390563, -3.2571969029072276, 112.26918849496327, 66.9347231244047, -40.06618937091002,
         -54.66780262877968, -9.48861652309627),
    ))  # fmt: skip
    b = (*a, 1.0, 1.0, 1.0)
    # y(t + theta h) = (1-theta) y + theta (y_new + (1-theta) (k_1 + theta (k_2 + theta k_3))), k_i = sum_j H_ij u_j
    H = (
        (25.948786856663858, -2.5579724845846235, 10.433815404888879, -2.3679251022685204, 0.524948541321073,
         1.1241088310450404, 0.4272876194431874, -0.17202221070155493),
        (-9.91568850695171, -0.9689944594115154, 3.0438037242978453, -24.495224566215796, 20.176138334709044,
         15.98066361424651, -6.789040303419874, -6.710236069923372),
        (11.419903575922262, 2.8879645146136994, 72.92137995996029, 80.12511834622643, -52.072871366152654,
         -59.78993625266729, -0.15582684282751913, 4.883087185713722),
    )  # fmt: skip
    return RosenbrockTable(
        "rodas5p", 5, 4, g,
        (0.0, 0.6358126895828704, 0.4095798393397535, 0.9769306725060716, 0.4288403609558664, 1.0, 1.0, 1.0),
        (g, -0.42387512638858027, -0.3384627126235924, 1.8046452872882734, 2.325825639765069, 0.0, 0.0, 0.0),
        A, C, b, (*[0.0] * 7, 1.0),
        tuple((m + x, y - x, z - y, -z) for m, x, y, z in zip(b, *H, strict=True)), 4,
        "Steinebach, Construction of Rosenbrock-Wanner method Rodas5P and numerical benchmarks within the Julia "
        "Differential Equations package, BIT 63 (2023) 27, doi:10.1007/s10543-023-00967-x",
    )  # fmt: skip


ROSENBROCK = {table.name: table for table in (_rosenbrock23(), _rodas5p())}
