"""The examples in the docstrings."""

import doctest
import importlib
import pathlib

import pytest

import odekit
from odekit import _jit

ROOT = pathlib.Path(odekit.__file__).parent
#: What compiles for long; its kernels have tests of their own.
LONG = {"odekit.nn.delan"}
MODULES = sorted(
    ".".join(("odekit", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
    if ">>>" in path.read_text(encoding="utf-8")
)


@pytest.mark.skipif(_jit.JIT_DISABLED, reason="slow as plain Python")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.thorough) if name in LONG else name for name in MODULES]
)
def test_examples_in_docstrings(name):
    if name.startswith("odekit.plot"):
        pytest.importorskip("matplotlib").use("Agg")
    if name == "odekit.storage.trajectory":
        pytest.importorskip("xarray")
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0 and result.failed == 0


def test_examples_are_found():
    assert {"odekit.ivp", "odekit.nn.mlp", "odekit.plot.solutions", "odekit.storage"} <= set(MODULES)
