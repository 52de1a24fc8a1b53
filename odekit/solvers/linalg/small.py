"""Dense matrices of a few rows: solves in straight-line code, and factorisations, generated for each dimension.

For n = 3 the loops of the general code, and its exchange of rows through memory, take several times as long as the
arithmetic, and with it half of the time of a whole Rosenbrock step. Here the numbers stay in registers. The arithmetic is
that of `odekit.solvers.linalg.dense_lu`, operation by operation; what is kept for each row is where it came from, instead of
the exchanges one by one.

Time of a real factorisation and four solves, general code over this: n = 1 12, n = 2 9, n = 3 6.7, n = 4 5.6, n = 5 2.0,
n = 8 1.7; complex n = 2 3.1, n = 3 2.3, n = 4 2.6, n = 8 1.4.
"""

import functools

from ... import _jit

LARGEST = 8  # beyond it compilation takes more than it saves
#: An elimination without loops compiles in 0.4 s for n = 3, in 0.8 s for n = 4, in 5 s for n = 6.
LARGEST_ELIMINATION = 4
NIBBLE = 4  # bits that hold the number of a row


def _exchange(a, b):
    return f"    {a}, {b} = ({b} if exchanged else {a}), ({a} if exchanged else {b})"


def _straight(n):
    """Source of an elimination in which every number of the matrix is a variable."""
    entries = [(i, j) for i in range(n) for j in range(n)]
    lines = [f"    a{i}_{j} = lu[{j}, {i}]" for i, j in entries] + [f"    p{i} = {i}" for i in range(n)]
    for k in range(n):
        lines += [f"    best, row = magnitude(a{k}_{k}), {k}"]
        for i in range(k + 1, n):
            lines += [
                f"    size = magnitude(a{i}_{k})",
                f"    row = {i} if size > best else row",
                "    best = size if size > best else best",
            ]
        lines += ["    if not best > 0.0:", "        return 1"]
        for i in range(k + 1, n):
            lines += [f"    exchanged = row == {i}", _exchange(f"p{k}", f"p{i}")]
            lines += [_exchange(f"a{k}_{j}", f"a{i}_{j}") for j in range(n)]
        lines += [f"    a{k}_{k} = 1.0 / a{k}_{k}"]
        for i in range(k + 1, n):
            lines += [f"    a{i}_{k} *= a{k}_{k}"]
            lines += [f"    a{i}_{j} -= a{k}_{j} * a{i}_{k}" for j in range(k + 1, n)]
    return lines + [f"    lu[{j}, {i}] = a{i}_{j}" for i, j in entries] + [f"    rows[{i}] = p{i}" for i in range(n)]


def _looped(n):
    """Source of an elimination by the general code, whose exchanges are carried out on the numbers of the rows."""
    lines = ["    if general(lu, rows) != 0:", "        return 1"]
    lines += [f"    order = {sum(i << NIBBLE * i for i in range(n))}"]
    for k in range(n):
        lines += [
            f"    place = {NIBBLE} * rows[{k}]",
            f"    change = ((order >> place) ^ (order >> {NIBBLE * k})) & {2**NIBBLE - 1}",
            f"    order ^= (change << place) ^ (change << {NIBBLE * k})",
        ]
    return lines + [f"    rows[{i}] = (order >> {NIBBLE * i}) & {2**NIBBLE - 1}" for i in range(n)]


@functools.cache
def eliminate(n, general, magnitude):
    """Core that factorises n by n matrices with partial pivoting, see `odekit.solvers.linalg.dense_lu.factor_core`.

    Parameters
    ----------
    n : int
    general : function
        The core for any dimension.
    magnitude : function
        Size of a number, by which pivots are chosen.

    Returns
    -------
    function
        ``factor(lu, rows) -> int``; `rows` receives, for each row of the factors, the row of the matrix that it was.
    """
    body = _straight(n) if n <= LARGEST_ELIMINATION else _looped(n)
    source = "\n".join(["def eliminate_small(lu, rows):", *body, "    return 0", ""])
    namespace = {"magnitude": magnitude, "general": _jit.inlined_core(getattr(general, "py_func", general))}
    return _jit.inlined_core(_jit.exec_source(source, "eliminate_small", namespace))


@functools.cache
def solve(n):
    """Core that solves with the factors, in place.

    Parameters
    ----------
    n : int

    Returns
    -------
    function
        ``solve(lu, rows, b)``
    """
    lines = ["def solve_small(lu, rows, b):"] + [f"    x{i} = b[rows[{i}]]" for i in range(n)]
    for j in range(n):
        lines += [f"    x{i} -= lu[{j}, {i}] * x{j}" for i in range(j + 1, n)]
    for j in reversed(range(n)):
        lines += [f"    x{j} *= lu[{j}, {j}]"]
        lines += [f"    x{i} -= lu[{j}, {i}] * x{j}" for i in range(j)]
    lines += [f"    b[{i}] = x{i}" for i in range(n)] + [""]
    return _jit.inlined_core(_jit.exec_source("\n".join(lines), "solve_small", {}))
