"""Templates: compiled once for all functions, which are linked into them."""

import numpy as np
import pytest
from numba import types

import odekit
from odekit import _jit, _templates

pytestmark = pytest.mark.skipif(_jit.JIT_DISABLED, reason="nothing is compiled")


def solve(fun):
    return odekit.solve_ensemble(fun, (0, 1), np.array([[1.0], [2.0]]), (), "euler", first_step=0.5, tier="fused")


def test_a_second_function_takes_the_template_of_the_first():
    first = solve(lambda t, y: [-y[0]])
    made = set(_templates._known)
    second = solve(lambda t, y: [t + np.sin(y[0])])
    assert set(_templates._known) == made
    assert first.y_end[:, 0].tolist() == [0.25, 0.5]
    middle = np.array([1.0, 2.0]) + 0.5 * np.sin([1.0, 2.0])
    np.testing.assert_allclose(second.y_end[:, 0], middle + 0.5 * (0.5 + np.sin(middle)), rtol=1e-15)


def test_a_function_with_other_parameters_takes_the_same_template():
    def line(t, y, rate, shift):
        return [rate * y[0] + shift[1]]

    solve(lambda t, y: [-y[0]])
    made = set(_templates._known)
    y0, rates, shifts = np.array([1.0, 2.0]), np.array([0.5, 2.0]), np.array([[7.0, 1.0], [8.0, 3.0]])
    args = (rates, shifts)
    ensemble = odekit.solve_ensemble(line, (0, 1), y0[:, None], args, "euler", first_step=0.5, tier="fused")
    assert set(_templates._known) == made
    middle = y0 + 0.5 * (rates * y0 + shifts[:, 1])
    assert ensemble.y_end[:, 0].tolist() == (middle + 0.5 * (rates * middle + shifts[:, 1])).tolist()


def test_a_function_that_returns_something_else_is_refused():
    function = _jit.part(**_jit.PART_OPTIONS)(lambda t: (t, 1.0))
    with pytest.raises(TypeError, match=r"returns UniTuple\(float64.* x 2\), not .*int64"):
        _templates.Filling(function, (types.float64,), types.Tuple((types.float64, types.int64))).module("field")
