"""Bodies of loops over lanes: what is written for them does what Numba makes of the same source, bit for bit."""

import math

import numpy as np
import pytest
from numba import types

from odekit import _jit
from odekit._templates import Filling
from odekit.solvers.lane_arithmetic import exp2_of, log2_of, pointer, select
from odekit.solvers.lane_bodies import outlined

pytestmark = pytest.mark.skipif(_jit.JIT_DISABLED, reason="generated code needs the compiler")

SOURCE = """
def sweep(address, blocks, low, enough):
    w = pointer(address)
    scale = w[0]
    done = large = 0
    for block in range(blocks):
        for inner in range(8):
            lane = block * 8 + inner
            a, b = w[lane], w[16 + lane]
            a, b = b - 3, -a / (0.3 + b)
            bad = 2
            bad |= select(a > b, 1, 0)
            inside = (not (a == low)) & (abs(b) <= 0.7) | (bad != 3) & enough
            c = select(inside, a, math.inf)
            c *= scale * select(a >= 0.0, 1, -1)
            (s, t), flag = twice(a, b)
            w[16 + lane] += exp2_of(s) + log2_of(1.0 + t * t) - 0.1 * lane
            w[lane] = select(c < 5.0, c, s)
            done += select(w[lane] != s, 1, 0)
            large += flag
    return 1000 * done + large
"""


def test_the_numbers_of_numba():
    twice = _jit.part(**_jit.PART_OPTIONS)(lambda a, b: ((2.0 * a, 2.0 * b), 1 if a > 0.5 else 0))
    scope = {f.__name__: f for f in (math, exp2_of, log2_of, pointer, select)} | {"twice": twice}
    given = np.random.default_rng(0).uniform(-1.0, 4.0, 32)
    results = []
    for source, names in ((SOURCE, scope), outlined(SOURCE, scope)):
        sweep = _jit.kernel(_jit.exec_source(source, "sweep", names))
        w = given.copy()
        results.append((sweep(w.ctypes.data, 2, 0.5, True), w.tolist()))
    assert results[0] == results[1]
    assert results[0][0] > 1000 and results[0][1] != given.tolist()
    assert "select" in SOURCE and "select" not in outlined(SOURCE, scope)[0]


def test_a_place_for_a_function_of_the_user():
    source = """
def total(address):
    w, raised = pointer(address), 0
    for inner in range(4):
        v, bad = field(w[inner], w[3 - inner])
        w[4 + inner] = v
        raised += bad
    return raised
"""
    kinds = (types.float64,) * 2
    filling = Filling(None, kinds, types.Tuple((types.float64, types.int64)))
    rest, scope = outlined(source, {"pointer": pointer, "field": filling.placeholder("field")})
    assert "raised = body0(w, inner, raised)" in rest
    function = _jit.part(**_jit.PART_OPTIONS)(_jit.exec_source(rest, "total", scope))
    function.compile((types.int64,))
    module = str(function.overloads[(types.int64,)].library._get_module_for_linking())
    assert module.count("@field(") == 2  # declared, and called
