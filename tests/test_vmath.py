import numpy as np
import pytest
from numba import njit

from odekit import _jit, vmath

SIZE = 100 if _jit.JIT_DISABLED else 250_000
# where long double is no longer than double, the reference itself is off by up to an ulp
SLACK = 0.0 if np.finfo(np.longdouble).nmant > 52 else 1.0


def uniform(low, high):
    return np.random.default_rng(0).uniform(low, high, SIZE)


def magnitudes(low, high):
    return 10.0 ** np.random.default_rng(1).uniform(low, high, SIZE)


def ratio(numerator, x):
    return np.where(x < 0, numerator * np.exp(x) / (1 + np.exp(x)), numerator / (1 + np.exp(-x)))


QUARTER_TURNS = (
    np.pi
    / 2
    * np.random.default_rng(2).integers(-600_000, 600_000, SIZE)
    * np.random.default_rng(5).choice([1, 1_000_003], SIZE)
)

# name -> bound in ulp, reference in long double, arguments
FUNCTIONS = {
    "exp": (1.0, np.exp, [uniform(-745.2, 709.78), uniform(-1, 1), -magnitudes(-320, 0)]),
    "expm1": (1.5, np.expm1, [uniform(-60, 709.78), uniform(-2, 2), magnitudes(-323, 0), -magnitudes(-323, 0)]),
    "tanh": (2.0, np.tanh, [uniform(-25, 25), uniform(-1, 1), magnitudes(-323, 1), -magnitudes(-323, 1)]),
    "sigmoid": (2.0, lambda x: ratio(1, x), [uniform(-760, 760), uniform(-5, 5), magnitudes(-323, 1)]),
    "silu": (
        2.0,
        lambda x: ratio(x, x),
        [uniform(-770, 760), uniform(-5, 5), -magnitudes(-323, 1), magnitudes(-323, 3)],
    ),
    "softplus": (
        2.0,
        lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
        [uniform(-760, 760), uniform(-5, 5), magnitudes(-323, 3), -magnitudes(-323, 1)],
    ),
    "sinh": (2.0, np.sinh, [uniform(-710.47, 710.47), uniform(-2, 2), magnitudes(-323, 0), -magnitudes(-1, 2)]),
    "cosh": (2.0, np.cosh, [uniform(-710.47, 710.47), uniform(-2, 2), magnitudes(-323, 0)]),
    "log": (1.0, np.log, [magnitudes(-323, 308), uniform(0.5, 2), 1 + uniform(-1e-6, 1e-6)]),
    "log1p": (1.0, np.log1p, [magnitudes(-323, 308), uniform(-1, 1), -magnitudes(-323, 0)]),
    "sin": (1.75, np.sin, [uniform(-1e6, 1e6), uniform(-10, 10), magnitudes(-323, 13.5), QUARTER_TURNS]),
    "cos": (1.75, np.cos, [uniform(-1e6, 1e6), uniform(-10, 10), magnitudes(-323, 13.5), QUARTER_TURNS]),
    "tan": (1.5, np.tan, [uniform(-1e6, 1e6), uniform(-10, 10), magnitudes(-323, 13.5), QUARTER_TURNS]),
    "asin": (2.0, np.arcsin, [uniform(-1, 1), magnitudes(-323, 0), 1 - magnitudes(-16, 0), magnitudes(-16, 0) - 1]),
    "acos": (2.0, np.arccos, [uniform(-1, 1), magnitudes(-323, 0), 1 - magnitudes(-16, 0), magnitudes(-16, 0) - 1]),
    "atan": (2.0, np.arctan, [uniform(-10, 10), magnitudes(-323, 308), -magnitudes(-10, 10)]),
}

SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0])
AT_SPECIAL = {
    "exp": [np.nan, np.inf, 0.0, 1.0, 1.0],
    "expm1": [np.nan, np.inf, -1.0, 0.0, -0.0],
    "tanh": [np.nan, 1.0, -1.0, 0.0, -0.0],
    "sigmoid": [np.nan, 1.0, 0.0, 0.5, 0.5],
    "silu": [np.nan, np.inf, -0.0, 0.0, -0.0],
    "softplus": [np.nan, np.inf, 0.0, np.log(2), np.log(2)],
    "log": [np.nan, np.inf, np.nan, -np.inf, -np.inf],
    "log1p": [np.nan, np.inf, np.nan, 0.0, -0.0],
    "sinh": [np.nan, np.inf, -np.inf, 0.0, -0.0],
    "cosh": [np.nan, np.inf, np.inf, 1.0, 1.0],
    "tan": [np.nan, np.nan, np.nan, 0.0, -0.0],
    "asin": [np.nan, np.nan, np.nan, 0.0, -0.0],
    "acos": [np.nan, np.nan, np.nan, np.pi / 2, np.pi / 2],
    "atan": [np.nan, np.pi / 2, -np.pi / 2, 0.0, -0.0],
    "sin": [np.nan, np.nan, np.nan, 0.0, -0.0],
    "cos": [np.nan, np.nan, np.nan, 1.0, 1.0],
}


def apply(name, x):
    out = np.empty_like(x)
    with np.errstate(all="ignore"):
        loop(name)(x, out)
    return out


def loop(name):
    function = getattr(vmath, name)

    @njit(error_model="numpy", fastmath=_jit.FASTMATH)
    def run(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    return run


@pytest.mark.parametrize("name", FUNCTIONS)
def test_error_in_units_of_the_last_place(name):
    bound, reference, arguments = FUNCTIONS[name]
    x = np.concatenate(arguments)
    with np.errstate(all="ignore"):
        exact = reference(x.astype(np.longdouble))
        spacing = np.spacing(np.maximum(np.abs(exact), np.finfo(float).tiny).astype(float))
        error = np.abs(apply(name, x) - exact) / spacing
    worst = np.argmax(np.where(np.isnan(error), np.inf, error))
    assert error[worst] <= bound + SLACK, f"{name}({x[worst]!r})"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nan_infinity_and_signed_zero(name):
    values = apply(name, SPECIAL)
    np.testing.assert_allclose(values, AT_SPECIAL[name], rtol=1e-15)
    assert np.array_equal(np.signbit(values[2:]), np.signbit(AT_SPECIAL[name][2:])) or np.isnan(values[2])


@pytest.mark.parametrize(
    ("name", "x", "value"),
    [
        ("exp", 710.0, np.inf),
        ("exp", -746.0, 0.0),
        ("expm1", 709.9, np.inf),
        ("expm1", -1e308, -1.0),
        ("tanh", 1e308, 1.0),
        ("log", -1e-320, np.nan),
        ("log1p", -1.0, -np.inf),
        ("log1p", -1.5, np.nan),
        ("sin", 3.6e13, np.nan),
        ("sin", -1e300, np.nan),
        ("cos", 3.6e13, np.nan),
        ("tan", 3.6e13, np.nan),
    ],
)
def test_outside_the_range(name, x, value):
    np.testing.assert_equal(apply(name, np.array([x]))[0], value)


@pytest.mark.skipif(_jit.JIT_DISABLED, reason="looks at compiled code")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_loop_is_vectorised(name):
    run = loop(name)
    run(np.ones(3), np.ones(3))
    (code,) = run.inspect_llvm().values()
    assert "x double> @llvm.f" in code or "fmul contract <" in code


# functions of two arguments ------------------------------------------------------------------------------------------


def apply2(name, x, y):
    function = getattr(vmath, name)

    @njit(error_model="numpy", fastmath=_jit.FASTMATH)
    def run(x, y, out):
        for i in range(x.size):
            out[i] = function(x[i], y[i])

    out = np.empty_like(x)
    with np.errstate(all="ignore"):
        run(x, y, out)
    return out


def error2(name, reference, x, y):
    with np.errstate(all="ignore"):
        exact = reference(x.astype(np.longdouble), y.astype(np.longdouble))
        inside = np.isfinite(exact.astype(float))
        spacing = np.spacing(np.maximum(np.abs(exact), np.finfo(float).tiny).astype(float))
        error = np.abs(apply2(name, x, y) - exact) / spacing
    return np.max(error[inside & (np.abs(exact) < np.finfo(float).max)])


SIGNED = magnitudes(-30, 30) * np.random.default_rng(3).choice([-1.0, 1.0], SIZE)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (magnitudes(-5, 5), uniform(-60, 60)),
        (magnitudes(-320, 308), uniform(-1.1, 1.1)),
        (uniform(0.5, 2.0), np.random.default_rng(4).uniform(-1000, 1000, SIZE)),
        (1.0 + uniform(-1e-9, 1e-9), np.random.default_rng(4).uniform(-1e11, 1e11, SIZE)),
        (magnitudes(-8, 8), np.random.default_rng(4).choice([0.5, 1.5, 2.0, 3.0, -1.0, -2.5, 1 / 3], SIZE)),
    ],
)
def test_error_of_powers(x, y):
    # a power in long double is itself off by |y log x| of its own roundings
    with np.errstate(all="ignore"):
        size = np.max(np.minimum(np.abs(y * np.log(x)), 710.0))
    assert (
        error2("pow", np.power, x, y) <= 1.2 + SLACK + size * float(np.finfo(np.longdouble).eps) / np.finfo(float).eps
    )


@pytest.mark.parametrize("scale", [1.0, 1e-300, 1e290])
def test_error_of_angles(scale):
    x, y = SIGNED[::-1] if scale == 1.0 else uniform(-5, 5) * scale, SIGNED if scale == 1.0 else uniform(-3, 7) * scale
    assert error2("atan2", np.arctan2, y, x) <= 2.0 + SLACK


CORNERS = np.array(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 1e300, -1e300, 2.5, 1e-310]
)


@pytest.mark.parametrize(("name", "reference"), [("pow", np.power), ("atan2", np.arctan2)])
def test_corners_are_those_of_c(name, reference):
    x, y = (part.ravel() for part in np.meshgrid(CORNERS, CORNERS))
    with np.errstate(all="ignore"):
        expected = reference(x, y)
    values = apply2(name, x, y)
    np.testing.assert_allclose(values, expected, rtol=4e-16)
    seen = ~np.isnan(expected)
    assert np.array_equal(np.signbit(values[seen]), np.signbit(expected[seen]))
