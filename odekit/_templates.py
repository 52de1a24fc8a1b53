"""Kernels with places for functions of the user, which are linked into them later.

From Python to LLVM's representation a kernel takes Numba many times as long as LLVM needs from there to machine code. Where the
user's function is called, a *template* calls a placeholder; it is compiled once for all functions, and kept on disk as LLVM's
bitcode. With the functions in their places LLVM inlines them and optimises the whole: the machine code is that of a kernel
which was written for them.
"""

import contextlib
import functools
import warnings
from typing import Any, NamedTuple

from llvmlite import binding
from numba import types
from numba.core import caching, cgutils
from numba.core.ccallback import CFunc
from numba.core.compiler_lock import global_compiler_lock
from numba.core.errors import NumbaWarning
from numba.core.registry import cpu_target
from numba.core.sigutils import normalize_signature
from numba.extending import intrinsic

from . import _jit
from ._kernel_cache import make_present, outside
from ._parts import PartCompiler, finished
from ._shipped import is_recording, ship, shipped

_ENTRY = "odekit_entry"  # what every template calls the function that is its kernel


class Filling(NamedTuple):
    """A function for a place in a template."""

    #: From `odekit._jit.part`.
    function: Any
    #: Numba types of what it takes.
    arguments: tuple
    #: Numba type of what it returns, a tuple.
    result: types.Type

    def placeholder(self, name):
        """What a template calls in its place, as a function for compiled code."""
        return _placeholder(name, self.arguments, self.result)

    def module(self, name):
        """LLVM module in which it has that name.

        Raises
        ------
        TypeError
            If it returns anything else.
        """
        with warnings.catch_warnings():  # about functions that then do not fit
            warnings.simplefilter("ignore", NumbaWarning)
            self.function.compile(self.arguments)
        compiled = self.function.overloads[self.arguments]
        returned = compiled.signature.return_type
        if types.Tuple([types.unliteral(part) for part in returned]) != self.result:
            raise TypeError(f"it returns {returned}, not {self.result}")
        module = compiled.library._get_module_for_linking().clone()
        module.get_function(compiled.fndesc.mangled_name).name = name
        return module


@functools.cache
def _placeholder(name, arguments, result):
    @intrinsic
    def placeholder(typingctx, *given):
        def codegen(context, builder, signature, args):
            convention = context.call_conv
            kind = convention.get_function_type(result, arguments)
            function = cgutils.get_or_insert_function(builder.module, kind, name)
            values = cgutils.unpack_tuple(builder, args[0], len(arguments))
            return convention.call_function(builder, function, result, arguments, values)[1]

        return result(types.StarArgTuple(arguments)), codegen

    return placeholder


class Shelf:
    """Place on disk for one result of a compilation; without a folder that can be written to, there is none.

    Parameters
    ----------
    name : str
    """

    def __init__(self, name):
        self.folder = _jit.cache_directory()
        self.file = caching.IndexDataCacheFile(str(self.folder), name, _jit.package_stamp())

    def load(self, key):
        """What was kept, or None."""
        with contextlib.suppress(OSError):
            return self.file.load(key)

    def save(self, key, data):
        """Keep it."""
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            self.file.save(key, data)


_KEPT = 64


def keep(known, key, value):
    """Remember a value, and forget the oldest where there are many; gives the value."""
    while len(known) >= _KEPT:
        del known[next(iter(known))]
    known[key] = value
    return value


_known: dict = {}  # name of a template -> its bitcode, of the last ones


def _bitcode(function, signature):
    """The template whose kernel is a Python function, from the disk if it is there."""
    name = function.__name__
    return _known[name] if name in _known else keep(_known, name, _find(function, signature))


def _find(function, signature):
    key = f"{function.__name__}-template"
    shelf, triple = Shelf(key), binding.get_process_triple()
    found = shelf.load(triple) or shipped(key)
    if found is None:
        compiled = CFunc(
            function, normalize_signature(signature), locals={}, options=_jit.PART_OPTIONS, pipeline_class=PartCompiler
        )._compile_uncached()
        compiled.library._ensure_finalized()
        module = compiled.library._final_module
        module.get_function(compiled.fndesc.llvm_cfunc_wrapper_name).name = _ENTRY
        found = module.as_bitcode()
        shelf.save(triple, found)
        if is_recording():
            ship(key, found)
    return found


def _link(function, signature, fillings, symbol):
    """Code of a template with functions in its places: what it expects in the process, and what Numba can load."""
    parts = [filling.module(name) for name, filling in fillings.items()]  # first, as one may not compile at all
    module = binding.parse_bitcode(_bitcode(function, signature))
    for part in parts:
        module.link_in(part)
    for part in (*module.functions, *module.global_variables):
        if not part.is_declaration:
            part.linkage = "internal"
    entry = module.get_function(_ENTRY)
    entry.name, entry.linkage = symbol, "external"
    state = finished(symbol, module, cpu_target.target_context.codegen())
    return outside(module), state


class Loaded:
    """A kernel, kept alive; it tells about itself as Numba's `CFunc` does."""

    def __init__(self, name, library, cache_hits):
        self.__name__, self.library, self.cache_hits = name, library, cache_hits


@global_compiler_lock
def linked_address(function, signature, fillings, identity):
    """Address of a kernel: a template with functions in its places.

    Parameters
    ----------
    function : function
        The template, whose name is its fingerprint; it calls the placeholders of `fillings` by their names.
    signature : numba signature
    fillings : dict
        Name: `Filling`.
    identity : str
        Fingerprint of the functions: kept on disk is what belongs to it.

    Returns
    -------
    int
        Valid for the life of the process.
    """
    context = cpu_target.target_context
    symbol = f"{function.__name__}_{_jit.digest(identity)}"
    shelf, key = Shelf(symbol), context.codegen().magic_tuple()
    found = shelf.load(key)
    hit = found is not None
    if not hit:
        found = _link(function, signature, fillings, symbol)
        shelf.save(key, found)
    names, state = found
    make_present(names, context)
    library = context.codegen().unserialize_library(state)
    address = library.get_pointer_to_function(symbol)
    _jit.functions[address] = Loaded(symbol, library, cache_hits=int(hit))
    return address
