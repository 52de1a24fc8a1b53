"""Fitting a field to derivatives: the loss |f(x) - dx/dt|^2, without any integration."""

import numpy as np

from .. import _jit
from . import checks
from .header import BLOCK, LANES, N_PARAMS
from .sampled import SampledModel


@_jit.core
def work_size(p, d):
    """Numbers of `work` that `squared_error` needs: three states of a block and the parameters."""
    return 3 * d * int(p[BLOCK]) + int(p[N_PARAMS])


@_jit.core
def squared_error(record, pull, p, t, x, target, grad, work):
    """Mean squared error of a field over x[d, B]; the gradient is added to `grad`."""
    d, width = x.shape
    block, n_params = int(p[BLOCK]), int(p[N_PARAMS])
    y, f = _jit.view1(work, 0, d * block), _jit.view1(work, d * block, d * block)
    bar = _jit.view1(work, 2 * d * block, d * block + n_params)
    total, scale = 0.0, 2.0 / (d * width)
    for start in range(0, width, block):
        lanes = min(block, width - start)
        p[LANES] = lanes
        for i in range(d):
            for j in range(lanes):
                y[i * lanes + j] = x[i, start + j]
        _jit.call_scalar(record, t, y, f, p)
        for i in range(d):
            for j in range(lanes):
                residual = f[i * lanes + j] - target[i, start + j]
                total += residual * residual
                f[i * lanes + j] = scale * residual
        for i in range(n_params):
            bar[d * lanes + i] = 0.0
        _jit.call_scalar(pull, t, f, bar, p)
        for i in range(n_params):
            grad[i] += bar[d * lanes + i]
    return total / (d * width)


@_jit.kernel
def _loss_and_grad(record, pull, p, t, x, target, grad):
    return squared_error(record, pull, p, t, x, target, grad, np.empty(work_size(p, x.shape[0])))


def derivative_loss(field, x, dxdt, t=0.0):
    """Mean squared error of the derivatives of a field, and its gradient.

    Parameters
    ----------
    field : MLP, HNN or another field
    x, dxdt : array_like, (B, d)
        States and their time derivatives.
    t : float
        Time, for a time-dependent field.

    Returns
    -------
    loss : float
    grad : ndarray, (n_params,)
    """
    x, dxdt = checked_data(field, x, dxdt)
    grad, kernels = np.zeros(field.params.size), field.kernels
    loss = _loss_and_grad(
        kernels.record, kernels.pull, field.pack(len(x)), float(t), np.ascontiguousarray(x.T), np.ascontiguousarray(dxdt.T), grad
    )  # fmt: skip
    return loss, grad


def checked_data(field, x, dxdt):
    """States and their derivatives as two arrays (B, d)."""
    x, _ = checks.batch("x", x, field.dim)
    x = checks.finite_array("x", x)
    return x, checks.shaped("dxdt", np.atleast_2d(np.asarray(dxdt)), x.shape)


class DerivativeModel(SampledModel):
    """A field that is fitted to derivatives; the baseline of Hamiltonian networks.

    Parameters
    ----------
    field : MLP, HNN or another field

    Attributes
    ----------
    params : ndarray
        The parameters of the field.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> model = odekit.nn.DerivativeModel(odekit.nn.MLP([2, 16, 2], rng=0))
    >>> x = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> loss, grad = model.loss_and_grad(x, dxdt=x[:, ::-1])
    >>> grad.shape
    (82,)
    """

    def __init__(self, field):
        self.field = checks.field(field)

    @property
    def params(self):
        """Flat parameter vector of the field."""
        return self.field.params

    @params.setter
    def params(self, value):
        self.field.params = value

    def derivative(self, x):
        """The field at x (d,) or (B, d)."""
        return self.field(x)

    def loss_and_grad(self, x, dxdt):
        """Mean squared error of the derivatives, and its gradient; see `derivative_loss`."""
        return derivative_loss(self.field, x, dxdt)

    def derivative_data(self, x, dxdt):
        """What `odekit.nn.inner_loop` needs: the field, the checked data, the factor of the loss."""
        return self.field, *checked_data(self.field, x, dxdt), 1.0

    def __repr__(self):
        return f"DerivativeModel({self.field!r})"
