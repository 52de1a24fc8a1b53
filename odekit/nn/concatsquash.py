"""Networks whose layers are opened and shut by the time: the "concatsquash" layers of FFJORD (Grathwohl et al., ICLR 2019).

A layer is ``(W x + b) * s(t) + c t`` with the gates ``s(t) = sigmoid(g t + h)``. At a given time that is a plain layer of weights
``s W`` and biases ``s b + c t``: they are made once per evaluation, for all lanes, and the kernels of a plain network do the rest.
"""

import functools

import numpy as np

from .. import _jit, vmath
from . import checks, gates
from .composite import DIM, FIRST, OWN_SCRATCH, OWN_THETA, field_kernels, gather, pack, part, shift_of
from .field_kernels import tile
from .header import KEEPS, LANES, LAYERS, N_PARAMS, SCRATCH, SIZES, THETA, TIME_BAR
from .mlp import MLP
from .network import backward, forward, load, store, tape_of
from .network_field import NetworkField
from .network_tangents import network_pull_tangents, network_tangents
from .own_parameters import OwnParameters

view1, view2 = _jit.view1, _jit.view2


@_jit.core
def make_weights(t, p, network, plain):
    """Weights and biases at time t, from those of the network and the gates of p.

    Parameters
    ----------
    t : float
    p, network : ndarray
        Vectors of the field and of its network.
    plain : int
        Offset in `p` that receives them, as many and in the same order as the network's own.
    """
    theta, place = int(network[THETA]), int(p[OWN_THETA])
    for k in range(1, int(network[LAYERS]) + 1):
        n, n_below = int(network[SIZES + k]), int(network[SIZES + k - 1])
        size, gates = n * n_below, view1(p, place, 3 * n)
        w, made = view1(network, theta, size + n), view1(p, plain, size + n)
        for i in range(n):
            s = w.dtype.type(vmath.sigmoid(gates[i] * t + gates[n + i]))
            row = i * n_below
            for j in range(row, row + n_below):
                made[j] = s * w[j]
            made[size + i] = s * w[size + i] + gates[2 * n + i] * t
        theta, plain, place = theta + size + n, plain + size + n, place + 3 * n


@_jit.core
def pull_weights(t, p, network, bar, g):
    """Transpose of `make_weights`; the cotangent of t is added to ``p[TIME_BAR]``.

    Parameters
    ----------
    t : float
    p, network : ndarray
    bar : int
        Offset in `p` of the cotangents of what was made.
    g : ndarray, (n_params,)
        Those of all parameters are added to it: W and b, then the gates.
    """
    count, place, start, own = int(network[N_PARAMS]), int(p[OWN_THETA]), 0, int(network[N_PARAMS])
    w, bars = view1(network, int(network[THETA]), count), view1(p, bar, count)
    for k in range(1, int(network[LAYERS]) + 1):
        n, n_below = int(network[SIZES + k]), int(network[SIZES + k - 1])
        gates = view1(p, place, 3 * n)
        for i in range(n):
            s = vmath.sigmoid(gates[i] * t + gates[n + i])
            row, b = start + i * n_below, start + n * n_below + i
            s_bar = bars[b] * w[b]
            for j in range(row, row + n_below):
                s_bar += bars[j] * w[j]
                g[j] += s * bars[j]
            g[b] += s * bars[b]
            z_bar = s_bar * s * (1.0 - s)
            g[own + i] += t * z_bar
            g[own + n + i] += z_bar
            g[own + 2 * n + i] += t * bars[b]
            p[TIME_BAR] += gates[i] * z_bar + gates[2 * n + i] * bars[b]
        start, own, place = start + n * (n_below + 1), own + 3 * n, place + 3 * n


@_jit.core
def clear(p, start, count):
    """The numbers from `start` on become 0."""
    numbers = view1(p, start, count)
    for i in range(count):
        numbers[i] = 0.0


@_jit.core
def squashed(t, y, dy, p, keep):
    """dy = network(t, y)."""
    lanes, network, plain = int(p[LANES]), part(p, FIRST), int(p[OWN_SCRATCH])
    make_weights(t, p, network, plain)
    theta = network[THETA]
    network[THETA] = plain + shift_of(p, network)
    tape = tape_of(network)
    load(network, tape, y, 0, lanes, lanes, t)
    forward(network, tape, lanes, int(network[KEEPS]) - 1 if keep else 0, dy, int(p[DIM]))
    network[THETA] = theta
    return 0


@_jit.core
def squashed_pull(t, v, out, p):
    """Transpose of its derivative."""
    lanes, network, plain, d = int(p[LANES]), part(p, FIRST), int(p[OWN_SCRATCH]), int(p[DIM])
    count = int(network[N_PARAMS])
    bar = plain + count
    make_weights(t, p, network, plain)
    clear(p, bar, count)
    theta = network[THETA]
    network[THETA] = plain + shift_of(p, network)
    x_bar = view2(network, tile(network, 0, lanes), d, lanes)
    cotangent = view2(network, tile(network, 2, lanes), d, lanes)
    gather(v, d, lanes, 0, lanes, view1(network, tile(network, 2, lanes), d * lanes))
    backward(network, tape_of(network), lanes, cotangent, x_bar, int(network[SCRATCH]), view1(p, bar, count))
    store(x_bar, d, out, 0, lanes)
    network[THETA] = theta
    pull_weights(t, p, network, bar, view1(out, d * lanes, int(p[N_PARAMS])))
    return 0


@_jit.view_maker
def _gates(t, given, p, network):
    """What `odekit.nn.gates` needs, behind the memory of `make_weights`."""
    return t, given, int(p[OWN_SCRATCH]) + 2 * int(network[N_PARAMS]) + shift_of(p, network)


@_jit.core
def squashed_tangents(t, given, out, p):
    """The field and its derivatives along directions of state and time."""
    network = part(p, FIRST)
    return network_tangents(t, given, out, network, _gates(t, given, p, network))


@_jit.core
def squashed_pull_tangents(t, given, out, p):
    """Transpose of the derivative of all that."""
    network = part(p, FIRST)
    status = network_pull_tangents(t, given, out, network, _gates(t, given, p, network))
    p[TIME_BAR] += network[TIME_BAR]
    return status


class ConcatSquash(OwnParameters, NetworkField):
    """Time-dependent network of layers ``phi((W x + b) * sigmoid(g t + h) + c t)``, the last one without phi.

    Each feature has a gate that the time opens and shuts, which lets a flow do different things at different times. All of a
    batch has the same time, so that the gates cost next to nothing. It is a field for `CNF` and `NeuralODE`.

    Parameters
    ----------
    sizes : sequence of int
        Features of each layer, input and output included.
    activation : str
        As for `MLP`.
    rng : None, int or numpy.random.Generator
        Source of the initial weights; b, h and c are 0 at first, g is normal.
    init, dtype : str
        As for `MLP`.

    Attributes
    ----------
    params : ndarray
        W and b layer by layer, then g, h and c layer by layer.
    network : MLP
        Holds W and b, as views of `params`.

    Raises
    ------
    ValueError
        For fewer than two layers, an unknown activation, initialisation or dtype.

    References
    ----------
    W. Grathwohl, R. T. Q. Chen, J. Bettencourt, I. Sutskever, D. Duvenaud, "FFJORD: Free-form continuous dynamics for scalable
    reversible generative models", ICLR 2019.

    Examples
    --------
    >>> import odekit
    >>> field = odekit.nn.ConcatSquash([2, 32, 2], rng=0)
    >>> field([0.5, -1.0], t=0.3).shape
    (2,)
    >>> sorted(field.weights())
    ['W1', 'W2', 'b1', 'b2', 'c1', 'c2', 'g1', 'g2', 'h1', 'h2']
    """

    lane_times = False  # the weights are those of one time

    def __init__(self, sizes, activation="tanh", rng=None, *, init="glorot", dtype="float64"):
        rng = checks.generator(rng)
        self.network = MLP(sizes, activation, rng, init=init, dtype=dtype)
        self.sizes, self.activation, self.init = self.network.sizes, activation, init
        self._join(np.zeros(gates.count(self.sizes)))
        for name, vector in self.weights().items():
            if name.startswith("g"):
                vector[:] = rng.standard_normal(vector.size)

    def _join(self, gates):
        self._params = np.concatenate((self.network.params, gates))
        self.network._params = self._params[: self.network.params.size]

    def __setstate__(self, state):  # copies and pickles of views are no views
        self.__dict__.update(state)
        self._join(self._params[self.network.params.size :])

    @property
    def dtype(self):
        """Precision, float64 or float32."""
        return self.network.dtype

    @property
    def gates(self):
        """The part of `params` behind W and b."""
        return self._params[self.network.params.size :]

    def weights(self):
        """Views into `params` by name: W1, b1, W2, ..., then g1, h1, c1, g2, ...

        Returns
        -------
        dict of ndarray

        Examples
        --------
        >>> import odekit
        >>> odekit.nn.ConcatSquash([2, 8, 2], rng=0).weights()["g1"].shape
        (8,)
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
        >>> field = odekit.nn.ConcatSquash([2, 8, 2], rng=0)
        >>> field.named(np.zeros(field.params.size))["W2"].shape
        (2, 8)
        """
        start = self.network.params.size
        views = self.network.named(vector[:start])
        for k, n in enumerate(self.sizes[1:], 1):
            for name in "ghc":
                views[f"{name}{k}"] = vector[start : start + n]
                start += n
        return views

    def at(self, t):
        """The network at one time.

        Parameters
        ----------
        t : float

        Returns
        -------
        MLP
            With parameters of its own.

        Raises
        ------
        ValueError
            If `t` is no finite number.

        Examples
        --------
        >>> import numpy as np, odekit
        >>> field = odekit.nn.ConcatSquash([2, 8, 2], rng=0)
        >>> bool(np.allclose(field.at(0.3)([0.5, -1.0]), field([0.5, -1.0], t=0.3)))
        True
        """
        t = checks.number("t", t)
        network, w = MLP(self.sizes, self.activation, 0, init=self.init, dtype=self.dtype), self.weights()
        for k in range(1, len(self.sizes)):
            s = 1.0 / (1.0 + np.exp(-(w[f"g{k}"] * t + w[f"h{k}"])))
            network.weights()[f"W{k}"][...] = s[:, None] * w[f"W{k}"]
            network.weights()[f"b{k}"][...] = s * w[f"b{k}"] + w[f"c{k}"] * t
        return network

    def jvp(self, x, dx, t=0.0):
        """Value and directional derivative.

        Parameters
        ----------
        x, dx : array_like, (d,) or (B, d)
            Input and its direction.
        t : float

        Returns
        -------
        y, dy : ndarray, (n_out,) or (B, n_out)

        Raises
        ------
        TypeError, ValueError
            For what are no real numbers, another shape, or a direction that is not finite.

        Examples
        --------
        >>> import odekit
        >>> y, dy = odekit.nn.ConcatSquash([2, 8, 2], rng=0).jvp([0.5, -1.0], [1.0, 0.0], t=0.3)
        >>> y.shape, dy.shape
        ((2,), (2,))
        """
        return self.at(t).jvp(x, dx)

    @property
    def dim(self):
        """Dimension of the state, for a network used as a vector field."""
        return self.network.dim

    @property
    def kernels(self):
        """Addresses of the kernels of the vector field."""
        cores = squashed, squashed_pull, squashed_tangents, squashed_pull_tangents
        return field_kernels(*cores, dtype=self.dtype)

    def pack(self, lanes, slots=1, directions=0):
        """The vector `p` that the kernels of the field take, see `odekit.nn.composite.pack`."""
        fixed, network = 2 * self.network.params.size, functools.partial(self.network.pack, directions=directions)
        scratch = (1 + directions) * sum(self.sizes[1:]) if directions else 0
        return pack(self.dim, (network,), lanes, slots, self.gates, scratch=scratch, fixed=fixed, dtype=self.dtype)

    def __repr__(self):
        return f"ConcatSquash({list(self.sizes)}, activation={self.activation!r}, {self._params.size} parameters)"
