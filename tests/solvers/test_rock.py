"""Stabilised explicit methods: their tables, and what they are for."""

import contextlib
import os
import subprocess
import sys

import numpy as np
import pytest

import odekit
from odekit import _jit, stability
from odekit.solvers.stabilised_tables import STABILISED
from odekit.stability.amplification import _stabilised

ROWS = {"rock2": (0, 1, 7, 20, 33, 45), "rock4": (0, 1, 7, 20, 33, 49)}
DEGREES = [(name, row) for name, rows in ROWS.items() for row in rows]
POINTS = 40
GRID = np.arange(1, POINTS + 1) / (POINTS + 1)
DIFFUSION = (POINTS + 1.0) ** 2
MODES = np.sin(np.pi * GRID) + 0.5 * np.sin(3 * np.pi * GRID)
RADIUS = 4 * DIFFUSION * np.sin(np.pi * POINTS / 2 / (POINTS + 1)) ** 2


@odekit.inplace
def heat(t, y, dy, diffusion):
    last = y.size - 1
    dy[0] = diffusion * (y[1] - 2.0 * y[0])
    for i in range(1, last):
        dy[i] = diffusion * (y[i - 1] - 2.0 * y[i] + y[i + 1])
    dy[last] = diffusion * (y[last - 1] - 2.0 * y[last])


def exact_heat(t):
    rates = 4 * DIFFUSION * np.sin(np.pi * np.array([1, 3]) / 2 / (POINTS + 1)) ** 2
    return np.exp(-rates[0] * t) * np.sin(np.pi * GRID) + 0.5 * np.exp(-rates[1] * t) * np.sin(3 * np.pi * GRID)


def solve_heat(method, span=(0.0, 0.2), y0=MODES, **options):
    return odekit.solve_ivp(heat, span, y0, method, args=(DIFFUSION,), **{"rtol": 1e-6, "atol": 1e-8} | options)


def coefficients(degree):
    """Butcher's A, b and the weights of the error estimate, the last of which belongs to f(t_new, y_new)."""
    p, mu, m = len(degree.b), degree.recurrence, degree.stages - len(degree.b)
    A = np.zeros((degree.stages + 1, degree.stages))
    A[1, 0] = mu[0]
    for j in range(2, m + 1):
        step, kappa = mu[2 * j - 3 : 2 * j - 1]
        A[j] = (1 + kappa) * A[j - 1] - kappa * A[j - 2]
        A[j, j - 1] += step
    for j in range(1, p + 1):
        A[m + j] = A[m]
        A[m + j, m : m + j] += degree.b if j == p else degree.a[j * (j - 1) // 2 :][:j]
    return A[:-1], A[-1], degree.b_err, m


@pytest.mark.parametrize(("name", "row"), DEGREES)
def test_order_conditions(name, row):
    table = STABILISED[name]
    A, b, error, m = coefficients(table.degrees[row])
    one = np.ones(len(b))
    c = A @ one
    trees = [(1, one), (2, c), (3, c**2), (6, A @ c), (4, c**3), (8, c * (A @ c)), (12, A @ c**2), (24, A @ A @ c)]
    count = {1: 1, 2: 2, 3: 4, 4: 8}
    # the published numbers have 15 digits, of which a hundred stages leave eleven
    for density, phi in trees[: count[table.order]]:
        assert abs(b @ phi * density - 1) < 3e-10
    # the estimate is the difference of two methods, of which the other is of a lower order
    weights = np.zeros(len(b))
    weights[m:] = error[:-1]
    at_end = [1.0] * 3 + [0.5] + [1.0]  # of f(t_new, y_new), up to order 4
    defects = [weights @ phi + error[-1] * end for (_, phi), end in zip(trees[:5], at_end, strict=True)]
    embedded = count[table.embedded_order]
    assert np.max(np.abs(defects[:embedded])) < 3e-10 and abs(defects[embedded]) > 1e-5
    assert c.min() >= 0 and c.max() < 0.8  # never outside of the step


@pytest.mark.parametrize("name", STABILISED)
def test_stability_function(name):
    table = STABILISED[name]
    for degree in table.degrees:
        z = -np.linspace(0.0, degree.reach, 20_001)
        before = [d.reach for d in table.degrees if d.reach < degree.reach]
        z = z[z < -max(before, default=0.0)]  # where these stages are the fewest that do
        factor = np.abs(stability.amplification(name, z))
        assert factor.max() < 1 + 1e-9
        assert np.abs(stability.amplification(name, -1.001 * table.degrees[-1].reach)) > 1
    stages = [degree.stages for degree in table.degrees]
    assert stages == sorted(stages) and stages[0] == table.finishing + 1
    assert table.degrees[-1].reach > (0.8 if name == "rock2" else 0.35) * stages[-1] ** 2


@pytest.mark.parametrize(("name", "row"), DEGREES)
def test_slow_modes_do_not_grow(name, row):
    degree = STABILISED[name].degrees[row]
    # two methods of the table of rock4 leave the unit disc by 0.6 % and 0.8 % around z = -8.4, its author's numbers
    limit = 1.01 if name == "rock4" and row >= 46 else 1 + 1e-9
    z = -np.linspace(0.0, min(degree.reach, 100.0), 1001).astype(complex)
    factor = _stabilised((degree,), z)
    assert np.abs(factor).max() < limit
    A, b, *_ = coefficients(degree)
    direct = 1 + z[1] * b @ np.linalg.solve(np.eye(len(b)) - z[1] * A, np.ones(len(b)))
    assert factor[1] == pytest.approx(direct, rel=1e-11)


@pytest.mark.parametrize("name", STABILISED)
def test_a_step_of_many_stages_has_the_order(name):
    # the last component, which stays zero, asks for 15 stages (rock2: 10) in every step, however short it is
    def system(t, y, fast):
        return [-2.0 * (y[0] - np.sin(t)) * (1.0 + y[0] * y[1]) + np.cos(t), -y[1] * y[1] * (1.0 + t), -fast * y[2]]

    counts, errors = np.array([10, 20, 40]), []
    for count in counts:
        sol = odekit.solve_ivp(
            system, (0, 1), [0.0, 1.0, 0.0], name, args=(60.0 * count,), first_step=1 / count, max_step=1 / count, rtol=1e3,
            atol=1e3,
        )  # fmt: skip
        assert sol.nfev > {"rock2": 9, "rock4": 14}[name] * count
        errors.append(np.abs(sol.y[:, -1] - [np.sin(1), 0.4, 0.0]).max())
    assert abs(np.polyfit(np.log(1 / counts), np.log(errors), 1)[0] - STABILISED[name].order) < 0.3, errors


@pytest.mark.parametrize("name", STABILISED)
def test_heat_equation(name):
    sol = solve_heat(name)
    assert sol.success and np.abs(sol.y[:, -1] - exact_heat(0.2)).max() < 2e-5
    between = solve_heat(name, t_eval=[0.05, 0.1234])
    for t, y in zip(between.t, between.y.T, strict=True):
        assert np.abs(y - exact_heat(t)).max() < 5e-5
    back = odekit.solve_ivp(lambda t, y: 3.0 * y, (1.0, 0.0), [1.0], name, rtol=1e-6, atol=1e-8)
    assert abs(back.y[0, -1] - np.exp(-3)) < 1e-4 and back.t[-1] == 0.0


def test_far_fewer_evaluations_than_an_explicit_method():
    fine = {"span": (0.0, 2.0), "rtol": 1e-3, "atol": 1e-6}
    usual, rock4, rock2 = (solve_heat(name, **fine) for name in ("dopri5", "rock4", "rock2"))
    assert usual.nfev > 7 * rock4.nfev and usual.nfev > 7 * rock2.nfev


def test_the_longest_step_is_that_of_the_most_stages():
    # nothing but stability limits the steps near a steady state
    sol = odekit.solve_ivp(
        lambda t, y: [-1e6 * (y[0] - 1.0), -1.0 * (y[1] - 1.0)], (0, 1), [1.0, 1.0], "rock2", first_step=0.5
    )
    reach = STABILISED["rock2"].degrees[-1].reach
    assert sol.success and sol.nreject == 0 and np.abs(sol.y - 1.0).max() < 1e-5
    assert 0.7 * reach / 1e6 < sol.h.max() < reach / 1e6


def test_a_spectrum_that_is_not_real_shrinks_the_steps():
    sol = odekit.solve_ivp(
        lambda t, y: [-y[0] + 300.0 * y[1], -300.0 * y[0] - y[1]], (0, 1), [1.0, 0.0], "rock4", rtol=1e-5, atol=1e-7
    )
    assert sol.success and np.abs(sol.y[:, -1] - np.exp(-1) * np.array([np.cos(300), -np.sin(300)])).max() < 1e-2
    stopped = odekit.solve_ivp(lambda t, y: [y[0] ** 2], (0, 2), [1.0], "rock2", max_steps=5000)
    assert not stopped.success and stopped.t[-1] < 1.1


def test_a_smooth_start_does_not_hide_the_fast_modes():
    # y0 and f(y0) are an eigenvector of the slowest one
    sol = solve_heat("rock4", y0=np.sin(np.pi * GRID), max_steps=300, rtol=1e-3, atol=1e-5)
    assert sol.success and sol.nreject == 0
    assert np.abs(sol.y[:, -1] - np.exp(-0.2 * 4 * DIFFUSION * np.sin(np.pi / 2 / (POINTS + 1)) ** 2) * np.sin(np.pi * GRID)).max() < 1e-3  # fmt: skip


@pytest.mark.parametrize("name", STABILISED)
def test_never_outside_the_span(name):
    seen = []

    def watched(t, y):
        seen.append(t)
        return [-1000.0 * (y[0] - np.cos(t))]

    with contextlib.nullcontext() if _jit.JIT_DISABLED else pytest.warns(UserWarning, match="Python"):
        sol = odekit.solve_ivp(watched, (0, 1), [0.0], name, rtol=1e-4, atol=1e-4)
    assert sol.success and min(seen) >= 0.0 and max(seen) <= 1.0 and sol.nfev <= len(seen) <= sol.nfev + 5


def test_events_and_steps_by_hand():
    def half(t, y, diffusion):
        return y[20] - 0.5 * MODES[20]

    half.terminal = True
    ended = solve_heat("rock4", events=half, y0=np.sin(np.pi * GRID))
    assert ended.status == 1
    run = odekit.Integrator(heat, 0.0, MODES, 0.2, "rock4", args=(DIFFUSION,), rtol=1e-6, atol=1e-8)
    for _ in range(3):
        run.step()
    kept, times = run.state(), []
    for _ in range(2):
        while run.step():
            times.append(run.t)
        times.append(run.y.sum())
        last = run.y
        run.restore(kept)
    assert times[: len(times) // 2] == times[len(times) // 2 :]
    assert np.array_equal(last, solve_heat("rock4").y[:, -1])


def test_ensembles_give_the_same_bits():
    tolerances = {"rtol": 1e-4, "atol": 1e-6}
    one = odekit.solve_ivp(heat, (0.0, 0.1), MODES, "rock2", args=(DIFFUSION,), t_eval=[0.1], **tolerances)
    many = odekit.solve_ensemble(
        heat, (0.0, 0.1), MODES, method="rock2", args=(DIFFUSION * np.array([0.5, 1.0]),), t_eval=[0.1], **tolerances
    )
    assert np.array_equal(many.y[1, :, 0], one.y[:, 0])


def test_what_is_refused():
    with pytest.raises(ValueError, match="mass_matrix"):
        solve_heat("rock4", mass_matrix=np.eye(POINTS))
    with pytest.raises(ValueError, match="DiscreteAdjoint takes"):
        odekit.adjoint.gradient(heat, [0, 1], MODES, np.ones((POINTS, 2)), "rock4", (1.0,), adjoint="discrete")


PARITY = """
import numpy as np, odekit
sol = odekit.solve_ivp(lambda t, y: [-200.0 * y[0] + y[1], -y[1]], (0, 0.3), [1.0, 1.0], "rock4", rtol=1e-3, atol=1e-3)
print(sol.naccept, *(float(x).hex() for x in sol.y[:, -1]))
"""


def test_without_jit():
    runs = [
        subprocess.run(
            [sys.executable, "-c", PARITY], capture_output=True, text=True, check=True,
            env={**os.environ, "NUMBA_DISABLE_JIT": disabled},
        ).stdout.split()
        for disabled in ("0", "1")
    ]  # fmt: skip
    assert runs[0][0] == runs[1][0]
    ends = [[float.fromhex(x) for x in run[1:]] for run in runs]
    assert ends[0] == pytest.approx(ends[1], rel=1e-9)
