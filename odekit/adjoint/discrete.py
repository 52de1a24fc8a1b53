"""The exact gradient of the numbers that the integrator computed."""

import dataclasses
import weakref

import numpy as np

from .lane_sweeps import COLUMNS, LaneSweeps
from .result import Gradient, seeds_of
from .revolve import HELD, REPEATED
from .scheme import scheme
from .sweeps import Sweeps

#: Bytes for tapes: so much fits beside other things into the last level of cache of an ordinary machine. Measured: more is
#: not faster, as fetching a tape from memory takes as long as computing it again.
BUDGET = 32 * 2**20


@dataclasses.dataclass(frozen=True)
class DiscreteAdjoint:
    """The transpose of the steps that were taken, the step sizes held constant: exact to rounding.

    The tapes of the first steps are stored as far as `memory` reaches, the others are made again from the state at each
    step's start. With `checkpoints` only that many states are held at a time, in the places where the fewest steps have to be
    made again (binomial checkpointing [1]_); the gradient is the same, bit by bit.

    Parameters
    ----------
    memory : int
        Bytes for tapes.
    checkpoints : int or None
        States held at a time; None: all of them.
    threads : int or None
        At most so many threads; None: as many as pay. The results do not depend on it.

    Raises
    ------
    ValueError
        For numbers of bytes, checkpoints or threads that are none.

    References
    ----------
    .. [1] A. Griewank, A. Walther, "Algorithm 799: revolve", ACM Transactions on Mathematical Software 26 (2000), 19-45.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> field = odekit.nn.MLP([2, 8, 2], rng=0)
    >>> y0, t = np.ones((4, 2)), np.linspace(0.0, 1.0, 5)
    >>> plain, few = odekit.adjoint.DiscreteAdjoint(), odekit.adjoint.DiscreteAdjoint(checkpoints=2)
    >>> a, b = (odekit.nn.NeuralODE(field, adjoint=adjoint).loss_and_grad(y0, t, np.zeros((5, 4, 2))) for adjoint in (plain, few))
    >>> bool((a[1] == b[1]).all())
    True
    """

    memory: int = BUDGET
    checkpoints: int | None = None
    threads: int | None = None
    _free: weakref.WeakKeyDictionary = dataclasses.field(
        default_factory=weakref.WeakKeyDictionary, init=False, repr=False, compare=False
    )

    def __post_init__(self):
        for name in ("checkpoints", "threads"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1):
                raise ValueError(f"{name} must be a positive integer or None, but it is {value!r}")
        if isinstance(self.memory, bool) or not isinstance(self.memory, (int, np.integer)) or self.memory < 0:
            raise ValueError(f"memory must be a number of bytes, but it is {self.memory!r}")

    def gradient(
        self, field, y0, t, cotangent, *, method, rtol, atol, first_step=None, with_times=False, max_steps=100_000,
        per_sample=False, penalties=None,
    ):  # fmt: skip
        """Outputs of a solve, and the derivatives of a loss on them.

        Parameters
        ----------
        field : object
            See `odekit.adjoint.tape`.
        y0 : ndarray, (B, d)
        t : ndarray, (T,)
            Output times, the start first.
        cotangent : ndarray, (T, B, d), or callable
            Derivative of the loss with respect to the outputs; a callable gets them and returns it.
        method : str
        rtol, atol : float
        first_step : float or None
        with_times : bool
            Whether the derivative with respect to `t` is wanted.
        max_steps : int
        per_sample : bool
            Whether every trajectory takes steps of its own. The steps' states are then all kept and their stages made again.
        penalties : (float, float), optional
            With `per_sample`: weights, in the loss, of the sums over trajectories and steps of the error estimate and of the
            stiffness estimate; see `odekit.nn.ErrorPenalty` and `odekit.nn.StiffnessPenalty`.

        Returns
        -------
        Gradient

        Raises
        ------
        ValueError
            For a cotangent of another shape, or one that is not finite.
        SolveError
            If the end is not reached.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> field, adjoint = odekit.nn.MLP([2, 8, 2], rng=0), odekit.adjoint.DiscreteAdjoint()
        >>> y0, t = np.ones((4, 2)), np.linspace(0.0, 1.0, 5)
        >>> g = adjoint.gradient(field, y0, t, lambda y: 2.0 * y, method="tsit5", rtol=1e-6, atol=1e-6)
        >>> g.y.shape, g.y0.shape, sorted(g.counts)[:2]
        ((5, 4, 2), (4, 2), ['naccept', 'nfev'])
        """
        if per_sample:
            return self._per_sample(
                field, y0, t, cotangent, method, rtol, atol, first_step, with_times, max_steps, penalties
            )
        sweeps = self._take(field, method, len(y0))
        keep = self.checkpoints is None
        y, rates = sweeps.forward(
            field, y0, t, rtol, atol, first_step, keep_states=keep, with_rates=with_times, max_steps=max_steps
        )  # fmt: skip
        seeds = seeds_of(cotangent, y)
        params, y0_bar, ends = sweeps.backward(field, t, seeds, with_times, self.checkpoints or 0)
        times = _times(seeds, rates, ends) if with_times else None
        n = sweeps.naccept
        counts = {
            "naccept": n,
            "nreject": sweeps.nreject,
            "nfev": sweeps.nfev,
            "repeated": int(sweeps.counts[:, REPEATED].max()),
            "states": int(sweeps.counts[:, HELD].max()) if self.checkpoints else n + 1,
            "tapes": 0 if self.checkpoints else min(n, sweeps.stored),
        }
        self._free[field] = sweeps
        return Gradient(y, params, y0_bar, times, counts)

    def _per_sample(self, field, y0, t, cotangent, method, rtol, atol, first_step, with_times, max_steps, penalties):
        """The same, with steps of its own for every trajectory."""
        if self.checkpoints is not None:
            raise ValueError("checkpoints are for shared steps; with step_control='per_sample' all states are kept")
        sweeps = self._take(field, method, len(y0), LaneSweeps)
        y, rates = sweeps.forward(
            field, y0, t, rtol, atol, first_step, with_rates=with_times, max_steps=max_steps
        )  # fmt: skip
        sweeps.check(max_steps)
        seeds = seeds_of(cotangent, y)
        params, y0_bar, ends = sweeps.backward(field, t, seeds, with_times, penalties)
        times = _times(seeds, rates, ends) if with_times else None
        counts = {name: sweeps.counts[:, k].copy() for name, k in COLUMNS.items()}
        counts["states"] = int(counts["naccept"].sum()) + len(y0)
        self._free[field] = sweeps
        return Gradient(y, params, y0_bar, times, counts, None if penalties is None else sweeps.penalties.copy())

    def _take(self, field, method, width, kind=Sweeps):
        """Sweeps whose memory nobody else uses at the moment."""
        table = scheme(method)
        sweeps = self._free.pop(field, None)
        if isinstance(sweeps, kind) and sweeps.scheme is table and sweeps.width == width:
            return sweeps
        if kind is LaneSweeps:
            return LaneSweeps(field, table, width, self.threads)
        return self.sweeps(field, method, width)

    def sweeps(self, field, method, width):
        """New sweeps with shared steps, and their memory.

        Parameters
        ----------
        field : object
            See `odekit.adjoint.tape`.
        method : str
        width : int
            Trajectories.

        Returns
        -------
        odekit.adjoint.sweeps.Sweeps
        """
        return Sweeps(field, scheme(method), width, 0 if self.checkpoints else self.memory, self.threads)


def _times(seeds, rates, ends):
    """Cotangents of the output times, (T,), from seeds and rates (T, B, d) and those of t0 and t1, (2,)."""
    times = np.einsum("kbi,kbi->k", seeds[1:-1], rates[1:-1])
    return np.concatenate((ends[:1], times, ends[1:]))
