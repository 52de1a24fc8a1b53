"""Formulas of right-hand sides give the numbers of the functions."""

import functools
import math
import types
from math import exp as exponential
from math import sin

import numpy as np
import pytest
from numba import njit
from numpy import cos

from odekit import vmath
from odekit._arguments import pack
from odekit._trace import formula_of
from odekit._wrapper_source import Unsupported

UNARY = {name: getattr(math, name) for name in dir(math) if name[0] != "_"} | {
    "negative": lambda a: -a,
    "square": lambda a: a * a,
    "abs": abs,
    "sigmoid": lambda a: 1.0 / (1.0 + math.exp(-a)),
    "softplus": lambda a: math.log1p(math.exp(a)),
}
BINARY = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "power": lambda a, b: a**b,
    "larger": max,
    "smaller": min,
}


def evaluated(formula, t, y, parameters):
    """Outputs of a formula."""
    values = []
    for operation, *arguments in formula.nodes:
        if operation == "constant":
            value = arguments[0]
        elif operation == "time":
            value = t
        elif operation in ("state", "parameter"):
            value = float((y if operation == "state" else parameters)[arguments[0]])
        elif operation in ("pair", "ratio", "like"):
            value = UNARY[arguments[0]](values[arguments[1]])
        elif operation == "angle":
            value = math.atan2(values[arguments[0]], values[arguments[1]])
        elif operation in BINARY:
            value = BINARY[operation](*(values[a] for a in arguments))
        else:
            value = UNARY[operation](*(values[a] for a in arguments))
        values.append(value)
    return [values[a] for a in formula.outputs]


def plain(function):
    return getattr(function, "py_func", function)


def compare(function, n, args=(), in_place=False, reference=None):
    """Compare a formula with its function, or with another one, at random states."""
    structure, parameters = pack(args)
    formula, reference = formula_of(function, n, structure, in_place), plain(reference or function)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        t, y = rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.9, n)
        if in_place:
            expected = np.empty(n)
            reference(t, y.copy(), expected, *args)
        else:
            expected = np.ravel(reference(t, y.copy(), *args))
        np.testing.assert_allclose(evaluated(formula, t, y, parameters), expected, rtol=1e-14)
    return formula


# Lorenz's equations, in many hands

LORENZ = (10.0, 28.0, 8.0 / 3.0)


def as_list(t, y, sigma, rho, beta):
    return [sigma * (y[1] - y[0]), y[0] * (rho - y[2]) - y[1], y[0] * y[1] - beta * y[2]]


def as_tuple(t, y, sigma, rho, beta):
    a, b, c = y
    return sigma * (b - a), a * (rho - c) - b, a * b - beta * c


def as_array(t, y, sigma, rho, beta):
    return np.array(as_list(t, y, sigma, rho, beta), dtype=np.float64)


def as_array_of_a_type(t, y, sigma, rho, beta):
    return np.array(as_tuple(t, y, sigma, rho, beta), float)


def into_zeros(t, y, sigma, rho, beta):
    slope = np.zeros(3)
    slope[0] = sigma * (y[1] - y[0])
    slope[1] += y[0] * (rho - y[2])
    slope[1] -= y[1]
    slope[2] = y[0] * y[1] - beta * y[2]
    return slope


def into_zeros_like(t, y, sigma, rho, beta):
    slope = np.zeros_like(y)
    slope[:] = as_tuple(t, y, sigma, rho, beta)
    return slope


def into_empty(t, y, sigma, rho, beta):
    slope = np.empty(3, dtype="float64")
    slope[0], slope[1:] = sigma * (y[1] - y[0]), (y[0] * (rho - y[2]) - y[1], y[0] * y[1] - beta * y[2])
    return slope


def into_empty_like(t, y, sigma, rho, beta):
    slope = np.empty_like(y, dtype=y.dtype)
    slope[...] = as_list(t, y, sigma, rho, beta)
    return slope


def into_full(t, y, sigma, rho, beta):
    slope = np.full(3, 2.0) * np.ones(3) - np.full_like(y, 2.0)
    slope += as_array(t, y, sigma, rho, beta)
    return slope


def nested(t, y, sigma, rho, beta):
    return [[sigma * (y[1] - y[0])], [y[0] * (rho - y[2]) - y[1]], [y[0] * y[1] - beta * y[2]]]


@njit
def compiled(t, y, sigma, rho, beta):
    return sigma * (y[1] - y[0]), y[0] * (rho - y[2]) - y[1], y[0] * y[1] - beta * y[2]


@njit
def product(a, b):
    return a * b


def with_helpers(t, y, sigma, rho, beta):
    return difference(y[1], y[0]) * sigma, product(y[0], rho - y[2]) - y[1], product(*y[:2]) - product(beta, y[2])


def difference(a, b):
    return a - b


@pytest.mark.parametrize(
    "function",
    [as_list, as_tuple, as_array, as_array_of_a_type, into_zeros, into_zeros_like, into_empty, into_empty_like, into_full, nested,
     compiled, with_helpers],
)  # fmt: skip
def test_lorenz(function):
    compare(function, 3, LORENZ, reference=as_list)


def in_place(t, y, dydt, sigma, rho, beta):
    dydt[0] = sigma * (y[1] - y[0])
    dydt[1:] = y[0] * (rho - y[2]) - y[1], y[0] * y[1] - beta * y[2]


def in_place_scaled(t, y, dydt, sigma, rho, beta):
    dydt[:] = as_list(t, y, sigma, rho, beta)
    dydt *= sigma
    np.multiply(dydt, rho, out=dydt)
    np.sin(dydt, out=dydt)
    np.exp(dydt, dydt)


@pytest.mark.parametrize("function", [in_place, in_place_scaled, njit(in_place)])
def test_in_place(function):
    compare(function, 3, LORENZ, in_place=True)


# elementary functions

ON_NUMBERS = [
    *(f"math.{name}" for name in ("acos", "asin", "asinh", "atan", "atanh", "cbrt", "cos", "cosh", "degrees", "exp", "exp2", "expm1",
                                  "fabs", "log", "log10", "log1p", "log2", "radians", "sin", "sinh", "sqrt", "tan", "tanh")),
    *(f"np.{name}" for name in ("abs", "arccos", "arcsin", "arcsinh", "arctan", "arctanh", "cbrt", "cos", "cosh", "deg2rad", "degrees",
                                "exp", "exp2", "expm1", "fabs", "log", "log10", "log1p", "log2", "negative", "positive", "rad2deg",
                                "radians", "reciprocal", "sin", "sinh", "sqrt", "square", "tan", "tanh", "conjugate")),
    *(f"vmath.{name}" for name in ("acos", "asin", "atan", "cos", "cosh", "exp", "expm1", "log", "log1p", "sigmoid", "silu", "sin",
                                   "sinh", "softplus", "tan", "tanh")),
]  # fmt: skip
OF_VMATH = UNARY | {"silu": lambda a: a / (1.0 + math.exp(-a))}


@pytest.mark.parametrize("name", ON_NUMBERS)
def test_elementary_functions_of_numbers(name):
    function = functools.reduce(
        getattr, name.split(".")[1:], {"math": math, "np": np, "vmath": vmath}[name.split(".")[0]]
    )
    real = OF_VMATH[name[6:]] if name.startswith("vmath") else function

    def field(t, y):
        return [function(y[0])]

    formula = formula_of(field, 1, ())
    for x in (0.05, 0.3, 0.9):
        np.testing.assert_allclose(evaluated(formula, 0.0, [x], ()), [real(x)], rtol=1e-14)
    if name.startswith("np"):
        formula = formula_of(lambda t, y: function([y[0], 0.25]), 2, ())
        np.testing.assert_allclose(evaluated(formula, 0.0, [0.3, 0.0], ()), function([0.3, 0.25]), rtol=1e-14)


def test_acosh():
    formula = compare(lambda t, y: [math.acosh(y[0] + 1.0), np.arccosh(2.0 + y[0])], 2)
    assert [node[1] for node in formula.nodes if node[0] == "ratio"] == ["acosh"] * 2


def imported_functions(t, y):
    return sin(y[0]) * cos(y[1]), exponential(-t) * math.pi


def imported_in_the_body(t, y):
    import math as m
    from math import tanh

    import numpy.linalg as la

    return tanh(y[0]) * m.sqrt(y[1]), la.norm(y)


def functions_in_a_closure(functions):
    first, second = functions
    return lambda t, y: [first(y[0]), second(y[1])]


def functions_in_a_tuple(functions):
    return lambda t, y: [function(x) for function, x in zip(functions, y, strict=True)]


def angles(t, y):
    return [math.atan2(y[0], y[1]), np.arctan2(y[0], 2.0) + np.arctan2(1.0, y[1])]


def lengths(t, y):
    return math.hypot(y[0], y[1], 2.0), np.hypot(*y) + math.dist(y, (2.0, 3.0)) + np.hypot(3.0, 4.0)


def larger_and_smaller(t, y):
    return max(y[0], 0.5) + np.maximum(0.4, y[1]) + np.fmin(y, 0.3)[1], min(y[0], y[1], 0.3) + max(y) + np.max(
        y
    ) - np.amin(y)


def clipped(t, y):
    bounded = np.empty(2)
    np.clip(y, 0.4, None, out=bounded)
    return np.clip(y, 0.2, 0.5) + np.clip(y, None, y[0]) + np.clip(y, a_min=0.3, a_max=y[1]) + bounded + min([0.1, 0.2])


def logarithms(t, y):
    return math.log(y[0], 3.0) + math.log(4.0, 2.0), math.log(2.0 + y[0], 2.0 + y[1])


def powers(t, y):
    x = y[0]
    return [
        x**2 + x**3 + x**-1 + x**-4 + x**7 + x**1 + x**0 + x**17 + x**-20,
        x**0.5
        + x**1.5
        + x**-0.5
        + x**2.3
        + math.pow(x, 3)
        + np.power(x, 2)
        + np.float_power(x, 0.7)
        + pow(x, np.int64(2)),
        2.0**x + x**x + math.pow(2, x) + 3 ** y[1] + np.power(y, 2)[1] + (y**2)[0] + (y**-1.5)[1] + (2.0**y)[0],
        math.pow(2.0, 3.0) + np.float32(2.0) * x + np.float64(2.0) * x + np.int64(3) * x + True * x + x / 3,
    ]


def powers_of_an_argument(t, y, p, k):
    return y[0] ** p + 2.0**p + p**2, y[1] ** k + k ** y[0]


def nested_power(t, y, p):
    for _ in range(40):  # so many that to follow each way to p would not end
        p = p * (p + 1.0) / 2.0
    return [y[0] ** p + y[0] ** np.inf]


def pow_of_vmath(t, y, p):
    return vmath.pow(y[0], p) + vmath.pow(y[0], 3.0), vmath.atan2(y[0], y[1])


def arithmetic(t, y):
    a, b = y
    return [
        1 - a - 2 + +b + abs(-a) + (2 / a) / 3 + -b * 2,
        sum(y) + sum([a, 1.0, b]) + math.fsum(y) + math.prod([a, b, 2.0]),
    ]


@pytest.mark.parametrize(
    "function",
    [imported_functions, imported_in_the_body, functions_in_a_closure((math.sin, np.exp)), functions_in_a_closure((abs, difference_of := lambda x: x - 1)),
     functions_in_a_tuple((math.sin, np.cos)), angles, lengths, larger_and_smaller, clipped, logarithms, arithmetic],
)  # fmt: skip
def test_functions(function):
    compare(function, 2)


def test_powers():
    compare(powers, 4)
    compare(powers_of_an_argument, 2, (1.7, 3))
    compare(nested_power, 1, (0.9,))


def test_functions_of_vmath_with_two_arguments():
    compare(pow_of_vmath, 2, (1.3,), reference=lambda t, y, p: (y[0] ** p + y[0] ** 3, math.atan2(y[0], y[1])))


# arrays and loops


def matrix(t, y, a, b):
    return a @ y + b + np.array([1.0, 2.0, 3.0]) * t


def loop(t, y):
    n = len(y)
    slope = np.zeros(n)
    for i in range(n):
        for j in range(y.shape[0]):
            if i != j:
                slope[i] += np.sin(y[j] - y[i]) / n
    return slope


def comprehension(t, y):
    return [sum(x * x for x in y) * y[i] - y[i - 1] for i in range(y.size)]


def stencil(t, y):
    slope = np.empty_like(y)
    slope[1:-1] = y[2:] - 2.0 * y[1:-1] + y[:-2]
    slope[0], slope[-1] = 0.0, 1
    return slope


def whole_vectors(t, y):
    center = np.array([0.1, 0.2, 0.3])
    distance = np.linalg.norm(y - center)
    return (
        -(y - center) / distance**3
        + np.cross(y, center)
        + np.dot(y, center) * np.mean(y)
        + np.sum(y**2) * y.sum() * np.exp(y)
    )


def joined(t, y):
    a, b = y[:1], y[1:]
    return np.concatenate((a * 2.0, np.outer(b, [1.0, t]).sum(axis=1))) * np.roll(y, 1) + np.stack([y, y]).T @ [
        1.0,
        2.0,
    ]


def inner(t, y):
    axes = np.eye(3)
    axes[0, 1] = y[2]
    copy = y.copy()
    copy[0] = 2.0 * t
    return np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]) @ copy + axes.dot(y) + np.diff(np.append(y, t))


@pytest.mark.parametrize("function", [loop, comprehension, stencil, whole_vectors, joined, inner])
def test_arrays_and_loops(function):
    compare(function, 3)


def test_arguments():
    rng = np.random.default_rng(0)
    compare(matrix, 3, (rng.normal(size=(3, 3)), rng.normal(size=3)))
    compare(lambda t, y, a: a[0, 1] * y[:2] + a[1].T @ y, 2, (rng.normal(size=(2, 2, 2)),))
    compare(lambda t, y, on, k, a, b: [on * y[0] + k * b[()] + a], 1, (True, 3, 0.5, np.array(2.0)))
    with pytest.raises(Unsupported, match="an argument is complex"):
        formula_of(as_list, 3, pack((1.0, 1j, 2.0))[0])
    with pytest.raises(Unsupported, match="an argument is complex"):
        formula_of(as_list, 3, pack((np.ones(2) * 1j,))[0])


# kinds of functions


class Pendulum:
    def __init__(self, g):
        self.g = g

    def __call__(self, t, y):
        return y[1], -self.g * math.sin(y[0])

    def method(self, t, y):
        return y[1], -self.g * np.sin(y[0])


def test_kinds_of_functions():
    pendulum = Pendulum(9.81)
    compare(pendulum, 2)
    compare(pendulum.method, 2)
    compare(functools.partial(as_list, sigma=10.0, rho=28.0, beta=2.0), 3)
    compare(lambda t, y, a=2.0, *, b=3.0: [a * b * y[0]], 1)
    compare(lambda t, y: y[0] ** 2, 1)


def test_recursive_functions_and_modules():
    def horner(x, k):
        return 1.0 if k == 0 else 1.0 + x * horner(x, k - 1)

    helpers = types.ModuleType("helpers")
    helpers.squash = lambda x: math.tanh(x)
    compare(lambda t, y: [horner(y[0], 5), helpers.squash(y[1])], 2)


def test_options_in_the_surroundings():
    options = {"k": 2.0, "terms": [math.sin, math.cos]}
    compare(lambda t, y: [options["k"] * term(y[0]) for term in options["terms"]], 2)


def test_what_is_computed_twice_is_one_node():
    formula = compare(
        lambda t, y, p: [p * y[0] + np.sin(y[1]), (y[0] * p) ** 2 + math.sin(y[1]) * (p * y[0]) * (p * y[0])], 2, (2.0,)
    )
    operations = [formula.nodes[a][0] for a in formula.needed()]
    assert operations.count("pair") == 2  # sine and cosine
    assert operations.count("square") == 1
    formula = compare(lambda t, y: [y[0] * y[0] + y[0] ** 2 + np.square(y[0]) + 0.0], 1)
    assert [formula.nodes[a][0] for a in formula.needed()] == ["state", "square", "add", "add"]
