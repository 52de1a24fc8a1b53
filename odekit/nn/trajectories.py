"""Trajectories of a batch whose samples took steps of their own."""

import dataclasses

import numpy as np

from ..solution import Retcode


@dataclasses.dataclass
class Trajectories:
    """Trajectories of a batch, and what each of them took.

    Attributes
    ----------
    t : ndarray, (T,)
    y : ndarray, (T, B, d)
        NaN from where a trajectory has failed.
    nfev, naccept, nreject : ndarray of int, (B,)
        Evaluations of the field, accepted and rejected steps: inputs that are harder to follow take more.
    retcode : ndarray of int, (B,)
        An `odekit.Retcode` for each.
    message : list of str
        What has become of each, in words.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> model = odekit.nn.NeuralODE(odekit.nn.MLP([2, 16, 2], rng=0), step_control="per_sample")
    >>> found = model.trajectories(np.ones((3, 2)), [0.0, 1.0])
    >>> found.message[0], found.nfev.shape
    ('The solver successfully reached the end of the integration interval.', (3,))
    """

    t: np.ndarray
    y: np.ndarray
    nfev: np.ndarray
    naccept: np.ndarray
    nreject: np.ndarray
    retcode: np.ndarray
    message: list

    @property
    def success(self):
        """Which have reached their ends, (B,)."""
        return self.retcode == int(Retcode.SUCCESS)

    def __repr__(self):
        return (
            f"<Trajectories: {int(self.success.sum())} of {self.nfev.size} reached t = {self.t[-1]:g} with {self.nfev.min()} to "
            f"{self.nfev.max()} evaluations>"
        )
