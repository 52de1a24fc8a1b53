"""What an adjoint returns, and how it calls the loss."""

import dataclasses

import numpy as np

from .. import _signatures
from .._numbers import shaped
from .sweeps import SolveError


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

    Examples
    --------
    >>> import numpy as np, odekit
    >>> model = odekit.nn.NeuralODE(odekit.nn.MLP([2, 8, 2], rng=0))
    >>> g = model.gradient(np.ones((5, 2)), [0.0, 1.0], np.ones((2, 5, 2)))  # of the sum of all states
    >>> g.y.shape, g.params.shape == model.params.shape, g.y0.shape, g.t
    ((2, 5, 2), True, (5, 2), None)
    """

    y: np.ndarray
    params: np.ndarray
    y0: np.ndarray
    t: np.ndarray | None
    counts: dict
    penalties: np.ndarray | None = None


class CotangentError(SolveError, ValueError):
    """A cotangent that is not finite: the loss has no derivative at the outputs.

    A training takes it for what it is there, a step that failed: it ends with its last good parameters.
    """


def cotangent_array(value, shape):
    """A cotangent as a finite array in C order.

    Raises
    ------
    TypeError
        If it is not an array of real numbers.
    ValueError
        For another shape.
    CotangentError
        For a number that is not finite.
    """
    return shaped("cotangent", value, shape, _no_derivative)


def _no_derivative(sentence):
    return CotangentError(f"{sentence}: the loss has no derivative there.")


def given_cotangent(cotangent, shape):
    """The same of a cotangent that is given as an array, before anything is solved; a function of the outputs as it is."""
    if not callable(cotangent):
        return cotangent_array(cotangent, shape)
    _signatures.require("cotangent", cotangent, "cotangent(y)", (), None)
    return cotangent


def seeds_of(cotangent, y):
    """The cotangent of outputs y (T, B, d), as an array in C order, from an array or from a function of the outputs.

    Raises
    ------
    TypeError, ValueError, CotangentError
        See `cotangent_array`.
    """
    return cotangent_array(cotangent(y) if callable(cotangent) else cotangent, y.shape)
