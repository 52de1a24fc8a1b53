import itertools

import numpy as np
import pytest
from nn import reference

from odekit.adjoint import ImplicitAdjoint, gradient
from odekit.adjoint.backward import locate
from odekit.adjoint.implicit_scheme import FIXED_ORDER, METHODS, implicit_scheme
from odekit.nn import MLP, NeuralODE

T = np.array([0.0, 0.3, 1.0, 40.0])


def robertson(t, y, a, b, c):
    return [-a * y[0] + b * y[1] * y[2], a * y[0] - b * y[1] * y[2] - c * y[1] ** 2, c * y[1] ** 2]


def jacobian(y, a, b, c):
    return np.array([[-a, b * y[2], b * y[1]], [a, -b * y[2] - 2 * c * y[1], -b * y[1]], [0, 2 * c * y[1], 0]])


ARGS = (0.04, 1e4, 3e7)


def replay(scheme, args, steps, y0, t):
    """The method through given steps in plain NumPy, its equations solved by Newton's method; for complex numbers too."""
    s, d, y, outputs, todo = scheme.c.size, len(y0), y0, [y0], 1
    for start, end in itertools.pairwise(steps):
        h = end - start
        z = np.zeros(s * d, dtype=complex)
        for _ in range(12):
            stages = [y + z[i * d : (i + 1) * d] for i in range(s)]
            f = np.concatenate([np.array(robertson(0.0, x, *args)) for x in stages])
            residual = h * np.kron(scheme.a, np.eye(d)) @ f - z
            blocks = [[h * scheme.a[i, j] * jacobian(stages[j], *args) for j in range(s)] for i in range(s)]
            z = z + np.linalg.solve(np.eye(s * d) - np.block(blocks), residual)
        stages = [y + z[i * d : (i + 1) * d] for i in range(s)]
        k = [np.array(robertson(0.0, x, *args)) for x in stages]
        y_new = stages[-1] if scheme.stiffly_accurate else y + h * sum(w * x for w, x in zip(scheme.b, k, strict=True))
        while todo < len(t) and t[todo] <= end:
            theta = (t[todo] - start) / h
            weights = [sum(w * theta ** (p + 1) for p, w in enumerate(row)) for row in scheme.dense]
            outputs.append(y_new if t[todo] == end else y + h * sum(w * x for w, x in zip(weights, k, strict=True)))
            todo += 1
        y = y_new
    return np.array(outputs)


@pytest.mark.parametrize("method", [m for m in METHODS if m not in FIXED_ORDER])
def test_exact_through_the_accepted_steps(method, monkeypatch):
    fixed = method in ("implicit_midpoint", "gauss4", "gauss6")
    t = T[:3] * 1e-3 if fixed else T
    y0, seen = np.array([1.0, 0.0, 0.0]), []
    seeds = np.random.default_rng(0).standard_normal((3, t.size)) * [[1.0], [1e4], [1.0]]
    monkeypatch.setattr(
        "odekit.adjoint.implicit.locate", lambda steps, t: seen.append(steps.copy()) or locate(steps, t)
    )
    result = gradient(
        robertson, t, y0, seeds, method, ARGS, rtol=1e-3, atol=1e-7, first_step=1e-4 if fixed else None
    )  # fmt: skip
    scheme = implicit_scheme(method)

    def product(x):
        return (replay(scheme, x[3:], seen[0], x[:3], t).T * seeds).sum()

    x = np.array([*y0, *ARGS])
    np.testing.assert_allclose((result.y * seeds).sum(), product(x.astype(complex)).real, rtol=1e-9)
    exact = reference.complex_gradient(product, x)
    np.testing.assert_allclose([*result.y0, *result.args], exact, rtol=1e-8)
    np.testing.assert_allclose(scheme.a.sum(axis=1), scheme.c, atol=1e-14)


def test_a_stiff_neural_field_and_a_batch():
    field = MLP([2, 6, 2], rng=0, time_dependent=True)
    rng = np.random.default_rng(1)
    y0, t = rng.standard_normal((3, 2)), np.array([0.0, 0.4, 1.0])
    cotangent = rng.standard_normal((3, 3, 2))
    exact = NeuralODE(field, "dop853", 1e-11, 1e-11).gradient(y0, t, cotangent, with_times=True)
    for method in ("kvaerno5", "radau"):
        model = NeuralODE(field, method, 1e-9, 1e-9)
        result = model.gradient(y0, t, cotangent, with_times=True)
        for name in ("y", "params", "y0", "t"):
            np.testing.assert_allclose(getattr(result, name), getattr(exact, name), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(model.solve(y0, t), exact.y, rtol=1e-6, atol=1e-7)
        assert result.counts["states"] % result.counts["naccept"] == 0


def test_bad_method():
    with pytest.raises(ValueError, match="ImplicitAdjoint takes backward_euler"):
        NeuralODE(MLP([2, 2]), "tsit5", adjoint=ImplicitAdjoint())
