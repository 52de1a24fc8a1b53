"""Second derivatives of a user's function along two directions, by dual numbers of dual numbers.

Where Numba does not compile the function for such numbers (products of matrices for example), Python takes objects with the
same arithmetic through it.
"""

import ctypes
import functools
import math

import numpy as np
from numba import types
from numba.extending import intrinsic

from . import _jit
from ._capture import renamed
from ._dual import Dual, derivative, pair, value
from ._dual_number import DualNumber
from ._fingerprint import fingerprint
from ._lane_derivative import DUAL_PIPELINE
from ._lane_field import digest, on_stack, registers_only, stamp
from ._wrap import ScalarKernel
from ._wrapper_source import OK, RAISED, Unsupported, parameters_size

NUMBER = Dual(1, Dual(1))
_LONGEST = 64  # an argument with more numbers would take too much of the stack


@functools.cache
def _stack(shape):
    """Intrinsic that gives an uninitialised array of such numbers on the stack of the calling function."""
    array = types.Array(NUMBER, len(shape), "C")

    @intrinsic
    def stack(typingctx):
        return array(), on_stack(array, *shape)

    return stack


def second_derivative(function, n, structure, in_place, keep=True):
    """Kernel of the derivative and of the second derivative along two directions.

    Parameters
    ----------
    function : function or Numba dispatcher
    n : int
        Dimension of the state.
    structure : tuple
        Of the arguments, from `odekit._arguments.pack`; real.
    in_place : bool
        Whether it writes into its third argument.
    keep : bool
        Whether to keep what is compiled on disk.

    Returns
    -------
    ScalarKernel
        ``(_, x, out, p)``: `x` holds (t, y), a first direction and a second one, each of n + 1 numbers; `p` the parameters and
        the second direction's part along them. `out` receives Df along the second direction, then the second derivative along
        both.
    """
    if not _jit.JIT_DISABLED:
        try:
            return ScalarKernel(_compile(function, n, structure, in_place, keep), compiled=True)
        except Exception:  # Unsupported, Unknown, Numba's own errors and, for odd code, nearly any other
            pass
    return _python_kernel(function, n, structure, in_place)


def _arguments(structure, m, namespace):
    """Source lines that build the arguments, and the expressions that name them."""
    lines, names, k = [], [], 0
    for kind, *shape in structure:
        name = f"a{len(names)}"
        if kind == "array":
            shape, count = shape[0], math.prod(shape[0])
            if count > _LONGEST:
                raise Unsupported(f"an argument is an array of shape {shape}")
            namespace[f"stack_{name}"] = _stack(tuple(shape))
            lines.append(f"    {name} = stack_{name}()")
            for i, index in enumerate(np.ndindex(shape)):
                lines.append(f"    {name}[{', '.join(map(str, index))}] = number(p[{k + i}], 0.0, p[{m + k + i}])")
            k += count
        else:
            number = {"bool": "p[{0}] != 0.0", "int": "int(p[{0}])", "float": "number(p[{0}], 0.0, p[{1}])"}[kind]
            lines.append(f"    {name} = {number.format(k, m + k)}")
            k += 1
        names.append(name)
    return lines, names


def _compile(function, n, structure, in_place, keep):
    identity = digest("second", fingerprint(function), repr(structure), n, in_place, stamp())
    user = renamed(function, f"dual2_{identity}", registers_only(DUAL_PIPELINE))
    namespace = {
        "user": user, "math": math, "number": _number, "stack": _stack((n,)), "value": value, "derivative": derivative,
    }  # fmt: skip
    lines, names = _arguments(structure, parameters_size(structure), namespace)
    state = [f"number(x[{1 + i}], x[{n + 2 + i}], x[{2 * n + 3 + i}])" for i in range(n)]
    if in_place:
        lines += ["    y, r = stack(), stack()"]
        lines += [f"    y[{i}] = {part}" for i, part in enumerate(state)]
        lines += [f"    r[{i}] = number(math.nan, math.nan, math.nan)" for i in range(n)]
        call = f"user({', '.join(['s', 'y', 'r', *names])})"
    else:
        call = f"r = user({', '.join(['s', f'({chr(44).join(state)},)', *names])})"
    source = [
        f"# {identity}",
        "def second_kernel(t, x, out, p):",
        f"    s = number(x[0], x[{n + 1}], x[{2 * n + 2}])",
        *lines,
        "    try:",
        f"        {call}",
        "    except Exception:",
        f"        return {RAISED}",
    ]
    for i in range(n):
        source += [f"    out[{i}] = derivative(value(r[{i}]), 0)"]
        source += [f"    out[{n + i}] = derivative(derivative(r[{i}], 0), 0)"]
    source += [f"    return {OK}"]
    compiled = _jit.exec_source("\n".join(source) + "\n", "second_kernel", namespace)
    return _jit.cfunc_address(compiled, _jit.SCALAR_SIGNATURE, **{**_jit.CORE_OPTIONS, "cache": keep})


@_jit.njit(**{**_jit.CORE_OPTIONS, "forceinline": True})
def _number(x, first, second):
    """A number with its parts along two directions."""
    return pair(pair(x, second), pair(first, 0.0))


def _python_kernel(function, n, structure, in_place):
    function, m = getattr(function, "py_func", function), parameters_size(structure)

    def number(x, first, second):
        return DualNumber(DualNumber(x, second), DualNumber(first, 0.0))

    def arguments(p):
        values, k = [], 0
        for kind, *shape in structure:
            if kind in ("bool", "int"):
                values.append({"bool": bool, "int": int}[kind](p[k]))
                k += 1
                continue
            count = math.prod(shape[0]) if shape else 1
            parts = _objects([number(p[k + i], 0.0, p[m + k + i]) for i in range(count)])
            values.append(parts.reshape(shape[0]) if shape else parts[0])
            k += count
        return values

    def callback(_t, x_, out_, p_):
        x, out = np.array(_jit._pointer_to_array(x_, 3 * n + 3)), _jit._pointer_to_array(out_, 2 * n)
        p = np.array(_jit._pointer_to_array(p_, 2 * m))
        s, *y = (number(*parts) for parts in x.reshape(3, n + 1).T)
        given, r = arguments(p), _objects([math.nan] * n)
        try:
            if in_place:
                function(s, _objects(y), r, *given)
            else:
                r = np.asarray(function(s, _objects(y), *given), dtype=object).ravel()
            for i in range(n):
                part = r[i] if isinstance(r[i], DualNumber) else number(float(r[i]), 0.0, 0.0)
                out[i], out[n + i] = part.value.derivative, part.derivative.derivative
        except Exception:
            return RAISED
        return OK

    trampoline = _jit.SCALAR_CTYPE(callback)
    return ScalarKernel(ctypes.cast(trampoline, ctypes.c_void_p).value, False, trampoline)


def _objects(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
