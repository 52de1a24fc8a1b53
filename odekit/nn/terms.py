"""The terms of a model's loss that `odekit.nn.regularisers` describes: what they draw at random, and gradients with them."""

from typing import NamedTuple

import numpy as np

from ..adjoint.result import seeds_of
from ..adjoint.rosenbrock import bends
from ..adjoint.scheme import scheme
from ..solvers.tables import EXPLICIT
from . import checks
from .concatsquash import ConcatSquash
from .energies import EnergyField
from .kinetic import KineticField
from .losses import Loss
from .mlp import MLP
from .regularisers import KINDS, ErrorPenalty, JacobianEnergy, KineticEnergy, RandomEnd, StiffnessPenalty
from .trace import TraceField, directions, is_residual

#: Networks, whose passes `TraceField` knows.
NETWORKS = (MLP, ConcatSquash)
#: Where the energies are all there is to a loss: no states are wanted.
NOTHING = np.empty((0, 0, 0))


class Drawn(NamedTuple):
    """What is random in evaluations of a loss.

    Attributes
    ----------
    shift : float
        Of the last time, in units of its spread.
    seed : int
        Of the random directions.
    """

    shift: float = 0.0
    seed: int = 0


class Terms:
    """The terms of a model by their kinds, and what is random in its loss.

    Parameters
    ----------
    regularisers : sequence
    field, dim, method, step_control
        Of the model; `dim` is the number of components of a state.
    probes : int
        Random directions that the model has without them.
    noise : str
        Of these, see `odekit.nn.trace.directions`.

    Raises
    ------
    TypeError, ValueError
        For terms that are unknown, given twice, or do not fit.
    """

    def __init__(self, regularisers, field, dim, method, step_control, probes=0, noise=""):
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
        if self.jacobian is not None and not isinstance(field, NETWORKS) and not bends(field):
            raise TypeError(
                f"JacobianEnergy needs a field with second derivatives, but those of {field!r} are not known"
            )
        self.dim, self.probes, self.noise = dim, probes, noise
        if self.jacobian is not None and self.jacobian.probes:
            self.probes, self.noise = self.jacobian.probes, self.jacobian.noise
        self.drawn, self._known = Drawn(), (None, None)

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

    @property
    def random(self):
        """Whether there is anything to draw."""
        return self.end is not None or self.probes > 0

    def draw(self, rng):
        """New random numbers for the next evaluations of the loss."""
        if not self.random:
            return
        shift = 0.0 if self.end is None else float(rng.uniform(-1.0, 1.0))
        self.drawn = Drawn(shift, int(rng.integers(2**62)) if self.probes else 0)

    def times(self, t, drawn=None):
        """The output times t (T,), with the end that has been drawn."""
        if self.end is None:
            return t
        t = checks.times(t).copy()
        if not self.end.spread < abs(t[-1] - t[-2]):
            raise ValueError(
                f"the spread of RandomEnd must be less than {abs(t[-1] - t[-2]):g}, the distance of the last two output times, "
                f"but it is {self.end.spread:g}"
            )
        t[-1] += (drawn or self.drawn).shift * self.end.spread
        return t

    def directions(self, width, drawn=None):
        """The random directions that have been drawn, (width, probes * dim)."""
        if not self.probes:
            return np.empty((width, 0))
        rng = np.random.default_rng((drawn or self.drawn).seed)
        return directions(rng, self.noise, (width, self.probes * self.dim))

    def traced(self, field):
        """The field with the integrals."""
        known, traced = self._known
        if known is not field:
            if self.jacobian is None:
                traced = KineticField(field)
            elif isinstance(field, NETWORKS) and not is_residual(field):
                traced = TraceField(field, self.jacobian.probes, regularised=True)
            else:
                traced = EnergyField(field, self.jacobian.probes)
            self._known = field, traced
        return traced

    def start(self, traced, y0):
        """Initial states of the field with the integrals."""
        state, random = np.zeros((len(y0), traced.dim)), self.directions(len(y0))
        state[:, : self.dim], state[:, traced.dim - random.shape[1] :] = y0, random
        return state

    def loss(self, traced):
        """The energies beside a mean squared difference."""
        terms = (self.kinetic,) if self.jacobian is None else (self.kinetic, self.jacobian)
        return Loss(place=traced.energies, weights=tuple(0.0 if term is None else term.weight for term in terms))

    def gradient(self, pull_back, field, y0, t, cotangent):
        """Gradient of the sum of a loss and the terms.

        Parameters
        ----------
        pull_back : callable
            Gradient of a loss alone: `NeuralODE._gradient`.
        field : object
        y0 : ndarray, (B, d)
        t : ndarray, (T,)
            From `times`.
        cotangent : ndarray, (T, B, d), or callable
            Of the loss.

        Returns
        -------
        gradient : odekit.adjoint.Gradient
        penalty : float
            Sum of the terms.
        """
        if not self.energies:
            return self.penalised(pull_back, field, y0, t, cotangent)
        traced, d, energy = self.traced(field), self.dim, 0.0

        def seeds(ys):
            nonlocal energy
            energy, value = self.loss(traced).of(ys, NOTHING)
            value[..., :d] = seeds_of(cotangent, np.ascontiguousarray(ys[..., :d]))
            return value

        state = self.start(traced, checks.finite_array("y0", y0))
        g, penalty = self.penalised(pull_back, traced, state, t, seeds, share=traced.counted / traced.dim)
        g.y, g.y0 = np.ascontiguousarray(g.y[..., :d]), np.ascontiguousarray(g.y0[:, :d])
        return g, energy + penalty

    def penalised(self, pull_back, field, y0, t, cotangent, **options):
        """The same for the terms that the steps have, and the sum of these."""
        weights = None if self.penalties is None else self.penalties / len(y0)
        g = pull_back(field, y0, t, cotangent, penalties=weights, **options)
        return g, 0.0 if weights is None else float(weights @ g.penalties)
