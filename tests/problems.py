"""Small problems with known solutions that several test modules share."""

import numpy as np
from scipy.linalg import expm


def decay(t, y, rate):
    """y' = -rate y."""
    return [-rate * y[0]]


def logistic(t, y):
    """A nonlinear, nonautonomous pair; solution: `logistic_solution`."""
    return [y[0] * (1.0 - y[0]) * np.cos(t), -y[1] + np.sin(t)]


LOGISTIC_START = np.array([0.25, 0.5])


def logistic_solution(t):
    """Exact solution of `logistic` from `LOGISTIC_START` at t = 0."""
    e = np.exp(np.sin(t))
    first = 0.25 * e / (1.0 + 0.25 * (e - 1.0))
    return np.array([first, np.exp(-t) + 0.5 * (np.sin(t) - np.cos(t))])


def oscillator(t, y):
    """y'' = -y."""
    return [y[1], -y[0]]


def stiff_cosine(t, y):
    """Prothero and Robinson: y' = -1000 (y - cos t) - sin t, solution cos t."""
    return [-1000.0 * (y[0] - np.cos(t)) - np.sin(t)]


LINEAR_MATRIX = np.array([[-0.6, 1.3], [-1.1, -0.2]])
LINEAR_START = np.array([0.5, 0.7])


def linear(t, y):
    """y' = A (y - s) + s' with s = (sin t, cos 2t): linear and nonautonomous; solution: `linear_solution`."""
    a, b = y[0] - np.sin(t), y[1] - np.cos(2.0 * t)
    return [-0.6 * a + 1.3 * b + np.cos(t), -1.1 * a - 0.2 * b - 2.0 * np.sin(2.0 * t)]


def linear_solution(t):
    """Exact solution of `linear` from `LINEAR_START` at t = 0."""
    return np.array([np.sin(t), np.cos(2.0 * t)]) + expm(LINEAR_MATRIX * t) @ (LINEAR_START - np.array([0.0, 1.0]))
