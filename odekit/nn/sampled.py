"""What models have in common whose training data are independent samples, one row each."""

import numpy as np

from . import files


class SampledModel:
    """A model with ``loss_and_grad(x, target, ...)`` over rows of arrays (B, d), as `fit` takes them apart."""

    def samples(self, x, *_):
        """Number of samples in training data, for `fit`."""
        return len(np.atleast_2d(x))

    def select(self, rows, *data):
        """Some of the training data, for `fit`."""
        return tuple(np.atleast_2d(part)[rows] for part in data)

    def save(self, path, *, overwrite=False):
        """Write the model to an HDF5 file; read it back with `odekit.nn.load`."""
        files.save(path, self, overwrite)
