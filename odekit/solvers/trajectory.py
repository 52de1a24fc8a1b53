"""What an integration leaves: steps, states, counts, and how it ended."""

import dataclasses

import numpy as np

from ..solution import Retcode


@dataclasses.dataclass
class Trajectory:
    """What `integrate` returns.

    Attributes
    ----------
    steps : ndarray, (naccept + 1,)
        Start time and the ends of the accepted steps; a time at which an event changed the state stands twice.
    states : ndarray, (naccept + 1, n), or (1, n)
        States at `steps`, if they were wanted; else only the first.
    coefficients : ndarray, (naccept, degree, n)
        Dense output of every step, if it was wanted.
    outputs : ndarray, (m, n)
        States at the output times that were reached.
    retcode : Retcode
    t, h : float
        Where the integration ended and the step size then.
    fail_t, fail_y : float, ndarray or None
        Argument with which the vector field, or an event function, raised, if one did.
    culprit : str
        What raised, if something did.
    component : int
        First component of the state that was not finite, or -1.
    switches : list of Switch
    nfev, njev, nlu, naccept, nreject : int
    """

    steps: np.ndarray
    states: np.ndarray
    coefficients: np.ndarray
    outputs: np.ndarray
    retcode: Retcode
    t: float
    h: float
    fail_t: float
    fail_y: np.ndarray | None
    culprit: str
    component: int
    switches: list
    nfev: int
    njev: int
    nlu: int
    naccept: int
    nreject: int

    @property
    def sizes(self):
        """Step sizes, (naccept,); 0 where an event changed the state."""
        return self.steps[1:] - self.steps[:-1]
