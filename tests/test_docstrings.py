"""The examples in the docstrings."""

import doctest
import importlib

import pytest

from odekit import _jit

STABILITY = [f"stability.{name}" for name in ("jacobians", "spectra", "report", "lyapunov")]


@pytest.mark.skipif(_jit.JIT_DISABLED, reason="slow as plain Python")
@pytest.mark.parametrize(
    "name", ["ivp", "integrator", "field", "plot", "storage", "storage.opening", "ensemble", *STABILITY]
)
def test_examples_in_docstrings(name):
    if name == "plot":
        pytest.importorskip("matplotlib").use("Agg")
    result = doctest.testmod(importlib.import_module(f"odekit.{name}"))
    assert result.attempted > 0 and result.failed == 0
