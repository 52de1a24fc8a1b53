"""Pictures of ensembles: how trajectories spread, and what becomes of them over two parameters."""

import numpy as np

from .._numbers import real_array
from . import checks
from .figure import COLORS, axes

#: Pairs of quantiles between which the fan of an ensemble is shaded, the widest first.
QUANTILES = ((0.05, 0.95), (0.25, 0.75))


def ensemble(solution, component=0, ax=None, quantiles=QUANTILES, members=5, **line):
    """Fan of an ensemble over time: bands between quantiles, the median, and some of the trajectories.

    Parameters
    ----------
    solution : EnsembleSolution or odekit.storage.StoredEnsemble
        With output times that all trajectories share.
    component : int
    ax : matplotlib.axes.Axes, optional
    quantiles : sequence of (float, float)
        One band for each pair, the widest first.
    members : int or sequence of int
        Trajectories that are drawn as thin lines: so many, evenly spread, or those.
    **line
        For ``ax.plot`` of the median.

    Returns
    -------
    matplotlib.axes.Axes
        A time's quantiles are those of the trajectories that have a state there: what has failed or ended is left out.

    Raises
    ------
    ValueError
        If each trajectory has times of its own, or there is one time only; for a component, a quantile or a member that there is not.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> def decay(t, y, rate):
    ...     return [-rate * y[0]]
    >>> rates = np.linspace(0.5, 2, 50)
    >>> fan = odekit.solve_ensemble(decay, (0, 3), [1.0], args=(rates,), t_eval=np.linspace(0, 3, 31))
    >>> ax = odekit.plot.ensemble(fan)
    >>> len(ax.collections), len(ax.get_lines())
    (2, 6)
    """
    checks.having("solution", solution, "an odekit.EnsembleSolution or a stored one", "t", "y", ndim=3)
    checks.component("component", component, solution.y.shape[1])
    pairs = checks.quantiles("quantiles", quantiles)
    t = np.asarray(solution.t)
    if t.ndim != 1 or t.size < 2:
        raise ValueError(
            f"the times of the ensemble have shape {t.shape}; a fan needs output times that all trajectories share: give "
            "solve_ensemble a t_eval of shape (m,)"
        )
    states = np.asarray(solution.y[:, component])
    count = len(states)
    chosen = _chosen(members, count)
    shown = np.isfinite(states).any(axis=0)
    levels = [level for pair in pairs for level in pair]
    found = np.full((len(levels) + 1, t.size), np.nan)
    found[:, shown] = np.nanquantile(states[:, shown], [*levels, 0.5], axis=0)
    ax = axes(ax)
    color = line.get("color", COLORS[0])
    for k, (low, high) in enumerate(pairs):
        label = f"{low:.0%} to {high:.0%}"
        shade = {"color": color, "alpha": 0.15 + 0.15 * k, "linewidth": 0, "label": label}
        ax.fill_between(t, found[2 * k], found[2 * k + 1], **shade)
    for k in chosen:
        ax.plot(t, states[k], color="0.4", linewidth=0.6)
    ax.plot(t, found[-1], **{"color": color, "label": "median", **line})
    ax.set_xlabel("time $t$")
    ax.set_ylabel(f"$y_{{{component}}}$")
    ax.legend(frameon=True)
    return ax


def _chosen(members, count):
    """Numbers of the trajectories that are drawn, out of so many."""
    if np.ndim(members) == 0:
        if isinstance(members, (bool, np.bool_)) or not isinstance(members, (int, np.integer)) or members < 0:
            raise ValueError(f"members must be how many trajectories are drawn, or which, but it is {members!r:.80}")
        return np.unique(np.linspace(0, count - 1, min(members, count)).astype(int))
    for k in members:
        if not isinstance(k, (int, np.integer)) or not -count <= k < count:
            raise ValueError(f"members must be numbers of trajectories, from 0 to {count - 1}, but they hold {k!r:.80}")
    return members


def parameter_map(x, y, values, ax=None, failed=None, label=None, **mesh):
    """A quantity over two parameters as colours; members that failed are marked.

    Parameters
    ----------
    x, y : array_like, (N,)
        The two parameters of each member, which lie on a grid, in any order.
    values : array_like, (N,)
        The quantity; what is not finite is marked as failed.
    ax : matplotlib.axes.Axes, optional
    failed : array_like of bool, (N,), optional
        Further members that are marked instead of coloured, ``~ensemble.success`` for one.
    label : str, optional
        Name of the quantity, for the colour bar.
    **mesh
        For ``ax.pcolormesh``.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the parameters do not fill a grid.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> def oscillator(t, y, stiffness, damping):
    ...     return [y[1], -stiffness * y[0] - damping * y[1]]
    >>> k, c = (a.ravel() for a in np.meshgrid(np.linspace(1, 4, 20), np.linspace(0, 1, 10)))
    >>> ends = odekit.solve_ensemble(oscillator, (0, 10), [1.0, 0.0], args=(k, c))
    >>> ax = odekit.plot.parameter_map(k, c, np.abs(ends.y_end[:, 0]), failed=~ends.success, label="|q(10)|")
    >>> ax.collections[0].get_array().size
    200
    """
    x, y, values = (real_array(name, a).ravel() for name, a in (("x", x), ("y", y), ("values", values)))
    failed = np.zeros(values.size, dtype=bool) if failed is None else np.asarray(failed, dtype=bool).ravel()
    if failed.size != values.size:
        raise ValueError(
            f"failed must have one truth value for each of the {values.size} members, but it has {failed.size}"
        )
    failed = failed | ~np.isfinite(values)
    (columns, i), (rows, j) = np.unique(x, return_inverse=True), np.unique(y, return_inverse=True)
    if (
        not x.size == y.size == values.size
        or columns.size * rows.size != x.size
        or np.unique(rows.size * i + j).size != x.size
    ):
        raise ValueError(
            f"{x.size} and {y.size} parameters with {columns.size} and {rows.size} different values for {values.size} members: "
            "expected a grid, one member for each pair"
        )
    grid = np.full((rows.size, columns.size), np.nan)
    grid[j, i] = np.where(failed, np.nan, values)
    ax = axes(ax)
    drawn = ax.pcolormesh(
        columns, rows, np.ma.masked_invalid(grid), **{"shading": "nearest", "cmap": "viridis", **mesh}
    )
    if failed.any():
        style = {"color": COLORS[1], "marker": "x", "markersize": 4, "linestyle": "none"}
        ax.plot(x[failed], y[failed], **style, label=f"failed: {int(failed.sum())}")
        ax.legend(loc="upper right", frameon=True)
    ax.figure.colorbar(drawn, ax=ax, label=label)
    return ax
