"""Pictures of solutions: components, phase portraits, steps, conserved quantities."""

import numpy as np

from .figure import COLORS, axes

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
    ax = axes(ax)
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
    ax = axes(ax)
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
    ax = axes(ax)
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
    ax = axes(ax)
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
    ax = axes(ax)
    low, middle, high = np.quantile(samples, (quantiles[0], 0.5, quantiles[1]), axis=1)
    (drawn,) = ax.plot(t, middle, **{"color": COLORS[0], **line})
    ax.fill_between(t, low, high, color=drawn.get_color(), alpha=0.2, linewidth=0)
    return ax


def _curve(sol):
    if sol.sol is None or len(sol.steps) < 2:
        return sol.t, np.asarray(sol.y)
    inside = np.arange(DENSE_POINTS) / DENSE_POINTS
    t = np.append(np.ravel(sol.steps[:-1, None] + np.diff(sol.steps)[:, None] * inside), sol.steps[-1])
    return t, sol.sol(t)
