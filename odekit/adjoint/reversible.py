"""The exact gradient with memory that does not grow with the number of steps."""

import dataclasses

import numpy as np

from ..solvers import driver as D
from ..solvers import state as S
from . import blocks, reversible_steps
from .interpolating import rate
from .result import Gradient, seeds_of
from .scheme import scheme
from .seeding import locate
from .sweeps import FIRST_CAPACITY, SolveError, sentence
from .tape import N_PARAMS

FIRST_STEP = (
    1e-2  #: Of the size of the state over that of its slope (Hairer's first guess); then the error control rules.
)
CALL_ATTEMPTS = 1000


@dataclasses.dataclass(frozen=True)
class ReversibleAdjoint:
    """Steps that can be computed backwards, around the chosen explicit method [1]_: exact to rounding, O(1) memory.

    The solution is that of the reversible method: of the same order, with twice the evaluations per step and a smaller
    stability region; only the times of the steps are stored. Outputs lie at ends of steps.

    Parameters
    ----------
    coupling : float
        Between 0 and 1: 1 loses stability, smaller values lose digits on the way back, a factor of 1 / coupling per step.

    Raises
    ------
    ValueError
        If the derivative with respect to the output times is asked for: they are ends of steps here.

    References
    ----------
    .. [1] S. McCallum, J. Foster, "Efficient, accurate and stable gradients for neural ODEs", arXiv:2410.11648 (2024).

    Examples
    --------
    >>> import odekit
    >>> def decay(t, y, k):
    ...     return [-k * y[0]]
    >>> g = odekit.adjoint.gradient(
    ...     decay, [0.0, 1.0], [2.0], [[0.0, 1.0]], "tsit5", (0.5,), rtol=1e-8, atol=1e-10, adjoint=odekit.adjoint.ReversibleAdjoint()
    ... )
    >>> round(float(g.args[0]), 4)  # -2 exp(-1 / 2)
    -1.2131
    """

    coupling: float = 0.999

    def __post_init__(self):
        if not 0.0 < self.coupling < 1.0:
            raise ValueError(f"coupling must lie between 0 and 1, but it is {self.coupling!r}")

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
        if with_times:
            raise ValueError(
                "the reversible adjoint does not know the derivatives in the output times; adjoint='discrete' does"
            )
        a, (width, d) = scheme(method), y0.shape
        block = min(width, blocks.LANE_BLOCK)
        n_blocks = (width + block - 1) // block
        header = field.pack(block, a.slots)
        p = np.repeat(header[None], n_blocks, axis=0)
        work = np.zeros((n_blocks, (2 * a.slots + reversible_steps.ROWS) * d * block))
        w, iw = np.zeros(S.W_HEADER), np.zeros(S.IW_HEADER, dtype=np.int64)
        w[S.MAX_STEP] = np.inf
        w[S.T], w[S.DIRECTION] = t[0], np.sign(t[-1] - t[0])
        w[S.H_NEXT] = w[S.H_FIXED] = w[S.DIRECTION] * (first_step or self._first_step(field, y0, t, rtol, atol))
        iw[S.MAX_STEPS], iw[S.FIRST_STEP] = max_steps, 1
        y, steps = np.empty((len(t), width, d)), np.empty(FIRST_CAPACITY)
        y[0] = y0
        while True:
            reason = reversible_steps.sweep(
                field.kernels.record, p, work, a.arrays, self.coupling, w, iw, rtol, atol, y0, t, y, steps, CALL_ATTEMPTS,
            )  # fmt: skip
            if reason == D.BUFFER_FULL:
                steps = np.concatenate((steps, np.empty(steps.size)))
            elif reason != D.CONTINUE:
                break
        if reason != D.DONE:
            raise SolveError(sentence(reason, w[S.T], w[S.H] or w[S.H_NEXT], iw[S.LAST_CODE], max_steps))
        seeds = seeds_of(cotangent, y).copy()
        steps = steps[: iw[S.NACCEPT] + 1]
        lam, bar = np.empty_like(y0), np.zeros(d * block + int(header[N_PARAMS]))
        reversible_steps.pull_back(
            field.kernels.record, field.kernels.pull, p, work, a.arrays, self.coupling, steps, locate(steps, t)[0], seeds, lam, bar,
        )  # fmt: skip
        counts = {
            "naccept": int(iw[S.NACCEPT]), "nreject": int(iw[S.NREJECT]), "nfev": int(iw[S.NFEV]), "states": 2, "tapes": 0,
            "drift": float(np.abs(seeds[0] - y0).max()),
        }  # fmt: skip
        return Gradient(y, bar[d * block :].copy(), lam, None, counts)

    def _first_step(self, field, y0, t, rtol, atol):
        scale = atol + rtol * np.abs(y0)
        slope = rate(field, y0, t[0])
        d0, d1 = (float(np.sqrt(np.mean(np.square(x / scale)))) for x in (y0, slope))
        h = FIRST_STEP * d0 / d1 if d0 > 0 and d1 > 0 else 1e-6
        return min(h, abs(t[-1] - t[0]))
