"""Right-hand sides without a formula are refused in one clause that says why, and stay as they are."""

import inspect
import math
import random
import time
from math import sin

import numpy as np
import pytest

from odekit import _symbols
from odekit._trace import formula_of
from odekit._wrapper_source import Unsupported


def line_of(function, text):
    """Number of the line of a function with a text."""
    lines, first = inspect.getsourcelines(function)
    return first + next(i for i, line in enumerate(lines) if text in line)


def branching(t, y):
    slope = [-y[0]]
    if y[0] > 0.5:  # here
        slope[0] = 1.0
    return slope


def test_the_line_is_named():
    line = line_of(branching, "here")
    expected = rf"it branches on a number of the state, which a formula cannot hold \(line {line}: 'if y\[0\] > 0.5:"
    with pytest.raises(Unsupported, match=expected):
        formula_of(branching, 1, ())
    with pytest.raises(Unsupported, match=expected):
        formula_of(lambda t, y: branching(t, y), 1, ())


def counting(t, y, n):
    for _ in range(n):
        y = y * 0.5
    return y


def by_index(t, y, n):
    return [y[n]]


def iterating(t, y):
    x = y[0]
    while abs(x) > 1e-10:
        x = x / 2.0
    return [x]


def swallowing(t, y):
    try:
        return [float(y[0])]
    except TypeError:
        return [0.0]


def setting_a_global(t, y):
    global calls
    calls = 1
    return y


def setting_an_attribute(t, y):
    setting_an_attribute.calls = 1
    return y


def closures_that_change():
    calls, log = 0, []

    def counted(t, y):
        nonlocal calls
        calls += 1
        return y

    def logged(t, y):
        log.append(t)
        return y

    return counted, logged


counted, logged = closures_that_change()
ONE = np.ones(1)
generator = np.random.default_rng(0)
BRANCHES = "it branches on {}, which a formula cannot hold"
NO_DERIVATIVES = "it calls {}, of which there are no derivatives of all orders"
REFUSED = {
    "if": (lambda t, y: [1.0 if y[0] else 2.0], BRANCHES.format("a number of the state")),
    "time": (lambda t, y: [1.0 if t < 1.0 else y[0]], BRANCHES.format("the time")),
    "flag": (lambda t, y, p: [1.0 if p else y[0]], BRANCHES.format("an argument") + r" .*; write the number into the function"),
    "equal": (lambda t, y: [1.0 if y[0] == 1.0 else y[0]], BRANCHES.format("a number of the state")),
    "where": (lambda t, y: np.where(y > 0.0, y, 0.0), BRANCHES.format("a number of the state")),
    "float64": (lambda t, y: [np.float64(1.0) > y[0]], BRANCHES.format("a number of the state")),
    "while": (iterating, BRANCHES.format("a number of the state") + r" \(line \d+: 'while"),
    "range": (counting, r"it counts with an argument \(line \d+: 'for _ in range\(n\):'\); write the number into the function"),
    "index": (by_index, r"it counts with an argument \(line \d+: 'return \[y\[n\]\]'\); write the number into the function"),
    "float": (lambda t, y: [float(y[0])], "it turns a number of the state into a Python float"),
    "int": (lambda t, y: [int(t) * y[0]], "it turns the time into an integer"),
    "round": (lambda t, y: [round(y[0])], "it rounds a number of the state"),
    "mod": (lambda t, y: [t % 1.0 + y[0]], "it computes the remainder"),
    "floordiv": (lambda t, y: [2.0 // y[0]], "it computes the remainder or the whole part"),
    "divmod": (lambda t, y: [divmod(y[0], 2)[0]], "it computes the remainder or the whole part"),
    "math.floor": (lambda t, y: [math.floor(y[0])], NO_DERIVATIVES.format("math.floor")),
    "math.erf": (lambda t, y: [math.erf(y[0])], NO_DERIVATIVES.format("math.erf")),
    "math.copysign": (lambda t, y: [math.copysign(1.0, y[0])], NO_DERIVATIVES.format("math.copysign")),
    "math.fmod": (lambda t, y: [math.fmod(y[0], 1.0)], NO_DERIVATIVES.format("math.fmod")),
    "np.floor": (lambda t, y: np.floor(y), NO_DERIVATIVES.format("np.floor")),
    "np.sign": (lambda t, y: [np.sign(y[0])], NO_DERIVATIVES.format("np.sign")),
    "float array": (lambda t, y, b=ONE: b.__setitem__(0, y[0]), "into a Python float"),
    "astype": (lambda t, y: y.astype(float), "into a Python float"),
    "complex": (lambda t, y: [1j * y[0]], "it computes with complex numbers"),
    "complex array": (lambda t, y: 1j * y, "it computes with complex numbers"),
    "isinstance": (lambda t, y: [isinstance(y[0], float)], "it asks for the type of a number of the state"),
    "print": (lambda t, y: print(t), "it calls print"),
    "random": (lambda t, y: y * random.random(), "gives another number each time"),
    "generator": (lambda t, y: y * generator.normal(), "gives another number each time"),
    "np.random": (lambda t, y: y * np.random.normal(), "gives another number each time"),  # noqa: NPY002
    "clock": (lambda t, y: y * time.perf_counter(), "gives another number each time"),
    "except": (swallowing, "it catches exceptions"),
    "global": (setting_a_global, "it changes a variable outside of it"),
    "attribute": (setting_an_attribute, "it changes a variable outside of it"),
    "nonlocal": (counted, "it changes a variable outside of it"),
    "log": (logged, "it changes a list outside of it"),
    "None": (lambda t, y: None, "it returns None"),
    "length": (lambda t, y: [y[0], y[0]], "it returns 2 instead of 1 numbers"),
    "text": (lambda t, y: ["a"], "it returns a str among its numbers"),
    "KeyError": (lambda t, y: {}["k"], r"called with symbols, it raises KeyError: 'k' \(line \d+: "),
    "TypeError": (lambda t, y, p, q: [y[0]], "called with symbols, it raises TypeError: .*missing 1 required"),
    "division": (lambda t, y: [y[0] + 1.0 / (len(y) - 1)], "called with symbols, it raises ZeroDivisionError"),
    "recursion": (lambda t, y: endless(y), "called with symbols, it raises RecursionError"),
    "long": (lambda t, y: [sum(y[0] * k for k in range(2, 1000))], "its formula has more than 1000 operations"),
}  # fmt: skip


def endless(y):
    return endless(y + 1)


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name, monkeypatch):
    function, clause = REFUSED[name]
    if name == "long":
        monkeypatch.setattr(_symbols, "LONGEST", 1000)
    takes = function.__code__.co_argcount - len(function.__defaults__ or ()) > 2
    with pytest.raises(Unsupported, match=clause):
        formula_of(function, 1, (("int",),) if takes else ())


def test_components_that_are_not_set():
    def field(t, y, dydt):
        dydt[0] = y[0]

    with pytest.raises(Unsupported, match="it does not set component 1 of its third argument"):
        formula_of(field, 2, (), in_place=True)


def test_surroundings_stay_as_they_are():
    """Symbols stay in the copy of a function."""
    log = []

    def field(t, y):
        log.append(t)
        return y

    with pytest.raises(Unsupported):
        formula_of(field, 1, ())
    assert log == []
    assert field(0.5, 1.0) == 1.0 and log == [0.5]
    assert math.sin(0.5) == np.sin(0.5) == sin(0.5)
