"""`solve_ensemble`: many trajectories of one system."""

import concurrent.futures
import contextlib
import dataclasses
import math

import numpy as np

from . import _callback, _checks, _chunk, _ensemble_checks, _executors, _mass, _progress, _structure, _threads
from .ensemble_solution import EnsembleSolution, summary
from .hamiltonian import Hamiltonian
from .ivp import DEFAULT_MAX_STEPS
from .separable import Separable
from .solution import Retcode
from .solvers import batch as B
from .solvers import event_log
from .solvers.methods import resolve

_SAVE = {"end": B.SAVE_END, "steps": B.SAVE_STEPS}


def solve_ensemble(
    fun, t_span, y0, args=(), method="auto", t_eval=None, rtol=1e-6, atol=1e-9, executor=None, chunksize=None,
    store=None, resume=False, progress=False, *, save="end", max_saved=1000, events=None, max_events=1000, jac=None, first_step=None,
    max_step=math.inf, max_steps=DEFAULT_MAX_STEPS, tier=None, vmath=True, mass_matrix=None, **unknown,
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
        See `odekit.solve_ivp`. For small systems that are not stiff, and a `fun` that is a formula, ``"taylor"`` is the fastest at
        errors below 1e-6 or so.
    t_eval : array_like, (m,) or (N, m), optional
        Output times, sorted in the direction of integration.
    rtol, atol : float or array_like, (n,)
    executor : None, int, executor or object with `map`
        Number of threads; default: as many as there are processors. Or what hands out work to other processes: any
        `concurrent.futures.Executor` (``ProcessPoolExecutor``, Dask's ``client.get_executor()``, loky's, mpi4py's), or an
        object with ``map(function, iterable)``, a pool of `multiprocessing` for one. `fun` is then sent by reference, or with
        its code where cloudpickle is installed, and compiled once in each process.
    chunksize : int, optional
        Trajectories that a thread or process takes up at a time.
    store : path-like, optional
        Folder to which finished trajectories are written as they come, in shards; no more than a few of them are in memory.
    resume : bool
        Whether to go on with a `store` that an earlier call, with the same problem, has begun.
    progress : bool
        Whether to show a progress bar.
    save : {"end", "steps"}
        Without `t_eval`: keep the end of each trajectory, or every step of it.
    max_saved : int
        With ``save="steps"``: bound on the steps that are kept of a trajectory, its start included.
    events : callable or list of callables, optional
        ``event(t, y, *args) -> float``; the zeros along each trajectory are located, see `odekit.solve_ivp`. Attributes:
        ``terminal`` (True, or the number of zeros after which the trajectory ends) and ``direction``; ``affect`` only there.
    max_events : int
        Bound on the zeros that are kept of a trajectory, those of all event functions together; it goes on behind the last of
        them, and its further zeros are only counted (and end it where they are to).
    jac : callable or array_like, optional
    first_step, max_step, max_steps
        See `odekit.solve_ivp`.
    tier : {None, "fused", "single"}
        How trajectories are computed; default: the fastest way that can do it. ``"fused"``: side by side, by code that is
        generated for the method and the system and runs on the vector unit (explicit methods up to 20 real components, Taylor
        series among them where the formula of `fun` is not too long;
        ``"rosenbrock23"``, ``"rodas5p"`` and ``"auto"`` up to 8, with exact derivatives by dual numbers in place of `jac`;
        symplectic splitting methods for systems of `second_order` and `separable`; functions that need numbers only and no
        NumPy arrays). There ``"auto"`` goes over from tsit5 or vern7 to rodas5p and back, each trajectory for itself.
        ``"single"``: one after the other.
    vmath : bool
        Whether the elementary functions of `math` and `numpy` in `fun` are replaced by those of `odekit.vmath` in the fused
        tier, which agree with them to rounding.
    mass_matrix : array_like or sparse matrix, (n, n), optional
        The constant matrix M of ``M dy/dt = fun(t, y, *args)``, which all trajectories share; see `odekit.solve_ivp`. It is for
        the single tier: steps are compiled, but the start of each trajectory is found in Python, in about half a millisecond and one
        thread at a time; if the matrix is regular, a `fun` that returns ``np.linalg.solve(mass_matrix, f)`` has no such start. A
        trajectory whose start does not satisfy the algebraic equations, and cannot be corrected, is ``INCONSISTENT``.

    Returns
    -------
    EnsembleSolution
        A trajectory that fails is NaN from there on, has a `Retcode` of its own in ``retcode``, and changes no other. With
        `events`, ``t_events[k]`` and ``y_events[k]`` are what `odekit.solve_ivp` gives of trajectory k. With
        `store`, an `odekit.storage.StoredEnsemble`, which reads from disk what it is asked for.

    Raises
    ------
    ValueError, TypeError
        For input that makes no sense, before the first step.
    Exception
        What `fun` raises at the start of the first trajectory.
    FileExistsError
        If there is something at `store`, and not ``resume=True``.
    odekit.storage.OdekitFileError
        If a shard in `store` is damaged.
    EnsembleError
        If the processes of an executor failed twice with the same trajectories: with their indices as its attribute
        ``trajectories``, and the others in ``solution``.
    KeyboardInterrupt
        With what is finished as its attribute ``solution``; while the arrays are still being made ready, there is none.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> def lorenz(t, u, rho):
    ...     x, y, z = u
    ...     return [10 * (y - x), x * (rho - z) - y, x * y - 8 / 3 * z]
    >>> ensemble = odekit.solve_ensemble(lorenz, (0, 10), [1.0, 0.0, 0.0], args=(np.linspace(0, 21, 100),))
    >>> ensemble.y.shape, bool(ensemble.success.all())
    ((100, 3, 1), True)

    When oscillators pass through zero, three times at most:

    >>> def oscillator(t, y, frequency):
    ...     return [y[1], -frequency**2 * y[0]]
    >>> def passes(t, y, frequency):
    ...     return y[0]
    >>> passes.terminal = 3
    >>> swings = odekit.solve_ensemble(oscillator, (0, 10), [1.0, 0.0], (np.array([0.5, 1.0]),), "tsit5", events=passes)
    >>> swings.nevents[:, 0], swings.t_events[1][0].round(3), swings.y_events[1][0].shape
    (array([2, 3]), array([1.571, 4.712, 7.854]), (3, 2))
    """
    _ensemble_checks.options(unknown)
    args = _checks.arguments(args)
    count = _ensemble_checks.size(y0, t_span, args)
    states = _ensemble_checks.states(y0, count)
    spans = _ensemble_checks.spans(t_span, count)
    first_args, parameters = _ensemble_checks.parameters(args, count)
    event_functions, wanted = _checks.compiled_events(events, "an ensemble")
    if np.isinf(wanted).all() and np.isinf(spans[:, 1]).any():
        raise ValueError(f"t_span={t_span!r:.80} does not end; an infinite end needs a terminal event")
    *tolerances, tightest = _checks.tolerances(rtol, atol, np.ones_like(states[0]))
    _ensemble_checks.absolute(tolerances[1], states)
    name, methods = resolve(method, states.shape[1], tightest)
    undivided = _structure.wanted(states.shape[1], None, None, None, "auto", None)
    name, methods, _, mass = _mass.prepared(mass_matrix, name, methods, undivided, states[0])
    times = _ensemble_checks.output_times(t_eval, spans, count)
    _ensemble_checks.saving(save, max_saved, t_eval)
    max_events = int(min(_ensemble_checks.events_kept(max_events), wanted.sum()))
    _ensemble_checks.chunks(chunksize)
    _ensemble_checks.tiers(tier)
    lengths = np.abs(spans[:, 1] - spans[:, 0])
    _checks.steps(first_step, max_step, max_steps, lengths.min(), methods[0])
    _checks.system(methods[0], isinstance(fun, Separable), isinstance(fun, Hamiltonian))
    _checks.storing(store, resume)
    foreign = _executors.is_foreign(executor)
    threads = _executors.workers(executor) if foreign else _ensemble_checks.threads(executor)

    trajectories = _chunk.Trajectories(
        spans, states.view(np.float64), parameters, np.empty((1, 0)) if times is None else times
    )
    width = 2 if states.dtype.kind == "c" else 1
    setup = _chunk.Setup(
        fun, jac, tuple(event_functions), wanted, float(spans[0, 0]), states[0], first_args, name, tightest, tier, vmath,
        *(np.repeat(vector, width) for vector in tolerances), _SAVE[save] if times is None else B.SAVE_TIMES, int(max_saved),
        0.0 if first_step is None else float(first_step), float(max_step), int(max_steps), max_events, mass,
    )  # fmt: skip
    carrier = _chunk.Carrier(setup, trajectories.part(0, 1))
    prepared = carrier.prepared()
    carrier.setup = dataclasses.replace(setup, tier=prepared.tier)
    if store is not None:
        from .storage import shards  # imports h5py

        about = {"tier_reason": prepared.reason, "rtol": np.asarray(rtol).tolist(), "atol": np.asarray(atol).tolist()}
        store = shards.Store(store, carrier.setup, trajectories, {**about, "max_steps": int(max_steps)}, resume)
    threads = 1 if prepared.in_python and not foreign else threads
    sink = _Memory(setup.batch(trajectories)) if store is None else store
    try:
        with _progress.counter(progress, count) as show, sink:
            if foreign or store is not None:
                failures = _elsewhere(
                    executor if foreign else None, threads, carrier, trajectories, chunksize, sink, show
                )
            else:
                failures = []
                ranges = _threads.chunks(count, chunksize, threads, prepared.least_here)
                _here(prepared, sink.batch, ranges, threads, show)
            if show is not None:
                show(sink.done())
    except KeyboardInterrupt as interrupt:
        carrier.stop.set()
        solution = sink.solution(states.dtype, name, prepared, rtol, atol, args, fun)
        error = KeyboardInterrupt(solution.message)
        error.solution = solution
        raise error from (interrupt if str(interrupt) else None)
    solution = sink.solution(states.dtype, name, prepared, rtol, atol, args, fun)
    if failures:
        error = _executors.error(failures, solution.message)
        error.solution = solution
        raise error
    return solution


def _here(prepared, batch, ranges, threads, show):
    """On threads that write where the results belong."""
    with _callback.interrupts() if prepared.in_python else contextlib.nullcontext():
        tell = None if show is None else lambda: show(batch.done())
        _threads.run(lambda: prepared.make_loop(batch), ranges, threads, tell)


def _elsewhere(executor, threads, carrier, trajectories, chunksize, sink, show):
    """In chunks whose results come back: on an executor, or threads; what failed."""
    ranges = []
    for first, last in sink.wanted():
        limit = max(1, _executors.CHUNK_BYTES // sink.row_bytes)
        size = chunksize or min(
            limit, max(-(-trajectories.size // (threads * _threads.CHUNKS_PER_THREAD)), carrier.prepared().least)
        )
        ranges += [(start, min(start + size, last)) for start in range(first, last, size)]

    def take(first, last, results):
        if results is not None:
            sink.take(first, last, results)
        if show is not None:
            show(sink.done())

    if executor is not None:
        return _executors.run(executor, carrier, trajectories, ranges, take)
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        try:
            failures = _executors.run(pool, carrier, trajectories, ranges, take)
        finally:
            carrier.stop.set()
    for _, _, error in failures:
        raise error
    return []


class _Memory:
    """Where results are kept: in the arrays of a batch."""

    def __init__(self, batch):
        self.batch, self.zeros = batch, {}
        n, m = batch.y0.shape[1], batch.wanted.size
        self.row_bytes = batch.y[0].nbytes + batch.t[0].nbytes + batch.counters[0].nbytes
        self.row_bytes += event_log.most_bytes(n, m, batch.max_events)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def wanted(self):
        """Ranges of trajectories that are to be computed."""
        return [(0, self.batch.size)]

    def done(self):
        """Number of trajectories that have ended."""
        return self.batch.done()

    def take(self, first, last, results):
        """Keep the results of trajectories `first` to ``last - 1``."""
        batch, kept = self.batch, results.y.shape[1]
        batch.y[first:last, :kept], batch.t[first:last, : results.t.shape[1]] = results.y, results.t
        batch.counters[first:last], batch.ends[first:last] = results.counters, results.ends
        self.zeros[first] = results.zeros

    def _found(self):
        """The zeros of the event functions; of trajectories without results there are none."""
        batch, parts, first = self.batch, [], 0
        if not self.zeros or batch.wanted.size == 0:
            return event_log.collected(batch)
        for start, zeros in [*sorted(self.zeros.items()), (batch.size, None)]:
            if start > first:
                parts.append(event_log.nothing(start - first, batch.wanted.size, batch.y0.shape[1]))
            if zeros is not None:
                parts.append(zeros)
                first = start + len(zeros)
        return event_log.joined(parts)

    def solution(self, dtype, name, prepared, rtol, atol, args, fun):
        """What `solve_ensemble` returns."""
        return _solution(self.batch, self._found(), dtype, name, prepared.tier, prepared.reason, rtol, atol, args, fun)


_ROWS_AT_ONCE = 2**10  # stay in the cache, and their copies need no new memory of the system


def _whole_numbers(counters):
    """Counters as int64, in the memory of what is given, which they replace: as much again takes longer than Ctrl-C may."""
    numbers = counters.view(np.int64)
    for first in range(0, len(counters), _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        numbers[rows] = counters[rows].astype(np.int64)
    return numbers


def _solution(batch, zeros, dtype, method, tier, reason, rtol, atol, args, fun):
    counters = _whole_numbers(batch.counters)
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
        summary(retcodes, None if zeros is None else zeros.left_out, batch.max_events), method, tier, reason, rtol, atol, args, fun, batch.max_steps,
        None if zeros is None else zeros.with_states_of(dtype), batch.max_events,
    )  # fmt: skip
