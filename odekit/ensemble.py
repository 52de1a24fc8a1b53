"""`solve_ensemble`: many trajectories of one system."""

import contextlib
import math
import threading

import numpy as np

from . import _callback, _checks, _ensemble_checks, _fused_tier, _progress, _threads
from ._wrap import Unsupported
from .ensemble_solution import EnsembleSolution, summary
from .hamiltonian import Hamiltonian, field_class
from .ivp import DEFAULT_MAX_STEPS
from .separable import Separable
from .solution import Retcode
from .solvers import batch as B
from .solvers.members import MemberLoop
from .solvers.methods import resolve

#: A chunk of the fused tier has at least so many trajectories for each lane: at its end the lanes run empty.
LANES_PER_CHUNK = 4
_SAVE = {"end": B.SAVE_END, "steps": B.SAVE_STEPS}


def solve_ensemble(
    fun, t_span, y0, args=(), method="auto", t_eval=None, rtol=1e-6, atol=1e-9, executor=None, chunksize=None,
    progress=False, *, save="end", max_saved=1000, events=None, jac=None, first_step=None, max_step=math.inf,
    max_steps=DEFAULT_MAX_STEPS, tier=None, vmath=True, **unknown,
):  # fmt: skip
    """Integrate many trajectories of one system, with different starts and parameters.

    Each trajectory has its own step sizes, error control, status and counters, and its result does not depend on the number
    of threads, on the chunks or on its neighbours, to the last bit.

    Parameters
    ----------
    fun : callable or address
        Right-hand side, in one of the forms that `odekit.solve_ivp` knows.
    t_span : (float, float) or array_like, (N, 2)
        Start and end, of all trajectories or of each.
    y0 : array_like, (n,) or (N, n)
        Initial state, of all trajectories or of each.
    args : tuple
        Further arguments of `fun`: each a number that all trajectories share, or an array of leading length N.
    method : str
        See `odekit.solve_ivp`.
    t_eval : array_like, (m,) or (N, m), optional
        Output times, sorted in the direction of integration.
    rtol, atol : float or array_like, (n,)
    executor : None or int
        Number of threads; default: as many as there are processors.
    chunksize : int, optional
        Trajectories that a thread takes up at a time.
    progress : bool
        Whether to show a progress bar.
    save : {"end", "steps"}
        Without `t_eval`: keep the end of each trajectory, or every step of it.
    max_saved : int
        With ``save="steps"``: bound on the steps that are kept of a trajectory, its start included.
    events : callable or list of callables, optional
        Terminal events, ``event(t, y, *args) -> float``, each of which ends the trajectory in which it happens; see
        `odekit.solve_ivp`.
    jac : callable or array_like, optional
    first_step, max_step, max_steps
        See `odekit.solve_ivp`.
    tier : {None, "fused", "single"}
        How trajectories are computed; default: the fastest way that can do it. ``"fused"``: side by side, by code that is
        generated for the method and the system and runs on the vector unit (explicit methods, up to 20 real components, a
        function that needs numbers only and no NumPy arrays). ``"single"``: one after the other.
    vmath : bool
        Whether the elementary functions of `math` and `numpy` in `fun` are replaced by those of `odekit.vmath` in the fused
        tier, which agree with them to rounding.

    Returns
    -------
    EnsembleSolution
        A trajectory that fails is NaN from there on, has a `Retcode` of its own in ``retcode``, and changes no other.

    Raises
    ------
    ValueError, TypeError
        For input that makes no sense, before the first step.
    Exception
        What `fun` raises at the start of the first trajectory.
    KeyboardInterrupt
        With the `EnsembleSolution` so far as its attribute ``solution``.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> def lorenz(t, u, rho):
    ...     x, y, z = u
    ...     return [10 * (y - x), x * (rho - z) - y, x * y - 8 / 3 * z]
    >>> ensemble = odekit.solve_ensemble(lorenz, (0, 10), [1.0, 0.0, 0.0], args=(np.linspace(0, 21, 100),))
    >>> ensemble.y.shape, bool(ensemble.success.all())
    ((100, 3, 1), True)
    """
    _ensemble_checks.options(unknown)
    args = _checks.arguments(args)
    count = _ensemble_checks.size(y0, t_span, args)
    states = _ensemble_checks.states(y0, count)
    spans = _ensemble_checks.spans(t_span, count)
    first_args, parameters = _ensemble_checks.parameters(args, count)
    event_functions, wanted = _ensemble_checks.events(events)
    if not event_functions and np.isinf(spans[:, 1]).any():
        raise ValueError(f"t_span={t_span!r:.80} does not end; an infinite end needs a terminal event")
    *tolerances, tightest = _checks.tolerances(rtol, atol, np.ones_like(states[0]))
    _ensemble_checks.absolute(tolerances[1], states)
    name, methods = resolve(method, states.shape[1], tightest)
    times = _ensemble_checks.output_times(t_eval, spans, count)
    _ensemble_checks.saving(save, max_saved, t_eval)
    _ensemble_checks.chunks(chunksize)
    _ensemble_checks.tiers(tier)
    lengths = np.abs(spans[:, 1] - spans[:, 0])
    _checks.steps(first_step, max_step, max_steps, lengths.min(), methods[0])
    _checks.system(methods[0], isinstance(fun, Separable), isinstance(fun, Hamiltonian))
    threads = _ensemble_checks.threads(executor)

    field = field_class(fun)(fun, spans[0, 0], states[0], first_args, jac, event_functions)
    field.varying = True
    width = 2 if field.complex_state else 1
    batch = B.allocate(
        spans, states.view(np.float64), parameters, *(np.repeat(vector, width) for vector in tolerances),
        np.empty((1, 0)) if times is None else times, _SAVE[save] if times is None else B.SAVE_TIMES, int(max_saved),
        0.0 if first_step is None else float(first_step), float(max_step), int(max_steps),
    )  # fmt: skip
    make_loop, used, reason, least = _choose(tier, fun, field, batch, methods, wanted, vmath)
    in_python = used == "single" and field.calls_python()
    threads = 1 if in_python else threads
    interrupted = False
    ranges = _threads.chunks(count, chunksize, threads, least)
    with _progress.counter(progress, count) as show, _callback.interrupts() if in_python else contextlib.nullcontext():
        try:
            _threads.run(make_loop, ranges, threads, None if show is None else lambda: show(batch.done()))
            if show is not None:
                show(count)
        except KeyboardInterrupt:
            interrupted = True
    solution = _solution(batch, states.dtype, name, used, reason, rtol, atol, args, fun)
    if interrupted:
        error = KeyboardInterrupt(solution.message)
        error.solution = solution
        raise error
    return solution


def _choose(tier, fun, field, batch, methods, wanted, with_vmath):
    """The way to compute: what makes a loop, the tier, why it, and the least number of trajectories in a chunk."""
    why = "it was asked for"
    if tier != "single":
        try:
            make_loop, lanes = _fused_tier.prepare(fun, field, batch, methods, with_vmath)
        except Unsupported as error:
            why = str(error)
            if tier == "fused":
                raise ValueError(f"tier='fused' cannot be: {why}") from error
        else:
            return make_loop, "fused", "the fastest", LANES_PER_CHUNK * lanes
    kernels, lock = field.kernels(), threading.Lock()
    return lambda: MemberLoop(batch, kernels, methods, wanted, lock), "single", why, 1


def _solution(batch, dtype, method, tier, reason, rtol, atol, args, fun):
    counters = batch.counters.astype(np.int64)
    retcodes = counters[:, B.RETCODE]
    retcodes[retcodes == B.RUNNING] = Retcode.INTERRUPTED
    y = batch.y.view(dtype).transpose(0, 2, 1)
    if batch.save == B.SAVE_TIMES:
        t = batch.t_eval if batch.t_eval.shape[0] > 1 else batch.t_eval[0]
    elif batch.save == B.SAVE_STEPS:
        longest = int(counters[:, B.NSAVED].max())
        t, y = batch.t[:, :longest], y[:, :, :longest]
    else:
        t = batch.ends[:, :1]
    return EnsembleSolution(
        t, y, batch.ends[:, 0], batch.ends[:, 1], retcodes,
        *(counters[:, k] for k in (B.NFEV, B.NJEV, B.NLU, B.NACCEPT, B.NREJECT, B.NSWITCH, B.NSAVED)),
        summary(retcodes), method, tier, reason, rtol, atol, args, fun, batch.max_steps,
    )  # fmt: skip
