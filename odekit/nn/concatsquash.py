"""Networks whose layers are opened and shut by the time: the "concatsquash" layers of FFJORD (Grathwohl et al., ICLR 2019).

A layer is ``(W x + b) * s(t) + c t`` with the gates ``s(t) = sigmoid(g t + h)``. At a given time that is a plain layer of weights
``s W`` and biases ``s b + c t``: they are made once per evaluation, for all lanes, and the kernels of a plain network do the rest.
"""

import numpy as np

from .. import _jit, vmath
from . import checks
from .composite import DIM, FIRST, OWN_SCRATCH, OWN_THETA, NetworkField, enter, field_kernels, pack
from .field_kernels import tile
from .header import KEEPS, LANES, LAYERS, N_PARAMS, SCRATCH, SIZE, SIZES, THETA, TIME_BAR
from .mlp import MLP
from .network import backward, forward, load, store, tape_of

view1, view2 = _jit.view1, _jit.view2


def gate_count(sizes):
    """Numbers of g, h and c of a network with `sizes` features."""
    return 3 * sum(sizes[1:])


@_jit.core
def make_weights(t, p, at, plain):
    """Weights and biases at time t, from those of the network at `at` and the gates of p, to the offset `plain`."""
    theta, gates, layers = at + int(p[at + THETA]), int(p[OWN_THETA]), int(p[at + LAYERS])
    for k in range(1, layers + 1):
        n, n_below = int(p[at + SIZES + k]), int(p[at + SIZES + k - 1])
        for i in range(n):
            s = vmath.sigmoid(p[gates + i] * t + p[gates + n + i])
            row = i * n_below
            for j in range(row, row + n_below):
                p[plain + j] = s * p[theta + j]
            p[plain + n * n_below + i] = s * p[theta + n * n_below + i] + p[gates + 2 * n + i] * t
        theta, plain, gates = theta + n * (n_below + 1), plain + n * (n_below + 1), gates + 3 * n


@_jit.core
def pull_weights(t, p, at, bar, g):
    """Transpose of `make_weights`: from the cotangents at the offset `bar` to those of all parameters, added to g; and of t."""
    theta, gates, layers = at + int(p[at + THETA]), int(p[OWN_THETA]), int(p[at + LAYERS])
    place, own = 0, int(p[at + N_PARAMS])
    for k in range(1, layers + 1):
        n, n_below = int(p[at + SIZES + k]), int(p[at + SIZES + k - 1])
        for i in range(n):
            s = vmath.sigmoid(p[gates + i] * t + p[gates + n + i])
            row, b = place + i * n_below, place + n * n_below + i
            s_bar = p[bar + b] * p[theta + b]
            for j in range(row, row + n_below):
                s_bar += p[bar + j] * p[theta + j]
                g[j] += s * p[bar + j]
            g[b] += s * p[bar + b]
            z_bar = s_bar * s * (1.0 - s)
            g[own + i] += t * z_bar
            g[own + n + i] += z_bar
            g[own + 2 * n + i] += t * p[bar + b]
            p[TIME_BAR] += p[gates + i] * z_bar + p[gates + 2 * n + i] * p[bar + b]
        place, own, gates = place + n * (n_below + 1), own + 3 * n, gates + 3 * n


@_jit.core
def clear(p, start, count):
    """p[start : start + count] = 0."""
    for i in range(start, start + count):
        p[i] = 0.0


@_jit.core
def squashed(t, y, dy, p, keep):
    """dy = network(t, y)."""
    lanes, at, plain = int(p[LANES]), enter(p, FIRST), int(p[OWN_SCRATCH])
    make_weights(t, p, at, plain)
    network, theta = view1(p, at, int(p[SIZE]) - at), p[at + THETA]
    network[THETA] = plain - at
    tape = tape_of(network)
    load(network, tape, y, 0, lanes, lanes, t)
    forward(network, tape, lanes, int(network[KEEPS]) - 1 if keep else 0, dy, int(p[DIM]))
    network[THETA] = theta
    return 0


@_jit.core
def squashed_pull(t, v, out, p):
    """Transpose of its derivative."""
    lanes, at, plain, d = int(p[LANES]), enter(p, FIRST), int(p[OWN_SCRATCH]), int(p[DIM])
    count = int(p[at + N_PARAMS])
    bar = plain + count
    make_weights(t, p, at, plain)
    clear(p, bar, count)
    network, theta = view1(p, at, int(p[SIZE]) - at), p[at + THETA]
    network[THETA] = plain - at
    x_bar = view2(network, tile(network, 0, lanes), d, lanes)
    backward(
        network, tape_of(network), lanes, view2(v, 0, d, lanes), x_bar, int(network[SCRATCH]), view1(p, bar, count)
    )
    store(x_bar, d, out, 0, lanes)
    network[THETA] = theta
    pull_weights(t, p, at, bar, view1(out, d * lanes, int(p[N_PARAMS])))
    return 0


class ConcatSquash(NetworkField):
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
    init : str
        As for `MLP`.

    Attributes
    ----------
    params : ndarray
        W and b layer by layer, then g, h and c layer by layer.
    network : MLP
        Holds W and b, as views of `params`.

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

    def __init__(self, sizes, activation="tanh", rng=None, *, init="glorot"):
        rng = np.random.default_rng(rng)
        self.network = MLP(sizes, activation, rng, init=init)
        self.sizes, self.activation, self.init = self.network.sizes, activation, init
        self._join(np.zeros(gate_count(self.sizes)))
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
    def params(self):
        """Flat parameter vector."""
        return self._params

    @params.setter
    def params(self, value):
        self._params[...] = checks.shaped("params", value, self._params.shape)

    @property
    def gates(self):
        """The part of `params` behind W and b."""
        return self._params[self.network.params.size :]

    def weights(self):
        """Views into `params` by name: W1, b1, W2, ..., then g1, h1, c1, g2, ...

        Returns
        -------
        dict of ndarray
        """
        return self.named(self._params)

    def named(self, vector):
        """Views into a vector laid out like `params`."""
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
        """
        network, w = MLP(self.sizes, self.activation, 0, init=self.init), self.weights()
        for k in range(1, len(self.sizes)):
            s = 1.0 / (1.0 + np.exp(-(w[f"g{k}"] * float(t) + w[f"h{k}"])))
            network.weights()[f"W{k}"][...] = s[:, None] * w[f"W{k}"]
            network.weights()[f"b{k}"][...] = s * w[f"b{k}"] + w[f"c{k}"] * float(t)
        return network

    def jvp(self, x, dx, t=0.0):
        """Value and directional derivative; see `MLP.jvp`."""
        return self.at(t).jvp(x, dx)

    @property
    def dim(self):
        """Dimension of the state, for a network used as a vector field."""
        return self.network.dim

    @property
    def kernels(self):
        """Addresses of the kernels of the vector field."""
        return field_kernels(squashed, squashed_pull)

    def pack(self, lanes, slots=1):
        """The vector `p` that the kernels of the field take, see `odekit.nn.composite.pack`."""
        return pack(self.dim, (self.network.pack,), lanes, slots, self.gates, fixed=2 * self.network.params.size)

    def __repr__(self):
        return f"ConcatSquash({list(self.sizes)}, activation={self.activation!r}, {self._params.size} parameters)"
