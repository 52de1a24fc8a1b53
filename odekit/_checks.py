"""Checks of what the user gives: one clear sentence before the first step."""

import math
import operator
import os
import warnings

import numpy as np

from . import _signatures

SMALLEST_RTOL = 100 * np.finfo(float).eps  # below it rounding is taken for error (SciPy's limit)


def options(unknown):
    """Refuse unknown options."""
    if unknown:
        names = ", ".join(sorted(unknown))
        raise TypeError(
            f"solve_ivp got unknown options: {names}; expected rtol, atol, jac, jac_sparsity, lband, uband, linear_solver, "
            "preconditioner, first_step, max_step, max_steps, tstops, isoutofdomain, nonnegative, on_step, progress, "
            "mass_matrix, store or resume"
        )


def span(t_span):
    """Start and end as floats.

    Raises
    ------
    ValueError
        For anything but two numbers, of which the first is finite.
    """
    try:
        t0, t1 = t_span
        t0, t1 = float(t0), float(t1)
    except (TypeError, ValueError):
        raise ValueError(f"t_span={t_span!r}; expected two numbers, start and end") from None
    if not math.isfinite(t0) or math.isnan(t1):
        raise ValueError(f"t_span={t_span!r}; expected a finite start and an end that is a number")
    return t0, t1


def state(y0):
    """Initial state as a new float64 or complex128 vector (n,).

    Raises
    ------
    ValueError
        For anything but a vector of finite numbers.
    """
    try:
        y = np.array(y0)
        if y.dtype.kind not in "biufc":
            raise TypeError
        if y.dtype != np.float64:
            y = y.astype(np.complex128 if y.dtype.kind == "c" else np.float64, copy=False)
    except (TypeError, ValueError):
        raise ValueError(f"y0={y0!r:.80}; expected a vector of numbers") from None
    if y.ndim != 1:
        raise ValueError(f"`y0` must be 1-dimensional, but its shape is {y.shape}")
    finite = np.isfinite(y)
    if np.count_nonzero(finite) < y.size:
        where = int(np.flatnonzero(~finite)[0])
        raise ValueError(f"All components of the initial state `y0` must be finite. y0[{where}] is {y[where]}")
    return y


def arguments(args):
    """Extra arguments as a tuple."""
    if args is None:
        return ()
    try:
        return tuple(args)
    except TypeError:
        raise TypeError(
            f"Supplied 'args' cannot be unpacked. Please supply `args` as a tuple, such as args=({args!r},)"
        ) from None


def events(given):
    """Event functions as a list, and after how many zeros each ends the integration (infinity: never)."""
    try:
        functions = [] if given is None else [given] if callable(given) else list(given)
    except TypeError:
        raise TypeError(
            f"events={given!r}; expected a function event(t, y, *args) or a list of such functions"
        ) from None
    terminal = []
    for function in functions:
        if not callable(function):
            raise TypeError(f"events contains a {type(function).__name__}; expected functions event(t, y, *args)")
        callback("the attribute affect of an event", getattr(function, "affect", None))
        direction = getattr(function, "direction", 0)
        if not isinstance(direction, (int, float, np.number)) or math.isnan(direction):
            raise ValueError(f"The `direction` attribute of each event must be a number, but it is {direction!r}")
        value = getattr(function, "terminal", None)
        message = f"The `terminal` attribute of each event must be a boolean or positive integer, but it is {value!r}"
        if value is None or value is False or (not isinstance(value, (bool, str)) and value == 0):
            terminal.append(math.inf)
            continue
        try:
            count = operator.index(value)
        except TypeError:
            if not (isinstance(value, float) and value.is_integer()):
                raise ValueError(message) from None
            count = int(value)
        if count < 0:
            raise ValueError(message)
        terminal.append(float(count))
    return functions, terminal


def terminal_events(given, where):
    """Event functions that all end the integration, and after how many zeros each does.

    Parameters
    ----------
    given : callable, list of callable or None
    where : str
        What asks for it, for the message.
    """
    functions, terminal = compiled_events(given, where)
    for function, count in zip(functions, terminal, strict=True):
        if math.isinf(count):
            name = getattr(function, "__name__", "an event function")
            raise ValueError(
                f"events: {name} is not terminal; in {where} events end trajectories, set {name}.terminal = True"
            )
    return functions, terminal


def compiled_events(given, where):
    """Event functions that change no state, and after how many zeros each ends the integration, an array (n_events,); as above."""
    functions, terminal = events(given)
    for function in functions:
        if hasattr(function, "affect"):
            raise ValueError(
                f"events: the affect of {function.__name__} is Python and does not go with {where}; use solve_ivp"
            )
    return functions, np.array(terminal)


def storing(store, resume):
    """Check where results go."""
    if store is not None and not isinstance(store, (str, os.PathLike)):
        raise TypeError(f"store={store!r:.80}; expected a path")
    if not isinstance(resume, bool):
        raise TypeError(f"resume={resume!r:.80}; expected True or False")
    if resume and store is None:
        raise ValueError("resume=True goes on with what is stored: expected store=path as well")


def callback(name, value):
    """Refuse what cannot be called."""
    if value is not None and not callable(value):
        raise TypeError(f"{name} is {value!r:.80}; expected a function (t, y, ...) or None")


def nonnegative(given, y0):
    """Which components must not be negative: truth values (n,) for the real system, or None where none is named."""
    if given is None or given is False:
        return None
    expected = f"nonnegative={given!r:.80}; expected True, or numbers of components from 0 to {y0.size - 1}"
    marks = np.zeros(y0.size, dtype=bool)
    try:
        marks[slice(None) if given is True else [operator.index(i) for i in given]] = True
    except (TypeError, IndexError):
        raise ValueError(expected) from None
    if y0.dtype.kind == "c":
        raise ValueError("nonnegative is given, but the state is complex: complex numbers have no sign")
    if (y0[marks] < 0).any():
        where = int(np.flatnonzero(marks & (y0 < 0))[0])
        raise ValueError(f"y0[{where}] = {y0[where]} is negative, but nonnegative names this component")
    return marks


def inside_domain(isoutofdomain, t0, y0, args):
    """Refuse a start outside of the domain."""
    callback("isoutofdomain", isoutofdomain)
    if isoutofdomain is None:
        return
    _signatures.require("isoutofdomain", isoutofdomain, "isoutofdomain(t, y, *args)", args, t0, y0)
    if getattr(isoutofdomain, "py_func", isoutofdomain)(t0, y0.copy(), *args):
        raise ValueError(f"y0 lies outside the domain: isoutofdomain({t0!r}, y0) is true")


def tolerances(rtol, atol, y0):
    """Tolerances for a state y0 (n,): `rtol` and `atol` as vectors (n,), and the smallest `rtol`.

    Raises
    ------
    ValueError
        For a wrong number of them, for one that is negative or not finite, and for an error that would be relative to zero.
    """
    n = y0.size
    relative, tightest = _tolerance("rtol", rtol, n)
    absolute, smallest = _tolerance("atol", atol, n)
    if tightest < SMALLEST_RTOL:
        warnings.warn(
            f"At least one element of `rtol` is too small. Setting `rtol = np.maximum(rtol, {SMALLEST_RTOL})`.",
            stacklevel=3,
        )
        relative, tightest = np.maximum(relative, SMALLEST_RTOL), SMALLEST_RTOL
    if smallest == 0.0:
        unscaled = np.flatnonzero((absolute == 0) & (y0 == 0))
        if unscaled.size:
            raise ValueError(
                f"atol={atol!r} with y0[{unscaled[0]}] = 0: an error relative to zero cannot be controlled; "
                "give that component an atol > 0"
            )
    return relative, absolute, tightest


def _tolerance(name, value, n):
    """A tolerance as a vector, and its smallest component (infinity where there is none)."""
    if type(value) is float:  # nearly always: no array is made of it, and no reductions, which take far longer
        given = smallest = largest = value
    else:
        try:
            if isinstance(value, (str, bytes)):
                raise TypeError
            given = np.array(value, dtype=np.float64)
        except (TypeError, ValueError):
            raise ValueError(f"{name}={value!r}; expected a number or {n} numbers") from None
        if given.ndim > 1 or given.size not in (1, n):
            raise ValueError(f"`{name}` has wrong shape: {given.shape}, expected a number or {n} numbers")
        smallest, largest = given.min(initial=math.inf), given.max(initial=0.0)
    if not (smallest >= 0.0 and largest < math.inf):  # NaN fails both
        raise ValueError(f"`{name}` must be finite and not negative, but it is {value!r}")
    vector = np.empty(n)
    vector[:] = given
    return vector, smallest


def vector_of_times(name, value):
    """Times as a new float64 vector (m,)."""
    try:
        times = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name}={value!r:.80}; expected a vector of times") from None
    if times.ndim != 1:
        raise ValueError(f"`{name}` must be 1-dimensional, but its shape is {times.shape}")
    return times


def output_times(t_eval, t0, t1):
    """Output times as a float64 vector (m,), or None.

    Raises
    ------
    ValueError
        For times outside of the span, or not strictly in the direction of integration.
    """
    if t_eval is None:
        return None
    times = vector_of_times("t_eval", t_eval)
    if not np.isfinite(times).all():
        raise ValueError(f"`t_eval` must be finite, but it contains {times[~np.isfinite(times)][0]}")
    low, high = min(t0, t1), max(t0, t1)
    outside = times[(times < low) | (times > high)]
    if outside.size:
        raise ValueError(f"Values in `t_eval` are not within `t_span`: {outside[0]} is outside [{low}, {high}]")
    distances = np.diff(times)
    if (distances <= 0).any() if t1 >= t0 else (distances >= 0).any():
        raise ValueError(
            "Values in `t_eval` are not properly sorted: expected strictly in the direction of integration"
        )
    return times


def stops(tstops, t0, t1):
    """Times at which to start anew, inside the span, in the direction of integration."""
    if tstops is None:
        return []
    try:
        times = np.array(tstops, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"tstops={tstops!r:.80}; expected times") from None
    if times.ndim > 1 or not np.isfinite(times).all():
        raise ValueError(f"tstops={tstops!r:.80}; expected finite times, in one dimension")
    inside = {float(t) for t in times.ravel() if min(t0, t1) < t < max(t0, t1)}
    return sorted(inside, reverse=t1 < t0)


def _positive_number(name, value):
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"`{name}` must be a positive number, but it is {value!r}") from None
    if not number > 0:
        raise ValueError(f"`{name}` must be positive, but it is {value!r}")
    return number


def steps(first_step, max_step, max_steps, length, method):
    """Check step sizes and the step limit."""
    if first_step is None:
        if method.error_order == 0 and length > 0:
            raise ValueError(
                f"method={method.name!r} takes steps of fixed size: give it as first_step, for example first_step=0.01"
            )
    elif not math.isfinite(_positive_number("first_step", first_step)):
        raise ValueError(f"`first_step` must be finite, but it is {first_step!r}")
    elif first_step > length > 0:
        raise ValueError(f"`first_step` exceeds bounds: {first_step!r} is larger than the span of {length!r}")
    _positive_number("max_step", max_step)
    if not isinstance(max_steps, (int, np.integer)) or max_steps < 1:
        raise ValueError(f"`max_steps` must be a positive integer, but it is {max_steps!r}")


def system(method, is_separable, is_hamiltonian):
    """Refuse a splitting method for a system that is not given as one it can split."""
    if method.separable and not is_separable:
        raise ValueError(
            f"method={method.name!r} needs a separable system: give fun as odekit.second_order(acceleration) or "
            "odekit.separable(velocity, force); for a system that is not separable, tao4, implicit_midpoint, gauss4 "
            "and gauss6 are symplectic"
        )
    if method.hamiltonian and not is_hamiltonian:
        raise ValueError(
            f"method={method.name!r} needs a system of positions and momenta: give fun as odekit.hamiltonian(fun, omega), "
            "with y = (q, p), positions first"
        )


def positions_and_momenta(kind, y0, vectorized=False):
    """Refuse a state that is not y = (q, p), for a system of a kind."""
    if y0.size % 2 or y0.dtype.kind == "c" or vectorized:
        raise ValueError(
            f"a {kind} system has a real state y = (q, p) with as many positions as momenta, but y0 has {y0.size} "
            f"components of type {y0.dtype}" + (" and vectorized=True is given" if vectorized else "")
        )


def linear_solver(methods, said):
    """Refuse GMRES for a method that needs accurate solutions of its linear systems."""
    for method in methods:
        if said.solver == "gmres" and method.implicit and not method.inexact:
            raise ValueError(
                f"method={method.name!r} needs linear systems solved exactly; linear_solver='gmres' goes with bdf, "
                "backward_euler, trbdf2, kencarp4, kvaerno3 and kvaerno5"
            )
