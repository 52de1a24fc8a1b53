"""Networks in single precision give what those in double precision give, to single precision's roundoff."""

import numpy as np
import pytest

from odekit import _jit, vmath
from odekit.adjoint.tape import parameters_in
from odekit.nn import (
    CNF,
    HNN,
    LNN,
    MLP,
    ConcatSquash,
    DeLaN,
    DissipativeHNN,
    NeuralODE,
    ResNet,
    ScaledField,
    SecondOrderODE,
    SeparableHNN,
    fit,
    load,
)
from odekit.nn.trace import TraceField

from .reference import FUNCTIONS
from .test_activations import POINTS, evaluate

ROUNDOFF = float(np.finfo(np.float32).eps)
BOTH = "float64", "float32"
# compiled in double precision, each of these is looked at elsewhere; without the compiler all of them are quick
THOROUGH = [] if _jit.JIT_DISABLED else [pytest.mark.thorough]


def close(single, double, ulps=32):
    """Whether arrays agree, relative to their largest number."""
    np.testing.assert_allclose(single, double, rtol=0, atol=ulps * ROUNDOFF * np.abs(double).max())
    assert not np.array_equal(single, double)  # the numbers are those of single precision indeed


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name == "tanh" else THOROUGH) for name in FUNCTIONS])
def test_activations(name):
    z = POINTS[np.abs(POINTS) <= 30].astype(np.float32)[:600]  # an even number
    exact = evaluate(name, z.astype(float))
    for single, double, digits in zip(evaluate(name, z, dtype="float32"), exact, (4, 16, 16), strict=True):
        assert single.dtype == np.float32
        scale = np.abs(double) if digits == 4 and name != "sin" else np.maximum(np.abs(double), 1.0)
        assert (np.abs(single - double) <= digits * ROUNDOFF * scale).all()


def test_network():
    rng = np.random.default_rng(0)
    sizes = [2, 9, 70, 66, 2]  # more than one tile in a product
    double, single = (MLP(sizes, rng=0, time_dependent=True, dtype=dtype) for dtype in BOTH)
    double.params = single.params = rng.standard_normal(double.params.size) / 4
    assert np.array_equal(parameters_in(single.pack(3), single), single.params.astype(np.float32))
    x, v = rng.standard_normal((2, 67, 2))
    close(single(x, 0.3), double(x, 0.3))
    for a, b in zip(single.vjp(x, v, 0.3), double.vjp(x, v, 0.3), strict=True):
        assert a.dtype == np.float64
        close(a, b)
    t, target = np.linspace(0.0, 1.0, 4), rng.standard_normal((4, 67, 2))
    a, b = (NeuralODE(field, rtol=1e-5).loss_and_grad(x, t, target) for field in (single, double))
    close(a[0], b[0], 64)
    close(a[1], b[1], 64)


@pytest.mark.thorough
def test_directional_derivatives():
    rng = np.random.default_rng(0)
    double, single = (MLP([2, 9, 70, 2], rng=0, dtype=dtype) for dtype in BOTH)
    x, dx, dparams = *rng.standard_normal((2, 67, 2)), rng.standard_normal(double.params.size)
    for a, b in zip(single.jvp(x, dx, 0.0, dparams), double.jvp(x, dx, 0.0, dparams), strict=True):
        close(a, b)


def second(dtype, *sizes):
    return MLP(sizes, rng=1, dtype=dtype)


FIELDS = {
    "hamiltonian": lambda dtype: HNN(MLP([2, 17, 9, 1], rng=0, dtype=dtype)),
    "separable": lambda dtype: SeparableHNN(MLP([1, 16, 1], rng=0, dtype=dtype), second(dtype, 1, 17, 1)),
    "dissipative": lambda dtype: DissipativeHNN(MLP([2, 17, 1], rng=0, dtype=dtype), second(dtype, 2, 17, 1)),
    "second order": lambda dtype: SecondOrderODE(MLP([2, 16, 1], rng=0, dtype=dtype)),
    "scaled": lambda dtype: ScaledField(MLP([2, 17, 2], rng=0, dtype=dtype), [1.0, 2.0], [3.0, 1.0], leak=True),
    "concatsquash": lambda dtype: ConcatSquash([2, 17, 9, 2], rng=0, dtype=dtype),
    "trace": lambda dtype: TraceField(MLP([2, 17, 9, 2], rng=0, time_dependent=True, dtype=dtype), 0, True),
    "estimated trace": lambda dtype: TraceField(ConcatSquash([2, 17, 9, 2], rng=0, dtype=dtype), 1),
}


@pytest.mark.parametrize("name", [pytest.param(name, marks=THOROUGH) for name in FIELDS])
def test_fields(name):
    rng = np.random.default_rng(0)
    double, single = (FIELDS[name](dtype) for dtype in BOTH)
    x, v = rng.standard_normal((2, 67, double.dim))
    close(single(x, 0.3), double(x, 0.3))
    for a, b in zip(single.vjp(x, v, 0.3), double.vjp(x, v, 0.3), strict=True):
        close(a, b)


@pytest.mark.parametrize("shared", [True, False])
def test_residual_layers(shared):
    x = np.random.default_rng(0).standard_normal((67, 2))
    models = [ResNet(MLP([2, 9, 2], rng=0, dtype=dtype), 5, shared=shared) for dtype in BOTH]
    (_, single), (_, double) = (model.loss_and_grad(x, x[::-1]) for model in reversed(models))
    close(single, double)


def test_a_training_and_its_file(tmp_path):
    x = np.random.default_rng(0).standard_normal((64, 2))
    model = NeuralODE(MLP([2, 9, 2], rng=0, dtype=np.float32))
    target = np.stack([x, 0.5 * x])
    history = fit(model, x, [0.0, 1.0], target, steps=60)
    assert history.loss[-1] < 0.5 * history.loss[0]
    model.save(tmp_path / "model.h5")
    again = load(tmp_path / "model.h5")
    assert again.field.dtype == "float32"
    assert np.array_equal(again.solve(x, [0.0, 1.0]), model.solve(x, [0.0, 1.0]))
    assert "dtype='float32'" in repr(again)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: MLP([2, 2], dtype="float16"), "dtype='float16' is unknown; expected float64 or float32"),
        (
            lambda f: NeuralODE(f, rtol=1e-9, atol=1e-9),
            "rtol=1e-09 and atol=1e-09 are below the roundoff 1e-07 of a field",
        ),
        (lambda f: CNF(f, rtol=1e-9, atol=1e-9), "below the roundoff"),
        (lambda f: NeuralODE(f, "kvaerno5"), "method='kvaerno5' solves equations with the field"),
        (
            lambda f: LNN(MLP([2, 4, 1], dtype="float32")),
            "field must have dtype='float64', because equations are solved",
        ),
        (lambda f: DeLaN(MLP([1, 4, 1], dtype="float32"), MLP([1, 4, 1])), "triangle must have dtype='float64'"),
        (lambda f: SeparableHNN(MLP([1, 4, 1], dtype="float32"), MLP([1, 4, 1])), "must have the same dtype"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make(MLP([2, 4, 2], dtype="float32"))


def test_elementary_functions():
    x = np.linspace(-80, 80, 4001).astype(np.float32)
    for name, exact in (
        ("exp", np.exp),
        ("sigmoid", lambda x: 1 / (1 + np.exp(-x))),
        ("expm1", np.expm1),
        ("sin", np.sin),
    ):
        function, true = getattr(vmath.single, name), exact(x.astype(float))
        value = np.array([function(z) for z in x])
        assert np.array_equal(value, value.astype(np.float32))  # of single precision indeed
        assert (np.abs(value - true) <= 3 * ROUNDOFF * (1.0 if name == "sin" else np.abs(true))).all()
