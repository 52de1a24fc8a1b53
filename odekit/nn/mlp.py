"""Multilayer perceptron: a flat parameter vector and compiled kernels."""

import numpy as np

from ..adjoint.tape import parameters_in
from . import activations, checks, header, third_derivatives
from . import field_kernels as kernels
from .initialise import INITIALISATIONS
from .lanewise import as_lanes, lanewise_value, lanewise_vjp
from .model import storable
from .own_parameters import OwnParameters


@storable
class MLP(OwnParameters):
    """Fully connected network, ``a_k = phi(W_k a_{k-1} + b_k)``, with a linear last layer.

    Parameters
    ----------
    sizes : sequence of int
        Features of each layer, input and output included.
    activation : str
        tanh, softplus, sigmoid, silu, relu, elu or sin.
    rng : None, int or numpy.random.Generator
        Source of the initial weights; biases start at 0.
    final_bias : bool
        Whether the last layer has a bias.
    init : str
        glorot, he or orthogonal.
    time_dependent : bool
        Whether the time is appended to the input features.
    dtype : str
        float64, or float32: the network then computes in single precision, with twice the numbers in a vector register.
        `params`, gradients and the integrator's state stay float64, so that small updates are not lost [1]_.
    residual : bool
        Whether a hidden layer of the size of the one below adds its input: ``a_k = a_{k-1} + phi(W_k a_{k-1} + b_k)``, k > 1.

    Attributes
    ----------
    params : ndarray, (n_params,)
        All weights and biases, layer by layer: W_1 row by row, b_1, W_2, ... Change it in place, or assign a new vector.
    sizes : tuple of int

    Raises
    ------
    ValueError
        For fewer than two layers, an unknown activation, initialisation or dtype.

    References
    ----------
    .. [1] P. Micikevicius et al., "Mixed precision training", ICLR 2018.

    Examples
    --------
    >>> import odekit
    >>> field = odekit.nn.MLP([2, 16, 2], activation="tanh", rng=0)
    >>> field([0.5, -1.0]).shape
    (2,)
    >>> field.params.size
    82
    """

    def __init__(
        self, sizes, activation="tanh", rng=None, *, final_bias=True, init="glorot", time_dependent=False, dtype="float64",
        residual=False,
    ):  # fmt: skip
        try:
            self.sizes = tuple(checks.count(f"sizes[{i}]", n) for i, n in enumerate(sizes))
        except TypeError:
            raise ValueError(f"sizes must be a list of layer sizes, but it is {sizes!r}") from None
        if len(self.sizes) < 2:
            raise ValueError(f"sizes must name at least an input and an output layer, but it is {sizes!r}")
        self.activation = checks.choice("activation", activation, activations.FUNCTIONS)
        self.init = checks.choice("init", init, INITIALISATIONS)
        self.dtype = checks.precision(dtype)
        self.final_bias, self.time_dependent, self.residual = bool(final_bias), bool(time_dependent), bool(residual)
        self._layers = (self.sizes[0] + self.time_dependent, *self.sizes[1:])
        self._params = np.zeros(header.parameter_count(self._layers, self.final_bias))
        rng = checks.generator(rng)
        for name, weight in self.weights().items():
            if name.startswith("W"):
                weight[...] = INITIALISATIONS[init](rng, *weight.shape)

    def weights(self):
        """Views into `params` by name: W1 (n_1, n_0), b1 (n_1,), W2, ...

        Returns
        -------
        dict of ndarray

        Examples
        --------
        >>> import odekit
        >>> {name: view.shape for name, view in odekit.nn.MLP([2, 16, 1]).weights().items()}
        {'W1': (16, 2), 'b1': (16,), 'W2': (1, 16), 'b2': (1,)}
        """
        return self.named(self._params)

    def named(self, vector):
        """Views into a vector laid out like `params`, a gradient for example.

        Parameters
        ----------
        vector : ndarray, (n_params,)

        Returns
        -------
        dict of ndarray

        Examples
        --------
        >>> import numpy as np, odekit
        >>> field = odekit.nn.MLP([2, 16, 1])
        >>> fixed = np.zeros(field.params.size, dtype=bool)  # for `odekit.nn.fit`
        >>> field.named(fixed)["W1"][...] = True
        >>> int(fixed.sum())
        32
        """
        views, start, last = {}, 0, len(self._layers) - 1
        for k in range(1, last + 1):
            n, n_below = self._layers[k], self._layers[k - 1]
            views[f"W{k}"] = vector[start : start + n * n_below].reshape(n, n_below)
            start += n * n_below
            if k < last or self.final_bias:
                views[f"b{k}"] = vector[start : start + n]
                start += n
        return views

    #: Whether the lanes of a call may have different times, see `odekit.adjoint.tape`.
    lane_times = True

    # as a vector field ---------------------------------------------------------------------------------------------------

    @property
    def dim(self):
        """Dimension of the state, for a network used as a vector field."""
        if self.sizes[0] != self.sizes[-1]:
            raise ValueError(f"a vector field has as many outputs as inputs, but sizes is {list(self.sizes)}")
        return self.sizes[0]

    @property
    def kernels(self):
        """Addresses of the kernels of the vector field, see `odekit.nn.field_kernels`."""
        return kernels.network_kernels(self.dtype)

    def pack(self, lanes, slots=1, *, gradient=False, directions=0, **options):
        """The vector `p` that the kernels of the field take.

        Parameters
        ----------
        lanes : int
            Trajectories side by side; the state is then [d, lanes] in C order.
        slots : int
            Evaluations whose tapes are held at once.
        gradient, directions, **options
            See `odekit.nn.header.pack`.

        Returns
        -------
        ndarray
        """
        # what a residual layer leaves on the tape is not the activation that its slope would follow from
        kept = 2 if self.residual else activations.keeps(self.activation)
        third = third_derivatives.address(self.activation, self.dtype) if gradient and directions else 0
        return header.pack(
            self._layers, activations.address(self.activation, self.dtype), self.final_bias, self.time_dependent, self._params, lanes,
            slots, slope=activations.slope_address(self.activation, self.dtype, kept), keeps=kept, residual=self.residual,
            third=third, dtype=self.dtype, gradient=gradient, directions=directions, **options,
        )  # fmt: skip

    # from Python ---------------------------------------------------------------------------------------------------------

    def __call__(self, x, t=0.0):
        """Value.

        Parameters
        ----------
        x : array_like, (d,) or (B, d)
        t : float
            Time, for a time-dependent network.

        Returns
        -------
        ndarray, (n_out,) or (B, n_out)

        Raises
        ------
        TypeError, ValueError
            For what are no real numbers, or another shape.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> field = odekit.nn.MLP([2, 16, 3], rng=0)
        >>> field([0.5, -1.0]).shape, field(np.ones((10, 2))).shape
        ((3,), (10, 3))
        """
        return lanewise_value(self.kernels, self.pack, x, t, self.sizes[0], self.sizes[-1])

    def vjp(self, x, v, t=0.0):
        """Value, and the transposes of its derivatives applied to `v`.

        Parameters
        ----------
        x : array_like, (d,) or (B, d)
        v : array_like, (n_out,) or (B, n_out)
            Cotangent of the output.
        t : float

        Returns
        -------
        y : ndarray, (n_out,) or (B, n_out)
        x_bar : ndarray, like x
        params_bar : ndarray, (n_params,)
            Summed over the batch.

        Raises
        ------
        TypeError, ValueError
            For what are no real numbers, another shape, or a cotangent that is not finite.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> field = odekit.nn.MLP([2, 16, 3], rng=0)
        >>> y, x_bar, params_bar = field.vjp(np.ones((10, 2)), np.ones((10, 3)))
        >>> y.shape, x_bar.shape, params_bar.shape == field.params.shape
        ((10, 3), (10, 2), True)
        """
        return lanewise_vjp(self.kernels, self.pack, x, v, t, self.sizes[0], self.sizes[-1], self._params.size)

    def jvp(self, x, dx, t=0.0, dparams=None):
        """Value and directional derivative.

        Parameters
        ----------
        x, dx : array_like, (d,) or (B, d)
            Input and its direction.
        t : float
        dparams : array_like, (n_params,), optional
            Direction of the parameters.

        Returns
        -------
        y, dy : ndarray, (n_out,) or (B, n_out)

        Raises
        ------
        TypeError, ValueError
            For what are no real numbers, another shape, or a direction that is not finite.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> field = odekit.nn.MLP([2, 16, 3], rng=0)
        >>> x, dx, v = np.array([0.5, -1.0]), np.array([1.0, 0.0]), np.array([0.0, 1.0, 0.0])
        >>> _, dy = field.jvp(x, dx)
        >>> bool(np.isclose(v @ dy, field.vjp(x, v)[1] @ dx))
        True
        """
        x, batched = checks.batch("x", x, self.sizes[0])
        dx = checks.alike("dx", dx, x.shape)
        p = self.pack(len(x))
        if dparams is not None:
            q = self.pack(1)
            parameters_in(q, self)[...] = checks.shaped("dparams", dparams, self._params.shape)
            p[header.TANGENT_PARAMS], p[header.SIZE] = p.size, p.size + q.size
            p = np.concatenate((p, q))
        out = np.empty((2, self.sizes[-1], len(x)))
        arguments = np.concatenate((as_lanes(x), as_lanes(dx)))
        kernels.call(
            kernels.address(kernels.network_tangent, self.dtype), checks.number("t", t), arguments, out.ravel(), p
        )
        y, dy = np.ascontiguousarray(out.transpose(0, 2, 1))
        return (y, dy) if batched else (y[0], dy[0])

    def gradient(self, x, t=0.0):
        """Gradient of a scalar network with respect to its input.

        Parameters
        ----------
        x : array_like, (d,) or (B, d)
        t : float

        Returns
        -------
        ndarray, like x

        Raises
        ------
        ValueError
            If the network has more than one output; for another shape.

        Examples
        --------
        >>> import odekit
        >>> odekit.nn.MLP([2, 16, 1], rng=0).gradient([0.5, -1.0]).shape
        (2,)
        """
        self._require_scalar()
        d, addresses = self.sizes[0], kernels.gradient_kernels(self.dtype)
        return lanewise_value(addresses, self._pack_gradient, x, t, d, d)

    def gradient_vjp(self, x, u, t=0.0):
        """Input gradient of a scalar network, and the transposes of *its* derivatives applied to `u`.

        Parameters
        ----------
        x, u : array_like, (d,) or (B, d)
            Input, and cotangent of the gradient.
        t : float

        Returns
        -------
        gradient : ndarray, like x
        x_bar : ndarray, like x
            The Hessian times u.
        params_bar : ndarray, (n_params,)

        Raises
        ------
        ValueError
            If the network has more than one output; for another shape, or a cotangent that is not finite.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> energy = odekit.nn.MLP([2, 16, 1], rng=0)
        >>> hessian = np.array([energy.gradient_vjp([0.5, -1.0], u)[1] for u in np.eye(2)])
        >>> bool(np.allclose(hessian, hessian.T))
        True
        """
        self._require_scalar()
        d, addresses = self.sizes[0], kernels.gradient_kernels(self.dtype)
        return lanewise_vjp(addresses, self._pack_gradient, x, u, t, d, d, self._params.size, "u")

    def _pack_gradient(self, lanes):
        return self.pack(lanes, gradient=True)

    def _require_scalar(self):
        if self.sizes[-1] != 1:
            raise ValueError(f"the gradient of a network needs one output, but sizes is {list(self.sizes)}")

    def __repr__(self):
        single = "" if self.dtype == "float64" else f", dtype={self.dtype!r}"
        residual = ", residual=True" if self.residual else ""
        return (
            f"MLP({list(self.sizes)}, activation={self.activation!r}{residual}{single}, {self._params.size} parameters)"
        )


def require_network(name, value):
    """Refuse what is not an `MLP`, by a TypeError that names the argument."""
    if not isinstance(value, MLP):
        raise TypeError(f"{name} must be an odekit.nn.MLP, but it is a {type(value).__name__}")
