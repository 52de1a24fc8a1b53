"""Taylor series of a user's problem: its formula, compared with the function itself, and the kernel of the coefficients."""

import functools

import numpy as np

from . import _callback
from ._wrapper_source import Unsupported
from .solvers import expansion
from .solvers.formula import Formula


def formula(field):
    """The formula of a right-hand side.

    Parameters
    ----------
    field : odekit.field.UserField

    Returns
    -------
    odekit.solvers.formula.Formula

    Raises
    ------
    ValueError
        If there is none.
    """
    try:
        return _formula(field)
    except Unsupported as error:
        raise ValueError(
            f"method='taylor' takes derivatives of all orders from the formula of fun, but {error}; vern9 is an explicit method of "
            "high order for all functions"
        ) from None


def _formula(field):
    from ._trace import formula_of  # with stand-ins for many functions, which no other method needs

    shape = field.shape
    if field.native is not None:
        raise Unsupported("fun is machine code")
    if field.complex_state:
        raise Unsupported("the state is complex")
    if shape.vectorized:
        raise Unsupported("vectorized=True is given")
    if field._unpackable is not None:
        raise Unsupported(str(field._unpackable))
    found = formula_of(field.traceable, shape.n, field.structure, shape.in_place)
    slopes = expansion.python_kernel(expansion.Expansion(found, 1))

    def evaluate(t, y, size):
        out = np.ones(max(size, 1))  # for a step of 1 the first coefficient is the slope
        slopes(t, y, out, field.parameters)
        return out[:size]

    plain = getattr(field.function, "py_func", field.function)
    if not _callback.agrees(evaluate, plain, shape, field.t0, field.y0, field.args):
        raise Unsupported("called with symbols, fun computes something else than with numbers")
    return found


def expanded(field, order):
    """Taylor coefficients of the solutions of a problem, see `odekit.solvers.expansion`.

    Parameters
    ----------
    field : odekit.field.UserField
    order : int

    Returns
    -------
    odekit.solvers.expansion.Expansion
        The same object for the same formula: what is made of it is then found again.

    Raises
    ------
    ValueError
        If there is no formula, or if it is too large.
    """
    known = field.kernel.expansions if field.native is None and field.kernel.compiled else {}
    if order not in known:
        found = formula(field)
        try:
            known[order] = _expanded(tuple(found.nodes), tuple(found.outputs), order)
        except expansion.TooLarge as error:
            raise ValueError(f"method='taylor' is for smaller systems: {error}; vern9 is for all sizes") from None
    return known[order]


@functools.lru_cache(maxsize=64)
def _expanded(nodes, outputs, order):
    found = Formula()
    found.nodes, found.outputs = list(nodes), list(outputs)
    return expansion.Expansion(found, order)
