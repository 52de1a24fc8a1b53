"""Source of the wrapper that makes a user's function a scalar kernel: arguments taken apart, the result stored."""

import math
from typing import NamedTuple

import numpy as np
from numba import types

from ._arguments import unpack_source

#: Imaginary step of the complex-step derivative: so small that its square vanishes beside any value.
COMPLEX_STEP = 1e-40

# status of a scalar kernel
OK, RAISED, WRONG_SHAPE = 0, 1, 2


class Unsupported(Exception):
    """A function cannot be compiled; the message says why."""


class Shape(NamedTuple):
    """What a function receives and returns.

    Attributes
    ----------
    n : int
        Dimension of the state (complex numbers count once).
    returns : str
        ``"vector"`` (n numbers), ``"matrix"`` (n by n), ``"packed"`` (the diagonals of a band, `lband` + `uband` + 1 by n),
        ``"band"`` (n by n, of which the band is kept in that form), ``"values"`` (`count` numbers) or ``"number"``.
    complex_state : bool
    in_place : bool
        The function writes into its third argument.
    vectorized : bool
        The function expects y of shape (n, 1), SciPy's ``vectorized=True``.
    derivative : bool
        Compile the complex-step Jacobian of the function instead of the function.
    time : bool
        The derivative with respect to t follows the Jacobian.
    direction : bool
        Instead of the Jacobian its product with a direction of n + 1 numbers, which follow the state; the last is the part
        in t.
    lband, uband, count : int
        See `returns`.
    preconditioner : bool
        The function is ``psolve(t, y, gamma, r, out, *args)``; y, gamma and r come one behind the other.
    """

    n: int
    returns: str = "vector"
    complex_state: bool = False
    in_place: bool = False
    vectorized: bool = False
    derivative: bool = False
    time: bool = False
    direction: bool = False
    lband: int = 0
    uband: int = 0
    count: int = 0
    preconditioner: bool = False

    @property
    def expected(self):
        """Shape of what the function returns."""
        rows = self.lband + self.uband + 1
        matrix = (self.n, self.n)
        return {
            "vector": (self.n,), "matrix": matrix, "packed": (rows, self.n), "band": matrix, "values": (self.count,),
            "number": (),
        }[self.returns]  # fmt: skip

    @property
    def size(self):
        """How many numbers the kernel writes (complex ones count once)."""
        return (self.lband + self.uband + 1) * self.n if self.returns == "band" else math.prod(self.expected)


def wrapper_source(shape, structure, returned, copies):
    """Body of the wrapper: take the arguments apart, call (with a copy of the state), store what comes back."""
    n, n_params = shape.n, parameters_size(structure)
    view = "view1c" if shape.complex_state or shape.derivative else "view1"
    arguments = ", ".join(
        ["s" if shape.time else "t", "y"] + (["dy"] if shape.in_place else []) + unpack_source(structure)
    )
    lines = [f"p = view1(p_, 0, {n_params})"]
    if shape.derivative:
        # the scratch memory behind the parameters holds the complex state and, in place, the complex slope
        lines += [f"state, y = view1(y_, 0, {n}), view1c(p_, {n_params}, {n})"]
        out = f"view1(out_, 0, {n})" if shape.direction else f"view2(out_, 0, {n}, {n})"
        lines += [f"out = {out}", f"dy = view1c(p_, {n_params + 2 * n}, {n})"]
        lines += [f"for i in range({n}):", "    y[i] = state[i]"]
    else:
        lines += [f"y = {view}(y_, 0, {n})"]
        if shape.returns in ("matrix", "packed", "band"):
            rows = n if shape.returns == "matrix" else shape.size // n
            lines += [f"out = {view.replace('1', '2')}(out_, 0, {rows}, {n})"]
        else:
            number = shape.returns == "number"  # a real one, whatever the state
            lines += [
                "out = view1(out_, 0, 1)"
                if number
                else f"out = {view}(out_, 0, {n if shape.returns == 'vector' else 1})"
            ]
        if shape.in_place:
            lines += ["dy = out"]
    if shape.preconditioner:
        lines += [f"gamma, r = view1(y_, {n}, 1)[0], view1(y_, {n + 1}, {n})"]
        arguments = arguments.replace("y", "y, gamma, r, out", 1)
    if shape.vectorized:
        arguments = arguments.replace(", y", f", y.reshape(({n}, 1))", 1)
    if copies:
        arguments = arguments.replace("y", "y.copy()", 1)
    call = (
        [f"user({arguments})"]
        if shape.in_place or shape.preconditioner
        else [f"r = user({arguments})", *store(shape, returned)]
    )
    if shape.derivative:
        call = _along_direction(call, n, shape.time) if shape.direction else _by_columns(call, n, shape.time)
    lines += ["try:", *("    " + line for line in call), "except Exception:", f"    return {RAISED}", f"return {OK}"]
    return "\n".join("    " + line for line in lines) + "\n"


def _by_columns(call, n, time):
    """Source that calls with one imaginary step after the other, in each component of the state and last in t."""
    step = repr(COMPLEX_STEP)
    begin, end = [f"y[j] = complex(state[j], {step})"], ["y[j] = state[j]"]
    end += [f"for i in range({n}):", f"    out[i, j] = dy[i].imag / {step}"]
    if time:
        begin = [f"s = complex(t, {step} if j == {n} else 0.0)", f"if j < {n}:", *("    " + line for line in begin)]
        end = [f"if j < {n}:", *("    " + line for line in end), "else:", f"    rate = view1(out_, {n * n}, {n})"]
        end += [f"    for i in range({n}):", f"        rate[i] = dy[i].imag / {step}"]
    return [f"for j in range({n + time}):", *("    " + line for line in (*begin, *call, *end))]


def _along_direction(call, n, time):
    """Source that calls with one imaginary step along a direction."""
    step = repr(COMPLEX_STEP)
    begin = [f"along = view1(y_, {n}, {n + 1})", f"for i in range({n}):"]
    begin += [f"    y[i] = complex(state[i], {step} * along[i])"]
    begin += [f"s = complex(t, {step} * along[{n}])"] if time else []
    return [*begin, *call, f"for i in range({n}):", f"    out[i] = dy[i].imag / {step}"]


def store(shape, returned):
    """Source that stores the result `r` of Numba type `returned`."""
    n, target = shape.n, "dy" if shape.derivative else "out"
    numbers = (types.Number, types.Boolean)
    complex_allowed = (shape.complex_state or shape.derivative) and shape.returns != "number"

    def check(element):
        if not isinstance(element, numbers):
            raise Unsupported(f"it returns {returned}")
        if isinstance(element, types.Complex) and not complex_allowed:
            raise Unsupported("it returns complex numbers where real ones are expected")

    if len(shape.expected) == 2:
        if shape.returns == "matrix" and isinstance(returned, types.BaseTuple) and len(returned) == n * n:
            for element in returned:
                check(element)
            return [f"out[{i // n}, {i % n}] = r[{i}]" for i in range(n * n)]
        if not (isinstance(returned, types.Array) and returned.ndim == 2):
            raise Unsupported(f"it returns {returned}")
        check(returned.dtype)
        rows, columns = shape.expected
        store = [f"for i in range({rows}):", f"    for k in range({columns}):", "        out[i, k] = r[i, k]"]
        if shape.returns == "band":
            inside = f"range(max(0, k - {shape.uband}), min({n}, k + {shape.lband + 1}))"
            store = [
                f"for k in range({n}):",
                f"    for i in {inside}:",
                f"        out[{shape.uband} + i - k, k] = r[i, k]",
            ]
        return [f"if r.shape[0] != {rows} or r.shape[1] != {columns}:", f"    return {WRONG_SHAPE}", *store]
    size = n if shape.returns == "vector" else 1
    if isinstance(returned, types.BaseTuple) and len(returned) == size:
        for element in returned:
            check(element)
        return [f"{target}[{i}] = r[{i}]" for i in range(size)]
    if isinstance(returned, types.Array) and returned.ndim == (2 if shape.vectorized else 1):
        check(returned.dtype)
        item = "r[i, 0]" if shape.vectorized else "r[i]"
        loop = [f"for i in range({size}):", f"    {target}[i] = {item}"]
        return [f"if r.shape[0] != {size}:", f"    return {WRONG_SHAPE}", *loop]
    if isinstance(returned, types.List):
        check(returned.dtype)
        loop = [f"for i in range({size}):", f"    {target}[i] = r[i]"]
        return [f"if len(r) != {size}:", f"    return {WRONG_SHAPE}", *loop]
    if isinstance(returned, numbers) and size == 1:
        check(returned)
        return [f"{target}[0] = r"]
    raise Unsupported(f"it returns {returned}")


def parameters_size(structure):
    """How many numbers the arguments of a structure are."""
    return sum(_width(kind) for kind in structure)


def _width(kind):
    name, *shape = kind
    size = int(np.prod(shape[0])) if shape else 1
    return size * (2 if name.startswith("complex") else 1)
