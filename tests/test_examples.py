"""The examples run from an empty folder, print something and leave a picture."""

import pathlib
import runpy

import pytest

pytest.importorskip("matplotlib")
EXAMPLES = sorted((pathlib.Path(__file__).parents[1] / "examples").glob("*.py"))
LONG = ("adjoints", "ensemble")  # all kinds of gradients and of lanes, each of which is compiled


@pytest.mark.parametrize(
    "path", [pytest.param(path, id=path.stem, marks=[pytest.mark.thorough] * (path.stem in LONG)) for path in EXAMPLES]
)
def test_example(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(path), run_name="__main__")
    assert list(tmp_path.glob("*.png"))
    assert capsys.readouterr().out
