"""What is looked at before anything of an HDF5 file of unknown origin is believed or allocated."""

import contextlib
import math
import numbers

import h5py
from h5py import h5s, h5t, h5z

#: Largest sum of array sizes that is read unless the caller allows more.
MAX_BYTES = 4 << 30
#: This much is read whatever is stored of it, more if the file holds at least 1/4000 of what it declares (deflate
#: shrinks to 1/1032 at best; a dataset without any stored chunk costs no space at all).
_TRUSTED_BYTES, _LARGEST_RATIO = 16 << 20, 4000
_MAX_CHUNK_BYTES = 64 << 20
_MAX_ATTRIBUTES, _MAX_ATTRIBUTE_BYTES = 200, 16 << 20
_MAX_MEMBERS, _MAX_RANK = 1000, 4
#: What reads which format.
_READERS = {
    "odekit-trajectory": "odekit.storage.load",
    "odekit-ensemble": "odekit.storage.open",
    "odekit-model": "odekit.nn.load",
}
_FILTERS = {h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32}
#: netCDF's own bookkeeping
_RESERVED = {
    "CLASS",
    "NAME",
    "DIMENSION_LIST",
    "REFERENCE_LIST",
    "_NCProperties",
    "_Netcdf4Dimid",
    "_Netcdf4Coordinates",
}


class OdekitFileError(OSError, ValueError):
    """A file is not what it should be: damaged, truncated, of another kind, or unsafe to read."""


@contextlib.contextmanager
def suspicion(path):
    """Whatever goes wrong inside is the file's fault."""
    try:
        yield
    except OdekitFileError:
        raise
    except PermissionError:
        raise
    except Exception as error:  # h5py raises nearly every kind of exception on damaged files
        raise OdekitFileError(f"{path}: damaged or not readable ({type(error).__name__}: {error})") from error


def check_limit(max_bytes):
    """Refuse what is no number of bytes."""
    if isinstance(max_bytes, bool) or not isinstance(max_bytes, numbers.Real) or not max_bytes > 0:
        raise ValueError(f"max_bytes must be a positive number of bytes, but it is {max_bytes!r:.80}")


def safe_attributes(path, file):
    """Attributes that are text or short vectors of numbers; all others are refused, or left out where others added them."""
    if len(file.attrs) > _MAX_ATTRIBUTES:
        raise OdekitFileError(f"{path}: {len(file.attrs)} attributes, expected at most {_MAX_ATTRIBUTES}")
    attributes = {}
    for name in file.attrs:
        if name in _RESERVED:
            continue
        attribute = file.attrs.get_id(name)
        stored_type, size = attribute.get_type(), math.prod(map(int, attribute.shape)) * attribute.get_type().get_size()
        if stored_type.get_class() == h5t.STRING and stored_type.is_variable_str():
            continue  # added by others
        if stored_type.get_class() == h5t.STRING and attribute.shape == () and size <= _MAX_ATTRIBUTE_BYTES:
            attributes[name] = file.attrs[name].decode()
        elif stored_type.get_class() in (h5t.INTEGER, h5t.FLOAT) and size <= _MAX_ATTRIBUTE_BYTES:
            attributes[name] = file.attrs[name]
        else:
            raise OdekitFileError(f"{path}: attribute {name!r} is neither text nor a short vector of numbers")
    return attributes


def check_kind(path, attributes, kind, version):
    """Refuse a file of another kind or major version."""
    found, found_version = attributes.get("format"), str(attributes.get("format_version"))
    if found != kind:
        hint = f"; {_READERS[found]} reads it" if found in _READERS else ""
        raise OdekitFileError(f"{path}: not an {kind} file (its format is {found!r}{hint})")
    if found_version.split(".")[0] != version.split(".")[0]:
        raise OdekitFileError(f"{path}: version {found_version} of the format {kind}, expected {version}")


def check_members(path, file, max_bytes):
    """All is checked before anything is allocated."""
    if len(file) > _MAX_MEMBERS:
        raise OdekitFileError(f"{path}: {len(file)} members, expected at most {_MAX_MEMBERS}")
    declared = stored = 0
    for name in file:
        if not isinstance(file.get(name, getlink=True), h5py.HardLink):
            raise OdekitFileError(f"{path}: {name!r} is a link to somewhere else; links are not followed")
        if file.get(name, getclass=True) is not h5py.Dataset:
            raise OdekitFileError(f"{path}: {name!r} is not an array")
        _check_dataset(path, name, file[name])
        declared += math.prod(map(int, file[name].shape)) * file[name].id.get_type().get_size()
        stored += file[name].id.get_storage_size()
        if max_bytes is not None and declared > max_bytes:
            raise OdekitFileError(f"{path}: {declared} bytes of data up to {name!r}, more than max_bytes = {max_bytes}")
        if declared > _TRUSTED_BYTES and declared > _LARGEST_RATIO * stored:
            raise OdekitFileError(f"{path}: {declared} bytes declared up to {name!r}, but only {stored} stored")


def _check_dataset(path, name, dataset):
    """Refuse a dataset that is unsafe to read."""
    stored_type, plist = dataset.id.get_type(), dataset.id.get_create_plist()
    if dataset.id.get_space().get_simple_extent_type() == h5s.NULL:
        raise OdekitFileError(f"{path}: {name!r} is empty")
    if stored_type.get_class() not in (h5t.INTEGER, h5t.FLOAT, h5t.STRING):
        raise OdekitFileError(f"{path}: {name!r} holds neither numbers nor text")
    if dataset.is_virtual or plist.get_external_count():
        raise OdekitFileError(f"{path}: the data of {name!r} is in another file; that is not read")
    if any(plist.get_filter(i)[0] not in _FILTERS for i in range(plist.get_nfilters())):
        raise OdekitFileError(f"{path}: {name!r} is compressed by an unknown method, expected gzip")
    if dataset.ndim > _MAX_RANK:
        raise OdekitFileError(f"{path}: {name!r} has {dataset.ndim} dimensions, expected at most {_MAX_RANK}")
    if dataset.chunks and math.prod(dataset.chunks) * stored_type.get_size() > _MAX_CHUNK_BYTES:
        raise OdekitFileError(f"{path}: the chunks of {name!r} are too large")
