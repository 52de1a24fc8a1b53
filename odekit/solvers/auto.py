"""Automatic choice between an explicit and an implicit method, from what the steps themselves tell.

The rule is that of OrdinaryDiffEq.jl's AutoSwitch: a step counts as stiff where |h lambda| comes close to the end of the
explicit method's stability region, lambda being estimated from two stages (explicit) or bounded by a norm of the
Jacobian (implicit). Several verdicts in a row are needed for a switch, more to leave the explicit method than to return
to it, which is the hysteresis. A value that is not finite counts as stiff.
"""

import math

from .. import _jit
from .state import (
    ACCEPTED,
    DIRECTION,
    EIGENVALUE,
    FIRST_STEP,
    H_NEXT,
    H_OLD,
    JAC_FRESH,
    LAST_CODE,
    LOG_ERR_OLD,
    LU_VALID,
    MODE,
    NONFINITE,
    REJECTED,
    STABILITY_SIZE,
    STEP,
    STIFF_COUNT,
    SWITCH_REASON,
    H,
)

EXPLICIT, IMPLICIT = 0, 1

#: Fraction of the stability region that may be used before a step counts as stiff. Steps that stability holds down settle
#: inside the region, on smooth problems at 0.85 of it.
STIFF_TOLERANCE = 0.8
MAX_STIFF_STEPS = 10  # stiff verdicts in a row before the explicit method is left
MAX_NONSTIFF_STEPS = 3  # nonstiff verdicts in a row before it is taken up again
LAST_CHANCE_FACTOR = 1e6  # the implicit method begins with this multiple of a very first step that has become too small
STEP_FACTOR = 2.0  # the step grows by it towards the implicit method and shrinks by it on the way back

# reasons, as `Solution.switches` tells them
STABILITY_LIMITED, NOT_STIFF, NOT_FINITE, STEP_UNDERFLOW = range(4)


@_jit.inlined_core
def decide(fn, iw, w):
    """After an attempt: count the verdict and switch if it is time; True where the method has changed."""
    explicit = iw[MODE] == EXPLICIT
    count = iw[STIFF_COUNT]
    if explicit and iw[LAST_CODE] == NONFINITE:
        stiff = True
    elif iw[LAST_CODE] != ACCEPTED:
        return False
    else:
        stiff = not abs(w[EIGENVALUE] * w[H_NEXT]) <= STIFF_TOLERANCE * w[STABILITY_SIZE]
    if stiff:
        count = max(count, 0) + 1
    else:
        count = min(count, 0) - 1
    iw[STIFF_COUNT] = count
    if explicit and count > MAX_STIFF_STEPS:
        switch(iw, w, IMPLICIT, NOT_FINITE if iw[LAST_CODE] == NONFINITE else STABILITY_LIMITED)
        return True
    if not explicit and count < -MAX_NONSTIFF_STEPS:
        switch(iw, w, EXPLICIT, NOT_STIFF)
        return True
    return False


@_jit.core
def switch(iw, w, target, reason):
    """Make the other method the one in use; t, y and f(t, y) carry over exactly."""
    w[H_NEXT] *= STEP_FACTOR if target == IMPLICIT else 1.0 / STEP_FACTOR
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
