"""Files of trajectories: nothing is lost, xarray opens them, damaged and hostile ones are refused."""

import builtins
import json
import types

import h5py
import numpy as np
import pytest

import odekit
from odekit import _files
from odekit.solution import Retcode, Solution, Switch
from odekit.storage import KIND, OdekitFileError, load, metadata, save, to_xarray


def oscillator(t, y, omega, matrix, n):
    return [y[1], -omega * y[0]]


def solution(n=3, nt=40, dtype=float, **changes):
    rng = np.random.default_rng(0)
    t = np.linspace(0, 2, nt)
    y = np.sin(np.outer(np.arange(1, n + 1), t))
    if dtype is complex:
        y = y + 1j * rng.normal(size=y.shape)
    fields = {
        "t": t,
        "y": y,
        "sol": None,
        "t_events": [np.array([0.5, 1.25]), np.empty(0)],
        "y_events": [y[:, :2].T.copy(), np.empty((0, n), dtype)],
        "nfev": 123,
        "njev": 4,
        "nlu": 5,
        "naccept": 60,
        "nreject": 7,
        "retcode": Retcode.TERMINATED,
        "message": "A termination event occurred.",
        "steps": np.linspace(0, 2, 61),
        "switches": [Switch(0.25, "tsit5", "radau", "stiff: |λ| h = 4"), Switch(1.5, "radau", "tsit5", "")],
        "method": "auto",
        "rtol": 1e-6,
        "atol": np.geomspace(1e-12, 1e-9, n),
        "t_span": (0.0, 5.0),
        "args": (0.1, np.arange(6).reshape(2, 3), 2**60 + 1, 1 - 2j, True, "text"),
        "fun": oscillator,
    }
    return Solution(**{**fields, **changes})


def assert_equal(a, b):
    for name in ("t", "y", "steps", "rtol", "atol"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert np.asarray(getattr(a, name)).dtype == np.asarray(getattr(b, name)).dtype
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
        "switches",
        "success",
    ):
        assert getattr(a, name) == getattr(b, name)
    for name in ("t_events", "y_events"):
        left, right = getattr(a, name), getattr(b, name)
        assert (left is None) == (right is None)
        for x, y in zip(left or (), right or (), strict=True):
            assert x.shape == y.shape
            np.testing.assert_array_equal(x, y)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "trajectory.h5"


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("compression", [None, 1, 9])
def test_round_trip(path, dtype, compression):
    sol = solution(dtype=dtype)
    save(path, sol, compression=compression)
    again = load(path)
    assert_equal(sol, again)
    assert again.fun is None and again.sol is None


def test_arguments_survive(path):
    save(path, solution())
    omega, matrix, big, z, flag, text = load(path).args
    assert (omega, big, z, flag, text) == (0.1, 2**60 + 1, 1 - 2j, True, "'text'")
    assert matrix.dtype == np.arange(6).dtype
    np.testing.assert_array_equal(matrix, np.arange(6).reshape(2, 3))


@pytest.mark.parametrize(
    "changes",
    [
        {"t_events": None, "y_events": None, "switches": [], "args": ()},
        {"t_events": [], "y_events": []},
        {"rtol": np.array([1e-3, 1e-4, 1e-5]), "atol": 0.0},
        {
            "t": np.array([0.0]),
            "y": np.ones((3, 1)),
            "steps": np.array([0.0]),
            "retcode": Retcode.NONFINITE,
            "fun": None,
        },
        {"t": np.empty(0), "y": np.empty((3, 0)), "steps": np.empty(0)},
        {"t": -np.linspace(0, 2, 40), "steps": np.array([0.0, -2.0]), "t_span": (0.0, -2.0)},
        {"y": np.full((3, 40), np.nan)},
        {"fun": abs},
        {"message": "x" * 100_000},
    ],
    ids=["plain", "no events", "vector rtol", "start only", "empty", "backward", "nan", "builtin", "long text"],
)
def test_round_trip_of_corner_cases(path, changes):
    sol = solution(**changes)
    save(path, sol)
    assert_equal(sol, load(path))


def test_one_component_and_duplicate_times(path):
    sol = solution(n=1, t=np.repeat(np.linspace(0, 1, 20), 2))
    save(path, sol)
    assert_equal(sol, load(path))


def test_anything_with_the_attributes_of_a_solution_is_stored(path):
    sol = solution()
    save(path, types.SimpleNamespace(**{name: getattr(sol, name) for name in sol.__dataclass_fields__}))
    assert_equal(sol, load(path))


def test_file_says_how_it_was_computed(path):
    save(path, solution())
    about = metadata(path)
    assert about["format"] == KIND
    assert about["rhs_name"].endswith("test_storage.oscillator")
    assert "def oscillator" in about["rhs_source"]
    assert len(about["rhs_sha256"]) == 64
    assert about["created_at"].endswith("+00:00")
    assert about["numpy"] == np.__version__
    for name in ("odekit", "numba", "h5py", "hdf5", "python", "platform"):
        assert about[name]
    json.dumps({name: np.asarray(value).tolist() for name, value in about.items()})


def test_no_file_is_overwritten_unasked(path):
    save(path, solution())
    with pytest.raises(FileExistsError, match="overwrite=True"):
        save(path, solution(nfev=1))
    assert load(path).nfev == 123
    save(path, solution(nfev=1), overwrite=True)
    assert load(path).nfev == 1
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_failed_write_leaves_the_old_file(path, monkeypatch):
    save(path, solution())

    def full_disk(*args):
        raise OSError("No space left on device")

    monkeypatch.setattr(_files, "write_attributes", full_disk)
    with pytest.raises(OSError, match="No space"):
        save(path, solution(), overwrite=True)
    assert_equal(solution(), load(path))
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("sol", "options", "error", "message"),
    [
        (None, {}, TypeError, r"sol must be an odekit\.Solution, but it is a NoneType$"),
        ("here.h5", {}, TypeError, r"sol must be an odekit\.Solution, but it is a str$"),
        (
            odekit.solve_ensemble(lambda t, y: [-y[0]], (0, 1), [[1.0]], method="tsit5", tier="single"),
            {},
            TypeError,
            r"but it is a EnsembleSolution; solve_ensemble\(\.\.\., store=path\) writes ensembles$",
        ),
        (solution(), {"names": 3}, ValueError, "names=3; expected 3 strings, one for each component"),
    ],
)
def test_what_is_no_solution_is_not_written(path, sol, options, error, message):
    with pytest.raises(error, match=message):
        save(path, sol, **options)
    assert not path.exists()


def test_readers_name_each_other(path):
    save(path, solution())
    with pytest.raises(OdekitFileError, match=r"its format is 'odekit-trajectory'; odekit\.storage\.load reads it"):
        odekit.storage.open(path)
    with pytest.raises(OdekitFileError, match=r"not a file; odekit\.storage\.open opens the folder of a store"):
        load(path.parent)
    with pytest.raises(ValueError, match="max_bytes must be a positive number of bytes, but it is 'all'"):
        load(path, max_bytes="all")


def test_bad_compression(path):
    with pytest.raises(ValueError, match="gzip level"):
        save(path, solution(), compression="zip")


# ---------------------------------------------------------------------------------------------------------------------
# xarray


@pytest.mark.parametrize("dtype", [float, complex])
def test_xarray_opens_the_file(path, dtype):
    xarray = pytest.importorskip("xarray", reason="xarray is optional")
    pytest.importorskip("h5netcdf", reason="h5netcdf is optional")
    sol = solution(dtype=dtype)
    save(path, sol)
    with xarray.open_dataset(path, engine="h5netcdf") as opened:
        parts = ("part",) if dtype is complex else ()
        assert opened.y.dims == ("time", "component", *parts)
        assert opened.y_event_0.dims == ("event_0", "component", *parts)
        y = opened.y.sel(part="re") + 1j * opened.y.sel(part="im") if parts else opened.y
        np.testing.assert_array_equal(y.values.T, sol.y)
        np.testing.assert_array_equal(opened.time.values, sol.t)
        np.testing.assert_array_equal(opened.event_0.values, sol.t_events[0])
        assert opened.time.attrs["units"] == opened.y.attrs["units"] == "1"
        assert list(opened.switch_target.values) == ["radau", "tsit5"]
        assert opened.attrs["method"] == "auto"
        if dtype is float:
            in_memory = to_xarray(sol)
            xarray.testing.assert_equal(opened.load(), in_memory)
            assert in_memory.attrs.keys() == opened.attrs.keys() - {"sha256"}


def test_to_xarray_keeps_complex_states():
    pytest.importorskip("xarray", reason="xarray is optional")
    sol = solution(dtype=complex)
    np.testing.assert_array_equal(to_xarray(sol).y.values.T, sol.y)


# ---------------------------------------------------------------------------------------------------------------------
# damaged and hostile files


def refused(path, match=None):
    for reader in (load, metadata):
        with pytest.raises(OdekitFileError, match=match) as caught:
            reader(path)
        assert str(path) in str(caught.value)
    assert isinstance(caught.value, OSError) and isinstance(caught.value, ValueError)


def test_missing_file(path):
    with pytest.raises(FileNotFoundError):
        load(path)


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\x89HDF\r\n\x1a\n", b"\0" * 5000], ids=["empty", "text", "signature", "zeros"]
)
def test_not_hdf5(path, content):
    path.write_bytes(content)
    refused(path)


def test_folder(tmp_path):
    refused(tmp_path)


def test_truncation(path):
    save(path, solution())
    content = path.read_bytes()
    for length in range(0, len(content), 509):
        path.write_bytes(content[:length])
        with pytest.raises(OdekitFileError):
            load(path)


def test_flipped_bits(path):
    """A flip is either noticed, or it is in bytes that carry nothing."""
    sol = solution()
    save(path, sol)
    content, rng, noticed = path.read_bytes(), np.random.default_rng(3), 0
    for position in rng.integers(0, len(content), 200):
        damaged = bytearray(content)
        damaged[position] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            again = load(path)
        except OdekitFileError:
            noticed += 1
        else:
            assert_equal(sol, again)
    assert noticed > 20


def test_flipped_bit_in_the_data_is_noticed(path):
    save(path, solution(), compression=None)
    content = bytearray(path.read_bytes())
    content[content.index(np.ascontiguousarray(solution().y.T).tobytes()) + 100] ^= 1
    path.write_bytes(content)
    refused(path)


def test_edited_attribute_is_noticed(path):
    save(path, solution())
    with h5py.File(path, "r+") as file:
        file.attrs["nfev"] = 1
    refused(path, "checksum")


@pytest.mark.parametrize(
    ("attributes", "match"),
    [
        ({"format": "odekit-model"}, "not an odekit-trajectory"),
        ({"format_version": "2.0"}, "version 2.0"),
        ({}, "format is None"),
    ],
)
def test_other_formats(path, attributes, match):
    with h5py.File(path, "w") as file:
        _files.write_attributes(file, {"format": KIND, "format_version": "1.0", **attributes} if attributes else {})
    refused(path, match)


def valid_but(path, spoil):
    save(path, solution())
    with h5py.File(path, "r+", libver="latest") as file:
        spoil(file)


def replace(name, create):
    def spoil(file):
        del file[name]
        create(file)

    return spoil


HOSTILE = {
    "external storage": (
        replace("y", lambda file: file.create_dataset("y", (40, 3), "f8", external=[("/etc/passwd", 0, 960)])),
        "another file",
    ),
    "external link": (replace("y", lambda file: file.__setitem__("y", h5py.ExternalLink("other.h5", "/y"))), "link"),
    "soft link": (replace("y", lambda file: file.__setitem__("y", h5py.SoftLink("/time"))), "link"),
    "virtual dataset": (
        replace("y", lambda file: file.create_virtual_dataset("y", virtual_layout())),
        "another file",
    ),
    "shape bomb": (
        replace("y", lambda file: file.create_dataset("y", (1 << 20, 1 << 20), "f8", chunks=(1024, 1024))),
        "max_bytes",
    ),
    "smaller shape bomb": (
        replace("y", lambda file: file.create_dataset("y", (1 << 12, 1 << 12), "f8", chunks=(64, 64))),
        "stored",
    ),
    "many shape bombs": (
        lambda file: [file.create_dataset(f"x{i}", (1 << 21,), "f8", chunks=(1024,)) for i in range(300)],
        "stored",
    ),
    "huge chunk": (
        replace("y", lambda file: file.create_dataset("y", (1, 1 << 24), "f8", chunks=(1, 1 << 24))),
        "chunks",
    ),
    "other filter": (
        replace("y", lambda file: file.create_dataset("y", (40, 3), "f8", compression="lzf")),
        "compressed",
    ),
    "group": (lambda file: file.create_group("more"), "not an array"),
    "object references": (lambda file: file.create_dataset("refs", (2,), h5py.ref_dtype), "neither numbers nor text"),
    "compound": (
        lambda file: file.create_dataset("pairs", (2,), [("a", "f8"), ("b", "i4")]),
        "neither numbers nor text",
    ),
    "empty": (lambda file: file.create_dataset("nothing", data=h5py.Empty("f8")), "empty"),
    "rank": (lambda file: file.create_dataset("deep", data=np.zeros((1,) * 9)), "dimensions"),
    "many attributes": (lambda file: file.attrs.update({f"a{i}": i for i in range(300)}), "attributes"),
    "odd attribute": (lambda file: file.attrs.create("odd", np.zeros(2, [("a", "f8")])), "attribute 'odd'"),
    "missing array": (lambda file: file.__delitem__("y"), None),
    "missing attribute": (lambda file: file.attrs.__delitem__("nfev"), None),
    "other array": (replace("y", lambda file: file.create_dataset("y", data=np.zeros((4, 3)))), "checksum"),
}


def virtual_layout():
    layout = h5py.VirtualLayout((40, 3), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "y", (40, 3))
    return layout


@pytest.mark.parametrize(("spoil", "match"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_files(path, spoil, match):
    valid_but(path, spoil)
    refused(path, match)


def test_max_bytes(path):
    save(path, solution())
    with pytest.raises(OdekitFileError, match="max_bytes = 100"):
        load(path, max_bytes=100)


@pytest.mark.parametrize(
    ("arrays", "attributes"),
    [
        ({"time": np.arange(4.0)}, {}),
        ({"time": np.linspace(2, 0, 40)}, {}),
        ({"time": np.full(40, np.nan)}, {}),
        ({"y": np.zeros((40, 3, 2, 1))}, {}),
        ({}, {"retcode": "FINE"}),
        ({}, {"nfev": -1}),
        ({}, {"n_events": 3}),
        ({}, {"args": "__import__('os')"}),
        ({}, {"args": json.dumps([{"dtype": "<f8", "shape": [1000]}])}),
        ({}, {"args": json.dumps([{"dtype": "O", "shape": [1]}])}),
        ({}, {"args": "[" * 100_000}),
        ({}, {"switches": "7"}),
        ({}, {"t_span": 0.0}),
    ],
)
def test_inconsistent_content(path, monkeypatch, arrays, attributes):
    """Files with a correct checksum, made by hand."""
    original = _files.read

    def forged(*args):
        found = original(*args)
        return {**found[0], **arrays}, {**found[1], **attributes}

    save(path, solution())
    monkeypatch.setattr("odekit.storage.trajectory.read", forged)
    with pytest.raises(OdekitFileError, match="incomplete or inconsistent"):
        load(path)


def test_nothing_is_executed(path, monkeypatch):
    save(path, solution())

    def forbidden(*args, **kwargs):
        raise AssertionError("executed")

    for name in ("eval", "exec"):
        monkeypatch.setattr(builtins, name, forbidden)
    load(path)


def test_names_and_units(tmp_path):
    sol = odekit.solve_ivp(lambda t, y: [y[1], -y[0]], (0, 1), [1.0, 0.0], events=lambda t, y: y[0] - 0.9)
    labels = {"names": ("x", "v"), "units": ("m", "m/s"), "time_unit": "s"}
    path = tmp_path / "labelled.h5"
    odekit.storage.save(path, sol, **labels)
    assert np.array_equal(odekit.storage.load(path).y, sol.y)
    about = odekit.storage.metadata(path)
    assert (about["names"], about["units"], about["time_unit"]) == ('["x", "v"]', '["m", "m/s"]', "s")
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    with xarray.open_dataset(path, engine="h5netcdf") as opened:
        for data in (opened, sol.to_xarray(**labels)):
            assert list(data.component.values) == ["x", "v"] and data.time.units == "s"
            assert list(data.component_unit.values) == ["m", "m/s"]
            assert np.array_equal(data.y.sel(component="v").values, sol.y[1])
    assert sol.to_xarray(units="K").y.units == "K"


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ({"names": ("x",)}, "names=.*expected 2 strings"),
        ({"names": "xv"}, "names=.*expected 2 strings"),
        ({"names": ("x", "x")}, "different"),
        ({"units": ("m", 1)}, "units=.*expected 2 strings"),
        ({"time_unit": None}, "time_unit=None"),
    ],
)
def test_labels_that_do_not_fit(tmp_path, labels, sentence):
    sol = odekit.solve_ivp(lambda t, y: [y[1], -y[0]], (0, 1), [1.0, 0.0])
    with pytest.raises(ValueError, match=sentence):
        odekit.storage.save(tmp_path / "wrong.h5", sol, **labels)
    assert not list(tmp_path.iterdir())
