"""Parts of kernels: compiled into what calls them, never by themselves.

Numba optimises every function that another one calls, gives it a wrapper for Python, compiles both to machine code, and then
does the same again with what the caller has inlined: for a tree of calls that is most of the time of a cold start, spent on
code that nobody runs. A part stops before that: it stays as it was written down, is linked into its caller, and is optimised
and compiled there, once. Called from Python it is compiled like any other function. The kernel at the root of such a tree is
optimised in one run as well (`KernelCompiler`).
"""

import functools

from llvmlite import binding
from numba import njit, types
from numba.core import config
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.environment import lookup_environment
from numba.core.registry import CPUDispatcher

from ._shipped import is_recording

OPTIMISATION = 2  # LLVM's level for kernels; 3 takes a quarter longer and gives the same speed. Measured.


class _PartLibrary(JITCodeLibrary):
    """LLVM code that waits for the library which it is linked into."""

    apart = False

    def add_ir_module(self, ir_module):
        """Take up a function, with the word that it stays one if it is `apart`."""
        for function in ir_module.functions if self.apart else ():
            if function.blocks:  # once it is parsed, llvmlite 0.44 and 0.45 put the word in a wrong place
                function.attributes.add("noinline")
        super().add_ir_module(ir_module)

    def finalize(self):
        """Collect what it calls: no optimisation, no machine code."""
        self._raise_if_finalized()
        for library in dict.fromkeys(self._linking_libraries):
            if hasattr(self, "_reload_init"):  # from Numba 0.62 on
                self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalize_dynamic_globals()
        self._finalized = True

    def _optimize_functions(self, ll_module):
        ll_module.data_layout = self._codegen._data_layout


class _KernelLibrary(JITCodeLibrary):
    """LLVM code of a kernel and all that is in it.

    LLVM sees it once and as a whole. Numba's way, every function by itself and then all of them twice, takes three times as long, and
    so do unrolled loops: those that are hot are vectorised, which unrolls them, or are unrolled where they are written down.
    """

    def _optimize_functions(self, ll_module):
        ll_module.data_layout = self._codegen._data_layout

    bitcode = None  # of the whole before it was optimised, while kernels for a wheel are compiled

    def _optimize_final_module(self):
        if is_recording():
            self.bitcode = self._final_module.as_bitcode()
        optimise(self._final_module, self._codegen)


class _UserLibrary(JITCodeLibrary):
    """LLVM code of a kernel around a user's function, which may allocate and have short loops: optimised as Numba does.

    Its parts were not, and Numba gives no environment, where constants for messages lie, to what is not compiled by itself.
    """

    def _optimize_functions(self, ll_module):
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self):
        super()._optimize_functions(self._final_module)
        super()._optimize_final_module()

    def _finalize_specific(self):
        super()._finalize_specific()
        for variable in self._final_module.global_variables:
            environment = lookup_environment(variable.name)
            if environment is not None:
                self._codegen.set_env(variable.name, environment)


def optimise(module, codegen):
    """Optimise the LLVM module of a whole kernel."""
    options = binding.create_pipeline_tuning_options(speed_level=min(int(config.OPT), OPTIMISATION))
    options.loop_vectorization, options.slp_vectorization, options.loop_unrolling = True, False, False
    builder = binding.create_pass_builder(codegen._tm, options)
    builder.getModulePassManager().run(module, builder)


def finished(name, module, codegen):
    """Compile the LLVM module of a whole kernel.

    Parameters
    ----------
    name : str
    module : llvmlite ModuleRef
    codegen : numba codegen

    Returns
    -------
    tuple
        What ``codegen.unserialize_library`` takes.
    """
    module.name, module.data_layout = name, codegen._data_layout
    optimise(module, codegen)
    module.verify()
    return name, "object", (codegen._tm.emit_object(module), module.as_bitcode())


class PartCompiler(Compiler):
    """Numba's pipeline, ending in such a library."""

    apart = False

    def compile_extra(self, func):
        """Compile a Python function."""
        self.state.flags.no_compile = True
        self.state.library = _PartLibrary(self.state.targetctx.codegen(), func.__qualname__)
        self.state.library.apart = self.apart
        return super().compile_extra(func)


class KernelCompiler(Compiler):
    """The pipeline of functions that Python calls, or compiled code by their addresses."""

    library_class = _KernelLibrary

    def compile_extra(self, func):
        """Compile a Python function."""
        self.state.library = self.library_class(self.state.targetctx.codegen(), func.__qualname__)
        self.state.library.enable_object_caching()  # as Numba does with one of its own
        return super().compile_extra(func)


class UserCompiler(KernelCompiler):
    """The pipeline of kernels around functions of a user."""

    library_class = _UserLibrary


class _ApartCompiler(PartCompiler):
    """The same for functions that stay functions of their own."""

    apart = True


NO_WRAPPERS = {"nopython": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


class _PartDispatcher(CPUDispatcher):
    """A compiled function that other compiled functions call."""

    def __init__(self, py_func, locals=None, targetoptions=None, pipeline_class=PartCompiler):
        super().__init__(py_func, locals or {}, targetoptions, pipeline_class=pipeline_class)

    def add_overload(self, cres):
        """Tell callers which library to link."""
        entry = object()  # by which Numba knows it, in place of the address that it has not got
        self.targetctx.insert_user_function(entry, cres.fndesc, [cres.library])
        self.overloads[tuple(cres.signature.args)] = cres._replace(entry_point=entry)

    def get_call_template(self, args, kws):
        """What the type of a call is: constants make no version of their own."""
        return super().get_call_template([types.unliteral(arg) for arg in args], kws)

    @functools.cached_property
    def _whole(self):
        from ._kernel_cache import cached_njit  # which imports this module

        options = {key: value for key, value in self.targetoptions.items() if key not in NO_WRAPPERS}
        return cached_njit(**options)(self.py_func)

    def __call__(self, *args):
        """Call it from Python."""
        return self._whole(*args)

    @property
    def stats(self):
        """Hits and misses of the cache when it was called from Python."""
        return self._whole.stats


def part(apart=False, pipeline=None, **options):
    """Decorator for parts of kernels.

    Parameters
    ----------
    apart : bool
        Whether it stays a function of its own there: for loops that are called in many places and are long beside a call.
    pipeline : class, optional
        Derived from `PartCompiler`, where Numba's own pipeline does not do.
    **options
        Of ``numba.njit``, but for the cache: a part is kept on disk with the kernels that it is in.
    """
    if config.DISABLE_JIT:
        return njit(**options)
    pipeline = pipeline or (_ApartCompiler if apart else PartCompiler)
    return lambda function: _PartDispatcher(function, targetoptions={**options, **NO_WRAPPERS}, pipeline_class=pipeline)
