"""Dense output of the explicit methods: its order within a step, its rounding, its joints."""

from fractions import Fraction

import numpy as np
import pytest
from problems import LOGISTIC_START, logistic, logistic_solution

import odekit
from odekit.solvers import interpolant
from odekit.solvers.tables import EXPLICIT

DENSE = [table for table in EXPLICIT.values() if table.dense is not None]
# counts of steps in one unit of time, so that the errors lie between the terms of higher order and rounding
COUNTS = {9: [2, 3, 4], 7: [3, 4, 6, 8]}


def name(value):
    return value.name


@pytest.mark.parametrize("table", DENSE, ids=name)
def test_the_basis_states_the_same_polynomials(table):
    functions = interpolant.basis(len(table.dense[0]))
    for row, stage in zip(interpolant.weights(table.dense), table.dense, strict=True):
        powers = [sum(Fraction(a) * b[d] for a, b in zip(row, functions, strict=True)) for d in range(len(row))]
        assert [float(x) for x in powers] == pytest.approx([float(x) for x in stage], rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("table", DENSE, ids=name)
def test_weights_are_small_in_the_basis(table):
    as_powers = np.abs(np.array(table.dense, dtype=float)).sum(axis=0).max()
    in_basis = np.abs(interpolant.weights(table.dense)).sum(axis=0).max()
    assert in_basis < min(50.0, as_powers)
    assert np.sum(interpolant.weights(table.dense), axis=0) == pytest.approx(np.eye(len(table.dense[0]))[0], abs=1e-14)


@pytest.mark.parametrize("table", DENSE, ids=name)
def test_order_within_a_step(table):
    """The first step starts at the exact solution: its error between the ends is O(h^(dense_order + 1))."""
    counts, errors = COUNTS.get(table.dense_order, [10, 14, 20, 28]), []
    for count in counts:
        h = 1.0 / count
        sol = odekit.solve_ivp(
            logistic,
            (0, 1),
            LOGISTIC_START,
            table.name,
            first_step=h,
            max_step=h,
            rtol=1e3,
            atol=1e3,
            dense_output=True,
        )
        times = np.linspace(0, h, 41)
        errors.append(np.max(np.abs(sol.sol(times) - np.array([logistic_solution(t) for t in times]).T)))
    slope = np.polyfit(np.log(1 / np.array(counts)), np.log(errors), 1)[0]
    assert slope > table.dense_order + 0.6, (slope, errors)


@pytest.mark.parametrize("table", DENSE, ids=name)
def test_steps_join_to_rounding(table):
    sol = odekit.solve_ivp(
        logistic, (0, 5), LOGISTIC_START, table.name, rtol=1e-11, atol=1e-13, dense_output=True, max_steps=10**7
    )
    before = sol.sol(np.nextafter(sol.t[1:], -1.0))
    assert np.max(np.abs(before - sol.y[:, 1:])) < 2e-15


@pytest.mark.parametrize("method", ["vern7", "dop853", "vern9"])
def test_rounding_between_the_steps(method):
    """Steps so short that only rounding is left."""
    sol = odekit.solve_ivp(
        logistic,
        (0, 1),
        LOGISTIC_START,
        method,
        first_step=0.02,
        max_step=0.02,
        rtol=1e-13,
        atol=1e-15,
        dense_output=True,
    )
    times = np.linspace(0, 1, 1001)
    exact = np.array([logistic_solution(t) for t in times]).T
    assert np.max(np.abs(sol.sol(times) - exact)) < 3e-15
