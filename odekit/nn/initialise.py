"""Initial weights of a network."""

import math

import numpy as np


def glorot(rng, n_out, n_in):
    """Uniform on ``+-sqrt(6 / (n_in + n_out))`` (Glorot & Bengio, AISTATS 2010)."""
    bound = math.sqrt(6.0 / (n_in + n_out))
    return rng.uniform(-bound, bound, (n_out, n_in))


def he(rng, n_out, n_in):
    """Normal with variance ``2 / n_in``, for rectified units (He et al., ICCV 2015)."""
    return rng.normal(0.0, math.sqrt(2.0 / n_in), (n_out, n_in))


def orthogonal(rng, n_out, n_in):
    """Orthonormal rows or columns, whichever are fewer (Saxe et al., ICLR 2014)."""
    q, r = np.linalg.qr(rng.standard_normal((max(n_out, n_in), min(n_out, n_in))))
    q = q * np.copysign(1.0, np.diag(r))  # without the signs q is not uniformly distributed
    return q if n_out >= n_in else q.T


#: Initialisations by name: ``function(rng, n_out, n_in)`` returns a weight matrix.
INITIALISATIONS = {"glorot": glorot, "he": he, "orthogonal": orthogonal}
