"""Where an integrator keeps its state: four flat arrays, and names for the places in them.

Everything that a running integration knows lives in

* ``fn`` (int64): addresses of the kernels in use. Valid in this process only.
* ``iw`` (int64): sizes, flags and counters, then the pivots of the linear solver and the structure of its matrices.
* ``w`` (float64): scalars (t, h, controller memory), vectors (y, f, tolerances), then the method's own workspace; that of
  an implicit method begins with the Jacobian, df/dt and the factors, see `odekit.solvers.linalg`.
* ``p`` (float64): the parameters of the vector field, then scratch memory for its Jacobian.

A copy of ``iw`` and ``w`` is therefore a checkpoint. A *stepper* is a function ``step(fn, iw, w, p) -> code``: it
attempts one step of size ``w[H]`` from ``(w[T], y)`` to ``w[T_NEW]``, writes ``y_new``, ``f1 = f(t_new, y_new)`` and the size
``w[H_NEXT]`` that it wants to try next, and returns one of the step codes below. A *dense-output kernel* has the same
signature; after an accepted step it writes the coefficients ``Q`` of the polynomial
``y(t + theta h) = y + sum_d Q[d - 1] theta^d``.

In all of `odekit.solvers`, `fn`, `iw`, `w` and `p` are these arrays of one integration, and other vectors have n numbers, the
components of the state, where nothing else is said; matrices are in C order. A function that "gives a step code" returns one of
those below.
"""

import functools

import numpy as np

from .. import _jit

# fn: addresses -------------------------------------------------------------------------------------------------------
F = 0  # vector field, scalar kernel
JAC = 1  # Jacobian, scalar kernel that writes iw[J_SIZE] numbers, or derivatives along a direction: see JAC_KIND
EVENTS = 2  # event functions, scalar kernel that writes iw[N_EVENTS] numbers
STEP = 3  # stepper; STEP + 1 is the implicit stepper of an automatic pair
DENSE = 5  # dense output; DENSE + 1 likewise
JACOBIAN = 7  # evaluates the Jacobian, whatever its source: see `odekit.solvers.jacobian`
STAGES = 8  # solvers of the stages of the Radau methods of order 5, 9 and 13; STAGES + 1 and STAGES + 2 likewise
VELOCITY, FORCE = 12, 13  # halves of a separable system, see `odekit.solvers.symplectic`
FACTOR, SOLVE = 14, 15  # of the linear systems, whatever their structure: see `odekit.solvers.linalg`
PRECONDITIONER = 16  # see `odekit.solvers.linalg.krylov`; 0: none
DOMAIN = 17  # whether a state is outside the domain, scalar kernel that writes one number (0: inside); 0: no such limit
COEFFICIENTS = 18  # of an array of float64 that the stepper reads, see `odekit.solvers.stabilised`
EXPANSION = 19  # Taylor coefficients of the solution, scalar kernel, see `odekit.solvers.expansion`
FN_SIZE = 20

# iw: sizes, flags, counters ------------------------------------------------------------------------------------------
W_SIZE = 0
P_SIZE = 1
IW_LENGTH = 2
N = 3  # dimension of the state
MODE = 4  # 0: first method, 1: implicit method of an automatic pair
NFEV = 5
NJEV = 6
NLU = 7
NACCEPT = 8
NREJECT = 9
MAX_STEPS = 10  # accepted and rejected steps together
PENDING = 11  # 1: a step is accepted and reported, but not yet committed (an event is being looked at)
N_LOG = 12  # steps written to the log
N_EVAL = 13  # output times already served
N_EVENTS = 14
REJECTED = 15  # 1: the last attempt was rejected
LAST_CODE = 16  # step code of the last attempt
STIFF_COUNT = 17  # consecutive stiff (positive) or nonstiff (negative) verdicts
JAC_KIND = 18  # one of the JAC_* below
O_NONNEGATIVE = 19  # where the marks of the components that must not be negative begin in w; 0: there are none
O_FIRST = 20  # where the workspace of the first method begins in w
O_IMPLICIT = 21  # where the workspace of the implicit method begins in w
DEGREE = 22  # degree of the dense-output polynomials
O_EVENTS = 23  # event values at the start and at the end of the step, and two rows of scratch
JAC_FRESH = 24  # 1: the Jacobian was evaluated at the current (t, y)
LU_VALID = 25
FIRST_STEP = 26  # 1: no step has been accepted by the method in use
SWITCH_REASON = 27
NFAIL = 28  # nonlinear iterations that did not converge (also counted as rejections)
TIME_KIND = 29  # one of the TIME_* below: where df/dt comes from, for the methods that need it
COSTLY_DENSE = 30  # bit k: the dense output of the method of mode k asks for evaluations of its own
FAMILY_INT = 32  # 32 numbers that belong to the implicit, the stabilised or the Taylor family
# the matrices of an implicit method
O_FACTORS = 64  # where the factors begin in w
FACTOR_SIZE = 65  # floats of the factors of one real matrix
O_VECTORS = 66  # where the vectors of the implicit method begin in w, behind the matrices
O_DERIVATIVE = 67  # where the scratch memory for the evaluation of the Jacobian begins in w
O_STRUCTURE = 68  # where the integers of the structure begin in iw
J_SIZE = 69  # floats of the Jacobian
LBAND, UBAND = 70, 71
N_COLOURS = 72  # evaluations that give a whole Jacobian of the structure
O_BAND = 73  # where the integers of a banded structure begin in iw
MATRIX_FREE = 74  # 1: a new Jacobian costs next to nothing
# the automatic choice, see `odekit.solvers.auto`
SMOOTH_COUNT = 76  # consecutive steps that are long beside the time scale of the fastest mode
PATIENCE = 77  # how many of them are awaited; 0: they are not looked at
SWITCHED_AT = 78  # accepted steps when the method changed last
O_MASS = 79  # where the mass matrix begins in w, row by row, and behind it dy/dt at the start; 0: the identity
IW_HEADER = 80  # then the pivots and the structure

#: By differences; by a kernel that writes the whole Jacobian; constant; by a kernel that writes the derivative along a
#: direction, given the state and the direction one behind the other.
JAC_DIFFERENCE, JAC_KERNEL, JAC_CONSTANT, JAC_DIRECTION = 0, 1, 2, 3
#: By differences; by the Jacobian's kernel, which writes it behind the matrix; nothing to do, as the field ignores t.
TIME_DIFFERENCE, TIME_KERNEL, TIME_NONE = 0, 1, 2

# w: scalars ----------------------------------------------------------------------------------------------------------
T = 0
H = 1  # signed size of the step being attempted
T_NEW = 2
T_END = 3
H_NEXT = 4  # signed size to try next
ERR_NORM = 5  # weighted RMS norm of the error estimate: at most 1 is accepted
LOG_ERR_OLD = 6  # log of the norm of the last accepted step
H_OLD = 7  # last accepted step
MAX_STEP = 8
EIGENVALUE = 9  # estimate of the largest |eigenvalue| of the Jacobian
T_FAIL = 10  # where the vector field raised; its argument is in the scratch vector
DIRECTION = 11  # +1 or -1
H_FIXED = 12  # step of a fixed-step method
STABILITY_SIZE = 13  # of the explicit method of an automatic pair, along the negative real axis
EXPONENT = 15  # 1 / (q + 1) for the error estimate, of order q, of the explicit method of an automatic pair
OUTSIDE = 14  # what the domain's kernel said last
BINDING = 17  # frequency that binds the two copies of `odekit.solvers.tao`
LINEAR_TOLERANCE = 16  # norm of the residual that an iterative linear solver may leave
#: Shift (real and imaginary part) and scale of each factorised matrix, three numbers for each of MAX_MATRICES.
SHIFTS = 20
FAMILY_FLOAT = 32  # 32 numbers that belong to the implicit, the stabilised or the Taylor family
MAX_MATRICES = 4  # of a method: one real, the others complex
W_HEADER = 64  # then the vectors below, each n long

# w: vectors, counted in multiples of n after the header --------------------------------------------------------------
Y, Y_NEW, F0, F1, RTOL, ATOL, SCRATCH = range(7)
N_VECTORS = 7  # then Q (degree * n), event values (4 * n_events), marks of nonnegative components (0 or n), then the methods' workspaces

# step codes ----------------------------------------------------------------------------------------------------------
ACCEPTED, REJECTED_ERROR, NEWTON_FAILED, NONFINITE, RHS_RAISED, SINGULAR = range(6)
OUT_OF_DOMAIN = 6  # set by the driver: the step was accepted, but its end lies outside the domain


if _jit.JIT_DISABLED:

    def vector(iw, w, k):
        """View of the k-th state vector (`Y`, `Y_NEW`, ...) in `w`, (n,)."""
        return _jit.view1(w, W_HEADER + k * iw[N], iw[N])

    def dense_coefficients(iw, w):
        """View of the dense-output coefficients Q, shape (degree, n)."""
        return _jit.view2(w, W_HEADER + N_VECTORS * iw[N], iw[DEGREE], iw[N])

else:
    vector, dense_coefficients = _jit.state_view_intrinsics(W_HEADER, N, N_VECTORS, DEGREE)


@_jit.core
def rhs_raised(w, t, scratch, y):
    """Record that the vector field raised at t with the argument y, of which `scratch` receives a copy; returns the step code."""
    w[T_FAIL] = t
    for i in range(y.size):
        scratch[i] = y[i]
    return RHS_RAISED


def layout(n, p_size, degree, n_events, workspace, nonnegative):
    """The arrays of integers of a problem, and the sizes of the others.

    Parameters
    ----------
    n : int
        Dimension of the state.
    p_size : int
        Parameters of the field, and the scratch memory behind them.
    degree : int
        Degree of the dense-output polynomials.
    n_events : int
    workspace : int
        Floats of workspace of an explicit method; an implicit one gets its own by `extended`.
    nonnegative : bool
        Whether there are components that must not be negative.

    Returns
    -------
    fn, iw : ndarray
    w_size, p_size : int
    """
    o_events = W_HEADER + (N_VECTORS + degree) * n
    o_nonnegative = o_events + 4 * n_events
    o_first = o_nonnegative + n * nonnegative
    iw = np.zeros(IW_HEADER, dtype=np.int64)
    iw[W_SIZE], iw[P_SIZE], iw[IW_LENGTH], iw[N] = o_first + workspace, p_size, iw.size, n
    iw[DEGREE], iw[N_EVENTS], iw[O_EVENTS] = degree, n_events, o_events
    iw[O_NONNEGATIVE] = o_nonnegative * nonnegative
    iw[O_FIRST] = iw[O_IMPLICIT] = o_first
    return np.zeros(FN_SIZE, dtype=np.int64), iw, o_first + workspace, p_size


def extended(iw, w, w_size, iw_length):
    """The state arrays with room for an implicit method.

    Parameters
    ----------
    iw, w : ndarray
    w_size, iw_length : int
        Sizes of the new arrays.

    Returns
    -------
    iw, w : ndarray
        New arrays; the old contents come first.
    """
    more, longer = np.zeros(iw_length, dtype=np.int64), np.zeros(w_size)
    more[:IW_HEADER], longer[: w.size] = iw[:IW_HEADER], w
    more[O_IMPLICIT], more[W_SIZE], more[IW_LENGTH] = w.size, w_size, iw_length
    return more, longer


@functools.cache
def step_address(core):
    """Address of a stepper or of a dense-output kernel.

    Parameters
    ----------
    core : function
        Plain Python function ``core(fn, iw, w, p) -> int``.

    Returns
    -------
    int
    """
    if _jit.JIT_DISABLED:
        return _jit.python_address(core)
    # pointers all the way: one compilation instead of two, and no array is built for a call
    return _jit.cfunc_address(core, _jit.STEP_SIGNATURE, announced=True, **_jit.CORE_OPTIONS)
