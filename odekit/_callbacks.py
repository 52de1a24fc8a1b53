"""What is called during an integration, in Python: what an event does, and the callback of each step."""

import numpy as np

from . import _signatures
from .solvers.integrate import CallbackRaised
from .solvers.stops import STOP


class EventRecorder:
    """Collects zeros of the event functions, ends the integration at terminal ones, calls what changes the state.

    Parameters
    ----------
    functions : list of callable
        Event functions; their attribute ``affect`` is looked at.
    terminal : list of float
        After how many zeros each ends the integration; infinity: never.
    dtype : numpy dtype
        Of the state.
    args : tuple
        Further arguments of the callbacks.

    Attributes
    ----------
    times, states : list of lists
        Per event function, the times of its zeros and the states there.
    """

    def __init__(self, functions, terminal, dtype, args):
        self._affects = [getattr(function, "affect", None) for function in functions]
        self._terminal, self._dtype, self._args = terminal, dtype, args
        for affect in self._affects:
            if affect is not None:
                _signatures.require("the affect of an event", affect, "affect(t, y, *args)", args, 0.0, None)
        self.times = [[] for _ in functions]
        self.states = [[] for _ in functions]

    def __call__(self, k, t, left, y):
        """Note a zero; the answer is that of ``on_event`` in `odekit.solvers.stops`."""
        affect = self._affects[k]
        if y is None and (affect is not None or self._terminal[k] < np.inf):
            return None  # at the start: waits for the next zero
        self.note(k, t, left)
        if self.count(k) >= self._terminal[k]:
            return STOP
        return None if affect is None else self._change(affect, t, y)

    def note(self, k, t, left):
        """Keep a zero of event function k."""
        self.times[k].append(t)
        self.states[k].append(left.view(self._dtype))

    def count(self, k):
        """How many zeros event function k has had."""
        return len(self.times[k])

    def _change(self, affect, t, y):
        state = y.copy().view(self._dtype)
        try:
            answer = affect(t, state, *self._args)
            if answer is STOP:
                return STOP
            new = state if answer is None else np.array(answer)
            if (
                new.shape != state.shape
                or new.dtype.kind not in "biuf" + self._dtype.kind
                or not np.isfinite(new).all()
            ):
                raise ValueError(
                    f"the affect of an event returned {answer!r:.80} at t = {t!r}; expected {state.size} finite numbers, None "
                    "or odekit.STOP"
                )
        except Exception as error:
            raise CallbackRaised("affect of an event") from error
        new = new.astype(self._dtype).view(np.float64)
        return None if np.array_equal(new, y) else new


def step_callback(on_step, dtype):
    """`on_step` as the integrators call it: with the state as the user knows it, True where it asks to stop.

    Parameters
    ----------
    on_step : callable or None
    dtype : numpy dtype
        Of the state.

    Returns
    -------
    callable or None
    """
    if on_step is None:
        return None
    _signatures.require("on_step", on_step, "on_step(t, y)", (), 0.0, None)

    def call(t, y):
        try:
            answer = on_step(t, y.view(dtype))
            if answer is None or answer is STOP or isinstance(answer, (bool, np.bool_)):
                return answer is STOP or bool(answer)
            raise TypeError(f"on_step returned {answer!r:.80} at t = {t!r}; expected None, False, True or odekit.STOP")
        except Exception as error:
            raise CallbackRaised("on_step") from error

    return call
