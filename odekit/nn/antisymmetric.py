"""Antisymmetric fields (Chang, Chen, Haber, Chi, ICLR 2019): stable by construction, without forgetting."""

import math

import numpy as np

from .. import _jit, vmath
from ..adjoint.tape import add_time_bar, lane_time
from . import checks
from .composite import DIM, OPTION, OWN_SCRATCH, OWN_THETA, field_kernels, own_tape, pack
from .header import LANES
from .matmul import add_matmul, add_outer, add_row_sums, matmul_transposed
from .network_field import NetworkField
from .own_parameters import OwnParameters

view1, view2 = _jit.view1, _jit.view2

GAMMA = 14  # place of the damping in the header


@_jit.core
def _matrix(p):
    """Write W - W^T - gamma I to the scratch memory."""
    d, theta = int(p[DIM]), int(p[OWN_THETA])
    w, a = view2(p, theta, d, d), view2(p, int(p[OWN_SCRATCH]), d, d)
    for i in range(d):
        for j in range(d):
            a[i, j] = w[i, j] - w[j, i]
        a[i, i] = -p[GAMMA]


@_jit.core
def antisymmetric(t, y, dy, p, keep):
    """dy = tanh((W - W^T - gamma I) y + b + V t)."""
    d, lanes, theta = int(p[DIM]), int(p[LANES]), int(p[OWN_THETA])
    size = d * lanes
    _matrix(p)
    z, flat = view2(dy, 0, d, lanes), view1(dy, 0, size)
    bias = view1(p, theta + d * d, 2 * d)
    for i in range(d):
        for j in range(lanes):
            z[i, j] = bias[i] + (lane_time(p, t, j) * bias[d + i] if p[OPTION] != 0.0 else 0.0)
    add_matmul(view2(p, int(p[OWN_SCRATCH]), d, d), view2(y, 0, d, lanes), z)
    for i in range(size):
        flat[i] = vmath.tanh(flat[i])
    if keep:
        tape = view1(p, own_tape(p), 2 * size)
        for i in range(size):
            tape[i], tape[size + i] = y[i], flat[i]
    return 0


@_jit.core
def antisymmetric_pull(t, v, out, p):
    """Transpose of its derivative."""
    d, lanes, scratch, tape = int(p[DIM]), int(p[LANES]), int(p[OWN_SCRATCH]), own_tape(p)
    size = d * lanes
    _matrix(p)
    value, delta = view1(p, tape + size, size), view1(p, scratch + 2 * d * d, size)
    for i in range(size):
        delta[i] = v[i] * (1.0 - value[i]) * (1.0 + value[i])
    cotangent = view2(p, scratch + 2 * d * d, d, lanes)
    matmul_transposed(view2(p, scratch, d, d), cotangent, view2(out, 0, d, lanes))
    outer, w_bar = view2(p, scratch + d * d, d, d), view2(out, size, d, d)
    for i in range(d):
        for j in range(d):
            outer[i, j] = 0.0
    add_outer(cotangent, view2(p, tape, d, lanes), outer)
    for i in range(d):
        for j in range(d):
            w_bar[i, j] += outer[i, j] - outer[j, i]
    add_row_sums(cotangent, view1(out, size + d * d, d))
    if p[OPTION] != 0.0:
        v_bar, along = view1(out, size + d * d + d, d), view1(p, int(p[OWN_THETA]) + d * d + d, d)
        for i in range(d):
            for j in range(lanes):
                v_bar[i] += lane_time(p, t, j) * cotangent[i, j]
                add_time_bar(p, j, cotangent[i, j] * along[i])
    return 0


@_jit.core
def antisymmetric_tangents(t, given, out, p):
    """The field and its derivatives along directions; their arguments of tanh, with V along t, stay in the scratch memory."""
    d, lanes, count = int(p[DIM]), int(p[LANES]), int(given[0])
    size, timed = d * lanes, p[OPTION] != 0.0
    antisymmetric(t, view1(given, 1 + count, size), out, p, False)
    a, along = view2(p, int(p[OWN_SCRATCH]), d, d), view1(p, int(p[OWN_THETA]) + d * d + d, d)
    for c in range(1, 1 + count):
        z = view2(p, int(p[OWN_SCRATCH]) + 2 * d * d + c * size, d, lanes)
        for i in range(d):
            for j in range(lanes):
                z[i, j] = given[c] * along[i] if timed else 0.0
        add_matmul(a, view2(given, 1 + count + c * size, d, lanes), z)
        for i in range(d):
            for j in range(lanes):
                f = out[i * lanes + j]
                out[c * size + i * lanes + j] = (1.0 - f) * (1.0 + f) * z[i, j]
    for i in range(size):  # where `antisymmetric_pull` has the cotangents of the arguments
        p[int(p[OWN_SCRATCH]) + 2 * d * d + i] = out[i]
    return 0


@_jit.core
def antisymmetric_pull_tangents(t, given, out, p):
    """Transpose of the derivative of all that.

    With z the argument of tanh and z_c its derivatives, f = tanh(z) and f_c = (1 - f^2) z_c: the cotangents of z_c are
    (1 - f^2) w_c, that of z is (1 - f^2) (w - 2 f sum_c z_c w_c).
    """
    d, lanes, count, scratch = int(p[DIM]), int(p[LANES]), int(given[0]), int(p[OWN_SCRATCH])
    size, first, timed = d * lanes, 1 + count, p[OPTION] != 0.0
    bars, kept = first + (1 + count) * size, scratch + 2 * d * d
    outer, z_bar = view2(p, scratch + d * d, d, d), view2(p, kept, d, lanes)
    w_bar, b_bar = view2(out, size, d, d), view1(out, size + d * d, d)
    v_bar, along = view1(out, size + d * d + d, d), view1(p, int(p[OWN_THETA]) + d * d + d, d)
    for i in range(d):
        for j in range(d):
            outer[i, j] = 0.0
    for i in range(d):
        for j in range(lanes):
            at, f = i * lanes + j, z_bar[i, j]
            slope, bent = (1.0 - f) * (1.0 + f), given[bars + at]
            for c in range(1, 1 + count):
                z, w = p[kept + c * size + at], given[bars + c * size + at]
                bent -= 2.0 * f * z * w
                p[kept + c * size + at] = slope * w
                if timed:
                    v_bar[i] += given[c] * slope * w
            z_bar[i, j] = slope * bent
            if timed:
                v_bar[i] += lane_time(p, t, j) * z_bar[i, j]
                add_time_bar(p, j, along[i] * z_bar[i, j])
    for c in range(1 + count):
        add_outer(view2(p, kept + c * size, d, lanes), view2(given, first + c * size, d, lanes), outer)
    add_row_sums(z_bar, b_bar)
    for i in range(d):
        for j in range(d):
            w_bar[i, j] += outer[i, j] - outer[j, i]
    matmul_transposed(view2(p, scratch, d, d), z_bar, view2(out, 0, d, lanes))
    return 0


class AntisymmetricField(OwnParameters, NetworkField):
    """Vector field y' = tanh((W - W^T - gamma I) y + b), with V t inside if it depends on the time.

    The eigenvalues of an antisymmetric matrix are imaginary: such a field neither contracts nor expands much. gamma > 0
    moves them to the left, which explicit methods need; Euler's method with step h is stable where h <= 2 gamma /
    (gamma^2 + w^2) for all frequencies w.

    Parameters
    ----------
    dim : int
    gamma : float
        Damping, not negative.
    rng : None, int or numpy.random.Generator
        Source of the initial weights.
    scale : float
        W has normal entries of variance ``scale**2 / dim``; b and V are 0 at first.
    time_dependent : bool

    Attributes
    ----------
    params : ndarray
        W row by row, b, and V if the field depends on the time.

    Raises
    ------
    ValueError
        If `dim` or `scale` is not positive, or `gamma` negative.

    Examples
    --------
    >>> import odekit
    >>> field = odekit.nn.AntisymmetricField(8, gamma=0.01, rng=0)
    >>> odekit.nn.NeuralODE(field).solve([[0.1] * 8], [0.0, 1.0]).shape
    (2, 1, 8)
    """

    dtype = "float64"

    def __init__(self, dim, gamma=0.0, rng=None, *, scale=1.0, time_dependent=False):
        self._dim = checks.count("dim", dim)
        self.gamma = checks.not_negative("gamma", gamma)
        self.scale, self.time_dependent = checks.positive("scale", scale), bool(time_dependent)
        self._params = np.zeros(parameter_count(self._dim, self.time_dependent))
        w = checks.generator(rng).normal(0.0, self.scale / math.sqrt(self._dim), (self._dim, self._dim))
        self._params[: w.size] = w.ravel()

    def weights(self):
        """Views into `params` by name: W (d, d), b (d,), V (d,) if the field depends on the time.

        Returns
        -------
        dict of ndarray

        Examples
        --------
        >>> import odekit
        >>> {name: view.shape for name, view in odekit.nn.AntisymmetricField(3, rng=0).weights().items()}
        {'W': (3, 3), 'b': (3,)}
        """
        d, rest = self._dim, self._params[self._dim**2 :]
        named = {"W": self._params[: d * d].reshape(d, d), "b": rest[:d]}
        return named | ({"V": rest[d:]} if self.time_dependent else {})

    @property
    def dim(self):
        """Dimension of the state."""
        return self._dim

    @property
    def kernels(self):
        """Addresses of the kernels of the vector field."""
        return field_kernels(antisymmetric, antisymmetric_pull, antisymmetric_tangents, antisymmetric_pull_tangents)

    def pack(self, lanes, slots=1, directions=0):
        """The vector `p` that the kernels of the field take, see `odekit.nn.composite.pack`."""
        d = self._dim
        p = pack(d, (), lanes, slots, self._params, slot=2 * d, scratch=(1 + directions) * d, fixed=2 * d * d)
        p[GAMMA], p[OPTION] = self.gamma, self.time_dependent
        return p

    def __repr__(self):
        return f"AntisymmetricField({self._dim}, gamma={self.gamma:g}, {self._params.size} parameters)"


def parameter_count(dim, time_dependent):
    """Numbers of weights and biases of such a field."""
    return dim * dim + dim * (2 if time_dependent else 1)
