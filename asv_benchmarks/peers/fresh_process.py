"""From a cold start to the first solution: a fresh process, a function that nobody has seen before.

    python asv_benchmarks/peers/fresh_process.py [rounds]

Each package runs in processes of its own, in turn, so that a busy machine hits all of them; the best of the rounds counts.
Every process imports the package and solves a Lorenz system whose constants differ from any earlier one, so that nothing
of the *user's* function is cached. odekit's own solvers are on disk (`odekit.precompile`), as they are on any machine
that has run it once; SciPy has nothing to compile; diffrax, where it is installed, compiles function and solver together.
The largest error of each package is printed; the tolerances are such that all reach about the same.
"""

import importlib.util
import json
import random
import subprocess
import sys
import tempfile
import textwrap
import time

import numpy as np
from scipy.integrate import solve_ivp

PROGRAMS = {
    "odekit": """
        import odekit
        def f(t, y):
            return [{s} * (y[1] - y[0]), y[0] * ({r} - y[2]) - y[1], y[0] * y[1] - {b} * y[2]]
        y = odekit.solve_ivp(f, (0, 5), [1.0, 0.0, 0.0], method="tsit5", rtol=1e-8, atol=1e-8).y[:, -1]
    """,
    "scipy": """
        from scipy.integrate import solve_ivp
        def f(t, y):
            return [{s} * (y[1] - y[0]), y[0] * ({r} - y[2]) - y[1], y[0] * y[1] - {b} * y[2]]
        y = solve_ivp(f, (0, 5), [1.0, 0.0, 0.0], method="DOP853", rtol=1e-8, atol=1e-8).y[:, -1]
    """,
    "diffrax": """
        import jax
        jax.config.update("jax_enable_x64", True)
        import jax.numpy as jnp, diffrax
        def f(t, y, args):
            return jnp.stack([{s} * (y[1] - y[0]), y[0] * ({r} - y[2]) - y[1], y[0] * y[1] - {b} * y[2]])
        y = diffrax.diffeqsolve(
            diffrax.ODETerm(f), diffrax.Tsit5(), 0.0, 5.0, None, jnp.array([1.0, 0.0, 0.0]), max_steps=100_000,
            stepsize_controller=diffrax.PIDController(rtol=1e-8, atol=1e-8)).ys[-1]
    """,
}
TIMED = """
import json, time
begin = time.perf_counter()
{program}
y = [float(v) for v in y]
print(json.dumps([time.perf_counter() - begin, y]))
"""


def run(program, constants):
    """Seconds within the process, seconds of the whole process, and the solution."""
    source = TIMED.format(program=textwrap.dedent(program).format(**constants))
    with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
        script.write(source)
        script.flush()
        begin = time.perf_counter()
        done = subprocess.run([sys.executable, script.name], capture_output=True, text=True, check=True)
    inside, y = json.loads(done.stdout.splitlines()[-1])
    return inside, time.perf_counter() - begin, y


def main(rounds=5):
    """Run all packages in turn and print a table."""
    packages = [name for name in PROGRAMS if importlib.util.find_spec(name)]
    best = {name: [np.inf, np.inf, 0.0] for name in packages}
    for turn in range(rounds + 1):
        constants = {"s": 10 + random.random() / 10, "r": 28 + random.random(), "b": 8 / 3 + random.random() / 10}
        s, r, b = constants.values()
        reference = solve_ivp(
            lambda t, y, s, r, b: [s * (y[1] - y[0]), y[0] * (r - y[2]) - y[1], y[0] * y[1] - b * y[2]],
            (0, 5), [1.0, 0.0, 0.0], "DOP853", rtol=1e-13, atol=1e-13, args=(s, r, b),
        ).y[:, -1]  # fmt: skip
        for name in packages:
            inside, whole, y = run(PROGRAMS[name], constants)
            if turn:  # the first round only warms the caches
                old, error = best[name], np.max(np.abs(np.array(y) - reference))
                best[name] = [min(old[0], inside), min(old[1], whole), max(old[2], error)]
    print(f"{'':10}{'import + solve':>16}{'whole process':>16}{'ratio':>8}{'error':>10}")
    for name in packages:
        inside, whole, error = best[name]
        print(f"{name:10}{inside:14.2f} s{whole:14.2f} s{whole / best['odekit'][1]:8.2f}{error:10.1e}")
    for name in PROGRAMS.keys() - packages:
        print(f"{name} is not installed")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
