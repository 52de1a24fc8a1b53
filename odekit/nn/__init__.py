"""Small neural networks as vector fields: exact compiled gradients, models, training."""

from .derivative import DerivativeModel
from .files import load
from .fit import History, TrainingError, fit
from .hnn import HNN
from .mlp import MLP
from .neural_ode import NeuralODE
from .optimizers import Adam
from .rollout import SolveError

__all__ = [
    "HNN",
    "MLP",
    "Adam",
    "DerivativeModel",
    "History",
    "NeuralODE",
    "SolveError",
    "TrainingError",
    "fit",
    "load",
]
