"""Elementary functions of dual numbers: what takes the place of those of `math`, `numpy` and the builtins in a derivative.

Each is written as its value and its slope, on plain numbers, made of `odekit.vmath` where that has it: no calls of the C
library, which would stop the vectoriser. The functions here accept plain numbers too. For dual numbers whose parts are dual, the
same value and slope are evaluated on these.
"""

import functools
import math
import operator

import numpy as np
from numba import njit, types
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import infer_global, signature
from numba.extending import overload

from . import _jit, vmath
from ._dual import NUMBERS, Dual, chain, chain2, choose, value
from ._dual_operators import Arithmetic, pairs

_OPTIONS = {"error_model": "numpy", "nogil": True, "fastmath": {"contract"}, "forceinline": True}
_NAMESPACE = {"math": math, "np": np, "vmath": vmath}

# name: value f of x, and its derivative, which may use f
ONE = {
    "exp": ("vmath.exp(x)", "f"),
    "exp2": (f"vmath.exp(x * {math.log(2.0)!r})", f"f * {math.log(2.0)!r}"),
    "expm1": ("vmath.expm1(x)", "f + 1.0"),
    "log": ("vmath.log(x)", "1.0 / x"),
    "log2": (f"vmath.log(x) / {math.log(2.0)!r}", f"1.0 / (x * {math.log(2.0)!r})"),
    "log10": (f"vmath.log(x) / {math.log(10.0)!r}", f"1.0 / (x * {math.log(10.0)!r})"),
    "log1p": ("vmath.log1p(x)", "1.0 / (1.0 + x)"),
    "sqrt": ("np.sqrt(x)", "0.5 / f"),
    "cbrt": ("np.cbrt(x)", "1.0 / (3.0 * f * f)"),
    "square": ("x * x", "2.0 * x"),
    "reciprocal": ("1.0 / x", "-f * f"),
    "sin": ("vmath.sin(x)", "vmath.cos(x)"),
    "cos": ("vmath.cos(x)", "-vmath.sin(x)"),
    "tan": ("vmath.tan(x)", "1.0 + f * f"),
    "asin": ("vmath.asin(x)", "1.0 / np.sqrt((1.0 - x) * (1.0 + x))"),
    "acos": ("vmath.acos(x)", "-1.0 / np.sqrt((1.0 - x) * (1.0 + x))"),
    "atan": ("vmath.atan(x)", "1.0 / (1.0 + x * x)"),
    "sinh": ("vmath.sinh(x)", "vmath.cosh(x)"),
    "cosh": ("vmath.cosh(x)", "vmath.sinh(x)"),
    "tanh": ("vmath.tanh(x)", "1.0 - f * f"),
    "asinh": ("np.arcsinh(x)", "1.0 / np.sqrt(1.0 + x * x)"),
    "acosh": ("np.arccosh(x)", "1.0 / np.sqrt((x - 1.0) * (x + 1.0))"),
    "atanh": ("np.arctanh(x)", "1.0 / ((1.0 - x) * (1.0 + x))"),
    "sigmoid": ("vmath.sigmoid(x)", "f * (1.0 - f)"),
    "softplus": ("vmath.softplus(x)", "vmath.sigmoid(x)"),
    "silu": ("vmath.silu(x)", "vmath.sigmoid(x) * (1.0 + x - f)"),
    "abs": ("abs(x)", "math.copysign(1.0, x)"),
}
# the same of x and y, with two derivatives
TWO = {
    "atan2": ("vmath.atan2(x, y)", "y / (x * x + y * y)", "-x / (x * x + y * y)"),
    "hypot": ("np.sqrt(x * x + y * y)", "x / f", "y / f"),
    "copysign": ("math.copysign(x, y)", "1.0 if (x < 0.0) == (y < 0.0) else -1.0", "0.0"),
    "mod": ("x - y * np.floor(x / y)", "1.0", "-np.floor(x / y)"),
    # x^y log(x) is zero at x = 0, where it matters
    "pow": ("vmath.pow(x, y)", "y * vmath.pow(x, y - 1.0)", "f * vmath.log(x) if x > 0.0 else 0.0"),
}
# of x, whose derivative is zero
_STEPS = {
    "floor": "np.floor(x)", "ceil": "np.ceil(x)", "trunc": "np.trunc(x)", "rint": "np.rint(x)", "sign": "np.sign(x)",
    "isnan": "x != x", "isfinite": "abs(x) < np.inf", "isinf": "abs(x) == np.inf",
}  # fmt: skip
OTHER_NAMES = {
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh", "arccosh": "acosh",
    "arctanh": "atanh", "absolute": "abs", "fabs": "abs", "power": "pow", "maximum": "max", "fmax": "max", "minimum": "min",
    "fmin": "min", "float64": "float", "round": "rint", "fix": "trunc",
}  # fmt: skip


def source_of(name, parameters, *results):
    """Source of a function that gives all results, which may use the first one under the name f."""
    return f"def {name}({parameters}):\n    f = {results[0]}\n    return {', '.join(['f', *results[1:]])}\n"


def _compiled(name, parameters, *results):
    """A function on plain numbers; its name is its own (Numba #10486)."""
    return njit(**_OPTIONS)(_jit.exec_source(source_of(name, parameters, *results), name, _NAMESPACE))


@functools.cache
def _on_duals(name, parameters, *results):
    """The same on dual numbers."""
    from ._lane_derivative import DUAL_PIPELINE

    source = source_of(f"{name}_nested", parameters, *results)
    return _jit.part(**_OPTIONS, pipeline=DUAL_PIPELINE)(_jit.exec_source(source, f"{name}_nested", _NAMESPACE))


def _rule(kind, plain, name, parameters, *results):
    """The compiled rule for the parts of a type of dual numbers."""
    return _on_duals(name, parameters, *results) if isinstance(kind.base, Dual) else plain


def _number(kind):
    return isinstance(kind, NUMBERS)


def _dual_or_number(*kinds):
    return all(isinstance(kind, (Dual, *NUMBERS)) for kind in kinds)


def _of_one(name, rule, slope):
    both = _compiled(f"dual_{name}", "x", rule, slope)

    def function(x):
        raise NotImplementedError

    @overload(function)
    def typed(x):
        if isinstance(x, Dual):
            parts = _rule(x, both, f"dual_{name}", "x", rule, slope)

            def implementation(x):
                f, slope = parts(value(x))
                return chain(f, slope, x)

            return implementation
        return (lambda x: both(float(x))[0]) if _number(x) else None

    return function


def _of_two(name, rule, slope_x, slope_y):
    all_three = _compiled(f"dual_{name}", "x, y", rule, slope_x, slope_y)

    def function(x, y):
        raise NotImplementedError

    @overload(function)
    def typed(x, y):
        if not _dual_or_number(x, y):
            return None
        if _number(x) and _number(y):
            return lambda x, y: all_three(float(x), float(y))[0]

        kind = x if isinstance(x, Dual) else y
        parts = _rule(kind, all_three, f"dual_{name}", "x, y", rule, slope_x, slope_y)

        def implementation(x, y):
            f, slope_x, slope_y = parts(value(x), value(y))
            return chain2(f, slope_x, x, slope_y, y)

        return implementation

    return function


def _step(name, rule):
    plain = _compiled(f"dual_{name}", "x", rule)

    def function(x):
        raise NotImplementedError

    @overload(function)
    def typed(x):
        return (lambda x: plain(value(x))) if _dual_or_number(x) else None

    return function


def _extreme(compare):
    def function(*args):
        raise NotImplementedError

    @overload(function)
    def typed(*args):
        kinds = args[0] if len(args) == 1 and isinstance(args[0], (tuple, types.BaseTuple)) else args
        if not _dual_or_number(*kinds) or len(kinds) < 2:
            return None
        if len(kinds) > 2:
            return lambda *args: function(function(args[0], args[1]), *args[2:])
        if all(map(_number, kinds)):
            return lambda *args: args[1] if compare(args[1], args[0]) else args[0]
        return lambda *args: choose(compare(value(args[1]), value(args[0])), args[1], args[0])

    return function


def where(condition, x, y):
    """``x if condition else y``."""
    raise NotImplementedError


@overload(where)
def _where(condition, x, y):
    if not _dual_or_number(condition, x, y):
        return None
    if _number(x) and _number(y):
        return lambda condition, x, y: x if condition else y
    return lambda condition, x, y: choose(value(condition) != 0.0, x, y)


def to_float(x):
    """The number itself."""
    raise NotImplementedError


@overload(to_float)
def _to_float(x):
    if isinstance(x, Dual):
        return lambda x: x
    return (lambda x: float(x)) if _number(x) else None


def to_int(x):
    """The whole number towards zero."""
    raise NotImplementedError


@overload(to_int)
def _to_int(x):
    return (lambda x: int(value(x))) if _dual_or_number(x) else None


#: Function to be called for a name in `math`, `numpy`, `odekit.vmath` or the builtins.
FUNCTIONS = {
    **{name: _of_one(name, *rules) for name, rules in ONE.items()},
    **{name: _of_two(name, *rules) for name, rules in TWO.items()},
    **{name: _step(name, rule) for name, rule in _STEPS.items()},
    "max": _extreme(operator.gt), "min": _extreme(operator.lt), "where": where, "float": to_float, "int": to_int,
}  # fmt: skip
_dual_sqrt = FUNCTIONS["sqrt"]


def replacement(name):
    """The function that takes the place of one of that name, or None."""
    return FUNCTIONS.get(OTHER_NAMES.get(name, name))


@overload(np.sqrt)
def _sqrt(x):
    """For what `odekit._powers` makes of half-integer powers."""
    return (lambda x: _dual_sqrt(x)) if isinstance(x, Dual) else None


# ---------------------------------------------------------------------------------------------------------------------
# the operators ** and %


class _Power(Arithmetic):
    def generic(self, args, kws):
        plain = super().generic(args, kws)
        if plain is not None and isinstance(args[1], types.IntegerLiteral):
            return signature(plain.return_type, plain.args[0], args[1])
        return plain


def _static_power(context, builder, sig, args):
    """A constant whole power by multiplications; its slope is made of the power that is one lower."""
    power = sig.args[1].literal_value
    size = abs(power)
    lines = ["def implementation(x):", "    v, low = value(x), 1.0"]
    for bit in bin(size - (power > 0))[2:]:
        lines += ["    low = low * low", *(["    low = low * v"] if bit == "1" else [])]
    if power > 0:
        lines += [f"    return chain(low * v, {float(power)!r} * low, x)"]
    else:
        lines += [
            "    low = 1.0 / low",
            f"    return chain(low, {float(power)!r} * low / v, x)" if power else "    return chain(low, 0.0, x)",
        ]
    scope = {"value": value, "chain": chain}
    implementation = _jit.exec_source("\n".join(lines) + "\n", "dual_power", scope, defined="implementation")
    return context.compile_internal(builder, implementation, signature(sig.return_type, sig.args[0]), args[:1])


def _register(function, template, *operators):
    def lowered(context, builder, sig, args):
        return context.compile_internal(builder, lambda x, y: function(x, y), sig, args)

    for key in operators:
        infer_global(key)(type("DualOperator", (template,), {"key": key}))
        for pair in pairs():
            lower_builtin(key, *pair)(lowered)


_register(FUNCTIONS["pow"], _Power, operator.pow, operator.ipow)
_register(FUNCTIONS["mod"], Arithmetic, operator.mod, operator.imod)
for _key in (operator.pow, operator.ipow):
    lower_builtin(_key, Dual, types.IntegerLiteral)(_static_power)
