"""The exact gradient through implicit steps, so that stiff neural fields train."""

import dataclasses

import numpy as np

from . import coupled, implicit_steps, rosenbrock
from .implicit_scheme import FIXED_ORDER, METHODS, implicit_scheme
from .interpolating import rate, rates_along
from .result import Gradient, seeds_of
from .seeding import locate
from .sweeps import SolveError


@dataclasses.dataclass(frozen=True)
class ImplicitAdjoint:
    """The transpose of implicit steps: exact to rounding, by transposed factorisations.

    The integrator chooses the steps; their equations are then solved to rounding, because the gradient of a Newton iteration
    that stopped early would be that of the iteration. The outputs are those of the steps so solved. Each stage of each step is
    stored; every trajectory of a batch has linear systems of its own, of the size of its state. For backward_euler, trbdf2,
    kvaerno3, kencarp4, kvaerno5, radau5 (also for radau, whose order varies), radau9, radau13, implicit_midpoint, gauss4 and gauss6.

    Rosenbrock's methods, rosenbrock23 and rodas5p, have no iteration, but the Jacobian is part of their steps: their transpose
    needs second derivatives of the field, see `odekit.adjoint.tape`.

    The derivatives in the output times are those of the exact solution, ``g f(t, y)``.

    Examples
    --------
    >>> import odekit
    >>> def decay(t, y, k):
    ...     return [-k * y[0]]
    >>> g = odekit.adjoint.gradient(
    ...     decay, [0.0, 1.0], [2.0], [[0.0, 1.0]], "kvaerno5", (0.5,), rtol=1e-8, atol=1e-10, adjoint=odekit.adjoint.ImplicitAdjoint()
    ... )
    >>> round(float(g.args[0]), 4)  # -2 exp(-1 / 2)
    -1.2131
    """

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
        if method in rosenbrock.METHODS:
            return rosenbrock.gradient(field, y0, t, cotangent, method, rtol, atol, first_step, with_times, max_steps)
        if method not in METHODS:
            known = ", ".join((*METHODS, *rosenbrock.METHODS))
            raise ValueError(f"the implicit adjoint knows {known}, but method={method!r}")
        method = FIXED_ORDER.get(method, method)
        a, (width, d), n_params = implicit_scheme(method), y0.shape, field.params.size
        _, trajectory = coupled.trajectories(field, y0, t, method, rtol, atol, first_step, max_steps)
        steps, states = trajectory.steps, trajectory.states.reshape(-1, width, d)
        n, s = steps.size - 1, a.c.size
        y, grad, y0_bar = np.empty((len(t), width, d)), np.zeros(n_params), np.empty_like(y0)
        arguments, slopes = np.empty((width, n, s, d)), np.empty((n, s, d))
        inner, kernels = field.pack(1, s), field.kernels
        for lane in range(width):
            path, outputs = np.ascontiguousarray(states[:, lane]), np.empty((len(t), d))
            path[0] = y0[lane]
            code, where = implicit_steps.sweep(
                kernels.record, kernels.pull, inner, n_params, a.c, a.a, a.inverse, a.b, a.dense, a.group, a.carries,
                a.stiffly_accurate, steps, path, arguments[lane], slopes, t, outputs,
            )  # fmt: skip
            if code != implicit_steps.DONE:
                raise SolveError(
                    f"the equations of the implicit step at t = {steps[where]:.6g} could not be solved to rounding (step size "
                    f"h = {steps[where + 1] - steps[where]:.3g}); tighten rtol and atol"
                )
            y[:, lane] = outputs
        seeds = seeds_of(cotangent, y)
        node, first = locate(steps, t)
        for lane in range(width):
            code = implicit_steps.pull_back(
                kernels.record, kernels.pull, inner, n_params, a.c, a.a, a.b, a.dense, a.group, a.carries, steps, arguments[lane],
                node, first, t, np.ascontiguousarray(seeds[:, lane]), y0_bar[lane], grad,
            )  # fmt: skip
            if code != implicit_steps.DONE:
                raise SolveError("the matrix of a transposed implicit step was singular")
        times = None
        if with_times:
            times = rates_along(field, y, t, seeds)
            times[0] = -np.sum((y0_bar - seeds[0]) * rate(field, y0, t[0]))
        counts = {"naccept": n, "states": n * (s + 1), "tapes": 0}
        return Gradient(y, grad, y0_bar, times, counts)
