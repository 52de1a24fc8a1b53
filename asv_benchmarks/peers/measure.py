"""Work and precision of one solver: runs over a range of tolerances, and the time at a wanted error between them."""

import itertools
import math
import time

import numpy as np

#: Relative tolerances of the runs: three in two decades.
TOLERANCES = 10.0 ** -np.arange(2.0, 13.6, 2 / 3)
WANTED = (1e-4, 1e-6, 1e-8, 1e-10)
SECONDS = 0.01  # a run is repeated for about this long, ...
REPEATS = (3, 100)  # ... at least and at most so many times
SLOW = 0.5  # seconds: a slower run is repeated once only, and no tighter tolerance is tried


def timed(run):
    """Best time in seconds of several, and the result of the last."""
    begin = time.perf_counter()
    result = run()
    best = time.perf_counter() - begin
    if best > SLOW:  # once more: something may have been compiled
        begin = time.perf_counter()
        result = run()
        best = min(best, time.perf_counter() - begin)
    if best > SLOW:
        return best, result
    stop = time.perf_counter() + SECONDS
    for k in range(REPEATS[1]):
        begin = time.perf_counter()
        result = run()
        end = time.perf_counter()
        best = min(best, end - begin)
        if end > stop and k + 2 >= REPEATS[0]:
            break
    return best, result


def prepared(case, prepare):
    """Everything ready to run, and compiled: list of ``(rtol, run)`` of falling tolerance."""
    runs = [(float(rtol), prepare(float(rtol), float(rtol) * case.atol_scale)) for rtol in TOLERANCES]
    runs[2][1]()
    return runs


def curve(case, runs, floor=1e-13):
    """Runs of falling tolerance: list of ``(rtol, seconds, error)``; errors are infinite where the solver failed."""
    measured = []
    for rtol, run in runs:
        seconds, y = timed(run)
        error = math.inf if y is None else case.error(y)
        measured.append((rtol, seconds, error if error == error else math.inf))
        if seconds > SLOW or error < max(floor, 0.3 * 10.0**-case.digits):
            break
    return measured


def time_at(runs, wanted):
    """Seconds that a curve needs for an error.

    Between two runs of neighbouring tolerances around the error, log time is interpolated over log error; where a curve
    crosses the error several times, the geometric mean counts, so that one lucky run decides nothing. A solver whose
    loosest run is already better needs the time of that run. NaN where the error is not reached.
    """
    crossings = []
    for (_, t0, e0), (_, t1, e1) in itertools.pairwise(runs):
        if math.isfinite(e0) and e1 > 0 and e0 >= wanted > e1:
            x = math.log(e0 / wanted) / math.log(e0 / e1)
            crossings.append((1 - x) * math.log(t0) + x * math.log(t1))
    if crossings:
        return math.exp(sum(crossings) / len(crossings))
    good = [t for _, t, e in runs if e <= wanted]
    return good[0] if good else math.nan


def geometric_mean(values):
    """Of the finite values; NaN if there are none."""
    logs = [math.log(v) for v in values if v > 0 and math.isfinite(v)]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan
