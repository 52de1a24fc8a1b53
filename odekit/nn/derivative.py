"""Fitting a field to derivatives: the loss |f(x) - dx/dt|^2, without any integration."""

import numpy as np

from .. import _jit
from .._memory import aligned
from . import checks
from .header import BLOCK, LANES, N_PARAMS, SIZE, TIMES
from .sampled import SampledModel


@_jit.core
def work_size(p, d):
    """Numbers of `work` that `squared_error` needs: three states of a block and the parameters."""
    return 3 * d * int(p[BLOCK]) + int(p[N_PARAMS])


@_jit.core
def squared_error(record, pull, p, times, x, target, grad, work):
    """Mean squared error of a field.

    Parameters
    ----------
    record, pull : int
        Addresses of its kernels.
    p : ndarray
        Its vector, for one block of lanes at least.
    times : ndarray, (B,) or (1,)
        The time of each sample if `p` is from `with_times`, else one for all.
    x, target : ndarray, [d, B]
        States and wanted derivatives, in C order.
    grad : ndarray, (n_params,)
        The gradient is added to it.
    work : ndarray, (work_size(p, d),)
        Memory.

    Returns
    -------
    float
    """
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
        t = times[0]
        if p[TIMES] != 0.0:
            rows = _jit.view1(p, int(p[TIMES]), 2 * lanes)
            for j in range(lanes):
                rows[j], rows[lanes + j] = times[start + j], 0.0
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
def _loss_and_grad(record, pull, p, times, x, target, grad):
    """`squared_error`, with memory of its own."""
    return squared_error(record, pull, p, times, x, target, grad, np.empty(work_size(p, x.shape[0])))


def with_times(p):
    """The vector of a field with room for times of its own for every lane, see `odekit.adjoint.tape`."""
    wide = aligned(p.size + 2 * int(p[BLOCK]))
    wide[: p.size], wide[p.size :] = p, 0.0
    wide[TIMES], wide[SIZE] = p.size, wide.size
    return wide


def derivative_loss(field, x, dxdt, t=None):
    """Mean squared error of the derivatives of a field, and its gradient.

    Parameters
    ----------
    field : MLP, HNN or another field
    x, dxdt : array_like, (B, d)
        States and their time derivatives.
    t : float or array_like, (B,), optional
        Times, for a time-dependent field.

    Returns
    -------
    loss : float
    grad : ndarray, (n_params,)
    """
    x, dxdt = checked_data(field, x, dxdt)
    times = sample_times(field, t, len(x))
    grad, kernels = np.zeros(field.params.size), field.kernels
    loss = _loss_and_grad(
        kernels.record, kernels.pull, packed(field, len(x), times), times, np.ascontiguousarray(x.T), np.ascontiguousarray(dxdt.T),
        grad,
    )  # fmt: skip
    return loss, grad


def packed(field, lanes, times):
    """The vector of a field for samples at these times."""
    return field.pack(lanes) if times.size == 1 else with_times(field.pack(lanes))


def sample_times(field, t, samples):
    """Times of samples as an array: one for each, or one for all."""
    times = checks.finite_array("t", 0.0 if t is None else t)
    if t is not None and np.shape(t) not in ((), (samples,)):
        raise ValueError(f"t must be a number or have shape ({samples},), but its shape is {times.shape}")
    if times.size > 1 and not getattr(field, "lane_times", False):
        raise ValueError(
            f"the samples of a {type(field).__name__} must have one time, because it has one for all lanes; t must be a number"
        )
    return times.reshape(-1)


def checked_data(field, x, dxdt):
    """States and their derivatives as two arrays (B, d)."""
    x, _ = checks.batch("x", x, field.dim)
    x = checks.finite_array("x", x)
    return x, checks.alike("dxdt", dxdt, x.shape)


class DerivativeModel(SampledModel):
    """A field that is fitted to derivatives; the baseline of Hamiltonian networks.

    Parameters
    ----------
    field : MLP, HNN or another field

    Attributes
    ----------
    params : ndarray
        The parameters of the field.

    Raises
    ------
    TypeError
        If `field` is none.

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

    def derivative(self, x, t=0.0):
        """The field.

        Parameters
        ----------
        x : array_like, (d,) or (B, d)
        t : float

        Returns
        -------
        ndarray, like x
        """
        return self.field(x, t)

    def loss_and_grad(self, x, dxdt, t=None):
        """Mean squared error of the derivatives, and its exact gradient.

        Parameters
        ----------
        x, dxdt : array_like, (B, d)
            States and their time derivatives.
        t : float or array_like, (B,), optional
            Times, for a time-dependent field.

        Returns
        -------
        loss : float
        grad : ndarray, (n_params,)

        Raises
        ------
        TypeError, ValueError
            For what are no real finite numbers, or another shape.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> model = odekit.nn.DerivativeModel(odekit.nn.MLP([2, 16, 2], rng=0))
        >>> loss, grad = model.loss_and_grad(np.ones((5, 2)), np.zeros((5, 2)))
        >>> grad.shape
        (82,)
        """
        return derivative_loss(self.field, x, dxdt, t)

    def derivative_data(self, x, dxdt, t=None):
        """What `odekit.nn.inner_loop` needs: the field, the checked data, the factor of the loss, the times."""
        x, dxdt = checked_data(self.field, x, dxdt)
        return self.field, x, dxdt, 1.0, sample_times(self.field, t, len(x))

    def __repr__(self):
        return f"DerivativeModel({self.field!r})"
