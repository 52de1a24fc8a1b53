import numpy as np
import pytest

from odekit import _jit
from odekit.stability import lyapunov_exponents


def lorenz(t, y, rho):
    return [10 * (y[1] - y[0]), y[0] * (rho - y[2]) - y[1], y[0] * y[1] - 8 / 3 * y[2]]


def test_exponents_of_a_linear_system_are_the_real_parts():
    matrix = np.array([[-1.0, 3.0, 0.0], [-3.0, -1.0, 0.0], [0.5, 0.2, -4.0]])

    def linear(t, y):
        return matrix @ y

    found = lyapunov_exponents(linear, (0, 100), [1.0, 0.0, 1.0], jac=matrix)
    np.testing.assert_allclose(found.exponents, [-1.0, -1.0, -4.0], atol=0.02)
    assert np.sum(found.exponents) == pytest.approx(-6.0, rel=1e-6)  # the trace, whatever the time
    assert found.dimension == 0.0


@pytest.mark.skipif(_jit.JIT_DISABLED, reason="long")
def test_lorenz():
    # J. C. Sprott, "Chaos and Time-Series Analysis" (2003): 0.9056, 0, -14.5723; dimension 2.0621
    found = lyapunov_exponents(lorenz, (0, 1000), [1.0, 1.0, 1.0], (28.0,), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found.exponents, [0.9056, 0.0, -14.5723], atol=0.015)
    assert np.sum(found.exponents) == pytest.approx(-41 / 3, rel=1e-5)
    assert found.dimension == pytest.approx(2.0621, abs=0.002)
    assert np.all(np.abs(found.exponents - [0.9056, 0.0, -14.5723]) < 6 * found.error)
    assert found.history.shape == (found.t.size, 3)


def test_the_largest_only_and_the_same_again():
    runs = [lyapunov_exponents(lorenz, (0, 20), [1.0, 1.0, 1.0], (28.0,), k=1, transient=5.0, rng=3) for _ in range(2)]
    assert runs[0].exponents.shape == (1,)
    assert runs[0].exponents[0] > 0.0
    np.testing.assert_array_equal(runs[0].history, runs[1].history)
    assert np.isnan(runs[0].dimension)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 4}, "from 1 to 3"),
        ({"transient": -1.0}, "transient=-1.0"),
        ({"rng": 0, "t_span": (0.0, np.inf)}, "finite end"),
    ],
)
def test_bad_input(options, message):
    span = options.pop("t_span", (0.0, 10.0))
    with pytest.raises(ValueError, match=message):
        lyapunov_exponents(lorenz, span, [1.0, 1.0, 1.0], (28.0,), **options)


def test_a_failing_integration_says_where():
    with pytest.raises(RuntimeError, match="t = "):
        lyapunov_exponents(lambda t, y: [y[0] * y[0]], (0, 3), [1.0], transient=0.0)
