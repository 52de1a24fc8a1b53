"""Where the Jacobian of the user's function comes from."""

import numpy as np

from . import _callback, _wrap
from ._capture import ignores_first_argument, names_used
from ._wrap import Shape, Unsupported
from .solvers import state
from .solvers.problem import SCRATCH_VECTORS, Jacobian

#: Functions through which a complex-step derivative does not pass: they drop or bend the imaginary part.
NOT_HOLOMORPHIC = frozenset(
    "abs absolute fabs real imag conj conjugate angle sign copysign maximum minimum fmax fmin max min hypot round floor ceil "
    "trunc rint heaviside clip isnan isfinite nan_to_num where select".split()
)
AGREEMENT = 1e-3  # how well the complex-step Jacobian must agree with a difference quotient, relative to its column


def choose(field, time_derivative=False):
    """The Jacobian of the real system, from the best source there is.

    The user's; else exact, by complex step, where the function compiles for complex input and agrees with a difference
    quotient at the start; else difference quotients. The derivative with respect to t is had along with a Jacobian by
    complex step, else by difference quotients, or is known to be zero.

    Parameters
    ----------
    field : odekit.field.UserField
    time_derivative : bool
        Whether the derivative with respect to t is needed too.

    Returns
    -------
    odekit.solvers.problem.Jacobian
    """
    autonomous = not time_derivative or ignores_first_argument(field.function)
    time = state.TIME_NONE if autonomous else state.TIME_DIFFERENCE
    if field.jac is not None and not callable(field.jac):
        matrix = field.jac.toarray() if hasattr(field.jac, "toarray") else np.asarray(field.jac)
        n = field.y0.size
        if matrix.shape != (n, n):
            raise ValueError(f"jac has shape {matrix.shape}; expected ({n}, {n}) for a state of {n}")
        matrix = _real_form(matrix) if field.complex_state else matrix.astype(np.float64)
        return Jacobian(state.JAC_CONSTANT, 0, np.ascontiguousarray(matrix), time)
    if field.jac is not None:
        return Jacobian(state.JAC_KERNEL, _user_jacobian(field).address, time=time)
    kernel = None if autonomous else _complex_step(field, True)
    if kernel is not None:
        return Jacobian(state.JAC_KERNEL, kernel.address, time=state.TIME_KERNEL)
    kernel = _complex_step(field, False)
    kind = state.JAC_DIFFERENCE if kernel is None else state.JAC_KERNEL
    return Jacobian(kind, 0 if kernel is None else kernel.address, time=time)


def _user_jacobian(field):
    shape = field.shape._replace(returns="matrix", in_place=False, vectorized=False)
    value = getattr(field.jac, "py_func", field.jac)(field.t0, field.y0.copy(), *field.args)
    _callback.as_numbers(value, shape)
    if field.complex_state:
        size = 2 * field.y0.size
        real = Shape(size, "matrix")
        kernel = _callback.python_kernel(
            lambda t, y: _real_form(_dense(field.jac(t, y.view(np.complex128), *field.args))), real, ()
        )
        field.kernels_used.append(kernel)
        return kernel
    if hasattr(value, "toarray"):  # a sparse matrix: Numba has none
        kernel = field.python_kernel(field.jac, shape)
        field.kernels_used.append(kernel)
        return kernel
    return field.kernel_of(field.jac, shape)


def _complex_step(field, time):
    """Kernel of the complex-step Jacobian, with the derivative in t or without, or None where it cannot be trusted."""
    if field.native or not field.kernel.compiled or field.complex_state or names_used(field.function) & NOT_HOLOMORPHIC:
        return None
    try:
        kernel = _wrap.compile_kernel(field.function, field.shape._replace(derivative=True, time=time), field.structure)
    except Unsupported:
        return None
    if kernel.agrees is None:  # as with the field's own kernel, one comparison is enough
        # a second point, because a kink such as |y| may lie at the first, and y0 is often zero
        probes = (field.y0, field.y0 * (1 + AGREEMENT) + AGREEMENT**2)
        kernel.agrees = all(_agrees(field, kernel, y, time) for y in probes)
    return kernel if kernel.agrees else None


def _agrees(field, kernel, y, time):
    n = y.size
    p = np.concatenate((field.parameters, np.zeros(SCRATCH_VECTORS * n)))
    exact = _callback.call(kernel.address, field.t0, y, n * (n + time), p)
    exact = np.column_stack((exact[: n * n].reshape(n, n), *([exact[n * n :]] if time else [])))
    x = np.append(y, field.t0)  # what the field depends on
    increments = np.cbrt(np.finfo(float).eps) * np.maximum(np.abs(x), 1e-3)
    for j in range(n + time):
        ends = [x.copy(), x.copy()]
        ends[0][j] -= increments[j]
        ends[1][j] += increments[j]
        low, high = (_callback.call(field.kernel.address, end[n], end[:n], n, p) for end in ends)
        quotient = (high - low) / (ends[1][j] - ends[0][j])
        noise = 1e3 * np.finfo(float).eps * np.max(np.abs(high), initial=0.0) / increments[j]
        column = exact[:, j]
        known = np.isfinite(quotient) & np.isfinite(column)  # outside the function's domain nothing is learnt
        tolerance = AGREEMENT * np.max(np.abs(quotient[known]), initial=0.0) + noise
        if np.any(np.abs(column - quotient)[known] > tolerance):
            return False
    return True


def _dense(matrix):
    return matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix)


def _real_form(matrix):
    """Jacobian of a complex (holomorphic) system as that of its interleaved real and imaginary parts."""
    matrix = np.asarray(matrix, dtype=np.complex128)
    n = matrix.shape[0]
    real = np.empty((2 * n, 2 * n))
    real[0::2, 0::2] = real[1::2, 1::2] = matrix.real
    real[0::2, 1::2], real[1::2, 0::2] = -matrix.imag, matrix.imag
    return real
