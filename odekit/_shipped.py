"""Kernels that came with the wheel, for processors of one kind as machine code, for all others as LLVM's bitcode.

Numba's part of the work, from Python to bitcode, takes most of the time of a cold start, and gives the same on every machine of one
kind; LLVM's part, from there to machine code, depends on the processor. Both are done when a wheel is built (``hatch_build.py``), the
second for most processors in use (``odekit/_stamp.py``). A kernel that is not there, or was made from other sources or by
another Numba, is compiled as ever.
"""

import contextlib
import functools
import hashlib
import importlib.metadata
import lzma
import pickle
import sys

from llvmlite import binding

from ._stamp import PACKAGE, package_stamp

FOLDER = PACKAGE / "_kernels"
_STAMP = "stamp.txt"  # file that tells what the others were made from

_recording: list = []  # the folder to which kernels are written while a wheel is built


def stamp():
    """What shipped kernels and the process that asks for them must have in common.

    Returns
    -------
    str
    """
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("numba", "llvmlite")]
    return ", ".join(
        [package_stamp(networks=True), *versions, sys.implementation.cache_tag, binding.get_process_triple()]
    )


@functools.cache
def _fits(folder):
    try:
        return (folder / _STAMP).read_text() == stamp()
    except OSError:
        return False


def _path(folder, key):
    return folder / f"{hashlib.sha256(repr(key).encode()).hexdigest()[:24]}.xz"


def shipped(key):
    """What was shipped under a key.

    Parameters
    ----------
    key : tuple
        With a representation that is the same in every process.

    Returns
    -------
    object or None
    """
    if not _fits(FOLDER):
        return None
    with contextlib.suppress(OSError):
        # part of the installed package, as its source is
        return pickle.loads(lzma.decompress(_path(FOLDER, key).read_bytes()))  # noqa: S301
    return None


@contextlib.contextmanager
def recording(folder):
    """Have every kernel that is compiled inside written to a folder.

    Parameters
    ----------
    folder : pathlib.Path
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _STAMP).write_text(stamp())
    _recording.append(folder)
    try:
        yield
    finally:
        _recording.pop()


def is_recording():
    """Whether kernels that are compiled are to be shipped."""
    return len(_recording) > 0


def ship(key, data):
    """Write what `shipped` gives back."""
    _path(_recording[-1], key).write_bytes(lzma.compress(pickle.dumps(data)))
