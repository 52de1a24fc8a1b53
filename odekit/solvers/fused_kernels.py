"""Which methods run in fused lanes, and the kernel for a method, a system and a way of keeping results."""

import functools

from . import fused, fused_events, fused_rosenbrock, fused_symplectic, fused_taylor, lane_loop, taylor
from .rosenbrock_tables import ROSENBROCK
from .symplectic import SPLITTINGS
from .tables import EXPLICIT

#: The methods that run in fused lanes. kvaerno5 is not among them: at equal error it takes 1.7 to 4 times the evaluations and solutions
#: of linear systems that rodas5p takes (Robertson's reaction, van der Pol's oscillator, the Oregonator, HIRES; errors 1e-5 to 1e-9),
#: lanes would iterate as long as the slowest of them, and what it saves, Jacobians and factorisations, is the smaller part of a step
#: of up to eight components.
SERIES = frozenset(f"taylor{order}" for order in taylor.ORDERS)
METHODS = frozenset(EXPLICIT) | frozenset(SPLITTINGS) | frozenset(ROSENBROCK) | SERIES
#: The implicit method of an automatic pair there.
IMPLICIT = "rodas5p"
#: Larger systems need more registers than there are, and code that takes long to compile.
LARGEST_DIMENSION = 20
#: The same of the implicit methods: they take 0.07 of the time of the single tier for 4 to 10 components, but a kernel for 10 takes
#: half a minute to compile, for 8 a third of that.
LARGEST_STIFF_DIMENSION = 8
#: Products of Taylor coefficients in a step: with as many, a kernel takes some twenty seconds to compile.
MOST_PRODUCTS = 10_000


@functools.lru_cache(maxsize=64)
def explicit(name, n, n_params, outputs, field, identity, paired=False, events=()):
    """Kernel of an explicit method.

    Parameters
    ----------
    name : str
    n, n_params : int
    outputs : bool
        Whether states inside the span are kept.
    field : odekit._templates.Filling
    identity : str
        Of field and events, see `odekit._lane_field.lane_function`.
    paired : bool
        Whether it is that of an automatic pair.
    events : tuple of (odekit._templates.Filling, float)
        Event functions, and their directions.

    Returns
    -------
    address : int
    layout : Layout
    """
    table = EXPLICIT[name]
    outputs = outputs or len(events) > 0
    layout = fused.layout(table, n, n_params, outputs, paired, len(events))
    dense = fused.dense(table, layout) if outputs else None
    sources = {"sweep": fused.sweep(table, layout, outputs), "dense": dense}
    return _linked(name, layout, table.embedded_order, sources, {"field": field}, identity, events)


def _linked(name, layout, order, sources, fillings, identity, events, on_dense=False, functions=()):
    """Address and layout of a kernel, with what finds events; arguments as for `lane_loop.kernel`.

    Sources of a dense output are left out where they are None.
    """
    sources = {called: source for called, source in sources.items() if source is not None}
    if events:
        found, directions = zip(*events, strict=True)
        sources |= fused_events.sources(layout, directions, on_dense)
        fillings = {f"event{k}": function for k, function in enumerate(found)} | fillings
    on_dense = on_dense and len(events) > 0
    return lane_loop.kernel(name, layout, order, sources, fillings, identity, on_dense, functions), layout


@functools.lru_cache(maxsize=64)
def symplectic(name, n, n_params, outputs, velocity, force, field, identity, events=()):
    """Kernel of a symplectic splitting method.

    Parameters
    ----------
    name : str
    n, n_params : int
    outputs : bool
        Whether states inside the span are kept.
    velocity, force, field : odekit._templates.Filling
        See `odekit._lane_halves.lane_halves`.
    identity : str
        Of all functions.
    events : tuple of (odekit._templates.Filling, float)
        As above.

    Returns
    -------
    address : int
    layout : Layout
    """
    outputs = outputs or len(events) > 0
    layout = fused_symplectic.layout(n, n_params, outputs, len(events))
    dense = fused_symplectic.dense(layout) if outputs else None
    sources = {"sweep": fused_symplectic.sweep(SPLITTINGS[name], layout, outputs), "dense": dense}
    fillings = {"velocity": velocity, "force": force, "field": field}
    return _linked(name, layout, 0, sources, fillings, identity, events)


@functools.lru_cache(maxsize=64)
def rosenbrock(name, n, n_params, outputs, field, jacobian, timed, identity, partner=None, events=()):
    """Kernel of a Rosenbrock method.

    Parameters
    ----------
    name : str
    n, n_params : int
    outputs : bool
        Whether states inside the span are kept.
    field, jacobian : odekit._templates.Filling
    timed : bool
        Whether the field depends on t, so that `jacobian` gives the derivatives with respect to t too.
    identity : str
        Of field, events and Jacobian, see `odekit._lane_derivative.lane_jacobian`.
    partner : str, optional
        Explicit method of an automatic pair.
    events : tuple of (odekit._templates.Filling, float)
        As above.

    Returns
    -------
    address : int
    layout : Layout
    """
    table = ROSENBROCK[name]
    outputs = outputs or len(events) > 0
    layout = fused_rosenbrock.layout(table, n, n_params, outputs, partner is not None, len(events))
    dense = fused_rosenbrock.dense(table, layout) if outputs else None
    sweep = fused_rosenbrock.sweep(table, layout, outputs, timed, EXPLICIT.get(partner))
    fillings, sources = {"field": field, "jacobian": jacobian}, {"sweep": sweep, "dense": dense}
    return _linked(name, layout, table.embedded_order, sources, fillings, identity, events, on_dense=True)


@functools.lru_cache(maxsize=64)
def series(name, n, n_params, outputs, expansion, functions, field, identity, events=()):
    """Kernel of a Taylor method.

    Parameters
    ----------
    name : str
    n, n_params : int
    outputs : bool
        Whether states inside the span are kept.
    expansion : odekit.solvers.expansion.Expansion
    functions : tuple of (str, callable)
        Elementary functions by the names that they have there.
    field : odekit._templates.Filling
    identity : str
        Of field and events.
    events : tuple of (odekit._templates.Filling, float)
        As above.

    Returns
    -------
    address : int
    layout : Layout
    """
    outputs = outputs or len(events) > 0
    order = len(expansion.coefficients)
    layout = fused_taylor.layout(order, n, n_params, outputs, len(events))
    origins = ", ".join(f"{called}: {function.__module__}" for called, function in functions if called != "math")
    # part of the source, as it is compiled into other code with other functions
    sweep = f"# {origins}\n{fused_taylor.sweep(expansion, layout, outputs)}"
    sources = {"sweep": sweep, "dense": fused_taylor.dense(layout) if outputs else None}
    return _linked(
        name, layout, order - 1, sources, {"field": field}, identity, events, on_dense=True, functions=functions
    )
