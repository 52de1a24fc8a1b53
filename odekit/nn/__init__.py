"""Small neural networks as vector fields: exact compiled gradients, models, training."""

from .mlp import MLP

__all__ = ["MLP"]
