import numpy as np
import pytest

from odekit.nn import matmul


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 5), (7, 64, 1), (64, 33, 20), (130, 67, 200), (300, 2, 129)])
def test_products(shape):
    m, k, n = shape
    rng = np.random.default_rng(0)
    a, b, c = rng.standard_normal((m, k)), rng.standard_normal((k, n)), rng.standard_normal((m, n))
    out = np.full((m, n), np.nan)
    matmul.matmul(a, b, out)
    np.testing.assert_allclose(out, a @ b, atol=1e-13)
    matmul.add_matmul(a, b, out)
    np.testing.assert_allclose(out, 2 * (a @ b), atol=1e-13)
    bias = rng.standard_normal(m)
    matmul.affine(a, b, bias, out)
    np.testing.assert_allclose(out, a @ b + bias[:, None], atol=1e-13)
    turned = np.full((k, m), np.nan)
    matmul.transpose(a, turned)
    assert np.array_equal(turned, a.T)
    out = np.full((k, n), np.nan)
    matmul.matmul_transposed(a, c, out)
    np.testing.assert_allclose(out, a.T @ c, atol=1e-13)
    out = np.ones((m, k))
    matmul.add_outer(c, b, out)
    np.testing.assert_allclose(out, 1 + c @ b.T, atol=1e-13)


@pytest.mark.parametrize("total", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 19, 37), (6, 300, 33)])
def test_products_of_single_precision(shape, total):
    m, k, n = shape
    rng = np.random.default_rng(0)
    a, b, c = (rng.standard_normal(size).astype(np.float32) for size in ((m, k), (k, n), (m, n)))
    out = np.ones((m, n), total)
    matmul.add_matmul(a, b, out)
    np.testing.assert_allclose(out, 1 + a @ b, atol=1e-4)
    out = np.ones((m, k), total)
    matmul.add_outer(c, b, out)
    np.testing.assert_allclose(out, 1 + c @ b.T, atol=1e-4)
    turned = np.full((k, m), np.nan, np.float32)
    matmul.transpose(a, turned)
    assert np.array_equal(turned, a.T)


def test_rows():
    a, sums = np.arange(6.0).reshape(2, 3), np.ones(2)
    matmul.add_row_sums(a, sums)
    assert sums.tolist() == [4.0, 13.0]
