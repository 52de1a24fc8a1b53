"""Formulas of powers, and what does not change along a solution."""

import math

import pytest

from odekit.solvers.formula import FUNCTIONS, Formula


def nested(formula, a, times):
    """Node of ``a (a + 1)``, again and again."""
    for _ in range(times):
        a = formula.node("multiply", a, formula.node("add", a, formula.constant(1.0)))
    return a


@pytest.mark.parametrize(
    "times", [40, 5000]
)  # 2^40 ways lead to the first, and Python's stack is shorter than the second
def test_steady_looks_at_each_node_once(times):
    formula = Formula()
    state, p, t = formula.node("state", 0), formula.node("parameter", 0), formula.node("time")
    exponent, moving = nested(formula, p, times), nested(formula, t, times)
    assert formula.steady(exponent) and not formula.steady(moving)
    assert formula.nodes[formula.power(state, exponent)] == ("power", state, exponent)
    assert formula.nodes[formula.power(state, moving)][0] == "exp"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_as_steady_as_its_argument(name):
    formula = Formula()
    nodes = [formula.node("state", 0), formula.node("parameter", 0), formula.node("time")]
    found = [formula.steady(formula.function(name, a)) for a in nodes]
    assert found == [False, True, False]
    mixed = formula.atan2(nodes[1], nodes[0])
    assert not formula.steady(mixed) and formula.steady(formula.atan2(nodes[1], formula.constant(2.0)))


@pytest.mark.parametrize("exponent", [math.inf, -math.inf, math.nan, 0.0, 17.0, 2.5])
def test_exponents_that_are_not_small_whole_numbers(exponent):
    formula = Formula()
    state = formula.node("state", 0)
    power = formula.power(state, formula.constant(exponent))
    operation, base, constant = formula.nodes[power]
    assert (operation, base, repr(formula.nodes[constant][1])) == ("power", state, repr(exponent))


def test_small_whole_exponents_are_products():
    formula = Formula()
    state = formula.node("state", 0)
    cube = formula.power(state, formula.constant(3.0))
    assert formula.nodes[cube] == ("multiply", *sorted((state, formula.power(state, formula.constant(2.0)))))
    assert formula.nodes[formula.power(state, formula.constant(-3.0))] == ("divide", formula.constant(1.0), cube)
