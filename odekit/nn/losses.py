"""Losses of trajectories: a mean of squared differences, and means of what stands at the end.

That is the mean squared error; the same beside the integrals along the trajectories that are further components of their last states;
and the negative logarithm of a density under a flow to the normal distribution, half a square of its end minus an integral.
"""

import dataclasses
import functools

import numpy as np

from .. import _jit


@_jit.core_apart
def compare(begin, lanes, outputs, target, loss, seeds):
    """What some lanes of a batch add to a loss; its derivative goes to `seeds`.

    Parameters
    ----------
    begin, lanes : int
    outputs : ndarray, (T, B, d)
    target : ndarray, (S, B, k), S <= T and k <= d
        Wanted at the last S times. The state may have further components, which are in no difference.
    loss : tuple
        `Loss.numbers`.
    seeds : ndarray, (T, B, d)
        Zero where the loss does not look.

    Returns
    -------
    float
    """
    factor, place, weights, constant = loss
    width, first = outputs.shape[1], outputs.shape[0] - target.shape[0]
    size = max(1, target.size)  # nothing is wanted where there are integrals only
    total, scale = 0.0, 2.0 * factor / size
    for k in range(target.shape[0]):
        for j in range(begin, begin + lanes):
            for i in range(target.shape[2]):
                residual = outputs[first + k, j, i] - target[k, j, i]
                total += residual * residual
                seeds[first + k, j, i] = scale * residual
    total = factor * total / size
    end, last = outputs[outputs.shape[0] - 1], seeds[outputs.shape[0] - 1]
    for i in range(weights.size):
        for j in range(begin, begin + lanes):
            total += weights[i] / width * end[j, place + i]
            last[j, place + i] = weights[i] / width
    return total + constant * lanes / width


@dataclasses.dataclass(frozen=True)
class Loss:
    """A mean squared difference times `factor`, the means of some last components times their `weights`, and a `constant`.

    Parameters
    ----------
    factor : float
    place : int
        The first of those components; none of them has a difference to anything.
    weights : sequence of float
    constant : float
    """

    factor: float = 1.0
    place: int = 0
    weights: tuple = ()
    constant: float = 0.0

    @functools.cached_property
    def numbers(self):
        """The same for `compare`."""
        return self.factor, self.place, np.array(self.weights, dtype=np.float64), self.constant

    def of(self, ys, target):
        """The loss of trajectories, and its derivative.

        Parameters
        ----------
        ys : ndarray, (T, B, d)
        target : ndarray, (S, B, k)
            Wanted at the last S times.

        Returns
        -------
        loss : float
        seeds : ndarray, (T, B, d)
        """
        seeds = np.zeros_like(ys)
        return float(compare(0, ys.shape[1], ys, target, self.numbers, seeds)), seeds

    def pulled_back(self, gradient, target):
        """The loss and its derivatives from a function that pulls cotangents back.

        Parameters
        ----------
        gradient : callable
            From a function of the trajectories to an `odekit.adjoint.Gradient` and further terms of the loss.
        target : ndarray, (S, B, k)

        Returns
        -------
        loss : float
        params_bar : ndarray, (n_params,)
        y0_bar : ndarray, (B, d)
        """
        loss = 0.0

        def cotangent(ys):
            nonlocal loss
            loss, seeds = self.of(ys, target)
            return seeds

        g, terms = gradient(cotangent)
        return loss + terms, g.params, g.y0


#: Of trajectories whose further components have no meaning.
SQUARED_ERROR = Loss()
