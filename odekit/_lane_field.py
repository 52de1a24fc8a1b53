"""A user's function as the fused lanes call it: on numbers, inlined, without memory.

``field(t, (y0, y1, ...), *args)`` becomes a function that takes and returns tuples, which live in registers, so that LLVM can
vectorise the loop over lanes around it. A function that writes into its third argument gets arrays on the stack, which
LLVM turns into registers where the indices are known. Elementary functions of `math` and `numpy` are replaced by those of
`odekit.vmath`, because a call of the C library would stop the vectoriser.
"""

import functools
import hashlib
import math

from llvmlite import ir as llvm
from numba import types
from numba.core import cgutils
from numba.core.compiler_machinery import register_pass
from numba.core.ir_utils import find_callname, guard
from numba.extending import intrinsic

from . import _jit, vmath
from ._capture import renamed
from ._fingerprint import fingerprint
from ._parts import PartCompiler
from ._passes import ReplaceCalls, compiler
from ._returns import ReturnTuples
from ._stamp import PACKAGE, hash_of
from ._templates import Filling, keep
from ._views import build_view, float64_array
from ._wrapper_source import Unsupported, parameters_size
from .solvers.lane_parameters import MOST

#: Contraction lets multiplications and additions fuse; everything else stays as the user wrote it.
FIELD_OPTIONS = {"error_model": "numpy", "nogil": True, "fastmath": {"contract"}, "forceinline": True}
_MODULES = ("math", "numpy")
#: NumPy's names for functions that `math` calls otherwise.
_OTHER_NAMES = {"arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh", "arccosh": "acosh",
                "arctanh": "atanh"}  # fmt: skip
#: Whether an elementary function is replaced is decided by its name, so that a new one in `vmath` is taken up by itself.
_ELEMENTARY = frozenset(
    "exp expm1 log log1p log2 log10 sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh cbrt exp2 hypot".split()
)
_LONGEST_ARRAY = 64  # an argument that is a longer vector would take too many registers

part_compiler = functools.partial(compiler, base=PartCompiler)

_known: dict = {}  # identity -> field, so that a second call with the same function finds its kernel


def _replacement(name):
    name = _OTHER_NAMES.get(name, name)
    return getattr(vmath, name, None) if name in _ELEMENTARY else None


@register_pass(mutates_CFG=False, analysis_only=False)
class UseVmath(ReplaceCalls):
    """Replace calls of elementary functions of `math` and `numpy`."""

    _name = "odekit_use_vmath"

    def replacement(self, func_ir, call):
        """The function of `odekit.vmath` of the same name, if there is one."""
        found = guard(find_callname, func_ir, call)
        return _replacement(found[0]) if found and found[1] in _MODULES else None


_COMPILERS = {True: part_compiler(ReturnTuples, UseVmath), False: part_compiler(ReturnTuples)}


@intrinsic
def stack_array(typingctx, size):
    """An uninitialised float64 array of a literal size on the stack of the calling function."""
    if not isinstance(size, types.IntegerLiteral):
        return None
    return float64_array(size), on_stack(float64_array, size.literal_value)


def on_stack(array, *shape):
    """Code generator of an intrinsic that gives an uninitialised array on the stack of the calling function.

    Parameters
    ----------
    array : numba types.Array
        In C order.
    *shape : int
        One length for each of its dimensions.
    """

    def codegen(context, builder, signature, args):
        element = context.get_data_type(array.dtype)
        memory = cgutils.alloca_once(builder, llvm.ArrayType(element, math.prod(shape)))
        pointer = builder.bitcast(memory, element.as_pointer())
        return build_view(context, builder, array, pointer, [llvm.Constant(llvm.IntType(64), n) for n in shape])

    return codegen


def unpacked(structure):
    """Source of the arguments from the numbers ``p0, p1, ...``.

    Parameters
    ----------
    structure : tuple
        Of the arguments, from `odekit._arguments.pack`.

    Returns
    -------
    list of str

    Raises
    ------
    Unsupported
        For an argument that does not fit into registers.
    """
    expressions, k = [], 0
    for kind, *shape in structure:
        if kind == "array":
            if len(shape[0]) != 1 or shape[0][0] > _LONGEST_ARRAY:
                raise Unsupported(f"an argument is an array of shape {shape[0]}")
            expressions.append("(" + "".join(f"p{k + i}, " for i in range(shape[0][0])) + ")")
            k += shape[0][0]
            continue
        if kind == "complex_array":
            raise Unsupported("an argument is an array of complex numbers")
        template = {"bool": "p{0} != 0.0", "int": "int(p{0})", "float": "p{0}", "complex": "complex(p{0}, p{1})"}
        expressions.append(template[kind].format(k, k + 1))
        k += 2 if kind == "complex" else 1
    if k > MOST:
        raise Unsupported(f"the arguments are {k} numbers, and lanes have room for {MOST}")
    return expressions


def registers_only(pipeline):
    """How functions of a user are compiled into a lane, for `odekit._capture.renamed`.

    Parameters
    ----------
    pipeline : class
        From `part_compiler`.
    """
    return lambda copy, original: _jit.part(**FIELD_OPTIONS, pipeline=pipeline)(copy)


def lane_function(function, n, structure, in_place=False, with_vmath=True, number=False):
    """The function that generated code calls for one lane.

    Parameters
    ----------
    function : function or Numba dispatcher
    n : int
        Dimension of the state.
    structure : tuple
        Of the arguments.
    in_place : bool
        Whether it writes into its third argument.
    with_vmath : bool
        Whether to replace elementary functions.
    number : bool
        Whether it gives one number, as an event function does.

    Returns
    -------
    field : Filling
        ``field(t, y0, ..., parameters, stride) -> (f0, ..., raised)``; `raised` is 0 or 1.
    identity : str
        A fingerprint of all that goes into it.

    Raises
    ------
    Unsupported
        If the function does not fit.
    odekit._fingerprint.Unknown
        If no fingerprint can be taken.
    """
    outputs = 1 if number else n
    arguments = unpacked(structure)
    identity = fingerprint(function)
    identity = digest(identity, repr(structure), n, in_place, with_vmath, number, stamp())
    if identity in _known:
        return _known[identity], identity
    user = renamed(function, f"field_{identity}", registers_only(_COMPILERS[with_vmath]))
    state = ", ".join(f"y{i}" for i in range(n))
    lines = [f"def lane_field(t, {state}, parameters, stride):", *load_lines(structure)]
    nothing = ", ".join(["math.nan"] * outputs)
    if in_place:
        lines += [f"    y, dy = stack_array({n}), stack_array({n})"]
        lines += [f"    y[{i}] = y{i}" for i in range(n)] + [f"    dy[{i}] = math.nan" for i in range(n)]
        call = f"user({', '.join(['t', 'y', 'dy', *arguments])})"
        values = ", ".join(f"dy[{i}]" for i in range(outputs))
    else:
        call = f"r = user({', '.join(['t', f'({state},)', *arguments])})"
        values = "float(r)" if number else ", ".join(f"float(r[{i}])" for i in range(n))
    # after each call inside of a try block Numba looks for an exception, which costs time to compile: there is one only
    lines += ["    try:", f"        {call}", "    except Exception:", f"        return {nothing}, 1"]
    lines += [f"    return {values}, 0"]
    source = f"# {identity}\n" + "\n".join(lines) + "\n"
    namespace = {"user": user, "math": math, "stack_array": stack_array}
    plain = _jit.exec_source(source, "lane_field", namespace)
    field = Filling(_jit.part(**FIELD_OPTIONS)(plain), lane_arguments(n), numbers_and_flag(outputs))
    return keep(_known, identity, field), identity


def lane_arguments(n):
    """Numba types of time, state, and where the parameters are: a pointer to the first one, and how far apart they lie."""
    return (types.float64,) * (1 + n) + (types.CPointer(types.float64), types.int64)


def load_lines(structure):
    """Source of the numbers ``p0, p1, ...`` from there."""
    return [f"    p{k} = parameters[{k} * stride]" for k in range(parameters_size(structure))]


def numbers_and_flag(count):
    """Numba type of so many numbers and a flag."""
    return types.Tuple((types.float64,) * count + (types.int64,))


@functools.cache
def stamp():
    """Hash of the package's sources that go into a kernel beyond those of the solvers."""
    patterns = ("_lane_*.py", "_capture.py", "_dual*.py", "_passes.py", "_returns.py", "_powers.py", "vmath/*.py")
    sources = [path for pattern in patterns for path in PACKAGE.glob(pattern)]
    return digest(_jit.package_stamp(), hash_of(sources))


def digest(*parts):
    """Fingerprint of anything that has a representation."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]
