"""Lagrangian neural networks (Cranmer et al., 2020, arXiv:2003.04630): accelerations of a learned Lagrangian."""

import functools
import math

import numpy as np

from .. import _jit
from ..adjoint.tape import add_time_bar, lane_time
from . import checks, hyperdual, third_derivatives
from .composite import DIM, FIRST, OPTION, OWN_SCRATCH, NetworkField, field_kernels, own_tape, pack, part
from .derivative import checked_data, derivative_loss
from .field_kernels import gradient_record, tile
from .header import HIDDEN, LANES, N_PARAMS, SCRATCH, SIZES, hyperdual_room
from .input_gradient import gradient_backward
from .mlp import require_network
from .network import tape_of

view1, view2 = _jit.view1, _jit.view2

THIRD, RIDGE = 14, 15  # places of the header: address of the third derivatives; the ridge
#: A pivot that is smaller, relative to the largest entry of its matrix, is taken for zero.
SMALLEST_PIVOT = 1e-14


@_jit.core
def _solve(a, b):
    """b = a^-1 b by LU factorisation with partial pivoting, in place; NaN where a is singular."""
    k = b.size
    largest = 0.0
    for i in range(k):
        for j in range(k):
            largest = max(largest, abs(a[i, j]))
    for c in range(k):
        best = c
        for i in range(c + 1, k):
            best = i if abs(a[i, c]) > abs(a[best, c]) else best
        if not abs(a[best, c]) > SMALLEST_PIVOT * largest:
            for i in range(k):
                b[i] = math.nan
            return
        for j in range(k):
            a[c, j], a[best, j] = a[best, j], a[c, j]
        b[c], b[best] = b[best], b[c]
        for i in range(c + 1, k):
            factor = a[i, c] / a[c, c]
            for j in range(c + 1, k):
                a[i, j] -= factor * a[c, j]
            b[i] -= factor * b[c]
    for c in range(k - 1, -1, -1):
        for j in range(c + 1, k):
            b[c] -= a[c, j] * b[j]
        b[c] /= a[c, c]


@_jit.core
def _solve_lanes(p, place, mass, x, k, lanes):
    """x = M^-1 x in each lane; `place` is the offset of memory for one matrix and one vector."""
    a, b = view2(p, place, k, k), view1(p, place + k * k, k)
    for lane in range(lanes):
        for i in range(k):
            b[i] = x[i, lane]
            for j in range(k):
                a[i, j] = mass[i * k + j, lane]
        _solve(a, b)
        for i in range(k):
            x[i, lane] = b[i]


@_jit.view_maker
def _opened(p):
    """The network's vector; on the tape x, M (one row per entry) and the acceleration; where the scratch memory begins."""
    d, lanes, tape, network = int(p[DIM]), int(p[LANES]), own_tape(p), part(p, FIRST)
    k, size = d // 2, d * lanes
    x, mass = view2(p, tape, d, lanes), view2(p, tape + size, k * k, lanes)
    return network, x, mass, view2(p, tape + size + k * k * lanes, k, lanes), int(p[OWN_SCRATCH])


@_jit.core
def lagrangian(t, y, dy, p, keep):
    """dy = (v, M^-1 (dL/dq - (d2L/dv dq) v)) with M = d2L/dv2 + ridge I; M and the acceleration stay on the tape."""
    network, x, mass, q_dotdot, small = _opened(p)
    d, lanes = x.shape
    k, size, n_in = d // 2, d * lanes, int(network[SIZES])
    slope = view2(p, small + k * (k + 1), d, lanes)
    for i in range(d):
        for j in range(lanes):
            x[i, j] = y[i * lanes + j]
            if p[OPTION] != 0.0 and i < k:
                x[i, j] -= 2.0 * math.pi * math.floor(x[i, j] / (2.0 * math.pi))
    gradient_record(t, view1(p, own_tape(p), size), view1(p, small + k * (k + 1), size), network)
    for i in range(k):
        for j in range(lanes):
            q_dotdot[i, j] = slope[i, j]
    u = view2(network, tile(network, 0, lanes), n_in, lanes)
    column = view2(network, tile(network, 1, lanes), n_in, lanes)
    for c in range(k):
        for i in range(n_in):
            for j in range(lanes):
                u[i, j] = 1.0 if i == k + c else 0.0
        gradient_backward(network, tape_of(network), lanes, u, column, int(network[SCRATCH]), network, False)
        for j in range(lanes):
            for i in range(k):
                mass[i * k + c, j] = column[k + i, j] + (p[RIDGE] if i == c else 0.0)
                q_dotdot[c, j] -= column[i, j] * x[k + i, j]
    _solve_lanes(p, small, mass, q_dotdot, k, lanes)
    for i in range(k):
        for j in range(lanes):
            dy[i * lanes + j], dy[(k + i) * lanes + j] = x[k + i, j], q_dotdot[i, j]
    return 0


@_jit.core
def lagrangian_pull(t, v, out, p):
    """Transpose of its derivative.

    With s = M^-1 w for the cotangent w of the acceleration a, that of everything else is the derivative of
    ``s . dL/dq - s^T (d2L/dv dq) v - s^T (d2L/dv2) a`` with s and a held: one pass of `hyperdual`.
    """
    network, x, mass, q_dotdot, small = _opened(p)
    d, lanes = x.shape
    k, size, n_in, at = d // 2, d * lanes, int(network[SIZES]), int(p[FIRST])
    s = view2(p, small + k * (k + 1), k, lanes)
    for i in range(k):
        for j in range(lanes):
            s[i, j] = v[(k + i) * lanes + j]
    _solve_lanes(p, small, mass, s, k, lanes)
    start = small + k * (k + 1) + size - at  # as the network sees it
    bars = start + 4 * n_in * lanes
    scratch = bars + (4 * n_in + 12 * int(network[HIDDEN])) * lanes
    x_bar, inputs = view2(network, start, n_in, 4 * lanes), view2(network, bars, n_in, 4 * lanes)
    for i in range(n_in):
        for j in range(lanes):
            inputs[i, j] = x[i, j] if i < d else lane_time(p, t, j)
            inputs[i, lanes + j] = -s[i - k, j] if k <= i < d else 0.0
            inputs[i, 2 * lanes + j] = x[k + i, j] if i < k else (q_dotdot[i - k, j] if i < d else 0.0)
            inputs[i, 3 * lanes + j] = s[i, j] if i < k else 0.0
    hyperdual.up(network, bars, lanes, int(p[THIRD]))
    hyperdual.down(network, bars, lanes, scratch, x_bar, view1(out, size, int(p[N_PARAMS])))
    for i in range(k):
        for j in range(lanes):
            out[i * lanes + j] = x_bar[i, j]
            out[(k + i) * lanes + j] = x_bar[k + i, j] + x_bar[i, 2 * lanes + j] + v[i * lanes + j]
    for i in range(d, n_in):
        for j in range(lanes):
            add_time_bar(p, j, x_bar[i, j])
    return 0


class LNN(NetworkField):
    """Vector field q' = v, v' = (d2L/dv2)^-1 (dL/dq - (d2L/dv dq) v) of a scalar network L(q, v).

    It is trained on accelerations by `loss_and_grad`, with exact gradients through the third derivatives of the network, or
    on trajectories in a `NeuralODE`.

    Parameters
    ----------
    field : MLP
        Network of 2 k inputs, first all q, then all v, and one output; tanh, softplus, sigmoid or sin.
    ridge : float
        Added to the diagonal of the mass matrix d2L/dv2, which is a kinetic energy ``ridge |v|^2 / 2`` in L. A network that
        is not trained has hardly any mass of its own; 1 keeps the matrix regular at the start, 0 is the published form.
    angles : bool
        Whether all q are angles in radians: the network then sees them modulo 2 pi.

    Attributes
    ----------
    params : ndarray
        The parameters of the network.

    Raises
    ------
    ValueError
        If the network has an odd number of inputs, more than one output, no hidden layer, or an activation without three derivatives.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> model = odekit.nn.LNN(odekit.nn.MLP([2, 32, 32, 1], activation="softplus", rng=0))
    >>> x = np.array([[1.0, 0.0], [0.5, 1.0]])
    >>> model.energy(x).shape, model.mass_matrix(x).shape
    ((2,), (2, 1, 1))
    >>> loss, grad = model.loss_and_grad(x, acceleration=-np.sin(x[:, :1]))
    """

    def __init__(self, field, ridge=1.0, angles=False):
        require_network("field", field)
        if field.sizes[-1] != 1 or field.sizes[0] % 2 or len(field.sizes) < 3:
            raise ValueError(
                "an LNN needs a network of 2 k inputs (q, v), a hidden layer and 1 output, but its sizes are "
                f"{list(field.sizes)}"
            )
        checks.double(field=field)
        if field.activation not in third_derivatives.THIRD:
            raise ValueError(
                f"an LNN needs an activation with three derivatives, one of {', '.join(third_derivatives.THIRD)}, but its "
                f"network has {field.activation}"
            )
        self.ridge = float(ridge)
        if not 0.0 <= self.ridge < math.inf:
            raise ValueError(f"ridge must be a finite number, not negative, but it is {ridge!r}")
        self.field, self.angles = field, bool(angles)

    @property
    def dim(self):
        """Dimension of the state (q, v)."""
        return self.field.sizes[0]

    @property
    def kernels(self):
        """Addresses of the kernels of the vector field."""
        return field_kernels(lagrangian, lagrangian_pull)

    def pack(self, lanes, slots=1):
        """The vector `p` that the kernels of the field take, see `odekit.nn.composite.pack`."""
        part = functools.partial(self.field.pack, gradient=True)
        inner, d, k = part(1), self.dim, self.dim // 2
        n_in = int(inner[SIZES])
        tape, scratch = hyperdual_room(self.field._layers)
        p = pack(d, (part,), lanes, slots, slot=d + k * k + k, scratch=d + 4 * n_in + tape + scratch, fixed=k * (k + 1))
        p[THIRD], p[RIDGE] = third_derivatives.address(self.field.activation), self.ridge
        p[OPTION] = self.angles
        return p

    def loss_and_grad(self, x, acceleration):
        """Mean squared error of the accelerations and its exact gradient.

        Parameters
        ----------
        x : array_like, (B, 2 k)
            Positions, then velocities.
        acceleration : array_like, (B, k)

        Returns
        -------
        loss : float
        grad : ndarray, (n_params,)

        Raises
        ------
        LinAlgError
            If a mass matrix is singular.
        """
        _, x, dxdt, factor = self.derivative_data(x, acceleration)
        loss, grad = derivative_loss(self, x, dxdt)
        if not np.isfinite(loss):
            self._require_mass(x)
        return factor * loss, factor * grad

    def derivative_data(self, x, acceleration):
        """What `odekit.nn.inner_loop` needs: the field, the checked data, the factor of the loss."""
        x, _ = checks.batch("x", x, self.dim)
        half = self.dim // 2
        acceleration = checks.shaped("acceleration", np.atleast_2d(np.asarray(acceleration)), (len(x), half))
        dxdt = np.concatenate((x[:, half:], acceleration), axis=1)
        return self, *checked_data(self, x, dxdt), 2.0  # the mean is over the velocities, too, whose errors are zero

    def _require_mass(self, x):
        """One sentence about the first mass matrix that is singular."""
        spectra = np.linalg.eigvalsh(self.mass_matrix(x)) if np.isfinite(self.params).all() else np.empty((0, 1))
        sizes = np.abs(spectra)
        singular = ~(sizes.min(axis=1) > SMALLEST_PIVOT * sizes.max(axis=1))
        if singular.any():
            i = int(np.argmax(singular))
            raise np.linalg.LinAlgError(
                f"the mass matrix d2L/dv2 + {self.ridge:g} I of sample {i} is singular: its eigenvalues are "
                f"{', '.join(f'{value:.3g}' for value in spectra[i])}; expected a regular one, which a larger ridge gives"
            )

    def _seen(self, x):
        """States as the network sees them, as a batch."""
        x, batched = checks.batch("x", x, self.dim)
        if self.angles:
            half, x = self.dim // 2, x.copy()
            x[:, :half] = np.mod(x[:, :half], 2.0 * np.pi)
        return x, batched

    def mass_matrix(self, x, t=0.0):
        """Mass matrix d2L/dv2 with the ridge.

        Parameters
        ----------
        x : array_like, (2 k,) or (B, 2 k)
        t : float

        Returns
        -------
        ndarray, (k, k) or (B, k, k)
        """
        x, batched = self._seen(x)
        half = self.dim // 2
        units = np.eye(self.dim)[half:]
        columns = [self.field.gradient_vjp(x, np.tile(unit, (len(x), 1)), t)[1][:, half:] for unit in units]
        mass = np.stack(columns, axis=2) + self.ridge * np.eye(half)
        return mass if batched else mass[0]

    def signature(self, x, t=0.0):
        """How many eigenvalues of the mass matrix are positive: the same everywhere, unless it is singular in between.

        Parameters
        ----------
        x : array_like, (2 k,) or (B, 2 k)
        t : float

        Returns
        -------
        int or ndarray of int, (B,)
        """
        return (np.linalg.eigvalsh(self.mass_matrix(x, t)) > 0).sum(axis=-1)

    def energy(self, x, t=0.0):
        """Learned energy ``v . dL/dv - L``.

        Parameters
        ----------
        x : array_like, (2 k,) or (B, 2 k)
        t : float

        Returns
        -------
        float or ndarray, (B,)
        """
        x, batched = self._seen(x)
        half = self.dim // 2
        v = x[:, half:]
        energy = (v * (self.field.gradient(x, t)[:, half:] + 0.5 * self.ridge * v)).sum(1) - self.field(x, t)[:, 0]
        return energy if batched else energy[0]

    def __repr__(self):
        angles = ", angles=True" if self.angles else ""
        return f"LNN({self.field!r}, ridge={self.ridge:g}{angles})"
