"""Formulas of right-hand sides: a copy of the user's function is called once, with symbols in place of numbers."""

import linecache

import numpy as np

from ._copier import Copier
from ._recording import CannotTrace, Recording
from ._symbols import Symbol, node_beside
from ._wrapper_source import Unsupported


def _arguments(formula, structure):
    """Symbols of the arguments, in arrays where they are arrays."""
    found, k = [], 0
    for kind, *shape in structure:
        if kind in ("complex", "complex_array"):
            raise Unsupported("an argument is complex")
        values = np.empty(shape[0] if shape else (), object)
        for index in np.ndindex(values.shape):
            values[index] = Symbol(formula, formula.node("parameter", k))
            k += 1
        found.append(values if kind == "array" else values[()])
    return found


def _all_set(slope):
    for i, value in enumerate(slope):
        if value is None:
            raise Unsupported(f"it does not set component {i} of its third argument")
    return slope


def _outputs(formula, returned, n):
    """Nodes of what a function has returned.

    Raises
    ------
    Unsupported
        If it is not n numbers.
    """
    if returned is None:
        raise Unsupported("it returns None")
    values = np.ravel(np.asarray(returned, dtype=object))
    if len(values) != n:
        raise Unsupported(f"it returns {len(values)} instead of {n} numbers")
    found = [node_beside(Symbol(formula, 0), value) for value in values]
    if None in found:
        raise Unsupported(f"it returns a {type(values[found.index(None)]).__name__} among its numbers")
    return found


def _where(error, files):
    """The innermost line of the user's files in a traceback, in parentheses, or nothing."""
    found, trace = "", error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name in files:
            text = linecache.getline(name, trace.tb_lineno).strip()
            found = f" (line {trace.tb_lineno}: {text!r})" if text else f" (line {trace.tb_lineno})"
        trace = trace.tb_next
    return found


def formula_of(function, n, structure, in_place=False):
    """The formula of a right-hand side.

    Parameters
    ----------
    function : callable
        ``function(t, y, *args)`` gives n numbers, or ``function(t, y, dydt, *args)`` sets them.
    n : int
        Dimension of the state.
    structure : tuple
        Of the arguments, from `odekit._arguments.pack`.
    in_place : bool
        Whether it writes into its third argument.

    Returns
    -------
    Formula

    Raises
    ------
    Unsupported
        If the function does something that a formula cannot hold; the message says what, and where.
    """
    formula, copier = Recording(), Copier()
    t = Symbol(formula, formula.node("time"))
    y = np.array([Symbol(formula, formula.node("state", i)) for i in range(n)], object)
    slope, arguments = np.empty(n, object), _arguments(formula, structure)
    try:
        returned = copier.callable(function)(t, y, *([slope] if in_place else []), *arguments)
        if formula.refusal is not None:  # swallowed on the way
            raise formula.refusal
        copier.check()
        formula.outputs = _outputs(formula, _all_set(slope) if in_place else returned, n)
    except Unsupported:
        raise
    except (CannotTrace, Exception) as error:
        refusal, where = formula.refusal or error, _where(error, copier.files)
        if isinstance(refusal, CannotTrace):
            raise Unsupported(f"{refusal.clause}{where}{refusal.advice}") from error
        raise Unsupported(f"called with symbols, it raises {type(error).__name__}: {error}{where}") from error
    return formula
