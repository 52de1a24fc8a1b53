"""The outer solar system for a thousand years.

    m_i q_i'' = -sum_j G m_i m_j (q_i - q_j) / |q_i - q_j|^3

Sun (with the inner planets), Jupiter, Saturn, Uranus, Neptune and Pluto from 5 September 1994 on, in AU, days and solar
masses (Hairer, Lubich and Wanner, Geometric Numerical Integration, table I.2.2). Neither method knows of the energy: how well
it is kept shows how accurate the trajectory is.
"""

import time

import numpy as np

from .. import plot, solve_ivp, storage
from ..testset import OUTER_SOLAR_SYSTEM as SYSTEM

TITLE = "The outer solar system: a thousand years, energy kept by accuracy"
BODIES = ("Sun", "Jupiter", "Saturn", "Uranus", "Neptune", "Pluto")
YEAR = 365.25  # days
OBLIQUITY = np.radians(23.4393)  # of the ecliptic; the table's frame is equatorial
RTOL = 1e-12
METHODS = ("dop853", "tsit5")
LABELS = {
    "names": [f"{body} {axis}" for part in ("xyz", "uvw") for body in BODIES for axis in part],
    "units": ["AU"] * 18 + ["AU/d"] * 18,
    "time_unit": "d",
}


def solve(method, end):
    """The system up to the day `end`."""
    return solve_ivp(SYSTEM.fun, (0.0, end), SYSTEM.y0, method, args=SYSTEM.args, rtol=RTOL, atol=1e-2 * RTOL)


def run(folder, pictures=True, years=1000):
    """Solve, save, draw, say what was found; returns the names of the files."""
    print(f"   six bodies, 36 equations, {years} years, rtol {RTOL:g}")
    solutions, energies = {}, {}
    for method in METHODS:
        solve(method, YEAR)  # compiles
        start = time.perf_counter()
        sol = solutions[method] = solve(method, years * YEAR)
        elapsed = time.perf_counter() - start
        energy = energies[method] = SYSTEM.energy(sol.y, *SYSTEM.args)
        error = np.max(np.abs(energy / energy[0] - 1))
        print(
            f"   {method}: {sol.naccept} steps, {sol.nfev} evaluations, {1e3 * elapsed:.0f} ms, relative energy error {error:.1e}"
        )
    day = SYSTEM.t_span[1]
    off = np.abs(solve(METHODS[0], day).y[:18, -1] - SYSTEM.y_end[:18]).max()
    print(f"   positions after {day / YEAR:.1f} years, against the 45-digit reference: {off:.1e} AU off at most")

    storage.save(folder / "solar-system.h5", solutions[METHODS[0]], overwrite=True, **LABELS)
    if not pictures:
        return ["solar-system.h5"]
    draw(solutions, energies, folder / "solar-system.png")
    return ["solar-system.h5", "solar-system.png"]


def ecliptic(sol, body):
    """Position relative to the Sun in the plane of the Earth's orbit, (2, nt)."""
    x, y, z = sol.y[3 * body : 3 * body + 3] - sol.y[:3]
    return x, np.cos(OBLIQUITY) * y + np.sin(OBLIQUITY) * z


def draw(solutions, energies, path):
    """Orbits seen from above, and the energy error of both methods."""
    with plot.style():
        orbits, errors = plot.new_axes(1, 2, size=(8.6, 3.9), width_ratios=(1, 1.15))
        for body, name in enumerate(BODIES[1:], 1):
            x, y = ecliptic(solutions[METHODS[0]], body)
            orbits.plot(x, y, color=plot.COLORS[body - 1], linewidth=0.7, label=name)
        orbits.plot(0, 0, "o", color="black", markersize=3)
        orbits.set_aspect("equal")
        place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "fontsize": 8}
        orbits.legend(ncols=5, handlelength=0.9, handletextpad=0.4, columnspacing=0.9, **place)
        orbits.set_xlabel("$x$ (AU), ecliptic plane")
        orbits.set_ylabel("$y$ (AU)")
        for k, (method, sol) in enumerate(solutions.items()):
            label = f"{method}, {sol.naccept} steps"
            plot.energy_error(
                sol.t / YEAR, energies[method], ax=errors, color=plot.COLORS[k], linewidth=0.8, label=label
            )
        errors.set_xlabel("time (years)")
        errors.set_ylabel("relative energy error")
        errors.set_ylim(bottom=1e-14)
        errors.legend(loc="lower right")
        plot.save(errors, path)
