"""Ensembles at equal error: odekit beside heyoka's batches of eight and numbalsoda's lsoda in a parallel loop.

    python asv_benchmarks/peers/ensembles.py [lorenz] [pendulum] [robertson] [threads]

End states of 10,000 systems. The error of a run is the one that 99 of 100 trajectories keep, and beside it the largest of
all, against odekit's vern9 at the tightest tolerance (for Robertson's reaction: radau). Among the Lorenz systems a few come so
close to the homoclinic orbit (rho = 13.93) that an error grows 10,000 times; the largest error is that of one such trajectory.
Each solver runs over a range of tolerances; its time at a wanted error is interpolated between two runs, both logarithmic. All
solvers take turns, and the best of several rounds counts, warm: compilation is not counted. Lorenz systems and pendulums run
on one thread, Robertson's reaction on two. ``threads`` compares two threads with two processes.
"""

import contextlib
import functools
import itertools
import multiprocessing
import sys
import time

import numpy as np
from numba import carray, cfunc, njit, prange, set_num_threads

import odekit

N = 10_000
TOLERANCES = 10.0 ** -np.arange(3.0, 14.0, 0.5)
REPEAT = 12  # neighbours on the same processor slow a run down for seconds at a time
TURNS = 60


def lorenz(t, u, rho):
    x, y, z = u
    return [10.0 * (y - x), x * (rho - z) - y, x * y - 8.0 / 3.0 * z]


def pendulum(t, u, ratio):
    return [u[1], -ratio * np.sin(u[0])]


def robertson(t, u, k2):
    slow, fast, mixed = 0.04 * u[0], k2 * u[1] * u[1], 1e4 * u[1] * u[2]
    return [mixed - slow, slow - mixed - fast, fast]


RHO, RATIO, RATES = np.linspace(0.0, 21.0, N), np.linspace(1.0, 10.0, N), np.geomspace(3e6, 3e8, N)


def measured(jobs, reference, wanted):
    """Runs (seconds, errors) of each job, where the jobs take turns.

    Parameters
    ----------
    jobs : dict
        Name of a solver: functions that return the end states, of falling tolerance.
    reference : ndarray, (N, n)
    wanted : tuple of float
        Errors for which times are asked: runs that tell nothing about them are not timed.

    Returns
    -------
    dict
        Name: list of (seconds, (error of 99 of 100 trajectories, largest error)).
    """
    errors = {}
    for name, runs in jobs.items():
        errors[name] = []
        for run in runs:  # compiles, too
            each = np.abs(run() - reference).max(axis=1)
            errors[name].append((np.quantile(each, 0.99), each.max()))
    around = {
        (name, k + i)
        for name, found in errors.items()
        for error, which in itertools.product(wanted, range(2))
        for k, (before, after) in enumerate(itertools.pairwise(found))
        for i in range(2)
        if before[which] >= error > after[which]
    }
    seconds = {(name, k): np.inf for name, k in sorted(around)}
    for _ in range(REPEAT):
        for name, k in seconds:
            begin = time.perf_counter()
            jobs[name][k]()
            seconds[name, k] = min(seconds[name, k], time.perf_counter() - begin)
    return {name: [(seconds.get((name, k), np.inf), e) for k, e in enumerate(found)] for name, found in errors.items()}


def at_error(runs, wanted, which):
    """Time at an error, between the two runs around it; NaN if it is not reached."""
    found = [
        t0 * (t1 / t0) ** (np.log(e0[which] / wanted) / np.log(e0[which] / e1[which]))
        for (t0, e0), (t1, e1) in itertools.pairwise(runs)
        if e0[which] >= wanted > e1[which] > 0
    ]
    return min(found, default=np.nan)


def odekit_runs(fun, span, y0, args, method, tolerances=TOLERANCES, scale=1.0, executor=1):
    """Functions that solve, of falling tolerance."""

    def run(rtol):
        options = {"rtol": rtol, "atol": rtol * scale, "executor": executor}
        return odekit.solve_ensemble(fun, span, y0, args, method, **options).y_end

    return [functools.partial(run, rtol) for rtol in tolerances]


def heyoka_runs(equations, span, y0, parameters, tolerances=TOLERANCES):
    """The same of heyoka's integrator of eight trajectories side by side; its methods' orders follow from the tolerance."""
    import heyoka

    n, start = len(y0), np.repeat(np.array(y0)[:, None], 8, axis=1)

    def run(batch):
        out, ends = np.empty((N, n)), [span[1]] * 8
        for k in range(0, N, 8):
            batch.set_time(span[0])
            batch.state[:] = start
            batch.pars[0] = parameters[k : k + 8]
            batch.propagate_until(ends)
            out[k : k + 8] = batch.state.T
        return out

    system, states, ones = equations(heyoka), np.zeros((n, 8)), np.ones((1, 8))
    return [
        functools.partial(run, heyoka.taylor_adaptive_batch(sys=system, state=states, pars=ones, tol=tolerance))
        for tolerance in tolerances
    ]


def lorenz_equations(heyoka):
    x, y, z = heyoka.make_vars("x", "y", "z")
    return [(x, 10.0 * (y - x)), (y, x * (heyoka.par[0] - z) - y), (z, x * y - 8.0 / 3.0 * z)]


def pendulum_equations(heyoka):
    q, v = heyoka.make_vars("q", "v")
    return [(q, v), (v, -heyoka.par[0] * heyoka.sin(q))]


def numbalsoda_runs(span, y0, tolerances):
    """The same of numbalsoda's lsoda, called by two threads of a parallel loop."""
    from numbalsoda import lsoda, lsoda_sig

    @cfunc(lsoda_sig)
    def field(t, u_, du_, p_):
        u, du, p = carray(u_, (3,)), carray(du_, (3,)), carray(p_, (1,))
        slow, fast, mixed = 0.04 * u[0], p[0] * u[1] * u[1], 1e4 * u[1] * u[2]
        du[0], du[1], du[2] = mixed - slow, slow - mixed - fast, fast

    address, times, start = field.address, np.array(span), np.array(y0)

    @njit(parallel=True)
    def solve(rates, rtol, atol):
        ends = np.empty((rates.size, 3))
        for k in prange(rates.size):
            states, _ = lsoda(address, start, times, rates[k : k + 1].copy(), rtol, atol)
            ends[k] = states[-1]
        return ends

    set_num_threads(2)
    return [functools.partial(solve, RATES, rtol, rtol * 1e-6) for rtol in tolerances]


def compare(name, wanted, jobs, reference, peer):
    """Print the time of each solver at each wanted error, and the ratio of the best of ours to the peer's."""
    runs = measured(jobs, reference, wanted)
    for which, kind in enumerate(("99 of 100", "all")):
        for error in wanted:
            times = {solver: at_error(found, error, which) / N * 1e6 for solver, found in runs.items()}
            listed = ", ".join(f"{solver} {value:.2f}" for solver, value in times.items())
            other = times.pop(peer, np.nan)
            ratio = np.nanmin(list(times.values())) / other
            print(f"{name}, {kind} within {error:.0e}: {listed} us each; ratio {ratio:.2f}", flush=True)


def one_thread(name, fun, y0, parameters, equations, methods, scale):
    """Systems that are not stiff, on one thread; `scale` is ``atol / rtol``.

    heyoka compares errors with the largest component of the state, odekit each with its own. Where the states of a system have
    a size, and all its components count alike, an `atol` of that size asks for the same.
    """
    span, args = (0.0, 10.0), (parameters,)
    reference = odekit.solve_ensemble(fun, span, y0, args, "vern9", rtol=3e-14, atol=1e-15).y_end
    jobs = {m: odekit_runs(fun, span, y0, args, m, scale=scale) for m in methods}
    with contextlib.suppress(ImportError):
        jobs["heyoka"] = heyoka_runs(equations, span, y0, parameters)
    compare(name, (1e-6, 1e-9), jobs, reference, "heyoka")


def stiff():
    """Robertson's reaction on two threads."""
    span, y0, tolerances = (0.0, 1e5), [1.0, 0.0, 0.0], 10.0 ** -np.arange(1, 9)
    reference = odekit.solve_ensemble(robertson, span, y0, (RATES,), "radau", rtol=1e-12, atol=1e-18).y_end
    jobs = {m: odekit_runs(robertson, span, y0, (RATES,), m, tolerances, 1e-6, 2) for m in ("rodas5p", "auto")}
    with contextlib.suppress(ImportError):
        jobs["numbalsoda"] = numbalsoda_runs(span, y0, tolerances)
    compare("robertson", (1e-4, 1e-5, 1e-6), jobs, reference, "numbalsoda")


def work(pipe):
    """Solve as often as a number of threads is asked for, until it is zero."""
    rho = np.tile(RHO, 4)
    while threads := pipe.recv():
        odekit.solve_ensemble(
            lorenz, (0, 10), [1.0, 0.0, 0.0], (rho,), "dop853", rtol=1e-8, atol=1e-8, executor=threads
        )
        pipe.send(None)


def threads_and_processes():
    """Time of an ensemble on two threads beside that of two ensembles in two processes; they take turns."""
    context = multiprocessing.get_context("spawn")
    pipes, ends = zip(*(context.Pipe() for _ in range(2)), strict=True)
    jobs = [context.Process(target=work, args=(end,)) for end in ends]
    for job in jobs:
        job.start()
    ways = {"processes": (pipes, 1), "threads": (pipes[:1], 2)}
    seconds = dict.fromkeys(ways, np.inf)
    for attempt in range(TURNS + 1):
        for name, (asked, threads) in ways.items():
            begin = time.perf_counter()
            for pipe in asked:
                pipe.send(threads)
            for pipe in asked:
                pipe.recv()
            if attempt > 0:  # the first one compiles
                seconds[name] = min(seconds[name], time.perf_counter() - begin)
    for pipe, job in zip(pipes, jobs, strict=True):
        pipe.send(0)
        job.join()
    ratio = seconds["processes"] / (2 * seconds["threads"])
    print(f"two threads have {ratio:.3f} of the throughput of two processes")


def main(chosen):
    """Run the comparisons that are named, or all."""
    methods = ("dop853", "vern7", "vern9", "tsit5", "taylor14", "taylor20")
    if not chosen or "lorenz" in chosen:
        one_thread("lorenz", lorenz, [1.0, 0.0, 0.0], RHO, lorenz_equations, methods, 100.0)
    if not chosen or "pendulum" in chosen:
        one_thread("pendulum", pendulum, [1.0, 0.0], RATIO, pendulum_equations, methods, 1.0)
    if not chosen or "robertson" in chosen:
        stiff()
    if not chosen or "threads" in chosen:
        threads_and_processes()


if __name__ == "__main__":
    main(sys.argv[1:])
