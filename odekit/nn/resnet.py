"""Residual networks x_{k+1} = x_k + h f(x_k), and what they have to do with Euler's method."""

import numpy as np

from .. import _jit
from . import checks
from .header import BLOCK, LANE_BLOCK, LANES, N_PARAMS, SIZE, SLOT, THETA
from .mlp import require_network
from .neural_ode import NeuralODE
from .sampled import SampledModel

VALUE, COTANGENT, SQUARES = 0, 1, 2  # modes of the kernel


@_jit.kernel
def _sweep(record, pull, p, depth, h, stride, x, wanted, mode, y, x_bar, grad):
    """All layers up and down again, block by block of the columns of x.

    Parameters
    ----------
    record, pull : int
        Addresses of the kernels of the field.
    p : ndarray
        Its vector, with a slot for each layer.
    depth : int
    h : float
    stride : int
        Layer k takes its parameters ``k * stride`` behind the first ones.
    x : ndarray, [d, B]
        Inputs, in C order.
    wanted : ndarray, [d, B]
        In the mode `SQUARES` the target of a mean squared error, in the mode `COTANGENT` the cotangent of the output.
    mode : int
        In the mode `VALUE` nothing goes down.
    y, x_bar : ndarray, [d, B]
        Receive the output, and the cotangent of the input.
    grad : ndarray, (n_params,) or (depth * n_params,)
        The cotangent of the parameters is added to it.

    Returns
    -------
    float
        The mean squared error, in the mode `SQUARES`.
    """
    d, width = x.shape
    block, n_params, theta = int(p[BLOCK]), int(p[N_PARAMS]), p[THETA]
    state, f = np.empty(d * block), np.empty(d * block)
    bar = np.zeros(d * block + n_params)
    total, scale = 0.0, 2.0 / (d * width)
    for start in range(0, width, block):
        lanes = min(block, width - start)
        p[LANES] = lanes
        for i in range(d):
            for j in range(lanes):
                state[i * lanes + j] = x[i, start + j]
        for k in range(depth):
            p[SLOT], p[THETA] = k, theta + k * stride
            _jit.call_scalar(record, k * h, state, f, p)
            for i in range(d * lanes):
                state[i] += h * f[i]
        for i in range(d):
            for j in range(lanes):
                y[i, start + j] = state[i * lanes + j]
                if mode == SQUARES:
                    residual = state[i * lanes + j] - wanted[i, start + j]
                    total += residual * residual
                    state[i * lanes + j] = scale * residual
                elif mode == COTANGENT:
                    state[i * lanes + j] = wanted[i, start + j]
        if mode == VALUE:
            continue
        for k in range(depth - 1, -1, -1):
            p[SLOT], p[THETA] = k, theta + k * stride
            for i in range(d * lanes):
                f[i] = h * state[i]
            bar[d * lanes :] = 0.0
            _jit.call_scalar(pull, k * h, f, bar, p)
            for i in range(d * lanes):
                state[i] += bar[i]
            for i in range(n_params):
                grad[k * stride + i] += bar[d * lanes + i]
        for i in range(d):
            for j in range(lanes):
                x_bar[i, start + j] = state[i * lanes + j]
    p[THETA] = theta
    return total / (d * width)


class ResNet(SampledModel):
    """Residual network of equal blocks, ``x_{k+1} = x_k + h f_k(x_k)``, with ``h = t1 / depth``.

    With shared weights it is Euler's method for y' = f(y) up to `t1`: `to_neural_ode` gives that model, and as the depth grows
    the output converges to the solution with order 1. With weights of their own the layers do so only if these are samples of
    a smooth function of k h.

    Parameters
    ----------
    field : MLP
        Network with as many outputs as inputs; a time-dependent one sees k h.
    depth : int
        Number of layers.
    t1 : float
        The step h is ``t1 / depth``; `depth` itself gives the usual ``x + f(x)``.
    shared : bool
        Whether all layers have the weights of `field`; else each has its own, all at first those of `field`.

    Attributes
    ----------
    params : ndarray
        The parameters of the network, or those of one layer after the other.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> model = odekit.nn.ResNet(odekit.nn.MLP([2, 8, 2], rng=0), depth=10)
    >>> x = np.eye(2)
    >>> euler = model.to_neural_ode().solve(x, [0.0, 1.0])[1]
    >>> bool(np.allclose(model(x), euler, rtol=1e-13))
    True
    >>> loss, grad = model.loss_and_grad(x, target=x[::-1])
    """

    def __init__(self, field, depth, t1=1.0, shared=True):
        require_network("field", field)
        self.field, self.dim, self.depth = field, field.dim, checks.count("depth", depth)
        self.t1, self.shared = checks.positive("t1", t1), bool(shared)
        self._params = field.params if self.shared else np.tile(field.params, self.depth)

    @classmethod
    def from_neural_ode(cls, model, t1=1.0):
        """The residual network that Euler's method makes of a model.

        Parameters
        ----------
        model : NeuralODE
            Of a network, with ``method="euler"`` and a `first_step` that divides `t1`.
        t1 : float

        Returns
        -------
        ResNet
            Its network is that of the model.

        Raises
        ------
        ValueError
            If the model takes other steps than Euler's, or steps that do not divide `t1`.

        Examples
        --------
        >>> import odekit
        >>> model = odekit.nn.NeuralODE(odekit.nn.MLP([2, 8, 2], rng=0), "euler", first_step=0.25)
        >>> odekit.nn.ResNet.from_neural_ode(model).depth
        4
        """
        if model.method != "euler":
            raise ValueError(f"a residual network is Euler's method, but the model has method={model.method!r}")
        depth = round(t1 / model.first_step)
        if depth < 1 or abs(depth * model.first_step - t1) > 1e-9 * t1:
            raise ValueError(f"the step {model.first_step!r} does not divide t1={t1!r}")
        return cls(model.field, depth, t1)

    def to_neural_ode(self, method="euler", rtol=1e-6, atol=1e-6):
        """The differential equation of a network with shared weights, by Euler's method with its step, or by another one.

        Parameters
        ----------
        method : str
        rtol, atol : float
            As for `NeuralODE`.

        Returns
        -------
        NeuralODE
            Its network is that of this model.

        Raises
        ------
        ValueError
            If the layers have weights of their own.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> model = odekit.nn.ResNet(odekit.nn.MLP([2, 8, 2], rng=0), depth=4)
        >>> same = model.to_neural_ode()
        >>> bool(np.allclose(same.solve(np.ones(2), [0.0, 1.0])[-1], model(np.ones(2))))
        True
        """
        if not self.shared:
            raise ValueError("a residual network whose layers have weights of their own is no differential equation")
        return NeuralODE(self.field, method, rtol, atol, first_step=self.step if method == "euler" else None)

    @property
    def step(self):
        """The step h."""
        return self.t1 / self.depth

    @property
    def params(self):
        """Flat parameter vector."""
        return self.field.params if self.shared else self._params

    @params.setter
    def params(self, value):
        self.params[...] = checks.shaped("params", value, self.params.shape)

    def layers(self):
        """Parameters of each layer, (depth, n): views, all of the same numbers if they are shared.

        Returns
        -------
        ndarray

        Examples
        --------
        >>> import odekit
        >>> odekit.nn.ResNet(odekit.nn.MLP([2, 8, 2], rng=0), depth=4, shared=False).layers().shape
        (4, 42)
        """
        return (
            np.broadcast_to(self.params, (self.depth, self.params.size))
            if self.shared
            else self._params.reshape(self.depth, -1)
        )

    def _run(self, x, wanted, mode):
        p = self.field.pack(min(len(x), LANE_BLOCK), self.depth)
        stride, grad = 0, np.zeros(self.params.size)
        if not self.shared:
            stride, numbers = self.field.params.size, p.view(self.field.dtype)
            place, odd = numbers.size, np.zeros(self._params.size % 2)
            p = np.concatenate((numbers, self._params, odd), dtype=numbers.dtype).view(np.float64)
            p[THETA], p[SIZE] = place, p.size
        x, wanted = np.ascontiguousarray(x.T), np.ascontiguousarray(wanted.T)
        y, x_bar, addresses = np.empty_like(x), np.empty_like(x), self.field.kernels
        loss = _sweep(
            addresses.record, addresses.pull, p, self.depth, self.step, stride, x, wanted, mode, y, x_bar, grad
        )
        return loss, y.T.copy(), x_bar.T.copy(), grad

    def __call__(self, x):
        """Output.

        Parameters
        ----------
        x : array_like, (d,) or (B, d)

        Returns
        -------
        ndarray, like x

        Raises
        ------
        TypeError, ValueError
            For what are no real numbers, or another shape.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> model = odekit.nn.ResNet(odekit.nn.MLP([2, 8, 2], rng=0), depth=4)
        >>> model(np.ones((5, 2))).shape
        (5, 2)
        """
        x, batched = checks.batch("x", x, self.dim)
        y = self._run(x, x, VALUE)[1]
        return y if batched else y[0]

    def vjp(self, x, v):
        """Output, and the transposes of its derivatives applied to `v`.

        Parameters
        ----------
        x, v : array_like, (d,) or (B, d)

        Returns
        -------
        y, x_bar : ndarray, like x
        params_bar : ndarray, (n_params,)

        Raises
        ------
        TypeError, ValueError
            For what are no real numbers, or another shape.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> model = odekit.nn.ResNet(odekit.nn.MLP([2, 8, 2], rng=0), depth=4)
        >>> y, x_bar, params_bar = model.vjp(np.ones((5, 2)), np.ones((5, 2)))
        >>> x_bar.shape, params_bar.shape == model.params.shape
        ((5, 2), True)
        """
        x, batched = checks.batch("x", x, self.dim)
        v = checks.alike("v", v, x.shape)
        _, y, x_bar, grad = self._run(x, v, COTANGENT)
        return (y, x_bar, grad) if batched else (y[0], x_bar[0], grad)

    def loss_and_grad(self, x, target):
        """Mean squared error of the output and its exact gradient.

        Parameters
        ----------
        x, target : array_like, (B, d)

        Returns
        -------
        loss : float
        grad : ndarray, (n_params,)

        Raises
        ------
        TypeError, ValueError
            For what are no real numbers, or another shape.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> model = odekit.nn.ResNet(odekit.nn.MLP([2, 8, 2], rng=0), depth=4)
        >>> loss, grad = model.loss_and_grad(np.ones((5, 2)), target=model(np.ones((5, 2))))
        >>> loss, grad.shape == model.params.shape
        (0.0, True)
        """
        x, _ = checks.batch("x", x, self.dim)
        target = checks.alike("target", target, x.shape)
        loss, _, _, grad = self._run(checks.finite_array("x", x), target, SQUARES)
        return loss, grad

    def __repr__(self):
        return (
            f"ResNet({self.field!r}, depth={self.depth}, t1={self.t1:g}, {'shared' if self.shared else 'own'} weights)"
        )
