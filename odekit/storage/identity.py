"""What identifies a problem, so that a store of another one is not gone on with: texts that mean the same in every process."""

import dataclasses
import hashlib
import json

import numba
import numpy as np

from .. import _chunk, _jit
from .._fingerprint import Unknown, fingerprint
from .._provenance import right_hand_side, versions

_MAX_SOURCE = 30_000  # characters: an attribute of an HDF5 file ends at 64 KiB
_SHOWN = 6  # so many numbers stand in a manifest as they are, more as their hash


def software():
    """What the bits of a result depend on besides the problem."""
    from .. import __version__

    return {"odekit": __version__, "numba": numba.__version__, "compiled": not _jit.JIT_DISABLED}


def provenance(fun):
    """What people want to know: the source text of the right-hand side, the versions of the software."""
    source = right_hand_side(fun)
    source["rhs_source"] = source.get("rhs_source", "")[:_MAX_SOURCE]
    return {**source, **versions()}


def tolerance(vector):
    """One number where all are equal; repr keeps all digits."""
    return repr(float(vector[0])) if (vector == vector[0]).all() else [repr(float(value)) for value in vector]


def numbers(array):
    """A few numbers as text with all digits, many as a hash."""
    array = np.asarray(array)
    return repr(array.tolist()) if array.size <= _SHOWN else hashed(array)


def hashed(array, more=""):
    """SHA-256 of an array, and of a text."""
    digest_ = hashlib.sha256(f"{array.shape} {array.dtype.str} {more}".encode())
    digest_.update(np.ascontiguousarray(array).data)
    return digest_.hexdigest()


def digest(problem):
    """SHA-256 of a problem: name of a field -> text or number."""
    return hashlib.sha256(json.dumps(problem, sort_keys=True).encode()).hexdigest()


def identity(value):
    """Name and hash of one of the user's functions, or of what may stand in its place."""
    if value is None:
        return "none"
    function = getattr(value, "py_func", value)
    name = getattr(function, "__qualname__", type(value).__qualname__)
    if hasattr(value, "tocsc"):  # a sparse matrix
        columns = value.tocsc()
        content = " ".join(hashed(np.asarray(part)) for part in (columns.indptr, columns.indices, columns.data))
    elif isinstance(value, (list, tuple, np.ndarray)):
        content = hashed(np.asarray(value))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        content = " ".join(identity(getattr(value, field.name)) for field in dataclasses.fields(value))
    elif isinstance(value, (int, float)):
        content = repr(value)
    else:
        try:
            content = fingerprint(value)
        except Unknown:  # it refers to an object of an unknown kind: its text, or else its bytes, must do
            content = right_hand_side(value).get("rhs_sha256") or hashlib.sha256(_chunk.pickled(value)).hexdigest()
        content += f" {getattr(value, 'direction', 0)} {getattr(value, 'terminal', 0)}"
    return f"{name}, sha256 {hashlib.sha256(content.encode()).hexdigest()[:32]}"
