"""Hamiltonian neural networks (Greydanus, Dzamba, Yosinski, NeurIPS 2019): a learned energy and its flow."""

import numpy as np

from . import checks, files
from . import field_kernels as kernels
from .derivative import DerivativeModel
from .mlp import MLP
from .neural_ode import NeuralODE


class HNN:
    """Vector field (dH/dp, -dH/dq) of a scalar network H(q, p).

    It is trained on derivatives by `loss_and_grad`, with exact gradients through grad H. It is also a field: put it into a
    `NeuralODE` to train it on trajectories.

    Parameters
    ----------
    field : MLP
        Network of 2 k inputs, first all q, then all p, and one output.

    Attributes
    ----------
    params : ndarray
        The parameters of the network.

    Raises
    ------
    ValueError
        If the network has an odd number of inputs, or more than one output.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> model = odekit.nn.HNN(odekit.nn.MLP([2, 32, 1], init="orthogonal", rng=0))
    >>> x = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> model.energy(x).shape, model.derivative(x).shape
    ((2,), (2, 2))
    >>> loss, grad = model.loss_and_grad(x, dxdt=np.array([[0.0, -1.0], [1.0, 0.0]]))
    """

    def __init__(self, field):
        if not isinstance(field, MLP):
            raise TypeError(f"field must be an odekit.nn.MLP, but it is a {type(field).__name__}")
        if field.sizes[-1] != 1 or field.sizes[0] % 2:
            raise ValueError(
                f"an HNN needs a network of 2 k inputs (q, p) and 1 output, but its sizes are {list(field.sizes)}"
            )
        self.field = field

    @property
    def params(self):
        """Flat parameter vector of the network."""
        return self.field.params

    @params.setter
    def params(self, value):
        self.field.params = value

    # as a vector field ---------------------------------------------------------------------------------------------------

    @property
    def dim(self):
        """Dimension of the state (q, p)."""
        return self.field.sizes[0]

    @property
    def kernels(self):
        """Addresses of the kernels of the vector field, see `odekit.nn.field_kernels`."""
        return kernels.gradient_kernels()

    def pack(self, lanes, slots=1):
        """The vector `p` that the kernels of the field take, see `MLP.pack`."""
        return self.field.pack(lanes, slots, gradient=True, symplectic=True)

    def __call__(self, x, t=0.0):
        """Time derivative (dH/dp, -dH/dq) at x (d,) or (B, d)."""
        x, batched = checks.batch("x", x, self.dim)
        out = np.empty((self.dim, len(x)))
        kernels.call(self.kernels.value, float(t), np.ascontiguousarray(x.T).ravel(), out.ravel(), self.pack(len(x)))
        return out.T.copy() if batched else out[:, 0].copy()

    # as a model ----------------------------------------------------------------------------------------------------------

    def derivative(self, x):
        """Time derivative.

        Parameters
        ----------
        x : array_like, (d,) or (B, d)

        Returns
        -------
        ndarray, like x
        """
        return self(x)

    def energy(self, x, t=0.0):
        """Learned Hamiltonian.

        Parameters
        ----------
        x : array_like, (d,) or (B, d)
        t : float

        Returns
        -------
        float or ndarray, (B,)
        """
        return self.field(x, t)[..., 0]

    def loss_and_grad(self, x, dxdt):
        """Mean squared error of the derivatives and its exact gradient.

        Parameters
        ----------
        x, dxdt : array_like, (B, d)
            States and their time derivatives.

        Returns
        -------
        loss : float
        grad : ndarray, (n_params,)
        """
        return DerivativeModel(self).loss_and_grad(x, dxdt)

    def samples(self, x, dxdt):
        """Number of samples in training data, for `fit`."""
        return DerivativeModel(self).samples(x, dxdt)

    def select(self, rows, x, dxdt):
        """Some of the training data, for `fit`."""
        return DerivativeModel(self).select(rows, x, dxdt)

    def solve(self, y0, t, method="dop853", rtol=1e-9, atol=1e-9):
        """Trajectories of the learned system.

        Parameters
        ----------
        y0 : array_like, (d,) or (B, d)
        t : array_like, (T,)
        method : str
        rtol, atol : float

        Returns
        -------
        ndarray, (T, d) or (T, B, d)

        Raises
        ------
        SolveError
            If the integration stops before ``t[-1]``.
        """
        return NeuralODE(self, method, rtol, atol).solve(y0, t)

    def save(self, path, *, overwrite=False):
        """Write the model to an HDF5 file; read it back with `odekit.nn.load`."""
        files.save(path, self, overwrite)

    def __repr__(self):
        return f"HNN({self.field!r})"
