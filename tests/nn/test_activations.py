import numpy as np
import pytest

from odekit import vmath
from odekit.nn import activations, header
from odekit.nn.field_kernels import call

from .reference import FUNCTIONS

POINTS = np.concatenate((np.linspace(-30, 30, 601), [-1e-300, 1e-300, -700.0, 700.0]))


def evaluate(name, z, order=2, dtype="float64"):
    """Value, first and second derivative of an activation."""
    p = np.zeros(4 * z.size + 64)
    p[header.ORDER], p[header.SIZE] = order, p.size
    values, derivatives = z.astype(dtype), np.full(2 * z.size, np.nan, dtype=dtype)
    assert call(activations.address(name, dtype), float(z.size), values.view(float), derivatives.view(float), p) == 0
    return values, derivatives[: z.size], derivatives[z.size :]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_value(name):
    exact = FUNCTIONS[name](POINTS.astype(np.longdouble)).astype(float)
    np.testing.assert_allclose(evaluate(name, POINTS)[0], exact, rtol=2e-15)


def test_tanh_is_within_a_few_units_of_the_last_place():
    rng = np.random.default_rng(0)
    z = np.concatenate((rng.uniform(-1, 1, 50_000), rng.uniform(-20, 20, 50_000), 10.0 ** rng.uniform(-300, 0, 1000)))
    values, exact = evaluate("tanh", z)[0], np.tanh(z.astype(np.longdouble))
    assert (np.abs(values - exact) / np.spacing(np.abs(exact.astype(float)))).max() < 3.6
    assert np.array_equal(values, -evaluate("tanh", -z)[0])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_are_those_of_the_value_and_of_each_other(name):
    z = POINTS[np.abs(POINTS) <= 30] + 0.0137  # no kink of relu and elu within a step
    h = 1e-3
    values, first, second = zip(*(evaluate(name, z + k * h) for k in (-2, -1, 0, 1, 2)), strict=True)
    for function, derivative in ((values, first[2]), (first, second[2])):
        quotient = (8 * (function[3] - function[1]) - (function[4] - function[0])) / (12 * h)
        np.testing.assert_allclose(derivative, quotient, rtol=1e-9, atol=2e-11)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_lower_orders_give_the_same_bits_and_leave_the_rest_alone(name):
    values, first, _ = evaluate(name, POINTS)
    values_1, first_1, untouched = evaluate(name, POINTS, order=1)
    assert np.array_equal(values, values_1)
    np.testing.assert_allclose(first, first_1, rtol=1e-14)
    assert np.isnan(untouched).all()
    values_0, *untouched = evaluate(name, POINTS, order=0)
    assert np.array_equal(values, values_0)
    assert np.isnan(untouched).all()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nan_stays_and_infinity_is_a_limit(name):
    values, first, second = evaluate(name, np.array([np.nan, np.inf, -np.inf]))
    assert np.isnan(values[0])
    if name != "sin":
        assert not np.isnan(values[1:]).any()
        assert not np.isnan(first[1:]).any()
        assert not np.isnan(second[1:]).any()


def test_sine_of_any_angle():
    z = np.array([0.5, 1e7, -1e15, vmath.ANGLE_LIMIT])
    values, first, second = evaluate("sin", z)
    np.testing.assert_allclose(values, np.sin(z), rtol=1e-15)
    np.testing.assert_allclose(first, np.cos(z), rtol=1e-15)
    np.testing.assert_allclose(second, -np.sin(z), rtol=1e-15)
