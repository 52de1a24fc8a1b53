"""Taylor coefficients by recurrences, beside those by Cauchy's integral over a circle of complex times, which knows no recurrences."""

import ctypes

import numpy as np
import pytest

from odekit import _jit
from odekit.solvers import expansion as X
from odekit.solvers.formula import FUNCTIONS, Formula

ORDER, H, T = 13, 0.5, 1.4
POINTS, RADIUS = 128, 0.3  # of the circle, in steps
COMPLEX = {
    "abs": lambda z: np.where(z.real > 0, z, -z), "cbrt": lambda z: z ** (1 / 3), "negative": lambda z: -z, "reciprocal": lambda z: 1 / z,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)), "softplus": lambda z: np.log(1 + np.exp(z)), **X._NUMPY_NAMES,
}  # fmt: skip


def number(name):
    """A function of complex numbers."""
    found = COMPLEX.get(name, name)
    return getattr(np, found) if isinstance(found, str) else found


def evaluate(formula, t, y, p):
    """What a formula computes, of complex numbers."""
    values = {}

    def value(a):
        if a not in values:
            operation, *arguments = formula.nodes[a]
            if operation in ("constant", "parameter", "time", "state"):
                index = arguments[0] if arguments else None
                values[a] = {"constant": index, "parameter": p[index] if operation == "parameter" else None, "time": t,
                             "state": y[index] if operation == "state" else None}[operation]  # fmt: skip
            elif operation in ("pair", "ratio", "like"):
                values[a] = number(arguments[0])(value(arguments[1]))
            elif operation == "angle":
                values[a] = np.arctan(value(arguments[0]) / value(arguments[1]))
            elif operation in ("larger", "smaller"):
                first, second = map(value, arguments)
                values[a] = np.where((first.real > second.real) == (operation == "larger"), first, second)
            else:
                values[a] = number(operation)(*map(value, arguments))
        return values[a]

    return [value(a) + 0.0 * t for a in formula.outputs]


def python_coefficients(formula, y, p=(), order=ORDER):
    """The coefficients (order, n) of the solution through (T, y)."""
    out = np.full((order, len(y)), H).ravel()
    assert X.python_kernel(X.Expansion(formula, order))(T, np.array(y), out, np.array(p)) == 0
    return out.reshape(order, -1)


def agrees(formula, y, p=()):
    """Compare in steps as long as the last coefficients tell that the series converges."""
    found = python_coefficients(formula, y, p)
    assert np.abs(found[-1]).max() > 0.0
    step = np.abs(found[-1]).max() ** (-1 / ORDER)
    found = found * step ** np.arange(1, ORDER + 1)[:, None]
    theta = RADIUS * np.exp(2j * np.pi * np.arange(POINTS) / POINTS)
    path = [y[i] + sum(c * theta ** (k + 1) for k, c in enumerate(found[:, i])) for i in range(len(y))]
    slopes = np.fft.fft(evaluate(formula, T + theta * step * H, path, p)) / POINTS
    wanted = [step * H * slopes[:, k].real / RADIUS**k / (k + 1) for k in range(ORDER)]
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


def start(n=2):
    """A formula, and the nodes of its state."""
    formula = Formula()
    return formula, [formula.node("state", i) for i in range(n)]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    formula, (a, b) = start()
    argument = formula.node(
        "add", formula.node("multiply", a, b), formula.constant({"acosh": 2.0, "reciprocal": 0.6}.get(name, 0.1))
    )
    slope = formula.function(name, argument)
    formula.outputs = [slope, formula.node("subtract", formula.constant(0.3), formula.node("multiply", slope, a))]
    agrees(formula, [0.6, 0.9])


@pytest.mark.parametrize("exponent", [2.0, 3.0, 7.0, -1.0, -2.0, 0.5, 1.5, -0.5, -1.5, 0.3, -2.7, 3.5, 4.5, 20.0])
def test_powers(exponent):
    formula, (a, b) = start()
    power = formula.power(formula.node("add", a, b), formula.constant(exponent))
    formula.outputs = [formula.node("divide", power, formula.constant(4.0)), formula.node("negative", a)]
    agrees(formula, [0.9, 0.2])


def test_exponents_that_change_along_a_solution_and_those_that_are_arguments():
    formula, (a, b) = start()
    p = formula.node("parameter", 1)
    formula.outputs = [formula.power(a, b), formula.node("multiply", formula.power(b, p), formula.power(p, a))]
    agrees(formula, [0.7, 0.9], [9.9, 1.3])


@pytest.mark.parametrize("operation", ["add", "subtract", "multiply", "divide", "angle"])
@pytest.mark.parametrize("kinds", ["ab", "at", "ta", "ap", "pa", "tp", "pt"])
def test_operations_of_what_changes_and_of_what_does_not(operation, kinds):
    formula, (a, b) = start()
    nodes = {"a": a, "b": b, "t": formula.node("time"), "p": formula.node("parameter", 0)}
    first, second = (nodes[kind] for kind in kinds)
    result = formula.atan2(first, second) if operation == "angle" else formula.node(operation, first, second)
    # the logarithm lets no expansion break off
    formula.outputs = [formula.node("add", result, formula.function("log", b)), formula.node("multiply", a, b)]
    agrees(formula, [0.8, 0.7], [0.9])


def test_larger_and_smaller_and_absolute_values_on_both_sides():
    formula, (a, b) = start()
    formula.outputs = [formula.node("larger", b, a), formula.node("smaller", b, formula.node("abs", a))]
    found = python_coefficients(formula, [2.0, -1.0], order=3)
    # a' = a, b' = b
    np.testing.assert_allclose(found, [[2.0 * H, -H], [H**2, -(H**2) / 2], [H**3 / 3, -(H**3) / 6]], rtol=1e-14)
    found = python_coefficients(formula, [-2.0, 3.0], order=2)
    # a' = b, b' = -a
    np.testing.assert_allclose(found, [[3.0 * H, 2.0 * H], [H**2, -1.5 * H**2]], rtol=1e-14)


def test_time_and_arguments():
    formula, (a,) = start(1)
    t, p = formula.node("time"), formula.node("parameter", 0)
    formula.outputs = [formula.node("multiply", p, formula.node("square", t))]
    found = python_coefficients(formula, [1.0], [6.0], order=5)
    np.testing.assert_allclose(found[:, 0], [6 * T**2 * H, 6 * T * H**2, 2 * H**3, 0.0, 0.0], rtol=1e-14)
    formula.outputs = [formula.constant(2.0)]
    np.testing.assert_array_equal(python_coefficients(formula, [1.0], order=2), [[2.0 * H], [0.0]])
    assert a not in formula.needed()


def test_what_is_the_same_is_computed_once():
    formula, (a, b) = start()
    first, second = (formula.function("sin", formula.node("multiply", *pair)) for pair in ((a, b), (b, a)))
    assert first == second
    formula.outputs = [first, formula.function("cos", formula.node("multiply", a, b))]
    assert sum("sin(" in line for lines in X.Expansion(formula, 4).lines for line in lines) == 1


def test_units_of_time_do_not_matter():
    formula, (a, b) = start()
    formula.outputs = [b, formula.node("negative", formula.function("sin", a))]
    scaled = Formula()
    x, v = (scaled.node("state", i) for i in range(2))
    unit = scaled.constant(1e20)
    scaled.outputs = [
        scaled.node("multiply", unit, v),
        scaled.node("multiply", unit, scaled.node("negative", scaled.function("sin", x))),
    ]
    out = np.full(40, H / 1e20)
    X.python_kernel(X.Expansion(scaled, 20))(T, np.array([0.5, 0.2]), out, np.empty(0))
    np.testing.assert_allclose(out.reshape(20, 2), python_coefficients(formula, [0.5, 0.2], order=20), rtol=1e-12)


def everything():
    """A formula with all operations."""
    formula, (a, b) = start()
    p, t = formula.node("parameter", 2), formula.node("time")
    inner = formula.node("add", formula.node("divide", a, formula.node("add", b, p)), t)
    total = formula.atan2(a, b)
    for name in FUNCTIONS:
        argument = formula.node("add", inner, formula.constant(2.0)) if name == "acosh" else inner
        total = formula.node("add", total, formula.function(name, argument))
    for exponent in (1.5, -0.5, 0.3, 5.0):
        total = formula.node("subtract", total, formula.power(inner, formula.constant(exponent)))
    total = formula.node("add", total, formula.power(p, inner))
    total = formula.node("add", total, formula.node("larger", formula.node("smaller", a, b), inner))
    formula.outputs = [formula.node("multiply", total, formula.constant(0.01)), formula.node("negative", a)]
    return formula


@pytest.mark.skipif(_jit.JIT_DISABLED, reason="there is nothing compiled")
def test_compiled_and_python_coefficients_agree():
    formula, y, p = everything(), np.array([0.11, 0.33]), np.array([7.0, 7.0, 0.9])
    wanted = python_coefficients(formula, y, p, order=5)
    out = np.full(10, H)
    pointers = [array.ctypes.data_as(ctypes.POINTER(ctypes.c_double)) for array in (y, out, p)]
    assert _jit.SCALAR_CTYPE(X.kernel(X.Expansion(formula, 5)))(T, *pointers) == 0
    np.testing.assert_allclose(out.reshape(5, 2), wanted, rtol=1e-12)


def test_formulas_that_are_too_large_are_refused():
    formula, states = start(120)
    total = states[0]
    for a in states:
        for b in states:
            total = formula.node("add", total, formula.node("multiply", a, b))
    formula.outputs = [total] * 120
    with pytest.raises(X.TooLarge, match=f"more than {X.MOST_PRODUCTS} products of coefficients at order 14"):
        X.Expansion(formula, 14)
