"""Pictures of solutions: components, phase portraits, steps, conserved quantities."""

import numpy as np

from . import checks
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

    Raises
    ------
    TypeError
        If `sol` is no solution.
    ValueError
        For a component that there is not, or another number of labels.

    Examples
    --------
    >>> import odekit
    >>> sol = odekit.solve_ivp(lambda t, y: [y[1], -y[0]], (0, 6), [1.0, 0.0], dense_output=True)
    >>> ax = odekit.plot.trajectory(sol, labels=["q", "p"])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['q', 'p']
    """
    checks.having("sol", sol, "an odekit.Solution", "t", "y", "sol", "steps")
    n = len(sol.y)
    components = range(n) if components is None else [components] if np.ndim(components) == 0 else components
    for i in components:
        checks.component("each of components", i, n)
    labels = [f"$y_{{{i}}}$" for i in components] if labels is None else labels
    if isinstance(labels, str) or len(labels) != len(components):
        raise ValueError(f"labels={labels!r:.80}; expected {len(components)} strings, one for each component")
    ax, (t, y) = axes(ax), _curve(sol)
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

    Raises
    ------
    TypeError
        If `sol` is no solution.
    ValueError
        For a component that there is not.

    Examples
    --------
    >>> import odekit
    >>> sol = odekit.solve_ivp(lambda t, y: [y[1], -y[0]], (0, 6), [1.0, 0.0], dense_output=True)
    >>> ax = odekit.plot.phase(sol, 0, 1, color="black")
    >>> ax.get_xlabel()
    '$y_{0}$'
    """
    checks.having("sol", sol, "an odekit.Solution", "t", "y", "sol", "steps")
    checks.component("i", i, len(sol.y))
    checks.component("j", j, len(sol.y))
    ax, (_, y) = axes(ax), _curve(sol)
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

    Raises
    ------
    TypeError
        If `sol` is no solution.

    Examples
    --------
    >>> import odekit
    >>> sol = odekit.solve_ivp(lambda t, y: [y[1], 1e3 * (1 - y[0] ** 2) * y[1] - y[0]], (0, 10), [2.0, 0.0])
    >>> ax = odekit.plot.step_sizes(sol)
    >>> ax.get_yscale()
    'log'
    """
    checks.having("sol", sol, "an odekit.Solution", "methods_in_use", "ends", "h", "switches")
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
        For a relative error of a first value of 0, or for another number of energies than of times.

    Examples
    --------
    >>> import odekit
    >>> sol = odekit.solve_ivp(lambda t, y: [y[1], -y[0]], (0, 100), [1.0, 0.0])
    >>> ax = odekit.plot.energy_error(sol.t, (sol.y**2).sum(axis=0) / 2, label="auto")
    >>> ax.get_yscale()
    'log'
    """
    t, energy = checks.curve(t, energy, "energy")
    if energy.ndim != 1:
        raise ValueError(f"energy must have shape {t.shape}, one number for each time, but its shape is {energy.shape}")
    if relative and t.size and energy[0] == 0:
        raise ValueError("the first energy is 0, so that there is no relative error: use relative=False")
    ax = axes(ax)
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

    Raises
    ------
    ValueError
        For another number of rows than of times, or for quantiles outside of 0 to 1.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> t = np.linspace(0, 1, 11)
    >>> ax = odekit.plot.band(t, np.exp(-np.outer(t, np.linspace(0.5, 2, 20))))
    >>> len(ax.get_lines()), len(ax.collections)
    (1, 1)
    """
    t, samples = checks.curve(t, samples, "samples")
    if samples.ndim != 2 or samples.shape[1] == 0:
        raise ValueError(
            f"samples must have shape ({t.size}, N), a curve in each column, but its shape is {samples.shape}"
        )
    ((below, above),) = checks.quantiles("quantiles", [quantiles])
    ax = axes(ax)
    low, middle, high = np.quantile(samples, (below, 0.5, above), axis=1)
    (drawn,) = ax.plot(t, middle, **{"color": COLORS[0], **line})
    ax.fill_between(t, low, high, color=drawn.get_color(), alpha=0.2, linewidth=0)
    return ax


def _curve(sol):
    if sol.sol is None or len(sol.steps) < 2:
        return sol.t, np.asarray(sol.y)
    inside = np.arange(DENSE_POINTS) / DENSE_POINTS
    t = np.append(np.ravel(sol.steps[:-1, None] + np.diff(sol.steps)[:, None] * inside), sol.steps[-1])
    return t, sol.sol(t)
