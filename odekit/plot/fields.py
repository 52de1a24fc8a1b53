"""Pictures of vector fields."""

import numpy as np

from .. import _signatures
from .._checks import arguments
from .._numbers import count, real_array
from . import checks
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

    Raises
    ------
    TypeError, ValueError
        For limits that are no pairs, or a function that does not give two numbers.

    Examples
    --------
    >>> import odekit
    >>> ax = odekit.plot.vector_field(lambda t, y: [y[1], -y[0]], (-1, 1), (-1, 1), points=10)
    >>> [float(x) for x in ax.get_xlim()]
    [-1.0, 1.0]
    """
    xlim, ylim = checks.limits("xlim", xlim), checks.limits("ylim", ylim)
    args, points = arguments(args), count("points", points)
    if not callable(fun):
        raise TypeError(f"fun must be a function fun(t, y, *args), but it is {fun!r:.80}")
    _signatures.require("fun", fun, "fun(t, y, *args)", args, t, None)
    if points < 2:
        raise ValueError(f"points must be at least 2, but it is {points}")
    x, y = np.linspace(*xlim, points), np.linspace(*ylim, points)
    found = real_array("what fun returns", [[fun(t, np.array([a, b]), *args) for a in x] for b in y])
    if found.shape != (points, points, 2):
        raise ValueError(f"fun must return two numbers, but what it returns has shape {found.shape[2:]}")
    ax, (u, v) = axes(ax), found.transpose(2, 0, 1)
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
