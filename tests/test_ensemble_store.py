"""Stored ensembles: the bits of memory, killed and resumed, damaged and foreign shards, lazy reading."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from problems import decay
from test_executors import Serial

import odekit
from odekit import storage
from odekit._chunk import Trajectories
from odekit.solvers.batch import SAVE_END
from odekit.storage import OdekitFileError, shards
from odekit.storage import manifest as M
from odekit.storage.folder import FILE, locked

RATES = np.linspace(0.5, 2.0, 23)
TIMES = np.array([0.0, 0.3, 1.0])
OPTIONS = {"args": (RATES,), "method": "dop853", "rtol": 1e-9, "atol": 1e-12, "tier": "single", "t_eval": TIMES}
COLUMNS = ("t_end", "h_end", "retcode", "nfev", "naccept", "nreject", "nsaved")


@pytest.fixture(autouse=True)
def few_shards(monkeypatch):
    """Shards of four trajectories."""
    monkeypatch.setattr(M, "SHARDS", 6)


def solve(**options):
    return odekit.solve_ensemble(decay, (0, 1), [1.0], **{**OPTIONS, **options})


def files(folder):
    """Contents of the shards by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("shard-*.h5"))}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "ensemble.odekit"


@pytest.fixture
def stored(folder):
    return solve(store=folder)


KINDS = {
    "times": {},
    "end": {"t_eval": None},
    "steps": {"t_eval": None, "save": "steps"},
    "own times": {"t_eval": np.linspace(0, RATES / 2, 5).T},
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_stored_is_what_is_computed(folder, tmp_path, kind):
    memory, stored = solve(**KINDS[kind]), solve(store=folder, **KINDS[kind])
    storage.merge(folder, tmp_path / "all.h5")
    for ensemble in (stored, storage.open(tmp_path / "all.h5")):
        assert ensemble.complete and len(ensemble) == 23 and ensemble.message == memory.message
        assert np.array_equal(ensemble.y, memory.y, equal_nan=True) and ensemble.y.shape == memory.y.shape
        assert np.array_equal(ensemble.t, memory.t, equal_nan=True)
        for name in COLUMNS:
            assert np.array_equal(getattr(ensemble, name), getattr(memory, name))
        some = ensemble[5:17:3]
        assert np.array_equal(some.y, memory.y[5:17:3], equal_nan=True) and (some.nfev == memory.nfev[5:17:3]).all()
        one, kept = ensemble[-4], memory.nsaved[-4]
        assert np.array_equal(one.y, memory.y[-4, :, :kept]) and one.retcode == 0 and one.success
        assert np.array_equal(one.t, np.broadcast_to(memory.t, (23, memory.t.shape[-1]))[-4, :kept])


def test_complex_states(folder):
    given = (lambda t, y, rate: [1j * rate * y[0]], (0, 1), [1.0 + 0.5j])
    memory = odekit.solve_ensemble(*given, **OPTIONS)
    stored = odekit.solve_ensemble(*given, **OPTIONS, store=folder)
    assert stored.y.dtype == complex and np.array_equal(stored.y, memory.y)


def wave(t, y, rate):
    return np.cos(20.0 * t)


def below(t, y, rate):
    return y[0] - 0.4


below.terminal = True


def test_events(folder, tmp_path):
    """As many as there are up to a bound, from memory, shards, one file, in pieces from an executor; after a crash the same files."""
    options = {"events": [wave, below], "max_events": 5}
    memory, stored = solve(**options), solve(store=folder, **options)
    assert len(set(memory.events.kept)) > 1 and (memory.nevents[:, 1] == (-np.log(0.4) < RATES)).all()
    assert memory.nevents[0].tolist() == [6, 0] and memory.events.kept[0] == 5 and "max_events = 5" in memory.message
    storage.merge(folder, tmp_path / "all.h5")
    for ensemble in (stored, storage.open(tmp_path / "all.h5")):
        assert ensemble.message == memory.message and (ensemble.nevents == memory.nevents).all()
        for k in (0, 4, 11, -1):
            for name in ("t_events", "y_events"):
                expected = getattr(memory, name)[k]
                for source in (getattr(ensemble, name)[k], getattr(ensemble[k], name)):
                    assert [part.tolist() for part in source] == [part.tolist() for part in expected]
        for index in (slice(3, 20, 5), slice(20, 3, -4), slice(4, 4)):
            some, expected = ensemble[index].events, memory.events.chosen(np.arange(23)[index])
            assert all(
                np.array_equal(getattr(some, f), getattr(expected, f)) for f in ("counts", "kept", "function", "t", "y")
            )
    whole = files(folder)
    os.remove(folder / shards.file_name(2))
    assert (
        solve(store=folder, resume=True, executor=Serial(), chunksize=3, **options).complete and files(folder) == whole
    )
    with pytest.raises(ValueError, match="another problem: max_events is 5 there and 4 here"):
        solve(store=folder, resume=True, **{**options, "max_events": 4})
    for chosen in ({"executor": Serial(), "chunksize": 5}, {"executor": 2, "chunksize": 1}):
        other = solve(**options, **chosen).events
        assert (other.t == memory.events.t).all() and (other.counts == memory.events.counts).all()
    if dataset := _as_dataset(stored):
        assert (dataset.nevents.values == memory.nevents).all()
        dims = ("trajectory", "event_function", "event")
        assert dataset.t_events.dims == dims and dataset.t_events.shape == (23, 2, 5)
        assert dataset.y_events.dims == (*dims, "component")
        for k in (0, 11, 22):
            for j, (times, states) in enumerate(zip(memory.t_events[k], memory.y_events[k], strict=True)):
                there, behind = dataset.t_events[k, j].values, dataset.y_events[k, j].values
                assert np.array_equal(there[: times.size], times) and np.isnan(there[times.size :]).all()
                assert np.array_equal(behind[: times.size], states) and np.isnan(behind[times.size :]).all()


def test_a_shard_has_room_for_a_tenth_of_the_events_that_may_be_kept():
    n, size = 2, 10**6
    setup = SimpleNamespace(save=SAVE_END, max_saved=0, y0=np.ones(n), events=(wave,), max_events=1000)
    rows = np.broadcast_to(0.0, (size, n))
    shard_size = M.layout(setup, Trajectories(rows, rows, rows, np.empty((1, 0)))).shard_size
    zero = 8 * (n + 2)
    assert 5 * M.SHARD_BYTES < shard_size * 1000 * zero <= 10 * M.SHARD_BYTES


def _as_dataset(ensemble):
    try:
        return ensemble.to_xarray()
    except ImportError:
        return None


def test_the_files_do_not_depend_on_how_they_came_about(folder, tmp_path, stored):
    for k, options in enumerate(({"executor": 1, "chunksize": 1}, {"executor": Serial(), "chunksize": 7})):
        solve(store=tmp_path / str(k), **options)
        assert files(tmp_path / str(k)) == files(folder)
        assert (tmp_path / str(k) / FILE).read_text() == (folder / FILE).read_text()


def test_indices(stored):
    y = np.asarray(stored.y)
    keys = (
        3,
        slice(2, 19, 5),
        slice(None, None, -3),
        [7, 0, 22, 7],
        RATES > 1.5,
        (slice(4, 9), 0, -1),
        (..., 1),
        (2, 0),
        [],
    )
    for key in keys:
        assert np.array_equal(stored.y[key], y[key]), key
    with pytest.raises(IndexError):
        stored.y[23]
    with pytest.raises(IndexError):
        stored[23]


def test_xarray(stored, monkeypatch):
    pytest.importorskip("xarray")
    dataset = stored.to_xarray()
    assert dataset.y.dims == ("trajectory", "component", "time") and (dataset.time == TIMES).all()
    assert np.array_equal(dataset.y.sel(trajectory=[3, 15]).values, stored.y[[3, 15]])
    monkeypatch.setitem(sys.modules, "dask.array", None)
    assert isinstance(stored.to_xarray().y.data, np.ndarray)


def test_dask_reads_a_shard_when_it_is_needed(stored, folder):
    dask_array, xarray = pytest.importorskip("dask.array"), pytest.importorskip("xarray")
    dataset = stored.to_xarray()
    assert isinstance(dataset, xarray.Dataset) and isinstance(dataset.y.data, dask_array.Array)
    assert dataset.y.chunks[0] == (4,) * 5 + (3,)
    os.remove(folder / shards.file_name(5))
    assert np.array_equal(dataset.y[:20].values, stored.y[:20])
    with pytest.raises(OdekitFileError, match=r"shard-000005\.h5 is missing"):
        dataset.y[20:].values


# ---------------------------------------------------------------------------------------------------------------------
# resuming


def test_only_what_is_missing_is_computed(folder, stored, monkeypatch):
    whole = files(folder)
    for k in (1, 4):
        os.remove(folder / shards.file_name(k))
    parts, original = [], odekit._executors._chunk.Trajectories.part

    def part(self, first, last):
        parts.append((first, last))
        return original(self, first, last)

    monkeypatch.setattr(odekit._executors._chunk.Trajectories, "part", part)
    again = solve(store=folder, resume=True, executor=1)
    assert again.complete and files(folder) == whole
    assert sorted(parts[1:]) == [(4, 8), (16, 20)]
    assert solve(store=folder, resume=True).complete


def test_resume_begins_where_nothing_is(folder):
    with pytest.raises(ValueError, match="expected store=path as well"):
        solve(resume=True)
    with pytest.raises(TypeError, match="expected a path"):
        solve(store=3)
    folder.mkdir()
    (folder / "manifest.json.part").write_text('{"form')  # killed at once
    assert solve(store=folder, resume=True).complete
    with pytest.raises(FileExistsError, match="resume=True"):
        solve(store=folder)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("args", {"args": (RATES + 1e-12,)}), ("number of trajectories", {"args": (RATES[:-1],)}), ("t_eval", {"t_eval": TIMES / 2}),
        ("method", {"method": "tsit5"}), ("rtol", {"rtol": 1e-8}), ("atol", {"atol": [1e-11]}), ("save", {"t_eval": None}),
        ("max_steps", {"max_steps": 77}), ("first_step", {"first_step": 1e-3}),
    ],
)  # fmt: skip
def test_another_problem_is_refused(folder, stored, field, changes):
    before = files(folder)
    with pytest.raises(ValueError, match=f"another problem: {field} is .* there and .* here"):
        solve(store=folder, resume=True, **changes)
    assert files(folder) == before


def test_another_layout_of_the_same_problem_is_refused(folder, stored):
    manifest = json.loads((folder / FILE).read_text())
    manifest["layout"]["shard_size"] = 5  # as an earlier version may have chosen
    del manifest["layout"]["max_events"]
    (folder / FILE).write_text(json.dumps(manifest))
    sentence = r"layout has shard_size 5, max_events \(none\), expected shard_size 4, max_events \d+; another version of odekit"
    with pytest.raises(OdekitFileError, match=sentence):
        solve(store=folder, resume=True)
    assert storage.open(folder).layout.shard_size == 5


def test_another_function_is_refused(folder):
    def solve_with(factor, start=1.0):
        def growth(t, y, rate):
            return [factor * rate * y[0]]

        return odekit.solve_ensemble(growth, (0, 1), [start], **OPTIONS, store=folder, resume=True)

    solve_with(1.0)
    assert solve_with(1.0).complete
    with pytest.raises(ValueError, match=r"another problem: fun is .*growth, sha256 \w+ there"):
        solve_with(1.5)
    with pytest.raises(ValueError, match="another problem: y0"):
        solve_with(1.0, 2.0)


def test_two_writers(folder, stored):
    with locked(folder):
        os.remove(folder / shards.file_name(0))
        with pytest.raises(RuntimeError, match="being written by another process"):
            solve(store=folder, resume=True)


def test_ctrl_c_keeps_what_is_done(folder, stored, tmp_path, monkeypatch):
    written, original = [], shards.Store._write

    def write(self, k, results):
        if len(written) == 2:
            raise KeyboardInterrupt
        original(self, k, results)
        written.append(k)

    monkeypatch.setattr(shards.Store, "_write", write)
    with pytest.raises(KeyboardInterrupt, match="are there") as caught:
        solve(store=tmp_path / "stopped", executor=1)
    partial = caught.value.solution
    assert not partial.complete and partial.done in (7, 8) and "8 of 23 trajectories are there" in partial.message
    monkeypatch.setattr(shards.Store, "_write", original)
    assert solve(store=tmp_path / "stopped", resume=True).complete and files(tmp_path / "stopped") == files(folder)


SCRIPT = """
import sys, time
import numpy as np, odekit
from odekit.storage import manifest, shards

manifest.SHARDS = 40
original = shards.Store._write


def slow(self, k, results):  # many moments at which it can be killed
    time.sleep(0.01)
    original(self, k, results)


shards.Store._write = slow

if __name__ == "__main__":

    def decay(t, y, rate):
        return [-rate * y[0]]

    print("ready", flush=True)
    odekit.solve_ensemble(
        decay, (0, 1), [1.0], args=(np.linspace(0.5, 2.0, 203),), t_eval=np.linspace(0, 1, 50), method="dop853", rtol=1e-9,
        atol=1e-12, tier="single", store=sys.argv[1], resume=True, chunksize=int(sys.argv[2]),
    )
    print("done", flush=True)
"""


def start(script, folder, chunksize):
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(odekit.__file__))}
    command = [sys.executable, script, folder, str(chunksize)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def killed_and_resumed(script, folder, seed, kills=1):
    """Run, kill at a random moment of the writing, run to the end."""
    rng = random.Random(seed)
    for _ in range(kills):
        process = start(script, folder, rng.choice([1, 7, 1000]))
        process.stdout.readline()
        goal = rng.randrange(40)
        while process.poll() is None and len(list(folder.glob("shard-*.h5"))) < goal:
            time.sleep(0.001)
        time.sleep(rng.random() * 0.015)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    there = len(list(folder.glob("shard-*.h5")))
    assert "done" in start(script, folder, 7).communicate()[0]
    return there


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="processes are not killed like this here")
def test_killed_and_resumed(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    assert "done" in start(script, tmp_path / "whole", 1000).communicate()[0]
    whole = files(tmp_path / "whole")
    assert len(whole) == 34
    for seed in range(2):
        killed_and_resumed(script, tmp_path / f"killed{seed}", seed)
        assert files(tmp_path / f"killed{seed}") == whole
        assert storage.open(tmp_path / f"killed{seed}").complete


def test_reading_while_it_runs(folder, monkeypatch):
    seen, original = [], shards.Store._write

    def write(self, k, results):
        original(self, k, results)
        ensemble = storage.open(folder)
        seen.append((ensemble.done, ensemble.complete))
        first, last = self.layout.bounds(k)
        assert np.isfinite(ensemble.y[first:last]).all()
        if not ensemble.complete:
            assert f"{ensemble.done} of 23" in repr(ensemble)
            with pytest.raises(OdekitFileError, match="not computed yet"):
                ensemble.y[:]

    monkeypatch.setattr(shards.Store, "_write", write)
    solve(store=folder, executor=1)
    assert [done for done, _ in seen] == [4, 8, 12, 16, 20, 23] and [complete for _, complete in seen] == [
        False
    ] * 5 + [True]


def test_memory_is_bounded(folder, monkeypatch):
    """Never more results in memory than the chunks that are out and the shards that they are part of."""
    alive, most, compute, write = [0], [0], odekit._executors._chunk.compute, shards.Store._write

    def counted(carrier, trajectories):
        results = compute(carrier, trajectories)
        alive[0] += results.y.nbytes
        most[0] = max(most[0], alive[0])
        return results

    def released(self, k, results):
        write(self, k, results)
        alive[0] -= results.y.nbytes

    monkeypatch.setattr(odekit._executors._chunk, "compute", counted)
    monkeypatch.setattr(shards.Store, "_write", released)
    monkeypatch.setattr(M, "SHARD_BYTES", 4096)
    rates = np.linspace(0.5, 2.0, 400)
    stored = solve(store=folder, executor=2, args=(rates,), t_eval=np.linspace(0, 1, 50))
    assert stored.layout.shards >= 50 and stored.y.shape == (400, 1, 50)
    each = 8 * 50 * stored.layout.shard_size
    assert alive[0] == 0 and most[0] <= (odekit._executors.CHUNKS_OUT * 2 + 2) * each


# ---------------------------------------------------------------------------------------------------------------------
# damaged and hostile files


def test_a_missing_shard_is_named(folder, stored, tmp_path):
    os.remove(folder / shards.file_name(2))
    for attempt in (
        lambda: storage.open(folder),
        lambda: stored.y[9],
        lambda: storage.merge(folder, tmp_path / "all.h5"),
    ):
        with pytest.raises(OdekitFileError, match=r"shard-000002\.h5 is missing \(trajectories 8 to 11\)"):
            attempt()
    assert not (tmp_path / "all.h5").exists()


@pytest.mark.parametrize("damage", ["flipped", "truncated", "foreign", "text"])
def test_a_damaged_shard_is_named(folder, stored, tmp_path, damage):
    path, whole = folder / shards.file_name(2), files(folder)
    content = bytearray(path.read_bytes())
    at = content.find(np.exp(-RATES[8] * 0.0).tobytes() + stored.y[8, 0, 1].tobytes())
    assert at > 0
    if damage == "flipped":
        content[at + 9] ^= 1
    elif damage == "truncated":
        content = content[:-100]
    elif damage == "text":
        content = b"not an HDF5 file"
    path.write_bytes(content)
    if damage == "foreign":
        solve(store=tmp_path / "other", rtol=1e-8)
        shutil.copy(tmp_path / "other" / shards.file_name(2), path)
    with pytest.raises(OdekitFileError, match=r"shard-000002\.h5"):
        stored.y[8:12]
    with pytest.raises(OdekitFileError, match=r"shard-000002\.h5.*delete"):
        solve(store=folder, resume=True)
    with pytest.raises(OdekitFileError, match=r"shard-000002\.h5"):
        storage.merge(folder, tmp_path / "all.h5")
    assert np.isfinite(stored.y[:8]).all()
    os.remove(path)
    solve(store=folder, resume=True)
    assert files(folder) == whole


def test_shards_at_each_others_place(folder, stored):
    shutil.copy(folder / shards.file_name(1), folder / shards.file_name(2))
    with pytest.raises(OdekitFileError, match=r"shard-000002\.h5: a shard of another ensemble or place"):
        stored.y[8:12]


def test_hostile_shards(folder, stored, tmp_path):
    path = folder / shards.file_name(1)
    (tmp_path / "secret").write_bytes(b"x" * 96)

    def external(file):
        file.create_dataset("y", (4, 3, 1), float, external=[(str(tmp_path / "secret"), 0, 96)])

    def link(file):
        file["y"] = h5py.ExternalLink(str(folder / shards.file_name(2)), "y")

    def bomb(file):
        file.create_dataset("y", (4, 1 << 20, 1 << 20), float, chunks=(1, 1, 1024))

    def shape(file):
        file["y"] = np.zeros((4, 9, 9))

    for spoil in (external, link, bomb, shape):
        with h5py.File(path, "r+") as file:
            del file["y"]
            spoil(file)
        with pytest.raises(OdekitFileError, match=r"shard-000001|do not fit the layout"):
            stored.y[4:8]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("retcode", 77, "'retcode' of trajectory 5 is 77; expected a code of odekit.Retcode"),
        ("retcode", -128, "'retcode' of trajectory 5 is -128"),
        ("nsaved", 4, "'nsaved' of trajectory 5 is 4; expected a number from 0 to 3"),
        ("nfev", -1, "'nfev' of trajectory 5 is -1; expected a number from 0"),
        ("naccept", 0.5, "'naccept' is of dtype float64"),
        ("t_end", 2, "'t_end' is of dtype int64"),
    ],
)
def test_numbers_that_cannot_be(folder, stored, tmp_path, name, value, sentence):
    merged = tmp_path / "all.h5"
    storage.merge(folder, merged)

    def spoil(path, row):
        with h5py.File(path, "r+") as file:
            numbers = file[name][:]
            if np.asarray(value).dtype.kind != numbers.dtype.kind:
                numbers = numbers.astype(type(value))
            numbers[row] = value
            del file[name]
            file[name] = numbers

    spoil(folder / shards.file_name(1), 1)
    spoil(merged, 5)
    for ensemble, file in ((stored, r"shard-000001\.h5"), (storage.open(merged), r"all\.h5")):
        for look in (
            lambda ensemble=ensemble: ensemble[5],
            lambda ensemble=ensemble: ensemble[:],
            lambda ensemble=ensemble: getattr(ensemble, name),
        ):
            with pytest.raises(OdekitFileError, match=f"{file}: {sentence}"):
                look()
        assert ensemble.y[4:8].shape == (4, 1, 3)  # for which these numbers are not read
    if name == "retcode":
        for look in (lambda: stored.message, lambda: stored.success, lambda: repr(stored), stored.to_xarray):
            with pytest.raises(OdekitFileError, match=r"shard-000001\.h5"):
                look()
    assert stored[:4].retcode.tolist() == [0] * 4
    assert stored[8].retcode == odekit.Retcode.SUCCESS


def test_a_count_does_not_decide_how_much_memory_is_asked_for(folder):
    ensemble = solve(store=folder, t_eval=None, save="steps")
    with h5py.File(folder / shards.file_name(1), "r+") as file:
        file["nsaved"][1] = ensemble.layout.rows
    small = storage.open(folder, max_bytes=1 << 14)
    assert small.width == 1000
    with pytest.raises(OdekitFileError, match="more than max_bytes = 16384"):
        small.y[4:8]


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "[" * 100_000, '{"format": "odekit-ensemble"}', '{"format": "odekit-ensemble", "format_version": "2.0"}', "NaN",
        ("layout", "size", 10**15), ("layout", "size", -1), ("layout", "shard_size", 0), ("layout", "rows", "3"),
        ("layout", "save", "all"), ("layout", "more", 1), ("about", None, 3), ("problem", None, []),
    ],
)  # fmt: skip
def test_hostile_manifests(folder, stored, text):
    if not isinstance(text, str):
        manifest, (part, name, value) = json.loads((folder / FILE).read_text()), text
        if name is None:
            manifest[part] = value
        else:
            manifest[part][name] = value
        text = json.dumps(manifest)
    (folder / FILE).write_text(text)
    with pytest.raises(OdekitFileError, match=r"manifest\.json"):
        storage.open(folder)


def test_what_is_no_store(tmp_path):
    with pytest.raises(FileNotFoundError):
        storage.open(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match=r"holds no manifest\.json"):
        storage.open(tmp_path)
    (tmp_path / "file").write_text("text")
    with pytest.raises(OdekitFileError, match="not an HDF5 file"):
        storage.open(tmp_path / "file")
    with pytest.raises(OdekitFileError, match="not a folder"):
        solve(store=tmp_path / "file", resume=True)
    with pytest.raises(OdekitFileError, match=r"holds no manifest\.json"):
        solve(store=tmp_path, resume=True)
