"""Ensembles: the front door, what is kept, failures and events of single members, threads and chunks."""

import concurrent.futures

import numpy as np
import pytest
from problems import decay, logistic, oscillator

import odekit
from odekit import Retcode
from odekit.ensemble import _whole_numbers
from odekit.solvers import batch

RATES = np.linspace(0.5, 2.0, 7)
TIGHT = {"method": "tsit5", "rtol": 1e-9, "atol": 1e-12}


def blow_up(t, y, size):
    """y' = size y^2: infinite at t = 1 / size from y = 1."""
    return [size * y[0] * y[0]]


def falls_below(t, y, rate):
    """Zero where y is 1/2."""
    return y[0] - 0.5


falls_below.terminal = True


def with_affect(t, y):
    return y[0]


with_affect.affect = lambda t, y: -y


def test_ends():
    ensemble = odekit.solve_ensemble(decay, (0, 1), [1.0], args=(RATES,), **TIGHT)
    assert ensemble.y.shape == (7, 1, 1) and ensemble.t.shape == (7, 1)
    np.testing.assert_allclose(ensemble.y_end[:, 0], np.exp(-RATES), rtol=1e-8)
    assert ensemble.success.all() and (ensemble.t_end == 1.0).all()
    assert ensemble.message == "7 trajectories: 7 SUCCESS."


def test_each_member_is_the_single_solve():
    starts = np.array([[0.25, 0.5], [0.7, -0.5], [0.1, 2.0]])
    spans = np.array([[0.0, 3.0], [1.0, -2.0], [0.5, 0.5]])
    ensemble = odekit.solve_ensemble(logistic, spans, starts, **TIGHT)
    for k in range(3):
        single = odekit.solve_ivp(logistic, spans[k], starts[k], **TIGHT)
        np.testing.assert_allclose(ensemble.y[k, :, 0], single.y[:, -1], rtol=1e-13)
        assert (ensemble.nfev[k], ensemble.naccept[k]) == (single.nfev, single.naccept)


def test_output_times():
    times = np.linspace(0, 3, 11)
    ensemble = odekit.solve_ensemble(decay, (0, 3), [1.0], args=(RATES,), t_eval=times, **TIGHT)
    assert ensemble.y.shape == (7, 1, 11) and (ensemble.t == times).all()
    np.testing.assert_allclose(ensemble.y[:, 0], np.exp(-RATES[:, None] * times), rtol=1e-7)
    own = np.stack([times / 2, times])
    ensemble = odekit.solve_ensemble(decay, (0, 3), [1.0], args=(RATES[:2],), t_eval=own, **TIGHT)
    np.testing.assert_allclose(ensemble.y[:, 0], np.exp(-RATES[:2, None] * own), rtol=1e-7)


def test_steps_up_to_a_bound():
    options = {**TIGHT, "args": (RATES,), "save": "steps"}
    every = odekit.solve_ensemble(decay, (0, 3), [1.0], **options)
    assert (every.nsaved == every.naccept + 1).all() and (every.t[:, 0] == 0.0).all()
    for k in range(7):
        kept = every.nsaved[k]
        assert every.t[k, kept - 1] == 3.0 and np.isnan(every.t[k, kept:]).all()
        np.testing.assert_allclose(every.y[k, 0, :kept], np.exp(-RATES[k] * every.t[k, :kept]), rtol=1e-7)
    some = odekit.solve_ensemble(decay, (0, 3), [1.0], max_saved=5, **options)
    assert (some.nsaved == 5).all() and (some.y == every.y[:, :, :5]).all() and (some.naccept == every.naccept).all()


def test_a_failing_member_changes_no_other():
    sizes = np.array([0.1, 2.5, 0.2, 0.3])
    times = np.linspace(0, 1, 5)
    ensemble = odekit.solve_ensemble(blow_up, (0, 1), [1.0], args=(sizes,), t_eval=times, **TIGHT)
    assert ensemble.retcode[1] in (Retcode.STEP_TOO_SMALL, Retcode.NONFINITE)
    assert ensemble.success.tolist() == [True, False, True, True]
    assert np.isfinite(ensemble.y[1, 0, :2]).all() and np.isnan(ensemble.y[1, 0, 2:]).all()
    assert ensemble.t_end[1] == pytest.approx(0.4, abs=1e-6)
    assert f"t = {float(ensemble.t_end[1])!r}" in ensemble.describe(1)
    alone = odekit.solve_ensemble(blow_up, (0, 1), [1.0], args=(sizes[[0, 2, 3]],), t_eval=times, **TIGHT)
    assert (alone.y == ensemble.y[[0, 2, 3]]).all()
    ends = odekit.solve_ensemble(blow_up, (0, 1), [1.0], args=(sizes,), **TIGHT)
    assert np.isnan(ends.y_end[:, 0]).tolist() == [False, True, False, False]


def test_a_member_that_raises_or_runs_out_of_steps():
    def raises(t, y, limit):
        if t > limit:
            raise ValueError("too late")
        return [-y[0]]

    ensemble = odekit.solve_ensemble(raises, (0, 1), [1.0], args=(np.array([2.0, 0.5]),), **TIGHT)
    assert ensemble.retcode.tolist() == [Retcode.SUCCESS, Retcode.RHS_RAISED]
    ensemble = odekit.solve_ensemble(decay, (0, 1), [1.0], args=(np.array([0.01, 500.0]),), max_steps=60, **TIGHT)
    assert ensemble.retcode.tolist() == [Retcode.SUCCESS, Retcode.MAX_STEPS]
    with pytest.raises(IndexError, match=r"there is no trajectory 1000: expected a number from 0 to"):
        ensemble.describe(1000)
    assert ensemble.naccept[1] + ensemble.nreject[1] == 60 and "limit of 60 steps" in ensemble.describe(1)


def test_terminal_events():
    options = {**TIGHT, "args": (RATES,), "events": falls_below}
    ensemble = odekit.solve_ensemble(decay, (0, 1), [1.0], **options)
    ends = np.log(2) <= RATES
    assert (ensemble.retcode == np.where(ends, Retcode.TERMINATED, Retcode.SUCCESS)).all()
    np.testing.assert_allclose(ensemble.t_end, np.where(ends, np.log(2) / RATES, 1.0), rtol=1e-8)
    np.testing.assert_allclose(ensemble.y_end[ends, 0], 0.5, rtol=1e-12)
    times = np.linspace(0, 1, 9)
    ensemble = odekit.solve_ensemble(decay, (0, 1), [1.0], t_eval=times, **options)
    assert (np.isfinite(ensemble.y[:, 0]) == (times <= ensemble.t_end[:, None])).all()
    ensemble = odekit.solve_ensemble(decay, (0, np.inf), [1.0], save="steps", **options)
    for k in range(7):
        last = ensemble.nsaved[k] - 1
        assert ensemble.t[k, last] == ensemble.t_end[k] and ensemble.y[k, 0, last] == pytest.approx(0.5, rel=1e-12)


def test_events_are_those_of_single_solves():
    """Two functions, of which one is zero at the start; complex numbers; own spans, both ways in time; none without events."""

    def real(t, y, w):
        return y[0].real

    def imaginary(t, y, w):
        return y[0].imag

    imaginary.direction, real.terminal = -1, 5
    spans = np.stack([np.zeros(7), np.linspace(-8.0, 12.0, 7)], axis=1)
    fun, events = (lambda t, y, w: [1j * w * y[0]]), [real, imaginary]
    ensemble = odekit.solve_ensemble(fun, spans, [1.0 + 0j], (RATES,), events=events, **TIGHT)
    assert ensemble.nevents.shape == (7, 2) and set(ensemble.retcode) == {Retcode.SUCCESS, Retcode.TERMINATED}
    assert len(ensemble.t_events) == len(ensemble.y_events) == 7 and len(ensemble.t_events[2:5]) == 3
    for k in range(7):
        single = odekit.solve_ivp(fun, spans[k], [1.0 + 0j], args=(RATES[k],), events=events, **TIGHT)
        assert ensemble.retcode[k] == single.retcode
        for found, expected in ((ensemble.t_events[k], single.t_events), (ensemble.y_events[k], single.y_events)):
            for part, other in zip(found, expected, strict=True):
                assert part.size == other.size and np.allclose(part.ravel(), other.ravel(), rtol=1e-12, atol=1e-12)
    flat = ensemble.events
    assert flat.t.size == ensemble.nevents.sum() and (np.bincount(flat.trajectory, minlength=7) == flat.kept).all()
    with pytest.raises(IndexError):
        ensemble.t_events[7]
    without = odekit.solve_ensemble(fun, (0, 1), [1.0 + 0j], (RATES,), **TIGHT)
    assert without.t_events is without.y_events is without.nevents is None


@pytest.mark.parametrize("method", ["auto", "bdf", "radau"])
def test_the_bits_do_not_depend_on_threads_or_chunks(method):
    rates = np.geomspace(1, 1e4, 20)

    def relaxation(t, y, rate):
        return [-rate * (y[0] - np.cos(t)), y[0] - y[1]]

    def solve(**options):
        return odekit.solve_ensemble(relaxation, (0, 2), [0.0, 0.0], args=(rates,), method=method, rtol=1e-5, **options)

    reference = solve(executor=1)
    assert reference.success.all() and (method != "auto" or len(set(reference.nswitch.tolist())) > 1)
    for options in ({"executor": 2}, {"executor": 1, "chunksize": 1}, {"executor": 2, "chunksize": 7}):
        other = solve(**options)
        assert (other.y == reference.y).all() and (other.nfev == reference.nfev).all()


def test_complex_states_and_systems_of_second_order():
    ensemble = odekit.solve_ensemble(lambda t, y, w: [1j * w * y[0]], (0, 1), [1.0 + 0j], args=(RATES,), **TIGHT)
    np.testing.assert_allclose(ensemble.y_end[:, 0], np.exp(1j * RATES), rtol=1e-8)
    pendulum = odekit.second_order(lambda t, q, w: [-w * w * q[0]])
    ensemble = odekit.solve_ensemble(pendulum, (0, 1), [1.0, 0.0], (RATES,), "kahanli8", first_step=0.05)
    np.testing.assert_allclose(ensemble.y_end[:, 0], np.cos(RATES), rtol=1e-9)


def test_functions_that_stay_in_python():
    with pytest.warns(odekit.OdekitPerformanceWarning):
        ensemble = odekit.solve_ensemble(
            lambda t, y, k: [-k * y[0] * {"one": 1.0, 2: 2.0}["one"]], (0, 1), [1.0], args=(RATES,), **TIGHT
        )
    np.testing.assert_allclose(ensemble.y_end[:, 0], np.exp(-RATES), rtol=1e-8)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"y0": [1.0, 0.0], "args": ()}, "nothing tells how many trajectories there are"),
        ({"y0": np.ones((3, 2)), "args": (np.ones(4),)}, r"y0 has 3, args\[0\] has 4"),
        ({"y0": np.ones((0, 2))}, "y0 is empty"),
        ({"y0": [[1.0, np.nan]]}, r"y0\[0, 1\] is nan"),
        ({"y0": np.ones((2, 2)), "t_span": np.ones((2, 3))}, r"expected \(2, 2\)"),
        ({"t_eval": [0.5, 2.0]}, "not within `t_span`"),
        (
            {"t_eval": [0.5, 1.0], "y0": np.ones((3, 2)), "t_span": [[0, 1], [1, 0.2], [0, 1]]},
            r"not properly sorted.*\(trajectory 1\)",
        ),
        (
            {"t_eval": [0.5, 1.0], "y0": np.ones((3, 2)), "t_span": [[0, 1], [0, 1], [0.75, 1]]},
            r"0\.5 is outside \[0\.75, 1\.0\] \(trajectory 2\)",
        ),
        ({"save": "all"}, 'expected "end" or "steps"'),
        ({"save": "steps", "t_eval": [0.5]}, "expected one of them"),
        ({"max_saved": 1}, "at least 2"),
        ({"chunksize": 0}, "chunksize=0"),
        ({"executor": 0}, "at least one thread"),
        ({"atol": 0.0}, r"y0\[0, 1\] = 0"),
        ({"events": with_affect}, "the affect of with_affect is Python and does not go with an ensemble"),
        ({"events": lambda t, y: y[0], "t_span": (0, np.inf)}, "an infinite end needs a terminal event"),
        ({"events": falls_below, "max_events": -1}, "max_events=-1; expected an integer of at least 0"),
        ({"t_span": [[np.inf, 1.0]]}, r"t_span\[0\] is .*finite start"),
        ({"method": "rk4"}, "first_step"),
        ({"t_span": (0, np.inf)}, "does not end"),
    ],
)
def test_bad_input(changes, sentence):
    arguments = {"t_span": (0, 1), "y0": [[1.0, 0.0]], **changes}
    with pytest.raises(ValueError, match=sentence):
        odekit.solve_ensemble(oscillator, **arguments)


def test_arguments_and_executors_that_are_none():
    with pytest.raises(
        ValueError, match=r"args\[0\]=\[\[1\.0\], \[2\.0, 3\.0\]\]; expected a number or an array whose rows"
    ):
        odekit.solve_ensemble(oscillator, (0, 1), [1.0, 0.0], args=([[1.0], [2.0, 3.0]],))
    with pytest.raises(
        TypeError, match=r"ThreadPoolExecutor'> is a class; expected an object of it, ThreadPoolExecutor\("
    ):
        odekit.solve_ensemble(oscillator, (0, 1), [[1.0, 0.0]], executor=concurrent.futures.ThreadPoolExecutor)


def test_unknown_options_and_arguments():
    with pytest.raises(TypeError, match="unknown options: workers"):
        odekit.solve_ensemble(oscillator, (0, 1), [[1.0, 0.0]], workers=2)
    with pytest.raises(TypeError, match="numbers, or numeric arrays"):
        odekit.solve_ensemble(oscillator, (0, 1), [[1.0, 0.0]], args=("a",))
    with pytest.raises(TypeError, match="number of threads"):
        odekit.solve_ensemble(oscillator, (0, 1), [[1.0, 0.0]], executor="many")


def test_a_trajectory_of_auto_does_not_remember_the_one_before():
    """Patience and the like begin anew with each trajectory, in whichever order they come."""

    def van_der_pol(t, y, mu):
        return [y[1], mu * (1 - y[0] * y[0]) * y[1] - y[0]]

    mu, options = np.linspace(5, 25, 9), {"tier": "single", "executor": 1, "rtol": 1e-5, "atol": 1e-8}
    runs = [odekit.solve_ensemble(van_der_pol, (0, 20), [2.0, 0.0], (k,), "auto", **options) for k in (mu, mu[::-1])]
    assert (runs[0].y == runs[1].y[::-1]).all() and runs[0].nswitch.max() > 1
    for name in ("nfev", "naccept", "nreject", "nswitch"):
        assert (getattr(runs[0], name) == getattr(runs[1], name)[::-1]).all()


def test_counters_become_whole_numbers_where_they_are():
    counters = np.arange(40_000.0).reshape(-1, 2) - 7.0
    wanted = counters.astype(np.int64)
    numbers = _whole_numbers(counters)
    assert np.array_equal(numbers, wanted) and np.shares_memory(numbers, counters)


def test_arrays_are_made_in_parts_that_ctrl_c_stops(monkeypatch):
    monkeypatch.setattr(batch, "_BYTES_AT_ONCE", 100)  # four rows, then three
    rows = batch.alike([np.nan, 1.0, -2.0], 7)
    assert rows.flags.c_contiguous and np.array_equal(rows, np.tile([np.nan, 1.0, -2.0], (7, 1)), equal_nan=True)
    assert batch.alike(np.ones((2, 0)), 3).shape == (3, 2, 0)
