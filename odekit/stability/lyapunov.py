"""Lyapunov exponents by the QR method.

The state is integrated together with tangent vectors, ``Y' = J(t, y) Y``, which are made orthonormal again from time to time;
the mean logarithms of what that divides by are the exponents [1]_.

References
----------
.. [1] G. Benettin, L. Galgani, A. Giorgilli, J.-M. Strelcyn, "Lyapunov characteristic exponents for smooth dynamical systems
   and for Hamiltonian systems", Meccanica 15 (1980) 9-30.
"""

import dataclasses
import math

import numpy as np

from .. import _checks, _jit
from .._numbers import generator, number
from ..solution import Retcode, describe
from ..solvers import driver, outcome
from ..solvers import state as S
from ..solvers.integrate import Integration
from ..solvers.linalg.dense import Dense
from ..solvers.methods import resolve
from ..solvers.problem import SCRATCH_VECTORS, Kernels
from ..vmath._core import bits
from .jacobians import field_with_jacobian

#: Tangent vectors are made orthonormal when the fastest has outgrown the slowest by about this factor.
SPREAD = 1e3
MAX_STEPS = 10**9

# The tangent field has no memory but its parameters: what it calls and the sizes stand in front of those of the system.
_N, _COUNT, _FIELD, _JACOBIAN, _N_PARAMS = range(5)
_HEADER = 5


@dataclasses.dataclass(frozen=True)
class LyapunovExponents:
    """Result of `lyapunov_exponents`.

    Attributes
    ----------
    exponents : ndarray, (k,)
        Falling; unit 1 / time.
    t : ndarray, (m,)
        Times at which the tangent vectors were made orthonormal.
    history : ndarray, (m, k)
        The estimates from the data up to each of these times.
    error : ndarray, (k,)
        Standard error of the exponents, from the scatter of ten equal stretches of time.
    y : ndarray, (n,)
        The last state.
    nfev : int
        Evaluations of the system with its tangent vectors.

    Examples
    --------
    >>> import odekit
    >>> found = odekit.stability.lyapunov_exponents(lambda t, y: [y[1], -4 * y[0] - y[1]], (0, 200), [1.0, 0.0])
    >>> found.exponents.shape, found.dimension
    ((2,), 0.0)
    """

    exponents: np.ndarray
    t: np.ndarray
    history: np.ndarray
    error: np.ndarray
    y: np.ndarray
    nfev: int

    @property
    def dimension(self):
        """The Kaplan-Yorke dimension of the attractor; NaN where all exponents known do not suffice."""
        sums = np.cumsum(self.exponents)
        if sums[0] < 0.0:
            return 0.0
        k = int(np.flatnonzero(sums >= 0.0)[-1])
        if k + 1 == len(self.exponents):
            return math.nan
        return float(k + 1 + sums[k] / -self.exponents[k + 1])


def _tangent(t, y_, out_, p_):
    """Scalar kernel of the system and its tangent vectors: y_ and out_ are [1 + count, n] row by row, the state first."""
    head = _jit.view1(p_, 0, _HEADER)
    n, count, n_params = int(head[_N]), int(head[_COUNT]), int(head[_N_PARAMS])
    size = n_params + SCRATCH_VECTORS * n
    p, matrix = _jit.view1(p_, _HEADER, size), _jit.view2(p_, _HEADER + size, n, n)
    y, out = _jit.view2(y_, 0, 1 + count, n), _jit.view2(out_, 0, 1 + count, n)
    if _jit.call_scalar(bits(head[_FIELD]), t, y[0], out[0], p) != 0:
        return 1
    address = bits(head[_JACOBIAN])
    if address != 0 and _jit.call_scalar(address, t, y[0], _jit.view1(p_, _HEADER + size, n * n), p) != 0:
        return 1
    for k in range(1, 1 + count):
        for i in range(n):
            value = 0.0
            for j in range(n):
                value += matrix[i, j] * y[k, j]
            out[k, i] = value
    return 0


def _tangent_kernels(fun, t0, y0, args, jac, count):
    """The system as a field with its Jacobian, and the kernels of the state with `count` tangent vectors behind it."""
    field, found = field_with_jacobian(fun, t0, y0, args, jac)
    n = y0.size
    p = np.zeros(_HEADER + field.parameters.size + SCRATCH_VECTORS * n + n * n)
    p[[_N, _COUNT, _N_PARAMS]] = n, count, field.parameters.size
    p[_FIELD] = _as_float(field.kernel.address)
    p[_JACOBIAN] = _as_float(found.address)
    p[_HEADER : _HEADER + field.parameters.size] = field.parameters
    if found.kind == S.JAC_CONSTANT:
        p[_JACOBIAN], p[-n * n :] = 0.0, Dense(n).pack(found.matrix).ravel()
    address = (
        _jit.python_address(_tangent)
        if _jit.JIT_DISABLED
        else _jit.cfunc_address(_tangent, _jit.SCALAR_SIGNATURE, **_jit.CORE_OPTIONS)
    )
    return field, Kernels(address, p)


def _as_float(address):
    """The number whose bits are the address: parameters are floats."""
    return np.array([address], dtype=np.int64).view(np.float64)[0]


def lyapunov_exponents(
    fun, t_span, y0, args=None, *, k=None, transient=None, method="auto", rtol=1e-8, atol=1e-10, jac=None, rng=0
):
    """Lyapunov exponents of a system.

    Parameters
    ----------
    fun : callable
        As for `odekit.solve_ivp`.
    t_span : (float, float)
        Start and end of the averaging.
    y0 : array_like, (n,)
        State at the start.
    args : tuple, optional
    k : int, optional
        How many exponents, the largest first. Default: all n.
    transient : float, optional
        Time that is integrated before ``t_span[0]`` is counted, so that the state is on the attractor and the tangent
        vectors have turned. Default: a tenth of the span.
    method, rtol, atol, jac
        As for `odekit.solve_ivp`. The tangent vectors count in the error like the state.
    rng : int or numpy.random.Generator
        For the first tangent vectors.

    Returns
    -------
    LyapunovExponents

    Raises
    ------
    ValueError
        For input that makes no sense, or where `fun` has no exact Jacobian and none is given.
    RuntimeError
        If the integration fails; the message says where and why.

    Examples
    --------
    >>> import odekit
    >>> damped = odekit.stability.lyapunov_exponents(lambda t, y: [y[1], -4 * y[0] - y[1]], (0, 200), [1.0, 0.0])
    >>> damped.exponents.round(2)
    array([-0.5, -0.5])
    """
    t0, t1 = _checks.span(t_span)
    state = _checks.state(y0)
    n = state.size
    k = n if k is None else k
    if not (isinstance(k, (int, np.integer)) and 1 <= k <= n):
        raise ValueError(f"k={k!r}; expected a number of exponents from 1 to {n}")
    if not t1 > t0 or math.isinf(t1):
        raise ValueError(f"t_span={t_span!r}; expected a finite end after the start")
    transient = (t1 - t0) / 10 if transient is None else number("transient", transient)
    if transient < 0.0:
        raise ValueError(f"transient={transient!r}; expected a time of at least 0")
    field, kernels = _tangent_kernels(fun, t0, state, args, jac, int(k))
    relative, absolute, tightest = _checks.tolerances(rtol, atol, state)
    first, _ = np.linalg.qr(generator(rng).normal(size=(n, k)))
    start = np.concatenate((state[None], first.T))
    _, methods = resolve(method, start.size, tightest)
    run = Integration(
        kernels, (t0 - transient, t1), start.ravel(), methods, np.tile(relative, k + 1), np.tile(absolute, k + 1),
        keep_states=False, t_eval=np.empty(0), max_steps=MAX_STEPS,
    )  # fmt: skip
    return _average(run, field, t0, t1, n, int(k))


def _average(run, field, t0, t1, n, k):
    """Integrate from one orthonormalisation to the next, and average."""
    reason = run.start()
    t, interval = float(run.w[S.T]), float(abs(run.w[S.H_NEXT]))
    times, growths = [], []
    while True:
        end = min(t + interval, t0 if t < t0 else t1)
        reason = _advance_to(run, reason, end)
        if reason != driver.DONE:
            _raise(run, field, reason)
        y = run.vectors[S.Y].reshape(1 + k, n)
        q, r = np.linalg.qr(y[1:].T)
        sizes = np.abs(np.diag(r))
        with np.errstate(divide="ignore"):
            growth = np.log(sizes)
        t = end
        if t > t0:
            times.append(t)
            growths.append(growth)
        if t >= t1:
            break
        # aim at the spread wanted; between a half and the double of what it was
        spread = max(float(np.max(np.abs(growth))), float(np.ptp(growth)), 1e-300)
        interval *= min(2.0, max(0.5, math.log(SPREAD) / spread))
        y[1:] = q.T
        run.first_step = float(abs(run.w[S.H_OLD])) or 0.0
        reason = run.start()
    return _result(np.array(times), np.array(growths), t0, run, n)


def _advance_to(run, reason, end):
    """Integrate to a time; a driver reason, which is `reason` if that is one already."""
    run.w[S.T_END] = end
    run.iw[S.N_LOG] = 0
    return run.loop() if reason is None else reason


def _raise(run, field, reason):
    """Raise what has ended the integration: the user's exception, or a `RuntimeError` with a sentence."""
    retcode = outcome.retcode(run.iw, reason)
    if retcode == Retcode.RHS_RAISED:
        n = field.y0.size
        error, _ = field.exception(float(run.w[S.T_FAIL]), run.vectors[S.SCRATCH][:n].copy())
        raise error
    raise RuntimeError(
        describe(
            retcode, t=float(run.w[S.T]), h=float(run.w[S.H]), max_steps=MAX_STEPS, component="", culprit="", error=""
        )
    )


def _result(times, growths, t0, run, n):
    """The exponents from times (m,) and the logarithms of the growth up to each since the one before, growths (m, k)."""
    elapsed = times - t0
    history = np.cumsum(growths, axis=0) / elapsed[:, None]
    # ten stretches of about the same length
    ends = np.unique(np.searchsorted(elapsed, elapsed[-1] * np.arange(1, 11) / 10, side="left"))
    total = np.vstack((np.zeros(growths.shape[1]), np.cumsum(growths, axis=0)[ends]))
    lengths = np.diff(np.concatenate(([0.0], elapsed[ends])))
    rates = np.diff(total, axis=0) / lengths[:, None]
    error = (
        np.std(rates, axis=0, ddof=1) / math.sqrt(len(rates)) if len(rates) > 1 else np.full(rates.shape[1], math.nan)
    )
    order = np.argsort(-history[-1], kind="stable")
    y = run.vectors[S.Y][:n].copy()
    return LyapunovExponents(history[-1][order], times, history[:, order], error[order], y, int(run.iw[S.NFEV]))
