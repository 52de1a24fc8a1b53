"""`solve_ivp`: one trajectory, with SciPy's interface and meaning."""

import contextlib
import math

import numpy as np

from . import _callback, _checks, _mass, _progress, _stored, _structure
from ._callbacks import EventRecorder, step_callback
from .hamiltonian import Hamiltonian, field_class
from .separable import Separable
from .solution import Retcode, Solution, describe
from .solvers import choice
from .solvers.dense import DenseSolution
from .solvers.integrate import CallbackRaised, Integration
from .solvers.methods import resolve
from .solvers.state import T

NO_EVENTS = EventRecorder([], [], None, ())
NO_CALLS = contextlib.nullcontext()  # of Python functions during an integration
#: Accepted and rejected steps together; a problem that needs more is nearly always stiff, singular or mistaken.
DEFAULT_MAX_STEPS = 1_000_000


def solve_ivp(
    fun, t_span, y0, method="auto", t_eval=None, dense_output=False, events=None, vectorized=False, args=None, *,
    rtol=1e-3, atol=1e-6, jac=None, jac_sparsity=None, lband=None, uband=None, linear_solver="auto", preconditioner=None,
    first_step=None, max_step=math.inf, max_steps=DEFAULT_MAX_STEPS, tstops=None, isoutofdomain=None, nonnegative=None,
    on_step=None, progress=False, mass_matrix=None, store=None, resume=False, **unknown,
):  # fmt: skip
    """Integrate a system of ordinary differential equations ``dy/dt = fun(t, y, *args)``, ``y(t0) = y0``.

    Parameters
    ----------
    fun : callable or address
        Right-hand side: ``fun(t, y, *args)`` that returns n numbers (a list, a tuple or an array); a function
        ``fun(t, y, dydt, *args)`` marked with `odekit.inplace`; an ``@njit`` function; a Numba ``cfunc``, a ctypes
        function or an integer address of ``void f(double t, double *y, double *dydt, double *p)``. Python functions are
        compiled with Numba; one that Numba rejects is called through Python, after a warning that names the line.
        Systems of positions and momenta: `odekit.second_order`, `odekit.separable` and `odekit.hamiltonian`.
    t_span : (float, float)
        Start and end; the end may be smaller. An infinite end needs a terminal event.
    y0 : array_like, (n,)
        Initial state, real or complex. It is not changed.
    method : str
        ``"auto"`` (default): explicit, implicit and back, as the steps demand (explicit alone beyond n = 5000, if the
        Jacobian has no structure): ``tsit5`` and ``radau``, or ``vern7`` and ``radau`` where an `rtol` is at most 1e-6.
        Explicit: ``euler``, ``midpoint``, ``rk4`` (fixed step), ``heun``, ``bosh3``, ``dopri5``, ``tsit5``, ``vern7``,
        ``dop853``, ``vern9``. Taylor series, explicit: ``taylor14``, ``taylor20``, and ``taylor``, which is the former, or the
        latter where an `rtol` is at most 1e-11 (see Notes). Explicit and stabilised, for large systems with a spectrum near the negative real axis (diffusion on
        a large grid): ``rock4``, and ``rock2`` for tolerances above some 1e-5; they make no matrix, and interpolate between
        steps by cubic polynomials. Symplectic, with fixed steps: ``leapfrog``, ``yoshida4``, ``yoshida6``, ``kahanli6``,
        ``kahanli8`` for separable systems, ``tao2``, ``tao4``, ``tao6``, ``tao8`` for Hamiltonian ones, ``implicit_midpoint``,
        ``gauss4``, ``gauss6`` for all. Implicit, for stiff problems: ``backward_euler``, ``trbdf2``, ``kvaerno3``,
        ``kencarp4``, ``kvaerno5``, ``rosenbrock23``, ``rodas5p``, ``radau`` (order 5, 9 or 13, as the iteration
        converges; ``radau5``, ``radau9``, ``radau13`` keep one), ``bdf``. SciPy's names are accepted.
    t_eval : array_like, (m,), optional
        Output times, sorted in the direction of integration. Default: the ends of all steps.
    dense_output : bool
        Whether the result's ``sol`` is the solution as a function of time.
    events : callable or list of callables, optional
        ``event(t, y, *args) -> float``; its zeros are located, also two in one step if they are an eighth of it apart.
        Attributes: ``terminal`` (True, or the number of zeros after which to stop), ``direction`` (+1 rising, -1 falling,
        in the direction of integration), ``affect``: a Python function ``affect(t, y, *args)`` that is called at each zero
        but a terminal one and returns the new state, or changes `y` in place, or leaves it, or returns `odekit.STOP`. The
        integration starts anew from a changed state: in ``t`` its time stands twice, before and after; `t_eval` and
        ``sol`` give the state after it, ``y_events`` the one before. A function that is zero at the start (as after its
        own ``affect``) acts at its next zero.
    vectorized : bool
        Whether `fun` expects y of shape (n, 1).
    args : tuple, optional
        Further arguments of `fun`, `jac` and the events. New numbers do not recompile.
    rtol, atol : float or array_like, (n,)
        The error per step is kept below ``atol + rtol |y|``, component by component, as a root mean square.
    jac : callable, array_like or sparse matrix, optional
        ``jac(t, y, *args)``, shape (n, n), or a constant matrix; with `lband` and `uband` the diagonals suffice:
        ``packed[uband + i - j, j]``. Default: exact by complex step where `fun` allows it, otherwise difference quotients.
    jac_sparsity : array_like or sparse matrix, (n, n), optional
        Places of the Jacobian that need not be zero. Columns that share no row are evaluated together, and no matrix of n by
        n numbers is made: in some order of the components it is a narrow band, or it is left to SuperLU.
    lband, uband : int, optional
        The Jacobian is a band: ``jac[i, j] = 0`` unless ``i - lband <= j <= i + uband``. One that is left out is 0.
    linear_solver : str
        ``"auto"`` (default), ``"dense"``, ``"banded"``, ``"sparse"``, or ``"gmres"``: no matrix at all, derivatives along
        directions. The last goes with ``bdf`` and the ESDIRK methods; `nfev` counts its products too. Explicit methods need
        none of it.
    preconditioner : callable, optional
        For ``"gmres"``: ``preconditioner(t, y, gamma, r, out, *args)`` writes an approximate solution of
        ``(I - gamma J) out = r``.
    first_step : float, optional
        Size of the first step; of every step for the methods of fixed step, which need it.
    max_step : float
    max_steps : int
        Limit of accepted and rejected steps.
    tstops : array_like, optional
        Times at which the right-hand side jumps: each is reached exactly, and the integration starts anew from there.
    isoutofdomain : callable, optional
        ``isoutofdomain(t, y, *args) -> bool``: a step that ends where it is true is halved and tried again.
    nonnegative : bool or sequence of int, optional
        True, or the numbers of the components that must not be negative: a step that makes one so is halved and tried again.
    on_step : callable, optional
        Python function ``on_step(t, y)``, called after each accepted step; True or `odekit.STOP` ends the integration.
    progress : bool
        Whether to show a progress bar (with tqdm, if it is installed).
    mass_matrix : array_like or sparse matrix, (n, n), optional
        A constant matrix M: the system is ``M dy/dt = fun(t, y, *args)``. It may be singular: some equations are then
        algebraic, a system of index 1 (DAE). For ``radau``, ``radau5``, ``radau9``, ``radau13`` and ``rodas5p``; ``"auto"`` is
        ``radau`` then. `y0` must satisfy the algebraic equations; where it does not, the components whose columns in M
        are zero are found by Newton's iteration, if they are as many as there are algebraic equations.
    store : path-like, optional
        Folder to which the trajectory is written while it is computed, with the state of the solver every few seconds: memory is
        bounded whatever the length (but for `t_eval` itself). `odekit.storage.open` reads it meanwhile, `odekit.storage.merge` makes
        one file of it. It does not go with `dense_output`, `on_step` and events with ``affect``.
    resume : bool
        Whether to go on with a `store` that an earlier call, with the same problem, has begun, after a crash or Ctrl-C, or with a
        larger `max_steps`. The files are in the end, to the last bit, those of a run that was not broken off.

    Returns
    -------
    Solution
        A failure is reported in its ``retcode`` and ``message``, with the trajectory up to there. With `store`, an
        `odekit.storage.StoredSolution`, whose arrays are read from disk when they are indexed.

    Raises
    ------
    ValueError, TypeError
        For input that makes no sense, before the first step; for a `store` of another problem.
    FileExistsError
        If there is something at `store`, and not ``resume=True``.
    odekit.storage.OdekitFileError
        If what is in `store` is damaged.
    Exception
        What `fun`, `jac`, an event or a callback raises, as it is, with the partial `Solution` as its attribute ``solution``; and
        KeyboardInterrupt likewise.

    Notes
    -----
    The Taylor methods are for problems that are not stiff, at medium tolerances and, above all, at tight ones. The derivatives of
    the solution, of all orders, follow from the formula of `fun`, a Python function that is called once with symbols in place of
    numbers: helpers, loops over known counts and functions of `math`, `numpy` and `odekit.vmath` are fine; branches on numbers of the
    state, and functions without derivatives, are refused with their line. Refused are also complex states, `vectorized`,
    `mass_matrix` and machine code. The step follows from the last two terms of the series, and the slope at its end is compared with
    `fun`; ``sol`` is the series itself. `nfev` counts the series of a step as one evaluation, and the slope at its end as another.
    Steps are long: a feature of `fun` much shorter than a step, a pulse in time for one, is seen only if a step ends near it; give
    `max_step` or `tstops` then.

    Examples
    --------
    >>> import odekit
    >>> def lorenz(t, y, rho):
    ...     return [10 * (y[1] - y[0]), y[0] * (rho - y[2]) - y[1], y[0] * y[1] - 8 / 3 * y[2]]
    >>> sol = odekit.solve_ivp(lorenz, (0, 10), [1.0, 0.0, 0.0], args=(28.0,), rtol=1e-8, atol=1e-10)
    >>> sol.success, sol.y.shape[0]
    (True, 3)

    A thousand points of a heated rod, with a tridiagonal Jacobian:

    >>> import numpy as np
    >>> def rod(t, y, rate):
    ...     dydt = -2.0 * rate * y
    ...     dydt[1:] += rate * y[:-1]
    ...     dydt[:-1] += rate * y[1:]
    ...     return dydt
    >>> mode = np.sin(np.pi * np.arange(1, 1001) / 1001)
    >>> sol = odekit.solve_ivp(rod, (0, 0.1), mode, "bdf", args=(1001.0**2,), rtol=1e-6, atol=1e-9, lband=1, uband=1)
    >>> bool(abs(sol.y[499, -1] / mode[499] - np.exp(-0.1 * np.pi**2)) < 1e-4)
    True

    Or without a Jacobian, by an explicit method that takes as many stages as the rod demands:

    >>> sol = odekit.solve_ivp(rod, (0, 0.1), mode, "rock4", args=(1001.0**2,), rtol=1e-6, atol=1e-9)
    >>> bool(abs(sol.y[499, -1] / mode[499] - np.exp(-0.1 * np.pi**2)) < 1e-4), sol.njev
    (True, 0)

    An orbit by its Taylor series, in few long steps:

    >>> def kepler(t, u):
    ...     x, y, vx, vy = u
    ...     r3 = (x * x + y * y) ** 1.5
    ...     return [vx, vy, -x / r3, -y / r3]
    >>> sol = odekit.solve_ivp(kepler, (0, 2 * np.pi), [1.0, 0.0, 0.0, 1.0], "taylor", rtol=1e-12, atol=1e-12)
    >>> sol.method, sol.naccept < 10, bool(abs(sol.y[0, -1] - 1.0) < 1e-11)
    ('taylor20', True, True)
    """
    _checks.options(unknown)
    t0, t1 = _checks.span(t_span)
    state = _checks.state(y0)
    n = state.size
    args = _checks.arguments(args)
    event_list, terminal = _checks.events(events)
    if math.isinf(t1) and n > 0 and not (on_step or _may_stop(event_list, terminal)):
        raise ValueError(f"t_span={t_span!r} does not end; an infinite end needs a terminal event")
    rtol_vector, atol_vector, tightest = _checks.tolerances(rtol, atol, state)
    said = _structure.wanted(n, jac_sparsity, lband, uband, linear_solver, preconditioner)
    name, methods = resolve(method, n, tightest, said.given, said.solver == "gmres")
    name, methods, said, mass = _mass.prepared(mass_matrix, name, methods, said, state)
    _checks.linear_solver(methods, said)
    times = _checks.output_times(t_eval, t0, t1)
    _checks.steps(first_step, max_step, max_steps, abs(t1 - t0), methods[0])
    stops = _checks.stops(tstops, t0, t1)
    _checks.system(methods[0], isinstance(fun, Separable), isinstance(fun, Hamiltonian))
    marks = _checks.nonnegative(nonnegative, state)
    _checks.inside_domain(isoutofdomain, t0, state, args)
    _checks.callback("on_step", on_step)
    dense_output = bool(dense_output)
    _checks.storing(store, resume)
    reason, stream = choice.sentence(name, methods, n, tightest, said.words), None
    if store is not None:
        options = {
            "t_span": (t0, t1), "jac": jac, "jac_sparsity": jac_sparsity, "lband": lband, "uband": uband,
            "linear_solver": linear_solver, "preconditioner": preconditioner, "first_step": first_step, "max_step": float(max_step),
            "tstops": stops, "isoutofdomain": isoutofdomain, "nonnegative": marks, "vectorized": vectorized, "mass_matrix": mass_matrix,
        }  # fmt: skip
        stream = _stored.opened(
            store, resume, fun, state, name, methods, reason, args, times, (rtol, atol, rtol_vector, atol_vector), event_list,
            dense_output, on_step, options,
        )  # fmt: skip

    field = _attach_start(
        field_class(fun), fun, t0, state, args, jac, event_list, vectorized, isoutofdomain, False, said
    )
    if field.complex_state:  # two real components each
        rtol_vector, atol_vector = np.repeat(rtol_vector, 2), np.repeat(atol_vector, 2)
    with _progress.bar(progress, t0, t1) as show, stream or NO_CALLS:
        if stream is not None and stream.retcode is not None:  # there is nothing to do
            return stream.solution(fun)
        if stream is not None:
            make, recorder = stream.tools(event_list, terminal, state.dtype, args)
        else:
            make = Integration
            recorder = EventRecorder(event_list, terminal, state.dtype, args) if event_list else NO_EVENTS
        integration = make(
            field.kernels(), (t0, t1), state.view(np.float64), methods, rtol_vector, atol_vector,
            t_eval=times, keep_states=times is None, keep_dense=dense_output,
            first_step=0.0 if first_step is None else float(first_step), max_step=float(max_step), max_steps=int(max_steps),
            stops=stops, nonnegative=marks, on_event=recorder, on_step=step_callback(on_step, state.dtype), progress=show,
            mass=mass,
        )  # fmt: skip
        if n == 0:  # nothing changes, whatever the span
            integration.w[T] = t1
        guarded = field.calls_python() or stream is not None
        trajectory, raised = _run(integration, field, _callback.interrupts() if guarded else NO_CALLS)
        message, error = _ending(trajectory, raised, field, max_steps)
        if stream is None:
            solution = _solution(
                trajectory, field, recorder, times, dense_output, name, (t0, t1), rtol, atol, args, fun, message, reason
            )
        else:
            integration.write(trajectory, message)
            solution = stream.solution(fun)
    if error is not None:
        raise _with_solution(error, solution)
    return solution


def _ending(trajectory, raised, field, max_steps):
    """A sentence on how an integration has ended, and what is to be raised."""
    retcode = trajectory.retcode
    if retcode == Retcode.RHS_RAISED:
        t = trajectory.t if raised is not None else trajectory.fail_t
        error, culprit = raised or field.exception(trajectory.fail_t, trajectory.fail_y, trajectory.culprit)
        return describe(retcode, culprit=culprit, error=type(error).__name__, t=t, h=trajectory.h), error
    component = f", component {trajectory.component}" if trajectory.component >= 0 else ""
    message = describe(retcode, t=trajectory.t, h=trajectory.h, max_steps=max_steps, component=component)
    return message, KeyboardInterrupt(message) if retcode == Retcode.INTERRUPTED else None


def _may_stop(events, terminal):
    """Whether an event can end the integration."""
    return any(math.isfinite(count) for count in terminal) or any(hasattr(event, "affect") for event in events)


def _run(integration, field, guard):
    """The trajectory; and what a callback, or another function outside of the steps, raised and which it was, if one did."""
    try:
        with guard:
            return integration.run(), None
    except CallbackRaised as error:
        return error.trajectory, (error.__cause__, str(error))
    except KeyboardInterrupt:  # just before or just after the steps
        return integration.interrupted(), None
    except Exception as error:
        if field.raised_between is None or field.raised_between[0] is not error:
            raise
        return integration.broken_off(), field.raised_between


def _attach_start(make, fun, t0, state, *rest):
    """Build the field; an exception of the user's function at the start carries the solution so far: the start."""
    try:
        return make(fun, t0, state, *rest)
    except Exception as error:
        start = np.array([t0])
        message = describe(Retcode.RHS_RAISED, culprit="right-hand side", error=type(error).__name__, t=t0, h=0.0)
        solution = Solution(
            start, state[:, None].copy(), None, None, None, 0, 0, 0, 0, 0, Retcode.RHS_RAISED, message, start, [], "", None, None,
            (t0, t0), (), fun,
        )  # fmt: skip
        raise _with_solution(error, solution)  # noqa: B904 (it is the same exception)


def _with_solution(error, solution):
    error.solution = solution
    return error


def _solution(trajectory, field, recorder, times, dense_output, name, span, rtol, atol, args, fun, message, reason):
    dtype = field.y0.dtype
    if times is None:
        t, y = trajectory.steps, trajectory.states
    else:
        t, y = times[: len(trajectory.outputs)], trajectory.outputs
    dense = None
    if dense_output:
        dense = DenseSolution(trajectory.steps, trajectory.sizes, trajectory.states, trajectory.coefficients, dtype)
    if dtype != np.float64:
        y = np.ascontiguousarray(y).view(dtype)
    y = np.ascontiguousarray(y.T)
    if t.size == 0:  # an event came before the first output time: two empty lists, as SciPy gives
        t, y = [], []
    has_events = bool(recorder.times)
    return Solution(
        t=t,
        y=y,
        sol=dense,
        t_events=[np.array(part) for part in recorder.times] if has_events else None,
        y_events=[np.array(part) for part in recorder.states] if has_events else None,
        nfev=trajectory.nfev,
        njev=trajectory.njev,
        nlu=trajectory.nlu,
        naccept=trajectory.naccept,
        nreject=trajectory.nreject,
        retcode=trajectory.retcode,
        message=message,
        steps=trajectory.steps,
        switches=trajectory.switches,
        method=name,
        rtol=rtol,
        atol=atol,
        t_span=span,
        args=args,
        fun=fun,
        method_reason=reason,
    )
