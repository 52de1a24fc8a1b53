"""State arrays for tests of single kernels."""

import numpy as np

from odekit.solvers import state


def allocate(n, n_params):
    """``fn, iw, w, p`` of a problem of dimension n, without events."""
    fn, iw, w_size, p_size = state.layout(n, n_params, degree=4, n_events=0, workspace=0, nonnegative=False)
    return fn, iw, np.zeros(w_size), np.zeros(p_size)
