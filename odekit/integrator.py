"""`Integrator`: an integration step by step, in the user's hands."""

import math

import numpy as np

from . import _checks
from .field import UserField
from .separable import Separable, SeparableField
from .solution import Retcode, describe
from .solvers import driver
from .solvers import state as S
from .solvers.dense import DenseSolution
from .solvers.integrate import Integration
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
    method, args, rtol, atol, jac, first_step, max_step
        As for `odekit.solve_ivp`.

    Attributes
    ----------
    t : float
        Present time.
    y : ndarray, (n,)
        Present state, a copy.
    h : float
        Size of the last step; 0 before the first.
    retcode : Retcode or None
        None while there is something left to integrate.
    message : str
        What a failure was, or that the end was reached.
    switches : list of Switch
    nfev, njev, nlu, naccept, nreject : int

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
    """

    def __init__(
        self, fun, t0, y0, t_bound, method="auto", *, args=None, rtol=1e-3, atol=1e-6, jac=None, first_step=None,
        max_step=math.inf,
    ):  # fmt: skip
        t0, t_bound = _checks.span((t0, t_bound))
        state = _checks.state(y0)
        args = _checks.arguments(args)
        width = 2 if state.dtype.kind == "c" else 1
        *tolerances, tightest = _checks.tolerances(rtol, atol, state)
        tolerances = [np.repeat(vector, width) for vector in tolerances]
        _, methods = resolve(method, state.size, tightest)
        if not math.isfinite(t_bound):
            raise ValueError(f"t_bound={t_bound!r}; expected a finite time (extend moves it on)")
        _checks.steps(first_step, max_step, 1, abs(t_bound - t0), methods[0])
        _checks.separable(methods[0], isinstance(fun, Separable))
        self._field = (SeparableField if isinstance(fun, Separable) else UserField)(fun, t0, state, args, jac)
        self._run = Integration(
            self._field.kernels(), (t0, t_bound), state.view(np.float64), methods, *tolerances, keep_dense=True,
            first_step=0.0 if first_step is None else float(first_step), max_step=float(max_step), max_steps=2**62,
        )  # fmt: skip
        # one row of log: the step just made
        n, run = state.size * width, self._run
        run.log, run.logs = (np.empty(1), np.empty((1, n)), np.empty((1, run.degree, n))), []
        self.retcode, self.message = None, ""
        self._last = None
        self._ended(run.start())

    def _ended(self, reason):
        """Note that the integration has ended, if it has; raises what the user's function raised."""
        if reason is None or reason == driver.CONTINUE:
            return
        run = self._run
        self.retcode = run.retcode(reason)
        component = run._bad_component() if self.retcode == Retcode.NONFINITE else -1
        values = {
            "t": self.t,
            "h": float(run.w[S.H]) or float(run.w[S.H_NEXT]),
            "max_steps": "",
            "culprit": "right-hand side",
        }
        error = None
        if self.retcode == Retcode.RHS_RAISED:
            error = self._field.exception(float(run.w[S.T_FAIL]), run.vectors[S.SCRATCH].copy())
        self.message = describe(
            self.retcode,
            **values,
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
            What the right-hand side raises.
        """
        run = self._run
        if self.retcode is not None:
            return False
        before, start, accepted = self.t, run.vectors[S.Y].copy(), int(run.iw[S.NACCEPT])
        reason = None
        while reason is None and run.iw[S.NACCEPT] == accepted:
            run.iw[S.N_LOG] = 0
            reason = run.advance(1)
        if run.iw[S.NACCEPT] > accepted:
            self._last = (before, start, run.log[2].copy())
            if self.t == run.w[S.T_END]:
                reason = driver.DONE
        self._ended(reason)
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
        """
        if self._last is None:
            raise ValueError("there is no step yet to interpolate; call step() first")
        before, start, coefficients = self._last
        ends = np.array([before, self.t])
        states = np.stack([start, self._run.vectors[S.Y]])
        return DenseSolution(ends, np.diff(ends), states, coefficients, self._field.y0.dtype)

    def extend(self, t_bound):
        """Move the end on, in the direction of integration.

        Parameters
        ----------
        t_bound : float
        """
        run = self._run
        if not (math.isfinite(t_bound) and (t_bound - self.t) * run.w[S.DIRECTION] > 0):
            raise ValueError(
                f"t_bound={t_bound!r}; expected a finite time beyond t = {self.t!r} in the direction of integration"
            )
        run.w[S.T_END] = t_bound
        if self.retcode == Retcode.SUCCESS:
            self.retcode, self.message = None, ""

    def reinit(self, y=None, t=None):
        """Start anew, from another state or at another time: no history, a first step of its own.

        Parameters
        ----------
        y : array_like, (n,), optional
        t : float, optional
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
        self.retcode, self.message, self._last = None, "", None
        self._ended(run.start())

    def state(self):
        """The exact state of the integration, to go on from later.

        Returns
        -------
        dict of ndarray
            For `restore`; the steps that follow are the same to the last bit.
        """
        return {"iw": self._run.iw.copy(), "w": self._run.w.copy()}

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
        sizes = [S.N, S.DEGREE, S.P_SIZE]
        alike = set(state) == {"iw", "w"} and (state["iw"][sizes] == run.iw[sizes]).all()
        if alike:
            run.prepare_for(state["iw"])
        if not alike or state["iw"].size != run.iw.size:
            raise ValueError("the state is of an integrator with another problem or method")
        run.iw[:] = state["iw"]
        run.w = state["w"].copy()
        run._view_vectors()
        if run.iw[S.W_SIZE] != run.w.size:
            raise ValueError("the state is damaged: its arrays do not fit together")
        self.retcode, self.message, self._last = None, "", None
        if self.t == run.w[S.T_END]:
            self.retcode = Retcode.SUCCESS
