"""Fields made of networks: how their vectors `p` lie inside one another, and what all such fields do from Python.

The vector `p` of a composite field holds its own header, the headers of its parts, all parameters (those of the parts, then
its own), the tapes, slot by slot, and scratch memory. A part's kernels see `p` from the header of the part on, so they need
not know that they are parts.
"""

import functools

import numpy as np

from .. import _jit
from . import checks
from .field_kernels import FieldKernels, call, gradient_pull_into, in_precision
from .header import (
    BLOCK,
    LANE_BLOCK,
    LANES,
    N_PARAMS,
    SCRATCH,
    SIZE,
    SLOT,
    SLOT_SIZE,
    TAPE,
    THETA,
    TIME_BAR,
    TIMES,
    numbers_per_double,
    rounded_up,
    scalar_address,
)
from .mlp import lanewise_vjp
from .sampled import SampledModel

view1, tail = _jit.view1, _jit.tail

# places of the header of a composite field, beside those that the adjoints know
DIM = 3  # of the state
FIRST, SECOND = 4, 5  # offsets of the headers of its parts
OWN_THETA = 6  # offset of its own parameters
OPTION = 7  # what the field makes of it; 14 and 15 too
OWN = 16  # offset in a slot of the tape of what the field itself keeps there
OWN_SCRATCH = 17  # offset of its own scratch memory
OWN_HEADER = 21


@_jit.core
def enter(p, place):
    """Offset of the vector of the part that `place` names, after telling it which lanes and which slot are in use."""
    offset = int(p[place])
    p[offset + LANES], p[offset + SLOT], p[offset + TIME_BAR] = p[LANES], p[SLOT], 0.0
    p[offset + TIMES] = p[TIMES] - offset if p[TIMES] != 0.0 else 0.0
    return offset


@_jit.view_maker
def part(p, place):
    """The vector of the part that `place` names, after telling it which lanes and which slot are in use."""
    at = enter(p, place)
    return tail(p, at)


@_jit.core
def shift_of(p, network):
    """What is added to an offset in p for that of the same number in the vector of a part."""
    return int(network[SCRATCH]) - int(p[SCRATCH])  # the same memory


@_jit.core
def pull_gradient(t, v, out, g, place, p):
    """Transpose of the derivative of the gradient of a scalar part; that of its parameters is added to `g`."""
    network = part(p, place)
    gradient_pull_into(t, v, out, g, network)
    p[TIME_BAR] += network[TIME_BAR]


@_jit.core
def own_tape(p):
    """Offset of what the field itself keeps in the slot in use."""
    return int(p[TAPE]) + int(p[SLOT]) * int(p[SLOT_SIZE]) + int(p[OWN])


def pack(dim, parts, lanes, slots, params=(), slot=0, scratch=0, fixed=0, dtype="float64"):
    """Build the vector `p` of a composite field.

    Parameters
    ----------
    dim : int
        Of the state.
    parts : sequence of callable
        ``part(lanes)`` returns the vector of a part with one slot.
    lanes, slots : int
        See `odekit.nn.header.pack`.
    params : array_like
        The field's own parameters.
    slot, scratch : int
        Numbers per lane that the field itself keeps in a slot, and that it needs as scratch memory.
    fixed : int
        Further numbers of scratch memory, whatever the lanes.
    dtype : str
        That of the parts.

    Returns
    -------
    ndarray
    """
    block, ratio = min(lanes, LANE_BLOCK), numbers_per_double(dtype)
    inner = [make(block) for make in parts]
    prefixes = [int(q[THETA]) // ratio for q in inner]
    counts = [int(q[N_PARAMS]) for q in inner]
    tapes = [int(q[SLOT_SIZE]) for q in inner]
    theta = ratio * (OWN_HEADER + sum(prefixes))
    tape = rounded_up(theta + sum(counts) + len(params), ratio)
    slot_size = sum(tapes) + slot * block
    own = rounded_up(tape + slots * slot_size, ratio)
    own_scratch = own + 2 * dim * block * ratio  # two states in double precision first
    shared = own_scratch + scratch * block + fixed
    size = shared + max((ratio * q.size - int(q[SCRATCH]) for q in inner), default=0)
    p = np.empty(rounded_up(size, ratio) // ratio)
    numbers = p.view(dtype)
    p[:OWN_HEADER] = 0.0
    p[LANES], p[BLOCK], p[DIM], p[N_PARAMS] = lanes, block, dim, sum(counts) + len(params)
    p[THETA], p[TAPE], p[SLOT_SIZE], p[SCRATCH], p[SIZE] = theta, tape, slot_size, shared, p.size
    p[OWN], p[OWN_SCRATCH], p[OWN_THETA] = sum(tapes), own_scratch, theta + sum(counts)
    numbers[theta + sum(counts) : theta + sum(counts) + len(params)] = params
    offset, at, kept = OWN_HEADER, theta, tape
    for i, q in enumerate(inner):
        p[FIRST + i] = offset
        header = p[offset : offset + prefixes[i]]
        header[:] = q[: prefixes[i]]
        shift = ratio * offset
        header[THETA], header[TAPE], header[SCRATCH] = at - shift, kept - shift, shared - shift
        header[SLOT_SIZE], header[SIZE] = slot_size, p.size - offset
        numbers[at : at + counts[i]] = q.view(dtype)[int(q[THETA]) : int(q[THETA]) + counts[i]]
        offset, at, kept = offset + prefixes[i], at + counts[i], kept + tapes[i]
    return p


@_jit.core
def gather(y, rows, width, start, lanes, out):
    """out[rows, lanes] = columns ``start : start + lanes`` of y[rows, width]."""
    for i in range(rows):
        for j in range(lanes):
            out[i * lanes + j] = y[i * width + start + j]


@_jit.core
def scatter(x, rows, width, start, lanes, out):
    """Columns ``start : start + lanes`` of out[rows, width] = x[rows, lanes]."""
    for i in range(rows):
        for j in range(lanes):
            out[i * width + start + j] = x[i * lanes + j]


_VALUE = """\
def {name}(t, y, dy, p):
    {line}
    y, dy = view1(y, 0, SOME), view1(dy, 0, SOME)
    width, block, d = int(p[LANES]), int(p[BLOCK]), int(p[DIM])
    if width <= block:
        return core(t, y, dy, p, False)
    place = int(p[OWN_SCRATCH]) // RATIO - 2 * d * block
    x, f = view1d(p, place, d * block), view1d(p, place + d * block, d * block)
    status = 0
    for start in range(0, width, block):
        lanes = min(block, width - start)
        p[LANES] = lanes
        gather(y, d, width, start, lanes, x)
        status = max(status, core(t, x, f, p, False))
        scatter(f, d, width, start, lanes, dy)
    p[LANES] = width
    return status
"""
_RECORD = """\
def {name}(t, y, dy, p):
    {line}
    return core(t, view1(y, 0, SOME), view1(dy, 0, SOME), p, True)
"""
_PULL = """\
def {name}(t, v, out, p):
    {line}
    return core(t, view1(v, 0, SOME), view1(out, 0, SOME), p)
"""


@functools.cache
def field_kernels(evaluate, pull, tangents=None, pull_tangents=None, *, dtype="float64"):
    """Kernels of a field from its functions for one block of lanes.

    Parameters
    ----------
    evaluate : compiled kernel
        ``evaluate(t, y, dy, p, keep)``; with `keep` it writes the tape. Returns a status.
    pull : compiled kernel
        ``pull(t, v, out, p)``, see `odekit.adjoint.tape`.
    tangents, pull_tangents : compiled kernel, optional
        Likewise.
    dtype : str
        That of the parts.

    Returns
    -------
    FieldKernels
    """

    def find(template, core, kind):
        name, line = in_precision(f"{kind}_{core.__name__}", dtype)
        namespace = {
            "core": core, "view1": view1, "view1d": _jit.view1d, "single": _jit.single, "gather": gather, "scatter": scatter,
            "LANES": LANES, "BLOCK": BLOCK, "DIM": DIM, "OWN_SCRATCH": OWN_SCRATCH, "RATIO": numbers_per_double(dtype), "SOME": 2**40,
        }  # fmt: skip
        return scalar_address(_jit.exec_source(template.format(name=name, line=line), name, namespace, True))

    parts = (_VALUE, evaluate, "value"), (_RECORD, evaluate, "record"), (_PULL, pull, "pull")
    parts += tuple((_PULL, core, core.__name__) for core in (tangents, pull_tangents) if core is not None)
    return FieldKernels(*(functools.partial(find, *part) for part in parts))


class NetworkField(SampledModel):
    """What fields made of networks do from Python. A field gives `dim`, `kernels` and `pack`.

    Its parameters are those of its network `field`, or several vectors laid together by `JoinedParameters`.
    """

    #: Addresses of the kernels of dq/dt = velocity(t, p) and dp/dt = force(t, q), where the field has that form.
    halves = None
    #: Whether the lanes of a call may have different times, see `odekit.adjoint.tape`.
    lane_times = True
    #: Whether the field is that of a Hamiltonian.
    hamiltonian = False

    @property
    def dtype(self):
        """Precision of the networks, float64 or float32."""
        return self.field.dtype

    @property
    def params(self):
        """Flat parameter vector."""
        return self.field.params

    @params.setter
    def params(self, value):
        self.params[...] = checks.shaped("params", value, self.params.shape)

    def __call__(self, x, t=0.0):
        """Time derivative at x (d,) or (B, d)."""
        x, batched = checks.batch("x", x, self.dim)
        out = np.empty((self.dim, len(x)))
        call(self.kernels.value, float(t), np.ascontiguousarray(x.T).ravel(), out.ravel(), self.pack(len(x)))
        return out.T.copy() if batched else out[:, 0].copy()

    def vjp(self, x, v, t=0.0):
        """Time derivative, and the transposes of its derivatives applied to `v`; see `MLP.vjp`."""
        return lanewise_vjp(self.kernels, self.pack, x, v, t, self.dim, self.dim, self.params.size)

    def derivative(self, x, t=0.0):
        """Time derivative.

        Parameters
        ----------
        x : array_like, (d,) or (B, d)
        t : float

        Returns
        -------
        ndarray, like x
        """
        return self(x, t)

    def loss_and_grad(self, x, dxdt, t=None):
        """Mean squared error of the derivatives and its exact gradient.

        Parameters
        ----------
        x, dxdt : array_like, (B, d)
            States and their time derivatives.
        t : float or array_like, (B,), optional
            Times, for a field that depends on it.

        Returns
        -------
        loss : float
        grad : ndarray, (n_params,)
        """
        from .derivative import derivative_loss

        return derivative_loss(self, x, dxdt, t)

    def derivative_data(self, x, dxdt, t=None):
        """What `odekit.nn.inner_loop` needs: the field, the checked data, the factor of the loss, the times."""
        from .derivative import checked_data, sample_times

        x, dxdt = checked_data(self, x, dxdt)
        return self, x, dxdt, 1.0, sample_times(self, t, len(x))

    def solve(
        self, y0, t, method="dop853", rtol=None, atol=None, first_step=None, omega=None, *, store=None, resume=False, progress=False
    ):  # fmt: skip
        """Trajectories of the learned system.

        Parameters
        ----------
        y0 : array_like, (d,) or (B, d)
        t : array_like, (T,)
        method : str
            Any method that is valid for the field: explicit symplectic ones only for energies T(p) + V(q).
        rtol, atol : float, optional
            1e-9; in single precision 1e-6.
        first_step : float, optional
            First step, or the step of a method without an error estimate.
        omega : float, optional
            Binding frequency of Tao's methods, see `odekit.hamiltonian`.
        store : path-like, optional
            Folder to which the trajectories are written as they come, each with its own steps (explicit methods), as
            `odekit.solve_ensemble` does it.
        resume : bool
            Whether to go on with a `store` that an earlier call, with the same model, has begun.
        progress : bool
            Whether to show a progress bar, with `store`.

        Returns
        -------
        ndarray, (T, d) or (T, B, d)
            With `store`, an `odekit.storage.StoredEnsemble`: ``y`` (B, d, T), and what became of each trajectory.

        Raises
        ------
        ValueError
            If the method is not valid for the field.
        SolveError
            If the integration stops before ``t[-1]``.
        """
        from .neural_ode import NeuralODE
        from .rollout import needs_form, stored, symplectic

        usual = 1e-9 if self.dtype == "float64" else 1e-6
        rtol, atol = usual if rtol is None else rtol, usual if atol is None else atol
        if store is not None or resume:
            return stored(self, y0, t, store, resume, method, rtol, atol, first_step, omega, progress)
        if needs_form(method):
            return symplectic(self, y0, t, method.lower(), first_step, omega)
        return NeuralODE(self, method, rtol, atol, first_step=first_step).solve(y0, t)


class JoinedParameters:
    """Several networks with one flat vector of parameters, of which theirs become views."""

    PARTS = ()

    @property
    def dtype(self):
        """Precision of the networks, float64 or float32."""
        return getattr(self, self.PARTS[0]).dtype

    @property
    def params(self):
        """Flat parameter vector: that of one network after the other."""
        return self._params

    @params.setter
    def params(self, value):
        self._params[...] = checks.shaped("params", value, self._params.shape)

    def _join(self):
        networks = [getattr(self, name) for name in self.PARTS]
        if len({id(network) for network in networks}) < len(networks):
            raise ValueError(f"{' and '.join(self.PARTS)} must be different networks, but are the same object")
        checks.one_precision(*networks)
        self._params, start = np.concatenate([network.params for network in networks]), 0
        for network in networks:
            network._params = self._params[start : start + network.params.size]
            start += network._params.size

    def __setstate__(self, state):  # copies and pickles of views are no views
        self.__dict__.update(state)
        self._join()
