"""Executors: the bits of threads from any of them, lost processes, functions that cannot be sent."""

import concurrent.futures
import multiprocessing
import os
import signal
import sys

import numpy as np
import pytest
from problems import decay

import odekit
from odekit import _executors, _jit

RATES = np.linspace(0.5, 2.0, 11)
OPTIONS = {
    "args": (RATES,),
    "method": "dop853",
    "rtol": 1e-9,
    "atol": 1e-12,
    "tier": "single",
    "t_eval": [0.0, 0.3, 1.0],
}
FIELDS = ("y", "t", "t_end", "h_end", "retcode", "nfev", "naccept", "nreject", "nsaved")


def same(a, b):
    """Whether two solutions have the same bits."""
    return all(np.asarray(getattr(a, name)).tobytes() == np.asarray(getattr(b, name)).tobytes() for name in FIELDS)


def solve(**options):
    return odekit.solve_ensemble(decay, (0, 1), [1.0], **{**OPTIONS, **options})


class Serial:
    """The least that has a `map`."""

    def __init__(self):
        self.calls = 0

    def map(self, function, tasks):
        self.calls += 1
        return [function(task) for task in tasks]


@pytest.fixture(scope="module")
def reference():
    return solve(executor=1)


@pytest.fixture(scope="module")
def pool():
    with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
        yield processes


@pytest.mark.parametrize("chunksize", [1, 7, 1000])
def test_the_bits_do_not_depend_on_the_executor(pool, reference, chunksize):
    assert same(solve(executor=pool, chunksize=chunksize), reference)
    assert same(solve(executor=Serial(), chunksize=chunksize), reference)
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        assert same(solve(executor=threads, chunksize=chunksize), reference)


@pytest.mark.skipif(_jit.JIT_DISABLED, reason="there are no lanes")
def test_the_bits_of_lanes_do_not_depend_on_the_executor(pool, tmp_path, monkeypatch):
    monkeypatch.setattr("odekit.storage.manifest.SHARDS", 3)
    options = {"method": "tsit5", "tier": "fused", "args": (np.linspace(0.5, 2.0, 150),)}
    whole = solve(**options, executor=1)
    for chunksize in (1, 7, 1000):
        assert same(solve(**options, executor=Serial(), chunksize=chunksize), whole)
        assert same(solve(**options, store=tmp_path / str(chunksize), chunksize=chunksize).load(), whole)
    assert same(solve(**options, executor=pool, chunksize=7), whole)


def test_steps_and_times_of_each_come_back(pool):
    for options in ({"t_eval": None, "save": "steps"}, {"t_eval": np.linspace(0, RATES / 2, 5).T}, {"t_eval": None}):
        assert same(solve(executor=pool, chunksize=4, **options), solve(executor=1, **options))


def test_local_functions_are_sent_with_their_code(pool):
    pytest.importorskip("cloudpickle")
    factor = 2.0
    given = (lambda t, y, rate: [-factor * rate * y[0]], (0, 1), [1.0])
    assert same(
        odekit.solve_ensemble(*given, **OPTIONS, executor=pool), odekit.solve_ensemble(*given, **OPTIONS, executor=1)
    )


def test_what_cannot_be_sent_is_told(pool, monkeypatch):
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    with pytest.raises(TypeError, match=r"top level of a module.*install cloudpickle"):
        odekit.solve_ensemble(lambda t, y, rate: [-rate * y[0]], (0, 1), [1.0], **OPTIONS, executor=pool)
    with pytest.raises(TypeError, match="an executor with submit, or an object with map"):
        solve(executor="two")


def test_a_worker_compiles_once():
    """Carriers with the same content share what has been compiled, however many arrive."""
    import pickle

    from odekit import _chunk

    solver, seen = _chunk.Setup.prepare, []

    class Watching(Serial):
        def map(self, function, tasks):
            for carrier, part in tasks:
                copy = pickle.loads(pickle.dumps(carrier))  # noqa: S301
                yield function((copy, part))

    def counted(self, first):
        seen.append(self)
        return solver(self, first)

    _chunk.Setup.prepare = counted
    try:
        ensemble = solve(executor=Watching(), chunksize=2)
    finally:
        _chunk.Setup.prepare = solver
    assert ensemble.success.all() and len(seen) == 2  # here, and once for the six chunks "there"


class DiesOnce:
    """Kills the process that unpacks it, the first time."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return _die_once, (self.marker,)


def _die_once(marker):
    if not os.path.exists(marker):
        open(marker, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return None


def _spoil(monkeypatch, at, spoiler):
    """Let the chunk that begins at trajectory `at` carry something that acts when it is unpacked."""
    original = _executors._chunk.Trajectories.part

    def part(self, first, last):
        piece = original(self, first, last)
        return piece if first != at else piece._replace(t_eval=Spoiled(piece.t_eval, spoiler))

    monkeypatch.setattr(_executors._chunk.Trajectories, "part", part)


class Spoiled(np.ndarray):
    """An array that takes something along when it is pickled."""

    def __new__(cls, array, spoiler):
        new = np.asarray(array).view(cls)
        new.spoiler = spoiler
        return new

    def __reduce__(self):
        return _unspoiled, (np.asarray(self), self.spoiler)


def _unspoiled(array, spoiler):
    return array


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="processes are not killed like this here")
def test_a_killed_worker_costs_only_its_chunk(tmp_path, reference, monkeypatch):
    _spoil(monkeypatch, 4, DiesOnce(str(tmp_path / "died")))
    with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
        ensemble = solve(executor=processes, chunksize=2)
    assert (tmp_path / "died").exists() and same(ensemble, reference)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="processes are not killed like this here")
def test_loky(tmp_path, reference, monkeypatch):
    """Its reusable executor: the bits, functions that only cloudpickle sends, a killed worker."""
    loky = pytest.importorskip("loky")
    processes = loky.get_reusable_executor(max_workers=2)
    try:
        assert same(solve(executor=processes, chunksize=4), reference)
        ensemble = odekit.solve_ensemble(
            lambda t, y, rate: [-rate * y[0]], (0, 1), [1.0], **OPTIONS, executor=processes
        )
        assert same(ensemble, reference)
        _spoil(monkeypatch, 4, DiesOnce(str(tmp_path / "died")))
        assert same(solve(executor=processes, chunksize=2), reference) and (tmp_path / "died").exists()
    finally:
        loky.get_reusable_executor(max_workers=2).shutdown(kill_workers=True)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="processes are not killed like this here")
def test_a_chunk_that_kills_twice_is_given_up(reference, monkeypatch):
    _spoil(monkeypatch, 4, DiesAlways())
    processes = concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("spawn"))
    with processes, pytest.raises(odekit.EnsembleError, match="trajectories 4 to 5 failed twice") as caught:
        solve(executor=processes, chunksize=2)
    ensemble, lost = caught.value.solution, np.isin(np.arange(11), [4, 5])
    assert caught.value.trajectories.tolist() == [4, 5]
    assert (ensemble.retcode[lost] == odekit.Retcode.INTERRUPTED).all() and np.isnan(ensemble.y[lost]).all()
    assert (ensemble.y[~lost] == reference.y[~lost]).all()


class DiesAlways:
    def __reduce__(self):
        return os.kill, (SelfId(), signal.SIGKILL)


class SelfId:
    def __reduce__(self):
        return os.getpid, ()


def test_errors_of_workers_carry_the_trajectories():
    class Failing(Serial):
        def map(self, function, tasks):
            self.calls += 1
            raise OSError("no node is left")

    failing = Failing()
    with pytest.raises(odekit.EnsembleError, match="no node is left") as caught:
        solve(executor=failing, chunksize=4)
    assert caught.value.trajectories.tolist() == list(range(11)) and failing.calls <= 2
    assert isinstance(caught.value.__cause__, OSError) and np.isnan(caught.value.solution.y).all()


def test_dask(reference):
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
    with distributed.LocalCluster(processes=True, **options) as cluster, distributed.Client(cluster) as client:
        for chunksize in (1, 7, 1000):
            assert same(solve(executor=client.get_executor(), chunksize=chunksize), reference)
