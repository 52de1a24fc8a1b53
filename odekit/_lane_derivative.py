"""The Jacobian of a user's function as the fused lanes call it: on numbers, inlined, without memory, by dual numbers."""

import math

from numba import types
from numba.core import ir
from numba.core.compiler_machinery import register_pass
from numba.core.ir_utils import find_callname, get_definition, guard
from numba.extending import intrinsic

from . import _jit, vmath
from ._capture import renamed
from ._dual import Dual, derivative, seed
from ._dual_functions import replacement
from ._fingerprint import fingerprint
from ._lane_field import (
    FIELD_OPTIONS,
    digest,
    lane_arguments,
    load_lines,
    on_stack,
    part_compiler,
    registers_only,
    stamp,
    unpacked,
)
from ._passes import ReplaceCalls
from ._powers import HalfPowers
from ._returns import ReturnTuples
from ._templates import Filling, keep
from ._wrap import reason
from ._wrapper_source import Unsupported

_MODULES = ("math", "numpy", "builtins")
_known: dict = {}  # fingerprint -> what `lane_jacobian` gives or raises, so that a second call finds its kernel
_VMATH = {id(getattr(vmath, name)): name for name in vmath.__all__}


@register_pass(mutates_CFG=False, analysis_only=False)
class UseDualFunctions(ReplaceCalls):
    """Replace calls of functions of `math`, `numpy`, `odekit.vmath` and the builtins by those that take dual numbers."""

    _name = "odekit_use_dual_functions"

    def replacement(self, func_ir, call):
        """The function of dual numbers of the same name, if there is one."""
        return replacement(_name_of(func_ir, call) or "")


def _name_of(func_ir, call):
    """Name of the known function that is called, or None."""
    definition = guard(get_definition, func_ir, call.func)
    if isinstance(definition, (ir.Global, ir.FreeVar)) and id(definition.value) in _VMATH:
        return _VMATH[id(definition.value)]
    found = guard(find_callname, func_ir, call)
    return found[0] if found and (found[1] in _MODULES or str(found[1]).startswith("odekit.vmath")) else None


DUAL_PIPELINE = part_compiler(ReturnTuples, HalfPowers, UseDualFunctions)


@intrinsic
def _dual_array(typingctx, size, directions):
    """An uninitialised array of dual numbers, of literal size, on the stack of the calling function."""
    if not (isinstance(size, types.IntegerLiteral) and isinstance(directions, types.IntegerLiteral)):
        return None
    array = types.Array(Dual(directions.literal_value), 1, "C")
    return array(size, directions), on_stack(array, size.literal_value)


def lane_jacobian(function, n, structure, in_place=False, time=False):
    """The function that generated code calls for the Jacobian in one lane, and a kernel of the same for a look at it.

    Parameters
    ----------
    function : function or Numba dispatcher
    n : int
        Dimension of the state.
    structure : tuple
        Of the arguments, from `odekit._arguments.pack`.
    in_place : bool
        Whether it writes into its third argument.
    time : bool
        Whether the derivative with respect to t is wanted too.

    Returns
    -------
    jacobian : Filling
        ``jacobian(t, y0, ..., parameters, stride) -> ((df0/dy0, df0/dy1, ...), (df1/dy0, ...), ..., raised)``; each row ends
        with the derivative with respect to t, if that is wanted.
    identity : str
        A fingerprint of all that goes into it.
    address : int
        Of a scalar kernel that writes the same numbers: the Jacobian row by row, then the derivatives with respect to t.

    Raises
    ------
    Unsupported
        If the function cannot be differentiated.
    odekit._fingerprint.Unknown
        If no fingerprint can be taken.
    """
    key = digest(fingerprint(function), repr(structure), n, in_place, time, stamp())
    if key not in _known:
        keep(_known, key, _compile(function, n, structure, in_place, time, key))
    if isinstance(_known[key], Unsupported):
        raise _known[key]
    return _known[key]


def _compile(function, n, structure, in_place, time, key):
    # a loop over the state needs numbers of one type, which then depend on everything
    for uniform in (True,) if in_place else (False, True):
        identity = f"{key}{'u' * uniform}"
        jacobian = _jacobian(function, n, structure, in_place, time, uniform, identity)
        try:
            return jacobian, identity, _kernel(jacobian, n, time, identity)
        except Exception as error:  # Numba raises its own errors and, for odd code, nearly any other
            why = reason(function, error)
    return Unsupported(f"fun cannot be differentiated: {why}")


def _names(letter, count):
    return [f"{letter}{i}" for i in range(count)]


def _jacobian(function, n, structure, in_place, time, uniform, identity):
    user = renamed(function, f"dual_{identity}", registers_only(DUAL_PIPELINE))
    everything = 2 ** (n + time) - 1
    arguments = unpacked(structure)
    lines = [f"def lane_jacobian(t, {', '.join(_names('y', n))}, parameters, stride):", *load_lines(structure)]
    lines += [f"    s{i} = seed(y{i}, {i}, {everything if uniform else 2**i})" for i in range(n)]
    lines += [f"    s = seed(t, {n}, {everything if uniform else 2**n})" if time else "    s = t"]
    if in_place:
        lines += [f"    y, r = dual_array({n}, {everything}), dual_array({n}, {everything})"]
        lines += [f"    y[{i}] = s{i}" for i in range(n)]
        lines += [f"    r[{i}] = seed(math.nan, 0, {everything})" for i in range(n)]
        call = f"user({', '.join(['s', 'y', 'r', *arguments])})"
    else:
        call = f"r = user({', '.join(['s', '(' + ', '.join(_names('s', n)) + ',)', *arguments])})"
    # row by row: Python builds tuples of more than 30 numbers in a way that Numba does not know
    rows = [f"({', '.join(f'derivative(r[{i}], {j})' for j in range(n + time))},)" for i in range(n)]
    nothing = [f"({'math.nan, ' * (n + time)})"] * n
    # after each call inside of a try block Numba looks for an exception, which costs time to compile: there is one only
    lines += ["    try:", f"        {call}", "    except Exception:", f"        return {', '.join(nothing)}, 1"]
    lines += [f"    return {', '.join(rows)}, 0"]
    namespace = {"user": user, "math": math, "seed": seed, "derivative": derivative, "dual_array": _dual_array}
    plain = _jit.exec_source(f"# {identity}\n" + "\n".join(lines) + "\n", "lane_jacobian", namespace)
    row = types.UniTuple(types.float64, n + time)
    result = types.Tuple((row,) * n + (types.int64,))
    return Filling(_jit.part(**FIELD_OPTIONS)(plain), lane_arguments(n), result)


def _kernel(jacobian, n, time, identity):
    """Address of a scalar kernel of a lane's Jacobian."""
    arguments = ["t", *(f"y[{i}]" for i in range(n)), "p", "1"]
    rows = [_names(f"d{i}_", n + time) for i in range(n)]
    targets = [f"({', '.join(row)},)" for row in rows]
    source = [
        f"# {identity}",
        "def jacobian_kernel(t, y, out, p):",
        f"    {', '.join(targets)}, raised = jacobian({', '.join(arguments)})",
        *(f"    out[{n * i + j}] = {name}" for i, row in enumerate(rows) for j, name in enumerate(row[:n])),
        *(f"    out[{n * n + i}] = {row[n]}" for i, row in enumerate(rows) if time),
        "    return raised",
    ]
    function = _jit.exec_source("\n".join(source) + "\n", "jacobian_kernel", {"jacobian": jacobian.function})
    return _jit.cfunc_address(function, _jit.SCALAR_SIGNATURE, **_jit.CORE_OPTIONS)
