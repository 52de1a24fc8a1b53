"""Hamiltonian neural networks (Greydanus, Dzamba, Yosinski, NeurIPS 2019): a learned energy and its flow."""

from .field_kernels import gradient_kernels
from .gradient_tangents import bending_kernels, known
from .mlp import require_network
from .network_field import NetworkField


class HNN(NetworkField):
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

    hamiltonian = True

    def __init__(self, field):
        require_network("field", field)
        if field.sizes[-1] != 1 or field.sizes[0] % 2:
            raise ValueError(
                f"an HNN needs a network of 2 k inputs (q, p) and 1 output, but its sizes are {list(field.sizes)}"
            )
        self.field = field

    # as a vector field ---------------------------------------------------------------------------------------------------

    @property
    def dim(self):
        """Dimension of the state (q, p)."""
        return self.field.sizes[0]

    @property
    def kernels(self):
        """Addresses of the kernels of the vector field, see `odekit.nn.field_kernels`."""
        return bending_kernels(self.field.dtype) if known(self.field) else gradient_kernels(self.field.dtype)

    def pack(self, lanes, slots=1, directions=0):
        """The vector `p` that the kernels of the field take, see `MLP.pack`."""
        return self.field.pack(lanes, slots, gradient=True, symplectic=True, directions=directions)

    def energy(self, x, t=0.0):
        """Learned Hamiltonian.

        Parameters
        ----------
        x : array_like, (d,) or (B, d)
        t : float

        Returns
        -------
        float or ndarray, (B,)

        Raises
        ------
        TypeError, ValueError
            For what are no real numbers, or another shape.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> model = odekit.nn.HNN(odekit.nn.MLP([2, 8, 1], rng=0))
        >>> model.energy(np.ones((5, 2))).shape
        (5,)
        """
        return self.field(x, t)[..., 0]

    def __repr__(self):
        return f"HNN({self.field!r})"
