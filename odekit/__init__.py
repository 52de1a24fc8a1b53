"""Ordinary differential equations from Python at compiled speed, and small neural networks as vector fields."""

__version__ = "0.1.0"
