"""From the reason for which the driver returned to the return code that the user sees."""

import numpy as np

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
}
#: What made the last step too small to go on.
_CAUSES = {
    S.NONFINITE: Retcode.NONFINITE,
    S.NEWTON_FAILED: Retcode.NEWTON_FAILED,
    S.SINGULAR: Retcode.SINGULAR,
    S.OUT_OF_DOMAIN: Retcode.OUT_OF_DOMAIN,
}
_CULPRITS = {driver.EVENT_RAISED: "event function", driver.DOMAIN_RAISED: "isoutofdomain"}


def retcode(run, reason):
    """Return code of an integration that ended for a reason of the driver.

    Parameters
    ----------
    run : odekit.solvers.integrate.Integration
    reason : int

    Returns
    -------
    Retcode
    """
    if reason != driver.STEP_TOO_SMALL:
        return _RETCODES[reason]
    last = int(run.iw[S.LAST_CODE])
    if run.switches and run.iw[S.FIRST_STEP] and last != S.OUT_OF_DOMAIN:
        # the implicit method was the explicit one's last chance and made no step: tell the first failure
        first = {auto.STEP_UNDERFLOW: Retcode.STEP_TOO_SMALL, auto.NOT_FINITE: Retcode.NONFINITE}
        if int(run.iw[S.SWITCH_REASON]) in first:
            return first[int(run.iw[S.SWITCH_REASON])]
    return _CAUSES.get(last, Retcode.STEP_TOO_SMALL)


def culprit(reason):
    """Whose exception ended the integration, if one did."""
    return _CULPRITS.get(reason, "right-hand side")


def bad_component(run):
    """First component of the state that was not finite, or -1."""
    bad = np.flatnonzero(~np.isfinite(run.vectors[[S.Y_NEW, S.F0, S.F1, S.SCRATCH]]).all(axis=0))
    return int(bad[0]) if bad.size else -1
