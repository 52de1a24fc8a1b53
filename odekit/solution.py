"""What an integration returns: the trajectory, how it ended, what it cost."""

import dataclasses
import enum
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np


class Retcode(enum.IntEnum):
    """How an integration ended. Positive: the end, or an event; negative: a failure.

    Examples
    --------
    >>> import odekit
    >>> sol = odekit.solve_ivp(lambda t, y: [y[0] ** 2], (0, 2), [1.0])  # blows up at t = 1
    >>> sol.retcode == odekit.Retcode.STEP_TOO_SMALL, sol.retcode.name, int(sol.retcode)
    (True, 'STEP_TOO_SMALL', -2)
    """

    SUCCESS = 0
    """The end of the span was reached."""
    TERMINATED = 1
    """A terminal event ended the integration."""
    STOPPED = 2
    """A callback (`on_step`, or the ``affect`` of an event) asked to end the integration."""
    MAX_STEPS = -1
    """The step limit was reached. Common causes: a stiff problem with an explicit method, a tolerance far too small, a
    singularity that is approached ever more slowly."""
    STEP_TOO_SMALL = -2
    """The step fell below the spacing of numbers at t. Common causes: a singularity (blow-up), a discontinuity, a tolerance
    below rounding."""
    NONFINITE = -3
    """The right-hand side gave NaN or infinity, however small the step."""
    NEWTON_FAILED = -4
    """The nonlinear equations of an implicit step could not be solved, however small the step. Common causes: a wrong
    Jacobian, a right-hand side that is not smooth."""
    SINGULAR = -5
    """The matrix of an implicit step was singular, however small the step."""
    RHS_RAISED = -6
    """The right-hand side (or an event function) raised an exception; the exception carries the partial solution."""
    INTERRUPTED = -7
    """Ctrl-C; the KeyboardInterrupt carries the partial solution."""
    EVENTS_ACCUMULATE = -8
    """The ``affect`` of an event was called ever faster (Zeno behaviour), as for a bouncing ball that comes to rest."""
    OUT_OF_DOMAIN = -9
    """The steps led out of the domain that `isoutofdomain` or `nonnegative` states, however small they were. Common causes:
    the exact solution leaves the domain; it starts on its border."""
    BAD_INPUT = -10
    """A compiled solver, called from compiled code, was given a state or arguments of another size than it was made for, a
    state that is not finite, or times that are not in order; or the code that called it was cached with another version of
    odekit. (From Python such input raises an exception.)"""
    INCONSISTENT = -11
    """The state from which an integration with a singular `mass_matrix` was to start anew, after an event changed it or a known
    jump, does not satisfy the algebraic equations, and no components could be found whose change would help. (At the
    very start that is an exception of `solve_ivp`; of an ensemble it is the trajectory's return code.)"""


_REMEDIES = {
    Retcode.SUCCESS: "The solver successfully reached the end of the integration interval.",
    Retcode.TERMINATED: "A termination event occurred.",
    Retcode.STOPPED: "A callback asked to stop at t = {t!r}.",
    Retcode.MAX_STEPS: "The limit of {max_steps} steps was reached at t = {t!r} with step size h = {h:.3g}. "
    "Raise max_steps, loosen rtol and atol, or, with an explicit method, try method='auto': the problem may be stiff.",
    Retcode.STEP_TOO_SMALL: "The step size h = {h:.3g} at t = {t!r} fell below the spacing of floating-point numbers. "
    "The solution may blow up or jump there: end the span earlier, split it at the jump, or loosen rtol and atol.",
    Retcode.NONFINITE: "The right-hand side gave a value that is not finite near t = {t!r} (step size down to h = {h:.3g}"
    "{component}). Check its domain there (logarithms, roots, divisions), or bound the step by max_step.",
    Retcode.NEWTON_FAILED: "The implicit equations could not be solved near t = {t!r}, with step sizes down to h = {h:.3g}. "
    "Check jac against fun, or leave jac out; with a method of fixed steps take a smaller first_step; if fun has jumps, split the "
    "span at them.",
    Retcode.SINGULAR: "The matrix of the implicit step was singular near t = {t!r}, with step sizes down to h = {h:.3g}. "
    "Check jac against fun, or leave jac out.",
    Retcode.BAD_INPUT: "The state at t = {t!r}, the times or the arguments do not fit the compiled solver; "
    "call it from Python to see which.",
    Retcode.INCONSISTENT: "The state at t = {t!r}, from where the integration was to start, does not satisfy the algebraic "
    "equations of the singular mass matrix. Give a start, or let the affect of the event return a state, that does.",
    Retcode.RHS_RAISED: "The {culprit} raised {error} at t = {t!r}, in a step of size h = {h:.3g}.",
    Retcode.INTERRUPTED: "Interrupted at t = {t!r}, with step size h = {h:.3g}; the trajectory up to there is kept.",
    Retcode.EVENTS_ACCUMULATE: "An event changed the state again and again at ever smaller distances, which have become too small "
    "to tell at t = {t!r} (a bouncing ball comes to rest like this). Let its affect return odekit.STOP, or change what fun does, "
    "once little happens.",
    Retcode.OUT_OF_DOMAIN: "Every step from t = {t!r} leads out of the domain (isoutofdomain, nonnegative), with step sizes down "
    "to h = {h:.3g}. The solution itself may leave it there: end the span earlier, check fun at the border, or tighten atol.",
}


def describe(retcode, **values):
    """Sentence for a return code: what happened, at which t, with which h, what to try."""
    sentence = _REMEDIES[retcode]
    return sentence if retcode == Retcode.SUCCESS else sentence.format(**values)


@dataclasses.dataclass(frozen=True)
class Switch:
    """A change of method during an automatic integration.

    Attributes
    ----------
    t : float
    source, target : str
        Names of the methods.
    reason : str

    Examples
    --------
    >>> import odekit
    >>> sol = odekit.solve_ivp(lambda t, y: [y[1], 1e3 * (1 - y[0] ** 2) * y[1] - y[0]], (0, 500), [2.0, 0.0])
    >>> [(change.source, change.target) for change in sol.switches[:1]]
    [('tsit5', 'radau')]
    """

    t: float
    source: str
    target: str
    reason: str


@dataclasses.dataclass
class Solution:
    """A trajectory, with SciPy's names where SciPy has them.

    Attributes
    ----------
    t : ndarray, (nt,)
        Output times: `t_eval`, or the ends of all steps.
    y : ndarray, (n, nt)
        States at `t`.
    sol : DenseSolution or None
        The solution as a function of time, with ``dense_output=True``.
    t_events : list of ndarray, or None
        Per event function, the times of its zeros.
    y_events : list of ndarray, or None
        Per event function, the states there, each (k, n): those before the event's ``affect``.
    nfev, njev, nlu : int
        Evaluations of the right-hand side (those for difference quotients included; a Taylor series counts as one) and of the
        Jacobian, and LU factorisations.
    naccept, nreject : int
        Accepted and rejected steps.
    status : int
        0: the end was reached, 1: a terminal event or a callback, -1: failure.
    retcode : Retcode
    message : str
    success : bool
    steps : ndarray, (naccept + 1,)
        Start time, then the ends of all accepted steps, also where `t_eval` was given. A time at which the ``affect`` of an
        event changed the state stands twice, as it does in `t`.
    switches : list of Switch
        Changes of method (``method="auto"``).
    method : str
    method_reason : str
        Why the method, or the pair of an automatic integration, was taken.
    rtol, atol : float or ndarray, (n,)
    t_span : tuple of float
    args : tuple
    fun : callable or None
        None in a pickled copy, if `fun` itself cannot be pickled (a lambda, a function in a function, an address).

    Examples
    --------
    >>> import odekit
    >>> sol = odekit.solve_ivp(lambda t, y: [-y[0]], (0, 2), [1.0], t_eval=[0, 1, 2], rtol=1e-8, atol=1e-10)
    >>> sol.y.round(4), sol.retcode.name, sol.success
    (array([[1.    , 0.3679, 0.1353]]), 'SUCCESS', True)
    >>> sol.h.shape == sol.ends.shape == (sol.naccept,)
    True
    """

    t: np.ndarray
    y: np.ndarray
    sol: Any
    t_events: list | None
    y_events: list | None
    nfev: int
    njev: int
    nlu: int
    naccept: int
    nreject: int
    retcode: Retcode
    message: str
    steps: np.ndarray
    switches: list
    method: str
    rtol: Any
    atol: Any
    t_span: tuple
    args: tuple = ()
    fun: Callable | None = None
    method_reason: str = ""

    @property
    def success(self):
        """Whether the end, or a wanted stop before it, was reached."""
        return self.retcode >= 0

    @property
    def status(self):
        """SciPy's status: 0 end, 1 event (or callback), -1 failure."""
        return min(max(int(self.retcode), -1), 1)

    @property
    def h(self):
        """Sizes of the accepted steps, (naccept,); their ends are in `ends`."""
        sizes = np.diff(self.steps)
        return sizes[sizes != 0]

    @property
    def ends(self):
        """Ends of the accepted steps, (naccept,): `steps` without the start, each time once."""
        return self.steps[1:][np.diff(self.steps) != 0]

    def methods_in_use(self):
        """The method that took each accepted step.

        Returns
        -------
        list of str, of length naccept

        Examples
        --------
        >>> import odekit
        >>> sol = odekit.solve_ivp(lambda t, y: [-1e4 * y[0]], (0, 1), [1.0], "bdf")
        >>> set(sol.methods_in_use())
        {'bdf'}
        """
        names, current, pending = [], self.switches[0].source if self.switches else self.method, list(self.switches)
        forward = self.t_span[1] >= self.t_span[0]
        for start in self.steps[:-1][np.diff(self.steps) != 0]:
            while pending and (pending[0].t <= start if forward else pending[0].t >= start):
                current = pending.pop(0).target
            names.append(current)
        return names

    def to_xarray(self, **labels):
        """The trajectory as an `xarray.Dataset` (needs xarray).

        Parameters
        ----------
        **labels
            ``names``, ``units`` and ``time_unit``, see `odekit.storage.save`.

        Returns
        -------
        xarray.Dataset
            See `odekit.storage.to_xarray`.

        Raises
        ------
        ImportError
            If xarray is not there.
        ValueError
            For labels that do not fit.
        """
        from .storage import to_xarray

        return to_xarray(self, **labels)

    def __getstate__(self):
        """The attributes; `fun` stands in a wrapper that leaves it out where it cannot be pickled, and that copies keep."""
        return {**self.__dict__, "fun": _IfPicklable(self.fun)}

    def __setstate__(self, state):
        """Take the attributes over; `fun` is still wrapped where `copy` made the copy."""
        fun = state["fun"]
        self.__dict__.update(state, fun=fun.function if isinstance(fun, _IfPicklable) else fun)

    def __getitem__(self, name):
        """SciPy's results are dictionaries too: ``sol["t"]`` is ``sol.t``."""
        try:
            return getattr(self, name)
        except AttributeError:
            raise KeyError(name) from None

    def __repr__(self):
        end = f"t = {self.steps[-1]:.6g}" if self.steps.size else "t0"
        return (
            f"<Solution of {self.method}: {self.retcode.name} at {end}, {len(self.t)} points, "
            f"{self.naccept} steps accepted, {self.nreject} rejected, nfev {self.nfev}, njev {self.njev}, nlu {self.nlu}>"
        )


@dataclasses.dataclass(frozen=True)
class _IfPicklable:
    """A function that is pickled as None where pickle refuses it; `copy` and `deepcopy` keep it as it is."""

    function: Callable | None

    def __reduce__(self):
        try:
            pickle.dumps(self.function)
        except Exception:  # each kind of function has an error of its own
            return _nothing, ()
        return _itself, (self.function,)

    def __deepcopy__(self, _memo):
        return self


def _nothing():
    return None


def _itself(function):
    return function
