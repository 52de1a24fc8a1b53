"""How the adjoints' forward sweeps measure the error of an attempt, and what follows: acceptance, and the next step.

The rules are those of `odekit.solvers.explicit`; here one system, a batch or a lane of it may be behind the numbers.
"""

import math

from .. import _jit
from ..solvers import control
from ..solvers import state as S


@_jit.core_apart
def weighted_square(v, y, z, rtol, atol):
    """Sum of ``(v / (atol + rtol max(|y|, |z|)))^2``.

    Parameters
    ----------
    v, y, z : ndarray, (m,)
    rtol, atol : float

    Returns
    -------
    float
    """
    total = 0.0
    for i in range(v.size):
        e = v[i] / (atol + rtol * max(abs(y[i]), abs(z[i])))
        total += e * e
    return total


@_jit.core
def judge(w, iw, square, square_low, finite, total, exponent, two_estimates):
    """Whether the attempt is accepted, and the size of the next.

    Parameters
    ----------
    w, iw : ndarray
        See `odekit.solvers.state`.
    square, square_low : float
        Sums of the squares of the weighted errors, of the second estimate too.
    finite : float
        0 times everything that must be finite.
    total : int
        Numbers in these sums.
    exponent, two_estimates
        See `odekit.adjoint.scheme.Scheme`.

    Returns
    -------
    bool
    """
    h = w[S.H]
    if two_estimates:  # Hairer's DOP853, see `odekit.solvers.explicit`
        denominator = (square + 0.01 * square_low) * total
        square = square * (square / denominator) if denominator != 0.0 else 0.0
    else:
        square /= total
    if not (finite == 0.0 and square < math.inf):
        w[S.H_NEXT] = h * control.NONFINITE_FACTOR
        iw[S.LAST_CODE] = S.NONFINITE
        return False
    if exponent == 0.0:
        w[S.H_NEXT] = math.copysign(w[S.H_FIXED], h)
        iw[S.LAST_CODE] = S.ACCEPTED
        return True
    if square > 1.0:
        w[S.H_NEXT] = h * control.factor_rejected(square, exponent)
        iw[S.LAST_CODE] = S.REJECTED_ERROR
        return False
    w[S.H_NEXT] = h * control.pi_factor_accepted(w, square, exponent, iw[S.REJECTED] != 0)
    iw[S.LAST_CODE] = S.ACCEPTED
    return True
