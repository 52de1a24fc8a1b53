"""The commands of asv_benchmarks/published run, in a tiny configuration, and give the figures that they name."""

import importlib
import json
import pathlib
import sys

import numpy as np
import pytest

from odekit import _jit

FOLDER = pathlib.Path(__file__).parents[1] / "asv_benchmarks" / "published"
pytestmark = [
    pytest.mark.skipif(not FOLDER.exists(), reason="the commands are not part of an installed package"),
    pytest.mark.skipif(_jit.JIT_DISABLED, reason="slow as plain Python"),
]
TINY = {
    "hnn_spring": ["--steps", "2", "--width", "8"],
    "hnn_two_body": ["--steps", "2", "--width", "8", "--orbits", "10"],
    "anode_crossing": ["--steps", "300"],
    "anode_annulus": ["--epochs", "1"],
    "cnf_toys": [
        "--data",
        "checkerboard",
        "--steps",
        "2",
        "--matching",
        "2",
        "--width",
        "4",
        "--batch",
        "8",
        "--test",
        "8",
    ],
    "lnn_double_pendulum": ["--steps", "2", "--width", "4", "--samples", "200", "--time", "0.1"],
    "robertson": ["--steps", "4", "--width", "3", "--decades", "1"],
}


@pytest.fixture(autouse=True)
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for name in [name for name, module in sys.modules.items() if str(FOLDER) in str(getattr(module, "__file__", ""))]:
        del sys.modules[name]


LONG = ("hnn_two_body", "lnn_double_pendulum")


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.thorough] * (name in LONG)) for name in TINY])
def test_command(name, capsys):
    module = importlib.import_module(name)
    values = module.command(["--seeds", "1", *TINY[name]])
    assert all(len(found) == 1 and np.isfinite(found[0]) for found in values.values()), values
    if name == "anode_crossing":
        assert values["loss, plain"][0] > 0.499
        assert values["loss, augmented"][0] < 1e-3
    assert "seed 0: " in capsys.readouterr().out


def test_real_pendulum(tmp_path):
    """A recording of the same form, of a pendulum with friction; the real one is not part of the package."""
    t = 0.1 * np.arange(200)
    angle = np.exp(-0.05 * t) * np.cos(t)
    np.savetxt(
        tmp_path / "recording.txt",
        np.stack((0 * t, t, angle, np.gradient(angle, t)), axis=1),
        header="%o v",
        comments="",
    )
    module = importlib.import_module("dhnn_pendulum")
    path = str(tmp_path / "recording.txt")
    values = module.command(["--seeds", "1", "--steps", "2", "--width", "8", "--data", path])
    assert set(values) == {figure.name for figure in module.FIGURES}
    t_inside, x, dx = module.recording(path)
    np.testing.assert_allclose(t_inside, t[1:-1])
    np.testing.assert_allclose(dx[:, 0], x[:, 1], atol=1e-12)


def test_page_of_results(tmp_path):
    harness = importlib.import_module("harness")
    figures = [harness.Figure("error", 2.0, bar=1.5), harness.Figure("other", None)]
    recorded = [
        {"name": figure.name, "published": figure.published, "bar": figure.bar, "at_least": False, "values": values}
        for figure, values in zip(figures, ([1.0, 3.0], [5.0]), strict=True)
    ]
    entry = {
        "title": "Something", "source": "Somebody.", "command": "x.py", "figures": recorded, "seconds": [60.0, 60.0], "notes": ["A reason."],
        "date": "2026-01-01", "machine": "a machine",
    }  # fmt: skip
    harness.keep("something", entry, tmp_path)
    page = (tmp_path / "published_results.md").read_text()
    assert "| error | 2 ± 1.4 | 2 | ≤ 1.5 | **missed** |" in page
    assert "| other | 5 ± nan | – | – |  |" in page
    assert "- A reason." in page
    assert json.loads((tmp_path / "published_results.json").read_text())["something"]["title"] == "Something"
    for bar, at_least, mean, met in ((1.0, False, 1.0, True), (1.0, True, 0.9, False), (None, False, 9.0, None)):
        assert harness.Figure("f", bar=bar, at_least=at_least).met(mean) is met
