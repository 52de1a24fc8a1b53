"""What a stored trajectory says about itself: the problem, so that another one is not mixed in, and what series it has."""

import dataclasses

import numpy as np

from .._provenance import flatten
from .identity import digest, identity, numbers, software
from .series import Kind

KIND, VERSION = "odekit-stored-trajectory", "1.0"
CHUNK_BYTES = 8 << 20
_MOST_EVENTS = 400


@dataclasses.dataclass(frozen=True)
class Layout:
    """How a trajectory is laid out.

    Attributes
    ----------
    components : int
        Of a state.
    complex : bool
    outputs : bool
        Whether the rows are at output times, and not the ends of all steps.
    events : int
        Number of event functions.
    chunk_bytes : int
        Bytes of a chunk.
    """

    components: int
    complex: bool
    outputs: bool
    events: int
    chunk_bytes: int = CHUNK_BYTES

    def __post_init__(self):
        for name, least, most in (("components", 1, 1 << 40), ("events", 0, _MOST_EVENTS), ("chunk_bytes", 1, 1 << 40)):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise ValueError(f"layout: {name} is {value!r:.40}, expected a whole number from {least} to {most}")
        if type(self.complex) is not bool or type(self.outputs) is not bool:
            raise ValueError("layout: complex or outputs is neither true nor false")

    def kinds(self):
        """What is written, by name: dict of str to Kind."""
        dims, shape = (
            (("component", "part"), (self.components, 2)) if self.complex else (("component",), (self.components,))
        )
        found = {"trajectory": Kind("time", "y", dims, shape, self.chunk_bytes)}
        if self.outputs:
            found["steps"] = Kind("step", chunk_bytes=self.chunk_bytes)
        for k in range(self.events):
            found[f"event {k}"] = Kind(f"event_{k}", f"y_event_{k}", dims, shape, self.chunk_bytes)
        found["switches"] = Kind("switch", "switch_kind", ("kind",), (2,), self.chunk_bytes)
        return found


#: For `odekit.storage.folder.parse`.
KINDS = {KIND: (VERSION, Layout)}


def problem(fun, y0, args, given):
    """What identifies a problem: name of a field -> text or number.

    Parameters
    ----------
    fun : callable
    y0 : ndarray
    args : tuple
    given : dict
        All else that the result depends on, by name: functions, arrays, numbers, texts, lists of them.

    Returns
    -------
    dict
    """
    values, description = flatten(args)
    return {
        "fun": identity(fun),
        "y0": numbers(y0),
        "args": f"{numbers(values)} {digest(description)[:8]}",
        **{name: _identified(value) for name, value in given.items()},
        **software(),
    }


def _identified(value):
    """Text that tells a value from others, in every process."""
    if callable(value) or hasattr(value, "tocsc"):
        return identity(value)
    if isinstance(value, np.ndarray):
        return numbers(value)
    if isinstance(value, (list, tuple)):
        return [_identified(one) for one in value]
    return repr(value)
