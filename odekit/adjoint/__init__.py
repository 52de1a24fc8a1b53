"""Gradients of a loss on the solution: with respect to initial states, parameters, and the times."""

from .choice import choose
from .discrete import DiscreteAdjoint
from .result import Gradient
from .sweeps import SolveError

__all__ = ["DiscreteAdjoint", "Gradient", "SolveError", "choose"]
