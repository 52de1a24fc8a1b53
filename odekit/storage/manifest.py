"""What a stored ensemble says about itself: the problem, so that another one is not mixed in, and the layout of the shards."""

import dataclasses
import hashlib
import json
import os
import pathlib

import numba
import numpy as np

from .. import _chunk, _jit
from .._files import OdekitFileError, suspicion
from .._fingerprint import Unknown, fingerprint
from .._provenance import right_hand_side, versions
from ..solvers import batch as B

KIND, VERSION = "odekit-ensemble", "1.0"
FILE = "manifest.json"
_MAX_BYTES = 4 << 20
_MAX_SOURCE = 30_000  # characters: an attribute of an HDF5 file ends at 64 KiB
#: A shard has at most about so many bytes, and a run at least so many shards: what a crash costs at most.
SHARD_BYTES, SHARDS = 16 << 20, 256
_MAX_SHARDS = 10**6
_SAVES = {B.SAVE_END: "end", B.SAVE_TIMES: "times", B.SAVE_STEPS: "steps"}


@dataclasses.dataclass(frozen=True)
class Layout:
    """How an ensemble is laid out.

    Attributes
    ----------
    size : int
        Number of trajectories.
    components : int
        Of a state.
    rows : int
        States kept of a trajectory, or the bound on them.
    save : {"end", "times", "steps"}
    complex : bool
    shared_times : bool
        Whether all trajectories have the same output times.
    shard_size : int
        Number of trajectories in each shard but the last.
    """

    size: int
    components: int
    rows: int
    save: str
    complex: bool
    shared_times: bool
    shard_size: int

    def __post_init__(self):
        for name in ("size", "components", "rows", "shard_size"):
            value = getattr(self, name)
            if type(value) is not int or not 0 <= value < 1 << 53 or (value == 0 and name != "rows"):
                raise ValueError(f"layout: {name} is {value!r:.40}, expected a positive integer")
        if self.save not in _SAVES.values() or type(self.complex) is not bool or type(self.shared_times) is not bool:
            raise ValueError("layout: save, complex or shared_times is not what it may be")
        if self.shards > _MAX_SHARDS:
            raise ValueError(f"layout: {self.shards} shards, expected at most {_MAX_SHARDS}")

    @property
    def shards(self):
        """Number of shards."""
        return -(-self.size // self.shard_size)

    def bounds(self, k):
        """First trajectory of shard k, and the first behind it."""
        return k * self.shard_size, min((k + 1) * self.shard_size, self.size)


def layout(setup, trajectories):
    """Layout of an ensemble; it depends on the problem only, so that the same files come from any way of computing.

    Parameters
    ----------
    setup : odekit._chunk.Setup
    trajectories : odekit._chunk.Trajectories

    Returns
    -------
    Layout
    """
    rows = {B.SAVE_END: 1, B.SAVE_TIMES: trajectories.t_eval.shape[1], B.SAVE_STEPS: setup.max_saved}[setup.save]
    n, size = setup.y0.size, trajectories.size
    each = 8 * (rows * (trajectories.y0.shape[1] + 1) + B.N_COUNTERS + 2)
    shard_size = max(1, min(SHARD_BYTES // each, -(-size // SHARDS)))
    is_complex = setup.y0.dtype.kind == "c"
    shared = setup.save == B.SAVE_TIMES and len(trajectories.t_eval) == 1
    return Layout(size, n, rows, _SAVES[setup.save], is_complex, shared, shard_size)


def problem(setup, trajectories):
    """What identifies a problem: name of a field -> text or number.

    Parameters
    ----------
    setup : odekit._chunk.Setup
    trajectories : odekit._chunk.Trajectories

    Returns
    -------
    dict
    """
    from .. import __version__

    return {
        "fun": _identity(setup.fun),
        "jac": _identity(setup.jac),
        "events": [_identity(event) for event in setup.events],
        "number of trajectories": trajectories.size,
        "t_span": _hash(trajectories.spans),
        "y0": _hash(trajectories.y0, setup.y0.dtype.str),
        "args": _hash(trajectories.params, repr([np.shape(value) for value in setup.args])),
        "save": _SAVES[setup.save],
        "t_eval": _hash(trajectories.t_eval),
        "method": setup.method,
        "tier": setup.tier,
        "vmath": bool(setup.vmath),
        "rtol": _tolerance(setup.rtol),
        "atol": _tolerance(setup.atol),
        "max_saved": setup.max_saved if setup.save == B.SAVE_STEPS else 0,
        "first_step": setup.first_step,
        "max_step": repr(setup.max_step),
        "max_steps": setup.max_steps,
        "odekit": __version__,
        "numba": numba.__version__,
        "compiled": not _jit.JIT_DISABLED,
    }


def _tolerance(vector):
    """One number where all are equal; repr keeps all digits."""
    return repr(float(vector[0])) if (vector == vector[0]).all() else [repr(float(value)) for value in vector]


def _hash(array, more=""):
    digest = hashlib.sha256(f"{array.shape} {array.dtype.str} {more}".encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _identity(value):
    """Name and hash of one of the user's functions; the hash means the same in every process."""
    if value is None:
        return "none"
    function = getattr(value, "py_func", value)
    name = getattr(function, "__qualname__", type(value).__qualname__)
    if isinstance(value, (list, tuple, np.ndarray)):
        content = _hash(np.asarray(value))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        content = " ".join(_identity(getattr(value, field.name)) for field in dataclasses.fields(value))
    elif isinstance(value, (int, float)):
        content = repr(value)
    else:
        try:
            content = fingerprint(value)
        except Unknown:  # it refers to an object of an unknown kind: its text, or else its bytes, must do
            content = right_hand_side(value).get("rhs_sha256") or hashlib.sha256(_chunk.pickled(value)).hexdigest()
        content += f" {getattr(value, 'direction', 0)} {getattr(value, 'terminal', 0)}"
    return f"{name}, sha256 {hashlib.sha256(content.encode()).hexdigest()[:32]}"


def digest(of):
    """SHA-256 of a problem."""
    return hashlib.sha256(json.dumps(of, sort_keys=True).encode()).hexdigest()


def new(setup, trajectories, about):
    """Manifest of a problem.

    Parameters
    ----------
    setup : odekit._chunk.Setup
    trajectories : odekit._chunk.Trajectories
    about : dict
        What people and `StoredEnsemble` want to know besides.

    Returns
    -------
    dict
    """
    source = right_hand_side(setup.fun)
    source["rhs_source"] = source.get("rhs_source", "")[:_MAX_SOURCE]
    return {
        "format": KIND,
        "format_version": VERSION,
        "complete": False,
        "problem": problem(setup, trajectories),
        "layout": dataclasses.asdict(layout(setup, trajectories)),
        "about": {**about, **source, **versions()},
    }


def write(folder, manifest):
    """Put a manifest in the place of the one before.

    Parameters
    ----------
    folder : pathlib.Path
    manifest : dict
    """
    part = folder / (FILE + ".part")
    with open(part, "w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, folder / FILE)
    sync(folder)


def sync(folder):
    """Bring the names in a folder to disk, where the system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # not on Windows
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(folder):
    """Read the manifest of a folder.

    Parameters
    ----------
    folder : pathlib.Path

    Returns
    -------
    dict

    Raises
    ------
    FileNotFoundError
    OdekitFileError
    """
    path = pathlib.Path(folder) / FILE
    if not path.exists():
        raise FileNotFoundError(f"{folder} holds no {FILE}; expected the folder of a stored ensemble")
    with suspicion(path):
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            raise OdekitFileError(f"{path}: not a file, or larger than {_MAX_BYTES} bytes")
        return parse(path, path.read_text(encoding="utf-8"))


def parse(path, text):
    """Check the text of a manifest.

    Parameters
    ----------
    path : path-like
        Where it is from.
    text : str

    Returns
    -------
    dict
    """
    with suspicion(path):
        manifest = json.loads(text, parse_constant=_refuse)
        if not isinstance(manifest, dict) or manifest.get("format") != KIND:
            raise OdekitFileError(f"{path}: not the manifest of an {KIND}")
        version = str(manifest.get("format_version"))
        if version.split(".")[0] != VERSION.split(".")[0]:
            raise OdekitFileError(f"{path}: version {version:.20} of the format {KIND}, expected {VERSION}")
        for name, kind in (("complete", bool), ("problem", dict), ("layout", dict), ("about", dict)):
            if type(manifest.get(name)) is not kind:
                raise OdekitFileError(f"{path}: {name} is missing or of another type")
        Layout(**manifest["layout"])
        return manifest


def _refuse(constant):
    raise ValueError(f"{constant} is not a number")


def compare(path, there, here):
    """Refuse to mix two problems.

    Parameters
    ----------
    path : path-like
    there, here : dict
        The problem of the store, and the one at hand.

    Raises
    ------
    ValueError
        With the field that differs.
    """
    for name in here:
        if there.get(name) != here[name]:
            raise ValueError(
                f"{path} holds another problem: {name} is {_text(there.get(name))} there and {_text(here[name])} here; give another "
                "path, or delete the folder"
            )
    if set(there) - set(here):
        raise ValueError(f"{path} holds another problem: {sorted(set(there) - set(here))[0]:.40} is not known here")


def _text(value):
    text = str(value)
    return text[:12] + "..." if len(text) == 64 else text[:120]
