"""Which methods run in fused lanes, and the kernel for a method, a system and a way of keeping results."""

import functools

from . import fused, lane_loop
from .tables import EXPLICIT

#: The methods that run in fused lanes.
METHODS = frozenset(EXPLICIT)
#: Larger systems need more registers than there are, and code that takes long to compile.
LARGEST_DIMENSION = 20


@functools.lru_cache(maxsize=64)
def explicit(name, n, n_params, outputs, field, identity):
    """Kernel of an explicit method.

    Parameters
    ----------
    name : str
    n, n_params : int
    outputs : bool
        Whether states inside the span are kept.
    field : Numba dispatcher
    identity : str
        Of the field, see `odekit._lane_field.lane_function`.

    Returns
    -------
    address : int
    layout : Layout
    """
    table = EXPLICIT[name]
    layout = fused.layout(table, n, n_params, outputs)
    sources = {"sweep": fused.sweep(table, layout, outputs)}
    if outputs:
        sources["dense"] = fused.dense(table, layout)
    return lane_loop.kernel(name, layout, table.embedded_order, sources, {"field": field}, identity), layout
