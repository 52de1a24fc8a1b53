"""From the reason for which the driver returned to the return code that the user sees."""

import numpy as np

from .. import _jit
from ..solution import Retcode
from . import auto, driver
from . import state as S

_RETCODES = {
    driver.DONE: Retcode.SUCCESS,
    driver.EVENT: Retcode.TERMINATED,
    driver.STOPPED: Retcode.STOPPED,
    driver.STEPS_EXHAUSTED: Retcode.MAX_STEPS,
    driver.FIELD_RAISED: Retcode.RHS_RAISED,
    driver.EVENT_RAISED: Retcode.RHS_RAISED,
    driver.DOMAIN_RAISED: Retcode.RHS_RAISED,
    driver.CALLBACK_RAISED: Retcode.RHS_RAISED,
    driver.START_NOT_FINITE: Retcode.NONFINITE,
    driver.EVENTS_ACCUMULATE: Retcode.EVENTS_ACCUMULATE,
    driver.START_INCONSISTENT: Retcode.INCONSISTENT,
}
#: What made the last step too small to go on.
_CAUSES = {
    S.NONFINITE: Retcode.NONFINITE,
    S.NEWTON_FAILED: Retcode.NEWTON_FAILED,
    S.SINGULAR: Retcode.SINGULAR,
    S.OUT_OF_DOMAIN: Retcode.OUT_OF_DOMAIN,
}
# the same as numbers, by the reason and by the step code
_BY_REASON = tuple(int(_RETCODES.get(reason, 0)) for reason in range(max(_RETCODES) + 1))
_BY_STEP = tuple(int(_CAUSES.get(code, Retcode.STEP_TOO_SMALL)) for code in range(max(_CAUSES) + 1))
_STEP_TOO_SMALL, _NONFINITE = int(Retcode.STEP_TOO_SMALL), int(Retcode.NONFINITE)
_CULPRITS = {driver.EVENT_RAISED: "event function", driver.DOMAIN_RAISED: "isoutofdomain"}


@_jit.core
def code(iw, reason):
    """Value of the return code of an integration that ended for a reason of the driver.

    Parameters
    ----------
    iw : ndarray
        Of its state.
    reason : int

    Returns
    -------
    int
        Of `odekit.Retcode`.
    """
    if reason != driver.STEP_TOO_SMALL:
        return _BY_REASON[reason]
    last = iw[S.LAST_CODE]
    if iw[S.FIRST_STEP] == 1 and last != S.OUT_OF_DOMAIN:
        # the implicit method was the explicit one's last chance and made no step: tell the first failure
        if iw[S.SWITCH_REASON] == auto.STEP_UNDERFLOW:
            return _STEP_TOO_SMALL
        if iw[S.SWITCH_REASON] == auto.NOT_FINITE:
            return _NONFINITE
    return _BY_STEP[last]


def retcode(iw, reason):
    """The return code of an integration that ended for a reason of the driver, see `code`."""
    return _RETCODES[reason] if reason in _RETCODES else Retcode(code(iw, reason))


def culprit(reason):
    """Whose exception ended the integration, if one did."""
    return _CULPRITS.get(reason, "right-hand side")


def bad_component(run):
    """First component of the state that was not finite, or -1."""
    bad = np.flatnonzero(~np.isfinite(run.vectors[[S.Y_NEW, S.F0, S.F1, S.SCRATCH]]).all(axis=0))
    return int(bad[0]) if bad.size else -1
