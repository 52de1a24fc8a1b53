"""Adjoints by name, and the choice among them."""

from ..solvers.methods import resolve
from ..solvers.stabilised_tables import STABILISED
from ..solvers.tables import EXPLICIT
from .backsolve import BacksolveAdjoint
from .coupled import require_plain
from .discrete import DiscreteAdjoint
from .implicit import ImplicitAdjoint
from .implicit_scheme import METHODS
from .interpolating import InterpolatingAdjoint
from .reversible import ReversibleAdjoint
from .rosenbrock import METHODS as ROSENBROCK
from .rosenbrock import bends
from .sensitivity import ForwardSensitivity

#: Adjoints by their names.
ADJOINTS = {
    "discrete": DiscreteAdjoint,
    "implicit": ImplicitAdjoint,
    "reversible": ReversibleAdjoint,
    "backsolve": BacksolveAdjoint,
    "interpolating": InterpolatingAdjoint,
    "forward": ForwardSensitivity,
}
#: Those that take explicit methods only, and that take implicit ones only.
EXPLICIT_ONLY = (DiscreteAdjoint, ReversibleAdjoint, BacksolveAdjoint, ForwardSensitivity)
IMPLICIT_ONLY = (ImplicitAdjoint,)


def one_method(method):
    """The name in `odekit.solvers.methods` of a method with which solutions are differentiated.

    Parameters
    ----------
    method : str
        Any of the names that `odekit.solve_ivp` knows.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        For an unknown one, for "auto", for those of systems of positions and momenta, which are not given to an adjoint, and for
        Taylor series.
    """
    name, methods = resolve(method)
    if len(methods) != 1:
        raise ValueError(
            f"method={method!r} switches between methods; name one, for example tsit5, or kvaerno5 for stiff problems"
        )
    require_plain(name)
    return name


def choose(adjoint, method, field):
    """The adjoint behind a name, or the object itself.

    "auto" is the exact adjoint of the method's family: "discrete" for explicit, "implicit" for implicit methods; and
    "interpolating" for bdf, rock2 and rock4, and for rosenbrock23 and rodas5p where the field has no second derivatives. See docs/adjoints.md.

    Parameters
    ----------
    adjoint : str or object with a method ``gradient``
    method : str
        Name of an integration method.
    field : object
        See `odekit.adjoint.tape`.

    Returns
    -------
    object

    Raises
    ------
    ValueError
        For an unknown name, or a method or a field that the adjoint does not take.

    Examples
    --------
    >>> import odekit
    >>> field = odekit.nn.MLP([2, 8, 2], rng=0)
    >>> [type(odekit.adjoint.choose("auto", method, field)).__name__ for method in ("tsit5", "kvaerno5", "bdf")]
    ['DiscreteAdjoint', 'ImplicitAdjoint', 'InterpolatingAdjoint']
    """
    explicit = method in EXPLICIT
    if isinstance(adjoint, str) and adjoint == "auto":
        exact = method in METHODS or (method in ROSENBROCK and bends(field))
        return DiscreteAdjoint() if explicit else ImplicitAdjoint() if exact else InterpolatingAdjoint()
    if isinstance(adjoint, str) and adjoint in ADJOINTS:
        adjoint = ADJOINTS[adjoint]()
    if isinstance(adjoint, (str, type)) or not hasattr(adjoint, "gradient"):
        known = ", ".join(("auto", *ADJOINTS))
        raise ValueError(f"adjoint={adjoint!r} is unknown; expected one of {known}, or an object of odekit.adjoint")
    if isinstance(adjoint, EXPLICIT_ONLY) and not explicit:
        kind = "explicit methods of one table" if method in STABILISED else "explicit methods"
        raise ValueError(f"{type(adjoint).__name__} takes {kind}, but method={method!r}; adjoint='auto' fits")
    if isinstance(adjoint, IMPLICIT_ONLY) and method not in (*METHODS, *ROSENBROCK):
        known = ", ".join((*METHODS, *ROSENBROCK))
        raise ValueError(f"{type(adjoint).__name__} takes {known}, but method={method!r}; adjoint='auto' fits")
    return adjoint
