"""Work-precision diagrams: time against error, odekit beside every peer that is installed.

    python asv_benchmarks/peers/work_precision.py [--problems ROBER,LORENZ] [--out docs] [--draw]

Each solver runs over a range of tolerances; its time at a wanted error is interpolated between runs. Everything happens in
one process, each on one thread, warm: compilation is not counted. The runs are kept in
``<out>/work_precision.json`` (``--problems`` replaces only those), the table in ``<out>/work_precision.md`` and the pictures
in ``<out>/images``; ``--draw`` makes table and pictures again without running anything. A peer whose package is missing is
named and left out: numbalsoda, scikit-sundae, pydiffsol, diffrax, heyoka (SciPy is always there).
"""

import argparse
import contextlib
import datetime
import importlib.metadata
import json
import math
import os
import pathlib
import platform
import sys
import warnings

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import adapters  # noqa: E402  (after the number of threads is set)
import report  # noqa: E402
from cases import NAMES, case  # noqa: E402
from measure import curve, prepared  # noqa: E402

PACKAGES = (
    "odekit", "numba", "numpy", "scipy", "numbalsoda", "scikit-sundae", "pydiffsol", "diffrax", "jax", "heyoka",
)  # fmt: skip


def machine():
    """What ran this: processor, number of cores, Python and packages."""
    model = platform.processor()
    with contextlib.suppress(OSError):
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(": ")[1] for line in lines if line.startswith("model name")), model)
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {"processor": model, "cores": os.cpu_count(), "python": platform.python_version(), "versions": versions}


@contextlib.contextmanager
def quiet():
    """Without what solvers in C print to standard error about their loosest runs."""
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def build(problem, modules):
    """All solvers for a problem, compiled: list of ``(package, method, runs)``."""
    found = []
    for module in modules:
        for method in module.methods(problem):
            try:
                with quiet():
                    found.append((module.NAME, method, prepared(problem, module.make(problem, method))))
            except Exception as error:  # a peer that cannot do it is told, not hidden
                print(f"  {module.NAME} {method}: {type(error).__name__}: {error}"[:200], flush=True)
    return found


def survey(problem, solvers):
    """Runs of all solvers on a problem: ``{package: {method: [(rtol, seconds, error), ...]}}``, finite errors only."""
    found = {}
    for package, method, runs in solvers:
        with quiet():
            measured = curve(problem, runs)
        found.setdefault(package, {})[method] = [
            [float(f"{x:.4g}") for x in run] for run in measured if math.isfinite(run[2])
        ]
    return found


def main():
    """Run what is asked for and write table and pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", default=",".join(NAMES), help="names of the test set, with commas between them")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parents[2] / "docs")
    parser.add_argument("--draw", action="store_true", help="only draw the runs that are there")
    arguments = parser.parse_args()
    store = arguments.out / "work_precision.json"
    results = json.loads(store.read_text()) if store.exists() else {"problems": {}}
    if not arguments.draw:
        modules, missing = adapters.load()
        for name in missing:
            print(f"left out: {name}")
        (arguments.out / "images").mkdir(parents=True, exist_ok=True)
        results["machine"], results["missing"] = machine(), missing
        results["right_hand_sides"] = {module.NAME: module.RHS for module in modules}
        for name in arguments.problems.split(","):
            print(name, flush=True)
            date = datetime.date.today().isoformat()
            results["problems"][name] = {"date": date, "runs": survey(case(name), build(case(name), modules))}
            store.write_text(json.dumps(results) + "\n")
    report.write(results, arguments.out)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
