"""What an ensemble of integrations returns."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .solution import Retcode, describe
from .solvers.event_log import Zeros


@dataclasses.dataclass
class EnsembleSolution:
    """N trajectories.

    Attributes
    ----------
    t : ndarray, (nt,) or (N, nt)
        Times of the states in `y`: one row per trajectory where they differ.
    y : ndarray, (N, n, nt)
        States: at `t_eval`, or at the end (nt = 1), or at every step up to the bound. NaN where a trajectory has none: after
        its failure, after its terminal event.
    t_end, h_end : ndarray, (N,)
        Where each trajectory ended, at an event or by a failure perhaps, and its step size there.
    retcode : ndarray of int, (N,)
        `Retcode` of each trajectory.
    nfev, njev, nlu, naccept, nreject, nswitch : ndarray of int, (N,)
        Evaluations of the right-hand side and of the Jacobian, LU factorisations, accepted and rejected steps, changes of
        method, per trajectory.
    nsaved : ndarray of int, (N,)
        How many of the columns of `y` hold a state.
    message : str
        How many trajectories ended how; `describe` tells of one.
    method : str
    tier : str
        How the trajectories were computed: ``"fused"`` (side by side in code generated for this system) or ``"single"``
        (one after the other).
    tier_reason : str
        Why.
    rtol, atol : float or array_like
    args : tuple
    fun : callable
    max_steps : int
    events : odekit.solvers.event_log.Zeros or None
        The zeros of the event functions of all trajectories as flat arrays, for a look at them all at once: ``trajectory``,
        ``function``, ``t`` and ``y`` (total, n). None without `events`.
    max_events : int
        Bound on the zeros that are kept of a trajectory.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> def growth(t, y, rate):
    ...     return [rate * y[0] ** 2]
    >>> ens = odekit.solve_ensemble(growth, (0, 1), [1.0], args=(np.array([0.25, 0.5, 2.0]),), t_eval=[0.0, 1.0])
    >>> ens.y.shape, ens.success, ens.y[:2, 0, 1].round(3)  # the last one blows up at t = 1 / 2
    ((3, 1, 2), array([ True,  True, False]), array([1.333, 2.   ]))
    >>> ens.message
    '3 trajectories: 2 SUCCESS, 1 STEP_TOO_SMALL.'
    """

    t: np.ndarray
    y: np.ndarray
    t_end: np.ndarray
    h_end: np.ndarray
    retcode: np.ndarray
    nfev: np.ndarray
    njev: np.ndarray
    nlu: np.ndarray
    naccept: np.ndarray
    nreject: np.ndarray
    nswitch: np.ndarray
    nsaved: np.ndarray
    message: str
    method: str
    tier: str
    tier_reason: str
    rtol: Any
    atol: Any
    args: tuple
    fun: Callable
    max_steps: int
    events: Zeros | None = None
    max_events: int = 0

    @property
    def t_events(self):
        """Times of the zeros: ``t_events[k]``, made when it is asked for, is what `odekit.solve_ivp` gives of trajectory k.

        That is a list with an array for each event function. None without `events`.
        """
        return None if self.events is None else MemberEvents(self.events, TIMES)

    @property
    def y_events(self):
        """States at the zeros, ``y_events[k]`` likewise: arrays of shape (number of zeros, n)."""
        return None if self.events is None else MemberEvents(self.events, STATES)

    @property
    def nevents(self):
        """How many zeros each event function had in each trajectory, kept or not, (N, number of event functions)."""
        return None if self.events is None else self.events.counts

    @property
    def success(self):
        """Per trajectory, whether its end or a terminal event was reached, (N,)."""
        return self.retcode >= 0

    @property
    def y_end(self):
        """The last state that is kept of each trajectory, (N, n); NaN where it failed."""
        if self.y.shape[2] == 1:
            ends = self.y[:, :, 0].copy()
        else:
            last = np.maximum(self.nsaved - 1, 0)
            ends = np.take_along_axis(self.y, last[:, None, None], axis=2)[:, :, 0]
        ends[~self.success] = np.nan
        return ends

    def describe(self, k):
        """Sentence on the outcome of one trajectory.

        Parameters
        ----------
        k : int
            Number of the trajectory.

        Returns
        -------
        str

        Raises
        ------
        IndexError
            If there is no such trajectory.

        Examples
        --------
        >>> import odekit
        >>> odekit.solve_ensemble(lambda t, y: [-y[0]], (0, 1), [[1.0], [2.0]]).describe(1)
        'The solver successfully reached the end of the integration interval.'
        """
        check_member(k, len(self))
        sentence = describe(
            Retcode(int(self.retcode[k])), t=float(self.t_end[k]), h=float(self.h_end[k]), max_steps=self.max_steps,
            component="", culprit="right-hand side, or an event function,", error="an exception",
        )  # fmt: skip
        if self.events is None or self.events.left_out[k] == 0:
            return sentence
        return (
            f"{sentence} Of {self.nevents[k].sum()} zeros of event functions the first {self.events.kept[k]} are kept; raise "
            "max_events for all of them."
        )

    def __len__(self):
        return self.retcode.size

    def __repr__(self):
        return (
            f"<EnsembleSolution of {self.method}: {self.message} {self.tier} tier, {int(self.naccept.sum())} steps accepted, "
            f"{int(self.nreject.sum())} rejected>"
        )


#: Which part of what `Zeros.of` gives.
TIMES, STATES = 1, 2


def check_member(k, count):
    """Refuse what is not the number of one of so many trajectories."""
    if isinstance(k, (bool, np.bool_)) or not isinstance(k, (int, np.integer)):
        raise TypeError(f"{k!r:.80} is not the number of a trajectory")
    if not -count <= k < count:
        raise IndexError(f"there is no trajectory {k}: expected a number from 0 to {count - 1}")


class MemberEvents(Sequence):
    """Times of the zeros of event functions, or states there: an element for each trajectory, made when it is asked for.

    ``[k]`` is a list with an array for each event function, ``[first:last]`` a list of such lists.

    Parameters
    ----------
    zeros : object with ``len``, ``functions`` and ``of(k)``
        See `odekit.solvers.event_log.Zeros`.
    part : int
        `TIMES` or `STATES`.
    """

    def __init__(self, zeros, part):
        self._zeros, self._part = zeros, part

    def __len__(self):
        return len(self._zeros)

    def __getitem__(self, key):
        if isinstance(key, slice):
            return [self[k] for k in range(len(self))[key]]
        try:
            k = range(len(self))[key]
        except TypeError:
            raise TypeError(f"index {key!r:.80}; expected a number or a slice of trajectories") from None
        return by_function(self._zeros.of(k), self._zeros.functions, self._part)

    def __repr__(self):
        return f"<{('times', 'states')[self._part - TIMES]} of the events of {len(self)} trajectories>"


def by_function(zeros, functions, part):
    """A list with an array for each event function.

    Parameters
    ----------
    zeros : tuple
        From `Zeros.of`.
    functions : int
        Number of event functions.
    part : int
        `TIMES` or `STATES`.

    Returns
    -------
    list of ndarray
    """
    return [zeros[part][zeros[0] == j] for j in range(functions)]


def summary(retcodes, left_out=None, max_events=0):
    """Sentence that counts the outcomes of trajectories.

    Parameters
    ----------
    retcodes : ndarray of int
    left_out : ndarray of int, optional
        How many zeros of event functions of each are not kept.
    max_events : int
        Bound on the zeros that are kept of a trajectory.

    Returns
    -------
    str
    """
    # by sorting: a count for each possible number would take as much memory as a code in somebody's file says
    codes, counts = np.unique(retcodes, return_counts=True)
    order = np.argsort(-codes)
    parts = [f"{counts[i]} {Retcode(int(codes[i])).name}" for i in order]
    sentence = f"{retcodes.size} trajectories: {', '.join(parts)}."
    many = 0 if left_out is None else np.count_nonzero(left_out)
    return (
        f"{sentence} {many} had more than max_events = {max_events} events, the first of which are kept."
        if many
        else sentence
    )
