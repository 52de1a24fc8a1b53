"""Factorisation of a narrow band and solves with its factors, in code that is generated for its widths.

The numbers are kept as in `odekit.solvers.linalg.band_lu`. In the elimination the rows that a pivot changes, lband + 1 of
them, stay in registers: a row comes straight from the Jacobian and is written once, where the solves want it.

In a triangular solve each unknown waits for the one before. The general code passes it on through memory, which takes
longer than the arithmetic; here the few unknowns that the next rows need stay in registers, and of each row only one
multiplication and addition waits.

A thousand unknowns, microseconds, general code and this: to factorise, one diagonal below and one above 16 and 6, two and two
21 and 6, complex 30 and 18; to solve, 9.7 and 4.0, 11.0 and 3.4, complex 13.7 and 6.7.
"""

import functools

from ... import _jit
from . import band_lu

LARGEST = 8  # lband + uband, so that the unknowns fit into the registers
#: Numbers that the elimination keeps: more fit no registers, and compile for seconds.
WINDOW = 28


def suits(n, lband, uband):
    """Whether there is such code for a band, and enough of the band for it."""
    return 0 < lband + uband <= LARGEST and n > 2 * (lband + uband)


class _Real:
    """Source of the arithmetic on real numbers."""

    def names(self, *variables):
        """What a number is made of."""
        return ", ".join(variables)

    def load(self, variable, place):
        """Take a number out of an array."""
        return f"{variable} = {place}"

    def store(self, place, variable):
        """Put a number into an array."""
        return f"{place} = {variable}"

    def real(self, variable, value):
        """Set a number to a real value."""
        return f"{variable} = {value}"

    def add_shift(self, variable):
        """Add the shift to a number."""
        return f"{variable} += shift"

    def less(self, target, a, b, c):
        """target = a - b c."""
        return f"{target} = {a} - {b} * {c}"

    def product(self, target, a, b):
        """target = a b."""
        return f"{target} = {a} * {b}"

    def inverse(self, target, a):
        """target = 1 / a."""
        return f"{target} = 1.0 / {a}"

    def size(self, target, a):
        """target = |a|."""
        return f"{target} = abs({a})"


class _Complex:
    """Source of the arithmetic on complex numbers, part by part: no sum waits for another one that it does not need."""

    def names(self, *variables):
        """What a number is made of."""
        return ", ".join(f"{v}r, {v}i" for v in variables)

    def load(self, variable, place):
        """Take a number out of an array."""
        return f"{variable}r, {variable}i = {place}.real, {place}.imag"

    def store(self, place, variable):
        """Put a number into an array."""
        return f"{place} = complex({variable}r, {variable}i)"

    def real(self, variable, value):
        """Set a number to a real value."""
        return f"{variable}r, {variable}i = {value}, 0.0"

    def add_shift(self, variable):
        """Add the shift to a number."""
        return f"{variable}r, {variable}i = {variable}r + shift.real, {variable}i + shift.imag"

    def less(self, target, a, b, c):
        """target = a - b c."""
        return f"{target}r, {target}i = {a}r - {b}r * {c}r + {b}i * {c}i, {a}i - {b}r * {c}i - {b}i * {c}r"

    def product(self, target, a, b):
        """target = a b."""
        return f"{target}r, {target}i = {a}r * {b}r - {a}i * {b}i, {a}r * {b}i + {a}i * {b}r"

    def inverse(self, target, a):
        """target = 1 / a, without overflow on the way."""
        scaled = f"s = 1.0 / (abs({a}r) + abs({a}i)); {target}r, {target}i = {a}r * s, -{a}i * s"
        return f"{scaled}; s /= {target}r * {target}r + {target}i * {target}i; {target}r *= s; {target}i *= s"

    def size(self, target, a):
        """target = |Re a| + |Im a|."""
        return f"{target} = abs({a}r) + abs({a}i)"


# Elimination ---------------------------------------------------------------------------------------------------------


def _entry(on, variable, row, column, uband, at):
    """Source that forms an entry of the matrix, its row and column counted from `at`."""
    lines = [on.real(variable, f"-scale * J[{uband + row - column}, {at} + {column}]")]
    return lines + [on.add_shift(variable)] * (row == column)


def _eliminate(on, lband, uband):
    """Source of the elimination; w0_0 is the pivot, and w0, w1, ... are the rows from it on."""
    d = lband + uband
    lines = ["reach, last = uband, 0"]
    for r in range(lband):
        for c in range(d):
            lines += _entry(on, f"w{r}_{c}", r, c, uband, 0) if c <= r + uband else [on.real(f"w{r}_{c}", "0.0")]
    loop = [line for c in range(d + 1) for line in _entry(on, f"w{lband}_{c}", lband, c, uband, "k")]
    loop += [on.real(f"w{r}_{d}", "0.0") for r in range(lband)]
    loop += ["row = 0", on.size("best", "w0_0")]
    for r in range(1, lband + 1):
        loop += [on.size("size", f"w{r}_0"), f"row, best = ({r}, size) if size > best else (row, best)"]
    loop += ["if not best > 0.0:", "    return -1", "pivots[k] = k + row"]
    loop += [f"last = max(last, k + row + {uband})", "reach = max(reach, last - k)"]
    for r in range(1, lband + 1):
        mine, other = (on.names(*(f"w{x}_{c}" for c in range(d + 1))) for x in (0, r))
        loop += [f"if row == {r}:", f"    {mine}, {other} = {other}, {mine}"]
    loop += [on.inverse("m0", "w0_0"), on.store(f"lu[k, {d}]", "m0")]
    loop += [on.store(f"lu[k + {c}, {d - c}]", f"w0_{c}") for c in range(1, d + 1)]
    for r in range(1, lband + 1):
        loop += [on.product(f"m{r}", f"w{r}_0", "m0"), on.store(f"lu[k, {d + r}]", f"m{r}")]
    loop += [
        on.less(f"v{r}_{c}", f"w{r}_{c}", f"m{r}", f"w0_{c}") for r in range(1, lband + 1) for c in range(1, d + 1)
    ]
    old = on.names(*(f"v{r}_{c}" for r in range(1, lband + 1) for c in range(1, d + 1)))
    if lband:
        loop += [f"{on.names(*(f'w{r}_{c}' for r in range(lband) for c in range(d)))} = {old}"]
    lines += [f"for k in range(n - {d}):", *("    " + line for line in loop), f"k = n - {d}"]
    for c in range(d):  # the last columns are short of rows below: they are left to the general code
        for r in range(max(0, c - d), min(d, c + lband + 1)):
            if r >= lband:
                lines += _entry(on, f"w{r}_{c}", r, c, uband, "k") if c <= r + uband else [on.real(f"w{r}_{c}", "0.0")]
            lines += [on.store(f"lu[k + {c}, {d + r - c}]", f"w{r}_{c}")]
    return [
        *lines,
        "rest = eliminate(lu, pivots, lband, uband, k, last)",
        "return max(reach, rest) if rest >= 0 else -1",
    ]


# Solves --------------------------------------------------------------------------------------------------------------


def _forward(on, lband, d):
    """Source of the exchanges and of the lower triangle; the window holds the next lband + 1 right-hand sides."""
    lines = [on.load(f"w{i}", f"b[{i}]") for i in range(lband)]
    loop = [on.load(f"w{lband}", f"b[k + {lband}]"), f"{on.names('x')} = {on.names('w0')}"]
    loop += ["row = pivots[k] - k"] * (lband > 0)
    for i in range(1, lband + 1):
        both, exchanged = on.names("x", f"w{i}"), on.names(f"w{i}", "w0")
        loop += [f"{both} = ({exchanged}) if row == {i} else ({both})"]
    loop += [on.store("b[k]", "x")]
    for i in range(1, lband + 1):
        loop += [on.load("m", f"lu[k, {d + i}]"), on.less(f"w{i - 1}", f"w{i}", "m", "x")]
    lines += [f"for k in range(n - {lband}):", *("    " + line for line in loop)]
    lines += [on.store(f"b[n - {lband - i}]", f"w{i}") for i in range(lband)]
    return lines + [  # the last rows, which have fewer below them
        f"for k in range(n - {lband}, n):",
        "    row = pivots[k]",
        "    y = b[row]",
        "    b[row] = b[k]",
        "    b[k] = y",
        "    for i in range(k + 1, n):",
        f"        b[i] -= lu[k, {d} + i - k] * y",
    ]


def _backward(on, d):
    """Source of the upper triangle, row by row; x1, x2, ... are the unknowns after that of the row."""
    lines = [
        f"for i in range(n - 1, n - 1 - {d}, -1):",
        "    y = b[i]",
        "    for j in range(i + 1, n):",
        f"        y -= lu[j, {d} + i - j] * b[j]",
        f"    b[i] = y * lu[i, {d}]",
    ]
    lines += [on.load(f"x{k}", f"b[n - 1 - {d - k}]") for k in range(1, d + 1)]
    loop = [on.load("x", "b[i]")]
    for k in range(d, 1, -1):
        loop += [on.load("u", f"lu[i + {k}, {d - k}]"), on.less("x", "x", "u", f"x{k}")]
    loop += [on.load("m", f"lu[i, {d}]"), on.load("u", f"lu[i + 1, {d - 1}]")]
    loop += [on.product("x", "x", "m"), on.product("u", "u", "m"), on.less("x", "x", "u", "x1")]
    loop += [f"{on.names(f'x{k}')} = {on.names(f'x{k - 1}')}" for k in range(d, 1, -1)]
    loop += [f"{on.names('x1')} = {on.names('x')}", on.store("b[i]", "x")]
    return [*lines, f"for i in range(n - 1 - {d}, -1, -1):", *("    " + line for line in loop)]


# ---------------------------------------------------------------------------------------------------------------------


def _core(name, arguments, lines):
    """Core from its source lines, which know `n` and `eliminate`."""
    source = "\n".join([f"def {name}({arguments}):", "    n = lu.shape[0]", *("    " + line for line in lines), ""])
    return _jit.loop_core(_jit.exec_source(source, name, {"eliminate": band_lu.eliminate}))


@functools.cache
def factor(lband, uband, is_complex):
    """Core that factorises a matrix.

    Parameters
    ----------
    lband, uband : int
    is_complex : bool

    Returns
    -------
    function
        ``factor(J, lband, uband, shift, scale, lu, pivots) -> reach``, see `odekit.solvers.linalg.band_lu`.
    """
    if (lband + 1) * (lband + uband + 1) > WINDOW:
        return band_lu.factor
    on = _Complex() if is_complex else _Real()
    return _core("factor_narrow", "J, lband, uband, shift, scale, lu, pivots", _eliminate(on, lband, uband))


@functools.cache
def solve(lband, uband, is_complex):
    """Core that solves a factorised system in place.

    Parameters
    ----------
    lband, uband : int
    is_complex : bool

    Returns
    -------
    function
        ``solve(lu, pivots, lband, uband, reach, b)``, see `odekit.solvers.linalg.band_lu`.
    """
    on, d = _Complex() if is_complex else _Real(), lband + uband
    return _core("solve_narrow", "lu, pivots, lband, uband, reach, b", [*_forward(on, lband, d), *_backward(on, d)])
