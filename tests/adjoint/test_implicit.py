import itertools

import numpy as np
import pytest
from nn import reference

from odekit.adjoint import ImplicitAdjoint, gradient
from odekit.adjoint.implicit_scheme import FIXED_ORDER, METHODS, implicit_scheme
from odekit.adjoint.seeding import locate
from odekit.nn import MLP, NeuralODE

T = np.array([0.0, 0.3, 1.0, 40.0])


def robertson(t, y, a, b, c):
    return [-a * y[0] + b * y[1] * y[2], a * y[0] - b * y[1] * y[2] - c * y[1] ** 2, c * y[1] ** 2]


ARGS = (0.04, 1e4, 3e7)
#: Against numbers of 64 bits behind the point; where NumPy has none, the rounding of the reference itself shows.
EXACT = 1e-12 if np.finfo(np.longdouble).eps < 1e-18 else 1e-7


def slopes(y, args):
    """Robertson's equations for several states (m, 3) at once."""
    return np.stack(robertson(0.0, y.T, *args), axis=1)


def jacobians(y, args):
    (a, b, c), (_, u, v), zero = args, y.T, np.zeros_like(y[:, 0])
    rows = [[zero - a, b * v, b * u], [zero + a, -b * v - 2 * c * u, -b * u], [zero, 2 * c * u, zero]]
    return np.array(rows).transpose(2, 0, 1)


def solve(matrices, right_sides):
    """Gaussian elimination, which LAPACK does not have for extended numbers."""
    m, x, rows = matrices.copy(), right_sides.copy(), np.arange(len(matrices))
    n = x.shape[1]
    for k in range(n):
        best = k + np.argmax(abs(m[:, k:, k]), axis=1)
        m[rows, k], m[rows, best] = m[rows, best], m[rows, k]
        x[rows, k], x[rows, best] = x[rows, best], x[rows, k]
        factors = m[:, k + 1 :, k] / m[:, k, k, None]
        m[:, k + 1 :] -= factors[:, :, None] * m[:, None, k]
        x[:, k + 1 :] -= factors * x[:, k, None]
    for k in range(n - 1, -1, -1):
        x[:, k] = (x[:, k] - (m[:, k, k + 1 :] * x[:, k + 1 :]).sum(axis=1)) / m[:, k, k]
    return x


def replay(scheme, args, steps, y, t):
    """The method through given steps in plain NumPy, its equations solved by Newton's method, for several starts (m, 3)."""
    s, d, m, outputs, todo = scheme.c.size, 3, len(y), [y], 1
    a = scheme.a.astype(np.longdouble)
    for start, end in itertools.pairwise(steps.astype(np.longdouble)):
        h, z = end - start, np.zeros((m, s, d), dtype=y.dtype)
        for _ in range(9):
            stages = y[:, None] + z
            f = np.stack([slopes(stages[:, i], args) for i in range(s)], axis=1)
            residual = h * np.einsum("ij,mjk->mik", a, f) - z
            blocks = np.stack([jacobians(stages[:, i], args) for i in range(s)], axis=1)
            matrix = -h * np.einsum("ij,mjkl->mikjl", a, blocks).reshape(m, s * d, s * d)
            matrix[:, range(s * d), range(s * d)] += 1
            z = z + solve(matrix, residual.reshape(m, s * d)).reshape(m, s, d)
        stages = y[:, None] + z
        k = np.stack([slopes(stages[:, i], args) for i in range(s)], axis=1)
        y_new = stages[:, -1] if scheme.stiffly_accurate else y + h * np.einsum("i,mik->mk", scheme.b, k)
        while todo < len(t) and t[todo] <= end:
            theta = (t[todo] - start) / h
            weights = [sum(w * theta ** (p + 1) for p, w in enumerate(row)) for row in scheme.dense]
            outputs.append(y_new if t[todo] == end else y + h * np.einsum("i,mik->mk", weights, k))
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
    x = np.tile(np.array([*y0, *ARGS], dtype=np.clongdouble), (6, 1)) + reference.STEP * 1j * np.eye(6)
    outputs = replay(scheme, x.T[3:], seen[0], x[:, :3], t)
    np.testing.assert_allclose(result.y, outputs[:, 0].real.T.astype(float), rtol=EXACT)
    exact = np.einsum("tmk,kt->m", outputs.imag / reference.STEP, seeds)
    np.testing.assert_allclose([*result.y0, *result.args], exact.astype(float), rtol=EXACT)
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
