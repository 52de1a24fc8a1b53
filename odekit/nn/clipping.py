"""The length of a gradient, and its bound."""

import math

from .. import _jit


@_jit.summing_core
def norm(x):
    """Euclidean norm of x (n,)."""
    total = 0.0
    for i in range(x.size):
        total += x[i] * x[i]
    return math.sqrt(total)


@_jit.core
def shorten(grad, longest):
    """Shorten a gradient (n,) to a length, in place, if it is longer; the norm that it had."""
    length = norm(grad)
    if length > longest:
        factor = longest / length
        for i in range(grad.size):
            grad[i] *= factor
    return length


@_jit.kernel
def clipped_norm(grad, longest):
    """`shorten`, from Python."""
    return shorten(grad, longest)
