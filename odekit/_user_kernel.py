"""Kernels around a function of the user, kept on disk like those of the package.

What is found again in the next process is found by a fingerprint of the function, of the functions that it calls and of
all values that compiled code freezes (`odekit._fingerprint`); a function of which none can be taken is compiled in each process.
"""

import functools
import itertools
import warnings

from numba.core.ccallback import CFunc
from numba.core.compiler import CompileResult
from numba.core.compiler_lock import global_compiler_lock
from numba.core.errors import NumbaWarning
from numba.core.registry import cpu_target
from numba.core.sigutils import normalize_signature
from numba.extending import is_jitted

from . import _jit
from ._capture import renamed, stays_itself
from ._fingerprint import Unknown, fingerprint
from ._kernel_cache import make_present, outside
from ._parts import NO_WRAPPERS, PartCompiler, UserCompiler
from ._passes import compiler
from ._powers import HalfPowers
from ._returns import ReturnTuples
from ._stamp import PACKAGE, hash_of
from ._templates import Loaded, Shelf

#: Options of the user's own functions: x/0 is inf as in NumPy.
USER_OPTIONS = {"error_model": "numpy", "nogil": True}
#: Without tuples where the returned array is also used as an array: then it must be one.
_PIPELINES = compiler(HalfPowers, ReturnTuples, base=PartCompiler), PartCompiler
_counter = itertools.count()


@global_compiler_lock
def user_address(function, arguments, write, key):
    """Address of a kernel of `odekit._jit.SCALAR_SIGNATURE` around a user's function.

    Parameters
    ----------
    function : function or Numba dispatcher
    arguments : tuple of numba types
        Of the call.
    write : callable
        ``write(returned)``: body of the kernel ``(t, y_, out_, p_)``, which calls ``user``, and what else it uses, for that
        Numba type of what the function returns.
    key : tuple or None
        What else the kernel depends on; has the same representation in every process. None: do not look for it on disk.

    Returns
    -------
    int
        Valid for the life of the process.

    Raises
    ------
    Exception
        Whatever Numba raises where the function does not compile.
    """
    context = cpu_target.target_context
    identity, found = None if key is None else _identity(function, arguments, key), None
    if identity is None:
        compiled = _compile(function, arguments, write, str(next(_counter)))
    else:
        shelf, processor = Shelf(f"user-{identity}"), context.codegen().magic_tuple()
        found = shelf.load(processor)
        if found is None:
            compiled = _compile(function, arguments, write, identity)
            reduced = compiled._reduce()  # first: it finishes the module
            shelf.save(processor, (outside(compiled.library._final_module), reduced))
        else:
            names, reduced = found
            make_present(names, context)
            compiled = CompileResult._rebuild(context, *reduced)
    name = compiled.fndesc.llvm_cfunc_wrapper_name
    address = compiled.library.get_pointer_to_function(name)
    _jit.functions[address] = Loaded(name, compiled, cache_hits=int(found is not None))
    return address


def _identity(function, arguments, key):
    try:
        parts = fingerprint(function), repr(arguments), repr(key), _stamp()
    except Unknown:
        return None
    return _jit.digest(repr(parts))


@functools.cache
def _stamp():
    """Hash of the package's sources that go into such a kernel."""
    names = ("_user_kernel", "_wrap", "_wrapper_source", "_arguments", "_capture", "_returns", "_passes", "_powers")
    sources = [
        *(PACKAGE / f"{name}.py" for name in names),
        *PACKAGE.glob("adjoint/complex_*.py"),
        *PACKAGE.glob("vmath/*.py"),
    ]
    return hash_of(sources)


def _compile(function, arguments, write, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NumbaWarning)
        user = _compiled_user(function, arguments, f"function_{name}")
        body, names = write(user.overloads[arguments].signature.return_type)
        source = f"def kernel_{name}(t, y_, out_, p_):\n{body}"
        wrapper = _jit.exec_source(source, f"kernel_{name}", {"user": user, **names})
        return CFunc(
            wrapper, normalize_signature(_jit.SCALAR_SIGNATURE), locals={}, options=USER_OPTIONS, pipeline_class=UserCompiler
        )._compile_uncached()  # fmt: skip


def _compiled_user(function, arguments, name):
    for pipeline in _PIPELINES:
        user = renamed(function, name, functools.partial(_part, pipeline))
        try:
            user.compile(arguments)
        except Exception:
            if pipeline is _PIPELINES[-1]:
                raise
        else:
            return user


def _part(pipeline, copy, original):
    """A copy of a user's function compiled as a part of the kernel, with the options of the original."""
    if not is_jitted(original):
        return _jit.part(**USER_OPTIONS, pipeline=pipeline)(copy)
    if stays_itself(original):
        return original
    options = {key: value for key, value in original.targetoptions.items() if key not in ("cache", *NO_WRAPPERS)}
    return _jit.part(**options, pipeline=pipeline)(copy)
