"""Fused lanes: the steps of the single tier, the same bits whatever stands beside them, and a cache that is never stale."""

import math
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import odekit
from odekit import Retcode, _jit
from odekit._lane_field import unpacked
from odekit._wrapper_source import Unsupported
from odekit.solvers.rosenbrock_tables import ROSENBROCK
from odekit.solvers.symplectic import SPLITTINGS
from odekit.solvers.tables import EXPLICIT

pytestmark = pytest.mark.skipif(_jit.JIT_DISABLED, reason="generated code needs the compiler")

RHO = np.linspace(0, 21, 300)


def lorenz(t, u, rho):
    x, y, z = u
    return [10 * (y - x), x * (rho - z) - y, x * y - 8 / 3 * z]


def driven(t, y, rate, shift):
    return [y[1], -rate * math.sin(y[0]) + 0.1 * np.cos(t + shift)]


def driven_by_numpy(t, y, rate, shift):
    """The same for complex numbers too, by which the single tier differentiates."""
    return [y[1], -rate * np.sin(y[0]) + 0.1 * np.cos(t + shift)]


def both(fun, t_span, y0, args, method, **options):
    return [
        odekit.solve_ensemble(fun, t_span, y0, args, method, tier=t, executor=1, **options) for t in ("fused", "single")
    ]


def thorough(names, quick):
    """Parameters of a test, of which those that are not quick are left to a thorough run."""
    return [pytest.param(name, marks=[] if name in quick else pytest.mark.thorough) for name in names]


SERIES = ["taylor14", "taylor20"]
NAMES = [*(name for name in EXPLICIT if name not in ("vern9", "dopri5", "midpoint", "rk4")), *ROSENBROCK, *SERIES]


@pytest.mark.parametrize("method", thorough(NAMES, ("tsit5", "dop853", "rodas5p", "taylor14")))
def test_the_numbers_of_the_single_tier(method):
    """The same attempts and evaluations, and the same numbers; both ways in time, with outputs and without.

    With equal steps they agree to rounding. With free ones they agree as far as rounding lets the error estimate of a
    short step, hence the size of the next, be known.
    """
    field = driven_by_numpy if method in ROSENBROCK else driven
    spans = np.array([[0.0, 2.0], [2.0, 0.5], [1.0, 1.0], [0.0, 1.5], [-1.0, 2.0]])
    args = (np.array([1.0, 3.0, 2.0, 0.5, 5.0]), 0.3)
    times = np.stack([np.linspace(*span, 6) for span in spans])
    equal = {"first_step": 0.06, "max_step": 0.06, "rtol": 1e-2, "atol": 1.0}
    free = {"rtol": 1e-5, "atol": 1e-7}
    for kept in ({"t_eval": times[:2]}, {"save": "steps"}, {}):
        k = 2 if "t_eval" in kept else 5
        span = spans[:k] if "t_eval" in kept else spans
        for steps, tolerance in ((equal, 1e-12), (free, 1e-6)):
            if steps is free and method == "euler":
                continue
            fused, single = (
                odekit.solve_ensemble(
                    field, span, [1.0, 0.2], (args[0][:k], args[1]), method, tier=tier, executor=1, **steps, **kept
                )
                for tier in ("fused", "single")
            )
            assert (fused.tier, single.tier) == ("fused", "single") and fused.success.all()
            np.testing.assert_allclose(fused.y, single.y, rtol=tolerance, atol=tolerance)
            for name in ("nfev", "naccept", "nreject", "nsaved"):
                assert (getattr(fused, name) == getattr(single, name)).all(), name


def test_symplectic_methods():
    """With times, velocities, parameters, carries of long runs; explicit methods take such systems too."""

    def force(t, q, k, _):
        return [-k * math.sin(q[0]) + 0.1 * q[1], 0.1 * q[0] - q[1] + 0.01 * np.cos(t)]

    systems = {
        "yoshida6": odekit.separable(lambda t, p, _, mass: [p[0] / mass, p[1]], force),
        **dict.fromkeys(("leapfrog", "tsit5"), odekit.second_order(force)),
    }
    args = (np.linspace(0.5, 2.0, 5), 1.5)
    spans = np.array([[0.0, 40.0], [1.0, -30.0], [0.0, 0.05], [0.0, 100.0], [2.0, 50.01]])
    times = np.stack([np.linspace(*span, 7) for span in spans])
    options = {"first_step": 0.02, "max_step": 0.02, "rtol": 1e-2, "atol": 1.0}
    for kept, (method, system) in zip(({"t_eval": times}, {"save": "steps"}, {}), systems.items(), strict=True):
        fused, single = both(system, spans, [1.0, 0.2, 0.0, 0.5], args, method, **options, **kept)
        assert fused.tier == "fused" and fused.success.all()
        np.testing.assert_allclose(fused.y, single.y, rtol=1e-12, atol=1e-12)
        assert (fused.nfev == single.nfev).all() and (fused.naccept == single.naccept).all()


@pytest.mark.parametrize("method", thorough(sorted(set(SPLITTINGS) - {"yoshida6", "leapfrog"}), ("kahanli6",)))
def test_symplectic_lanes_are_scalar_solves(method):
    """Each trajectory, with its own span, is that of `solve_ivp`, and the energy of a pendulum stays."""
    rates, spans = np.linspace(0.5, 2.0, 5), np.stack([np.zeros(5), np.linspace(10.0, 30.0, 5)], axis=1)
    pendulum = odekit.second_order(lambda t, q, rate: [-rate * math.sin(q[0])])
    ensemble = odekit.solve_ensemble(pendulum, spans, [1.0, 0.0], (rates,), method, first_step=0.04, tier="fused")
    for k, rate in enumerate(rates):
        scalar = odekit.solve_ivp(pendulum, spans[k], [1.0, 0.0], method, args=(rate,), first_step=0.04)
        np.testing.assert_allclose(ensemble.y_end[k], scalar.y[:, -1], rtol=1e-12, atol=1e-12)
        assert (ensemble.nfev[k], ensemble.naccept[k]) == (scalar.nfev, scalar.naccept)
    q, v = ensemble.y_end.T
    np.testing.assert_allclose(v * v / 2 - rates * np.cos(q), -rates * np.cos(1.0), rtol=1e-6)


def test_an_angle_beyond_the_range_of_vmath_is_left_to_the_single_tier():
    def field(t, y, size):
        return [1e13 * size, math.sin(y[0])]

    sizes = np.array([1.0, 5.0, 2.0])
    for kept in ({}, {"t_eval": [0.0, 0.5, 1.0]}):
        fused, single = both(field, (0, 1), [0.0, 1.0], (sizes,), "rk4", first_step=0.125, **kept)
        assert fused.tier == "fused" and fused.success.all()
        assert (fused.y[1] == single.y[1]).all() and fused.naccept.tolist() == [8, 8, 8]
        np.testing.assert_allclose(fused.y, single.y, rtol=1e-12)


def test_the_bits_do_not_depend_on_neighbours_chunks_or_threads():
    options = {"method": "tsit5", "tier": "fused"}
    reference = odekit.solve_ensemble(lorenz, (0, 5), [1.0, 0.0, 0.0], (RHO,), executor=1, **options)
    for chosen in (
        {"executor": 2},
        {"executor": 1, "chunksize": 1},
        {"executor": 2, "chunksize": 7},
        {"chunksize": 1000},
    ):
        other = odekit.solve_ensemble(lorenz, (0, 5), [1.0, 0.0, 0.0], (RHO,), **options, **chosen)
        assert (other.y == reference.y).all() and (other.nfev == reference.nfev).all()
    shuffled = np.random.default_rng(0).permutation(RHO.size)
    other = odekit.solve_ensemble(lorenz, (0, 5), [1.0, 0.0, 0.0], (RHO[shuffled],), executor=1, **options)
    assert (other.y == reference.y[shuffled]).all()


def test_failures_stay_with_their_member():
    def field(t, y, size, limit):
        if y[0] > limit:
            raise ValueError("too large")
        return [size * y[0] * y[0]]

    # no output falls on the pole of the second, where the state is as good as nothing
    size, limit = np.array([0.1, 2.6, 0.2, 2.0, 0.3]), np.array([1e300, 1e300, 1e300, 3.0, 1e300])
    fused, single = both(field, (0, 1), [1.0], (size, limit), "tsit5", t_eval=np.linspace(0, 1, 6))
    assert fused.retcode.tolist() == [0, Retcode.STEP_TOO_SMALL, 0, Retcode.RHS_RAISED, 0] == single.retcode.tolist()
    np.testing.assert_allclose(fused.y, single.y, rtol=1e-9)
    alone = odekit.solve_ensemble(field, (0, 1), [1.0], (size[::2], limit[::2]), "tsit5", t_eval=np.linspace(0, 1, 6))
    assert alone.tier == "fused" and (alone.y == fused.y[::2]).all()
    for options, code in (({"max_steps": 5}, Retcode.MAX_STEPS), ({}, Retcode.NONFINITE)):
        logarithm, _ = both(
            lambda t, y, a: [np.log(a - t)], (0, 1), [0.0], (np.array([2.0, -1.0, 0.5]),), "tsit5", **options
        )
        assert logarithm.retcode[1] == Retcode.NONFINITE and logarithm.retcode[2] == code


def test_forms_of_functions():
    def array(t, y, k):
        return np.array([-k[0] * y[0], k[1] * y[0]])

    def loop(t, y, dydt, k):
        for i in range(2):
            dydt[i] = -k[i] * y[i]

    rates = np.random.default_rng(1).uniform(0.5, 2.0, (9, 2))
    for function in (array, odekit.inplace(loop), __import__("numba").njit(array)):
        fused, single = both(function, (0, 1), [1.0, 0.5], (rates,), "tsit5")
        assert fused.tier == "fused"
        np.testing.assert_allclose(fused.y, single.y, rtol=1e-12)


def test_what_does_not_fit_runs_otherwise_and_says_why():
    def product(t, y, a):
        return a * np.dot(MATRIX, y)

    ensemble = odekit.solve_ensemble(product, (0, 1), np.ones((3, 2)), (2.0,), "tsit5")
    assert ensemble.tier == "single" and "does not compile on numbers" in ensemble.tier_reason
    with pytest.raises(ValueError, match="tier='fused' cannot be: fun does not compile"):
        odekit.solve_ensemble(product, (0, 1), np.ones((3, 2)), (2.0,), "tsit5", tier="fused")
    with pytest.raises(Unsupported, match="are 1088 numbers, and lanes have room for 1024"):
        unpacked((("array", (64,)),) * 17)
    many = odekit.solve_ensemble(lambda t, y: -y, (0, 1), np.ones((2, 21)), (), "tsit5")
    assert many.tier == "single" and "more than 20 components" in many.tier_reason


MATRIX = np.array([[-1.0, 0.5], [0.0, -2.0]])


def test_elementary_functions_are_replaced():
    def field(t, y, k):
        return [np.exp(-k * y[0]) + math.sin(t) - np.tanh(y[0])]

    args = (np.linspace(0.1, 1, 20),)
    options = {"method": "tsit5", "executor": 1, "rtol": 1e-9}
    ours = odekit.solve_ensemble(field, (0, 3), [0.1], args, **options)
    theirs = odekit.solve_ensemble(field, (0, 3), [0.1], args, vmath=False, **options)
    np.testing.assert_allclose(ours.y, theirs.y, rtol=1e-13)
    assert ours.tier == theirs.tier == "fused"


SCRIPT = """
    import sys, numpy as np, odekit
    from odekit import _jit
    FACTOR = float(sys.argv[1])
    def helper(x):
        return FACTOR * x
    def field(t, y, k):
        return [-k * helper(y[0])]
    ensemble = odekit.solve_ensemble(field, (0, 1), [1.0], (np.array([1.0, 2.0]),), "tsit5", rtol=1e-10, atol=1e-12)
    hits = [k.cache_hits for k in _jit.functions.values() if k.__name__.startswith("lanes_")]
    print(ensemble.tier, np.allclose(ensemble.y_end[:, 0], np.exp(-FACTOR * np.array([1.0, 2.0])), rtol=1e-8), hits)
"""


def test_the_second_process_compiles_nothing_and_an_edited_function_is_not_stale(tmp_path):
    def run(factor):
        env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
        command = [sys.executable, "-c", textwrap.dedent(SCRIPT), factor]
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=600, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert run("1.0") == "fused True [0]"
    files = sorted(path.name for path in tmp_path.rglob("*.nb*"))
    assert run("1.0") == "fused True [1]"
    assert files == sorted(path.name for path in tmp_path.rglob("*.nb*"))
    assert run("3.0") == "fused True [0]"  # a global of a helper has changed


def test_functions_of_the_same_name_are_not_merged():
    def make(sign):
        def field(t, y, k):
            return [sign * k * y[0]]

        return field

    for sign in (1.0, -1.0, 1.0):
        ensemble = odekit.solve_ensemble(make(sign), (0, 1), [1.0], (np.array([1.0, 2.0]),), "tsit5", rtol=1e-9)
        np.testing.assert_allclose(ensemble.y_end[:, 0], np.exp(sign * np.array([1.0, 2.0])), rtol=1e-7)
