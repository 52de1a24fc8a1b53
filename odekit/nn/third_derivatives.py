"""Third derivatives of the activations, from what the tape of order 2 holds: value a, first b and second c derivative."""

import functools
import re

import numpy as np

from .. import _jit
from .header import scalar_address

#: Expressions in a, b and c.
THIRD = {
    "tanh": "-2.0 * (b * b + a * c)",
    "softplus": "c * (1.0 - 2.0 * b)",
    "sigmoid": "c * (1.0 - 2.0 * a) - 2.0 * b * b",
    "sin": "-b",
}


def _constants(expression):
    """An expression whose constants have single precision: others would make double of it."""
    return re.sub(r"\d+\.\d+", lambda found: f"number({found.group()})", expression)


@functools.cache
def address(name, dtype="float64"):
    """Address of a kernel ``(size, tape, out, p)``: third derivatives, out (size,).

    `tape` holds a, b and c one after the other, `size` numbers each.

    Parameters
    ----------
    name : str
        A key of `THIRD`.
    dtype : str
        float64 or float32.

    Returns
    -------
    int
    """
    kernel, single = (f"third_{name}_single", True) if np.dtype(dtype).itemsize == 4 else (f"third_{name}", False)
    lines = [f"def {kernel}(size, tape, out, p):", "    n = int(size)"]
    lines += ["    tape, out = single(tape), single(out)"] if single else []
    lines += ["    out = view1(out, 0, n)"]
    lines += ["    first, second, third = view1(tape, 0, n), view1(tape, n, n), view1(tape, 2 * n, n)"]
    lines += [
        "    for i in range(n):",
        "        a, b, c = first[i], second[i], third[i]",
        f"        out[i] = {_constants(THIRD[name]) if single else THIRD[name]}",
    ]
    lines += ["    return 0"]
    namespace = {"view1": _jit.view1, "single": _jit.single, "number": np.float32}
    return scalar_address(_jit.exec_source("\n".join(lines) + "\n", kernel, namespace, True))
