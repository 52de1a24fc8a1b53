"""Robertson's reaction (1966), eleven powers of ten in time.

    y1' = -k1 y1 + k3 y2 y3
    y2' =  k1 y1 - k3 y2 y3 - k2 y2^2
    y3' =  k2 y2^2                         y(0) = (1, 0, 0),  k = (0.04, 3e7, 1e4) 1/s

A fast, a moderate and a slow reaction: after a short transient the problem is extremely stiff. ``method="auto"`` starts with
an explicit method, notices that stability and not accuracy limits its steps, and goes on with an implicit one.
"""

import timeit

from .. import plot, solve_ivp, storage
from ..testset import ROBER

TITLE = "Robertson's reaction: stiff, and found to be stiff"


def solve(end):
    """The reaction up to the time `end`."""
    return solve_ivp(ROBER.fun, (0.0, end), ROBER.y0, method="auto", args=ROBER.args, rtol=1e-8, atol=1e-16)


def run(folder, pictures=True, end=1e11):
    """Solve, save, draw, say what was found; returns the names of the files."""
    sol = solve(end)
    elapsed = min(timeit.repeat(lambda: solve(end), number=1, repeat=5))

    print("   y1' = -k1 y1 + k3 y2 y3,  y3' = k2 y2^2,  y1 + y2 + y3 = 1;  k = (0.04, 3e7, 1e4) 1/s")
    print(f'   method="auto", rtol 1e-8, atol 1e-16, to t = {end:.0e} s: {sol.naccept} steps, {sol.nreject} rejected,')
    print(
        f"   {sol.nfev} evaluations, {sol.njev} Jacobians, {sol.nlu} LU factorisations; {1e3 * elapsed:.1f} ms, once compiled"
    )
    for switch in sol.switches:
        print(f"   {switch.source} -> {switch.target} at t = {switch.t:.3g} s: {switch.reason}")
    print(f"   mass: |y1 + y2 + y3 - 1| at most {abs(sol.y.sum(axis=0) - 1).max():.1e}")
    if end == ROBER.t_span[1]:
        print(f"   largest relative error at the end, against the published reference: {ROBER.error(sol.y[:, -1]):.1e}")

    storage.save(folder / "robertson.h5", sol, overwrite=True, names=("y1", "y2", "y3"), time_unit="s")
    if not pictures:
        return ["robertson.h5"]
    draw(sol, folder / "robertson.png")
    return ["robertson.h5", "robertson.png"]


def draw(sol, path):
    """The three species and the step sizes, over the logarithm of time."""
    with plot.style():
        species, steps = plot.new_axes(2, 1, size=(6.4, 5.2), sharex=True)
        later = slice(1, None)  # t = 0 has no place on a logarithmic axis
        for k, (factor, label) in enumerate(((1, "$y_1$"), (1e4, r"$10^4\, y_2$"), (1, "$y_3$"))):
            species.plot(sol.t[later], factor * sol.y[k][later], color=plot.COLORS[k], label=label)
        species.set_xscale("log")
        species.set_ylabel("concentration")
        species.legend(loc="center left")
        plot.step_sizes(sol, ax=steps)
        steps.set_xlabel("time $t$ (s)")
        steps.set_ylabel("step size (s)")
        plot.save(steps, path)
