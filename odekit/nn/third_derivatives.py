"""Third derivatives of the activations, from what the tape of order 2 holds: value a, first b and second c derivative."""

import functools

from .. import _jit
from .header import scalar_address

#: Expressions in a, b and c.
THIRD = {
    "tanh": "-2.0 * (b * b + a * c)",
    "softplus": "c * (1.0 - 2.0 * b)",
    "sigmoid": "c * (1.0 - 2.0 * a) - 2.0 * b * b",
    "sin": "-b",
}


@functools.cache
def address(name):
    """Address of a kernel ``(size, tape, out, p)``: third derivatives from a, b and c, one after the other on the tape.

    Parameters
    ----------
    name : str
        A key of `THIRD`.

    Returns
    -------
    int
    """
    lines = [f"def third_{name}(size, tape, out, p):", "    n = int(size)", "    out = view1(out, 0, n)"]
    lines += ["    first, second, third = view1(tape, 0, n), view1(tape, n, n), view1(tape, 2 * n, n)"]
    lines += [
        "    for i in range(n):",
        "        a, b, c = first[i], second[i], third[i]",
        f"        out[i] = {THIRD[name]}",
    ]
    lines += ["    return 0"]
    return scalar_address(_jit.exec_source("\n".join(lines) + "\n", f"third_{name}", {"view1": _jit.view1}, True))
