"""`auto` on the DETEST problems and on extreme ones: near the published solution, or it says why it stops.

`asv_benchmarks/peers/robustness.py` does the same with all problems, also those whose reference must be computed.
"""

import numpy as np
import pytest
from detest import CASES
from hard_cases import HARD, SINGULAR

import odekit

RTOL = 1e-6
#: Largest error, in units of the tolerance: 130 is the most that was seen (D3, a Kepler orbit).
LIMIT = 1000.0
#: One or two of each stiff class; compiling all of them takes too long.
STIFF = "A2 B5 C5 D4 D6 E1 E4 F1".split()
PUBLISHED = [name for name, case in CASES.items() if case.end and not case.stiff] + [f"stiff {name}" for name in STIFF]


def solve(case):
    return odekit.solve_ivp(case.fun, case.span, case.y0, args=case.args, rtol=RTOL, atol=case.atol)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_solutions_are_reached(name):
    case = CASES[name]
    sol = solve(case)
    assert sol.success, sol.message
    assert case.units(sol.y[:, -1], case.end) < LIMIT
    assert sol.nfev < 10_000


EXACT = {
    "prothero-robinson": HARD["prothero-robinson"].end,
    "prothero-robinson backward": HARD["prothero-robinson backward"].end,
    "kaps 1e-8": HARD["kaps 1e-8"].end,
    "two rates 1e+09": (np.exp(-5.0), np.exp(-5.0)),
    "tiny numbers": (1e-20 * np.cos(10.0), -1e-20 * np.sin(10.0)),
    "huge numbers": (1e20 * np.cos(10.0), -1e20 * np.sin(10.0)),
    "tiny times": (np.cos(10.0), -1e13 * np.sin(10.0)),
}


@pytest.mark.parametrize("name", EXACT)
def test_exact_solutions_are_reached(name):
    case = HARD[name]
    sol = solve(case)
    assert sol.success, sol.message
    assert case.units(sol.y[:, -1], EXACT[name]) < LIMIT


@pytest.mark.parametrize(
    ("name", "end"),
    [("explosion", 1.0), ("pole", np.pi / 2), ("square root runs out", 0.5), ("growth beyond all numbers", None)],
)
def test_solutions_that_end_are_told(name, end):
    sol = solve(SINGULAR[name])
    assert not sol.success
    assert sol.retcode in (odekit.Retcode.STEP_TOO_SMALL, odekit.Retcode.NONFINITE)
    assert f"t = {sol.t[-1]!s:.5}" in sol.message
    if end is not None:
        assert sol.t[-1] == pytest.approx(end, rel=1e-4)
    assert np.isfinite(sol.y).all()
