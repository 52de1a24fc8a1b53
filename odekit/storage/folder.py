"""The folder of a store: its lock, and the manifest that says what it holds."""

import json
import os
import pathlib

from .._file_checks import OdekitFileError, suspicion

FILE = "manifest.json"
LOCK = "lock"
_MAX_BYTES = 4 << 20
_NONE = "(none)"  # in the place of a field that is not there


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


def read(folder, kinds):
    """Read the manifest of a folder.

    Parameters
    ----------
    folder : pathlib.Path
    kinds : dict
        See `parse`.

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
        raise FileNotFoundError(f"{folder} holds no {FILE}; expected the folder of a store")
    with suspicion(path):
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            raise OdekitFileError(f"{path}: not a file, or larger than {_MAX_BYTES} bytes")
        return parse(path, path.read_text(encoding="utf-8"), kinds)


def parse(path, text, kinds):
    """Check the text of a manifest.

    Parameters
    ----------
    path : path-like
        Where it is from.
    text : str
    kinds : dict
        What it may be: format -> version and the class of the layout, which checks its arguments.

    Returns
    -------
    dict
    """
    with suspicion(path):
        manifest = json.loads(text, parse_constant=_refuse)
        kind = manifest.get("format") if isinstance(manifest, dict) else None
        if not isinstance(kind, str) or kind not in kinds:
            raise OdekitFileError(f"{path}: not the manifest of an {' or an '.join(kinds)}")
        expected, layout = kinds[kind]
        version = str(manifest.get("format_version"))
        if version.split(".")[0] != expected.split(".")[0]:
            raise OdekitFileError(f"{path}: version {version:.20} of the format {kind}, expected {expected}")
        for name in ("problem", "layout", "about"):
            if type(manifest.get(name)) is not dict:
                raise OdekitFileError(f"{path}: {name} is missing or of another type")
        layout(**manifest["layout"])
        return manifest


def _refuse(constant):
    raise ValueError(f"{constant} is not a number")


def old(folder, manifest, kinds, resume):
    """The manifest that is there already, if it is of the same problem; None if there is none.

    Parameters
    ----------
    folder : pathlib.Path
    manifest : dict
        Of the problem at hand.
    kinds : dict
        See `parse`.
    resume : bool
        Whether there may be one.

    Returns
    -------
    dict or None

    Raises
    ------
    FileExistsError
        If there is something, and `resume` is False.
    ValueError
        If it holds another problem.
    OdekitFileError
        If it is no store, a damaged one, or one that another version of odekit has laid out otherwise.
    """
    if not folder.exists():
        return None
    if not resume:
        raise FileExistsError(f"{folder} exists; pass resume=True to go on with it, or another path")
    if not folder.is_dir():
        raise OdekitFileError(f"{folder}: not a folder, expected that of a store")
    begun = {LOCK, FILE + ".part"}  # all that there is if the process was killed at once
    if {entry.name for entry in folder.iterdir()} <= begun:
        return None
    try:
        there = read(folder, kinds)
    except FileNotFoundError as error:
        raise OdekitFileError(str(error)) from None
    compare(folder, there["problem"], manifest["problem"])
    _compare_layouts(folder, there["layout"], manifest["layout"])
    return there


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


def _compare_layouts(folder, there, here):
    """Refuse to go on with files of another layout than this version of odekit writes for the same problem."""
    fields = [name for name in dict.fromkeys([*here, *there]) if there.get(name, _NONE) != here.get(name, _NONE)]
    if fields:
        found, expected = (
            ", ".join(f"{name} {_text(layout.get(name, _NONE))}" for name in fields) for layout in (there, here)
        )
        raise OdekitFileError(
            f"{folder / FILE}: the layout has {found}, expected {expected}; another version of odekit began the store, or the file "
            "was edited: read it with odekit.storage.open, and give another path to compute it anew"
        )


def _text(value):
    text = str(value)
    return text[:12] + "..." if len(text) == 64 else text[:120]


def locked(path):
    """Keep other processes from writing here; the system lifts the lock when the process ends, however it does.

    Parameters
    ----------
    path : pathlib.Path
        Folder.

    Returns
    -------
    file
        Locked until it is closed.
    """
    file = open(path / LOCK, "w")  # noqa: SIM115 - open, and locked, until the store is closed
    try:
        import fcntl
    except ImportError:  # not on Windows
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise RuntimeError(f"{path} is being written by another process (it holds the lock on {LOCK})") from None
    except OSError:  # a file system without locks
        pass
    return file
