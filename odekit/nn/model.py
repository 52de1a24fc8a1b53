"""What every model can do, whatever it models: decorators that hand its methods to classes without a common base."""

from . import files


def fit(self, *data, **options):
    """Train the model.

    Parameters
    ----------
    *data, **options
        As for `odekit.nn.fit`.

    Returns
    -------
    odekit.nn.History

    Raises
    ------
    TypeError, ValueError
        For data or options that do not fit.
    TrainingError
        If a step cannot be made; the parameters are those of the last good one.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> x = np.random.default_rng(0).uniform(-1, 1, (64, 2))
    >>> model = odekit.nn.HNN(odekit.nn.MLP([2, 16, 1], rng=0))
    >>> history = model.fit(x, x[:, ::-1] * [1, -1], steps=50, rng=0)
    >>> bool(history.loss[-1] < history.loss[0])
    True
    """
    from .fit import fit as train  # which knows models, and must not be imported by them

    return train(self, *data, **options)


def storable(cls):
    """Give a class ``save`` and ``load``."""
    cls.save, cls.load = files.save, classmethod(files.load_as)
    return cls


def trainable(cls):
    """Give a class ``fit``, ``save`` and ``load``."""
    cls.fit = fit
    return storable(cls)
