"""Calling Python functions from compiled code, and looking at what they return."""

import contextlib
import ctypes
import math
import signal
import threading
import warnings

import numpy as np

from . import _jit, _wrap
from ._arguments import unpack_source
from ._wrapper_source import OK, parameters_size
from ._wrapper_source import RAISED as STATUS_RAISED


class _Here(threading.local):
    """Ctrl-C in this thread: whether it came, and whether the user's function is running."""

    pending = False
    inside = False


_here = _Here()


@contextlib.contextmanager
def interrupts():
    """Let no Ctrl-C get lost in the calls back into Python.

    Outside of the user's function, on the way there and back, ctypes would print a KeyboardInterrupt and go on. There it is
    only noted, and raised by the next call.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return

    def note(_number, _frame):
        _here.pending = True
        if _here.inside:
            raise KeyboardInterrupt

    _here.pending = False
    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        pending, _here.pending = _here.pending, False
    if pending:
        raise KeyboardInterrupt


def raise_pending():
    """Raise the KeyboardInterrupt that `interrupts` has noted, if there is one."""
    if _here.pending:
        _here.pending = False
        raise KeyboardInterrupt


RAISED = object()  #: what `guarded` returns where the function raised


def guarded(raised, function, *args):
    """Call a Python function that compiled code has called: nothing may escape from it.

    Parameters
    ----------
    raised : list
        Receives what it raised, Ctrl-C included.
    function : callable
    *args

    Returns
    -------
    object
        What the function returns, or `RAISED`.
    """
    before = _here.inside
    try:
        _here.inside = True
        value = function(*args)
        _here.inside = before
        if _here.pending:
            raise KeyboardInterrupt
    except BaseException as error:
        _here.inside = before
        if isinstance(error, KeyboardInterrupt):
            _here.pending = False
        raised.append(error)
        return RAISED
    return value


def python_kernel(function, shape, args, structure=None):
    """Call a Python function from compiled code.

    Parameters
    ----------
    function : callable
    shape : Shape
    args : tuple
    structure : tuple, optional
        Of the arguments, from `odekit._arguments.pack`: they are then read from the parameters in each call instead.

    Returns
    -------
    ScalarKernel
    """
    n_params, unpack = 0, None
    if structure is not None:
        parts = "".join(f"{part}, " for part in unpack_source(structure))
        unpack = _jit.exec_source(f"def unpack(p):\n    return ({parts})\n", "unpack", {"complex128": np.complex128})
        n_params = parameters_size(structure)
    kernel = _wrap.ScalarKernel(0, compiled=False)
    width = 2 if shape.complex_state else 1
    n_out = shape.size
    dtype = np.complex128 if shape.complex_state and shape.returns != "number" else np.float64

    def fill(t, y, out, given):
        state = np.array(y).view(np.complex128) if shape.complex_state else np.array(y)
        target = out.view(dtype)
        if shape.in_place:
            slope = np.full(shape.n, np.nan, dtype=dtype)
            function(t, state, slope, *given)
            target[:] = slope
        else:
            target[:] = as_numbers(function(t, state[:, None] if shape.vectorized else state, *given), shape)

    def call(t, y, out, p):
        given = args if unpack is None else unpack(p)
        return STATUS_RAISED if guarded(kernel.raised, fill, t, y, out, given) is RAISED else OK

    kernel.address, kernel.keep_alive = _jit.python_callback(
        call, shape.n * width, n_out * (width if dtype == np.complex128 else 1), n_params
    )
    return kernel


#: How well a compiled function must agree with the Python function, relative to each component.
AGREEMENT = 1e-5
#: What may be rounding, relative to the largest component.
ROUNDING = 1e-12


def call(address, t, y, n_out, p):
    """Call a scalar kernel from Python.

    Parameters
    ----------
    address : int
    t : float
    y : ndarray, (n,), float64
    n_out : int
        Length of the result.
    p : ndarray

    Returns
    -------
    ndarray, (n_out,)
        NaN where the kernel raised.
    """
    out = np.zeros(n_out)
    pointers = [array.ctypes.data_as(ctypes.POINTER(ctypes.c_double)) for array in (y, out, p)]
    if _jit.SCALAR_CTYPE(address)(t, *pointers) != 0:
        out[:] = math.nan
    return out


def agrees(evaluate, function, shape, t, y, args):
    """Whether a compiled function gives the numbers of the Python function, near the state `y`.

    They may differ without an error: Numba's lists have one type, so that after ``d = [0] * 2`` the assignment
    ``d[0] = -y[0]`` drops the fraction.

    Parameters
    ----------
    evaluate : callable
        ``evaluate(t, y, size)``: what the compiled function gives, `size` real numbers.
    function : callable
    shape : Shape
    t : float
    y : ndarray, (n,)
    args : tuple

    Returns
    -------
    bool
        True also where the function raises there.
    """
    i = np.arange(shape.n)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for scale in (1e-3, 2e-3):  # the second only where the first disagrees: rounding does not do that twice
            state = y * (1 + scale * np.sin(i + 1)) + scale**2
            try:
                if shape.in_place:
                    expected = np.zeros_like(state)
                    function(t, state.copy(), expected, *args)
                else:
                    argument = state[:, None] if shape.vectorized else state
                    expected = as_numbers(function(t, argument.copy(), *args), shape)
            except Exception:  # outside its domain
                return True
            expected = expected.astype(y.dtype if shape.returns != "number" else np.float64).view(np.float64)
            found = evaluate(t, state.view(np.float64), expected.size)
            known = np.isfinite(expected) & np.isfinite(found)
            size = np.abs(expected[known])
            tolerance = AGREEMENT * size + ROUNDING * np.max(size, initial=0.0)
            if not (np.abs(found - expected)[known] > tolerance).any():
                return True
    return False


#: What functions are to the user, by what they return; the others are Jacobians.
_NAMES = {"vector": "fun", "number": "an event function (or isoutofdomain)"}


def as_numbers(value, shape):
    """What a Python function returned as a flat array of the right size and type.

    Raises
    ------
    ValueError, TypeError
        One sentence that says what came back and what is expected.
    """
    what = _NAMES.get(shape.returns, "jac")
    wanted = {"vector": f"{shape.n} numbers", "number": "one number"}.get(
        shape.returns, f"numbers of shape {shape.expected}"
    )
    if value is None:
        remedy = " (mark a function that writes into its third argument with odekit.inplace)" if what == "fun" else ""
        raise TypeError(f"{what} returned None; expected {wanted}{remedy}")
    if hasattr(value, "toarray"):
        value = value.toarray()
    try:
        numbers = np.asarray(value)
        numbers = numbers.astype(np.complex128 if numbers.dtype.kind == "c" else np.float64)
    except (ValueError, TypeError) as error:
        raise TypeError(f"{what} returned {value!r:.80}; expected {wanted}") from error
    expected = shape.expected
    allowed = [expected]
    if shape.vectorized:
        allowed.append((shape.n, 1))
    if shape.returns == "number" or expected == (1,):
        allowed += [(), (1,)]
    if numbers.shape not in allowed:
        raise ValueError(
            f"{what} returned an array of shape {numbers.shape}; expected {expected} for a state of {shape.n}"
        )
    if numbers.dtype.kind == "c" and not shape.complex_state:
        raise ValueError(f"{what} returned complex numbers for a real state; give y0 as complex numbers")
    return (band(numbers, shape.lband, shape.uband) if shape.returns == "band" else numbers).ravel()


def band(matrix, lband, uband):
    """The diagonals of a square matrix as SciPy packs them: row ``uband + i - j`` of column j holds row i."""
    n = len(matrix)
    packed = np.zeros((lband + uband + 1, n), dtype=matrix.dtype)
    for d in range(-min(lband, n - 1), min(uband, n - 1) + 1):
        packed[uband - d, max(0, d) : n + min(0, d)] = np.diagonal(matrix, d)
    return packed
