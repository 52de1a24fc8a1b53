"""What an adjoint returns, and how it calls the loss."""

import dataclasses

import numpy as np


@dataclasses.dataclass
class Gradient:
    """Outputs of a solve, and the derivatives of a loss on them.

    Attributes
    ----------
    y : ndarray, (T, B, d)
        Outputs.
    params : ndarray, (n_params,)
        Derivative with respect to the parameters of the field.
    y0 : ndarray, (B, d)
        With respect to the initial states.
    t : ndarray, (T,), or None
        With respect to the output times, the start and the end included; only if it was asked for.
    counts : dict of int
        Accepted and rejected steps, evaluations, and how many numbers were stored; steps and evaluations are arrays (B,) where
        every trajectory has its own.
    penalties : ndarray, (2,), or None
        Sums of the error and of the stiffness estimates over all trajectories and steps, where they are in the loss.
    """

    y: np.ndarray
    params: np.ndarray
    y0: np.ndarray
    t: np.ndarray | None
    counts: dict
    penalties: np.ndarray | None = None


def seeds_of(cotangent, y):
    """The cotangent of outputs y (T, B, d), as an array in C order, from an array or from a function of the outputs.

    Raises
    ------
    ValueError
        For a cotangent of another shape.
    """
    seeds = np.ascontiguousarray(cotangent(y) if callable(cotangent) else cotangent, dtype=np.float64)
    if seeds.shape != y.shape:
        raise ValueError(f"cotangent must have shape {y.shape}, but its shape is {seeds.shape}")
    return seeds
