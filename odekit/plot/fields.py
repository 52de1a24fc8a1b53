"""Pictures of vector fields."""

import numpy as np

from .figure import axes


def vector_field(fun, xlim, ylim, ax=None, args=(), t=0.0, points=25, **lines):
    """Stream lines of a field of two dimensions, darker where it is faster.

    Parameters
    ----------
    fun : callable
        ``fun(t, y, *args)``, two numbers.
    xlim, ylim : (float, float)
    ax : matplotlib.axes.Axes, optional
    args : tuple
    t : float
    points : int
        Along each side.
    **lines
        For ``ax.streamplot``.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes(ax)
    x, y = np.linspace(*xlim, points), np.linspace(*ylim, points)
    u, v = np.transpose([[np.asarray(fun(t, np.array([a, b]), *args), dtype=float) for a in x] for b in y], (2, 0, 1))
    speed = np.hypot(u, v)
    # from mid grey to nearly black: slow regions stay visible on white paper
    shade = 0.45 + 0.55 * speed / max(np.nanmax(speed), np.finfo(float).tiny)
    style = {
        "color": shade,
        "cmap": "Greys",
        "norm": _unit_norm(),
        "linewidth": 0.7,
        "arrowsize": 0.8,
        "density": 1.1,
        "zorder": 0,
    }
    ax.streamplot(x, y, u, v, **{**style, **lines})
    ax.set_xlim(xlim)
    ax.set_ylim(ylim)
    return ax


def _unit_norm():
    from matplotlib.colors import Normalize

    return Normalize(0.0, 1.0)
