"""Automatic choice between an explicit and an implicit method, from what the steps themselves tell.

Two rules leave the explicit method. The first is that of OrdinaryDiffEq.jl's AutoSwitch: a step counts as stiff where
|h lambda| comes close to the end of the stability region, lambda being estimated from two stages (in a weighted Euclidean
norm, as by Hairer) or, for the implicit method, bounded by a norm of the Jacobian. Several verdicts in a row are needed for
a switch, more to leave the explicit method than to return to it, which is the hysteresis. A value that is not finite counts
as stiff.

The second is for tight tolerances, where a stiff mode makes the error estimate shrink the steps before stability does, so
that they settle well inside the region. Where the solution itself moves on the time scale 1 / |lambda|, its steps have
|h lambda| = c tol^(1 / (q + 1)) for an error estimate of order q, with c up to about 12 (measured on the Lorenz, Arenstorf
and Pleiades problems, for orders 5 and 7 and all tolerances). Many steps in a row that are longer than that show a mode that
the solution does not follow: an implicit method can take longer ones. If it does not, it soon hands back, and the next trial
waits twice as long.
"""

import math

from .. import _jit
from .state import (
    ACCEPTED,
    ATOL,
    DIRECTION,
    EIGENVALUE,
    EXPONENT,
    FIRST_STEP,
    H_NEXT,
    H_OLD,
    JAC_FRESH,
    LAST_CODE,
    LOG_ERR_OLD,
    LU_VALID,
    MODE,
    NACCEPT,
    NONFINITE,
    PATIENCE,
    REJECTED,
    RTOL,
    SMOOTH_COUNT,
    STABILITY_SIZE,
    STEP,
    STIFF_COUNT,
    SWITCH_REASON,
    SWITCHED_AT,
    H,
    Y,
    vector,
)

EXPLICIT, IMPLICIT = 0, 1

#: Fraction of the stability region that may be used before a step counts as stiff. Steps that stability holds down settle
#: inside the region, on smooth problems at 0.85 of it.
STIFF_TOLERANCE = 0.8
MAX_STIFF_STEPS = 10  # stiff verdicts in a row before the explicit method is left
MAX_NONSTIFF_STEPS = 3  # nonstiff verdicts in a row before it is taken up again
LAST_CHANCE_FACTOR = 1e6  # the implicit method begins with this multiple of a very first step that has become too small
STEP_FACTOR = 2.0  # the step grows by it towards the implicit method and shrinks by it on the way back

#: c of the second rule, and how many steps in a row must be longer before the first trial.
SMOOTHNESS = 12.0
LEAST_ORDER = 4  # of the error estimate: for lower ones c is another
FIRST_PATIENCE = 25
GROWING = 1.1

# reasons, as `Solution.switches` tells them
STABILITY_LIMITED, NOT_STIFF, NOT_FINITE, STEP_UNDERFLOW, SMOOTH = range(5)


@_jit.core
def _is_smooth(iw, w, z):
    """Whether a step of ``z = |h lambda|`` is longer than the time scale of the fastest mode explains."""
    y, rtol, atol = vector(iw, w, Y), vector(iw, w, RTOL), vector(iw, w, ATOL)
    total = 0.0
    for i in range(y.size):
        scaled = y[i] / (atol[i] + rtol[i] * abs(y[i])) if y[i] != 0.0 else 0.0
        total += scaled * scaled
    if total == 0.0:
        return False
    tolerance = (y.size / total) ** 0.5  # relative to the state as a whole
    return z > SMOOTHNESS * tolerance ** w[EXPONENT]


@_jit.inlined_core
def decide(fn, iw, w):
    """After an attempt: count the verdict and switch if it is time; True where the method has changed."""
    explicit = iw[MODE] == EXPLICIT
    count = iw[STIFF_COUNT]
    z = abs(w[EIGENVALUE] * w[H_NEXT])
    if explicit and iw[LAST_CODE] == NONFINITE:
        stiff = True
    elif iw[LAST_CODE] != ACCEPTED:
        return False
    else:
        stiff = not z <= STIFF_TOLERANCE * w[STABILITY_SIZE]
        if not explicit and not stiff and iw[SWITCH_REASON] == SMOOTH and abs(w[H_NEXT]) > GROWING * abs(w[H]):
            return False  # a trial that is still growing its steps is not judged yet
    if stiff:
        count = max(count, 0) + 1
    else:
        count = min(count, 0) - 1
    iw[STIFF_COUNT] = count
    if not explicit:
        if count < -MAX_NONSTIFF_STEPS:
            switch(iw, w, EXPLICIT, NOT_STIFF)
            return True
        return False
    if count > MAX_STIFF_STEPS:
        switch(iw, w, IMPLICIT, NOT_FINITE if iw[LAST_CODE] == NONFINITE else STABILITY_LIMITED)
        return True
    if iw[PATIENCE] > 0:
        iw[SMOOTH_COUNT] = iw[SMOOTH_COUNT] + 1 if _is_smooth(iw, w, z) else 0
        if iw[SMOOTH_COUNT] > iw[PATIENCE]:
            switch(iw, w, IMPLICIT, SMOOTH)
            return True
    return False


@_jit.core
def switch(iw, w, target, reason):
    """Make the other method the one in use; t, y and f(t, y) carry over exactly."""
    w[H_NEXT] *= STEP_FACTOR if target == IMPLICIT else 1.0 / STEP_FACTOR
    if target == EXPLICIT and iw[PATIENCE] > 0:
        was_short = iw[NACCEPT] - iw[SWITCHED_AT] < iw[PATIENCE]
        iw[PATIENCE] = 2 * iw[PATIENCE] if was_short else FIRST_PATIENCE
    iw[SWITCHED_AT] = iw[NACCEPT]
    iw[SMOOTH_COUNT] = 0
    iw[MODE] = target
    iw[STIFF_COUNT] = 0
    iw[FIRST_STEP] = 1
    iw[JAC_FRESH] = 0
    iw[LU_VALID] = 0
    iw[SWITCH_REASON] = reason
    w[LOG_ERR_OLD] = 0.0


@_jit.core
def last_chance(fn, iw, w):
    """Where the explicit steps of an automatic pair have become too small, give the rest to the implicit method.

    While an automatic solve is explicit its failure is not final. Returns False where there is no such chance.
    """
    if fn[STEP + 1] == 0 or iw[MODE] != EXPLICIT:
        return False
    size = abs(w[H_OLD])
    w[H_NEXT] = math.copysign(size if size > 0.0 else LAST_CHANCE_FACTOR * abs(w[H]), w[DIRECTION])
    iw[REJECTED] = 0
    switch(iw, w, IMPLICIT, NOT_FINITE if iw[LAST_CODE] == NONFINITE else STEP_UNDERFLOW)
    return True
