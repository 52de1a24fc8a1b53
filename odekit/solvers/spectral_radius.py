"""Spectral radius of the Jacobian by a power method on the field itself: no matrix, one evaluation for each iteration.

The direction is kept from one estimate to the next, so that a later one takes few iterations (B. P. Sommeijer, L. F. Shampine,
J. G. Verwer, "RKC: an explicit solver for parabolic PDEs", J. Comput. Appl. Math. 88 (1998) 315; Abdulle's rock4.f).
"""

import math

from .. import _jit
from .state import ACCEPTED, ATOL, F0, NFEV, NONFINITE, F, T, Y, rhs_raised, vector

#: Of the perturbation, relative to the state: the root of the machine accuracy.
PERTURBATION = 1.4901161193847656e-08
MOST_ITERATIONS = 50  # rock4.f; a spectrum whose largest eigenvalues are a complex pair may never settle
#: Relative change that ends the iteration. The estimates rise, by about 1 / (2 k^2) of themselves in iteration k where the
#: spectrum is as dense at its end as that of the Laplace operator on a square, and lack then about 1 / (2 k) ...
CHANGE = 1e-3
SAFETY = 1.1  #: ... for which this makes up. (rock4.f: a change of 5 % and a factor of 1.2.)


@_jit.core
def noise(v):
    """Fill v with numbers that look random: some of every mode, where a smooth start knows nothing of the fast ones."""
    x = 1
    for i in range(v.size):
        x = (x * 1103515245 + 12345) % 2147483648  # the generator of the C standard
        v[i] = x / 1073741824.0 - 1.0


@_jit.core
def norm(v):
    """Euclidean norm."""
    total = 0.0
    for i in range(v.size):
        total += v[i] * v[i]
    return math.sqrt(total)


@_jit.core
def estimate(fn, iw, w, p, direction, z, slope, place):
    """Write a bound of the spectral radius at the present (t, y) to ``w[place]``; a step code.

    Parameters
    ----------
    fn, iw, w, p : ndarray
        State; f0 is the field at (t, y).
    direction : ndarray, (n,)
        Where the last estimate ended; zeros before the first.
    z, slope : ndarray, (n,)
        Scratch.
    place : int
    """
    y, f0, atol = vector(iw, w, Y), vector(iw, w, F0), vector(iw, w, ATOL)
    size = PERTURBATION * (norm(y) + norm(atol))
    length, radius, largest = norm(direction), 0.0, 0.0
    if not 0.0 < length < math.inf:
        noise(direction)
        length = norm(direction)
    for _ in range(MOST_ITERATIONS):
        scale = size / length
        for i in range(y.size):
            z[i] = y[i] + scale * direction[i]
        iw[NFEV] += 1
        if _jit.call_scalar(fn[F], w[T], z, slope, p) != 0:
            return rhs_raised(w, w[T], z, z)
        for i in range(y.size):
            direction[i] = slope[i] - f0[i]
        length = norm(direction)
        if not length < math.inf:
            noise(direction)
            return NONFINITE
        before, radius = radius, length / size
        largest = max(largest, radius)
        if length == 0.0 or abs(radius - before) <= CHANGE * radius:
            break
    # the estimates of a complex pair go up and down: their largest is the one that matters
    w[place] = SAFETY * max(radius, largest)
    return ACCEPTED
