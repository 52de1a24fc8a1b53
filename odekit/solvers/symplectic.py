"""Symplectic splitting methods for separable systems: palindromic compositions of the leapfrog.

A table states the weights of the composition; the stepper is generated from it. Positions drift with the velocity,
momenta are kicked by the force [1]_; neighbouring kicks are merged, and the last force of a step is the first of the next, so
that s leapfrogs cost s forces. The steps have a fixed size, because changing it destroys what the methods are for. Sums are
compensated (Kahan), so that rounding errors of long runs do not add up.

References
----------
.. [1] E. Hairer, C. Lubich, G. Wanner, "Geometric Numerical Integration", 2nd ed., Springer 2006, II.4, V.3 and VIII.5.
"""

import dataclasses
import functools
import itertools
import math

from .. import _jit
from . import state


@dataclasses.dataclass(frozen=True, eq=False)  # known by identity: to hash all numbers takes longer than a solve
class SplittingTable:
    """A symmetric composition of leapfrogs with step sizes ``weights[i] h``.

    Attributes
    ----------
    name : str
    order : int
    weights : tuple of float, length s
        Palindromic; the sum is 1.
    citation : str
    """

    name: str
    order: int
    weights: tuple
    citation: str

    def __post_init__(self):
        if abs(math.fsum(self.weights) - 1.0) > 1e-15:
            raise ValueError(f"{self.name}: the weights sum to {math.fsum(self.weights)!r}, not to 1")
        if tuple(reversed(self.weights)) != self.weights:
            raise ValueError(f"{self.name}: the weights are not palindromic")


def _palindrome(*half):
    """Weights from the outer ones; the middle one makes their sum 1."""
    middle = 1.0 - 2.0 * math.fsum(half)
    return (*half, middle, *reversed(half))


_CUBE_ROOT = 2.0 ** (1.0 / 3.0)

SPLITTINGS = {
    table.name: table
    for table in (
        SplittingTable("leapfrog", 2, (1.0,), "Stormer (1907), Verlet, Phys. Rev. 159 (1967) 98"),
        SplittingTable(
            "yoshida4",
            4,
            _palindrome(1.0 / (2.0 - _CUBE_ROOT)),
            "Yoshida, Phys. Lett. A 150 (1990) 262; Forest and Ruth",
        ),
        SplittingTable(
            "yoshida6",
            6,
            _palindrome(0.78451361047755726382, 0.23557321335935813369, -1.17767998417887100695),
            "Yoshida, Phys. Lett. A 150 (1990) 262, solution A",
        ),
        SplittingTable(
            "kahanli6",
            6,
            _palindrome(
                0.39216144400731413927925056,
                0.33259913678935943859974864,
                -0.70624617255763935980996482,
                0.08221359629355080023149045,
            ),
            "Kahan and Li, Math. Comp. 66 (1997) 1089, 9 stages",
        ),
        SplittingTable(
            "kahanli8",
            8,
            _palindrome(
                0.13020248308889008087881763,
                0.56116298177510838456196441,
                -0.38947496264484728640807860,
                0.15884190655515560089621075,
                -0.39590389413323757733623154,
                0.18453964097831570709183254,
                0.25837438768632204729397911,
                0.29501172360931029887096624,
            ),
            "Kahan and Li, Math. Comp. 66 (1997) 1089, 17 stages",
        ),
    )
}


def workspace(n):
    """Floats of workspace: the compensations, and velocities."""
    return 2 * n


@_jit.core
def add(values, compensation, i, increment):
    """Add to ``values[i]`` and remember what rounding took in ``compensation[i]`` (Kahan's compensated summation)."""
    total = increment + compensation[i]
    new = values[i] + total
    compensation[i] = total - (new - values[i])
    values[i] = new


@_jit.core
def fixed_step_ends(iw, w, y_new, f1):
    """Finish a step of fixed size; step code."""
    w[state.ERR_NORM] = 0.0
    w[state.H_NEXT] = math.copysign(w[state.H_FIXED], w[state.H])
    total = 0.0
    for i in range(iw[state.N]):
        total += 0.0 * y_new[i] + 0.0 * f1[i]
    return state.ACCEPTED if total == 0.0 else state.NONFINITE


_NAMES = ["ACCEPTED", "F0", "F1", "FORCE", "H", "N", "NFEV", "O_FIRST", "SCRATCH", "T", "T_NEW"]
_NAMES += ["VELOCITY", "Y", "Y_NEW", "rhs_raised", "vector"]
_NAMESPACE = {name: getattr(state, name) for name in _NAMES} | {
    "add": add,
    "call_scalar": _jit.call_scalar,
    "fixed_step_ends": fixed_step_ends,
    "view1": _jit.view1,
}


def kicks(table):
    """Weights of the kicks, one more than there are drifts: those of neighbouring leapfrogs are merged."""
    drifts = table.weights
    return [drifts[0] / 2, *((a + b) / 2 for a, b in itertools.pairwise(drifts)), drifts[-1] / 2]


@functools.cache
def step(table):
    """Stepper of a splitting method.

    Parameters
    ----------
    table : SplittingTable

    Returns
    -------
    function
        ``step(fn, iw, w, p) -> code``, see `odekit.solvers.state`.
    """
    drifts = table.weights
    lines = [
        f"def step_{table.name}(fn, iw, w, p):",
        "    n, h, t, t_new = iw[N], w[H], w[T], w[T_NEW]",
        "    m = n // 2",
        "    y, y_new, f0, f1 = vector(iw, w, Y), vector(iw, w, Y_NEW), vector(iw, w, F0), vector(iw, w, F1)",
        "    compensation, z = view1(w, iw[O_FIRST], n), vector(iw, w, SCRATCH)",
        "    q, momentum = view1(y_new, 0, m), view1(y_new, m, m)",
        "    velocity, force = view1(f1, 0, m), view1(f1, m, m)",
        "    for i in range(n):",
        "        y_new[i] = y[i]",
        "        f1[i] = f0[i]",
    ]
    passed = 0.0
    for number, kick in enumerate(kicks(table)):
        lines += ["    for i in range(m):", f"        add(y_new, compensation, m + i, {kick!r} * h * force[i])"]
        time = "t_new" if number >= len(drifts) - 1 else f"t + {passed!r} * h"
        lines += [
            "    if fn[VELOCITY] == 0:",
            "        for i in range(m):",
            "            velocity[i] = momentum[i]",
            f"    elif call_scalar(fn[VELOCITY], {time}, momentum, velocity, p) != 0:",
            f"        return rhs_raised(w, {time}, z, y_new)",
        ]
        if number == len(drifts):
            break
        passed = 1.0 if number == len(drifts) - 1 else passed + drifts[number]
        time = "t_new" if number == len(drifts) - 1 else f"t + {passed!r} * h"
        lines += [
            "    for i in range(m):",
            f"        add(y_new, compensation, i, {drifts[number]!r} * h * velocity[i])",
            f"    if call_scalar(fn[FORCE], {time}, q, force, p) != 0:",
            f"        return rhs_raised(w, {time}, z, y_new)",
        ]
    lines += [f"    iw[NFEV] += {len(drifts)}", "    return fixed_step_ends(iw, w, y_new, f1)"]
    return _jit.exec_source("\n".join(lines) + "\n", f"step_{table.name}", _NAMESPACE)
