"""Tao's explicit symplectic methods for Hamiltonian systems of any form, in a phase space of two copies.

A second copy ``(x, z)`` of the state ``(q, p)`` follows it. ``H(q, z)`` moves only x and p, ``H(x, p)`` only q and z: each
is solved exactly by one evaluation of the field. A third part, ``omega (|q - x|^2 + |p - z|^2) / 2``, binds the copies to
each other; its flow is a rotation of their difference, and omega its binding frequency. The symmetric composition of the
three is symplectic in the space of both copies and of order 2 [1]_; the compositions of `odekit.solvers.symplectic` raise the
order. Neighbouring parts are merged, so that s compositions cost 3 s evaluations. Steps are of fixed size, sums are
compensated.

References
----------
.. [1] M. Tao, "Explicit symplectic approximation of nonseparable Hamiltonians: Algorithm and long time performance",
   Phys. Rev. E 94 (2016) 043303.
"""

import functools
import math

from .. import _jit
from . import state
from .symplectic import SPLITTINGS, add, fixed_step_ends

#: The composition behind each method.
COMPOSITIONS = {
    "tao2": SPLITTINGS["leapfrog"],
    "tao4": SPLITTINGS["yoshida4"],
    "tao6": SPLITTINGS["kahanli6"],
    "tao8": SPLITTINGS["kahanli8"],
}


def workspace(n):
    """Floats of workspace: the second copy, compensations of both."""
    return 3 * n


@_jit.core
def bind(omega_h, first, second, lost_first, lost_second):
    """Rotate the difference of the copies by the angle ``2 omega h``; their sum stays.

    first, second : the copies, (n,), positions first; lost_first, lost_second : what rounding has taken from them, (n,).
    """
    m = first.size // 2
    sine, half = math.sin(2.0 * omega_h), math.sin(omega_h)
    less = -2.0 * half * half  # cos - 1
    for i in range(m):
        j = m + i
        d = (first[i] - second[i]) + (lost_first[i] - lost_second[i])
        e = (first[j] - second[j]) + (lost_first[j] - lost_second[j])
        move_d, move_e = 0.5 * (less * d + sine * e), 0.5 * (less * e - sine * d)
        add(first, lost_first, i, move_d)
        add(second, lost_second, i, -move_d)
        add(first, lost_first, j, move_e)
        add(second, lost_second, j, -move_e)


@_jit.core
def kick(step, slope, to_q, lost_q, to_p, lost_p):
    """Move the positions of one copy and the momenta of the other by a slope.

    slope, to_q, to_p : (n,), positions first, of which a half is moved; lost_q, lost_p : what rounding has taken from them.
    """
    m = slope.size // 2
    for i in range(m):
        add(to_q, lost_q, i, step * slope[i])
        add(to_p, lost_p, m + i, step * slope[m + i])


@_jit.core
def mix(z, positions, momenta):
    """z (n,) = positions of one copy, momenta of the other; both copies are (n,), positions first."""
    m = z.size // 2
    for i in range(m):
        z[i] = positions[i]
        z[m + i] = momenta[m + i]


_NAMES = ["BINDING", "F", "F0", "F1", "FIRST_STEP", "H", "N", "NFEV", "O_FIRST", "SCRATCH", "T", "T_NEW", "Y", "Y_NEW"]
_NAMES += ["rhs_raised", "vector"]
_NAMESPACE = {name: getattr(state, name) for name in _NAMES} | {
    "bind": bind,
    "call_scalar": _jit.call_scalar,
    "fixed_step_ends": fixed_step_ends,
    "kick": kick,
    "mix": mix,
    "view1": _jit.view1,
}


@functools.cache
def step(name):
    """Stepper of one of Tao's methods.

    Its slope at the end of a step is taken at the mixed state ``(q, z)``: that is the slope that the next step begins
    with, and as near to ``f(t, y)`` as the copies are to each other.

    Parameters
    ----------
    name : str
        A key of `COMPOSITIONS`.

    Returns
    -------
    function
        ``step(fn, iw, w, p) -> code``, see `odekit.solvers.state`.
    """
    weights = COMPOSITIONS[name].weights
    lines = [
        f"def step_{name}(fn, iw, w, p):",
        "    n, h, t, t_new, omega = iw[N], w[H], w[T], w[T_NEW], w[BINDING]",
        "    y, y_new, f0, f1 = vector(iw, w, Y), vector(iw, w, Y_NEW), vector(iw, w, F0), vector(iw, w, F1)",
        "    copy, mixed = view1(w, iw[O_FIRST], n), vector(iw, w, SCRATCH)",
        "    lost, lost_copy = view1(w, iw[O_FIRST] + n, n), view1(w, iw[O_FIRST] + 2 * n, n)",
        "    for i in range(n):",
        "        y_new[i] = y[i]",
        "        f1[i] = f0[i]",
        "        if iw[FIRST_STEP] == 1:",
        "            copy[i] = y[i]",
        "            lost_copy[i] = lost[i]",
    ]

    def evaluate(time, positions, momenta):
        return [
            f"    mix(mixed, {positions}, {momenta})",
            f"    if call_scalar(fn[F], {time}, mixed, f1, p) != 0:",
            f"        return rhs_raised(w, {time}, mixed, mixed)",
        ]

    passed = 0.0
    lines += [f"    kick({weights[0] / 2!r} * h, f1, copy, lost_copy, y_new, lost)"]
    for number, weight in enumerate(weights):
        last = number == len(weights) - 1
        middle = f"t + {passed + weight / 2!r} * h"
        passed += weight
        end = "t_new" if last else f"t + {passed!r} * h"
        merged = weight / 2 if last else (weight + weights[number + 1]) / 2
        lines += [
            *evaluate(middle, "copy", "y_new"),
            f"    kick({weight / 2!r} * h, f1, y_new, lost, copy, lost_copy)",
            f"    bind({weight!r} * h * omega, y_new, copy, lost, lost_copy)",
            *evaluate(middle, "copy", "y_new"),
            f"    kick({weight / 2!r} * h, f1, y_new, lost, copy, lost_copy)",
            *evaluate(end, "y_new", "copy"),
            f"    kick({merged!r} * h, f1, copy, lost_copy, y_new, lost)",
        ]
    lines += [f"    iw[NFEV] += {3 * len(weights)}", "    return fixed_step_ends(iw, w, y_new, f1)"]
    return _jit.exec_source("\n".join(lines) + "\n", f"step_{name}", _NAMESPACE)
