"""Pictures of trajectories, steps, vector fields and conserved quantities.

Every function draws into `ax` (a new figure by default), names the axes and returns `ax`, so that calls can be combined and
anything can be changed afterwards. matplotlib is imported when the first picture is drawn.

Examples
--------
>>> import odekit
>>> sol = odekit.solve_ivp(lambda t, y: [y[1], -y[0]], (0, 6), [1.0, 0.0], rtol=1e-6)
>>> ax = odekit.plot.phase(sol, 0, 1)
>>> ax.get_xlabel(), ax.get_ylabel()
('$y_{0}$', '$y_{1}$')
"""

import contextlib

import numpy as np

__all__ = [
    "COLORS",
    "band",
    "energy_error",
    "new_axes",
    "phase",
    "save",
    "step_sizes",
    "style",
    "trajectory",
    "vector_field",
]

#: Colours that colour-blind readers tell apart (Okabe and Ito, 2008), in the order of use.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

#: Settings of the package's own pictures, see `style`.
STYLE = {
    "font.size": 10,
    "axes.labelsize": 10,
    "axes.titlesize": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "lines.linewidth": 1.4,
    "figure.dpi": 100,
}
DENSE_POINTS = 10  # per step, of a curve that is drawn from a dense output


def trajectory(sol, ax=None, components=None, labels=None, **line):
    """Components of a solution over time.

    Parameters
    ----------
    sol : Solution
        Drawn smoothly if it has a dense output, else through its output times.
    ax : matplotlib.axes.Axes, optional
    components : sequence of int, optional
        Default: all.
    labels : sequence of str, optional
        Names for the legend, one per component.
    **line
        For ``ax.plot``.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = _axes(ax)
    components = range(len(sol.y)) if components is None else components
    labels = [f"$y_{{{i}}}$" for i in components] if labels is None else labels
    t, y = _curve(sol)
    for k, (i, label) in enumerate(zip(components, labels, strict=True)):
        ax.plot(t, y[i], **{"color": COLORS[k % len(COLORS)], "label": label, **line})
    ax.set_xlabel("time $t$")
    ax.set_ylabel("state")
    if len(labels) > 1:
        ax.legend()
    return ax


def phase(sol, i=0, j=1, ax=None, **line):
    """Component `j` of a solution over component `i`.

    Parameters
    ----------
    sol : Solution
    i, j : int
    ax : matplotlib.axes.Axes, optional
    **line
        For ``ax.plot``.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = _axes(ax)
    _, y = _curve(sol)
    ax.plot(y[i], y[j], **{"color": COLORS[0], **line})
    ax.set_xlabel(f"$y_{{{i}}}$")
    ax.set_ylabel(f"$y_{{{j}}}$")
    return ax


def step_sizes(sol, ax=None, **points):
    """Size of each accepted step over time, coloured by the method that took it; changes of method are marked.

    Parameters
    ----------
    sol : Solution
    ax : matplotlib.axes.Axes, optional
    **points
        For ``ax.plot``.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = _axes(ax)
    names = np.array(sol.methods_in_use())
    for k, name in enumerate(dict.fromkeys(names)):
        rows = names == name
        style = {"color": COLORS[k % len(COLORS)], "marker": ".", "markersize": 3, "linestyle": "none"}
        ax.plot(sol.ends[rows], np.abs(sol.h[rows]), **{**style, "label": f"{name}: {rows.sum()} steps", **points})
    for change in sol.switches:
        ax.axvline(change.t, color="0.6", linewidth=0.8, linestyle="--", zorder=0)
    ax.set_yscale("log")
    ax.set_xlabel("time $t$")
    ax.set_ylabel("step size $h$")
    if names.size:
        ax.legend(markerscale=3)
    return ax


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
    ax = _axes(ax)
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


def energy_error(t, energy, ax=None, relative=True, **line):
    """Deviation of a conserved quantity from its first value, on a logarithmic axis.

    Parameters
    ----------
    t : array_like, (nt,)
    energy : array_like, (nt,)
    ax : matplotlib.axes.Axes, optional
    relative : bool
        Whether to divide by the first value.
    **line
        For ``ax.plot``.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        For a relative error of a first value of 0.
    """
    ax = _axes(ax)
    t, energy = np.asarray(t, dtype=float), np.asarray(energy, dtype=float)
    if relative and energy[0] == 0:
        raise ValueError("the first energy is 0, so that there is no relative error: use relative=False")
    error = np.abs(energy - energy[0]) / (abs(energy[0]) if relative else 1.0)
    shown = error > 0  # the first value, and any other that agrees to the last bit, has no logarithm
    ax.plot(t[shown], error[shown], **{"color": COLORS[0], **line})
    ax.set_yscale("log")
    ax.set_xlabel("time $t$")
    ax.set_ylabel("$|E / E_0 - 1|$" if relative else "$|E - E_0|$")
    return ax


def band(t, samples, ax=None, quantiles=(0.1, 0.9), **line):
    """Median of several curves, with a band between two quantiles.

    Parameters
    ----------
    t : array_like, (nt,)
    samples : array_like, (nt, N)
    ax : matplotlib.axes.Axes, optional
    quantiles : (float, float)
    **line
        For ``ax.plot``.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = _axes(ax)
    low, middle, high = np.quantile(samples, (quantiles[0], 0.5, quantiles[1]), axis=1)
    (drawn,) = ax.plot(t, middle, **{"color": COLORS[0], **line})
    ax.fill_between(t, low, high, color=drawn.get_color(), alpha=0.2, linewidth=0)
    return ax


# ---------------------------------------------------------------------------------------------------------------------
# figures


@contextlib.contextmanager
def style():
    """Within this context figures have the look of the package's own pictures.

    Examples
    --------
    >>> import odekit
    >>> with odekit.plot.style():
    ...     axes = odekit.plot.new_axes(1, 2, size=(7, 3))
    >>> len(axes)
    2
    """
    with _matplotlib().rc_context(STYLE):
        yield


def new_axes(rows=1, columns=1, size=(6.0, 4.0), **options):
    """Axes of a figure that is not shown, for pictures that go to a file.

    Parameters
    ----------
    rows, columns : int
    size : (float, float)
        Inches.
    **options
        For ``Figure.subplots``.

    Returns
    -------
    matplotlib.axes.Axes or ndarray of Axes
        The figure is their attribute ``figure``.
    """
    _matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout="constrained").subplots(rows, columns, **options)


def save(ax, path, dpi=150):
    """Write the figure of `ax` to a file.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    path : path-like
    dpi : int
    """
    ax.figure.savefig(path, dpi=dpi)


def _matplotlib():
    try:
        import matplotlib
    except ImportError as error:
        raise ImportError('odekit.plot needs matplotlib: pip install "odekit[plot]"') from error
    return matplotlib


def _axes(ax):
    if ax is not None:
        return ax
    _matplotlib()
    from matplotlib import pyplot

    return pyplot.subplots(layout="constrained")[1]


def _unit_norm():
    from matplotlib.colors import Normalize

    return Normalize(0.0, 1.0)


def _curve(sol):
    if sol.sol is None or len(sol.steps) < 2:
        return sol.t, np.asarray(sol.y)
    inside = np.arange(DENSE_POINTS) / DENSE_POINTS
    t = np.append(np.ravel(sol.steps[:-1, None] + np.diff(sol.steps)[:, None] * inside), sol.steps[-1])
    return t, sol.sol(t)
