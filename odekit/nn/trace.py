"""The trace of a network's derivative, exact or estimated (Hutchinson, 1990): at a point, and along a trajectory."""

import numpy as np

from . import checks
from .composite import OPTION, OWN_SCRATCH, field_kernels, pack
from .concatsquash import ConcatSquash
from .header import BLOCK, HIDDEN, SIZES, WIDEST
from .network_field import NetworkField
from .trace_kernels import GATED, PROBES, traced, traced_pull

#: Random directions by name.
NOISES = ("rademacher", "gaussian")


def is_residual(field):
    """Whether a network has residual connections, which the passes of `odekit.nn.trace_kernels` do not know."""
    return getattr(field, "residual", False)


class TraceField(NetworkField):
    """A network with the trace of its derivative, as a vector field.

    The state is (z, integral of the trace, with `regularised` those of |f|^2 and |J|^2, then the context, the random directions).

    Parameters
    ----------
    field : MLP or ConcatSquash
        Its first inputs are z, as many as its outputs; further ones are the context.
    probes : int
        Number of random directions; 0: the exact trace.
    regularised : bool
    """

    def __init__(self, field, probes=0, regularised=False):
        if is_residual(field):
            raise ValueError(
                f"the trace along a trajectory needs a network without residual connections, not {field!r}"
            )
        self.field, self.probes, self.regularised = field, probes, regularised
        self.outputs, self.context = field.sizes[-1], field.sizes[0] - field.sizes[-1]

    @property
    def counted(self):
        """Components of the state that change."""
        return self.outputs + 1 + 2 * self.regularised

    @property
    def energies(self):
        """The first component of the integrals of |f|^2 and |J|^2."""
        return self.outputs + 1

    @property
    def lane_times(self):
        """Whether the lanes of a call may have different times."""
        return self.field.lane_times

    @property
    def dim(self):
        """Dimension of the state."""
        return self.counted + self.context + self.probes * self.outputs

    @property
    def kernels(self):
        """Addresses of the kernels of the vector field."""
        return field_kernels(traced, traced_pull, dtype=self.dtype)

    def pack(self, lanes, slots=1):
        """The vector `p` that the kernels of the field take, see `odekit.nn.composite.pack`."""
        gated = isinstance(self.field, ConcatSquash)
        network = self.field.network if gated else self.field
        inner, channels = network.pack(1), 1 + (self.probes or self.outputs)
        n_in, hidden, widest = int(inner[SIZES]), int(inner[HIDDEN]), int(inner[WIDEST])
        slot, scratch = channels * (n_in + 2 * hidden + self.outputs) + 3 * hidden, 3 * channels * widest
        gates, fixed = (self.field.gates, 2 * network.params.size) if gated else ((), 0)
        p = pack(self.dim, (network.pack,), lanes, slots, gates, slot, scratch, fixed, self.dtype)
        p[GATED] = p[OWN_SCRATCH] + scratch * p[BLOCK] if gated else 0.0
        p[PROBES], p[OPTION] = self.probes, self.regularised
        return p


def directions(rng, noise, shape):
    """Random directions of mean 0 and covariance I."""
    if noise == "gaussian":
        return rng.standard_normal(shape)
    return 2.0 * rng.integers(0, 2, shape) - 1.0


def trace(field, x, t=0.0, probes=0, noise="rademacher", rng=None):
    """Trace of the derivative of a network with respect to its input.

    Parameters
    ----------
    field : MLP or ConcatSquash
        With as many outputs as inputs.
    x : array_like, (d,) or (B, d)
    t : float
    probes : int
        Number of random directions of Hutchinson's estimator; 0: the exact trace, for d directions.
    noise : str
        rademacher (signs; the smaller variance) or gaussian.
    rng : None, int or numpy.random.Generator

    Returns
    -------
    value : float or ndarray, (B,)
    variance : float or ndarray, (B,)
        Of the estimate, from the spread of its directions: 0 for the exact trace, NaN for a single direction.

    Examples
    --------
    >>> import odekit
    >>> field = odekit.nn.MLP([3, 16, 3], rng=0)
    >>> exact, _ = odekit.nn.trace(field, [0.1, 0.2, 0.3])
    >>> estimate, variance = odekit.nn.trace(field, [0.1, 0.2, 0.3], probes=10000, rng=0)
    >>> bool(abs(estimate - exact) < 5 * variance**0.5)
    True
    """
    checks.choice("noise", noise, NOISES)
    x, batched = checks.batch("x", x, field.dim)
    if probes == 0 and is_residual(field):
        units = np.repeat(np.eye(field.dim), len(x), axis=0)
        along = field.jvp(np.tile(x, (field.dim, 1)), units, t)[1].reshape(field.dim, len(x), field.dim)
        value, variance = np.einsum("ibi->b", along), np.zeros(len(x))
    elif probes == 0:
        state = np.concatenate((x, np.zeros((len(x), 1))), axis=1)
        value = TraceField(field)(state, t)[:, -1]
        variance = np.zeros(len(x))
    else:
        checks.count("probes", probes)
        e = directions(checks.generator(rng), noise, (probes, *x.shape))
        along = field.jvp(np.tile(x, (probes, 1)), e.reshape(-1, field.dim), t)[1].reshape(e.shape)
        each = (e * along).sum(axis=2)
        value = each.mean(axis=0)
        variance = each.var(axis=0, ddof=1) / probes if probes > 1 else np.full(len(x), np.nan)
    return (value, variance) if batched else (value[0], variance[0])
