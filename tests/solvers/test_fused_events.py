"""Terminal events in fused lanes: those of the single tier, located on the dense output, whatever stands beside them."""

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


def rises(t, y, rate):
    return y[1] + 0.9


falls.terminal, falls.direction = True, -1
rises.terminal, rises.direction = 1, 1


def both(fun, span, y0, args, method, **options):
    fused, single = (
        odekit.solve_ensemble(fun, span, y0, args, method, tier=tier, executor=1, **options)
        for tier in ("fused", "single")
    )
    assert fused.tier == "fused"
    for name in ("retcode", "nfev", "naccept", "nreject", "nsaved"):
        assert (getattr(fused, name) == getattr(single, name)).all(), name
    return fused, single


@pytest.mark.parametrize(
    ("method", "kept"),
    [
        pytest.param("dop853", {"t_eval": np.linspace(0, 1.2, 8)}, marks=pytest.mark.thorough),
        ("tsit5", {"save": "steps"}),
        ("yoshida4", {}),
    ],
)
def test_the_events_of_the_single_tier(method, kept):
    """Two functions with directions; the dense output of dop853 costs evaluations, yoshida4 has Hermite's."""
    fun = odekit.second_order(lambda t, q, rate: [-rate * q[0]]) if method == "yoshida4" else rotation
    options = {"events": [falls, rises], "first_step": 0.04, "max_step": 0.04, "rtol": 1e-2, "atol": 1.0, **kept}
    fused, single = both(fun, (0, 1.2), [1.0, 0.0], (RATES,), method, **options)
    assert 0 < np.count_nonzero(fused.retcode == Retcode.TERMINATED) < RATES.size
    np.testing.assert_allclose(fused.t_end, single.t_end, rtol=1e-12)
    np.testing.assert_allclose(fused.y, single.y, rtol=1e-11, atol=1e-11)
    if method == "tsit5":
        np.testing.assert_allclose(fused.t, single.t, rtol=1e-12)
        alone = odekit.solve_ensemble(fun, (0, 1.2), [1.0, 0.0], (RATES[9:10],), method, tier="fused", **options)
        assert (
            alone.t_end[0] == fused.t_end[9]
            and (alone.y[0, :, : alone.nsaved[0]] == fused.y[9, :, : alone.nsaved[0]]).all()
        )


def test_two_zeros_in_a_step_and_values_that_are_left_to_the_single_tier():
    """y = t^2 - 2 size t; an event function that is zero at the start, and one that raises."""

    def parabola(t, y, size):
        return [2 * (t - size)]

    def near_the_bottom(t, y, size):
        if size > 2.95:
            raise ValueError("not here")
        return y[0] + size * size - 0.01 if size != 1.5 else t

    near_the_bottom.terminal = True
    sizes = np.array([1.0, 2.0, 1.5, 3.0, 0.05])
    steps = {"first_step": 0.5, "max_step": 0.5}
    fused, _ = both(parabola, (0, 5), [0.0], (sizes,), "vern7", events=near_the_bottom, **steps)
    assert fused.retcode.tolist() == [1, 1, 0, Retcode.RHS_RAISED, 1]
    np.testing.assert_allclose(fused.t_end[[0, 1, 2, 4]], [0.9, 1.9, 5.0, 0.15], rtol=1e-12)


def test_what_does_not_fit_says_why():
    def second(t, y, rate):
        return y[0]

    second.terminal = 2
    ensemble = odekit.solve_ensemble(rotation, (0, 9), [1.0, 0.0], (RATES,), "tsit5", events=second)
    assert ensemble.tier == "single" and "at a later zero than the first" in ensemble.tier_reason
