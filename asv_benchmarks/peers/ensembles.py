"""Ensembles at equal error: odekit beside heyoka's batches of eight and numbalsoda's lsoda in a parallel loop.

    python asv_benchmarks/peers/ensembles.py [lorenz] [pendulum] [robertson] [threads]

End states of 10,000 systems. The error is the largest of all trajectories and components against odekit's vern9 at the
tightest tolerance (for Robertson's reaction: radau). Each solver runs over a range of tolerances; its time at a wanted error is
interpolated between two runs, both logarithmic. Best of several runs, warm: compilation is not counted. Lorenz systems and
pendulums run on one thread, Robertson's reaction on two. ``threads`` compares two threads with two processes.
"""

import contextlib
import itertools
import multiprocessing
import sys
import time

import numpy as np
from numba import carray, cfunc, njit, prange, set_num_threads

import odekit

N = 10_000
TOLERANCES = 10.0 ** -np.arange(4, 13)
REPEAT = 3


def lorenz(t, u, rho):
    x, y, z = u
    return [10.0 * (y - x), x * (rho - z) - y, x * y - 8.0 / 3.0 * z]


def pendulum(t, u, ratio):
    return [u[1], -ratio * np.sin(u[0])]


def robertson(t, u, k2):
    slow, fast, mixed = 0.04 * u[0], k2 * u[1] * u[1], 1e4 * u[1] * u[2]
    return [mixed - slow, slow - mixed - fast, fast]


RHO, RATIO, RATES = np.linspace(0.0, 21.0, N), np.linspace(1.0, 10.0, N), np.geomspace(3e6, 3e8, N)


def best(run, repeat=REPEAT):
    """Shortest time, and the result."""
    seconds = np.inf
    for _ in range(repeat):
        begin = time.perf_counter()
        result = run()
        seconds = min(seconds, time.perf_counter() - begin)
    return seconds, result


def at_error(runs, wanted):
    """Time at an error, between the two runs (seconds, error) around it; NaN if it is not reached."""
    found = [
        t0 * (t1 / t0) ** (np.log(e0 / wanted) / np.log(e0 / e1))
        for (t0, e0), (t1, e1) in itertools.pairwise(runs)
        if e0 >= wanted > e1 > 0
    ]
    return min(found, default=np.nan)


def odekit_runs(fun, span, y0, args, method, reference, tolerances=TOLERANCES, scale=1.0, executor=1):
    """Runs (seconds, error) of falling tolerance."""
    runs = []
    for rtol in tolerances:
        options = {"rtol": rtol, "atol": rtol * scale, "executor": executor}
        odekit.solve_ensemble(fun, span, y0, (args[0][:8],), method, **options)
        seconds, ensemble = best(lambda o=options: odekit.solve_ensemble(fun, span, y0, args, method, **o))
        runs.append((seconds, np.abs(ensemble.y_end - reference).max()))
    return runs


def heyoka_runs(equations, span, y0, parameters, reference, tolerances=TOLERANCES):
    """Runs of heyoka's integrator of eight trajectories side by side; its methods' orders follow from the tolerance."""
    import heyoka

    runs, n = [], len(y0)
    for tolerance in tolerances:
        batch = heyoka.taylor_adaptive_batch(
            sys=equations(heyoka), state=np.zeros((n, 8)), pars=np.ones((1, 8)), tol=tolerance
        )
        start, out, ends = np.repeat(np.array(y0)[:, None], 8, axis=1), np.empty((N, n)), [span[1]] * 8

        def run(batch=batch, start=start, out=out, ends=ends):
            for k in range(0, N, 8):
                batch.set_time(span[0])
                batch.state[:] = start
                batch.pars[0] = parameters[k : k + 8]
                batch.propagate_until(ends)
                out[k : k + 8] = batch.state.T
            return out

        seconds, ends = best(run)
        runs.append((seconds, np.abs(ends - reference).max()))
    return runs


def lorenz_equations(heyoka):
    x, y, z = heyoka.make_vars("x", "y", "z")
    return [(x, 10.0 * (y - x)), (y, x * (heyoka.par[0] - z) - y), (z, x * y - 8.0 / 3.0 * z)]


def pendulum_equations(heyoka):
    q, v = heyoka.make_vars("q", "v")
    return [(q, v), (v, -heyoka.par[0] * heyoka.sin(q))]


def numbalsoda_runs(reference, span, y0, tolerances):
    """Runs of numbalsoda's lsoda, called by two threads of a parallel loop."""
    from numbalsoda import lsoda, lsoda_sig

    @cfunc(lsoda_sig)
    def field(t, u_, du_, p_):
        u, du, p = carray(u_, (3,)), carray(du_, (3,)), carray(p_, (1,))
        slow, fast, mixed = 0.04 * u[0], p[0] * u[1] * u[1], 1e4 * u[1] * u[2]
        du[0], du[1], du[2] = mixed - slow, slow - mixed - fast, fast

    address = field.address

    @njit(parallel=True)
    def solve(rates, rtol, atol):
        ends, times, start = np.empty((rates.size, 3)), np.array(span), np.array(y0)
        for k in prange(rates.size):
            states, _ = lsoda(address, start, times, rates[k : k + 1].copy(), rtol, atol)
            ends[k] = states[-1]
        return ends

    set_num_threads(2)
    solve(RATES[:8], 1e-4, 1e-8)
    runs = []
    for rtol in tolerances:
        seconds, ends = best(lambda r=rtol: solve(RATES, r, r * 1e-6), 2)
        runs.append((seconds, np.abs(ends - reference).max()))
    return runs


def compare(name, wanted, ours, theirs):
    """Print the time of each solver at each wanted error, and the ratio of the best of ours to theirs."""
    for error in wanted:
        times = {method: at_error(runs, error) / N * 1e6 for method, runs in ours.items()}
        peer, other = next((p, at_error(runs, error) / N * 1e6) for p, runs in theirs.items())
        listed = ", ".join(f"{method} {value:.2f}" for method, value in times.items())
        ratio = np.nanmin(list(times.values())) / other
        print(f"{name} at error {error:.0e}: {listed}; {peer} {other:.2f} us each; ratio {ratio:.2f}", flush=True)


def one_thread(name, fun, y0, parameters, equations, methods):
    span, args = (0.0, 10.0), (parameters,)
    reference = odekit.solve_ensemble(fun, span, y0, args, "vern9", rtol=3e-14, atol=1e-15).y_end
    ours = {m: odekit_runs(fun, span, y0, args, m, reference) for m in methods}
    theirs = {}
    with contextlib.suppress(ImportError):
        theirs["heyoka"] = heyoka_runs(equations, span, y0, parameters, reference)
    compare(name, (1e-6, 1e-9), ours, theirs or {"heyoka is not installed": []})


def stiff():
    """Robertson's reaction on two threads."""
    span, y0, tolerances = (0.0, 1e5), [1.0, 0.0, 0.0], 10.0 ** -np.arange(3, 10)
    reference = odekit.solve_ensemble(robertson, span, y0, (RATES,), "radau", rtol=1e-12, atol=1e-18).y_end
    ours = {
        m: odekit_runs(robertson, span, y0, (RATES,), m, reference, tolerances, 1e-6, 2)
        for m in ("rodas5p", "radau", "auto")
    }
    theirs = {}
    with contextlib.suppress(ImportError):
        theirs["numbalsoda lsoda"] = numbalsoda_runs(reference, span, y0, tolerances)
    compare("robertson", (1e-5, 1e-7), ours, theirs or {"numbalsoda is not installed": []})


def work(barrier, pipe, threads):
    """Solve again and again; send the trajectories per second."""

    def run():
        return odekit.solve_ensemble(
            lorenz, (0, 10), [1.0, 0.0, 0.0], (np.tile(RHO, 4),), "dop853", rtol=1e-8, atol=1e-8, executor=threads
        )

    run()
    barrier.wait()
    begin = time.perf_counter()
    for _ in range(10):
        run()
    pipe.send(40 * N / (time.perf_counter() - begin))


def threads_and_processes():
    """Throughput of two threads beside that of two processes at the same time."""
    context, rates = multiprocessing.get_context("spawn"), {"processes": 0.0, "threads": 0.0}
    for _ in range(REPEAT):
        for name, workers, threads in (("processes", 2, 1), ("threads", 1, 2)):
            barrier, pipes = context.Barrier(workers), [context.Pipe() for _ in range(workers)]
            jobs = [context.Process(target=work, args=(barrier, pipe[1], threads)) for pipe in pipes]
            for job in jobs:
                job.start()
            rates[name] = max(rates[name], sum(pipe[0].recv() for pipe in pipes))
            for job in jobs:
                job.join()
    print(f"two threads have {rates['threads'] / rates['processes']:.3f} of the throughput of two processes")


def main(chosen):
    """Run the comparisons that are named, or all."""
    methods = ("dop853", "vern7", "vern9", "tsit5")
    if not chosen or "lorenz" in chosen:
        one_thread("lorenz", lorenz, [1.0, 0.0, 0.0], RHO, lorenz_equations, methods)
    if not chosen or "pendulum" in chosen:
        one_thread("pendulum", pendulum, [1.0, 0.0], RATIO, pendulum_equations, methods)
    if not chosen or "robertson" in chosen:
        stiff()
    if not chosen or "threads" in chosen:
        threads_and_processes()


if __name__ == "__main__":
    main(sys.argv[1:])
