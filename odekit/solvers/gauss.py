"""Gauss collocation methods: symplectic, symmetric, for Hamiltonian systems of any form.

Of order 2 s with s stages; ``implicit_midpoint`` is the first of them. They conserve quadratic invariants exactly and
energy without drift, as long as the steps are of fixed size and the stage equations are solved to rounding [1]_. The
equations are solved by fixed-point iteration from the extrapolated stages of the step before, until the increments
stop to fall: no Jacobian is needed, but the step must resolve the fastest motion. The sum of the increments is
compensated.

References
----------
.. [1] E. Hairer, C. Lubich, G. Wanner, "Geometric Numerical Integration", 2nd ed., Springer 2006, II.1.3, VIII.6.
"""

import functools
import math

import numpy as np

from .. import _jit
from . import state
from .symplectic import add, fixed_step_ends

_ROOT3, _ROOT15 = math.sqrt(3.0), math.sqrt(15.0)
#: Nodes of the methods.
NODES = {
    "implicit_midpoint": (0.5,),
    "gauss4": (0.5 - _ROOT3 / 6, 0.5 + _ROOT3 / 6),
    "gauss6": (0.5 - _ROOT15 / 10, 0.5, 0.5 + _ROOT15 / 10),
}
MAX_ITERATIONS = 60  # a step that needs more resolves nothing
#: Increments that stop to fall below this, relative to the state, have reached rounding; above it the iteration diverges.
ROUNDING_REACHED = 1e-12


def coefficients(nodes):
    """Collocation coefficients of nodes.

    Parameters
    ----------
    nodes : tuple of float, length s

    Returns
    -------
    A : ndarray, (s, s)
    b : ndarray, (s,)
    E : ndarray, (s, s)
        ``E[i, j]``: value at ``1 + nodes[i]`` of the polynomial that is 1 at ``nodes[j]`` and 0 at the other nodes.
    """
    c = np.array(nodes)
    powers = np.arange(len(c))
    inverse = np.linalg.inv(c[:, None] ** powers)  # columns: monomial coefficients of the Lagrange polynomials
    A = (c[:, None] ** (powers + 1) / (powers + 1)) @ inverse
    return A, (1.0 / (powers + 1)) @ inverse, (1.0 + c[:, None]) ** powers @ inverse


def workspace(name, n):
    """Floats of workspace: compensations, slopes of the stages, slopes of the step before."""
    return (1 + 2 * len(NODES[name])) * n


@functools.cache
def step(name):
    """Stepper of a Gauss method.

    Parameters
    ----------
    name : str
        A key of `NODES`.

    Returns
    -------
    function
        ``step(fn, iw, w, p) -> code``, see `odekit.solvers.state`.
    """
    nodes = NODES[name]
    A, b, E = coefficients(nodes)
    s = range(len(nodes))

    def combine(weights, prefix):
        return " + ".join(f"{float(weight)!r} * {prefix}{j}[i]" for j, weight in enumerate(weights))

    lines = [
        f"def step_{name}(fn, iw, w, p):",
        "    n, h, t, t_new = iw[N], w[H], w[T], w[T_NEW]",
        "    y, y_new, f0, f1 = vector(iw, w, Y), vector(iw, w, Y_NEW), vector(iw, w, F0), vector(iw, w, F1)",
        "    compensation, z = view1(w, iw[O_FIRST], n), vector(iw, w, SCRATCH)",
        *[f"    k{j} = view1(w, iw[O_FIRST] + {1 + j} * n, n)" for j in s],
        *[f"    old{j} = view1(w, iw[O_FIRST] + {1 + len(nodes) + j} * n, n)" for j in s],
        "    largest = 0.0",
        "    for i in range(n):",
        "        largest = max(largest, abs(y[i]))",
        "        if iw[FIRST_STEP] == 1:",
        *[f"            k{j}[i] = f0[i]" for j in s],
        "        else:",
        *[f"            k{j}[i] = {combine(E[j], 'old')}" for j in s],
        "    change_old = math.inf",
        "    for iteration in range(MAX_ITERATIONS):",
        "        change = 0.0",
    ]
    # one stage after the other: each sees the newest slopes, which halves the number of iterations
    for j in s:
        lines += [
            "        for i in range(n):",
            f"            z[i] = y[i] + (compensation[i] + h * ({combine(A[j], 'k')}))",
            f"        if call_scalar(fn[F], t + {float(nodes[j])!r} * h, z, f1, p) != 0:",
            f"            return rhs_raised(w, t + {float(nodes[j])!r} * h, z, z)",
            "        for i in range(n):",
            f"            change = max(change, abs(h * (f1[i] - k{j}[i])))",
            "            change += 0.0 * f1[i]",  # a NaN must not be lost in the maximum
            f"            k{j}[i] = f1[i]",
        ]
    lines += [
        f"        iw[NFEV] += {len(nodes)}",
        "        if not change < math.inf:",
        "            w[H_NEXT] = 0.0",
        "            return NONFINITE",
        "        if change == 0.0 or (change >= change_old and change <= ROUNDING_REACHED * largest):",
        "            break",
        "        change_old = change",
        "    if change > ROUNDING_REACHED * largest:",
        "        w[H_NEXT] = 0.0",
        "        return NEWTON_FAILED",
        "    for i in range(n):",
        "        y_new[i] = y[i]",
        f"        add(y_new, compensation, i, h * ({combine(b, 'k')}))",
        *[f"        old{j}[i] = k{j}[i]" for j in s],
        "    if call_scalar(fn[F], t_new, y_new, f1, p) != 0:",
        "        return rhs_raised(w, t_new, z, y_new)",
        "    iw[NFEV] += 1",
        "    return fixed_step_ends(iw, w, y_new, f1)",
    ]
    return _jit.exec_source("\n".join(lines) + "\n", f"step_{name}", _NAMESPACE)


_NAMES = ["F", "F0", "F1", "FIRST_STEP", "H", "H_NEXT", "N", "NEWTON_FAILED", "NFEV", "NONFINITE", "O_FIRST", "SCRATCH"]
_NAMES += ["T", "T_NEW", "Y", "Y_NEW", "rhs_raised", "vector"]
_NAMESPACE = {name: getattr(state, name) for name in _NAMES} | {
    "MAX_ITERATIONS": MAX_ITERATIONS,
    "ROUNDING_REACHED": ROUNDING_REACHED,
    "add": add,
    "call_scalar": _jit.call_scalar,
    "fixed_step_ends": fixed_step_ends,
    "math": math,
    "view1": _jit.view1,
}
