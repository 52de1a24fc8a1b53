"""Solves with the factors of a narrow band, in code that is generated for its widths.

In a triangular solve each unknown waits for the one before. The general code passes it on through memory, which takes
longer than the arithmetic; here the few unknowns that the next rows need stay in registers, and of each row only one
multiplication and addition waits. A thousand unknowns, microseconds, general code and this: one diagonal below and one above
9.7 and 4.0, two and two 11.0 and 3.4, four and four 12.5 and 3.8.
"""

import functools

from ... import _jit

LARGEST = 8  # lband + uband, so that the unknowns fit into the registers


def suits(n, lband, uband):
    """Whether there is such code for a band, and enough of the band for it."""
    return 0 < lband + uband <= LARGEST and n > 2 * (lband + uband)


def _forward(lband, d):
    """Source of the exchanges and of the lower triangle; the window holds the next lband + 1 right-hand sides."""
    lines = [f"    w{i} = b[{i}]" for i in range(lband)]
    lines += [f"    for k in range(n - {lband}):", f"        w{lband} = b[k + {lband}]", "        x = w0"]
    if lband:
        lines += ["        row = pivots[k] - k"]
    for i in range(1, lband + 1):
        lines += [f"        x, w{i} = (w{i}, w0) if row == {i} else (x, w{i})"]
    lines += ["        b[k] = x"]
    lines += [f"        w{i - 1} = w{i} - lu[k, {d + i}] * x" for i in range(1, lband + 1)]
    lines += [f"    b[n - {lband - i}] = w{i}" for i in range(lband)]
    return lines + [  # the last rows, which have fewer below them
        f"    for k in range(n - {lband}, n):",
        "        row = pivots[k]",
        "        x = b[row]",
        "        b[row] = b[k]",
        "        b[k] = x",
        "        for i in range(k + 1, n):",
        f"            b[i] -= lu[k, {d} + i - k] * x",
    ]


def _backward(d):
    """Source of the upper triangle, row by row; x1, x2, ... are the unknowns after that of the row."""
    lines = [
        f"    for i in range(n - 1, n - 1 - {d}, -1):",
        "        x = b[i]",
        "        for j in range(i + 1, n):",
        f"            x -= lu[j, {d} + i - j] * b[j]",
        f"        b[i] = x * lu[i, {d}]",
    ]
    lines += [f"    x{k} = b[n - 1 - {d - k}]" for k in range(1, d + 1)]
    lines += [f"    for i in range(n - 1 - {d}, -1, -1):", "        x = b[i]"]
    lines += [f"        x -= lu[i + {k}, {d - k}] * x{k}" for k in range(d, 1, -1)]
    lines += [
        f"        inverse = lu[i, {d}]",
        f"        x = x * inverse - (lu[i + 1, {d - 1}] * inverse) * x1",
        *[f"        x{k} = x{k - 1}" for k in range(d, 1, -1)],
        "        x1 = x",
        "        b[i] = x",
    ]
    return lines


@functools.cache
def solve(lband, uband):
    """Core that solves a factorised system in place.

    Parameters
    ----------
    lband, uband : int

    Returns
    -------
    function
        ``solve(lu, pivots, lband, uband, reach, b)``, see `odekit.solvers.linalg.banded.solve`.
    """
    d = lband + uband
    head = ["def solve_narrow(lu, pivots, lband, uband, reach, b):", "    n = lu.shape[0]"]
    source = "\n".join([*head, *_forward(lband, d), *_backward(d), ""])
    return _jit.inlined_core(_jit.exec_source(source, "solve_narrow", {}))
