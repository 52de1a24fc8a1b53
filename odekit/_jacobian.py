"""Where the Jacobian of the user's function comes from."""

import numpy as np

from . import _callback, _pattern_check, _signatures, _structure, _wrap
from ._capture import ignores_first_argument, names_used
from ._wrapper_source import Shape, Unsupported
from .solvers import state
from .solvers.linalg.banded import Banded
from .solvers.linalg.dense import Dense
from .solvers.linalg.sparse import Sparse
from .solvers.problem import SCRATCH_VECTORS, Jacobian

#: Functions through which a complex-step derivative does not pass: they drop or bend the imaginary part.
NOT_HOLOMORPHIC = frozenset(
    "abs absolute fabs real imag conj conjugate angle sign copysign maximum minimum fmax fmin max min hypot round floor ceil "
    "trunc rint heaviside clip isnan isfinite nan_to_num where select".split()
)
AGREEMENT = 1e-3  # how well the complex-step Jacobian must agree with a difference quotient, relative to its column


def choose(field, time_derivative=False):
    """The Jacobian of the real system, from the best source there is, and its structure; see `_choose`."""
    jacobian = _choose(field, time_derivative)
    if isinstance(jacobian.structure, Sparse):
        field.kernels_used.append(jacobian.structure)  # it calls Python back, which may raise
    return jacobian


def _choose(field, time_derivative):
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
    if field.jac is not None and field.said.solver == "gmres":
        raise ValueError("linear_solver='gmres' takes derivatives of fun along directions; leave out jac")
    autonomous = not time_derivative or ignores_first_argument(field.function)
    time = state.TIME_NONE if autonomous else state.TIME_DIFFERENCE
    if field.jac is not None and not callable(field.jac):
        structure, matrix = _constant(field)
        return Jacobian(state.JAC_CONSTANT, 0, matrix, time, structure)
    if field.jac is not None:
        kernel, structure = _user_jacobian(field)
        field.blamed.append((kernel, "Jacobian"))
        return Jacobian(state.JAC_KERNEL, kernel.address, time=time, structure=structure)
    preconditioner = 0 if field.said.preconditioner is None else _preconditioner(field)
    structure = _structure.choose(field.y0.size, field.said, field.said.pattern, field.complex_state, preconditioner)
    by_columns = not isinstance(structure, Dense)
    kernel = None if autonomous else _complex_step(field, True, by_columns)
    if kernel is not None:
        time = state.TIME_KERNEL
    else:
        kernel = _complex_step(field, False, by_columns)
    kind = state.JAC_DIRECTION if by_columns else state.JAC_KERNEL
    kind, address = (state.JAC_DIFFERENCE, 0) if kernel is None else (kind, kernel.address)
    if by_columns and not structure.matrix_free:
        _pattern_check.check(field, structure, address)
    return Jacobian(kind, address, time=time, structure=structure)


def _preconditioner(field):
    """Address of the kernel of the user's preconditioner."""
    function, n = field.said.preconditioner, field.y0.size
    plain = getattr(function, "py_func", function)
    if field.complex_state:
        raise ValueError("a preconditioner needs a real state; give the real and imaginary parts as components")
    out = np.full(n, np.nan)
    with field.blaming("preconditioner"):
        plain(field.t0, field.y0.copy(), 0.0, np.ones(n), out, *field.args)
    if not np.isfinite(out).all():
        k = int(np.flatnonzero(~np.isfinite(out))[0])
        raise ValueError(f"preconditioner has left out[{k}] unset or not finite, with gamma = 0 at the start")
    shape = Shape(n, preconditioner=True)
    try:
        kernel = _wrap.compile_kernel(function, shape, field.structure)
    except Unsupported as error:
        field._not_compiled(function, error)

        def apply(t, given):
            result = np.zeros(n)
            plain(t, given[:n], float(given[n]), given[n + 1 :], result, *field.args)
            return result

        kernel = _callback.python_kernel(apply, Shape(2 * n + 1, "values", count=n), ())
    field.blamed.append((kernel, "preconditioner"))
    field.kernels_used.append(kernel)
    return kernel.address


def _constant(field):
    """Structure and numbers of a Jacobian that is given as a matrix."""
    n, said = field.y0.size, field.said
    matrix = field.jac if hasattr(field.jac, "toarray") else _matrix(field.jac)
    packed = said.lband is not None and matrix.shape == (said.lband + said.uband + 1, n)
    if matrix.shape != (n, n) and not packed:
        also = "" if said.lband is None else f", or ({said.lband + said.uband + 1}, {n}) for its diagonals"
        raise ValueError(f"jac has shape {matrix.shape}; expected ({n}, {n}){also} for a state of {n}")
    if packed and field.complex_state:
        matrix = _unpacked(matrix, said.lband, said.uband)
    structure = _structure.choose(n, said, _pattern_of(said, matrix), field.complex_state)
    if field.complex_state:
        matrix = real_form(matrix)
    if np.iscomplexobj(matrix):
        raise ValueError("jac has complex numbers for a real state; give y0 as complex numbers")
    return structure, structure.pack(matrix)


def _matrix(jac):
    """A matrix of the user as an array."""
    try:
        matrix = np.asarray(jac)
        if matrix.dtype.kind not in "biufc":
            raise ValueError
    except ValueError:
        raise ValueError(f"jac={jac!r:.80}; expected a function jac(t, y, *args), a matrix or None") from None
    return matrix


def _pattern_of(said, *matrices):
    """Pattern of the Jacobian: the given one, or that of the user's sparse matrices."""
    if said.pattern is not None or not all(hasattr(matrix, "toarray") for matrix in matrices):
        return said.pattern
    return _structure.pattern_of(sum(abs(_structure.pattern_of(matrix)) for matrix in matrices))


def _user_jacobian(field):
    """Kernel of the user's Jacobian, and its structure."""
    said, n = field.said, field.y0.size
    plain = getattr(field.jac, "py_func", field.jac)
    _signatures.require("jac", plain, "jac(t, y, *args)", field.args, field.t0, field.y0)
    with field.blaming("Jacobian"):
        value = plain(field.t0, field.y0.copy(), *field.args)
    packed = said.lband is not None and np.shape(value) == (said.lband + said.uband + 1, n)
    returns = "packed" if packed else "matrix"
    shape = Shape(n, returns, field.complex_state, lband=said.lband or 0, uband=said.uband or 0)
    sparse = hasattr(value, "toarray")
    if not sparse or value.shape != (n, n):
        _callback.as_numbers(value, shape)
    values = [value]
    if sparse and said.pattern is None:  # an entry may be zero at the start, and left out there
        y = field.y0 * (1 + AGREEMENT) + AGREEMENT**2
        with field.blaming("Jacobian"):
            values.append(plain(field.t0, y, *field.args))
    structure = _structure.choose(n, said, _pattern_of(said, *values), field.complex_state)
    if not (field.complex_state or sparse):
        if isinstance(structure, Dense):
            field.jacobian_shape = shape
            return field.kernel_of(field.jac, shape), structure
        if isinstance(structure, Banded) and structure.order is None:
            if not packed:
                structure.pack(np.asarray(value))  # tells what lies outside of the band
            field.jacobian_shape = Shape(
                n, "packed" if packed else "band", lband=structure.lband, uband=structure.uband
            )
            return field.kernel_of(field.jac, field.jacobian_shape), structure

    def numbers(t, y):
        matrix = plain(t, y.view(field.y0.dtype), *field.args)
        if packed and field.complex_state:
            matrix = _unpacked(matrix, said.lband, said.uband)
        return structure.pack(real_form(matrix) if field.complex_state else matrix).ravel()

    real = Shape(2 * n if field.complex_state else n, "values", count=structure.jacobian_size)
    kernel = _callback.python_kernel(numbers, real, ())
    field.kernels_used.append(kernel)
    return kernel, structure


def _complex_step(field, time, direction):
    """Kernel of exact derivatives by complex step, or None where it cannot be trusted.

    Parameters
    ----------
    field : odekit.field.UserField
    time : bool
        With the derivative in t.
    direction : bool
        Derivatives along a direction; else the whole Jacobian.
    """
    if field.native or not field.kernel.compiled or field.complex_state or names_used(field.function) & NOT_HOLOMORPHIC:
        return None
    try:
        shape = field.shape._replace(derivative=True, time=time, direction=direction)
        kernel = _wrap.compile_kernel(field.function, shape, field.structure)
    except Unsupported:
        return None
    if kernel.agrees is None:  # as with the field's own kernel, one comparison is enough
        # a second point, because a kink such as |y| may lie at the first, and y0 is often zero
        probes = (field.y0, field.y0 * (1 + AGREEMENT) + AGREEMENT**2)
        compare = _pattern_check.agrees if direction else _agrees
        kernel.agrees = all(compare(field, kernel, y, time) for y in probes)
    return kernel if kernel.agrees else None


def _agrees(field, kernel, y, time):
    """Whether a kernel of the whole Jacobian, (n, n) and with `time` df/dt (n,) behind it, agrees at a state y (n,)."""
    n = y.size
    p = np.concatenate((field.parameters, np.zeros(SCRATCH_VECTORS * n)))
    exact = rows(_callback.call(kernel.address, field.t0, y, n * (n + time), p), n)
    return agrees(exact, lambda t, y: _callback.call(field.kernel.address, t, y, n, p), field.t0, y)


def rows(values, n):
    """The matrix (n, n) or, with the derivatives with respect to t, (n, n + 1), of what a kernel has written, flat."""
    with_time = values.size > n * n
    return np.column_stack((values[: n * n].reshape(n, n), values[n * n :].reshape(n, int(with_time))))


def agrees(exact, evaluate, t, y):
    """Whether derivatives agree with difference quotients at a point, where both are known.

    Parameters
    ----------
    exact : ndarray, (n, n) or (n, n + 1)
        The Jacobian; the last of n + 1 columns is the derivative with respect to t.
    evaluate : callable
        ``evaluate(t, y) -> ndarray, (n,)``: the field.
    t : float
    y : ndarray, (n,)

    Returns
    -------
    bool
    """
    n = y.size
    x = np.append(y, t)  # what the field depends on
    increments = np.cbrt(np.finfo(float).eps) * np.maximum(np.abs(x), 1e-3)
    for j, column in enumerate(exact.T):
        ends = [x.copy(), x.copy()]
        ends[0][j] -= increments[j]
        ends[1][j] += increments[j]
        low, high = (evaluate(end[n], end[:n]) for end in ends)
        quotient = (high - low) / (ends[1][j] - ends[0][j])
        noise = 1e3 * np.finfo(float).eps * np.max(np.abs(high), initial=0.0) / increments[j]
        known = np.isfinite(quotient) & np.isfinite(column)  # outside the function's domain nothing is learnt
        tolerance = AGREEMENT * np.max(np.abs(quotient[known]), initial=0.0) + noise
        if np.any(np.abs(column - quotient)[known] > tolerance):
            return False
    return True


def _unpacked(packed, lband, uband):
    """The sparse matrix (n, n) of packed diagonals (lband + uband + 1, n), row ``uband + i - j`` of which holds entry (i, j)."""
    from scipy import sparse

    n = packed.shape[1]
    return sparse.dia_array((np.asarray(packed), np.arange(uband, -lband - 1, -1)), shape=(n, n))


def real_form(matrix):
    """Jacobian (n, n) of a complex (holomorphic) system as that (2 n, 2 n) of its interleaved real and imaginary parts."""
    if hasattr(matrix, "toarray"):
        from scipy import sparse

        return sparse.kron(matrix.real, [[1, 0], [0, 1]]) + sparse.kron(matrix.imag, [[0, -1], [1, 0]])
    matrix = np.asarray(matrix, dtype=np.complex128)
    n = matrix.shape[0]
    real = np.empty((2 * n, 2 * n))
    real[0::2, 0::2] = real[1::2, 1::2] = matrix.real
    real[0::2, 1::2], real[1::2, 0::2] = -matrix.imag, matrix.imag
    return real
