"""A progress bar for training, with the loss."""

import contextlib
import sys


@contextlib.contextmanager
def training_bar(wanted, steps):
    """``show(step, loss)``: by tqdm if it is installed, else on a plain line."""
    if not wanted:
        yield lambda step, loss: None
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:

        def line(step, loss):
            if step % max(1, steps // 100) == 0 or step == steps - 1:
                print(f"\rstep {step + 1} of {steps}, loss {loss:.3e}", end="", file=sys.stderr, flush=True)

        yield line
        print(file=sys.stderr)
        return
    with tqdm(total=steps, unit="step") as display:

        def show(step, loss):
            display.set_postfix_str(f"loss {loss:.3e}", refresh=False)
            display.update()

        yield show
