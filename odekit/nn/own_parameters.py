"""Parameters in a vector of a model's own."""

from . import checks


class OwnParameters:
    """A model that keeps its parameters in the vector ``_params``; a new value is copied into it, as others may have views of it."""

    @property
    def params(self):
        """Flat parameter vector."""
        return self._params

    @params.setter
    def params(self, value):
        self._params[...] = checks.shaped("params", value, self._params.shape)
