"""`Integrator`: an integration step by step, in the user's hands."""

import math

import numpy as np

from . import _checks, _mass, _structure
from ._callbacks import EventRecorder, step_callback
from ._numbers import number
from .hamiltonian import Hamiltonian, field_class
from .separable import Separable
from .solution import Retcode, describe
from .solvers import checkpoint, driver, outcome, stops
from .solvers import state as S
from .solvers.dense import DenseSolution
from .solvers.integrate import CallbackRaised, Integration
from .solvers.methods import resolve


class Integrator:
    """Integrates ``dy/dt = fun(t, y, *args)`` step by step.

    Parameters
    ----------
    fun : callable or address
        As for `odekit.solve_ivp`.
    t0 : float
    y0 : array_like, (n,)
    t_bound : float
        Where to end; it can be moved on with `extend`.
    method, events, args, rtol, atol, jac, jac_sparsity, lband, uband, linear_solver, preconditioner
        As for `odekit.solve_ivp`. With a Taylor method `interpolant` is the series of the step itself.
    first_step, max_step, tstops, isoutofdomain, nonnegative, on_step, mass_matrix
        As for `odekit.solve_ivp`.

    Attributes
    ----------
    t : float
        Present time.
    y : ndarray, (n,)
        Present state, a copy.
    h : float
        Size of the last step; 0 before the first.
    t_events, y_events : list of lists
        Per event function, the times of its zeros so far and the states there.
    retcode : Retcode or None
        None while there is something left to integrate.
    message : str
        Why it ended.
    switches : list of Switch
    nfev, njev, nlu, naccept, nreject : int
        As in `odekit.Solution`; the series of a Taylor method counts as one evaluation.

    Raises
    ------
    ValueError, TypeError
        For input that makes no sense.

    Examples
    --------
    >>> import odekit
    >>> run = odekit.Integrator(lambda t, y: [y[1], -y[0]], 0.0, [1.0, 0.0], 10.0, rtol=1e-8, atol=1e-8)
    >>> while run.y[0] > 0 and run.step():
    ...     pass
    >>> 1.5 < run.t < 2.5
    True

    A step ends at an event that changes the state or is terminal:

    >>> def floor(t, y):
    ...     return y[0]
    >>> floor.direction, floor.affect = -1, lambda t, y: [0.0, -0.9 * y[1]]
    >>> ball = odekit.Integrator(lambda t, y: [y[1], -9.81], 0.0, [1.0, 0.0], 10.0, events=floor)
    >>> while not ball.t_events[0]:
    ...     _ = ball.step()
    >>> round(ball.t, 3), round(float(ball.y[1]), 3)
    (0.452, 3.987)
    """

    def __init__(
        self, fun, t0, y0, t_bound, method="auto", *, events=None, args=None, rtol=1e-3, atol=1e-6, jac=None,
        jac_sparsity=None, lband=None, uband=None, linear_solver="auto", preconditioner=None, first_step=None,
        max_step=math.inf, tstops=None, isoutofdomain=None, nonnegative=None, on_step=None, mass_matrix=None,
    ):  # fmt: skip
        t0, t_bound = _checks.span((t0, t_bound))
        state = _checks.state(y0)
        args = _checks.arguments(args)
        event_list, terminal = _checks.events(events)
        width = 2 if state.dtype.kind == "c" else 1
        *tolerances, tightest = _checks.tolerances(rtol, atol, state)
        tolerances = [np.repeat(vector, width) for vector in tolerances]
        said = _structure.wanted(state.size, jac_sparsity, lband, uband, linear_solver, preconditioner)
        name, methods = resolve(method, state.size, tightest, said.given, said.solver == "gmres")
        _, methods, said, mass = _mass.prepared(mass_matrix, name, methods, said, state)
        _checks.linear_solver(methods, said)
        if not math.isfinite(t_bound):
            raise ValueError(f"t_bound={t_bound!r}; expected a finite time (extend moves it on)")
        _checks.steps(first_step, max_step, 1, abs(t_bound - t0), methods[0])
        _checks.system(methods[0], isinstance(fun, Separable), isinstance(fun, Hamiltonian))
        marks = _checks.nonnegative(nonnegative, state)
        _checks.inside_domain(isoutofdomain, t0, state, args)
        _checks.callback("on_step", on_step)
        self._field = field_class(fun)(fun, t0, state, args, jac, event_list, isoutofdomain=isoutofdomain, said=said)
        recorder = EventRecorder(event_list, terminal, state.dtype, args)
        self.t_events, self.y_events = recorder.times, recorder.states
        # a few rows of log: the step just made, and what events have made of its end
        self._run = Integration(
            self._field.kernels(), (t0, t_bound), state.view(np.float64), methods, *tolerances, keep_dense=True,
            first_step=0.0 if first_step is None else float(first_step), max_step=float(max_step), max_steps=2**62,
            stops=_checks.stops(tstops, t0, t_bound), nonnegative=marks, on_event=recorder,
            on_step=step_callback(on_step, state.dtype), mass=mass, capacity=4,
        )  # fmt: skip
        self.retcode, self.message = None, ""
        self._last = None
        self._begin()

    def _begin(self):
        reason = self._run.start()
        self._ended(stops.zeros_at_start(self._run) if reason is None else reason)

    def _ended(self, reason, raised=None):
        """Note that the integration has ended, if it has; raises what the user's function raised."""
        if reason is None:
            return
        run = self._run
        self.retcode = Retcode(outcome.code(run.iw, reason))
        component = outcome.bad_component(run) if self.retcode == Retcode.NONFINITE else -1
        error, culprit = None, outcome.culprit(reason)
        if raised is not None:
            error, culprit = raised
        elif self.retcode == Retcode.RHS_RAISED:
            error, culprit = self._field.exception(float(run.w[S.T_FAIL]), run.vectors[S.SCRATCH].copy(), culprit)
        self.message = describe(
            self.retcode,
            t=self.t,
            h=float(run.w[S.H]) or float(run.w[S.H_NEXT]),
            max_steps="",
            culprit=culprit,
            component=f", component {component}" if component >= 0 else "",
            error=type(error).__name__,
        )
        if error is not None:
            raise error

    @property
    def t(self):
        """Present time."""
        return float(self._run.w[S.T])

    @property
    def y(self):
        """Present state, a copy of shape (n,)."""
        return self._run.vectors[S.Y].copy().view(self._field.y0.dtype)

    @property
    def h(self):
        """Size of the last step."""
        return float(self._run.w[S.H_OLD])

    @property
    def switches(self):
        """Changes of method so far."""
        return self._run.switches

    def __getattr__(self, name):
        counters = {"nfev": S.NFEV, "njev": S.NJEV, "nlu": S.NLU, "naccept": S.NACCEPT, "nreject": S.NREJECT}
        if name in counters:
            return int(self._run.iw[counters[name]])
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def step(self):
        """Make one accepted step.

        Returns
        -------
        bool
            Whether there is something left to integrate; if not, `retcode` and `message` say why.

        Raises
        ------
        Exception
            What the right-hand side, an event or a callback raises.

        Examples
        --------
        >>> import odekit
        >>> decay = odekit.Integrator(lambda t, y: [-y[0]], 0.0, [1.0], 1.0)
        >>> while decay.step():
        ...     pass
        >>> decay.t, decay.retcode.name
        (1.0, 'SUCCESS')
        """
        run = self._run
        if self.retcode is not None:
            return False
        before, start, reason, raised = self.t, run.vectors[S.Y].copy(), None, None
        accepted = int(run.iw[S.NACCEPT])
        run.log.clear()
        try:
            while reason is None and (run.iw[S.NACCEPT] == accepted or run.iw[S.PENDING] == 1):
                reason = run.advance(1)
            if reason is None and self.t == run.w[S.T_END]:  # the end, or a known jump
                reason = run.advance(1)
            if run.on_step is not None and reason in (None, driver.DONE, driver.EVENT):
                reason = run.report_step() or reason
        except CallbackRaised as error:
            reason, raised = driver.CALLBACK_RAISED, (error.__cause__, str(error))
        except Exception as error:
            raised = self._field.raised_between
            if raised is None or raised[0] is not error:
                raise
            reason = driver.CALLBACK_RAISED
        if run.iw[S.NACCEPT] > accepted:
            times, states, coefficients = (part[0].copy() for part in run.log.buffer)
            self._last = (np.array([before, times]), np.stack([start, states]), coefficients[None])
        self._ended(reason, raised)
        return self.retcode is None

    def interpolant(self):
        """The last step as a function of time.

        Returns
        -------
        DenseSolution

        Raises
        ------
        ValueError
            Before the first step.

        Examples
        --------
        >>> import odekit
        >>> decay = odekit.Integrator(lambda t, y: [-y[0]], 0.0, [1.0], 1.0, rtol=1e-8, atol=1e-10)
        >>> decay.step()
        True
        >>> decay.interpolant()(decay.t / 2).shape
        (1,)
        """
        if self._last is None:
            raise ValueError("there is no step yet to interpolate; call step() first")
        ends, states, coefficients = self._last
        return DenseSolution(ends, np.diff(ends), states, coefficients, self._field.y0.dtype)

    def extend(self, t_bound):
        """Move the end on, in the direction of integration.

        Parameters
        ----------
        t_bound : float
            A time beyond the present one.

        Raises
        ------
        ValueError
            For a time on the other side, or one that is not finite.

        Examples
        --------
        >>> import odekit
        >>> decay = odekit.Integrator(lambda t, y: [-y[0]], 0.0, [1.0], 1.0)
        >>> while decay.step():
        ...     pass
        >>> decay.extend(2.0)
        >>> while decay.step():
        ...     pass
        >>> decay.t
        2.0
        """
        run, t_bound = self._run, number("t_bound", t_bound)
        if not ((t_bound - self.t) * run.w[S.DIRECTION] > 0):
            raise ValueError(
                f"t_bound={t_bound!r}; expected a finite time beyond t = {self.t!r} in the direction of integration"
            )
        run.stops[-1] = t_bound
        run.aim()
        if self.retcode == Retcode.SUCCESS:
            self.retcode, self.message = None, ""

    def reinit(self, y=None, t=None):
        """Start anew, from another state or at another time: no history, a first step of its own.

        Parameters
        ----------
        y : array_like, (n,), optional
            The state; by default the present one.
        t : float, optional
            The time; by default the present one.

        Raises
        ------
        ValueError
            For a state of another size, or numbers that are not finite.

        Examples
        --------
        >>> import odekit
        >>> decay = odekit.Integrator(lambda t, y: [-y[0]], 0.0, [1.0], 1.0)
        >>> decay.step()
        True
        >>> decay.reinit(y=[5.0])
        >>> decay.y
        array([5.])
        """
        run = self._run
        if y is not None:
            state = _checks.state(y)
            if state.shape != self._field.y0.shape:
                raise ValueError(f"y has {state.size} components; expected {self._field.y0.size}")
            run.vectors[S.Y] = state.astype(self._field.y0.dtype).view(np.float64)
        if t is not None:
            t, _ = _checks.span((t, run.w[S.T_END]))
            run.w[S.T] = t
        run.begin, run.fired = self.t, {}
        self.retcode, self.message, self._last = None, "", None
        self._begin()

    def state(self):
        """The exact state of the integration, to go on from later.

        Returns
        -------
        dict of ndarray
            For `restore`; the steps that follow are the same to the last bit.

        Examples
        --------
        >>> import odekit
        >>> decay = odekit.Integrator(lambda t, y: [-y[0]], 0.0, [1.0], 1.0)
        >>> before = decay.state()
        >>> decay.step(), decay.restore(before), decay.t
        (True, None, 0.0)
        """
        return checkpoint.take(self._run)

    def restore(self, state):
        """Go back to a state that `state` gave, of this integrator or of one made alike.

        Parameters
        ----------
        state : dict of ndarray

        Raises
        ------
        ValueError
            If it belongs to another kind of problem.
        """
        run = self._run
        checkpoint.restore(run, state)
        for times, states in zip(self.t_events, self.y_events, strict=True):
            while times and (times[-1] - self.t) * run.w[S.DIRECTION] > 0:
                times.pop()
                states.pop()
        self.retcode, self.message, self._last = None, "", None
        if self.t == run.stops[-1]:
            self.retcode = Retcode.SUCCESS
