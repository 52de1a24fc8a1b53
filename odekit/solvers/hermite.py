"""Interpolation from both ends of a step: dense output for methods that have none of their own."""

from .state import ACCEPTED, DEGREE, F0, F1, Y_NEW, H, Y, dense_coefficients, vector

#: Hermite interpolation from both ends, as weights of (y_new - y, h f0, h f1) in theta, theta^2, theta^3.
HERMITE = ((0.0, 3.0, -2.0), (1.0, -2.0, 1.0), (0.0, -1.0, 1.0))
DEGREE_OF_HERMITE = 3


def hermite(fn, iw, w, p):
    """Dense-output kernel, see `odekit.solvers.state`."""
    y, y_new, f0, f1 = vector(iw, w, Y), vector(iw, w, Y_NEW), vector(iw, w, F0), vector(iw, w, F1)
    q, h = dense_coefficients(iw, w), w[H]
    for i in range(y.size):
        difference, left, right = y_new[i] - y[i], h * f0[i], h * f1[i]
        q[0, i] = left
        q[1, i] = 3.0 * difference - 2.0 * left - right
        q[2, i] = left + right - 2.0 * difference
        for d in range(DEGREE_OF_HERMITE, iw[DEGREE]):
            q[d, i] = 0.0
    return ACCEPTED


def line(fn, iw, w, p):
    """Dense-output kernel of methods of order 1, see `odekit.solvers.state`."""
    y, y_new, q = vector(iw, w, Y), vector(iw, w, Y_NEW), dense_coefficients(iw, w)
    for i in range(y.size):
        q[0, i] = y_new[i] - y[i]
        for d in range(1, iw[DEGREE]):
            q[d, i] = 0.0
    return ACCEPTED
