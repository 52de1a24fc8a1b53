"""Streamed trajectories: the bits of memory, killed and resumed, refused problems, damaged files, lazy reading."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

import odekit
from odekit import Retcode, storage
from odekit.storage import OdekitFileError, folder, integration, stream, stream_layout

LORENZ = {"args": (10.0, 28.0, 8 / 3), "rtol": 1e-8, "atol": 1e-8, "method": "tsit5"}


def lorenz(t, u, sigma, rho, beta):
    x, y, z = u
    return [sigma * (y - x), x * (rho - z) - y, x * y - beta * z]


def lobe(t, u, sigma, rho, beta):
    return u[0]


def vdpol(t, y, mu):
    return [y[1], mu * (1 - y[0] ** 2) * y[1] - y[0]]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Chunks of a few dozen rows, buffers smaller than they, checkpoints after forty steps."""
    original = integration.StreamedIntegration.advance
    monkeypatch.setattr(integration.StreamedIntegration, "advance", lambda self, attempts: original(self, 40))
    monkeypatch.setattr(stream_layout, "CHUNK_BYTES", 2048)
    monkeypatch.setattr(integration, "BUFFER_FLOATS", 200)
    monkeypatch.setattr(integration, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(integration, "CHECKPOINT_SHARE", np.inf)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lorenz.odekit"


def solve(path=None, **options):
    given = {} if path is None else {"store": path}
    return odekit.solve_ivp(lorenz, (0, 20), [1.0, 0.0, 0.0], **{**LORENZ, **given, **options})


def files(path):
    """Contents of the files but for the lock."""
    return {entry.name: entry.read_bytes() for entry in sorted(path.iterdir()) if entry.name != folder.LOCK}


def assert_same(stored, sol):
    for name in ("t", "y", "steps"):
        assert np.array_equal(np.asarray(getattr(stored, name)), np.asarray(getattr(sol, name))), name
    for name in (
        "nfev",
        "njev",
        "nlu",
        "naccept",
        "nreject",
        "retcode",
        "message",
        "method",
        "t_span",
        "args",
        "method_reason",
    ):
        assert getattr(stored, name) == getattr(sol, name), name
    assert list(stored.switches) == sol.switches
    assert (stored.t_events is None) == (sol.t_events is None)
    for name in ("t_events", "y_events"):
        for one, other in zip(getattr(stored, name) or (), getattr(sol, name) or (), strict=True):
            assert np.array_equal(np.asarray(one), other) and one.shape == other.shape


def terminal(t, u, sigma, rho, beta):
    return u[2] - 40


terminal.terminal = 5
PROBLEMS = {
    "steps": {},
    "times": {"t_eval": np.linspace(0, 20, 3001)},
    "many times in a step": {"t_eval": np.r_[np.linspace(0, 1, 3001), 20.0], "method": "dop853"},
    "events": {"events": [lobe, terminal]},
    "events and times": {"events": [lobe, terminal], "t_eval": np.linspace(0, 20, 4001)},
    "jumps": {"tstops": [3.0, 7.0], "t_eval": [3.0, 7.0, 7.5], "method": "auto"},
    "backwards": {"t_span": (20, 19.8)},
    "bdf": {"method": "bdf", "rtol": 1e-5},
    "fixed": {"method": "rk4", "first_step": 0.01},
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_what_is_stored_is_what_is_computed(path, tmp_path, name):
    options = {"t_span": (0, 20), **PROBLEMS[name]}
    given = (lorenz, options.pop("t_span"), [1.0, 0.0, 0.0])
    sol = odekit.solve_ivp(*given, **{**LORENZ, **options})
    stored = odekit.solve_ivp(*given, **{**LORENZ, **options}, store=path)
    assert isinstance(stored, storage.StoredSolution) and stored.complete
    if name in ("steps", "times", "many times in a step", "events", "bdf"):
        assert len(list(path.glob("time-*.h5"))) > 10
    assert_same(stored, sol)
    assert_same(storage.open(path), sol)
    assert_same(stored.load(), sol)
    storage.merge(path, tmp_path / "all.h5")
    again = storage.load(tmp_path / "all.h5")
    again.method_reason = sol.method_reason  # not in a file
    assert_same(again, sol)
    assert "lorenz" in storage.metadata(tmp_path / "all.h5")["rhs_source"]


def test_automatic_switching_complex_states_and_mass_matrices(path, tmp_path):
    given = (vdpol, (0, 3000), [2.0, 0.0])
    options = {"args": (1e3,), "rtol": 1e-6, "atol": 1e-8}
    sol = odekit.solve_ivp(*given, **options)
    assert len(sol.switches) > 2
    assert_same(odekit.solve_ivp(*given, **options, store=path), sol)
    given = (lambda t, y: [1j * y[0], -y[1]], (0, 30), [1.0 + 0.5j, 2.0])
    sol, stored = odekit.solve_ivp(*given), odekit.solve_ivp(*given, store=tmp_path / "complex")
    assert stored.y.dtype == complex
    assert_same(stored, sol)
    storage.merge(tmp_path / "complex", tmp_path / "complex.h5")
    assert np.array_equal(storage.load(tmp_path / "complex.h5").y, sol.y)
    given, mass = (lambda t, y: [-y[0] + y[1], y[0] - 2 * y[1]], (0, 5), [2.0, 1.0]), [[1.0, 0.0], [0.0, 0.0]]
    sol = odekit.solve_ivp(*given, mass_matrix=mass)
    assert_same(odekit.solve_ivp(*given, mass_matrix=mass, store=tmp_path / "dae"), sol)
    with pytest.raises(ValueError, match="another problem: mass_matrix"):
        odekit.solve_ivp(*given, mass_matrix=[[2.0, 0.0], [0.0, 0.0]], store=tmp_path / "dae", resume=True)


def test_lazy_reading(path, tmp_path):
    stored, y = solve(path), solve().y
    keys = (
        0, (1, -1), (slice(None), -1), (slice(None), slice(-300, None, 7)), (slice(0, 2), slice(None, None, -50)), (0, slice(100, 90)),
        (slice(None), [5, 900, 5]), (..., slice(3, 6)), ([2, 0], slice(10)), (1, y[0] > 5), slice(1, None),
    )  # fmt: skip
    for key in keys:
        assert np.array_equal(stored.y[key], y[key]), key
    with pytest.raises(IndexError):
        stored.y[:, y.shape[1]]
    with pytest.raises(IndexError, match="not both are vectors"):
        stored.y[[0, 1], [0, 1]]
    assert (
        stored.t[-1] == 20
        and len(stored.t) == stored.t.size == y.shape[1]
        and np.array_equal(stored.h, np.diff(stored.t))
    )
    read, original = [], storage.series._files.read_rows
    storage.series._files.read_rows = lambda *args: read.append(args[0].name) or original(*args)
    try:
        stored.y[:, 5:9]
    finally:
        storage.series._files.read_rows = original
    assert read == ["time-000000.h5"]
    pytest.importorskip("xarray")
    dask_array = pytest.importorskip("dask.array")
    dataset = stored.to_xarray(names=["x", "y", "z"])
    assert isinstance(dataset.y.data, dask_array.Array) and dataset.y.dims == ("time", "component")
    assert np.array_equal(dataset.y.sel(component="z").values, y[2]) and dataset.attrs["rhs_name"].endswith("lorenz")


def test_reading_while_it_runs(path, monkeypatch):
    seen, original = [], stream.Stream.write_rest

    def write_rest(self, state, about):
        original(self, state, about)
        sol = storage.open(path)
        seen.append((len(sol.t), sol.complete, sol.message))
        assert sol.y.shape == (3, len(sol.t)) and np.isfinite(np.asarray(sol.y)).all()

    monkeypatch.setattr(stream.Stream, "write_rest", write_rest)
    sol = solve(path)
    counts, complete, messages = zip(*seen, strict=True)
    assert len(seen) > 2 and counts == tuple(sorted(counts)) and complete == (False,) * (len(seen) - 1) + (True,)
    assert counts[0] == 1 and counts[-1] == len(sol.t) and "being computed" in messages[0]


# ---------------------------------------------------------------------------------------------------------------------
# resuming


@pytest.mark.parametrize("name", [*PROBLEMS, "switching"])
def test_broken_off_at_many_checkpoints(path, tmp_path, monkeypatch, name):
    """As after a crash: the next run finds only what was written."""
    given = (vdpol, (0, 3000), [2.0, 0.0]) if name == "switching" else (lorenz, (0, 20), [1.0, 0.0, 0.0])
    options = {"args": (1e3,)} if name == "switching" else {**LORENZ, **PROBLEMS[name]}
    options.pop("t_span", None)
    odekit.solve_ivp(*given, **options, store=tmp_path / "whole")
    original, runs, left = stream.Stream.write_rest, 0, [0]

    def write_rest(self, state, about):
        original(self, state, about)
        left[0] -= 1
        if left[0] == 0 and not about["retcode"]:
            raise MemoryError("crash")

    monkeypatch.setattr(stream.Stream, "write_rest", write_rest)
    while True:
        left[0], runs = 5, runs + 1
        try:
            stored = odekit.solve_ivp(*given, **options, store=path, resume=True)
            break
        except MemoryError:
            continue
    assert stored.complete and runs > (3 if name in ("steps", "times", "events", "bdf") else 0)
    assert files(path) == files(tmp_path / "whole")
    assert odekit.solve_ivp(*given, **options, store=path, resume=True).complete


SCRIPT = """
import sys
import odekit
from odekit.storage import integration, stream, stream_layout

stream_layout.CHUNK_BYTES, integration.BUFFER_FLOATS, integration.CHECKPOINT_SECONDS = 1 << 16, 1 << 12, 0.02
integration.CHECKPOINT_SHARE = 0.5

def lorenz(t, u, sigma, rho, beta):
    x, y, z = u
    return [sigma * (y - x), x * (rho - z) - y, x * y - beta * z]

def lobe(t, u, sigma, rho, beta):
    return u[0]

print("ready", flush=True)
odekit.solve_ivp(
    lorenz, (0, 1000), [1.0, 0.0, 0.0], "tsit5", args=(10.0, 28.0, 8 / 3), rtol=1e-8, atol=1e-8, events=lobe, max_steps=10**8,
    store=sys.argv[1], resume=True,
)
print("done", flush=True)
"""


def start(script, folder_):
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(odekit.__file__))}
    return subprocess.Popen([sys.executable, script, folder_], stdout=subprocess.PIPE, text=True, env=environment)


def killed_and_resumed(script, folder_, seed, number=signal.SIGTERM, most=0.5):
    """Kill a run at a random moment, if it has not ended before, and run to the end; whether it was killed."""
    process = start(script, folder_)
    process.stdout.readline()
    while process.poll() is None and not (folder_ / stream.REST).exists():
        time.sleep(0.001)
    time.sleep(random.Random(seed).random() * most)
    process.send_signal(number)
    killed = "done" not in process.communicate()[0]
    assert "done" in start(script, folder_).communicate()[0]
    return killed


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="processes are not killed like this here")
def test_killed_and_resumed(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    assert "done" in start(script, tmp_path / "whole").communicate()[0]
    whole = files(tmp_path / "whole")
    assert len(whole) > 20
    for seed, number in enumerate((signal.SIGKILL, signal.SIGINT)):
        killed_and_resumed(script, tmp_path / f"{seed}", seed, number)
        assert files(tmp_path / f"{seed}") == whole


def test_ctrl_c_keeps_what_is_done(path, tmp_path, monkeypatch):
    """Also where the right-hand side is called through Python."""
    calls = [0]

    def fun(t, u):
        calls[0] += 1
        if calls[0] == 3000:
            os.kill(os.getpid(), signal.SIGINT)
        return [u[1], -u[0] + 0 * len(str(u[0]))]

    given, options = (fun, (0, 100), [1.0, 0.0], "tsit5"), {"rtol": 1e-8, "atol": 1e-8, "store": path}
    with pytest.warns(odekit.OdekitPerformanceWarning), pytest.raises(KeyboardInterrupt) as caught:
        odekit.solve_ivp(*given, **options)
    partial = caught.value.solution
    assert not partial.complete and 1 < len(partial.t) < 1000 and storage.open(path).y.shape == partial.y.shape
    calls[0] = -(10**9)
    stored = odekit.solve_ivp(*given, **options, resume=True)
    sol = odekit.solve_ivp(*given, **{**options, "store": None})
    assert stored.complete and np.array_equal(stored.y, sol.y)


def test_more_steps_and_failures(path, tmp_path):
    short = solve(path, max_steps=100)
    assert short.retcode == Retcode.MAX_STEPS and not short.complete and len(short.t) == 101
    assert solve(path, max_steps=100, resume=True).retcode == Retcode.MAX_STEPS
    assert_same(solve(path, resume=True), solve())

    def blows_up(t, y):
        return [y[0] ** 2]

    given = (blows_up, (0, 2), [1.0], "tsit5")
    stored = odekit.solve_ivp(*given, store=tmp_path / "up")
    assert stored.retcode < 0 and stored.complete and stored.message == odekit.solve_ivp(*given).message
    assert odekit.solve_ivp(*given, store=tmp_path / "up", resume=True).retcode == stored.retcode

    def raises(t, y):
        if t > 1:
            raise RuntimeError("beyond")
        return [-y[0]]

    for _ in range(2):  # the step is tried again
        with pytest.raises(RuntimeError, match="beyond") as caught:
            odekit.solve_ivp(raises, (0, 2), [1.0], "tsit5", store=tmp_path / "raised", resume=True)
        partial = caught.value.solution
        assert partial.retcode == Retcode.RHS_RAISED and 0.3 < partial.t[-1] <= 1 and "RuntimeError" in partial.message

    def raising_event(t, y):
        return raises(t, y)[0]

    with pytest.raises(RuntimeError, match="beyond"):
        odekit.solve_ivp(lambda t, y: [-y[0]], (0, 2), [1.0], events=raising_event, store=tmp_path / "event")
    with pytest.raises(ValueError, match="cannot be gone on with"):
        odekit.solve_ivp(
            lambda t, y: [-y[0]], (0, 2), [1.0], events=raising_event, store=tmp_path / "event", resume=True
        )


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("args", {"args": (10.0, 28.0, 8 / 3 + 1e-15)}), ("t_eval", {"t_eval": [0.0, 20.0]}), ("method", {"method": "dop853"}),
        ("rtol", {"rtol": 1e-7}), ("atol", {"atol": [1e-8, 1e-8, 1e-9]}), ("events", {"events": lobe}), ("max_step", {"max_step": 1.0}),
        ("first_step", {"first_step": 1e-3}), ("tstops", {"tstops": [1.0]}), ("nonnegative", {"nonnegative": [2]}),
    ],
)  # fmt: skip
def test_another_problem_is_refused(path, field, changes):
    solve(path, max_steps=50)
    before = files(path)
    with pytest.raises(ValueError, match=f"another problem: {field} is .* there and .* here"):
        solve(path, resume=True, **changes)
    assert files(path) == before


def test_other_functions_spans_and_kinds(path, tmp_path):
    solve(path, max_steps=50)
    for field, given in (
        ("fun", (lambda t, u, sigma, rho, beta: [u[1], -u[0], 0.0], (0, 20), [1.0, 0.0, 0.0])),
        ("t_span", (lorenz, (0, 21), [1.0, 0.0, 0.0])),
        ("y0", (lorenz, (0, 20), [1.0, 0.0, 1e-9])),
    ):
        with pytest.raises(ValueError, match=f"another problem: {field}"):
            odekit.solve_ivp(*given, **LORENZ, store=path, resume=True)
    with pytest.raises(FileExistsError, match="resume=True"):
        solve(path)
    with folder.locked(path), pytest.raises(RuntimeError, match="being written by another process"):
        solve(path, resume=True)
    odekit.solve_ensemble(
        lorenz, (0, 1), [[1.0, 0.0, 0.0]], args=LORENZ["args"], tier="single", store=tmp_path / "ensemble"
    )
    with pytest.raises(OdekitFileError, match="not the manifest of an odekit-stored-trajectory"):
        solve(tmp_path / "ensemble", resume=True)


def test_what_cannot_be_stored(path):
    def bounce(t, u, *args):
        return u[0]

    bounce.affect = lambda t, u, *args: u
    for options, word in (
        ({"dense_output": True}, "dense_output cannot be stored; give the times"),
        ({"on_step": print}, "on_step does not go with store"),
        ({"events": bounce}, "affect does not go with store"),
        ({"resume": True, "store": None}, r"expected store=path as well"),
    ):
        with pytest.raises(ValueError, match=word):
            solve(**{"store": path, **options})
    with pytest.raises(TypeError, match="expected a path"):
        solve(store=3)
    with pytest.raises(TypeError, match="machine code at an address"):
        odekit.solve_ivp(12345, (0, 1), [1.0], store=path)
    assert not path.exists()


# ---------------------------------------------------------------------------------------------------------------------
# damaged and hostile files


def test_damaged_files_are_named(path, tmp_path):
    solve(path, max_steps=300)
    stored, chunk, rest = storage.open(path), path / "time-000001.h5", path / stream.REST
    for spoil in (
        os.remove,
        lambda file: file.write_bytes(file.read_bytes()[:-200]),
        lambda file: shutil.copy(path / "time-000000.h5", file),
    ):
        kept = chunk.read_bytes()
        spoil(chunk)
        with pytest.raises(OdekitFileError, match=r"time-000001\.h5"):
            stored.y[:, :200]
        chunk.write_bytes(kept)
    content = bytearray(rest.read_bytes())
    at = content.find(np.asarray(stored.t)[-1].tobytes())
    content[at + 3] ^= 1
    rest.write_bytes(content)
    with pytest.raises(OdekitFileError, match=r"checkpoint\.h5"):
        solve(path, resume=True)
    os.remove(rest)
    assert storage.open(path).y.shape == (3, 0)
    assert_same(solve(path, resume=True), solve())


def test_hostile_checkpoints(path):
    solve(path, max_steps=300)
    rest = path / stream.REST
    kept = rest.read_bytes()

    def chunks(file):
        file.attrs["chunks"] = np.bytes_('{"trajectory": -3, "switches": 0}')

    def shape(file):
        del file["y"]
        file["y"] = np.zeros((4, 9))

    def link(file):
        del file["y"]
        file["y"] = h5py.ExternalLink(str(path / "time-000000.h5"), "y")

    def missing(file):
        del file["y"]

    def code(file):
        file.attrs["retcode"] = np.bytes_("ALL_WELL")

    for spoil in (chunks, shape, link, missing, code):
        with h5py.File(rest, "r+") as file:
            spoil(file)
        with pytest.raises(OdekitFileError, match=r"checkpoint\.h5"):
            storage.open(path)
        rest.write_bytes(kept)
