"""The continuous adjoint along the dense output of the forward solution: stable, for stiff and dissipative equations too."""

import dataclasses

import numpy as np

from .. import _jit
from ..solvers.driver import evaluate
from . import blocks, coupled, coupled_equations, coupled_jacobian
from .coupled_equations import (
    BLOCK,
    DEGREE,
    DIM,
    FIELD,
    HEADER,
    HINT,
    PARAMETERS,
    PULL,
    RECORD,
    SLOPES,
    STATES,
    STEPS,
    TIMES,
    TOTAL,
    WIDTH,
)
from .result import Gradient, seeds_of

#: Gauss-Legendre nodes per step of the adjoint: exact to order 8, above the order of its dense output.
NODES, WEIGHTS = np.polynomial.legendre.leggauss(4)
view1 = _jit.view1


@_jit.kernel
def _quadrature(p, steps, states, coefficients, nodes, weights, grad):
    """grad -= integral of (df/dtheta)^T a along the steps of the adjoint equation.

    Parameters
    ----------
    p : ndarray
        See `odekit.adjoint.coupled_equations`, with the dense output of the solution.
    steps, states, coefficients : ndarray, (N + 1,), (N + 1, n), (N, degree, n)
        Dense output of a; n = B d numbers, [B, d].
    nodes, weights : ndarray, (q,)
        Of the quadrature on [-1, 1].
    grad : ndarray, (n_params,)
    """
    d, width, block, n_params = int(p[DIM]), int(p[WIDTH]), int(p[BLOCK]), int(p[PARAMETERS])
    size, field = d * block, view1(p, int(p[FIELD]), int(p[TOTAL]) - int(p[FIELD]))
    z, dz, u = view1(p, HEADER, size), view1(p, HEADER + size, size), view1(p, HEADER + 2 * size, size)
    y, a = view1(p, int(p[TOTAL]) - d * width, d * width), np.empty((1, d * width))
    for n in range(steps.size - 1):
        h = steps[n + 1] - steps[n]
        for q in range(nodes.size):
            theta = 0.5 * (nodes[q] + 1.0)
            t = steps[n] + theta * h
            coupled_equations.solution_at(t, p, y)
            evaluate(coefficients[n], states[n], theta, a, 0)
            for begin in range(0, width, block):
                lanes = min(block, width - begin)
                coupled_equations.columns(y, d, begin, lanes, z)
                coupled_equations.columns(a[0], d, begin, lanes, u)
                for i in range(d * lanes):
                    u[i] *= 0.5 * h * weights[q]
                blocks.evaluate(int(p[RECORD]), field, lanes, 0, t, z, dz)
                bar = view1(p, HEADER + 3 * size, d * lanes + n_params)
                for i in range(bar.size):
                    bar[i] = 0.0
                blocks.pull(int(p[PULL]), field, lanes, 0, t, u, bar)
                for i in range(n_params):
                    grad[i] -= bar[d * lanes + i]


@dataclasses.dataclass(frozen=True)
class InterpolatingAdjoint:
    """The adjoint equation along the stored dense output, the parameters' part by Gauss quadrature (SciML's GaussAdjoint).

    Stable where `BacksolveAdjoint` is not, at the price of the memory for the dense output; not exact for the computed numbers,
    but it converges to the derivative of the exact solution with the tolerance. The backward integration has one equation per
    number of the state, however many parameters there are.

    Parameters
    ----------
    tighter : float
        Factor of the tolerances of the adjoint equation.

    Examples
    --------
    >>> import odekit
    >>> def decay(t, y, k):
    ...     return [-k * y[0]]
    >>> g = odekit.adjoint.gradient(
    ...     decay, [0.0, 1.0], [2.0], [[0.0, 1.0]], "tsit5", (0.5,), rtol=1e-8, atol=1e-10, adjoint=odekit.adjoint.InterpolatingAdjoint()
    ... )
    >>> round(float(g.args[0]), 4)  # -2 exp(-1 / 2)
    -1.2131
    """

    tighter: float = 1.0

    def gradient(
        self, field, y0, t, cotangent, *, method, rtol, atol, first_step=None, with_times=False, max_steps=100_000
    ):
        """Outputs of a solve, and the derivatives of a loss on them.

        Parameters
        ----------
        field, y0, t, cotangent, method, rtol, atol, first_step, with_times, max_steps
            As for `DiscreteAdjoint.gradient`.

        Returns
        -------
        Gradient

        Raises
        ------
        ValueError
            For a cotangent of another shape, or one that is not finite.
        SolveError
            If the end is not reached.
        """
        width, d = y0.shape
        n, block = d * width, min(width, blocks.LANE_BLOCK)
        options = {"max_steps": max_steps, "first_step": first_step or 0.0, "keep_dense": True}
        y, forward = coupled.trajectories(field, y0, t, method, rtol, atol, **options)
        seeds = seeds_of(cotangent, y)
        count, degree = forward.coefficients.shape[:2]
        parts = (forward.steps, forward.states[:count].ravel(), forward.coefficients.ravel())
        p, place = coupled_equations.pack(field, width, block, sum(part.size for part in parts) + n)
        p[STEPS], p[DEGREE], p[HINT] = count, degree, count - 1
        for name, part in zip((TIMES, STATES, SLOPES), parts, strict=True):
            p[name], p[place : place + part.size] = place, part
            place += part.size
        a, params, nfev = np.zeros(n), np.zeros(field.params.size), 0
        for k in range(len(t) - 1, 0, -1):
            a += seeds[k].ravel()
            back = coupled.solve(
                coupled_equations.interpolated(), p, (t[k], t[k - 1]), a, method, self.tighter * rtol, self.tighter * atol,
                coupled_jacobian.interpolated_jacobian(field, width), **options,
            )  # fmt: skip
            _quadrature(p, back.steps, back.states, back.coefficients, NODES, WEIGHTS, params)
            a, nfev = back.states[-1].copy(), nfev + back.nfev
        times = None
        if with_times:
            times = rates_along(field, y, t, seeds)
            times[0] = -np.dot(a, rate(field, y[0], t[0]).ravel())
        a += seeds[0].ravel()
        counts = {
            "naccept": forward.naccept, "nreject": forward.nreject, "nfev": forward.nfev, "nfev_backward": nfev,
            "states": (degree + 1) * count, "tapes": 0,
        }  # fmt: skip
        return Gradient(y, params, a.reshape(width, d).copy(), times, counts)


def rate(field, y, t):
    """The field at a batch y (B, d) and the time t; ndarray, (B, d)."""
    p, _ = coupled_equations.pack(field, len(y), min(len(y), blocks.LANE_BLOCK))
    out = np.empty(y.size)
    _call(coupled_equations.batch_value(), float(t), y.ravel().copy(), out, p)
    return out.reshape(y.shape)


@_jit.kernel
def _call(address, t, y, dy, p):
    return _jit.call_scalar(address, t, y, dy, p)


def rates_along(field, y, t, seeds):
    """Cotangents of the output times, (T,): how the loss changes as each is moved along the solution; y and seeds are (T, B, d)."""
    return np.array([np.sum(seeds[k] * rate(field, y[k], t[k])) for k in range(len(t))])
