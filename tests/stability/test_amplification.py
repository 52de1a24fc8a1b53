"""Stability functions: they agree with the exponential function to the order of the method, and with the steps it takes."""

import numpy as np
import pytest

import odekit
from odekit import stability
from odekit.solvers.methods import METHODS

ONE_STEP = [name for name, method in METHODS.items() if name != "bdf" and not (method.separable or method.hamiltonian)]


@pytest.mark.parametrize("name", ONE_STEP)
def test_the_order_at_the_origin(name):
    # large enough for a defect that rounding does not hide, small enough for the first term of it
    sizes = 2.0 ** -np.arange(1, 4) * (
        1.0 if METHODS[name].order < 6 else 4.0 if METHODS[name].order < 10 else METHODS[name].order
    )
    defects = np.abs(stability.amplification(name, 1j * sizes) - np.exp(1j * sizes))
    assert np.log2(defects[-2] / defects[-1]) > METHODS[name].order + 0.7


@pytest.mark.parametrize("name", [m for m in ONE_STEP if 0 < METHODS[m].stability_size < np.inf])
def test_the_end_of_the_region_on_the_negative_axis(name):
    size = METHODS[name].stability_size
    assert np.abs(stability.amplification(name, -size)) == pytest.approx(1.0, abs=1e-6)
    assert np.abs(stability.amplification(name, -1.01 * size)) > 1


@pytest.mark.parametrize("name", ["kvaerno3", "kvaerno5", "kencarp4", "trbdf2", "rosenbrock23", "rodas5p", "radau"])
def test_l_stability(name):
    axis = 10.0 ** np.arange(-3, 9)
    assert np.all(np.abs(stability.amplification(name, 1j * axis)) <= 1 + 1e-12)
    assert np.abs(stability.amplification(name, -1e9)) < 1e-6


@pytest.mark.parametrize("name", ["rk4", "gauss4"])
def test_a_step_multiplies_by_it(name):
    step = odekit.solve_ivp(lambda t, y: [-2.0 * y[0]], (0, 0.25), [1.0], name, first_step=0.25)
    assert step.y[0, -1] == pytest.approx(stability.amplification(name, -0.5).real, rel=1e-13)


@pytest.mark.parametrize("order", [5, 9, 13])
def test_radau_by_order(order):
    z = np.array([0.25, 0.5])  # rounding hides less
    defects = np.abs(stability.amplification("radau", 8 * z, order) / np.exp(8 * z) - 1)
    assert np.log2(defects[1] / defects[0]) > order


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_bdf_by_order(order):
    z = -np.array([0.02, 0.04])
    defects = np.abs(stability.amplification("BDF", z, order) - np.exp(z))
    assert np.log2(defects[1] / defects[0]) > order + 0.5
    assert np.abs(stability.amplification("bdf", -1e6, order)) < 1
    if order < 3:  # the formulas are A-stable up to order 2
        assert np.all(np.abs(stability.amplification("bdf", 1j * 10.0 ** np.linspace(-2, 3, 40), order)) <= 1 + 1e-9)


@pytest.mark.parametrize(("method", "order", "text"), [
    ("auto", None, "stability function"), ("leapfrog", None, "stability function"), ("tsit5", 4, "its order is fixed"),
    ("radau", 7, "one of 5, 9, 13"),
])  # fmt: skip
def test_what_has_none(method, order, text):
    with pytest.raises(ValueError, match=text):
        stability.amplification(method, 1.0, order)
