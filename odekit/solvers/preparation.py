"""What is made ready for an integration: blank state arrays, and its methods when they are needed."""

import functools

import numpy as np

from . import auto, choice, linalg
from . import state as S
from .linalg.dense import Dense
from .problem import SCRATCH_VECTORS


@functools.lru_cache(maxsize=256)
def blank(methods, n, n_params, n_events, nonnegative):
    """State arrays of all problems of these methods and sizes, to be copied.

    Of ``w`` the header only; the sizes of ``w`` and ``p`` follow.
    """
    first = methods[0]
    degree = max(m.degree for m in methods)
    scratch = SCRATCH_VECTORS * n if any(m.implicit for m in methods) else 0
    workspace = 0 if first.implicit else first.workspace(n)
    fn, iw, w_size, p_size = S.layout(n, n_params + scratch, degree, n_events, workspace, nonnegative)
    w = np.zeros(S.W_HEADER)
    w[S.STABILITY_SIZE] = first.stability_size
    iw[S.COSTLY_DENSE] = sum(m.costly_dense << mode for mode, m in enumerate(methods))
    if len(methods) == 2:
        w[S.EXPONENT] = 1.0 / (first.error_order + 1)
        if n <= choice.LARGE and first.error_order >= auto.LEAST_ORDER:  # a trial costs factors of full matrices
            iw[S.PATIENCE] = auto.FIRST_PATIENCE
        fn[S.STEP + 1] = 1  # marks an automatic pair; the address itself comes with the first switch
    return fn, iw, w, w_size, p_size


def prepare(run, mode):
    """Make a method ready: its addresses, and for an implicit one the Jacobian.

    Parameters
    ----------
    run : odekit.solvers.integrate.Integration
    mode : int
        Its number among the methods.
    """
    if mode in run.prepared:
        return
    run.prepared.add(mode)
    method = run.methods[mode]
    run.fn[S.STEP + mode] = S.step_address(method.make_step())
    run.fn[S.DENSE + mode] = S.step_address(method.make_dense())
    for place, address in method.kernels().items():
        run.fn[place] = address
    if method.expansion:
        run.fn[S.EXPANSION] = run.kernels.expansion(method.order)
    for place, value in method.settings:
        run.iw[place] = value
    if method.implicit:
        _prepare_matrices(run, method)


def prepare_for(run, iw):
    """Make ready the methods that an integer array of another integration has in use, and no others.

    Parameters
    ----------
    run : odekit.solvers.integrate.Integration
    iw : ndarray
    """
    last = len(run.methods) - 1
    if iw.size == S.IW_HEADER and run.iw.size > iw.size:  # it has not come to the implicit method yet
        run.prepared.discard(last)
        run.iw = run.iw[: iw.size].copy()
    elif iw.size > S.IW_HEADER:
        prepare(run, last)
    prepare(run, int(iw[S.MODE]))


def _prepare_matrices(run, method):
    """The Jacobian and room for the matrices, when they are needed: most problems never turn stiff."""
    n = int(run.iw[S.N])
    jacobian = run.kernels.jacobian(method.time_derivative)
    structure = Dense(n) if jacobian.structure is None else jacobian.structure
    vectors, room = method.workspace(n), 0
    if run.mass is not None:
        if structure.name != "dense":
            raise ValueError(f"mass_matrix goes with a full Jacobian, but this one is {structure.name}")
        structure, room = Dense(n, mass=True), n * n + n
    run.structure = structure
    run.iw, run.w = linalg.install(run.fn, run.iw, run.w, structure, method.complex_matrices, vectors + room)
    if run.mass is not None:
        run.mass.install(run.iw, run.w, int(run.iw[S.O_VECTORS]) + vectors)
    run.view_vectors()
    run.iw[S.JAC_KIND], run.fn[S.JAC] = jacobian.kind, jacobian.address
    run.iw[S.TIME_KIND] = jacobian.time
    if jacobian.matrix is not None:
        start = int(run.iw[S.O_IMPLICIT])
        run.w[start : start + structure.jacobian_size] = jacobian.matrix.ravel()
