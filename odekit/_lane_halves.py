"""A separable system as the fused lanes call it: velocity and force, each on numbers, and both together."""

import functools

from . import _jit
from ._lane_field import FIELD_OPTIONS, lane_arguments, lane_function, numbers_and_flag
from ._templates import Filling


def lane_halves(system, n, structure, with_vmath=True):
    """The functions that generated code calls for one lane.

    Parameters
    ----------
    system : odekit.separable.Separable
    n : int
        Dimension of the state, positions and momenta.
    structure : tuple
        Of the arguments, from `odekit._arguments.pack`.
    with_vmath : bool
        Whether to replace elementary functions.

    Returns
    -------
    functions : dict
        ``velocity(t, p0, ..., parameters, stride)`` and ``force(t, q0, ..., parameters, stride)``, each of which gives half
        of the slopes and whether it raised; and ``field(t, q0, ..., p0, ..., parameters, stride)``, which gives all slopes.
    identity : str
        A fingerprint of all that goes into them.

    Raises
    ------
    Unsupported, odekit._fingerprint.Unknown
        As `odekit._lane_field.lane_function`.
    """
    m = n // 2
    force, identity = lane_function(system.force, m, structure, False, with_vmath)
    if system.velocity is None:
        velocity, name = _identity(m), f"same{m}"
    else:
        velocity, name = lane_function(system.velocity, m, structure, False, with_vmath)
    identity = f"{name}_{identity}"
    q, p = [f"q{i}" for i in range(m)], [f"p{i}" for i in range(m)]
    u, v = [f"u{i}" for i in range(m)], [f"v{i}" for i in range(m)]
    a = ["parameters", "stride"]
    lines = [
        f"# {identity}",
        f"def both_halves({', '.join(['t', *q, *p, *a])}):",
        f"    {', '.join(u)}, bad = velocity({', '.join(['t', *p, *a])})",
        f"    {', '.join(v)}, worse = force({', '.join(['t', *q, *a])})",
        f"    return {', '.join([*u, *v])}, bad | worse",
    ]
    both = _both("\n".join(lines) + "\n", n, velocity, force)
    return {"velocity": velocity, "force": force, "field": both}, identity


@functools.lru_cache(maxsize=64)
def _both(source, n, velocity, force):
    parts = {"velocity": velocity.function, "force": force.function}
    function = _jit.part(**FIELD_OPTIONS)(_jit.exec_source(source, "both_halves", parts))
    return Filling(function, lane_arguments(n), numbers_and_flag(n))


@functools.lru_cache(maxsize=64)
def _identity(m):
    """The velocity of a system of second order."""
    p = ", ".join(f"p{i}" for i in range(m))
    source = f"def same(t, {p}, parameters, stride):\n    return {p}, 0\n"
    function = _jit.part(**FIELD_OPTIONS)(_jit.exec_source(source, "same", {}))
    return Filling(function, lane_arguments(m), numbers_and_flag(m))
