"""Derivatives along directions at the start: whether they are right, and whether the given structure holds them all."""

import numpy as np

from . import _callback
from .solvers.problem import SCRATCH_VECTORS

AGREEMENT = 1e-3  # how well exact derivatives must agree with difference quotients
#: What a difference quotient loses to rounding, in units of the largest argument and value.
ROUNDING = 1e3 * np.finfo(float).eps
CUBE_ROOT = np.cbrt(np.finfo(float).eps)


def _quotient(field, t, y, v, v_t=0.0):
    """Central difference quotient along a direction, and its uncertainty from rounding."""
    h = CUBE_ROOT * max(np.max(np.abs(y), initial=0.0), 1e-3) / max(np.max(np.abs(v), initial=0.0), 1e-300)
    low, high = (
        _callback.call(field.kernel.address, t + s * h * v_t, y + s * h * v, y.size, field.parameters) for s in (-1, 1)
    )
    noise = ROUNDING * np.maximum(np.abs(low), np.abs(high)) / h
    return (high - low) / (2 * h), noise + ROUNDING * np.max(np.abs(high), initial=0.0)


def _along(field, address, t, y, v, v_t=0.0):
    """Exact derivative along a direction."""
    p = np.concatenate((field.parameters, np.zeros(SCRATCH_VECTORS * y.size)))
    return _callback.call(address, t, np.concatenate((y, v, [v_t])), y.size, p)


def agrees(field, kernel, y, time):
    """Whether exact derivatives along two directions, and in t, agree with difference quotients."""
    rng = np.random.default_rng(0)
    directions = [(np.maximum(np.abs(y), 1e-3) * rng.choice([-1.0, 1.0], y.size), 0.0) for _ in range(2)]
    directions += [(np.zeros(y.size), 1.0)] if time else []
    for v, v_t in directions:
        exact = _along(field, kernel.address, field.t0, y, v, v_t)
        quotient, noise = _quotient(field, field.t0, y, v, v_t)
        known = np.isfinite(exact) & np.isfinite(quotient)  # outside the function's domain nothing is learnt
        tolerance = (
            AGREEMENT * np.abs(quotient) + 1e-3 * AGREEMENT * np.max(np.abs(quotient[known]), initial=0.0) + noise
        )
        if np.any(np.abs(exact - quotient)[known] > tolerance[known]):
            return False
    return True


def check(field, structure, address):
    """Refuse a structure that misses an entry of the Jacobian, as far as one random direction near the start tells.

    Parameters
    ----------
    field : odekit.field.UserField
    structure : odekit.solvers.linalg.Structure
    address : int
        Of the kernel of exact derivatives along a direction; 0: there is none.

    Raises
    ------
    ValueError
        With a row and a column that it misses.
    """
    kernel = field.kernel
    key = structure.key()
    if key in kernel.structures:
        return
    n = structure.n
    rng = np.random.default_rng(0)
    y = field.y0.view(np.float64)
    y = y * (1 + AGREEMENT * rng.random(n)) + AGREEMENT**2

    def derivative(v):
        if address:
            return _along(field, address, field.t0, y, v), 0.0
        return _quotient(field, field.t0, y, v)

    scale, factor = np.maximum(np.abs(y), 1e-3), 1.0 + rng.random(n)
    whole, noise = derivative(scale * factor)
    product, size = np.zeros(n), np.zeros(n)
    rows, columns, colours = structure.places()
    for colour in range(structure.n_colours):
        here = colours[columns] == colour
        along, more = derivative(np.where(colours == colour, scale, 0.0))
        noise = noise + 2 * more
        # each row ascribes what it finds to the one column of this colour that it has a place in
        product[rows[here]] += along[rows[here]] * factor[columns[here]]
        size += np.abs(along)
    kernel.raised.clear()  # outside of the function's domain nothing is learnt
    tolerance = (1e-8 if address else AGREEMENT) * size + noise
    missed = np.flatnonzero(np.isfinite(whole) & np.isfinite(product) & (np.abs(whole - product) > tolerance))
    if not missed.size:
        kernel.structures.add(key)
        return
    row = int(missed[0])
    outside = np.setdiff1d(np.arange(n), columns[rows == row])
    while outside.size > 1:  # bisection: half of the columns without a place in this row
        half = np.zeros(n)
        half[outside[: outside.size // 2]] = (scale * factor)[outside[: outside.size // 2]]
        along, _ = derivative(half)
        nonzero = abs(along[row]) > tolerance[row] / 2
        outside = outside[: outside.size // 2] if nonzero else outside[outside.size // 2 :]
    column = int(outside[0]) if outside.size else row
    raise ValueError(
        f"{structure.source} misses an entry: component {row} of fun depends on y[{column}] (near the start, at t = {field.t0!r})"
    )
