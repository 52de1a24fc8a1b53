"""Pictures of methods: work against precision, regions of stability."""

import numpy as np

from .. import stability
from .._numbers import real_array
from ..solvers.methods import resolve
from . import checks
from .figure import COLORS, axes

GRID_POINTS = 301  # along each side, of a region of stability


def work_precision(runs, ax=None, **line):
    """Work-precision diagram: the time of each method over the error that it leaves.

    Parameters
    ----------
    runs : dict
        Name for the legend to ``(errors, seconds)``, two sequences of equal length, one entry per tolerance;
        `odekit.testset.work` measures them. Errors that are zero or not finite are left out.
    ax : matplotlib.axes.Axes, optional
    **line
        For ``ax.plot``.

    Returns
    -------
    matplotlib.axes.Axes
        Both axes are logarithmic; small errors are on the right.

    Raises
    ------
    TypeError, ValueError
        For runs of another form.

    Examples
    --------
    >>> import odekit
    >>> lorenz = odekit.testset.LORENZ
    >>> runs = {name: odekit.testset.work(lorenz, name, rtols=[1e-6, 1e-8]) for name in ("tsit5", "vern9")}
    >>> ax = odekit.plot.work_precision(runs)
    >>> ax.get_xlabel()
    'error'
    """
    checks.having("runs", runs, "a dict, name to (errors, seconds)", "items")
    curves = {name: _curve(name, run) for name, run in runs.items()}
    ax = axes(ax)
    for k, (name, (errors, seconds)) in enumerate(curves.items()):
        shown = np.isfinite(errors) & (errors > 0)
        style = {"color": COLORS[k % len(COLORS)], "marker": ".", "label": name}
        ax.plot(errors[shown], seconds[shown], **{**style, **line})
    ax.set_xscale("log")
    ax.set_yscale("log")
    if not ax.xaxis_inverted():
        ax.invert_xaxis()
    ax.set_xlabel("error")
    ax.set_ylabel("time in s")
    ax.legend()
    return ax


def _curve(name, run):
    """Errors and seconds of one method."""
    pair = isinstance(run, (tuple, list, np.ndarray)) and len(run) == 2
    errors, seconds = (real_array(f"runs[{name!r}]", part) for part in run) if pair else (np.empty(0), np.empty(1))
    if errors.shape != seconds.shape or errors.ndim != 1:
        raise ValueError(
            f"runs[{name!r}] must be (errors, seconds), two sequences of the same length, but it is {run!r:.80}"
        )
    return errors, seconds


def stability_region(method, ax=None, xlim=None, ylim=None, order=None, **contour):
    """Region of stability of a method: where ``h lambda`` may lie so that ``y' = lambda y`` does not grow.

    Parameters
    ----------
    method : str
    ax : matplotlib.axes.Axes, optional
    xlim, ylim : (float, float), optional
        What is drawn of the complex plane; by default it shows the whole of a bounded region.
    order : int, optional
        Of a method of variable order, see `odekit.stability.amplification`.
    **contour
        For ``ax.contour``, the boundary.

    Returns
    -------
    matplotlib.axes.Axes
        The region is shaded, its boundary drawn.

    Raises
    ------
    ValueError
        For a method that has no stability function.

    Examples
    --------
    >>> import odekit
    >>> ax = odekit.plot.stability_region("tsit5")
    >>> ax.get_title()
    'tsit5'
    """
    size = resolve(method)[1][0].stability_size
    reach = 1.6 * size if np.isfinite(size) and size > 0 else 15.0
    bounded = np.isfinite(size)
    xlim = (
        ((-reach, 0.4 * reach) if bounded else (-0.5 * reach, reach)) if xlim is None else checks.limits("xlim", xlim)
    )
    ylim = (-reach, reach) if ylim is None else checks.limits("ylim", ylim)
    x, y = np.linspace(*xlim, GRID_POINTS), np.linspace(*ylim, GRID_POINTS)
    factor = np.abs(stability.amplification(method, x + 1j * y[:, None], order))
    ax = axes(ax)
    style = {"colors": COLORS[0], "linewidths": 1.4}
    ax.contourf(x, y, factor, levels=[0.0, 1.0], colors=contour.get("colors", COLORS[0]), alpha=0.15)
    ax.contour(x, y, factor, levels=[1.0], **{**style, **contour})
    ax.axhline(0.0, color="0.6", linewidth=0.6, zorder=0)
    ax.axvline(0.0, color="0.6", linewidth=0.6, zorder=0)
    ax.set_aspect("equal")
    ax.set_xlabel(r"Re $h\lambda$")
    ax.set_ylabel(r"Im $h\lambda$")
    ax.set_title(resolve(method)[0] if order is None else f"{resolve(method)[0]}, order {order}")
    return ax
