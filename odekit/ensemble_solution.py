"""What an ensemble of integrations returns."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from .solution import Retcode, describe


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

        Returns
        -------
        str
        """
        return describe(
            Retcode(int(self.retcode[k])), t=float(self.t_end[k]), h=float(self.h_end[k]), max_steps=self.max_steps,
            component="", culprit="right-hand side, or an event function,", error="an exception",
        )  # fmt: skip

    def __len__(self):
        return self.retcode.size

    def __repr__(self):
        return (
            f"<EnsembleSolution of {self.method}: {self.message} {self.tier} tier, {int(self.naccept.sum())} steps accepted, "
            f"{int(self.nreject.sum())} rejected>"
        )


def summary(retcodes):
    """Sentence that counts the outcomes of trajectories.

    Parameters
    ----------
    retcodes : ndarray of int

    Returns
    -------
    str
    """
    codes, counts = np.unique(retcodes, return_counts=True)
    order = np.argsort(-codes)
    parts = [f"{counts[i]} {Retcode(int(codes[i])).name}" for i in order]
    return f"{retcodes.size} trajectories: {', '.join(parts)}."
