"""The linear systems of the implicit methods: one interface, whatever the structure of the Jacobian.

A *structure* (dense, banded, sparse, matrix-free; one file each) decides how many floats the Jacobian and its factors need,
how the Jacobian is evaluated, and how ``(shift I - scale J) x = b`` is factorised and solved. A method knows none of that:
it calls `factorise` and `solve`, which reach the kernels of the structure by their addresses.

A method may keep several factorised matrices of one Jacobian, numbered from 0: the first is real, the others are complex.
In ``w`` its workspace holds, one behind the other: the Jacobian, df/dt (n numbers, for the methods that use it), the
factors of each matrix, scratch memory for the evaluation of the Jacobian, and from ``iw[O_VECTORS]`` on the method's own
vectors. The pivots of each matrix and the integers of the structure lie behind the header of ``iw``.
"""

import functools

import numpy as np

from ... import _jit
from .. import state
from ..state import MAX_MATRICES

__all__ = [
    "LINEAR_FRACTION",
    "MAX_MATRICES",
    "Structure",
    "factorise",
    "factors_place",
    "install",
    "kernel_address",
    "pivots_size",
    "solve",
]


class Structure:
    """Structure of the Jacobian of n equations, of which each kind of matrix is a subclass.

    Parameters
    ----------
    n : int
    """

    #: How it is called in messages.
    name = "dense"
    #: By which argument the user has given it.
    source = ""
    lband = uband = 0
    #: Evaluations of the field that give a whole Jacobian.
    n_colours = 0
    #: Floats of scratch memory for the evaluation of the Jacobian.
    scratch_size = 0
    #: Whether a new Jacobian costs next to nothing.
    matrix_free = False

    def __init__(self, n):
        self.n = n

    @property
    def jacobian_size(self):
        """Floats of the Jacobian."""
        raise NotImplementedError

    @property
    def factor_size(self):
        """Floats of the factors of one real matrix; a complex one needs twice as many."""
        raise NotImplementedError

    @property
    def integers(self):
        """What the kernels find from ``iw[O_STRUCTURE]`` on."""
        return np.empty(0, dtype=np.int64)

    def offset(self):
        """Where among the integers those of a band begin."""
        return 0

    def forget(self):
        """Forget what is kept outside of the state arrays."""

    def places(self):
        """Rows and columns of the places that need not be zero, and the colour of each column."""
        raise NotImplementedError

    def key(self):
        """What tells the structure from others, hashable."""
        raise NotImplementedError

    def pack(self, matrix):
        """The numbers of a Jacobian, given as an array or a sparse matrix, in the order in which the kernels keep them."""
        raise NotImplementedError

    def jacobian_kernel(self):
        """Core that evaluates the Jacobian, see `odekit.solvers.jacobian`."""
        raise NotImplementedError

    def addresses(self, complex_matrices):
        """Addresses of the kernels, by their places in ``fn``.

        Parameters
        ----------
        complex_matrices : int
            How many complex matrices the method factorises.

        Returns
        -------
        dict
        """
        raise NotImplementedError


def pivots_size(n, matrices):
    """Integers of 64 bits that hold n pivots of 32 bits for each matrix."""
    return (n * matrices + 1) // 2


def install(fn, iw, w, structure, complex_matrices, vectors):
    """Make room for an implicit method and its matrices, and note where everything is.

    Parameters
    ----------
    fn, iw, w : ndarray
        State of the integrator.
    structure : Structure
    complex_matrices : int
        How many complex matrices the method factorises, besides a real one.
    vectors : int
        Floats of the method's own workspace.

    Returns
    -------
    iw, w : ndarray
        New state arrays.
    """
    n, begin, integers = structure.n, w.size, structure.integers
    size, factor_size = structure.jacobian_size, structure.factor_size
    factors = begin + size + n
    derivative = factors + factor_size * (1 + 2 * complex_matrices)
    own = derivative + structure.scratch_size
    places = state.IW_HEADER + pivots_size(n, 1 + complex_matrices)
    iw, w = state.extended(iw, w, own + vectors, places + integers.size)
    iw[state.O_FACTORS : state.MATRIX_FREE + 1] = (  # in the order of `odekit.solvers.state`
        factors, factor_size, own, derivative, places, size, structure.lband, structure.uband, structure.n_colours,
        places + structure.offset(), structure.matrix_free,
    )  # fmt: skip
    if integers.size:
        iw[places:] = integers
    fn[state.JACOBIAN] = state.step_address(structure.jacobian_kernel())
    for place, address in structure.addresses(complex_matrices).items():
        fn[place] = address
    return iw, w


# ---------------------------------------------------------------------------------------------------------------------
# for the kernels of the structures


@functools.cache
def kernel_address(core):
    """Address of a kernel that factorises or solves.

    Parameters
    ----------
    core : function
        Plain Python function ``core(fn, iw, w, p, b, matrix) -> step code``.

    Returns
    -------
    int
    """
    if _jit.JIT_DISABLED:
        return _jit.python_address(core)
    return _jit.cfunc_address(core, _jit.MATRIX_SIGNATURE, announced=True, **_jit.CORE_OPTIONS)


@_jit.core
def factors_place(iw, matrix):
    """Where the factors of a matrix begin in w."""
    return iw[state.O_FACTORS] + max(0, 2 * matrix - 1) * iw[state.FACTOR_SIZE]


# ---------------------------------------------------------------------------------------------------------------------
# for the methods

#: An iterative linear solver may leave this fraction of the tolerance of the Newton iteration (CVODE, EPLIN).
LINEAR_FRACTION = 0.05


@_jit.core
def factorise(fn, iw, w, p, matrix, shift, scale):
    """Factorise ``shift I - scale J``.

    Parameters
    ----------
    fn, iw, w, p : ndarray
        State of the integrator.
    matrix : int
        Its number among the matrices of the method.
    shift : float or complex
        Complex where the number is not 0.
    scale : float

    Returns
    -------
    int
        Step code: `ACCEPTED`, `SINGULAR`, or why it could not be formed.
    """
    w[state.SHIFTS + 3 * matrix] = shift.real
    w[state.SHIFTS + 3 * matrix + 1] = shift.imag
    w[state.SHIFTS + 3 * matrix + 2] = scale
    iw[state.NLU] += 1
    return _jit.call_matrix(fn[state.FACTOR], fn, iw, w, p, w, matrix)


@_jit.core
def solve(fn, iw, w, p, matrix, b):
    """Solve with a matrix that `factorise` has seen.

    Parameters
    ----------
    fn, iw, w, p : ndarray
        State of the integrator.
    matrix : int
    b : ndarray, shape (n,)
        Right-hand side, complex where the matrix is; on return the solution.

    Returns
    -------
    int
        Step code: `ACCEPTED`, `NEWTON_FAILED` where an iteration did not converge, or why it could not go on.
    """
    return _jit.call_matrix(fn[state.SOLVE], fn, iw, w, p, b, matrix)
