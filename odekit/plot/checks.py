"""Checks of what is to be drawn: one sentence that says what was given and what is expected, before a figure is opened."""

import numpy as np

from .._numbers import finite_array, real_array


def having(name, value, expected, *attributes, ndim=None):
    """Refuse an object of another kind: what lacks one of the attributes, or whose `y` has another number of axes."""
    fits = not isinstance(value, type) and all(hasattr(value, attribute) for attribute in attributes)
    if not fits or (ndim is not None and len(value.y.shape) != ndim):
        raise TypeError(f"{name} must be {expected}, but it is {_kind(value)}")


def component(name, i, n):
    """Refuse what is not the number of one of n components."""
    if isinstance(i, (bool, np.bool_)) or not isinstance(i, (int, np.integer)) or not -n <= i < n:
        raise ValueError(f"{name} must be the number of a component, from 0 to {n - 1}, but it is {i!r:.80}")


def limits(name, pair):
    """Two numbers, the smaller first."""
    pair = finite_array(name, pair)
    if pair.shape != (2,) or not pair[0] < pair[1]:
        raise ValueError(f"{name} must be two numbers, the smaller one first, but it is {pair.tolist()!r:.80}")
    return tuple(pair.tolist())


def quantiles(name, pairs):
    """Pairs of quantiles, (m, 2), each the lower one first."""
    pairs = finite_array(name, pairs)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or not ((pairs >= 0.0) & (pairs <= 1.0) & (pairs[:, :1] <= pairs)).all():
        raise ValueError(
            f"{name} must be pairs of numbers from 0 to 1, the smaller one first, but they are {pairs.tolist()!r:.80}"
        )
    return pairs


def curve(t, values, name):
    """Times (nt,) and as many numbers, or rows of them."""
    t, values = finite_array("t", t), real_array(name, values)
    if t.ndim != 1 or values.shape[:1] != t.shape:
        raise ValueError(f"t and {name} must have the same length, but their shapes are {t.shape} and {values.shape}")
    return t, values


def _kind(value):
    return f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"
