"""Terms that a loss may have beside the data, so that a field is learned that is cheap to follow. Their gradients are exact."""

import dataclasses
import json

from . import checks
from .trace import NOISES


class _Weighted:
    """A term with a weight."""

    def __post_init__(self):
        object.__setattr__(self, "weight", checks.positive("weight", self.weight))


@dataclasses.dataclass(frozen=True)
class KineticEnergy(_Weighted):
    """Mean over the trajectories of the integral of |f|^2: paths as straight as the data allow [1]_.

    For any field, and for hardly more than a loss without it takes.

    Parameters
    ----------
    weight : float
        0.01 in the paper.

    Raises
    ------
    ValueError
        If `weight` is no positive finite number.

    References
    ----------
    .. [1] C. Finlay, J.-H. Jacobsen, L. Nurbekyan, A. Oberman, "How to train your neural ODE: the world of Jacobian and kinetic
       regularization", ICML 2020.

    Examples
    --------
    >>> import odekit
    >>> field = odekit.nn.MLP([2, 16, 2], rng=0)
    >>> model = odekit.nn.NeuralODE(field, regularisers=[odekit.nn.KineticEnergy(0.01)])
    >>> model.regularisers
    (KineticEnergy(weight=0.01),)
    """

    weight: float


@dataclasses.dataclass(frozen=True)
class JacobianEnergy(_Weighted):
    """Mean over the trajectories of the integral of the squared Frobenius norm of df/dy (Finlay et al., see `KineticEnergy`).

    Parameters
    ----------
    weight : float
        0.01 in the paper.
    probes : int
        Random directions e of the estimate |J e|^2, the same within a solve, new ones at each step of `fit`; 0: the exact norm.
    noise : str
        rademacher or gaussian.

    Raises
    ------
    ValueError
        If `weight` is no positive finite number, or `probes` or `noise` is none of what they may be.

    Examples
    --------
    >>> import odekit
    >>> field = odekit.nn.MLP([2, 16, 2], rng=0)
    >>> model = odekit.nn.NeuralODE(field, regularisers=[odekit.nn.JacobianEnergy(0.01, probes=2)])
    >>> model.regularisers
    (JacobianEnergy(weight=0.01, probes=2, noise='rademacher'),)
    """

    weight: float
    probes: int = 0
    noise: str = "rademacher"

    def __post_init__(self):
        super().__post_init__()
        if self.probes != 0:
            checks.count("probes", self.probes)
        checks.choice("noise", self.noise, NOISES)


@dataclasses.dataclass(frozen=True)
class ErrorPenalty(_Weighted):
    """Mean over the trajectories of sum_n |h_n| E_n, with the norm E_n of the solver's error estimate of step n [1]_.

    Fields that the solver finds easy take fewer steps. With ``step_control="per_sample"``; the step sizes are held constant.

    Parameters
    ----------
    weight : float

    Raises
    ------
    ValueError
        If `weight` is no positive finite number.

    References
    ----------
    .. [1] A. Pal, Y. Ma, V. Shah, C. Rackauckas, "Opening the blackbox: accelerating neural differential equations by
       regularizing internal solver heuristics", ICML 2021.

    Examples
    --------
    >>> import odekit
    >>> field = odekit.nn.MLP([2, 16, 2], rng=0)
    >>> model = odekit.nn.NeuralODE(field, step_control="per_sample", regularisers=[odekit.nn.ErrorPenalty(0.1)])
    >>> model.regularisers
    (ErrorPenalty(weight=0.1),)
    """

    weight: float


@dataclasses.dataclass(frozen=True)
class StiffnessPenalty(_Weighted):
    """Mean over the trajectories of sum_n S_n, with the solver's stiffness estimate S_n of step n.

    It is |f(g) - f(g')| / |g - g'| for the last two stages at the end of the step (Pal et al., see `ErrorPenalty`; E. Hairer,
    G. Wanner, Solving ODEs II, IV.2).

    With ``step_control="per_sample"`` and methods that have two such stages: dopri5, tsit5, dop853 and others.

    Parameters
    ----------
    weight : float

    Raises
    ------
    ValueError
        If `weight` is no positive finite number.

    Examples
    --------
    >>> import odekit
    >>> field = odekit.nn.MLP([2, 16, 2], rng=0)
    >>> model = odekit.nn.NeuralODE(field, step_control="per_sample", regularisers=[odekit.nn.StiffnessPenalty(0.1)])
    >>> model.regularisers
    (StiffnessPenalty(weight=0.1),)
    """

    weight: float


@dataclasses.dataclass(frozen=True)
class RandomEnd:
    """The last output time is drawn from (t1 - spread, t1 + spread) at each step of `fit` [1]_; the data there stay.

    Parameters
    ----------
    spread : float
        Less than the distance to the output before.

    Raises
    ------
    ValueError
        If `spread` is no positive finite number.

    References
    ----------
    .. [1] A. Ghosh, H. Behl, E. Dupont, P. Torr, V. Namboodiri, "STEER: simple temporal regularization for neural ODEs",
       NeurIPS 2020.

    Examples
    --------
    >>> import odekit
    >>> field = odekit.nn.MLP([2, 16, 2], rng=0)
    >>> model = odekit.nn.NeuralODE(field, regularisers=[odekit.nn.RandomEnd(0.2)])
    >>> model.regularisers
    (RandomEnd(spread=0.2),)
    """

    spread: float

    def __post_init__(self):
        object.__setattr__(self, "spread", checks.positive("spread", self.spread))


KINDS = (KineticEnergy, JacobianEnergy, ErrorPenalty, StiffnessPenalty, RandomEnd)


def to_text(regularisers):
    """Regularisers as they stand in a file."""
    return json.dumps([{"kind": type(term).__name__, **dataclasses.asdict(term)} for term in regularisers])


def from_text(text):
    """Regularisers from a file; a ValueError or TypeError if it holds something else."""
    kinds, terms = {kind.__name__: kind for kind in KINDS}, []
    for settings in json.loads(text):
        kind = settings.pop("kind", None) if isinstance(settings, dict) else settings
        if kind not in kinds:
            raise ValueError(f"regularisers holds {kind!r}; expected {', '.join(kinds)}")
        terms.append(kinds[kind](**settings))
    return tuple(terms)
