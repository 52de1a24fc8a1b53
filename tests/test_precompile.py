"""What `precompile` compiles: every method, and of the implicit ones the linear algebra of every structure."""

import pytest

import odekit
from odekit import _precompile
from odekit.solvers.methods import METHODS


@pytest.fixture
def solves(monkeypatch):
    """Methods and linear algebra of all solves that `precompile` makes, which are not made."""
    made = set()

    def solve(*_args, method, lband=None, linear_solver="auto", **_options):
        made.add((method, "banded" if lband else linear_solver))

    monkeypatch.setattr(_precompile, "solve_ivp", solve)
    return made


def test_every_method_and_every_structure(solves):
    odekit.precompile()
    assert {method for method, _ in solves} == {*METHODS, "auto"}
    for method in METHODS.values():
        wanted = {"auto"} | ({"banded", "sparse"} if method.implicit else set())
        wanted |= {"gmres"} if method.implicit and method.inexact else set()
        assert {solver for name, solver in solves if name == method.name} == wanted


def test_auto_brings_what_it_may_take(solves):
    odekit.precompile(["auto"])
    assert {"auto", "tsit5", "vern7", "radau", "radau9", "radau13", "bdf"} == {method for method, _ in solves}


def test_structures_are_solved():
    odekit.precompile(["bdf"])
