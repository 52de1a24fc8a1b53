"""Checks of what users give to networks and models; every message quotes what came and says what is expected."""

import numpy as np

from .._numbers import (  # noqa: F401 (names of this module, too)
    count,
    finite_array,
    generator,
    not_negative,
    number,
    positive,
    real_array,
    shaped,
    times,
)


def batch(name, value, features):
    """(d,) or (B, d) as (B, d), and whether it was a batch."""
    array = real_array(name, value)
    if array.ndim not in (1, 2) or array.shape[-1] != features:
        raise ValueError(f"{name} must have shape ({features},) or (B, {features}), but its shape is {array.shape}")
    return np.atleast_2d(array), array.ndim == 2


def alike(name, value, shape):
    """A finite array of the shape (B, k), or (k,) for B = 1, as (B, k)."""
    array = real_array(name, value)
    return shaped(name, array[None] if array.ndim == 1 else array, shape)


def choice(name, value, known):
    """One of several names."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name}={value!r} is unknown; expected one of {', '.join(known)}")
    return value


def precision(dtype):
    """float64 or float32, by its name."""
    try:
        name = np.dtype(dtype).name
    except TypeError:
        name = ""
    if name not in ("float64", "float32"):
        raise ValueError(f"dtype={dtype!r} is unknown; expected float64 or float32")
    return name


def double(**networks):
    """Refuse networks in single precision, by their names."""
    for name, network in networks.items():
        if network.dtype != "float64":
            raise ValueError(
                f"{name} must have dtype='float64', because equations are solved with it, but it has dtype={network.dtype!r}"
            )


def precise_enough(field, method, explicit, rtol, atol):
    """Refuse what a field in single precision cannot give: solutions of equations, and tolerances below its roundoff."""
    if getattr(field, "dtype", "float64") == "float64":
        return
    if not explicit:
        raise ValueError(
            f"method={method!r} solves equations with the field, which needs dtype='float64'; with dtype='float32' take tsit5 or another "
            "explicit method"
        )
    roundoff = float(np.finfo(np.float32).eps)
    if max(rtol, atol) < roundoff:
        raise ValueError(
            f"rtol={rtol:g} and atol={atol:g} are below the roundoff {roundoff:.1g} of a field with dtype='float32'; take 1e-6 or more, or "
            "dtype='float64'"
        )


def one_precision(*networks):
    """The precision that networks have in common."""
    kinds = sorted({network.dtype for network in networks})
    if len(kinds) > 1:
        raise ValueError(f"the networks must have the same dtype, but they have {' and '.join(kinds)}")
    return kinds[0]


def field(value):
    """A network, or another object, that can be a vector field."""
    if not all(hasattr(type(value), name) for name in ("params", "dim", "kernels", "pack")):
        raise TypeError(
            f"field must be a network such as odekit.nn.MLP or odekit.nn.HNN, but it is a {type(value).__name__}"
        )
    value.dim  # noqa: B018 (raises if it has another number of outputs than of inputs)
    return value
