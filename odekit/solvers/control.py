"""Step-size control of the one-step methods, and the size of the very first step."""

import math

from .. import _jit
from .state import ATOL, F0, F1, LOG_ERR_OLD, MAX_STEP, NFEV, RTOL, SCRATCH, T_END, T_FAIL, F, T, Y, vector

# PI control as in Hairer's DOPRI5 (Hairer, Norsett & Wanner, Solving ODEs I, section II.4; code dopri5.f).
SAFETY = 0.9
FACTOR_MIN, FACTOR_MAX = 0.2, 10.0
PI_BETA = 0.04  # exponent of the previous error; 0 would be plain integral control
PI_ALPHA_LOSS = 0.75  # the exponent of the current error is 1/(order of the estimate + 1) - 0.75 beta
LOG_ERR_OLD_MIN = math.log(1e-4)  # a lucky tiny error must not brake the next step
ERR_SQUARE_MIN = 1e-200  # keeps the logarithm finite where the estimate is exactly zero
NONFINITE_FACTOR = 0.25  # after NaN or infinity

# Initial step (same book, algorithm II.4.14, with SciPy's thresholds).
TINY_NORM = 1e-5
TINY_STEP = 1e-6
TINY_SLOPE = 1e-15


@_jit.core
def pi_factor_accepted(w, err_square, exponent, rejected):
    """Factor for the step after an accepted one.

    Takes the square of the error norm and remembers its logarithm: a log and an exp instead of a root and two powers, which
    would cost as much as three stages of a small system.

    Parameters
    ----------
    w : ndarray
        Its place LOG_ERR_OLD is read and written.
    err_square : float
    exponent : float
        1/(q + 1) for an estimate of order q.
    rejected : bool
        Whether the attempt before was.

    Returns
    -------
    float
    """
    log_err = 0.5 * math.log(max(err_square, ERR_SQUARE_MIN))
    alpha = exponent - PI_ALPHA_LOSS * PI_BETA
    factor = SAFETY * math.exp(PI_BETA * w[LOG_ERR_OLD] - alpha * log_err)
    w[LOG_ERR_OLD] = max(log_err, LOG_ERR_OLD_MIN)
    factor = min(FACTOR_MAX, max(FACTOR_MIN, factor))
    if rejected:
        factor = min(1.0, factor)  # no growth right after a rejection
    return factor


@_jit.core
def factor_rejected(err_square, exponent):
    """Factor for the repetition of a rejected step, from the square of the error norm; `exponent` as in `pi_factor_accepted`."""
    return max(FACTOR_MIN, SAFETY * math.exp(-0.5 * exponent * math.log(err_square)))


@_jit.core
def weighted_norm(v, y, rtol, atol):
    """Root mean square of ``v / (atol + rtol |y|)``; all four are vectors."""
    total = 0.0
    for i in range(v.size):
        e = v[i] / (atol[i] + rtol[i] * abs(y[i]))
        total += e * e
    return math.sqrt(total / max(v.size, 1))


@_jit.core
def first_guess(d0, d1):
    """Size of the probing step, from the norms of the state and of its slope."""
    return TINY_STEP if d0 < TINY_NORM or d1 < TINY_NORM else 0.01 * d0 / d1


@_jit.core
def first_size(h0, d1, d2, exponent):
    """Size of the first step, from the probing step h0 and the norms of the first and the second derivative."""
    if d1 <= TINY_SLOPE and d2 <= TINY_SLOPE:
        h1 = max(TINY_STEP, h0 * 1e-3)
    else:
        h1 = (0.01 / max(d1, d2)) ** exponent
    return min(100.0 * h0, h1)


@_jit.core
def initial_step(fn, iw, w, p, order):
    """Size (positive) of the first step for an error estimate of the given order; one evaluation, inside the span.

    Returns
    -------
    h : float
        NaN where the vector field gave no finite value.
    status : int
        That of the vector field.
    """
    y, f0, f1, scratch = vector(iw, w, Y), vector(iw, w, F0), vector(iw, w, F1), vector(iw, w, SCRATCH)
    rtol, atol = vector(iw, w, RTOL), vector(iw, w, ATOL)
    span = abs(w[T_END] - w[T])
    d0 = weighted_norm(y, y, rtol, atol)
    d1 = weighted_norm(f0, y, rtol, atol)
    h0 = min(first_guess(d0, d1), span, w[MAX_STEP])
    signed = math.copysign(h0, w[T_END] - w[T])
    for i in range(y.size):
        scratch[i] = y[i] + signed * f0[i]
    t_probe = w[T] + signed
    status = _jit.call_scalar(fn[F], t_probe, scratch, f1, p)
    iw[NFEV] += 1
    if status != 0:
        w[T_FAIL] = t_probe  # the argument is in the scratch vector
        return h0, status
    for i in range(y.size):
        f1[i] -= f0[i]
    d2 = weighted_norm(f1, y, rtol, atol) / h0
    return min(first_size(h0, d1, d2, 1.0 / (order + 1)), span, w[MAX_STEP]), 0
