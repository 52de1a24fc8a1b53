"""Whether a function may write into the state that it is given.

SciPy's users write ``y[y < 0] = 0`` or ``y *= -1`` in a right-hand side. Compiled code that is handed the integrator's own
memory would change the trajectory; such a function gets a copy.
"""

import types

import numpy as np
from numba.core import compiler, ir
from numba.extending import is_jitted

from ._capture import surroundings

#: Functions of arrays, and methods, whose result is another array than their argument.
_FRESH = frozenset(
    "abs absolute all any arange array argmax argmin argsort ceil clip concatenate convolve copy cos cosh cross cumprod cumsum "
    "diff dot empty empty_like exp expm1 floor full_like hstack hypot interp len log log10 log1p max maximum mean min minimum "
    "multiply norm ones_like outer power prod range repeat roll sign sin sinh solve sort sqrt square std subtract sum tan tanh "
    "vdot vstack where zeros zeros_like float int complex bool round divmod isnan isfinite zip enumerate tolist".split()
)
_WRITING_METHODS = frozenset(("fill", "sort", "partition", "put", "itemset", "resize"))


def writes_into(function, position=1, _seen=()):
    """Whether a function may write into its array argument at a position.

    Parameters
    ----------
    function : function or Numba dispatcher
    position : int
        Of the argument; 1 is the state.

    Returns
    -------
    bool
        True also where it cannot be told.
    """
    function = getattr(function, "py_func", function)
    if not isinstance(function, types.FunctionType) or function in _seen:
        return False
    try:
        blocks = compiler.run_frontend(function).blocks
    except Exception:  # Numba cannot read it: then it is not compiled either
        return True
    statements = [statement for _, block in sorted(blocks.items()) for statement in block.body]
    scope, aliases = _Scope(function, statements), set()
    known = -1
    while len(aliases) != known:  # a loop may carry an alias backwards
        known = len(aliases)
        for statement in statements:
            if isinstance(statement, ir.Assign) and scope.is_alias(statement.value, aliases, position):
                aliases.add(statement.target.name)
    return any(scope.writes(statement, aliases, (*_seen, function)) for statement in statements)


class _Scope:
    """What the variables of a function are, as far as it can be told from its text."""

    def __init__(self, function, statements):
        self.around = surroundings(function)
        self.values = {s.target.name: s.value for s in statements if isinstance(s, ir.Assign)}

    def name_of(self, variable):
        """Last name of a called function, such as ``dot`` of ``np.dot``, and what it is an attribute of, or None."""
        value = self.values.get(variable.name)
        if isinstance(value, ir.Expr) and value.op == "getattr":
            return value.attr, value.value
        return getattr(value, "name", ""), None

    def is_alias(self, value, aliases, position):
        """Whether a value may share memory with the argument."""
        if isinstance(value, ir.Arg):
            return value.index == position
        if isinstance(value, ir.Var):
            return value.name in aliases
        if not isinstance(value, ir.Expr):
            return False
        if value.op == "cast":
            return value.value.name in aliases
        if value.op == "getattr":
            return value.value.name in aliases and value.attr not in ("shape", "size", "ndim", "dtype")
        if value.op == "static_getitem":  # with an integer: a number of a vector
            return value.value.name in aliases and not isinstance(value.index, int)
        if value.op == "getitem":
            return value.value.name in aliases and self._is_slice(value.index)
        if value.op == "call":
            name, _ = self.name_of(value.func)
            return name not in _FRESH and (
                value.func.name in aliases or any(v.name in aliases for v in value.args if isinstance(v, ir.Var))
            )
        if value.op == "phi":
            return any(getattr(v, "name", None) in aliases for v in value.incoming_values)
        return value.op in ("build_tuple", "build_list") and any(v.name in aliases for v in value.items)

    def _is_slice(self, variable):
        """Whether an index is a slice, which gives a view; numbers, masks and lists of indices give copies."""
        value = self.values.get(variable.name)
        while isinstance(value, ir.Var):
            value = self.values.get(value.name)
        if isinstance(value, ir.Expr) and value.op == "call":
            return self.name_of(value.func)[0] == "slice"
        return isinstance(value, ir.Expr) and value.op == "build_tuple"

    def writes(self, statement, aliases, seen):
        """Whether a statement may write into an alias."""
        if isinstance(statement, (ir.SetItem, ir.StaticSetItem)):
            return statement.target.name in aliases
        value = getattr(statement, "value", None)
        if not isinstance(value, ir.Expr):
            return False
        if value.op == "inplace_binop":
            return value.lhs.name in aliases
        if value.op != "call":
            return False
        name, owner = self.name_of(value.func)
        if owner is not None and owner.name in aliases:
            return name in _WRITING_METHODS
        if any(v.name in aliases for _, v in value.kws):  # such as out=y
            return True
        places = [k for k, v in enumerate(value.args) if getattr(v, "name", "") in aliases]
        ufunc = vars(np).get(name)  # getattr warns of old names
        if isinstance(ufunc, np.ufunc) and any(k >= ufunc.nin for k in places):
            return True
        if places and name in ("copyto", "put", "fill_diagonal"):
            return True
        helper = self.around.get(name)
        if isinstance(helper, types.FunctionType) or is_jitted(helper):
            return any(writes_into(helper, k, seen) for k in places)
        return False
