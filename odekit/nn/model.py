"""What every model can do, whatever it models: decorators that hand its methods to classes without a common base."""

from . import files


def fit(self, *data, **options):
    """Train the model; `odekit.nn.fit` says what `data` and `options` are.

    Returns
    -------
    odekit.nn.History
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
