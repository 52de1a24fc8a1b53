"""How odekit compiles kernels, calls them by address and caches them on disk.

One decorator for every kernel, one way to turn a kernel into an address, one way to compile generated source. The rules
behind it:

* A driver receives *addresses* of other kernels, never Numba dispatchers: a dispatcher given as an argument is never
  found again in the disk cache by the next process, an address always is.
* Cached code is stamped with a hash of all kernel sources of the package (and Numba's own version): Numba alone watches
  only the file that defines a function, and would serve a stale kernel after an edit in a file that it calls.
* Two cached functions with the same qualified name and different bodies can be merged by the linker (Numba #10486).
  Generated kernels therefore carry a fingerprint of their source in their name.
* With ``NUMBA_DISABLE_JIT=1`` everything runs as plain Python: an "address" is then a key into a table of functions.
"""

import _thread
import ctypes
import hashlib
import linecache
import pathlib
import sys
import traceback

import numpy as np
from numba import cfunc, njit, typeof, types
from numba.core import caching, config
from numba.misc.appdirs import AppDirs

from ._address import SCALAR_CTYPE, call_kernel, call_matrix, call_scalar, call_solve, call_step, functions
from ._kernel_cache import cached_cfunc, cached_njit
from ._parts import part
from ._stamp import GENERATED, GENERATED_NETWORK, PACKAGE, of_networks, package_stamp
from ._views import (
    JIT_DISABLED,
    memory_float,
    memory_int,
    single,
    state_view_intrinsics,
    tail,
    view1,
    view1c,
    view1d,
    view1i,
    view2,
    view2c,
    view3,
)

__all__ = [
    "JIT_DISABLED", "SCALAR_CTYPE", "call_kernel", "call_matrix", "call_scalar", "call_solve", "call_step", "functions",
    "memory_float", "memory_int", "package_stamp", "part", "single", "state_view_intrinsics", "tail", "view1", "view1c", "view1d", "view1i", "view2",
    "view2c", "view3",
]  # fmt: skip

#: Reassociation-free fast math: fused multiply-add and reciprocals, but NaN and infinity keep their meaning, because
#: step rejection relies on them.
FASTMATH = {"contract", "arcp", "nsz"}
#: ``error_model="numpy"``: x/0 is inf, without a branch and an exception exit at each division.
UNCACHED_OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": FASTMATH}
KERNEL_OPTIONS = {"cache": True, **UNCACHED_OPTIONS}
#: For steppers and drivers, which see arrays only through the views below: no reference counts (66 calls in a step of tsit5
#: otherwise, half of its time), and an allocation is an error when they are compiled.
CORE_OPTIONS = {**KERNEL_OPTIONS, "_nrt": False}
#: The same for what only other kernels call, see `odekit._parts`.
PART_OPTIONS = {key: value for key, value in CORE_OPTIONS.items() if key != "cache"}

_f8p = types.CPointer(types.float64)
_i8p = types.CPointer(types.int64)

#: ``int32 f(double t, const double *y, double *dy, const double *p)``: a vector field, its Jacobian (row by row) or a
#: list of event functions.
SCALAR_SIGNATURE = types.int32(types.float64, _f8p, _f8p, _f8p)
#: ``int64 step(int64 *fn, int64 *iw, double *w, double *p)``: one attempt of a method, or its dense output.
STEP_SIGNATURE = types.int64(_i8p, _i8p, _f8p, _f8p)
#: ``int64 f(int64 *fn, int64 *iw, double *w, double *p, double *b, int64 matrix)``: factorises, or solves for b in place.
MATRIX_SIGNATURE = types.int64(_i8p, _i8p, _f8p, _f8p, _f8p, types.int64)
#: ``int64 f(int64 *plan, int64 *iw, double *w, double *p, double *log, double *t, double *y, int64 m)``: a whole solve.
WHOLE_SIGNATURE = types.int64(_i8p, _i8p, _f8p, _f8p, _f8p, _f8p, _f8p, types.int64)


def cache_directory():
    """Folder of the compiled kernels: ``$NUMBA_CACHE_DIR/odekit`` if that is set, else the user's cache folder.

    Returns
    -------
    pathlib.Path
    """
    base = config.CACHE_DIR or AppDirs(appname="numba", appauthor=False).user_cache_dir
    return pathlib.Path(base) / "odekit"


class _PackageCacheLocator(caching._CacheLocator):
    """Tells Numba where the package's own kernels and generated kernels are cached, and when they are fresh."""

    def __init__(self, py_func, py_file):
        self._py_file = py_file
        self._lineno = py_func.__code__.co_firstlineno

    def get_cache_path(self):
        return str(cache_directory())

    def get_source_stamp(self):
        return package_stamp(of_networks(self._py_file))

    def get_disambiguator(self):
        return str(self._lineno)

    @classmethod
    def from_function(cls, py_func, py_file):
        if not (py_file.startswith(GENERATED) or pathlib.Path(py_file).is_relative_to(PACKAGE)):
            return None
        self = cls(py_func, py_file)
        try:
            self.ensure_cache_path()
        except OSError:  # a read-only home: Numba's own locators may still find a place
            return None
        return self


if _PackageCacheLocator not in caching.CacheImpl._locator_classes:
    caching.CacheImpl._locator_classes.insert(0, _PackageCacheLocator)


#: Decorator of every kernel that Python calls directly: ``@kernel``.
kernel = cached_njit(**UNCACHED_OPTIONS, no_cfunc_wrapper=True)
#: For what other kernels call, and what neither allocates nor returns arrays: ``@core``.
core = part(**PART_OPTIONS)
#: The same for parts of a hot loop: a call would pass every array as seven numbers.
inlined_core = part(**PART_OPTIONS, forceinline=True)
#: The same for sums of many terms, whose order is the machine's: else each addition waits for the one before.
summing_core = part(**{**PART_OPTIONS, "fastmath": FASTMATH | {"reassoc"}}, forceinline=True)
#: The same for loops that are faster where LLVM optimises them twice, by themselves and then in their caller (the solves of
#: narrow bands take 3.1 us for a thousand unknowns, else 4.9).
loop_core = njit(**CORE_OPTIONS, forceinline=True)
#: The same for loops over many numbers that are called in many places: each is compiled once, not in each place.
core_apart = part(**PART_OPTIONS, forceinline=False, apart=True)  # False: else a caller hands its own on
#: The same for functions that return views, which no call without reference counts can: their source is put in place of the call.
view_maker = njit(**CORE_OPTIONS, inline="always")


def digest(source):
    """Fingerprint of generated source."""
    return hashlib.sha256(source.encode()).hexdigest()[:12]


def exec_source(source, name, namespace, networks=False, defined=None):
    """Execute generated source and return the function `name` of it.

    The file name that it gets carries a hash of the source, and so does the function's name, so that two generated
    functions never share a symbol.

    Parameters
    ----------
    source : str
        Python source that defines a function.
    name : str
        Beginning of the name that the function gets.
    namespace : dict
        Globals of the source.
    networks : bool
        Whether it calls kernels of the networks.
    defined : str, optional
        What the source calls the function; default: `name`.

    Returns
    -------
    function
    """
    fingerprint = digest(source)
    filename = f"{GENERATED_NETWORK if networks else GENERATED}{name} {fingerprint}>"
    # numba rebuilds a cached function's environment by importing this module name
    scope = {**namespace, "__name__": __name__}
    exec(compile(source, filename, "exec"), scope)
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    function = scope[defined or name]
    function.__name__ = function.__qualname__ = f"{name}_{fingerprint}"
    return function


# ---------------------------------------------------------------------------------------------------------------------
# functions -> addresses

_announced = []  # not empty once the line below has been printed in this process


def _announce():
    """Say in one line that a solver is compiled, which is on disk neither from before nor from the wheel."""
    if not _announced:
        _announced.append(True)
        print(
            "odekit: compiling solvers for this machine, once, in some seconds (odekit.precompile() does it ahead of time)",
            file=sys.stderr,
            flush=True,
        )


def cfunc_address(function, signature, cache=True, announced=False, **options):
    """Compile a function over pointers as a C callback and return its address.

    Parameters
    ----------
    function : function
    signature : numba signature
        `SCALAR_SIGNATURE` or `STEP_SIGNATURE`, for example.
    cache : bool
        Whether to keep the compiled code on disk. Only for functions of the package itself or generated from it.
    announced : bool
        Whether to tell the user where it is not there yet.
    **options
        Override single entries of the options of `cfunc`.

    Returns
    -------
    int
        Valid for the life of the process.
    """
    options = {key: value for key, value in {**KERNEL_OPTIONS, **options}.items() if key != "cache"}
    if cache:
        return _register_cfunc(cached_cfunc(signature, function, _announce if announced else None, **options))
    return _register_cfunc(cfunc(signature, **options)(function))


def kernel_address(kernel, arguments):
    """Address of a kernel with Numba's own calling convention, for `call_kernel`: so a driver need not contain it once more.

    Parameters
    ----------
    kernel : function
        Decorated by `kernel`; it returns an int64.
    arguments : tuple
        Arguments of the types that it will get.

    Returns
    -------
    int
        Valid for the life of the process.
    """
    if JIT_DISABLED:
        return python_address(kernel)
    kinds = tuple(typeof(argument) for argument in arguments)
    if kinds not in kernel.overloads:
        kernel.compile(kinds)
    compiled = kernel.overloads[kinds]
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)


def _register_cfunc(compiled):
    """Keep a compiled callback alive; its address."""
    functions[compiled.address] = compiled
    return compiled.address


#: C type of a kernel of `STEP_SIGNATURE`.
STEP_CTYPE = ctypes.CFUNCTYPE(
    ctypes.c_int64, *[ctypes.POINTER(ctypes.c_int64)] * 2, *[ctypes.POINTER(ctypes.c_double)] * 2
)


_stand_ins = []  # kept alive


def on_demand(find, place, failure):
    """Address of a stand-in for a kernel of `STEP_SIGNATURE` that is compiled when it is first called.

    Parameters
    ----------
    find : callable
        Returns the address of the kernel.
    place : int
        Where the kernel's address belongs in its first argument: the stand-in puts it there.
    failure : int
        What is returned if the compilation fails, or if Ctrl-C stops it, which then arrives as soon as Python runs again.

    Returns
    -------
    int
        Valid for the life of the process.
    """

    def stand_in(fn, iw, w, p):
        try:
            fn[place] = find()
            return STEP_CTYPE(fn[place])(fn, iw, w, p)
        except BaseException as error:  # ctypes would print it and go on with zero
            if isinstance(error, KeyboardInterrupt):
                _thread.interrupt_main()
            else:
                traceback.print_exc()
            return failure

    callback = STEP_CTYPE(stand_in)
    _stand_ins.append(callback)
    return ctypes.cast(callback, ctypes.c_void_p).value


def python_address(function):
    """With the JIT disabled: a key under which `call_step` finds a Python function."""
    key = id(function)
    functions[key] = function
    return key


def python_callback(function, n_in, n_out, n_params=0):
    """Address through which compiled code calls a Python function ``function(t, y, out, p) -> int``.

    Parameters
    ----------
    function : callable
        Receives `t` and float64 arrays of lengths `n_in`, `n_out` and `n_params`; fills the second; returns a status. It
        must not raise: ctypes would print the exception and go on.
    n_in, n_out, n_params : int

    Returns
    -------
    address : int
    keep_alive : object
        The address is valid as long as this object lives.
    """

    def callback(t, y, out, p):
        return function(t, _pointer_to_array(y, n_in), _pointer_to_array(out, n_out), _pointer_to_array(p, n_params))

    trampoline = SCALAR_CTYPE(callback)
    return ctypes.cast(trampoline, ctypes.c_void_p).value, trampoline


def _pointer_to_array(pointer, size):
    """View (size,) of the numbers behind a ctypes pointer."""
    if size == 0:
        return np.empty(0)
    return np.ctypeslib.as_array(pointer, (size,))
