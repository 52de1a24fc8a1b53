"""The README's Python blocks run, in their order, and print what it shows; its tables name what exists."""

import contextlib
import io
import linecache
import pathlib
import re

import numpy as np
import pytest

import odekit
from odekit.solvers.methods import ALIASES, METHODS

README = pathlib.Path(__file__).parents[1] / "README.md"
pytestmark = pytest.mark.skipif(not README.exists(), reason="the README is not part of an installed package")
NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")


def same_text(printed, shown):
    """Whether words agree exactly and numbers to 5 %: counts differ a little between processors."""
    if " ".join(NUMBER.sub("#", printed).split()) != " ".join(NUMBER.sub("#", shown).split()):
        return False
    return np.allclose(
        [float(x) for x in NUMBER.findall(printed)], [float(x) for x in NUMBER.findall(shown)], rtol=0.05
    )


def test_blocks_print_what_is_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert len(blocks) >= 8
    namespace = {"__name__": "__main__"}
    for number, (code, shown) in enumerate(blocks):
        name = f"<README block {number}>"
        linecache.cache[name] = (
            len(code),
            None,
            code.splitlines(True),
            name,
        )  # as if it were a file, for its source text
        with contextlib.redirect_stdout(io.StringIO()) as output:
            exec(compile(code, name, "exec"), namespace)
        assert same_text(output.getvalue(), shown), f"block {number} printed:\n{output.getvalue()}"


def test_every_python_block_shows_its_output():
    text = README.read_text("utf-8")
    assert text.count("```python") == len(re.findall(r"```python\n.*?```\n\n```text\n", text, re.DOTALL))


def test_methods_table_is_complete():
    rows = re.findall(r"^\| (`.*?) \| (.*?) \|", README.read_text("utf-8"), re.MULTILINE)
    named = {name: order for names, order in rows for name in re.findall(r"`(\w+)`", names)}
    for name, method in METHODS.items():
        assert str(method.order) in named[name], name
    assert {alias for alias in ALIASES if alias not in {name.lower() for name in named}} == set()


def test_return_codes_are_all_named():
    text = README.read_text("utf-8")
    assert all(f"`{code.name}`" in text for code in odekit.Retcode)


@pytest.mark.skipif(not (README.parent / "docs").exists(), reason="the pictures are not part of a source archive")
def test_pictures_and_links_exist():
    text = README.read_text("utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (README.parent / target).exists(), target
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert len(pictures) >= 6
    assert all((README.parent / picture).stat().st_size < 200_000 for picture in pictures)
