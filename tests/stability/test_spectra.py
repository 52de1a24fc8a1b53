import numpy as np
import pytest

from odekit import stability, testset


def pendulum(t, y, damping):
    return [y[1], -np.sin(y[0]) - damping * y[1]]


def test_jacobian_is_exact():
    y = np.array([0.7, -0.3])
    found = stability.jacobian(pendulum, 0.0, y, (0.1,))
    np.testing.assert_allclose(found, [[0.0, 1.0], [-np.cos(0.7), -0.1]], rtol=1e-15, atol=0)


def test_jacobians_along_a_trajectory_from_every_source():
    t, y = np.array([0.0, 1.0]), np.array([[0.1, 2.0], [0.0, 1.0]])
    expected = [[[0, 1], [-np.cos(a), 0]] for a in y[0]]

    def jac(t, y, damping):
        return np.array([[0.0, 1.0], [-np.cos(y[0]), -damping]])

    np.testing.assert_allclose(stability.jacobians(pendulum, t, y, (0.0,)), expected, rtol=1e-15)
    np.testing.assert_allclose(stability.jacobians(pendulum, t, y, (0.0,), jac), expected, rtol=1e-15)
    constant = stability.jacobians(pendulum, t, y, (0.0,), np.eye(2))
    np.testing.assert_array_equal(constant, np.stack([np.eye(2)] * 2))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(2), r"t has shape \(1,\) and y \(2,\)"),
        (np.zeros((2, 3)), r"y \(2, 3\); expected"),
        (np.full((2, 1), np.nan), "finite"),
        (np.zeros((2, 1), dtype=complex), "y must be an array of real numbers, but its dtype is complex128"),
    ],
)
def test_bad_input(y, message):
    with pytest.raises((ValueError, TypeError), match=message):
        stability.jacobians(pendulum, [0.0], y, (0.0,))


def test_a_function_that_is_not_differentiable_needs_a_jacobian():
    with pytest.raises(ValueError, match="no exact Jacobian"):
        stability.jacobian(lambda t, y: [-abs(y[0])], 0.0, [1.0])


def test_spectrum_is_ordered_by_real_part():
    matrix = np.diag([-3.0, 5.0, -1.0])
    values = stability.spectrum(lambda t, y: [-3 * y[0], 5 * y[1], -y[2]], [0.0], np.ones((3, 1)), jac=matrix)
    np.testing.assert_allclose(values, [[5.0, -1.0, -3.0]])


def test_stiffness_ratio_ignores_growth_and_rounding():
    values = [[-1.0, -1000.0, 3.0], [2.0, 3.0, 0.0], [-1e-20, -2.0, -6.0]]
    np.testing.assert_allclose(stability.stiffness_ratio(values), [1000.0, 1.0, 3.0])
    np.testing.assert_allclose(stability.stiffness_index(values, 2.0), [2000.0, 0.0, 12.0])


@pytest.mark.parametrize("norm", [1, 2, np.inf])
def test_logarithmic_norm_is_the_limit_of_its_definition(norm):
    a = np.random.default_rng(0).normal(size=(4, 4))
    h = 1e-7
    limit = (np.linalg.norm(np.eye(4) + h * a, norm) - 1) / h
    assert stability.logarithmic_norm(a, norm) == pytest.approx(limit, rel=1e-5)
    assert stability.logarithmic_norm(np.stack([a, -a]), norm).shape == (2,)


def test_logarithmic_norm_refuses_other_norms():
    with pytest.raises(ValueError, match="norm=3"):
        stability.logarithmic_norm(np.eye(2), 3)


def test_report_of_a_stiff_a_conservative_and_a_contracting_system():
    robertson = testset.ROBER
    y = np.array([robertson.y0, [0.98, 3e-5, 0.02]]).T
    stiff = stability.report(robertson.fun, [0.0, 40.0], y, robertson.args)
    assert stiff.stiff
    assert not stiff.conservative

    free = stability.report(pendulum, [0.0, 1.0], [[0.1, 0.2], [0.0, 1.0]], (0.0,))
    assert free.conservative
    assert not free.stiff
    assert not free.contracting

    decay = stability.report(lambda t, y: [-2 * y[0], -y[1]], [0.0, 1.0], np.ones((2, 2)))
    assert decay.contracting
    assert not decay.unstable
    assert "contracting: yes (logarithmic norm at most -1)" in str(decay)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: stability.jacobian(pendulum, "now", [1.0, 2.0]), ValueError, "t must be a finite number, but it is 'now'"),
        (lambda: stability.jacobian(pendulum, 0.0, [[1.0, 2.0]]), ValueError, r"y must have shape \(n,\), but its shape is \(1, 2\)"),
        (lambda: stability.jacobians(pendulum, [0.0], [[1.0], [np.nan]]), ValueError, r"y must be finite, but y\[1, 0\] is nan"),
        (lambda: stability.report(pendulum, None, [[1.0], [0.0]]), TypeError, "t must be an array of real numbers, but it is None"),
        (lambda: stability.stiffness_ratio("a"), TypeError, "eigenvalues must be an array of numbers, but it is 'a'"),
        (lambda: stability.stiffness_ratio(-1.0), ValueError, r"eigenvalues must have shape \(\.\.\., n\), but their shape is \(\)"),
        (lambda: stability.stiffness_index([-1.0], "long"), ValueError, "span must be a finite number, but it is 'long'"),
        (lambda: stability.logarithmic_norm(np.ones((2, 3))), ValueError, r"matrix must have shape \(\.\.\., n, n\), .* \(2, 3\)"),
        (lambda: stability.logarithmic_norm(None), TypeError, "matrix must be an array of real numbers, but it is None"),
        (lambda: stability.amplification("rk4", "a"), TypeError, "z must be an array of numbers, but it is 'a'"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_quoted(call, error, message):
    with pytest.raises(error, match=message):
        call()
