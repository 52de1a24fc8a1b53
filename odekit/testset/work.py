"""How long a method takes on a reference problem, and how well it does."""

import math
import time

import numpy as np

from .._numbers import count
from .problem import Problem

#: Relative tolerances of a work-precision diagram, from loose to tight.
RTOLS = tuple(10.0**-k for k in range(3, 12))


def work(problem, method, rtols=RTOLS, atol_scale=1.0, repeats=5):
    """Error and time of a method over a range of tolerances.

    Parameters
    ----------
    problem : Problem
    method : str
    rtols : sequence of float
        Relative tolerances.
    atol_scale : float
        The absolute tolerance divided by the relative one.
    repeats : int
        The best time of so many calls counts; one more, the first, only compiles.

    Returns
    -------
    errors : ndarray
        Largest relative error of a component at the end (`Problem.error`); infinite where the method failed.
    seconds : ndarray
        Of one `odekit.solve_ivp` that gives the state at the end.

    Examples
    --------
    >>> from odekit.testset import LORENZ, work
    >>> errors, seconds = work(LORENZ, "vern7", rtols=[1e-6, 1e-9], repeats=1)
    >>> bool(errors[0] > errors[1])
    True
    """
    from ..ivp import solve_ivp

    if not isinstance(problem, Problem):
        raise TypeError(f"problem must be one of odekit.testset, such as LORENZ, but it is {problem!r:.80}")
    repeats = count("repeats", repeats)
    options = {"t_eval": problem.t_span[1:], "args": problem.args}
    if problem.lband is not None:
        options |= {"lband": problem.lband, "uband": problem.uband}
    errors, seconds = np.empty(len(rtols)), np.empty(len(rtols))
    for k, rtol in enumerate(rtols):
        tolerances = {"rtol": rtol, "atol": rtol * atol_scale}
        best = math.inf
        for attempt in range(repeats + 1):
            begin = time.perf_counter()
            sol = solve_ivp(problem.fun, problem.t_span, problem.y0, method, **tolerances, **options)
            if attempt:
                best = min(best, time.perf_counter() - begin)
        errors[k] = problem.error(sol.y[:, -1]) if sol.success else math.inf
        seconds[k] = best
    return errors, seconds
