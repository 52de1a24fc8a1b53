"""Learning rates that change from step to step: give one as `lr` to an optimiser."""

import dataclasses
import math

from . import checks


@dataclasses.dataclass(frozen=True)
class Exponential:
    """``lr * factor**(step / every)``.

    Parameters
    ----------
    lr : float
        Rate of the first step.
    factor : float
        In (0, 1].
    every : int
        Steps in which the rate falls by the factor.

    Raises
    ------
    ValueError
        For a rate that is not positive, a factor outside of (0, 1], or no positive number of steps.

    Examples
    --------
    >>> import odekit
    >>> schedule = odekit.nn.Exponential(1e-2, factor=0.5, every=100)
    >>> schedule(0), schedule(200)
    (0.01, 0.0025)
    """

    lr: float
    factor: float = 0.5
    every: int = 1000

    def __post_init__(self):
        checks.positive("lr", self.lr)
        checks.count("every", self.every)
        if not 0.0 < self.factor <= 1.0:
            raise ValueError(f"factor must be in (0, 1], but it is {self.factor!r}")

    def __call__(self, step):
        """Rate of a step.

        Parameters
        ----------
        step : int
            Counted from 0.

        Returns
        -------
        float
        """
        return self.lr * self.factor ** (step / self.every)


@dataclasses.dataclass(frozen=True)
class Cosine:
    """A linear rise, then half a cosine wave down (Loshchilov & Hutter, ICLR 2017, without restarts).

    Parameters
    ----------
    lr : float
        The highest rate.
    steps : int
        Length of the rise and the fall together; the last rate holds from there on.
    warmup : int
        Steps of the rise.
    final : float
        The last rate, as a fraction of `lr`.

    Raises
    ------
    ValueError
        For a rate that is not positive, or numbers of steps or a fraction that do not fit.

    Examples
    --------
    >>> import odekit
    >>> schedule = odekit.nn.Cosine(1e-2, steps=100, warmup=10)
    >>> schedule(0), schedule(9), schedule(100)
    (0.001, 0.01, 0.0)
    """

    lr: float
    steps: int
    warmup: int = 0
    final: float = 0.0

    def __post_init__(self):
        checks.positive("lr", self.lr)
        checks.count("steps", self.steps)
        if not (isinstance(self.warmup, int) and 0 <= self.warmup < self.steps):
            raise ValueError(f"warmup must be an integer from 0 to steps - 1, but it is {self.warmup!r}")
        if not 0.0 <= self.final <= 1.0:
            raise ValueError(f"final must be in [0, 1], but it is {self.final!r}")

    def __call__(self, step):
        """Rate of a step.

        Parameters
        ----------
        step : int
            Counted from 0.

        Returns
        -------
        float
        """
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        part = min(1.0, (step - self.warmup) / (self.steps - self.warmup))
        return self.lr * (self.final + (1.0 - self.final) * 0.5 * (1.0 + math.cos(math.pi * part)))


@dataclasses.dataclass(frozen=True)
class Piecewise:
    """One rate after the other.

    Parameters
    ----------
    rates : sequence of float
    boundaries : sequence of int
        Steps at which the second, the third, ... begin.

    Raises
    ------
    ValueError
        For rates that are not positive, or boundaries that do not rise or fit.

    Examples
    --------
    >>> import odekit
    >>> schedule = odekit.nn.Piecewise([1e-2, 1e-3], [500])
    >>> schedule(499), schedule(500)
    (0.01, 0.001)
    """

    rates: tuple
    boundaries: tuple

    def __post_init__(self):
        object.__setattr__(self, "rates", tuple(checks.positive("rates", rate) for rate in self.rates))
        object.__setattr__(self, "boundaries", tuple(self.boundaries))
        rising = all(a < b for a, b in zip(self.boundaries, self.boundaries[1:], strict=False))
        if len(self.rates) != len(self.boundaries) + 1 or not rising:
            raise ValueError(
                f"Piecewise needs one rate more than boundaries, which rise; got {len(self.rates)} rates and boundaries "
                f"{list(self.boundaries)}"
            )

    def __call__(self, step):
        """Rate of a step.

        Parameters
        ----------
        step : int
            Counted from 0.

        Returns
        -------
        float
        """
        return self.rates[sum(step >= boundary for boundary in self.boundaries)]
