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

import contextlib
import ctypes
import functools
import hashlib
import linecache
import pathlib
import sys

import numpy as np
from llvmlite import ir
from numba import carray, cfunc, njit, types
from numba.core import caching, cgutils, config
from numba.extending import intrinsic
from numba.misc.appdirs import AppDirs
from numba.np.arrayobj import make_array, populate_array

JIT_DISABLED = bool(config.DISABLE_JIT)

#: Reassociation-free fast math: fused multiply-add and reciprocals, but NaN and infinity keep their meaning, because
#: step rejection relies on them.
FASTMATH = {"contract", "arcp", "nsz"}
#: ``error_model="numpy"``: x/0 is inf, without a branch and an exception exit at each division.
KERNEL_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": FASTMATH}
#: For steppers and drivers, which see arrays only through the views below: no reference counts (66 calls in a step of tsit5
#: otherwise, half of its time), and an allocation is an error when they are compiled.
CORE_OPTIONS = {**KERNEL_OPTIONS, "_nrt": False}

_PACKAGE = pathlib.Path(__file__).parent
_GENERATED = "<odekit "  # how the file name of generated source begins

float64_array = types.Array(types.float64, 1, "C")
_f8p = types.CPointer(types.float64)
_i8p = types.CPointer(types.int64)

#: ``int32 f(double t, const double *y, double *dy, const double *p)``: a vector field, its Jacobian (row by row) or a
#: list of event functions.
SCALAR_SIGNATURE = types.int32(types.float64, _f8p, _f8p, _f8p)
#: ``int64 step(int64 *fn, int64 *iw, double *w, double *p)``: one attempt of a method, or its dense output.
STEP_SIGNATURE = types.int64(_i8p, _i8p, _f8p, _f8p)


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
    sources = [_PACKAGE / "_jit.py", *_PACKAGE.glob("solvers/*.py")]
    if networks:
        sources += [_PACKAGE / "vmath.py", *_PACKAGE.glob("nn/*.py")]
    for path in sorted(sources):
        digest.update(path.read_bytes())
    return digest.hexdigest()


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
        path = pathlib.Path(self._py_file)
        return package_stamp(networks=path.name == "vmath.py" or path.parent.name == "nn")

    def get_disambiguator(self):
        return str(self._lineno)

    @classmethod
    def from_function(cls, py_func, py_file):
        if not (py_file.startswith(_GENERATED) or pathlib.Path(py_file).is_relative_to(_PACKAGE)):
            return None
        self = cls(py_func, py_file)
        try:
            self.ensure_cache_path()
        except OSError:  # a read-only home: Numba's own locators may still find a place
            return None
        return self


if _PackageCacheLocator not in caching.CacheImpl._locator_classes:
    caching.CacheImpl._locator_classes.insert(0, _PackageCacheLocator)


#: Decorator of every kernel that other kernels or Python call directly: ``@kernel``.
kernel = njit(**KERNEL_OPTIONS)
#: The same for kernels that neither allocate nor return arrays: ``@core``.
core = njit(**CORE_OPTIONS)
#: The same for parts of a hot loop: a call would pass every array as seven numbers.
inlined_core = njit(**CORE_OPTIONS, forceinline=True)


def exec_source(source, name, namespace):
    """Execute generated source and return the function `name` of it.

    The file name that it gets carries a hash of the source, and so does the function's name, so that two generated
    functions never share a symbol.

    Parameters
    ----------
    source : str
        Python source that defines a function called `name`.
    name : str
    namespace : dict
        Globals of the source.

    Returns
    -------
    function
    """
    fingerprint = hashlib.sha256(source.encode()).hexdigest()[:12]
    filename = f"{_GENERATED}{name} {fingerprint}>"
    # numba rebuilds a cached function's environment by importing this module name
    scope = {**namespace, "__name__": __name__}
    exec(compile(source, filename, "exec"), scope)
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    function = scope[name]
    function.__name__ = function.__qualname__ = f"{name}_{fingerprint}"
    return function


# ---------------------------------------------------------------------------------------------------------------------
# functions -> addresses

_announcement = []  # not empty once the line below has been printed in this process


@contextlib.contextmanager
def announced(name):
    """Compile something inside; on a machine that has not compiled it before, say so in one line.

    Parameters
    ----------
    name : str
        Of the kernel: a small marker file in the cache folder remembers it.
    """
    marker = cache_directory() / f"{package_stamp()[:16]}-{name}"
    new = not marker.exists()
    if new and not _announcement:
        _announcement.append(name)
        print(
            "odekit: compiling solvers for this machine, once, in some seconds (odekit.precompile() does it ahead of time)",
            file=sys.stderr,
            flush=True,
        )
    yield
    if new:
        with contextlib.suppress(OSError):  # a read-only cache folder
            marker.parent.mkdir(parents=True, exist_ok=True)
            marker.touch()


_functions = {}  # address -> what must stay alive: a CFunc, a ctypes callback, or (JIT disabled) the Python function


def cfunc_address(function, signature, cache=True, **options):
    """Compile a function over pointers as a C callback and return its address.

    Parameters
    ----------
    function : function
    signature : numba signature
        `SCALAR_SIGNATURE` or `STEP_SIGNATURE`, for example.
    cache : bool
        Whether to keep the compiled code on disk. Only for functions of the package itself or generated from it.
    **options
        Override single entries of the options of `cfunc`.

    Returns
    -------
    int
        Valid for the life of the process.
    """
    return _register_cfunc(cfunc(signature, **{**KERNEL_OPTIONS, "cache": cache, **options})(function))


def _register_cfunc(compiled):
    _functions[compiled.address] = compiled
    return compiled.address


def python_address(function):
    """With the JIT disabled: a key under which `call_step` finds a Python function."""
    key = id(function)
    _functions[key] = function
    return key


SCALAR_CTYPE = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_double, *[ctypes.POINTER(ctypes.c_double)] * 3)


def python_callback(function, n_in, n_out):
    """Address through which compiled code calls a Python function ``function(t, y, out) -> int``.

    Parameters
    ----------
    function : callable
        Receives `t` and two float64 arrays, of lengths `n_in` and `n_out`; fills the second; returns a status. It must
        not raise: ctypes would print the exception and go on.
    n_in, n_out : int

    Returns
    -------
    address : int
    keep_alive : object
        The address is valid as long as this object lives.
    """

    def callback(t, y, out, _p):
        return function(t, _pointer_to_array(y, n_in), _pointer_to_array(out, n_out))

    trampoline = SCALAR_CTYPE(callback)
    return ctypes.cast(trampoline, ctypes.c_void_p).value, trampoline


def _pointer_to_array(pointer, size):
    if size == 0:
        return np.empty(0)
    return np.ctypeslib.as_array(pointer, (size,))


# ---------------------------------------------------------------------------------------------------------------------
# addresses -> calls, and unchecked views, in compiled code

_double = ir.DoubleType()
_long = ir.IntType(64)


def _data(context, builder, kind, value):
    """Pointer to the data of an array, or a pointer itself."""
    return make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value


def _call_at(builder, address, return_type, argument_types, arguments):
    function_type = ir.FunctionType(return_type, argument_types)
    return builder.call(builder.inttoptr(address, function_type.as_pointer()), arguments)


@intrinsic
def _call_scalar(typingctx, address, t, y, dy, p):
    signature = types.int32(types.int64, types.float64, y, dy, p)

    def codegen(context, builder, signature, args):
        arrays = [_data(context, builder, ty, v) for ty, v in zip(signature.args[2:], args[2:], strict=True)]
        pointer = _double.as_pointer()
        return _call_at(builder, args[0], ir.IntType(32), [_double, pointer, pointer, pointer], [args[1], *arrays])

    return signature, codegen


@intrinsic
def _call_step(typingctx, address, fn, iw, w, p):
    signature = types.int64(types.int64, fn, iw, w, p)

    def codegen(context, builder, signature, args):
        arrays = [_data(context, builder, ty, v) for ty, v in zip(signature.args[1:], args[1:], strict=True)]
        kinds = [_long.as_pointer(), _long.as_pointer(), _double.as_pointer(), _double.as_pointer()]
        return _call_at(builder, args[0], _long, kinds, arrays)

    return signature, codegen


def _build_view(context, builder, array_type, data, shape):
    """An array of `array_type` over memory that somebody else keeps alive: no bounds, no reference count."""
    itemsize = array_type.dtype.bitwidth // 8
    value = make_array(array_type)(context, builder)
    strides, step = [], ir.Constant(_long, itemsize)
    for extent in reversed(shape):
        strides.insert(0, step)
        step = builder.mul(step, extent)
    pointer = builder.bitcast(data, context.get_data_type(array_type.dtype).as_pointer())
    populate_array(value, pointer, shape, strides, ir.Constant(_long, itemsize), None)
    return value._getvalue()


def _view_intrinsic(element, ndim):
    """An intrinsic ``view(base, offset, shape...)`` on the float64 array or pointer `base`."""

    def build(typingctx, base, offset, *shape):
        array_type = types.Array(element, ndim, "C")
        signature = array_type(base, types.int64, *[types.int64] * ndim)

        def codegen(context, builder, signature, args):
            start = builder.gep(_data(context, builder, signature.args[0], args[0]), [args[1]])
            return _build_view(context, builder, array_type, start, args[2:])

        return signature, codegen

    if ndim == 1:
        return intrinsic(lambda typingctx, base, offset, n: build(typingctx, base, offset, n))
    return intrinsic(lambda typingctx, base, offset, m, n: build(typingctx, base, offset, m, n))


def state_view_intrinsics(header, n_index, n_vectors, rows_index):
    """Intrinsics that view parts of a state array `w`, whose sizes stand in the int64 array `iw`.

    Parameters
    ----------
    header : int
        Floats before the first vector.
    n_index, rows_index : int
        Where `iw` holds the length of a vector, and the number of rows of the matrix.
    n_vectors : int
        Number of vectors between the header and the matrix.

    Returns
    -------
    vector, matrix : intrinsics
        ``vector(iw, w, k)``: the k-th vector; ``matrix(iw, w)``: the matrix behind the vectors.
    """

    def part(context, builder, signature, args, k, rows):
        iw, w = (_data(context, builder, ty, v) for ty, v in zip(signature.args[:2], args[:2], strict=True))
        n = builder.load(builder.gep(iw, [ir.Constant(_long, n_index)]))
        start = builder.gep(w, [builder.add(ir.Constant(_long, header), builder.mul(k, n))])
        shape = [builder.load(builder.gep(iw, [ir.Constant(_long, i)])) for i in rows] + [n]
        return _build_view(context, builder, signature.return_type, start, shape)

    @intrinsic
    def vector(typingctx, iw, w, k):
        def codegen(context, builder, signature, args):
            return part(context, builder, signature, args, args[2], [])

        return float64_array(iw, w, types.int64), codegen

    @intrinsic
    def matrix(typingctx, iw, w):
        def codegen(context, builder, signature, args):
            return part(context, builder, signature, args, ir.Constant(_long, n_vectors), [rows_index])

        return types.Array(types.float64, 2, "C")(iw, w), codegen

    return vector, matrix


if JIT_DISABLED:

    def call_scalar(address, t, y, dy, p):
        """Call a scalar kernel by its address; returns its status."""
        pointers = [a.ctypes.data_as(ctypes.POINTER(ctypes.c_double)) for a in (y, dy, p)]
        return SCALAR_CTYPE(int(address))(t, *pointers)

    def call_step(address, fn, iw, w, p):
        """Call a stepper or dense-output kernel by its address; returns its code."""
        return _functions[int(address)](fn, iw, w, p)

    def view1(base, offset, n):
        """View of `n` numbers from `offset` on."""
        return base[offset : offset + n]

    def view2(base, offset, m, n):
        """View of an (m, n) matrix from `offset` on."""
        return base[offset : offset + m * n].reshape(m, n)

    def view1c(base, offset, n):
        """View of `n` complex numbers, each two floats, from `offset` on."""
        return base[offset : offset + 2 * n].view(np.complex128)

    def view2c(base, offset, m, n):
        """View of an (m, n) complex matrix from `offset` on."""
        return base[offset : offset + 2 * m * n].view(np.complex128).reshape(m, n)

else:
    call_scalar, call_step = _call_scalar, _call_step
    view1, view2 = _view_intrinsic(types.float64, 1), _view_intrinsic(types.float64, 2)
    view1c, view2c = _view_intrinsic(types.complex128, 1), _view_intrinsic(types.complex128, 2)
