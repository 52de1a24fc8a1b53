"""What the code of the package's kernels depends on: its sources, and for matrix products the vectors of the processor."""

import functools
import hashlib
import pathlib

from llvmlite import binding

PACKAGE = pathlib.Path(__file__).parent
GENERATED = "<odekit "  # how the file name of generated source begins
GENERATED_NETWORK = "<odekit nn "
#: Folders on whose kernels no solver depends.
NETWORK_FOLDERS = ("vmath", "nn", "adjoint")


@functools.cache
def package_stamp(networks=False):
    """Hash of the package's kernel sources; a cached kernel of another stamp is not used.

    Parameters
    ----------
    networks : bool
        Whether to include the networks, on which no solver depends.

    Returns
    -------
    str
    """
    digest = hashlib.sha256()
    names = ("_jit", "_address", "_kernel_cache", "_parts", "_stamp", "_templates", "_solver_type", "compiled")
    sources = [*(PACKAGE / f"{name}.py" for name in names), *PACKAGE.glob("solvers/**/*.py")]
    if networks:
        sources += [path for folder in NETWORK_FOLDERS for path in PACKAGE.glob(f"{folder}/*.py")]
    for path in sorted(sources):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def of_networks(py_file):
    """Whether a kernel from a source file, or from a generated one, depends on the networks' sources."""
    path = pathlib.Path(py_file)
    return path.parent.name in NETWORK_FOLDERS or path.name.startswith(GENERATED_NETWORK)


def vector_registers():
    """Bytes of a vector register, and whether there are 32 of them."""
    if not binding.get_process_triple().startswith(("x86", "i686", "amd64")):
        return 16, True
    features = binding.get_host_cpu_features()
    if features.get("avx512f"):
        return 64, True
    return (32 if features.get("avx2") else 16), False
