"""The stages of a Radau step: start values, simplified Newton iteration, and what the error estimate needs of them.

Increments of the stages, ``z = (T x I) v``, and their slopes go over into modes ``v``, in which the Newton matrix falls apart
into one real and (s - 1) / 2 complex blocks. The code is generated from the tables, so that all products with T and its
inverse are straight on; the stepper reaches that of the order in use by its address, and each is compiled once.
"""

import functools

import numpy as np

from .. import _jit
from . import linalg, newton, state
from .radau_tables import TABLES
from .radau_workspace import (
    COMPLEX,
    DEFECT,
    EXTRAPOLATION,
    INTERIOR,
    INVERSE,
    ITERATIONS,
    LARGEST,
    MODES,
    NODES,
    OLD_STAGES,
    PAIRS,
    RATES,
    RATIO,
    WEIGHTS,
    WEIGHTS_OF,
    accepted,
    attempt,
    place,
)

MAX_ITERATIONS, MORE_ITERATIONS = 10, 1  # for three stages, and for each one more (RADAU: 7 and 2.5)
#: Steps that differ by less, as rounding of t makes them, share a factorisation and the weights of the start values.
SAME_STEP = 1e-6


@_jit.core
def _extrapolation(iw, w, s):
    """Weights of the last accepted increments in the start values, one row for each stage; those at hand if still right."""
    s_old, ratio = iw[OLD_STAGES], w[state.H] / w[state.H_OLD]
    if iw[WEIGHTS_OF] == 10 * s + s_old and abs(ratio - w[RATIO]) <= SAME_STEP * ratio:
        return
    iw[WEIGHTS_OF], w[RATIO] = 10 * s + s_old, ratio
    weights = _jit.view2(w, place(iw, EXTRAPOLATION), LARGEST, LARGEST)
    for k in range(s):
        beyond = NODES[s, k] * ratio  # the node, seen from the end of the last step
        x = 1.0 + beyond
        product = x * beyond
        for j in range(s_old - 1):
            product *= x - NODES[s_old, j]
        for j in range(s_old - 1):
            weights[k, j] = WEIGHTS[s_old, j] * product / (x - NODES[s_old, j])
        weights[k, s_old - 1] = WEIGHTS[s_old, s_old - 1] * product / beyond - 1.0


@_jit.core
def _start_after_another_order(iw, w, s):
    """Start values from a step of another number of stages."""
    n, s_old = iw[state.N], iw[OLD_STAGES]
    z, old = _jit.view2(w, attempt(iw), LARGEST, n), _jit.view2(w, accepted(iw), LARGEST, n)
    weights = _jit.view2(w, place(iw, EXTRAPOLATION), LARGEST, LARGEST)
    for k in range(s):
        for i in range(n):
            total = 0.0
            for j in range(s_old):
                total += weights[k, j] * old[j, i]
            z[k, i] = total


@_jit.core
def _slopes(fn, iw, w, p, s, f):
    """Evaluate the field at the s stages, f (LARGEST, n) row by row; step code."""
    n, t, h = iw[state.N], w[state.T], w[state.H]
    y, argument = state.vector(iw, w, state.Y), state.vector(iw, w, state.Y_NEW)
    z = _jit.view2(w, attempt(iw), LARGEST, n)
    iw[state.NFEV] += s
    for k in range(s):
        for i in range(n):
            argument[i] = y[i] + z[k, i]
        t_stage = w[state.T_NEW] if k == s - 1 else t + NODES[s, k] * h
        if _jit.call_scalar(fn[state.F], t_stage, argument, f[k], p) != 0:
            return state.rhs_raised(w, t_stage, state.vector(iw, w, state.SCRATCH), argument)
    return state.ACCEPTED


def _product(row, names):
    """Source of ``sum_j row[j] names[j]`` without the terms whose weight is zero."""
    return " + ".join(f"{weight!r} * {name}" for weight, name in zip(row, names, strict=True) if weight)


def _names(letter, s, index=""):
    """Names of s variables, and the index behind each."""
    return [f"{letter}{k}{index}" for k in range(s)]


def _start_source(s):
    """Source of the start values: the last collocation polynomial, extrapolated; zero if there is none."""
    return [
        "    if iw[FIRST_STEP] == 1:",
        "        for i in range(n):",
        *[f"            z[{k}, i] = 0.0" for k in range(s)],
        "    else:",
        f"        _extrapolation(iw, w, {s})",
        f"        if iw[OLD_STAGES] != {s}:",
        f"            _start_after_another_order(iw, w, {s})",
        "        else:",
        *[f"            e{k}{j} = weights[{k}, {j}]" for k in range(s) for j in range(s)],
        "            for i in range(n):",
        *[f"                o{j} = old[{j}, i]" for j in range(s)],
        *[f"                z[{k}, i] = {' + '.join(f'e{k}{j} * o{j}' for j in range(s))}" for k in range(s)],
    ]


def _load_source(s, mass):
    """Source that names slopes and modes of component i; with a mass matrix M, those of M times the modes."""
    if not mass:
        return [f"            f{k}, v{k} = f[{k}, i], v[{k}, i]" for k in range(s)]
    return [
        *[f"            f{k}, v{k} = f[{k}, i], 0.0" for k in range(s)],
        "            for j in range(n):",
        "                m = mass[i, j]",
        *[f"                v{k} += m * v[{k}, j]" for k in range(s)],
    ]


def _iteration_source(table, mass):
    """Source of one iteration behind the evaluation of the slopes: right-hand sides, solves, the new increments."""
    s, pairs, f, v = table.stages, range(len(table.pairs)), _names("f", table.stages), _names("v", table.stages)
    lines = [
        "        for i in range(n):",
        *_load_source(s, mass),
        f"            f[0, i] = {_product(table.T_inverse[0], f)} - mu * v0",
    ]
    for q in pairs:
        x, y = 2 * q + 1, 2 * q + 2
        lines += [
            f"            x = {_product(table.T_inverse[x], f)} - alpha{q} * v{x} + beta{q} * v{y}",
            f"            y = {_product(table.T_inverse[y], f)} - alpha{q} * v{y} - beta{q} * v{x}",
            f"            d[{q}, i] = complex(x, y)",
        ]
    return [
        *lines,
        "        code = solve(fn, iw, w, p, 0, f[0])",
        f"        for q in range({len(table.pairs)}):",
        "            if code == ACCEPTED:",
        "                code = solve(fn, iw, w, p, 1 + q, d[q])",
        "        if code != ACCEPTED:",
        "            return code",
        "        total = 0.0",
        "        for i in range(n):",
        "            d0 = f[0, i]",
        *[f"            d{2 * q + 1}, d{2 * q + 2} = d[{q}, i].real, d[{q}, i].imag" for q in pairs],
        f"            total += ({' + '.join(f'd{k} * d{k}' for k in range(s))}) * inverse[i] * inverse[i]",
        *[f"            v{k} = v[{k}, i] + d{k}" for k in range(s)],
        *[f"            v[{k}, i] = v{k}" for k in range(s)],
        *[f"            z[{k}, i] = {_product(table.T[k], v)}" for k in range(s)],
    ]


def _end_source(table, mass):
    """Source of what the error estimate needs, see `odekit.solvers.radau`."""
    s, z = table.stages, _names("z", table.stages)
    difference = " + ".join(f"g{k} * z{k}" for k in range(s))
    return [
        "    ratio, before = 1.0, inverse  # without a step before there is nothing to compare with: not used",
        "    if iw[FIRST_STEP] == 0:",
        "        ratio, before = w[H_OLD] / w[H], view1(w, accepted(iw) + (iw[OLD_STAGES] - 1) * n, n)",
        *[f"    g{k} = {table.interior * WEIGHTS[s, k]!r} / (ratio + {table.c[k]!r})" for k in range(s)],
        f"    g = {table.interior!r} / (ratio * {' * '.join(f'(ratio + {c!r})' for c in table.c)})",
        "    for i in range(n):",
        *[f"        z{k} = z[{k}, i]" for k in range(s)],
        f"        {'f[0, i]' if mass else 'defect[i]'} = ({_product(table.error, z)}) * per_h",
        f"        interior[i] = {difference} - g * before[i]",
        *(["    multiply(mass, f[0], defect)"] if mass else []),
    ]


@_jit.core
def multiply(matrix, x, out):
    """Write the product of a matrix (m, n) and a vector x (n,) to out (m,)."""
    for i in range(out.size):
        total = 0.0
        for j in range(x.size):
            total += matrix[i, j] * x[j]
        out[i] = total


@functools.cache
def solver(table, mass=False):
    """Kernel that solves the equations of the stages.

    Parameters
    ----------
    table : RadauTable
    mass : bool
        For ``M dy/dt = f``, with the mass matrix in ``w``.

    Returns
    -------
    function
        ``stages(fn, iw, w, p) -> code``: `ACCEPTED` (converged), `NEWTON_FAILED`, `NONFINITE` or `RHS_RAISED`. Writes the
        increments, the number of iterations, and the vectors `DEFECT` and `INTERIOR`.
    """
    s, allowed = table.stages, MAX_ITERATIONS + MORE_ITERATIONS * (table.stages - 3)
    name = f"stages_radau{table.order}" + mass * "_mass"
    lines = [
        f"def {name}(fn, iw, w, p):",
        "    n, per_h = iw[N], 1.0 / w[H]",
        f"    z, old = view2(w, attempt(iw), {LARGEST}, n), view2(w, accepted(iw), {LARGEST}, n)",
        f"    v, f = view2(w, place(iw, {MODES}), {LARGEST}, n), view2(w, place(iw, {RATES}), {LARGEST}, n)",
        f"    d, weights = view2c(w, place(iw, {COMPLEX}), {PAIRS}, n), view2(w, place(iw, {EXTRAPOLATION}), {LARGEST}, {LARGEST})",
        f"    inverse = view1(w, place(iw, {INVERSE}), n)",
        f"    defect, interior = view1(w, place(iw, {DEFECT}), n), view1(w, place(iw, {INTERIOR}), n)",
        *(["    mass = view2(w, iw[O_MASS], n, n)"] if mass else []),
        f"    mu = {table.mu!r} * per_h",
        *[f"    alpha{q}, beta{q} = {a!r} * per_h, {b!r} * per_h" for q, (a, b) in enumerate(table.pairs)],
        *_start_source(s),
        "    for i in range(n):",
        *[f"        z{k} = z[{k}, i]" for k in range(s)],
        *[f"        v[{k}, i] = {_product(table.T_inverse[k], _names('z', s))}" for k in range(s)],
        "    tol = tolerance(vector(iw, w, RTOL))",
        "    factor = first_factor(w[FACTOR], 0.0)",
        "    size_old, verdict, iteration = 0.0, CONTINUE, 0",
        "    while verdict == CONTINUE:",
        f"        if iteration == {allowed}:",
        "            return NEWTON_FAILED",
        "        iteration += 1",
        "        iw[ITERATIONS] = iteration",
        f"        code = _slopes(fn, iw, w, p, {s}, f)",
        "        if code != ACCEPTED:",
        "            return code",
        *_iteration_source(table, mass),
        f"        size = np.sqrt(total / ({s} * n))",
        "        if not np.isfinite(size):",
        "            return NONFINITE",
        f"        verdict, factor = judge(size, size_old, {allowed} - iteration, factor, tol)",
        "        if verdict == DIVERGED:",
        "            return NEWTON_FAILED",
        "        size_old = size",
        "    w[FACTOR] = factor",
        *_end_source(table, mass),
        "    return ACCEPTED",
    ]
    return _jit.exec_source("\n".join(lines) + "\n", name, _NAMESPACE)


_NAMESPACE = {
    "np": np,
    "ITERATIONS": ITERATIONS,
    "OLD_STAGES": OLD_STAGES,
    **{name: getattr(_jit, name) for name in ("view1", "view2", "view2c")},
    **{
        name: getattr(state, name)
        for name in "N H H_OLD RTOL O_MASS FIRST_STEP ACCEPTED NEWTON_FAILED NONFINITE vector".split()
    },
    **{name: getattr(newton, name) for name in "CONTINUE DIVERGED FACTOR judge tolerance first_factor".split()},
    **{f.__name__: f for f in (place, attempt, accepted, multiply, linalg.solve)},
    **{f.__name__: f for f in (_extrapolation, _start_after_another_order, _slopes)},
}


_compiled = set()  # tables, with mass matrix or without, whose kernels this process has


def _address(table, mass):
    _compiled.add((table, mass))
    return state.step_address(solver(table, mass))


@functools.cache
def _stand_in(table, mass):
    return _jit.on_demand(lambda: _address(table, mass), place_of(table), state.NEWTON_FAILED)


def place_of(table):
    """Where the address of the kernel of a table stands in ``fn``."""
    return state.STAGES + table.stages // 2 - 1


def addresses(fewest, most, mass=False):
    """Addresses of the kernels of the methods from `fewest` to `most` stages, by their places in ``fn``.

    Parameters
    ----------
    fewest, most : int
    mass : bool
        For ``M dy/dt = f``.

    Returns
    -------
    dict
        The first is compiled now, the others when the order first rises so far.
    """
    found = {}
    for table in TABLES:
        if fewest <= table.stages <= most:
            now = table.stages == fewest or (table, mass) in _compiled or _jit.JIT_DISABLED
            found[place_of(table)] = _address(table, mass) if now else _stand_in(table, mass)
    return found
