"""Kernels from the disk, without the modules that only the compiler needs.

Before Numba looks into its cache it imports everything that a compilation could ask for, SciPy's linear algebra among it: a
third of a second, for a kernel that takes milliseconds to load. Here the kernel comes first. What it calls in the process is
written beside it; if that is not all there, Numba's modules are imported after all, before it is linked.
"""

import contextlib

from llvmlite import binding
from numba import njit
from numba.core import caching, config
from numba.core.ccallback import CFunc
from numba.core.runtime import rtsys
from numba.core.sigutils import normalize_signature

from ._parts import KernelCompiler, finished
from ._shipped import is_recording, ship, shipped
from ._stamp import of_networks, processors, vector_registers


def outside(module):
    """Names of the functions and variables that a compiled LLVM module expects to find in the process."""
    values = (*module.functions, *module.global_variables)
    return sorted(value.name for value in values if value.is_declaration and not value.name.startswith("llvm."))


def _missing(names):
    return any(binding.address_of_symbol(name) is None for name in names)


def make_present(names, target_context):
    """Import what of Numba has to be there before a kernel is linked, and no more."""
    if _missing(names):
        rtsys.initialize(target_context)  # Numba's reference counts
    if _missing(names):
        target_context.refresh()


class _KernelFile(caching.CompileResultCacheImpl):
    def get_filename_base(self, fullname, abiflags):
        return f"{super().get_filename_base(fullname, abiflags)}-kernel"  # Numba cannot read it

    def reduce(self, cres):
        return outside(cres.library._final_module), super().reduce(cres)

    def rebuild(self, target_context, payload):
        names, payload = payload
        make_present(names, target_context)
        return super().rebuild(target_context, payload)


class _KernelCache(caching.FunctionCache):
    _impl_class = _KernelFile
    on_miss = None  # called without arguments before a kernel is compiled

    def load_overload(self, sig, target_context):
        with self._guard_against_spurious_io_errors():
            found = self._load_overload(sig, target_context)
            found = found or self._from_wheel(sig, target_context)
        if found is None and self.on_miss is not None:
            self.on_miss()
        return found

    def save_overload(self, sig, data):
        super().save_overload(sig, data)
        if is_recording() and data.library.bitcode is not None:
            key, payload = self._shipped_as(sig, data.target_context), self._impl.reduce(data)
            _, (_, *rest) = payload
            ship(key, (data.library.name, data.library.bitcode, rest))
            ship((*key, data.target_context.codegen().magic_tuple()), payload)

    def _from_wheel(self, sig, target_context):
        """A kernel that came with the package: its machine code, if there is any for this processor, or its bitcode, finished."""
        key = self._shipped_as(sig, target_context)
        for processor in processors(target_context.codegen()):
            payload = shipped((*key, processor))
            if payload is not None:
                return self._impl.rebuild(target_context, payload)
        found = shipped(key)
        if found is None:
            return None
        name, bitcode, rest = found
        module = binding.parse_bitcode(bitcode)
        state = finished(name, module, target_context.codegen())
        payload = outside(module), (state, *rest)
        with contextlib.suppress(OSError):  # a read-only folder
            self._impl.locator.ensure_cache_path()
            self._cache_file.save(self._index_key(sig, target_context.codegen()), payload)
        return self._impl.rebuild(target_context, payload)

    def _shipped_as(self, sig, target_context):
        """Under what a kernel is shipped: not what Numba knows of the processor, but the vectors for which products are written."""
        signature, _, (_, closure) = self._index_key(sig, target_context.codegen())
        vectors = vector_registers() if of_networks(self._py_func.__code__.co_filename) else None
        return self._impl.filename_base, str(signature), closure, vectors


def cached_njit(**options):
    """Decorator ``numba.njit(cache=True)`` whose kernels are loaded so.

    Parameters
    ----------
    **options
        Of ``numba.njit``, but for the cache.
    """

    def decorate(function):
        if config.DISABLE_JIT:
            return njit(**options)(function)
        dispatcher = njit(**options, pipeline_class=KernelCompiler)(function)
        dispatcher._cache = _KernelCache(function)
        return dispatcher

    return decorate


def cached_cfunc(signature, function, on_miss, **options):
    """The same for ``numba.cfunc(signature, cache=True)(function)``; `on_miss` is called before it is compiled, or is None."""
    compiled = CFunc(
        function, normalize_signature(signature), locals={}, options=options, pipeline_class=KernelCompiler
    )
    compiled._cache = _KernelCache(function)
    compiled._cache.on_miss = on_miss
    compiled.compile()
    return compiled
