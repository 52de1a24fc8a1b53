"""Adjoints by name."""

from .discrete import DiscreteAdjoint

ADJOINTS = {"discrete": DiscreteAdjoint}


def choose(adjoint, field, method):
    """The adjoint behind a name, or the object itself.

    Parameters
    ----------
    adjoint : str or object with a method ``gradient``
    field : object
        See `odekit.adjoint.tape`.
    method : str

    Returns
    -------
    object

    Raises
    ------
    ValueError
        For an unknown name.
    """
    if hasattr(adjoint, "gradient") and not isinstance(adjoint, type):
        return adjoint
    if adjoint == "auto":
        return DiscreteAdjoint()
    if not isinstance(adjoint, str) or adjoint not in ADJOINTS:
        raise ValueError(f"adjoint={adjoint!r} is unknown; expected one of auto, {', '.join(ADJOINTS)}, or an object of odekit.adjoint")
    return ADJOINTS[adjoint]()
