"""A progress bar over the span of an integration: tqdm where it is installed, a plain line otherwise."""

import contextlib
import math
import sys


@contextlib.contextmanager
def bar(wanted, t0, t1):
    """Progress over time.

    Parameters
    ----------
    wanted : bool
    t0, t1 : float

    Yields
    ------
    callable or None
        ``show(t)``.
    """
    if not wanted or not math.isfinite(t1) or t1 == t0:
        yield None
        return
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
