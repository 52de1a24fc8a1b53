"""A progress bar over the span of an integration: tqdm where it is installed, a plain line otherwise."""

import contextlib
import math
import sys
import time

_NOTHING = contextlib.nullcontext()


def bar(wanted, t0, t1):
    """Progress over time.

    Parameters
    ----------
    wanted : bool
    t0, t1 : float

    Returns
    -------
    context manager
        Gives ``show(t)``, or None.
    """
    return _shown(t0, t1) if wanted and math.isfinite(t1) and t1 != t0 else _NOTHING


@contextlib.contextmanager
def _shown(t0, t1):
    try:
        from tqdm.auto import tqdm
    except ImportError:
        yield lambda t: print(
            f"\rt = {t:.6g} ({100 * (t - t0) / (t1 - t0):.0f} %)", end="", file=sys.stderr, flush=True
        )
        print(file=sys.stderr)
        return
    with tqdm(total=100.0, unit="%", bar_format="{l_bar}{bar}| t = {postfix} [{elapsed}<{remaining}]") as display:

        def show(t):
            display.set_postfix_str(f"{t:.6g}", refresh=False)
            display.update(100 * (t - t0) / (t1 - t0) - display.n)

        yield show
        show(t1)


@contextlib.contextmanager
def counter(wanted, total):
    """Progress over trajectories, with their rate and the time left.

    Parameters
    ----------
    wanted : bool
    total : int

    Yields
    ------
    callable or None
        ``show(done)``.
    """
    if not wanted:
        yield None
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        begin = time.perf_counter()

        def line(done):
            rate = done / max(time.perf_counter() - begin, 1e-9)
            left = f", {(total - done) / rate:.0f} s left" if done else ""
            print(f"\r{done}/{total} trajectories, {rate:.0f}/s{left}", end="", file=sys.stderr, flush=True)

        yield line
        print(file=sys.stderr)
        return
    with tqdm(total=total, unit=" trajectories") as display:
        yield lambda done: display.update(done - display.n)
