"""What models have in common whose training data are independent samples, one row each."""

import numpy as np

from .model import trainable


@trainable
class SampledModel:
    """A model with ``loss_and_grad(x, target, ...)`` over rows of arrays (B, d), as `fit` takes them apart."""

    def samples(self, x, *_):
        """Number of samples in training data, for `fit`."""
        return len(np.atleast_2d(x))

    def select(self, rows, *data):
        """Some of the training data, for `fit`."""
        return tuple(np.atleast_2d(part)[rows] for part in data)
