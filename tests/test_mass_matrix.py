"""``M dy/dt = f(t, y)`` with a constant matrix M, singular or not."""

import numpy as np
import pytest
from scipy import sparse

import odekit
from odekit import Retcode
from odekit.testset import ROBER

METHODS = ["radau", "rodas5p"]


# differential-algebraic systems ----------------------------------------------------------------------------------------------


def robertson(t, y, k1, k2, k3):
    """Robertson's reaction, with the conservation of mass instead of the third rate."""
    slow, fast, back = k1 * y[0], k2 * y[1] * y[1], k3 * y[1] * y[2]
    return [back - slow, slow - back - fast, y[0] + y[1] + y[2] - 1.0]


def robertson_jac(t, y, k1, k2, k3):
    back, fast = k3 * y[2], 2 * k2 * y[1]
    return np.array([[-k1, back, k3 * y[1]], [k1, -back - fast, -k3 * y[1]], [1.0, 1.0, 1.0]])


TWO_OF_THREE = np.diag([1.0, 1.0, 0.0])


@pytest.mark.parametrize("method", METHODS)
def test_robertson(method):
    settings = dict(args=ROBER.args, rtol=1e-6, atol=[1e-16, 1e-16, 1e-6])
    sol = odekit.solve_ivp(
        robertson, ROBER.t_span, ROBER.y0, method, mass_matrix=TWO_OF_THREE, jac=robertson_jac, **settings
    )
    ode = odekit.solve_ivp(ROBER.fun, ROBER.t_span, ROBER.y0, method, jac=ROBER.jac, **settings)
    assert sol.success and ROBER.error(sol.y[:, -1]) < 1e-6
    assert np.abs(sol.y.sum(axis=0) - 1.0).max() < 1e-14
    assert abs(sol.naccept - ode.naccept) < 0.05 * ode.naccept


def circle(t, y):
    """Solution: cos t, -sin t, cos^2 t."""
    x, v, z = y
    return [v, -x * (z + v * v), z - x * x]


def on_circle(t):
    return np.array([np.cos(t), -np.sin(t), np.cos(t) ** 2])


@pytest.mark.parametrize(
    ("method", "loose", "order"),
    [("radau5", 1e-5, 5), ("radau9", 1e-3, 9), ("radau13", 1e-3, 13), ("rodas5p", 1e-4, 5)],
)
def test_known_solution_and_slope(method, loose, order):
    runs = [
        odekit.solve_ivp(circle, (0, 20), on_circle(0.0), method, rtol=tol, atol=tol, mass_matrix=TWO_OF_THREE)
        for tol in (loose, 1e-8)
    ]
    errors, steps = [np.abs(run.y[:, -1] - on_circle(20.0)).max() for run in runs], [run.naccept for run in runs]
    assert errors[1] < 1e-6
    assert np.log(errors[0] / errors[1]) / np.log(steps[1] / steps[0]) > order - 1


@pytest.mark.parametrize("method", METHODS)
def test_dense_output(method):
    sol = odekit.solve_ivp(
        circle, (0, 6), on_circle(0.0), method, rtol=1e-7, atol=1e-7, mass_matrix=TWO_OF_THREE, dense_output=True
    )
    t = np.linspace(0, 6, 301)
    assert np.abs(sol.sol(t) - on_circle(t)).max() < 1e-5
    at = odekit.solve_ivp(circle, (0, 6), on_circle(0.0), method, t, rtol=1e-7, atol=1e-7, mass_matrix=TWO_OF_THREE)
    np.testing.assert_allclose(at.y, sol.sol(t), rtol=0, atol=1e-14)


def amplifier(t, y):
    """The IVP Test Set's transistor amplifier: eight nodes, five capacitors."""
    first, second = 1e-6 * (np.exp((y[1] - y[2]) / 0.026) - 1), 1e-6 * (np.exp((y[4] - y[5]) / 0.026) - 1)
    source, supply, r = 0.1 * np.sin(200 * np.pi * t), 6.0, 9000.0
    return [
        (source - y[0]) / 1000.0,
        (supply - y[1]) / r - y[1] / r - 0.01 * first,
        first - y[2] / r,
        (supply - y[3]) / r - 0.99 * first,
        (supply - y[4]) / r - y[4] / r - 0.01 * second,
        second - y[5] / r,
        (supply - y[6]) / r - 0.99 * second,
        -y[7] / r,
    ]


PAIR = np.array([[1, -1], [-1, 1]])
CAPACITORS = 1e-6 * sparse.block_diag([PAIR, 2, 3 * PAIR, 4, 5 * PAIR]).tocsr()
AMPLIFIER_START = [0.0, 3.0, 3.0, 6.0, 3.0, 3.0, 6.0, 0.0]
#: At t = 0.2: IVP Test Set (Bari), transistor amplifier, as in cran/deTestSet R/ex_reference.R.
AMPLIFIED = [
    -0.5562145012262709e-2, 0.3006522471903042e1, 0.2849958788608128e1, 0.2926422536206241e1,
    0.2704617865010554e1, 0.2761837778393145e1, 0.4770927631616772e1, 0.1236995868091548e1,
]  # fmt: skip


@pytest.mark.parametrize(("method", "error"), [("auto", 1e-6), ("rodas5p", 1e-5)])
def test_transistor_amplifier(method, error):
    sol = odekit.solve_ivp(
        amplifier, (0, 0.2), AMPLIFIER_START, method, rtol=1e-7, atol=1e-7, mass_matrix=CAPACITORS, t_eval=[0.2]
    )
    assert sol.success and sol.method == {"auto": "radau"}.get(method, method)
    assert np.abs(sol.y[:, -1] / AMPLIFIED - 1).max() < error


def test_difference_quotients_and_a_constant_jacobian():
    def kinked(t, y):  # no complex step passes through it
        return [-abs(y[0]) + 0.0 * y[1], y[1] - 2.0 * abs(y[0])]

    M = [[1, 0], [0, 0]]
    sol = odekit.solve_ivp(kinked, (0, 1), [1.0, 2.0], "radau5", rtol=1e-8, atol=1e-10, mass_matrix=M)
    jac = odekit.solve_ivp(
        kinked, (0, 1), [1.0, 2.0], "radau5", rtol=1e-8, atol=1e-10, mass_matrix=M, jac=[[-1.0, 0.0], [-2.0, 1.0]]
    )
    for run in (sol, jac):
        np.testing.assert_allclose(run.y[:, -1], np.exp(-1) * np.array([1, 2]), rtol=1e-7)


# regular matrices ------------------------------------------------------------------------------------------------------------

REGULAR = np.array([[2.0, 1.0], [-0.5, 3.0]])


def driven(t, y):
    """A driven pendulum."""
    return [y[1], -np.sin(y[0]) + np.cos(2 * t)]


def driven_times_regular(t, y):
    a, b = y[1], -np.sin(y[0]) + np.cos(2 * t)
    return [2.0 * a + b, -0.5 * a + 3.0 * b]


def driven_jac(t, y):
    return np.array([[0.0, 1.0], [-np.cos(y[0]), 0.0]])


def driven_times_regular_jac(t, y):
    c = -np.cos(y[0])
    return np.array([[c, 2.0], [3.0 * c, -0.5]])


@pytest.mark.parametrize("method", METHODS)
def test_regular_matrix_takes_the_steps_of_the_explicit_system(method):
    settings = dict(t_span=(0, 20), y0=[1.0, 0.0], method=method, rtol=1e-7, atol=1e-7)
    plain = odekit.solve_ivp(driven, jac=driven_jac, **settings)
    sol = odekit.solve_ivp(driven_times_regular, jac=driven_times_regular_jac, mass_matrix=REGULAR, **settings)
    assert (sol.naccept, sol.nreject) == (plain.naccept, plain.nreject)
    np.testing.assert_allclose(sol.t, plain.t, rtol=1e-5)
    np.testing.assert_allclose(sol.y[:, -1], plain.y[:, -1], rtol=0, atol=1e-10)


def test_complex_state():
    def rotation(t, y):
        return [-y[0]]

    sol = odekit.solve_ivp(rotation, (0, 1), [1.0 + 0j], "rodas5p", rtol=1e-8, atol=1e-10, mass_matrix=[[1j]])
    np.testing.assert_allclose(sol.y[0, -1], np.exp(1j), rtol=1e-6)


# events ----------------------------------------------------------------------------------------------------------------------


def test_events():
    def crossing(t, y):
        return y[2] - 0.25

    def at_start(t, y):  # zero at the start, and again after a period
        return y[1]

    at_start.terminal = 2
    sol = odekit.solve_ivp(
        circle, (0, 20), on_circle(0.0), rtol=1e-9, atol=1e-9, events=[crossing, at_start], mass_matrix=TWO_OF_THREE
    )
    assert sol.retcode == Retcode.TERMINATED
    np.testing.assert_allclose(sol.t_events[0], np.pi * np.array([1, 2, 4, 5]) / 3, atol=1e-6)
    np.testing.assert_allclose(sol.t_events[1], np.pi * np.array([1, 2]), atol=1e-6)


def ball(t, y):
    """A ball of mass 2 above the floor; the last component is its energy, the first two equations are mixed by M."""
    x, v, energy = y
    return [v - 2.0 * 9.81, -2.0 * 9.81, v * v + 2.0 * 9.81 * x - energy]


BALL = [[1.0, 2.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]]


def bounce(energy_after):
    def floor(t, y):
        return y[0]

    floor.direction = -1
    floor.affect = lambda t, y: [0.0, -0.5 * y[1], energy_after]
    return floor


def test_an_event_changes_the_state_and_the_algebraic_component_follows():
    start = [1.0, 0.0, 2.0 * 9.81]
    sol = odekit.solve_ivp(ball, (0, 1), start, rtol=1e-8, atol=1e-8, events=bounce(77.0), mass_matrix=BALL)
    fall = np.sqrt(2 / 9.81)
    np.testing.assert_allclose(sol.t_events[0], [fall, 2 * fall], rtol=1e-7)
    energies = 2.0 * 9.81 * np.array([1.0, 0.25, 0.0625])
    np.testing.assert_allclose(
        sol.y[2], np.repeat(energies, np.diff([0, *(np.flatnonzero(np.diff(sol.t) == 0) + 1), sol.t.size]))
    )


def test_an_event_leads_to_a_state_that_cannot_be_made_consistent():
    def jump(t, y):
        return t - 0.01

    jump.affect = lambda t, y: y + np.eye(8)[1]
    sol = odekit.solve_ivp(
        amplifier, (0, 0.2), AMPLIFIER_START, rtol=1e-5, atol=1e-5, mass_matrix=CAPACITORS, events=jump
    )
    assert sol.retcode == Retcode.INCONSISTENT and "algebraic equations" in sol.message and abs(sol.t[-1] - 0.01) < 1e-9


# the start -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("eval_", [None, [0.0, 1.0]])
def test_an_inconsistent_start_is_corrected(eval_):
    y0 = [0.6, -0.8, 5.0]
    sol = odekit.solve_ivp(circle, (0, 1), y0, t_eval=eval_, rtol=1e-9, atol=1e-9, mass_matrix=TWO_OF_THREE)
    np.testing.assert_allclose(sol.y[:, 0], [0.6, -0.8, 0.36], rtol=1e-12)
    np.testing.assert_allclose(sol.y[:, -1], on_circle(1.0 + np.arccos(0.6)), atol=1e-7)
    assert y0 == [0.6, -0.8, 5.0]


def test_a_consistent_start_stays_as_it_is():
    y0 = on_circle(0.3)
    assert np.array_equal(odekit.solve_ivp(circle, (0, 1), y0, mass_matrix=TWO_OF_THREE).y[:, 0], y0)


def test_a_start_that_cannot_be_corrected():
    with pytest.raises(ValueError, match=r"residual of 0\.00122, and it is not clear which components"):
        odekit.solve_ivp(amplifier, (0, 0.2), np.array(AMPLIFIER_START) + 1, mass_matrix=CAPACITORS)

    def impossible(t, y):
        return [-y[0], y[1] * y[1] + 1.0]

    with pytest.raises(
        ValueError, match=r"residual of 10, and 10 Newton iterations found no solution for components 1"
    ):
        odekit.solve_ivp(impossible, (0, 1), [1.0, 3.0], mass_matrix=np.diag([1, 0]))


def pendulum(t, y):
    """In Cartesian coordinates, with the force of the rod: index 2 in this form."""
    x, z, u, v, force = y
    return [u, v, -force * x, -force * z - 9.81, x * u + z * v]


def test_a_higher_index_is_refused():
    with pytest.raises(ValueError, match="index higher than 1"):
        odekit.solve_ivp(pendulum, (0, 1), [1.0, 0.0, 0.0, 0.0, 0.0], mass_matrix=np.diag([1, 1, 1, 1, 0]))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (dict(method="tsit5"), "method='tsit5' takes no mass_matrix; expected auto"),
        (dict(method="bdf"), "method='bdf' takes no mass_matrix"),
        (dict(lband=1), "mass_matrix goes with a full Jacobian; leave out jac_sparsity, lband"),
        (dict(mass_matrix=np.eye(2)), r"mass_matrix has shape \(2, 2\); expected \(3, 3\)"),
        (dict(mass_matrix=np.diag([1, np.nan, 0])), r"mass_matrix\[1, 1\] is nan"),
        (dict(mass_matrix=np.diag([1, 1j, 0])), "complex numbers for a real state"),
        (dict(mass_matrix="identity"), "expected a constant matrix"),
        (dict(mass_matrix=lambda t, y: np.eye(3)), "expected a constant matrix"),
    ],
)
def test_bad_input(options, sentence):
    for solve in (
        lambda **rest: odekit.solve_ivp(circle, (0, 1), on_circle(0.0), **rest),
        lambda **rest: odekit.Integrator(circle, 0.0, on_circle(0.0), 1.0, **rest),
    ):
        with pytest.raises(ValueError, match=sentence):
            solve(**{"mass_matrix": TWO_OF_THREE, **options})


@pytest.mark.parametrize("method", METHODS)
def test_ensembles(method, tmp_path):
    """Each trajectory is that of `solve_ivp`, from a corrected start; one that has no consistent start changes no other."""

    def root(t, y, k):
        """y0 = (1 - sqrt(k) t / 2)^2, y1 = sqrt(k y0)."""
        return [-y[1], y[1] * y[1] - k * y[0]]

    def half(t, y, k):
        return y[0] - 0.5

    k, spans = np.array([0.5, 1.0, -1.0, 2.0, 0.3]), np.array([[0, 1], [0, 1], [0, 1], [0, 0.9], [0, -1.5]])
    times = np.linspace(spans[:, 0], spans[:, 1], 4, axis=1)
    settings = dict(rtol=1e-7, atol=1e-9, mass_matrix=np.diag([1.0, 0.0]), events=half)
    given = (root, spans, [1.0, 1.0])
    ensemble = odekit.solve_ensemble(*given, (k,), method, t_eval=times, executor=1, **settings)
    assert (
        ensemble.retcode.tolist() == [0, 0, Retcode.INCONSISTENT, 0, 0]
        and ensemble.tier_reason == "there is a mass matrix"
    )
    assert np.isnan(ensemble.y[2]).all() and "does not satisfy the algebraic equations" in ensemble.describe(2)
    for i in (0, 1, 3, 4):
        exact = (1 - np.sqrt(k[i]) * times[i] / 2) ** 2
        np.testing.assert_allclose(ensemble.y[i], [exact, np.sqrt(k[i] * exact)], rtol=1e-5)
        single = odekit.solve_ivp(root, spans[i], [1.0, 1.0], method, t_eval=times[i], args=(k[i],), **settings)
        np.testing.assert_allclose(ensemble.y[i], single.y, rtol=1e-12)
        assert (ensemble.nfev[i], ensemble.naccept[i]) == (single.nfev, single.naccept)
        np.testing.assert_allclose(ensemble.t_events[i][0], single.t_events[0], rtol=1e-12)
    other = odekit.solve_ensemble(
        *given, (k,), method, t_eval=times, executor=2, chunksize=1, store=tmp_path / "dae", **settings
    )
    assert np.array_equal(other.y, ensemble.y, equal_nan=True) and np.array_equal(other.nfev, ensemble.nfev)
    with pytest.raises(ValueError, match="another problem: mass_matrix"):
        odekit.solve_ensemble(
            *given,
            (k,),
            method,
            t_eval=times,
            store=tmp_path / "dae",
            resume=True,
            **{**settings, "mass_matrix": np.eye(2)},
        )
    with pytest.raises(ValueError, match="tier='fused' cannot be: there is a mass matrix"):
        odekit.solve_ensemble(*given, (k,), method, tier="fused", **settings)
    with pytest.raises(ValueError, match="method='bdf' takes no mass_matrix"):
        odekit.solve_ensemble(*given, (k,), "bdf", **settings)


def test_what_the_right_hand_side_raises():
    def fails(t, y):
        if t > 0:
            raise ZeroDivisionError("no")
        return [1.0, y[1]]

    with pytest.raises(ZeroDivisionError) as caught:
        odekit.solve_ivp(fails, (0, 1), [1.0, 0.0], mass_matrix=[[1, 0], [0, 0]])
    assert caught.value.solution.t[-1] == 0.0


# the integrator --------------------------------------------------------------------------------------------------------------


def test_integrator_resumes_to_the_bit_and_starts_anew():
    def make():
        return odekit.Integrator(
            circle, 0.0, on_circle(0.0), 5.0, "radau5", rtol=1e-6, atol=1e-6, mass_matrix=TWO_OF_THREE
        )

    run, other = make(), make()
    for _ in range(4):
        run.step()
    other.restore(run.state())
    while run.step():
        other.step()
    other.step()
    assert run.t == other.t == 5.0 and np.array_equal(run.y, other.y)
    assert np.abs(run.y - on_circle(5.0)).max() < 1e-4
    run.reinit([1.0, 0.0, 0.0], 0.0)
    assert np.array_equal(run.y, [1.0, 0.0, 1.0])
