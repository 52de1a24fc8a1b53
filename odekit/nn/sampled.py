"""What models have in common whose training data are independent samples, one row each."""

import numpy as np

from .model import trainable


def _rows(part, rows):
    """Some rows of one part of the data; a number, such as a time, belongs to all."""
    return part if part is None or np.ndim(part) == 0 else np.asarray(part)[rows]


@trainable
class SampledModel:
    """A model with ``loss_and_grad(x, target, ...)`` over rows of arrays (B, d), as `fit` takes them apart."""

    def samples(self, x, *_):
        """Number of samples in training data, for `fit`, whose arguments it takes.

        Returns
        -------
        int
        """
        return len(np.atleast_2d(x))

    def select(self, rows, *data):
        """Some of the training data, for `fit`.

        Parameters
        ----------
        rows : ndarray of int
            Numbers of the samples; then the data that `fit` was given.

        Returns
        -------
        tuple
        """
        single = np.ndim(data[0]) < 2
        return tuple(_rows(np.atleast_2d(part) if single and np.ndim(part) > 0 else part, rows) for part in data)
