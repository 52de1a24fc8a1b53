"""Gradients of a loss on the solution: with respect to initial states, parameters, and the times."""

from .backsolve import AdjointDriftWarning, BacksolveAdjoint
from .choice import choose
from .discrete import DiscreteAdjoint
from .front import SolutionGradient, gradient
from .implicit import ImplicitAdjoint
from .interpolating import InterpolatingAdjoint
from .result import Gradient
from .reversible import ReversibleAdjoint
from .sensitivity import ForwardSensitivity
from .sweeps import SolveError

__all__ = [
    "AdjointDriftWarning",
    "BacksolveAdjoint",
    "DiscreteAdjoint",
    "ForwardSensitivity",
    "Gradient",
    "ImplicitAdjoint",
    "InterpolatingAdjoint",
    "ReversibleAdjoint",
    "SolutionGradient",
    "SolveError",
    "choose",
    "gradient",
]
