"""Small neural networks as vector fields: exact compiled gradients, models, training."""

from ..adjoint import SolveError
from .antisymmetric import AntisymmetricField
from .augmented import AugmentedODE
from .cnf import CNF
from .concatsquash import ConcatSquash
from .delan import DeLaN
from .derivative import DerivativeModel
from .dissipative import DissipativeHNN
from .files import load
from .fit import fit
from .forced_delan import ForcedDeLaN
from .hnn import HNN
from .lnn import LNN
from .mlp import MLP
from .neural_ode import NeuralODE
from .optimizers import LBFGS, Adam, Adamax, AdamW, RMSprop
from .regularisers import ErrorPenalty, JacobianEnergy, KineticEnergy, RandomEnd, StiffnessPenalty
from .resnet import ResNet
from .scaled import ScaledField
from .schedules import Cosine, Exponential, Piecewise
from .second_order import SecondOrderODE
from .separable_hnn import SeparableHNN
from .trace import trace
from .training import History, TrainingError
from .trajectories import Trajectories

__all__ = [
    "CNF",
    "HNN",
    "LBFGS",
    "LNN",
    "MLP",
    "Adam",
    "AdamW",
    "Adamax",
    "AntisymmetricField",
    "AugmentedODE",
    "ConcatSquash",
    "Cosine",
    "DeLaN",
    "DerivativeModel",
    "DissipativeHNN",
    "ErrorPenalty",
    "Exponential",
    "ForcedDeLaN",
    "History",
    "JacobianEnergy",
    "KineticEnergy",
    "NeuralODE",
    "Piecewise",
    "RMSprop",
    "RandomEnd",
    "ResNet",
    "ScaledField",
    "SecondOrderODE",
    "SeparableHNN",
    "SolveError",
    "StiffnessPenalty",
    "TrainingError",
    "Trajectories",
    "fit",
    "load",
    "trace",
]
