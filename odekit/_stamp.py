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


def hash_of(paths):
    """Hash of the contents of source files, in the order of their paths."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.read_bytes())
    return digest.hexdigest()


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
    names = "_jit _address _views _kernel_cache _parts _stamp _templates _solver_type compiled".split()
    sources = [*(PACKAGE / f"{name}.py" for name in names), *PACKAGE.glob("solvers/**/*.py")]
    if networks:
        sources += [path for folder in NETWORK_FOLDERS for path in PACKAGE.glob(f"{folder}/*.py")]
    return hash_of(sources)


def of_networks(py_file):
    """Whether a kernel from a source file, or from a generated one, depends on the networks' sources."""
    path = pathlib.Path(py_file)
    return path.parent.name in NETWORK_FOLDERS or path.name.startswith(GENERATED_NETWORK)


#: Kind of processors for which machine code is put into a wheel, by LLVM's name: nearly all of x86 since 2013. Measured on one of
#: them, gradients of networks take the same time as with code that was made for it. With vectors of 64 bytes it would not be so.
LEVEL = "x86-64-v3"
_LEVEL_FEATURES = ("avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "popcnt", "sse4.2", "xsave")


@functools.cache
def level():
    """What Numba is to be told of this processor so that its code runs on all of a kind.

    Returns
    -------
    dict
        Environment variables; none where there is no such kind, so that code is made for this processor alone.
    """
    features = binding.get_host_cpu_features() if vector_registers() == (32, False) else {}
    if not all(features.get(name) for name in _LEVEL_FEATURES):
        return {}
    return {"NUMBA_CPU_NAME": LEVEL, "NUMBA_CPU_FEATURES": ",".join(f"+{name}" for name in _LEVEL_FEATURES)}


def processors(codegen):
    """For what processors machine code runs in this process as fast as if it were made here.

    Parameters
    ----------
    codegen : numba codegen

    Returns
    -------
    tuple of tuple
        Each as from ``codegen.magic_tuple()``.
    """
    own, of_level = codegen.magic_tuple(), level()
    return own, (own[0], *of_level.values())


def vector_registers():
    """Bytes of a vector register, and whether there are 32 of them."""
    if not binding.get_process_triple().startswith(("x86", "i686", "amd64")):
        return 16, True
    features = binding.get_host_cpu_features()
    if features.get("avx512f"):
        return 64, True
    return (32 if features.get("avx2") else 16), False
