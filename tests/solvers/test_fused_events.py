"""Events in fused lanes: those of the single tier, located on the dense output, whatever stands beside them."""

import numpy as np
import pytest

import odekit
from odekit import Retcode, _jit

pytestmark = pytest.mark.skipif(_jit.JIT_DISABLED, reason="generated code needs the compiler")

RATES = np.linspace(0.5, 3.0, 70)


def rotation(t, y, rate):
    return [rate * y[1], -rate * y[0]]


def falls(t, y, rate):
    return y[0] - 0.3


def turns(t, y, rate):
    """Zero at the start already."""
    return y[1]


def rises(t, y, rate):
    return y[1] + 0.9


falls.terminal, falls.direction, rises.direction = 2, -1, 1


def both(fun, span, y0, args, method, **options):
    fused, single = (
        odekit.solve_ensemble(fun, span, y0, args, method, tier=tier, executor=1, **options)
        for tier in ("fused", "single")
    )
    assert fused.tier == "fused"
    for name in ("retcode", "nfev", "naccept", "nreject", "nsaved", "nevents", "nswitch"):
        assert (getattr(fused, name) == getattr(single, name)).all(), name
    return fused, single


def same_events(one, other, rtol=1e-12, atol=1e-11):
    """All zeros of two ensembles, in time and in state."""
    assert len(one.t_events) == len(other.t_events)
    for name in ("function", "trajectory"):
        assert (getattr(one.events, name) == getattr(other.events, name)).all()
    np.testing.assert_allclose(one.events.t, other.events.t, rtol=rtol)
    np.testing.assert_allclose(one.events.y, other.events.y, rtol=rtol, atol=atol)


@pytest.mark.parametrize(
    ("method", "kept"),
    [
        pytest.param("dop853", {"t_eval": np.linspace(0, 6, 8)}, marks=pytest.mark.thorough),
        ("tsit5", {"save": "steps"}),
        ("taylor14", {"t_eval": np.linspace(0, 6, 8)}),
        pytest.param("yoshida4", {}, marks=pytest.mark.thorough),
        pytest.param("rodas5p", {"t_eval": np.linspace(0, 6, 8)}, marks=pytest.mark.thorough),
        pytest.param("rosenbrock23", {"save": "steps"}, marks=pytest.mark.thorough),
    ],
)
def test_the_events_of_the_single_tier(method, kept):
    """Three functions, directions, the second zero of one as the end; dop853's dense output costs evaluations, yoshida4 has Hermite's."""
    fun = odekit.second_order(lambda t, q, rate: [-rate * q[0]]) if method == "yoshida4" else rotation
    options = {"events": [falls, turns, rises], "first_step": 0.04, "max_step": 0.04, "rtol": 1e-2, "atol": 1.0, **kept}
    fused, single = both(fun, (0, 6), [1.0, 0.0], (RATES,), method, **options)
    assert 0 < np.count_nonzero(fused.retcode == Retcode.TERMINATED) < RATES.size
    assert (fused.nevents[:, 1] >= 1).all() and set(fused.nevents[:, 0]) == {1, 2} and fused.nevents[:, 2].max() == 1
    np.testing.assert_allclose(fused.t_end, single.t_end, rtol=1e-12)
    np.testing.assert_allclose(fused.y, single.y, rtol=1e-11, atol=1e-11)
    same_events(fused, single)
    if method != "tsit5":
        return
    np.testing.assert_allclose(fused.t, single.t, rtol=1e-12)
    alone = odekit.solve_ensemble(fun, (0, 6), [1.0, 0.0], (RATES[9:10],), method, tier="fused", **options)
    assert alone.t_end[0] == fused.t_end[9]
    assert (alone.y[0, :, : alone.nsaved[0]] == fused.y[9, :, : alone.nsaved[0]]).all()
    # what SciPy's users expect of a trajectory
    del options["save"]
    solution = odekit.solve_ivp(fun, (0, 6), [1.0, 0.0], method, args=(RATES[9],), **options)
    for found, expected in ((fused.t_events, solution.t_events), (fused.y_events, solution.y_events)):
        assert [part.shape for part in found[9]] == [part.shape for part in expected]
        np.testing.assert_allclose(np.concatenate(found[9]), np.concatenate(expected), rtol=1e-12, atol=1e-12)
    for chosen in ({"executor": 2}, {"executor": 2, "chunksize": 7}):
        other = odekit.solve_ensemble(
            fun, (0, 6), [1.0, 0.0], (RATES,), method, tier="fused", **options, **kept, **chosen
        )
        same_events(other, fused, rtol=0, atol=0)


def test_two_zeros_in_a_step_and_values_that_are_left_to_the_single_tier():
    """y = t^2 - 2 size t; an event function that is zero at the start, and one that raises."""

    def parabola(t, y, size):
        return [2 * (t - size)]

    def near_the_bottom(t, y, size):
        if size > 2.95 and t > 1.0:
            raise ValueError("not here")
        return y[0] + size * size - 0.01 if size != 1.5 else t

    steps, sizes = {"first_step": 0.5, "max_step": 0.5}, np.array([1.2, 2.2, 1.5, 3.0, 0.05])
    fused, single = both(parabola, (0, 5), [0.0], (sizes,), "tsit5", events=near_the_bottom, **steps)
    assert fused.retcode.tolist() == [0, 0, 0, Retcode.RHS_RAISED, 0]
    assert fused.nevents[:, 0].tolist() == [2, 2, 1, 0, 1]
    same_events(fused, single)
    np.testing.assert_allclose(np.concatenate([fused.t_events[k][0] for k in (0, 1, 4)]), [1.1, 1.3, 2.1, 2.3, 0.15])
    assert fused.t_events[2][0].tolist() == [0.0]
    near_the_bottom.terminal = True
    fused, _ = both(parabola, (0, 5), [0.0], (sizes,), "tsit5", events=near_the_bottom, **steps)
    assert fused.retcode.tolist() == [1, 1, 0, Retcode.RHS_RAISED, 1]
    np.testing.assert_allclose(fused.t_end[[0, 1, 2, 4]], [1.1, 2.1, 5.0, 0.15], rtol=1e-12)


def test_a_zero_is_lost_by_nobody():
    """Many zeros: those beyond the bound are counted; the log is emptied often enough."""

    def wave(t, y, rate):
        return np.cos(40.0 * y[0])

    options = {"method": "tsit5", "events": wave, "first_step": 0.05, "max_step": 0.05}
    fused, single = both(lambda t, y, rate: [rate], (0, 10), [0.0], (RATES,), **options)
    exact = np.floor(40.0 * RATES * 10 / np.pi + 0.5).astype(int)
    assert (fused.nevents[:, 0] == exact).all() and fused.message == "70 trajectories: 70 SUCCESS."
    same_events(fused, single)
    some = odekit.solve_ensemble(lambda t, y, rate: [rate], (0, 10), [0.0], (RATES,), max_events=100, **options)
    assert (some.nevents == fused.nevents).all() and (some.events.kept == np.minimum(exact, 100)).all()
    assert all((some.t_events[k][0] == fused.t_events[k][0][:100]).all() for k in range(70))
    assert f"{np.count_nonzero(exact > 100)} had more than max_events = 100 events" in some.message
    assert f"Of {exact[-1]} zeros of event functions the first 100 are kept" in some.describe(69)


def relaxation(t, y, rate):
    """Stiff for a while around t = 5."""
    return [-(1.0 + rate * np.exp(-((t - 5.0) ** 2))) * (y[0] - np.cos(t))]


def half(t, y, rate):
    return y[0] - 0.5


def test_trajectories_that_change_their_method_and_back(monkeypatch):
    """Zeros are found by either method and counted across the changes; each trajectory has its own span."""
    rates = np.geomspace(1.0, 1e5, 12)
    spans = np.stack([np.linspace(0.0, 0.5, 12), np.linspace(12.0, 20.0, 12)], axis=1)
    args = (relaxation, spans, [0.6], (rates,))
    options = {"events": half, "rtol": 1e-8, "atol": 1e-8, "executor": 1}
    ensemble = odekit.solve_ensemble(*args, "auto", tier="fused", **options)
    assert ensemble.success.all() and ensemble.nswitch[0] == 0
    assert (ensemble.nswitch[rates > 1e3] >= 2).all() and (ensemble.nswitch % 2 == 0).all()  # at the end none is stiff
    exact = odekit.solve_ensemble(*args, "rodas5p", tier="single", **{**options, "rtol": 1e-11, "atol": 1e-11})
    assert (ensemble.nevents == exact.nevents).all() and ensemble.nevents.min() >= 3
    same_events(ensemble, exact, rtol=2e-6, atol=1e-12)
    monkeypatch.setattr(half, "terminal", 3, raising=False)
    ended = odekit.solve_ensemble(*args, "auto", tier="fused", **options)
    assert (ended.retcode == Retcode.TERMINATED).all() and (ended.nevents == 3).all()
    assert all(ended.t_end[k] == ensemble.t_events[k][0][2] for k in range(12))
