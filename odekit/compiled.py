"""`compiled_solver`: a solver that a user's own compiled code can call."""

import math
from typing import NamedTuple

import numpy as np
from numba.extending import typeof_impl

from . import _checks, _jit, _solver_type
from ._arguments import pack
from .hamiltonian import Hamiltonian, field_class
from .separable import Separable
from .solution import Retcode
from .solvers import preparation, whole
from .solvers import state as S
from .solvers.integrate import Integration
from .solvers.methods import resolve

DEFAULT_MAX_STEPS = 1_000_000
BAD_INPUT = int(Retcode.BAD_INPUT)
#: A user's cached code contains `_solve` as it was: with a plan of other sources it must do nothing.
STAMP = int(_jit.package_stamp()[:15], 16)


class CompiledResult(NamedTuple):
    """What a compiled solver returns.

    Attributes
    ----------
    y : ndarray, (n, m)
        States at the output times; NaN from where the solve did not arrive.
    retcode : int
        A value of `odekit.Retcode`: 0 for the end of the span, negative for a failure.
    t : float
        Where the solve ended.
    nfev, njev, nlu, naccept, nreject : int
        As in `odekit.Solution`.
    y_end : ndarray, (n,)
        State at `t`: at the terminal event that ended the solve, for one.

    Examples
    --------
    >>> import odekit
    >>> solver = odekit.compiled_solver(lambda t, y: [-y[0]], [1.0], rtol=1e-8, atol=1e-10)
    >>> result = solver([1.0], [0.0, 1.0])
    >>> result.y.round(4), result.retcode.name, result.t
    (array([[1.    , 0.3679]]), 'SUCCESS', 1.0)
    """

    y: np.ndarray
    retcode: int
    t: float
    nfev: int
    njev: int
    nlu: int
    naccept: int
    nreject: int
    y_end: np.ndarray


@_jit.kernel
def _solve(solver, y0, t, args=()):
    """Solve in compiled code: copy the state arrays of the plan, fill in, run."""
    plan = _jit.memory_int(_solver_type.address_of(solver), whole.SIZE)
    n, m, sensible = plan[whole.N], len(t), plan[whole.STAMP] == STAMP
    if not sensible:
        n = 0
    iw = _jit.memory_int(plan[whole.IW], plan[whole.IW_SIZE]).copy()
    w, p = np.zeros(plan[whole.W_SIZE]), np.zeros(plan[whole.P_SIZE])
    w[: plan[whole.W_SET]] = _jit.memory_float(plan[whole.W], plan[whole.W_SET])
    times, log, y = np.empty(m), np.empty(whole.LOG_ROWS), np.empty((m, n))
    sensible = sensible and m > 0 and _solver_type.put_state(solver, _jit.view1(w, S.W_HEADER + S.Y * n, n), y0)
    sensible = sensible and _solver_type.put_arguments(args, p[: plan[whole.N_PARAMETERS]])
    for k in range(m):
        times[k] = t[k]
        sensible = sensible and abs(times[k]) < math.inf
        sensible = sensible and (k < 1 or (times[k] - times[k - 1]) * (times[1] - times[0]) > 0.0)
    if sensible:
        retcode = _jit.call_solve(plan[whole.WHOLE], plan, iw, w, p, log, times, y, m)
    else:
        retcode = BAD_INPUT
        y[:] = math.nan
        w[S.T] = math.nan
    last = np.full((1, n), math.nan)
    if sensible:
        last[0] = _jit.view1(w, S.W_HEADER + S.Y * n, n)
    return CompiledResult(
        _solver_type.states(solver, y), retcode, w[S.T], iw[S.NFEV], iw[S.NJEV], iw[S.NLU], iw[S.NACCEPT], iw[S.NREJECT],
        _solver_type.states(solver, last)[:, 0],
    )  # fmt: skip


_solver_type.make_callable(_solve)


class CompiledSolver:
    """A solver for one system, made by `compiled_solver`; both Python and compiled code can call it.

    Parameters
    ----------
    field : odekit.field.UserField
    integration : odekit.solvers.integrate.Integration
        Not started; all its methods are made ready here.
    stops : list of float
        Times of known jumps, ascending.
    terminal : list of float
        After how many zeros each event function ends a solve.
    recipe : tuple
        Arguments and options of `compiled_solver`, to make it again in another process.
    """

    def __init__(self, field, integration, stops, terminal, recipe):
        self._recipe = recipe
        self.complex_state = field.complex_state
        modes = range(len(integration.methods))
        for mode in modes:
            preparation.prepare(integration, mode)
        self._field = field  # its kernels must stay alive
        fn, iw, w = integration.fn, integration.iw, integration.w  # after the preparation, which makes them longer
        stops, first_step = np.array(stops, dtype=np.float64), np.array([integration.first_step])
        self._arrays = (
            fn,
            iw,
            w,
            stops,
            first_step,
            integration.kernels.directions,
            np.array(terminal, dtype=np.float64),
        )
        plan = np.zeros(whole.SIZE, dtype=np.int64)
        plan[whole.STAMP], plan[whole.WHOLE] = STAMP, _whole_address()
        places = (whole.FN, whole.IW, whole.W, whole.STOPS, whole.FIRST_STEP, whole.DIRECTIONS, whole.WANTED)
        plan[list(places)] = [array.ctypes.data for array in self._arrays]
        plan[whole.IW_SIZE], plan[whole.W_SIZE], plan[whole.P_SIZE] = iw.size, w.size, integration.p.size
        plan[whole.N], plan[whole.DEGREE] = iw[S.N], iw[S.DEGREE]
        plan[whole.N_PARAMETERS], plan[whole.N_STOPS] = field.parameters.size, stops.size
        plan[whole.W_SET] = np.max(np.flatnonzero(w), initial=-1) + 1
        for mode in modes:
            plan[whole.ERROR_ORDER + mode] = integration.methods[mode].error_order
        self._plan, self._address = plan, plan.ctypes.data

    def __call__(self, y0, t, args=()):
        """Solve from ``t[0]`` to ``t[-1]``.

        Parameters
        ----------
        y0 : array_like, (n,)
            State at ``t[0]``.
        t : array_like, (m,)
            Output times, strictly in one direction.
        args : tuple, or ndarray
            As in `compiled_solver`, or the numbers of all arguments in one vector.

        Returns
        -------
        CompiledResult

        Raises
        ------
        ValueError, TypeError
            For input that makes no sense. Compiled code gets the return code `BAD_INPUT` instead.
        """
        state = _checks.state(y0)
        times = _checks.vector_of_times("t", t)
        _, values = pack((args,) if isinstance(args, np.ndarray) else _checks.arguments(args))
        if self.complex_state:
            state = state.astype(np.complex128)
        if state.dtype != self._field.y0.dtype:
            self._refuse(state, times, values)
        result = _solve(self, state, times, values)
        if result.retcode == BAD_INPUT:
            self._refuse(state, times, values)
        return result._replace(retcode=Retcode(result.retcode))

    def _refuse(self, y0, t, values):
        """Say what is wrong with the input."""
        expected = self._field.y0
        if y0.size != expected.size or y0.dtype != expected.dtype:
            raise ValueError(
                f"y0 has {y0.size} components of type {y0.dtype}; the solver was made for {expected.size} of type "
                f"{expected.dtype}"
            )
        if values.size != self._field.parameters.size:
            raise ValueError(
                f"args hold {values.size} numbers; the solver was made for {self._field.parameters.size} numbers"
            )
        raise ValueError(f"t={t!r:.80}; expected finite times, strictly in one direction, from the start to the end")

    def __reduce__(self):
        return _make_again, self._recipe

    def __repr__(self):
        return f"<CompiledSolver for {self._field.y0.size} components>"


@typeof_impl.register(CompiledSolver)
def _typeof(solver, _context):
    return _solver_type.SolverType(solver.complex_state)


def _make_again(arguments, options):
    return compiled_solver(*arguments, **options)


def _whole_address():
    if _jit.JIT_DISABLED:
        return _jit.python_address(whole.whole)
    return _jit.cfunc_address(whole.whole, _jit.WHOLE_SIGNATURE, announced=True)


def compiled_solver(
    fun, y0, method="auto", args=None, *, t0=0.0, rtol=1e-3, atol=1e-6, jac=None, first_step=None, max_step=math.inf,
    max_steps=DEFAULT_MAX_STEPS, tstops=None, events=None, isoutofdomain=None, nonnegative=None, mass_matrix=None,
):  # fmt: skip
    """Make a solver for ``dy/dt = fun(t, y, *args)`` that compiled code can call: a likelihood, an optimiser, a sampler.

    Everything is compiled and checked here, once. The solver takes the same steps as `odekit.solve_ivp`, to the last bit.
    Give it to your ``@njit`` function as an argument; then that function can be cached (``cache=True``), and another process
    finds it. As a global variable it works too, but Numba does not cache a function that refers to it so. It can be called
    in ``prange`` and from many threads at once; each call has memory of its own.

    Parameters
    ----------
    fun : callable or address
        As for `odekit.solve_ivp`. It must compile.
    y0 : array_like, (n,)
        A state like those for which the solver will be called: real or complex, of the same size.
    method : str
        As for `odekit.solve_ivp`, Taylor series included: they take the formula of `fun` here, once, and new arguments need no other.
    args : tuple, optional
        Arguments like those for which the solver will be called: numbers, and arrays of the same shapes.
    t0 : float
        A time at which `fun` can be evaluated with `y0` and `args`, to check it.
    rtol, atol, jac, first_step, max_step, max_steps, tstops, isoutofdomain, nonnegative
        As for `odekit.solve_ivp`.
    events : callable or list of callables, optional
        Terminal events, as for `odekit.solve_ivp`: the solve ends at the zero, with the code ``TERMINATED``, the time ``t`` and
        the state ``y_end``.
    mass_matrix
        Is not for compiled code: a consistent start is found in Python. Left to `odekit.solve_ivp`.

    Returns
    -------
    callable
        ``solver(y0, t, args)``, or ``solver(y0, t)`` without arguments, in Python and in compiled code. It integrates from
        ``t[0]`` to ``t[-1]`` and returns a `CompiledResult`: the states ``y`` (n, m) at the times `t`, the return code, the
        counts. `args` is a tuple, or one vector with the numbers of all arguments.

        A failure has a negative return code and NaN from there on; nothing is raised in compiled code. Where `fun` raised,
        `odekit.solve_ivp` shows the exception. Wrong sizes and times that are not in order have the code ``BAD_INPUT``.

    Raises
    ------
    ValueError, TypeError
        For input that makes no sense; for functions that cannot be compiled.

    Examples
    --------
    >>> import numba, numpy as np, odekit
    >>> def decay(t, y, rate):
    ...     return [-rate * y[0]]
    >>> solver = odekit.compiled_solver(decay, [1.0], args=(1.0,), rtol=1e-8, atol=1e-10)
    >>> @numba.njit
    ... def misfit(solver, rate, t, data):
    ...     result = solver(np.ones(1), t, (rate,))
    ...     return np.sum((result.y[0] - data) ** 2) if result.retcode >= 0 else np.inf
    >>> t = np.linspace(0.0, 2.0, 5)
    >>> misfit(solver, 3.0, t, np.exp(-3.0 * t)) < 1e-12
    True
    """
    t0, _ = _checks.span((t0, t0))
    state = _checks.state(y0)
    args = _checks.arguments(args)
    *tolerances, tightest = _checks.tolerances(rtol, atol, state)
    _, methods = resolve(method, state.size, tightest)
    _checks.steps(first_step, max_step, max_steps, math.inf, methods[0])
    _checks.system(methods[0], isinstance(fun, Separable), isinstance(fun, Hamiltonian))
    stops = _checks.stops(tstops, -math.inf, math.inf)
    if mass_matrix is not None:
        raise ValueError(
            "compiled_solver takes no mass_matrix, as a consistent start is found in Python; call solve_ivp, or, if the matrix is "
            "regular, let fun return np.linalg.solve(mass_matrix, f)"
        )
    event_list, terminal = _checks.terminal_events(events, "a compiled solver")
    marks = _checks.nonnegative(nonnegative, state)
    _checks.inside_domain(isoutofdomain, t0, state, args)
    field = field_class(fun)(fun, t0, state, args, jac, event_list, isoutofdomain=isoutofdomain, must_compile=True)
    if field.complex_state:
        tolerances = [np.repeat(vector, 2) for vector in tolerances]
    integration = Integration(
        field.kernels(), (t0, t0), state.view(np.float64), methods, *tolerances, keep_states=False,
        first_step=0.0 if first_step is None else float(first_step), max_step=float(max_step), max_steps=int(max_steps),
        nonnegative=marks,
    )  # fmt: skip
    options = {
        "t0": t0, "rtol": rtol, "atol": atol, "jac": jac, "first_step": first_step, "max_step": max_step,
        "max_steps": max_steps, "tstops": tstops, "events": events, "isoutofdomain": isoutofdomain, "nonnegative": nonnegative,
    }  # fmt: skip
    solver = CompiledSolver(field, integration, stops, terminal, ((fun, y0, method, args), options))
    if not _jit.JIT_DISABLED and not all(kernel.compiled for kernel in field.kernels_used):
        raise TypeError(
            "jac cannot be compiled as it returns sparse or complex matrices; compiled_solver needs a compiled jac"
        )
    return solver
