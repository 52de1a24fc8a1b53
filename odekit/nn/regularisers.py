"""Terms that a loss may have beside the data, so that a field is learned that is cheap to follow. Their gradients are exact."""

import dataclasses
import json

import numpy as np

from ..adjoint.rosenbrock import bends
from ..adjoint.scheme import scheme
from ..solvers.tables import EXPLICIT
from . import checks
from .concatsquash import ConcatSquash
from .energies import EnergyField
from .mlp import MLP
from .trace import NOISES, TraceField, directions, is_residual

#: Networks, whose passes `TraceField` knows.
NETWORKS = (MLP, ConcatSquash)


class _Weighted:
    """A term with a weight."""

    def __post_init__(self):
        object.__setattr__(self, "weight", checks.positive("weight", self.weight))


@dataclasses.dataclass(frozen=True)
class KineticEnergy(_Weighted):
    """Mean over the trajectories of the integral of |f|^2: paths as straight as the data allow [1]_.

    Parameters
    ----------
    weight : float
        0.01 in the paper.

    References
    ----------
    .. [1] C. Finlay, J.-H. Jacobsen, L. Nurbekyan, A. Oberman, "How to train your neural ODE: the world of Jacobian and kinetic
       regularization", ICML 2020.
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

    References
    ----------
    .. [1] A. Pal, Y. Ma, V. Shah, C. Rackauckas, "Opening the blackbox: accelerating neural differential equations by
       regularizing internal solver heuristics", ICML 2021.
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
    """

    weight: float


@dataclasses.dataclass(frozen=True)
class RandomEnd:
    """The last output time is drawn from (t1 - spread, t1 + spread) at each step of `fit` [1]_; the data there stay.

    Parameters
    ----------
    spread : float
        Less than the distance to the output before.

    References
    ----------
    .. [1] A. Ghosh, H. Behl, E. Dupont, P. Torr, V. Namboodiri, "STEER: simple temporal regularization for neural ODEs",
       NeurIPS 2020.
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


class Terms:
    """The terms of a model by their kinds, and what they draw at random.

    Parameters
    ----------
    regularisers : sequence
    field, method, step_control
        Of the model.

    Raises
    ------
    TypeError, ValueError
        For terms that are unknown, given twice, or do not fit.
    """

    def __init__(self, regularisers, field, method, step_control):
        self.by_kind = {}
        for term in regularisers:
            if not isinstance(term, KINDS):
                known = ", ".join(kind.__name__ for kind in KINDS)
                raise TypeError(f"regularisers must be a list of {known}, but it holds {term!r}")
            if type(term) in self.by_kind:
                raise ValueError(f"regularisers holds {type(term).__name__} twice")
            self.by_kind[type(term)] = term
        self.kinetic, self.jacobian = self.by_kind.get(KineticEnergy), self.by_kind.get(JacobianEnergy)
        self.end = self.by_kind.get(RandomEnd)
        error, stiffness = self.by_kind.get(ErrorPenalty), self.by_kind.get(StiffnessPenalty)
        self.penalties = None
        if error or stiffness:
            self._check_penalties(error, stiffness, method, step_control)
            self.penalties = np.array([term.weight if term else 0.0 for term in (error, stiffness)])
        if self.energies and not isinstance(field, NETWORKS) and not bends(field):
            raise TypeError(
                f"KineticEnergy and JacobianEnergy need a field with second derivatives, but those of {field!r} are not known"
            )
        self.shift, self.seed = 0.0, 0

    @staticmethod
    def _check_penalties(error, stiffness, method, step_control):
        if step_control != "per_sample":
            raise ValueError("ErrorPenalty and StiffnessPenalty need step_control='per_sample'")
        if method not in EXPLICIT:
            raise ValueError(f"ErrorPenalty and StiffnessPenalty need an explicit method, but method={method!r}")
        if error and EXPLICIT[method].b_err is None:
            raise ValueError(f"ErrorPenalty needs a method with an error estimate, but method={method!r} has none")
        if stiffness and scheme(method).stiffness_stage < 0:
            raise ValueError(
                f"StiffnessPenalty needs a method with two stages at the end of a step, such as tsit5, but method={method!r}"
            )

    @property
    def energies(self):
        """Whether there are integrals along the trajectories."""
        return self.kinetic is not None or self.jacobian is not None

    def draw(self, rng):
        """New random numbers for the next evaluations of the loss."""
        if self.end is not None:
            self.shift = float(rng.uniform(-1.0, 1.0))
        if self.jacobian is not None and self.jacobian.probes:
            self.seed = int(rng.integers(2**62))

    def times(self, t):
        """The output times, with the end that has been drawn."""
        if self.end is None:
            return t
        t = checks.times(t).copy()
        if not self.end.spread < abs(t[-1] - t[-2]):
            raise ValueError(
                f"the spread of RandomEnd must be less than {abs(t[-1] - t[-2]):g}, the distance of the last two output times, "
                f"but it is {self.end.spread:g}"
            )
        t[-1] += self.shift * self.end.spread
        return t

    def traced(self, field):
        """The field with the integrals."""
        if isinstance(field, NETWORKS) and not is_residual(field):
            # without the Jacobian's norm one constant direction of zeros is enough
            return TraceField(field, self.jacobian.probes if self.jacobian else 1, regularised=True)
        return EnergyField(field, None if self.jacobian is None else self.jacobian.probes)

    def start(self, traced, y0):
        """Initial states of the field with the integrals."""
        state, d = np.zeros((len(y0), traced.dim)), y0.shape[1]
        state[:, :d] = y0
        if self.jacobian is not None and self.jacobian.probes:
            size = (len(y0), self.jacobian.probes * d)
            state[:, traced.counted :] = directions(np.random.default_rng(self.seed), self.jacobian.noise, size)
        return state
