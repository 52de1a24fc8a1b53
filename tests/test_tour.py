"""The tour runs, leaves files that open and pictures, and says honestly when a part fails."""

import os
import pathlib
import subprocess
import sys
import types

import numpy as np
import pytest

import odekit
from odekit import tour
from odekit.tour import crossing, double_pendulum, lynx_hare, lynx_hare_data, moons, pendulum, robertson, solar_system

try:
    import matplotlib
except ImportError:
    matplotlib = None
PICTURES = matplotlib is not None

#: Part, a smaller size, the trajectories and the models among its files.
SMALL = [
    (robertson, {"end": 1e3}, ["robertson.h5"], []),
    (lynx_hare, {"steps": 20, "networks": 2}, [], ["lynx-hare.h5"]),
    (solar_system, {"years": 20}, ["solar-system.h5"], []),
    (pendulum, {"steps": 20, "starts": 5, "end": 3.0}, [], ["pendulum-hamiltonian.h5", "pendulum-plain.h5"]),
    (double_pendulum, {"steps": 20, "starts": 3, "end": 1.0}, [], ["double-pendulum.h5"]),
    (crossing, {"steps": 20}, [], ["crossing.h5"]),
    (moons, {"steps": 5, "points": 300}, [], ["moons.h5"]),
]


@pytest.mark.parametrize(("part", "size", "trajectories", "models"), SMALL, ids=lambda x: getattr(x, "__name__", ""))
def test_part(part, size, trajectories, models, tmp_path, capsys):
    files = part.run(tmp_path, pictures=PICTURES, **size)
    assert sorted(files) == sorted(path.name for path in tmp_path.iterdir())
    for name in trajectories:
        assert odekit.storage.load(tmp_path / name).success
    for name in models:
        assert np.all(np.isfinite(odekit.nn.load(tmp_path / name).params))
    pictures = [name for name in files if name.endswith(".png")]
    assert bool(pictures) == PICTURES
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in pictures)
    assert capsys.readouterr().out.count("\n") >= 4


def test_files_open_with_xarray(tmp_path):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    robertson.run(tmp_path, pictures=False, end=1e3)
    with xarray.open_dataset(tmp_path / "robertson.h5", engine="h5netcdf") as data:
        assert data.y.dims == ("time", "component")
        assert data.attrs["method"] == "auto"


def test_parts_overwrite_their_own_files(tmp_path):
    for _ in range(2):
        assert robertson.run(tmp_path, pictures=False, end=1e2) == ["robertson.h5"]


def test_a_failing_part_does_not_stop_the_others(tmp_path, monkeypatch, capsys):
    def fail(folder, pictures):
        raise RuntimeError("broken on purpose")

    def work(folder, pictures):
        return ["nothing"]

    for name, run in (("robertson", fail), ("pendulum", work)):
        monkeypatch.setitem(sys.modules, f"odekit.tour.{name}", types.SimpleNamespace(TITLE=name, run=run))
    assert tour.run(tmp_path, ["robertson", "pendulum"]) == ["robertson"]
    printed = capsys.readouterr()
    assert "this part failed" in printed.out
    assert "2. pendulum" in printed.out
    assert "broken on purpose" in printed.err
    assert tour.main(["--out", str(tmp_path), "robertson"]) == 1
    assert tour.main(["--out", str(tmp_path), "pendulum"]) == 0


def test_without_matplotlib_it_says_so_and_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert tour.run(tmp_path, ["robertson"]) == []
    assert capsys.readouterr().out.count("matplotlib is not installed") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["robertson.h5"]


def test_command_line(tmp_path):
    root = str(pathlib.Path(odekit.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root}
    command = [sys.executable, "-m", "odekit", "robertson"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "odekit-tour" / "robertson.h5").exists()
    assert "relative error at the end" in done.stdout


def test_unknown_part_is_refused(capsys):
    with pytest.raises(SystemExit):
        tour.main(["moon"])
    assert "robertson" in capsys.readouterr().err


def test_lynx_hare_table():
    years, lynx, hare = lynx_hare_data.YEARS, lynx_hare_data.LYNX, lynx_hare_data.HARE
    assert years[0] == 1900
    assert years[-1] == 1920
    assert len(years) == len(lynx) == len(hare) == 21
    assert (lynx[4], hare[3], lynx[15], hare[17]) == (59.4, 77.4, 51.1, 7.6)
    assert (round(lynx.sum(), 6), round(hare.sum(), 6)) == (423.5, 715.7)


def test_lynx_hare_training_improves_the_fit():
    log = np.log(np.stack([lynx_hare_data.LYNX, lynx_hare_data.HARE], axis=1))[:13]
    model, _ = lynx_hare.train(log, 1e-3, steps=100, seed=0)
    assert lynx_hare.rms(lynx_hare.predict(model, log, lynx_hare_data.YEARS[:13]) - log) < 0.3
