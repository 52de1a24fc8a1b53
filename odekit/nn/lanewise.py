"""The kernels of a field over a batch, from Python: rows in, rows out."""

import numpy as np

from . import checks, header
from . import field_kernels as kernels


def as_lanes(x):
    """(B, d) as the flat [d, B] that kernels see."""
    return np.ascontiguousarray(x.T).ravel()


def lanewise_value(addresses, pack, x, t, n_in, n_out):
    """Run `value` over a batch; see `MLP.__call__`."""
    x, batched = checks.batch("x", x, n_in)
    out = np.empty((n_out, len(x)))
    kernels.call(addresses.value, checks.number("t", t), as_lanes(x), out.ravel(), pack(len(x)))
    return out.T.copy() if batched else out[:, 0].copy()


def lanewise_vjp(addresses, pack, x, v, t, n_in, n_out, n_params, name="v"):
    """Run `record` and `pull` over a batch, block by block; see `MLP.vjp`. `name` is that of v to the user."""
    x, batched = checks.batch("x", x, n_in)
    v, t = checks.batch(name, checks.finite_array(name, v), n_out)[0], checks.number("t", t)
    if len(v) != len(x):
        raise ValueError(f"x and {name} must have the same number of rows, but have {len(x)} and {len(v)}")
    y, x_bar, params_bar = np.empty((len(x), n_out)), np.empty_like(x), np.zeros(n_params)
    for start in range(0, len(x), header.LANE_BLOCK):
        rows = slice(start, start + header.LANE_BLOCK)
        tile = x[rows]
        lanes = len(tile)
        p = pack(lanes)
        out = np.empty(n_out * lanes)
        kernels.call(addresses.record, t, as_lanes(tile), out, p)
        y[rows] = out.reshape(n_out, lanes).T
        bar = np.concatenate((np.empty(n_in * lanes), params_bar))
        kernels.call(addresses.pull, t, as_lanes(v[rows]), bar, p)
        x_bar[rows] = bar[: n_in * lanes].reshape(n_in, lanes).T
        params_bar = bar[n_in * lanes :]
    return (y, x_bar, params_bar) if batched else (y[0], x_bar[0], params_bar)
